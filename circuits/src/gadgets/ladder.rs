//! A multiple of a point of prime order by a long run of signed bits, two bits a row.
//!
//! On Baby Jubjub's Montgomery form `v² = u³ + A u² + u`, `A = 168698`, `u = (1 + y) / (1 − y)`, `v = u / x`, an
//! accumulator P becomes `(P + s T) + P`, s = ±1. With the slopes λ of the first sum and μ of the second only u is a
//! cell; v follows from them:
//!
//! ```text
//! | uT | vT | u | λ | μ | z | u~ | λ~ | μ~ | b |      b~ = z' − 4 z − 2 b, s = 2 b − 1
//!
//! 2v = (λ + μ)(2u + uT + A − λ²)      λ (u − uT) = v − s vT      u' = μ² − λ² + uT      v' = μ (u − u') − v
//! ```
//!
//! for the first bit, with u~, λ~, μ~ for u', λ', μ', and for the second likewise, with the next row's. The row after
//! the last has λ = 0 and a μ of which v follows by the same equation.
//!
//! The equations have one solution unless `u = uT`, or the first sum is ±P. From P = 2T on, after j bits `P = m T` with
//! an odd m (or 2, at first) between 2 and `3·2^j`; so a bit is exceptional only if `m = ±1` or `2m ± 1 = 0` modulo T's
//! order. Neither is for j below [`BITS`], since `6·2^(BITS − 1) + 1` is below the order ℓ, of more than 250 bits: there
//! is no exceptional case, whatever the scalar. The caller guarantees that T has order ℓ and that `twice` is 2T;
//! the result is `(2^BITS + 2 z + 1) T`, z being the number of the bits.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;

use super::arithmetic::{self, Operand, equation};
use super::babyjubjub::PointVars;
use crate::halo2::columns::{NamedConstraint, Window};
use crate::halo2::trace::{Gate, Trace, Var};
use halo2_proofs::plonk::Expression;

/// Bits of a run.
pub const BITS: usize = 248;
/// The curve's `A`.
const A: u64 = 168_698;

fn constant(value: u64) -> Expression<Fr> {
    Expression::Constant(Fr::from(value))
}

/// Constraints of two bits.
pub fn constraints(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let [base_u, base_v, u0, slope0, second0, z] = window.cells(0, 0);
    let [u1, slope1, second1, high] = window.cells(0, 6);
    let [base_u2, base_v2, u2, slope2, second2, z2] = window.cells(1, 0);
    let low = z2 - z * Fr::from(4) - high.clone() * Fr::from(2);
    // Twice v.
    let height = |u: &Expression<Fr>, slope: &Expression<Fr>, second: &Expression<Fr>| {
        let gap = u.clone() * Fr::from(2) + base_u.clone() + constant(A) - slope.clone() * slope.clone();
        (slope.clone() + second.clone()) * gap
    };
    let mut constraints =
        vec![("carried u".into(), base_u2 - base_u.clone()), ("carried v".into(), base_v2 - base_v.clone())];
    let steps = [
        ("first", &high, [&u0, &slope0, &second0], [&u1, &slope1, &second1]),
        ("second", &low, [&u1, &slope1, &second1], [&u2, &slope2, &second2]),
    ];
    for (name, bit, [u, slope, second], [next_u, next_slope, next_second]) in steps {
        let v = height(u, slope, second);
        let sign = bit.clone() * Fr::from(2) - constant(1);
        let sum = slope.clone() * (u.clone() - base_u.clone()) * Fr::from(2);
        let sum = sum - v.clone() + sign * base_v.clone() * Fr::from(2);
        let squares = second.clone() * second.clone() - slope.clone() * slope.clone();
        let after = second.clone() * (u.clone() - next_u.clone()) * Fr::from(2) - v;
        constraints.extend([
            (format!("{name} bit"), bit.clone() * (constant(1) - bit.clone())),
            (format!("{name} slope"), sum),
            (format!("{name} u"), squares + base_u.clone() - next_u.clone()),
            (format!("{name} v"), height(next_u, next_slope, next_second) - after),
        ]);
    }
    constraints
}

fn quotient(value: Fr, by: Fr) -> Fr {
    value * by.invert().unwrap_or(Fr::ZERO)
}

/// A point of prime order other than the neutral element in Montgomery form; the divisors aren't 0 for such a point.
pub fn to_montgomery(trace: &mut Trace, point: PointVars) -> PointVars {
    let (x, y) = (point.x.value, point.y.value);
    let u = quotient(Fr::ONE + y, Fr::ONE - y);
    // u − 1 − y − u y = 0.
    let terms = [(Fr::ONE, Operand::New(u)), (-Fr::ONE, point.y.into())];
    let cells = equation(trace, &terms, Some((-Fr::ONE, Operand::New(u), point.y.into())), -Fr::ONE);
    trace.link(cells[0], cells[2]);
    let v = Operand::New(quotient(u, x));
    let v = equation(trace, &[(-Fr::ONE, cells[0].into())], Some((Fr::ONE, point.x.into(), v)), Fr::ZERO)[2];
    PointVars { x: cells[0], y: v }
}

