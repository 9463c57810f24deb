//! Evaluation in the scalar field of BLS12-381, of order p of 255 bits, by Horner's rule: `y ← y·z + w mod p`.
//!
//! An element is `y = y0 + 2^68 y1 + 2^136 y2` with y0, y1 below 2^68 and y2 below 2^120, the point
//! `z = z0 + 2^68 z1` with z0 below 2^68 and z1 below 2^60; a word w is a field element below 2^248. For a step the
//! prover gives y' and the quotient `q = q0 + 2^68 q1` (68 and 62 bits), and the integer equation
//!
//! ```text
//! y·z + w = q·p + y'
//! ```
//!
//! is checked modulo r and modulo 2^136. Both sides differ by less than 2^386 in absolute value, and 2^136·r is more,
//! so they are equal. Modulo 2^136, with the low 136 bits `p0 + 2^68 p1` of p and a carry c:
//!
//! ```text
//! y0 z0 + 2^68 (y0 z1 + y1 z0) + w − q0 (p0 + 2^68 p1) − 2^68 q1 p0 − y0' − 2^68 y1' = 2^136 c
//! ```
//!
//! No term passes 2^248 there, so that it holds of integers once `c + 2^72` is below 2^114. A word that isn't active
//! is 0 and multiplies by 1. Elements may pass p on the way ([`step`] allows up to 2^256); [`to_limbs`] gives the
//! canonical one.
//!
//! The equations use the arithmetic gate. A gate of its own would cost the aggregation more for its selector than it
//! saves: most rows are ranges, since without a lookup each bit takes half a cell.

use std::sync::OnceLock;

use ark_ff::PrimeField as _;
use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use num_bigint::BigUint;

use super::arithmetic::{Operand, boolean, equation, free, linear, multiply, power, product};
use super::foreign::{to_field, to_integer};
use super::range;
use crate::halo2::trace::{Trace, Var};
use crate::rollup::evaluation::DaScalar;

const LIMB_BITS: u64 = 68;
const TOP_BITS: u64 = 120;
const POINT_TOP_BITS: u64 = 60;
const QUOTIENT_TOP_BITS: u64 = 62;
/// Bits of the second modulus: two limbs.
const LOW_BITS: u64 = 2 * LIMB_BITS;
const CARRY_OFFSET_BITS: u64 = 72;
const CARRY_BITS: u64 = 114;
/// Bits of a public limb, two of which make an element.
const PUBLIC_BITS: u64 = 128;

/// A point of evaluation, below 2^128.
#[derive(Clone, Copy)]
pub struct Point {
    /// The point.
    pub value: Var,
    low_less_1: Var,
    high: Var,
}

/// An element, not necessarily below p.
#[derive(Clone, Copy)]
pub struct Element {
    limbs: [Var; 3],
    /// The first two limbs together.
    low: Var,
    /// The element modulo r.
    value: Var,
}

fn order() -> &'static BigUint {
    static ORDER: OnceLock<BigUint> = OnceLock::new();
    ORDER.get_or_init(|| DaScalar::MODULUS.into())
}

/// Bits `from` to `from + count` of an integer, as a field element.
fn bits(value: &BigUint, from: u64, count: u64) -> Fr {
    to_field(&((value >> from) & ((BigUint::from(1_u8) << count) - 1_u8)))
}

fn check(trace: &mut Trace, value: Var, bits: u64, zero: Var) {
    range::check(trace, value, bits as usize, zero);
}

/// A point from its value.
pub fn point(trace: &mut Trace, value: Fr, zero: Var) -> Point {
    let integer = to_integer(value);
    let (low, high) = (bits(&integer, 0, LIMB_BITS), bits(&integer, LIMB_BITS, POINT_TOP_BITS));
    let terms = [
        (-Fr::ONE, Operand::New(value)),
        (Fr::ONE, Operand::New(low)),
        (power(LIMB_BITS), Operand::New(high)),
    ];
    let cells = equation(trace, &terms, None, Fr::ZERO);
    check(trace, cells[1], LIMB_BITS, zero);
    check(trace, cells[2], POINT_TOP_BITS, zero);
    let low_less_1 = linear(trace, &[(Fr::ONE, cells[1])], -Fr::ONE);
    Point { value: cells[0], low_less_1, high: cells[2] }
}

