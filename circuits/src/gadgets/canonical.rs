//! The one split of a field element into its bits 248 to 253 and the 248 below.
//!
//! `value = low + 2^248 · high` holds in the field for two splits of a small value, whose integers differ by r. The
//! split below r is told apart by parts of 124 bits, `low = l0 + 2^124 · l1`, `top = l1 + 2^124 · high`, compared
//! with those of r − 1, `R0` and `T`, with a borrow β:
//!
//! ```text
//! R0 − l0 + 2^124 β ∈ [0, 2^125)        T − top − β ∈ [0, 2^130)
//! ```
//!
//! Guarantees `value` to be the integer `low + 2^248 · high`, below r, with `low` below 2^248 and `high` below 2^6.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::{Field, PrimeField};

use super::arithmetic::{Operand, boolean, equation, linear};
use super::range;
use crate::halo2::trace::{Trace, Var};

/// Bits of each half of the low part.
const HALF_BITS: usize = 124;
const HIGH_BITS: usize = 6;

/// A field element in two parts.
#[derive(Clone, Copy)]
pub struct Split {
    /// The element.
    pub value: Var,
    /// Its low 248 bits.
    pub low: Var,
    /// The bits above.
    pub high: Var,
}

/// An element's parts as a prover claims them; [`split`] says whether they are its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The low 248 bits, in halves, the low one first.
    pub low: [Fr; 2],
    /// The bits above.
    pub high: Fr,
}

impl Parts {
    /// The parts of an element.
    pub fn of(value: Fr) -> Self {
        let halves = [0, HALF_BITS].map(|from| bits(value, from, HALF_BITS));
        Self { low: halves, high: bits(value, 2 * HALF_BITS, HIGH_BITS) }
    }

    /// The element that has these parts.
    pub fn value(&self) -> Fr {
        let [l0, l1] = self.low;
        l0 + half() * (l1 + half() * self.high)
    }
}

fn half() -> Fr {
    Fr::from(2).pow_vartime([HALF_BITS as u64])
}

/// Bits `from` to `from + count` of an element, as an element.
fn bits(value: Fr, from: usize, count: usize) -> Fr {
    let repr = value.to_repr();
    let bytes: &[u8] = repr.as_ref();
    (from..from + count).rev().fold(Fr::ZERO, |sum, i| {
        let bit = bytes.get(i / 8).map_or(0, |byte| byte >> (i % 8) & 1);
        sum.double() + Fr::from(u64::from(bit))
    })
}

/// Splits a new cell, the element of these parts.
pub fn split(trace: &mut Trace, parts: Parts, zero: Var) -> Split {
    let (value, half) = (parts.value(), half());
    let Parts { low: [l0, l1], high } = parts;
    let terms =
        [(-Fr::ONE, Operand::New(l0 + half * l1)), (Fr::ONE, Operand::New(l0)), (half, Operand::New(l1))];
    let cells = equation(trace, &terms, None, Fr::ZERO);
    let (low, l0, l1) = (cells[0], cells[1], cells[2]);
    let terms = [(-Fr::ONE, Operand::New(value)), (Fr::ONE, low.into()), (half.square(), Operand::New(high))];
    let cells = equation(trace, &terms, None, Fr::ZERO);
    let (value, high) = (cells[0], cells[2]);
    range::check(trace, l0, HALF_BITS, zero);
    range::check(trace, l1, HALF_BITS, zero);
    range::check(trace, high, HIGH_BITS, zero);

    let largest = -Fr::ONE;
    let low_limit = bits(largest, 0, HALF_BITS);
    let top_limit = bits(largest, HALF_BITS, HALF_BITS + HIGH_BITS);
    let exceeds = bits(low_limit - l0.value, HALF_BITS, 128) != Fr::ZERO;
    let borrow = boolean(trace, Fr::from(u64::from(exceeds)));
    let below = linear(trace, &[(-Fr::ONE, l0), (half, borrow)], low_limit);
    range::check(trace, below, HALF_BITS + 1, zero);
    let above = linear(trace, &[(-Fr::ONE, l1), (-half, high), (-Fr::ONE, borrow)], top_limit);
    range::check(trace, above, HALF_BITS + HIGH_BITS, zero);
    Split { value, low, high }
}