/// The reverse of [`to_montgomery`].
pub fn to_edwards(trace: &mut Trace, point: PointVars) -> PointVars {
    let (u, v) = (point.x.value, point.y.value);
    let x = Operand::New(quotient(u, v));
    let x = equation(trace, &[(-Fr::ONE, point.x.into())], Some((Fr::ONE, point.y.into(), x)), Fr::ZERO)[2];
    // y + u y − u + 1 = 0.
    let y = quotient(u - Fr::ONE, u + Fr::ONE);
    let terms = [(Fr::ONE, Operand::New(y)), (-Fr::ONE, point.x.into())];
    let cells = equation(trace, &terms, Some((Fr::ONE, Operand::New(y), point.x.into())), Fr::ONE);
    trace.link(cells[0], cells[2]);
    PointVars { x, y: cells[0] }
}

/// A point's u and v and the slopes of a bit from it.
#[derive(Clone, Copy)]
struct Step {
    u: Fr,
    slope: Fr,
    second: Fr,
}

/// The slopes of a bit, and the point after it.
fn step((u, v): (Fr, Fr), (base_u, base_v): (Fr, Fr), bit: bool) -> (Step, (Fr, Fr)) {
    let signed = if bit { base_v } else { -base_v };
    let slope = quotient(v - signed, u - base_u);
    let gap = u.double() + base_u + Fr::from(A) - slope.square();
    let second = quotient(v.double(), gap) - slope;
    let next = second.square() - slope.square() + base_u;
    (Step { u, slope, second }, (next, second * (u - next) - v))
}

/// `(2^BITS + 2 z + 1) T` and z, for [`BITS`] bits, the most significant first. Points are in Montgomery form.
pub fn run(
    trace: &mut Trace,
    base: PointVars,
    twice: PointVars,
    bits: &[bool],
    zero: Var,
) -> (PointVars, Var) {
    debug_assert_eq!(bits.len(), BITS);
    let of_base = (base.x.value, base.y.value);
    let mut point = (twice.x.value, twice.y.value);
    let mut z = Fr::ZERO;
    let first = trace.rows();
    for (index, pair) in bits.chunks(2).enumerate() {
        let row = trace.push(Gate::Ladder, &[]);
        let (high, low) = (pair.first() == Some(&true), pair.last() == Some(&true));
        let (one, between) = step(point, of_base, high);
        let (two, after) = step(between, of_base, low);
        if index == 0 {
            trace.copy(row, 0, base.x);
            trace.copy(row, 1, base.y);
            trace.copy(row, 2, twice.x);
            trace.copy(row, 5, zero);
        } else {
            for (column, value) in [(0, of_base.0), (1, of_base.1), (2, one.u), (5, z)] {
                trace.set(row, column, value);
            }
        }
        trace.set(row, 3, one.slope);
        trace.set(row, 4, one.second);
        let high = Fr::from(u64::from(high));
        for (column, value) in (6..).zip([two.u, two.slope, two.second, high]) {
            trace.set(row, column, value);
        }
        z = z * Fr::from(4) + high.double() + Fr::from(u64::from(low));
        point = after;
    }
    let row = trace.push(Gate::None, &[]);
    let (u, v) = point;
    let second = quotient(v.double(), u.double() + of_base.0 + Fr::from(A));
    let base_u = trace.set(row, 0, of_base.0);
    trace.set(row, 1, of_base.1);
    let u = trace.set(row, 2, u);
    trace.copy(row, 3, zero);
    let second = trace.set(row, 4, second);
    let z = trace.set(row, 5, z);

    // What the first row's slopes say of v is v.
    let [slope, other] = [3, 4].map(|column| trace.var(first, column));
    let square = arithmetic::multiply(trace, slope, slope);
    let terms = [(Fr::from(2), twice.x), (Fr::ONE, base.x), (-Fr::ONE, square)];
    let gap = arithmetic::linear(trace, &terms, Fr::from(A));
    let slopes = arithmetic::linear(trace, &[(Fr::ONE, slope), (Fr::ONE, other)], Fr::ZERO);
    let both = Some((Fr::ONE, slopes.into(), gap.into()));
    equation(trace, &[(-Fr::from(2), twice.y.into())], both, Fr::ZERO);
    // And the last row's v.
    let gap = arithmetic::linear(trace, &[(Fr::from(2), u), (Fr::ONE, base_u)], Fr::from(A));
    let half = Fr::from(2).invert().unwrap_or(Fr::ZERO);
    let v = arithmetic::product(trace, (half, second, gap), &[], Fr::ZERO);
    (PointVars { x: u, y: v }, z)
}