fn joined(trace: &mut Trace, limbs: [Var; 3]) -> Element {
    let [y0, y1, y2] = limbs;
    let low = linear(trace, &[(Fr::ONE, y0), (power(LIMB_BITS), y1)], Fr::ZERO);
    let value = linear(trace, &[(Fr::ONE, low), (power(LOW_BITS), y2)], Fr::ZERO);
    Element { limbs, low, value }
}

/// The limbs of an integer below 2^256.
fn limbs_of(integer: &BigUint) -> [Fr; 3] {
    let parts = [(0, LIMB_BITS), (LIMB_BITS, LIMB_BITS), (LOW_BITS, TOP_BITS)];
    parts.map(|(from, count)| bits(integer, from, count))
}

/// A new element of these limbs.
fn element(trace: &mut Trace, limbs: [Fr; 3], zero: Var) -> Element {
    let [y0, y1, y2] = limbs;
    let limbs = [(y0, LIMB_BITS), (y1, LIMB_BITS), (y2, TOP_BITS)].map(|(limb, count)| {
        let limb = free(trace, limb);
        check(trace, limb, count, zero);
        limb
    });
    joined(trace, limbs)
}

/// Ties an element's limbs to two limbs of 128 bits, the low one first.
fn public_limbs(trace: &mut Trace, element: &Element, zero: Var) -> [Var; 2] {
    let [y0, y1, y2] = element.limbs;
    let integer = to_integer(y1.value);
    let below = PUBLIC_BITS - LIMB_BITS;
    let parts = [bits(&integer, 0, below), bits(&integer, below, LIMB_BITS - below)];
    let terms =
        [(-Fr::ONE, y1.into()), (Fr::ONE, Operand::New(parts[0])), (power(below), Operand::New(parts[1]))];
    let cells = equation(trace, &terms, None, Fr::ZERO);
    check(trace, cells[1], below, zero);
    check(trace, cells[2], LIMB_BITS - below, zero);
    let low = linear(trace, &[(Fr::ONE, y0), (power(LIMB_BITS), cells[1])], Fr::ZERO);
    let high = linear(trace, &[(Fr::ONE, cells[2]), (power(LOW_BITS - PUBLIC_BITS), y2)], Fr::ZERO);
    [low, high]
}

/// An element from two limbs of 128 bits; returns it with the limbs' cells.
pub fn from_limbs(trace: &mut Trace, limbs: [Fr; 2], zero: Var) -> (Element, [Var; 2]) {
    let integer = to_integer(limbs[0]) + (to_integer(limbs[1]) << PUBLIC_BITS);
    let element = element(trace, limbs_of(&integer), zero);
    let limbs = public_limbs(trace, &element, zero);
    (element, limbs)
}

/// The limbs of an element that must be below p.
pub fn to_limbs(trace: &mut Trace, element: &Element, zero: Var) -> [Var; 2] {
    let largest = order() - 1_u8;
    let (low_limit, top_limit) = (bits(&largest, 0, LOW_BITS), bits(&largest, LOW_BITS, TOP_BITS));
    let top = element.limbs[2];
    let exceeds = to_integer(element.low.value) > to_integer(low_limit);
    let borrow = boolean(trace, Fr::from(u64::from(exceeds)));
    let below = linear(trace, &[(-Fr::ONE, element.low), (power(LOW_BITS), borrow)], low_limit);
    check(trace, below, LOW_BITS + 1, zero);
    let above = linear(trace, &[(-Fr::ONE, top), (-Fr::ONE, borrow)], top_limit);
    check(trace, above, TOP_BITS, zero);
    public_limbs(trace, element, zero)
}

