//! `value < 2^bits`, by a running sum of base-4 digits, least significant first, ten digits a row:
//!
//! ```text
//! | z0 | z1 | ... | z9 |      zi − 4 z(i+1) ∈ {0, 1, 2, 3}
//! | z10| ...                  z9 − 4 z10    ∈ {0, 1, 2, 3}
//! ```
//!
//! The chain ends with a cell that is constrained to 0, or to 0 or 1 when `bits` is odd. The value enters at the
//! column that makes the number of digits come out; the cells before it continue the chain downwards, carry no
//! meaning and are the gadget's only free cells. Guarantees that the field element, as an integer below r, is
//! below 2^bits. There is no lookup: a table would cost three more commitments for the aggregation to verify,
//! more than the rows saved.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::{Field, PrimeField};

use super::arithmetic::{Operand, boolean, equation};
use crate::halo2::columns::{NamedConstraint, Window};
use crate::halo2::trace::{ADVICE_COLUMNS, Gate, Trace, Var};

/// Most bits that a range can have: 2^bits stays below r.
pub const MAX_BITS: usize = 252;

/// The gate's constraints, one a digit.
pub fn constraints(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    (0..ADVICE_COLUMNS)
        .map(|i| {
            let low = window.cell(0, i);
            let high = if i + 1 < ADVICE_COLUMNS { window.cell(0, i + 1) } else { window.cell(1, 0) };
            let digit = low - high * Fr::from(4);
            let in_range = (1..4).fold(digit.clone(), |product, k| {
                product * (digit.clone() - halo2_proofs::plonk::Expression::Constant(Fr::from(k)))
            });
            (format!("digit {i}"), in_range)
        })
        .collect()
}

/// The base-4 digits of a field element, least significant first.
fn digits(value: Fr, count: usize) -> Vec<u64> {
    let bytes = value.to_repr();
    (0..count).map(|i| u64::from(bytes.as_ref()[i / 4] >> (2 * (i % 4)) & 3)).collect()
}

/// Constrains `value < 2^bits`. `zero` is a cell constrained to 0.
///
/// A value out of range gives a trace that the checker rejects: the chain's end isn't 0 or a bit.
pub fn check(trace: &mut Trace, value: Var, bits: usize, zero: Var) {
    debug_assert!((2..=MAX_BITS).contains(&bits));
    let quarter = Fr::from(4).invert().unwrap_or(Fr::ZERO);
    let count = bits / 2;
    let tail = count % ADVICE_COLUMNS;
    // With 1 to 4 digits in the last row the value enters at column 0 and the chain stops inside that row, zeros
    // after it; otherwise it enters late and fills its rows to the end.
    let stops_inside = (1..5).contains(&tail);
    let start = if stops_inside || tail == 0 { 0 } else { ADVICE_COLUMNS - tail };
    let mut running = value.value;
    let mut pending = digits(value.value, count).into_iter();
    let mut end = None;
    for index in 0..count.div_ceil(ADVICE_COLUMNS) {
        let row = trace.push(Gate::Range, &[]);
        for column in 0..ADVICE_COLUMNS {
            if index == 0 && column < start {
                let above = Fr::from(4).pow_vartime([(start - column) as u64]);
                trace.set(row, column, value.value * above);
            } else if end.is_some() {
                trace.set(row, column, Fr::ZERO);
            } else {
                let first = index == 0 && column == start;
                let cell =
                    if first { trace.copy(row, column, value) } else { trace.set(row, column, running) };
                match pending.next() {
                    Some(digit) => running = (running - Fr::from(digit)) * quarter,
                    None => end = Some(cell),
                }
            }
        }
    }
    let odd = bits % 2 == 1;
    match end {
        Some(cell) => {
            equation(trace, &[(Fr::ONE, Operand::New(Fr::ZERO))], None, Fr::ZERO);
            let last = if odd { boolean(trace, running) } else { zero };
            trace.link(cell, last);
        }
        None if odd => {
            boolean(trace, running);
        }
        None => {
            equation(trace, &[(Fr::ONE, Operand::New(running))], None, Fr::ZERO);
        }
    }
}