/// A step's result and quotient as a prover claims them, in limbs.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The result's.
    pub result: [Fr; 3],
    /// The quotient's.
    pub quotient: [Fr; 2],
}

impl Claim {
    /// That a step's result is `result` and its quotient `quotient`, below 2^256 and 2^130.
    pub fn new(result: &BigUint, quotient: &BigUint) -> Self {
        let quotient =
            [(0, LIMB_BITS), (LIMB_BITS, QUOTIENT_TOP_BITS)].map(|(from, count)| bits(quotient, from, count));
        Self { result: limbs_of(result), quotient }
    }

    /// The true one: `y·z + word` divided by p.
    fn honest(y: &Element, z: Fr, word: Fr) -> Self {
        let [y0, y1, y2] = y.limbs.map(|limb| to_integer(limb.value));
        let integer = y0 + (y1 << LIMB_BITS) + (y2 << LOW_BITS);
        let sum = integer * to_integer(z) + to_integer(word);
        Self::new(&(&sum % order()), &(&sum / order()))
    }
}

/// `y·z + word` where `active` is 1, `y` where it is 0 and the word, too.
pub fn step(trace: &mut Trace, y: &Element, z: &Point, (active, word): (Var, Var), zero: Var) -> Element {
    let z_used = Fr::ONE + active.value * (z.value.value - Fr::ONE);
    let claim = Claim::honest(y, z_used, word.value);
    step_claiming(trace, y, z, (active, word), claim, zero)
}

/// [`step`] by a prover that claims this.
pub fn step_claiming(
    trace: &mut Trace,
    y: &Element,
    z: &Point,
    (active, word): (Var, Var),
    claim: Claim,
    zero: Var,
) -> Element {
    let z0 = product(trace, (Fr::ONE, active, z.low_less_1), &[], Fr::ONE);
    let z1 = multiply(trace, active, z.high);
    let z = linear(trace, &[(Fr::ONE, z0), (power(LIMB_BITS), z1)], Fr::ZERO);

    let next = element(trace, claim.result, zero);
    let [q0, q1] = claim.quotient;
    let [q0, q1] = [(q0, LIMB_BITS), (q1, QUOTIENT_TOP_BITS)].map(|(limb, count)| {
        let limb = free(trace, limb);
        check(trace, limb, count, zero);
        limb
    });

    let p = to_field(order());
    let terms = [(Fr::ONE, word), (-p, q0), (-p * power(LIMB_BITS), q1), (-Fr::ONE, next.value)]
        .map(|(k, v)| (k, v.into()));
    equation(trace, &terms, Some((Fr::ONE, y.value.into(), z.into())), Fr::ZERO);

    let [y0, y1, _] = y.limbs;
    let cross = multiply(trace, y0, z1);
    let cross = product(trace, (Fr::ONE, y1, z0), &[(Fr::ONE, cross)], Fr::ZERO);
    let low = product(trace, (Fr::ONE, y0, z0), &[(power(LIMB_BITS), cross)], Fr::ZERO);
    let (p_low, p0) = (bits(order(), 0, LOW_BITS), bits(order(), 0, LIMB_BITS));
    let terms =
        [(Fr::ONE, low), (Fr::ONE, word), (-p_low, q0), (-p0 * power(LIMB_BITS), q1), (-Fr::ONE, next.low)];
    let total: Fr = terms.iter().map(|(k, var)| *k * var.value).sum();
    let carry = total * power(LOW_BITS).invert().unwrap_or(Fr::ZERO);
    let mut row: Vec<(Fr, Operand)> = terms.iter().map(|(k, var)| (*k, Operand::Old(*var))).collect();
    let offset = power(CARRY_OFFSET_BITS);
    row.push((-power(LOW_BITS), Operand::New(carry + offset)));
    let shifted = equation(trace, &row, None, power(LOW_BITS) * offset);
    check(trace, shifted[5], CARRY_BITS, zero);
    next
}
