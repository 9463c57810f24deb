//! Baby Jubjub: `a x² + y² = 1 + d x² y²` with `a` a square and `d` none, so that the affine addition law has no
//! exceptional case on the curve. The caller guarantees that the points that enter are on the curve
//! ([`on_curve`]); everything then stays on it.
//!
//! A [`ladder`] multiplies a variable point by a scalar, one bit a row, most significant first: the accumulator
//! is doubled and the point added if the bit is set. The point is carried from row to row, and `eq` tells
//! whether the bits so far are those of r (`k0` holds r's bit), so that the scalar is canonical when it ends at
//! 0.
//!
//! ```text
//! | Px | Py | ax | ay | n | eq | dx | dy | p | q |     bit = n' − 2n    (s = bit · P: sx = bit Px, sy = 1 + bit (Py − 1))
//!
//! dx (a ax² + ay²) = 2 ax ay          dy (2 − a ax² − ay²) = ay² − a ax²
//! p = dx sy     q = dy sx             ax' (1 + d p q) = p + q      ay' (1 − d p q) = dy sy − a dx sx
//! eq' = eq (1 − k0 + k0 bit)          (1 − k0) eq bit = 0          Px' = Px    Py' = Py
//! ```
//!
//! A fixed-base multiplication takes two bits a row; the row's four multiples of the base are in its constants,
//! as coefficients of `1, e0, e1, e0 e1` for x and for y.
//!
//! ```text
//! | ax | ay | n | e1 | e0 | e01 | p | q |              n' = 4n + 2 e1 + e0      e01 = e0 e1
//! ```

use std::sync::OnceLock;

use ark_ff::PrimeField as _;
use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::{Field, PrimeField as _};
use halo2_proofs::plonk::Expression;

use super::arithmetic::{self, Operand, equation, nonzero};
use super::{poseidon, range};
use crate::halo2::columns::{NamedConstraint, Window};
use crate::halo2::to_circuit;
use crate::halo2::trace::{Gate, Trace, Var};
use crate::rollup;
use crate::rollup::babyjubjub::{BASE, Point, SUBGROUP_ORDER};

/// Bits of r, the scalar of a [`ladder`].
const LADDER_BITS: usize = 254;
/// Two-bit windows of the fixed-base multiplication; 4^126 passes the subgroup order and stays below r.
const WINDOWS: usize = 126;
/// Doublings that make a point of the subgroup.
const COFACTOR_DOUBLINGS: usize = 3;

fn a() -> Fr {
    Fr::from(168_700)
}

fn d() -> Fr {
    Fr::from(168_696)
}

fn constant(value: Fr) -> Expression<Fr> {
    Expression::Constant(value)
}

/// Constraints of one bit of a [`ladder`].
pub fn ladder_constraints(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let one = || constant(Fr::ONE);
    let [px, py, ax, ay, n, eq, dx, dy, p, q] = window.cells(0, 0);
    let [px2, py2, ax2, ay2, n2, eq2] = window.cells(1, 0);
    let modulus_bit = window.constant(0, 0);
    let bit = n2 - n * Fr::from(2);
    let (xx, yy) = (ax.clone() * ax.clone() * a(), ay.clone() * ay.clone());
    let sum = xx.clone() + yy.clone();
    let sy = one() + bit.clone() * (py.clone() - one());
    let sx = bit.clone() * px.clone();
    let t = p.clone() * q.clone() * d();
    vec![
        ("bit".into(), bit.clone() * (one() - bit.clone())),
        ("doubled x".into(), dx.clone() * sum.clone() - ax * ay * Fr::from(2)),
        ("doubled y".into(), dy.clone() * (constant(Fr::from(2)) - sum) - (yy - xx)),
        ("product x·y".into(), p.clone() - dx.clone() * sy.clone()),
        ("product y·x".into(), q.clone() - dy.clone() * sx.clone()),
        ("sum x".into(), ax2 * (one() + t.clone()) - (p + q)),
        ("sum y".into(), ay2 * (one() - t) - (dy * sy - dx * sx * a())),
        ("carried x".into(), px2 - px),
        ("carried y".into(), py2 - py),
        (
            "still equal to the modulus".into(),
            eq2 - eq.clone() * (one() - modulus_bit.clone() + modulus_bit.clone() * bit.clone()),
        ),
        ("above the modulus".into(), (one() - modulus_bit) * eq * bit),
    ]
}

/// Constraints of two bits of a fixed-base multiplication.
pub fn fixed_base_constraints(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let one = || constant(Fr::ONE);
    let [ax, ay, n, e1, e0, e01, p, q] = window.cells(0, 0);
    let [ax2, ay2, n2] = window.cells(1, 0);
    let mut coordinate = |first: usize| {
        window.constant(0, first)
            + window.constant(0, first + 1) * e0.clone()
            + window.constant(0, first + 2) * e1.clone()
            + window.constant(0, first + 3) * e01.clone()
    };
    let (sx, sy) = (coordinate(0), coordinate(4));
    let t = p.clone() * q.clone() * d();
    vec![
        ("low bit".into(), e0.clone() * (one() - e0.clone())),
        ("high bit".into(), e1.clone() * (one() - e1.clone())),
        ("product of bits".into(), e01 - e0.clone() * e1.clone()),
        ("running scalar".into(), n2 - n * Fr::from(4) - e1 * Fr::from(2) - e0),
        ("product x·y".into(), p.clone() - ax.clone() * sy.clone()),
        ("product y·x".into(), q.clone() - ay.clone() * sx.clone()),
        ("sum x".into(), ax2 * (one() + t.clone()) - (p + q)),
        ("sum y".into(), ay2 * (one() - t) - (ay * sy - ax * sx * a())),
    ]
}

/// A point's coordinates in the trace.
#[derive(Clone, Copy)]
pub struct PointVars {
    /// First coordinate.
    pub x: Var,
    /// Second coordinate.
    pub y: Var,
}

/// `left / a` and `right / b` with one inversion; 0 where a denominator is 0, which no point of the curve has.
fn divide(left: Fr, a: Fr, right: Fr, b: Fr) -> (Fr, Fr) {
    let inverse = (a * b).invert().unwrap_or(Fr::ZERO);
    (left * inverse * b, right * inverse * a)
}

fn add((ax, ay): (Fr, Fr), (sx, sy): (Fr, Fr)) -> ((Fr, Fr), Fr, Fr) {
    let (p, q) = (ax * sy, ay * sx);
    let t = d() * p * q;
    (divide(p + q, Fr::ONE + t, ay * sy - a() * ax * sx, Fr::ONE - t), p, q)
}

fn double((x, y): (Fr, Fr)) -> (Fr, Fr) {
    let (xx, yy) = (a() * x.square(), y.square());
    divide(x * y * Fr::from(2), xx + yy, yy - xx, Fr::from(2) - xx - yy)
}

/// Constrains a point to be on the curve.
pub fn on_curve(trace: &mut Trace, point: PointVars) {
    let xx = arithmetic::multiply(trace, point.x, point.x);
    let yy = arithmetic::multiply(trace, point.y, point.y);
    // a xx + yy − 1 − d xx yy: the two squares are factors and terms.
    equation(trace, &[(a(), xx.into()), (Fr::ONE, yy.into())], Some((-d(), xx.into(), yy.into())), -Fr::ONE);
}

/// The bits of a multiplier, most significant first, and whether to compare them with r.
struct LadderBits {
    bits: Vec<bool>,
    modulus: Vec<bool>,
}

struct LadderEnd {
    point: PointVars,
    scalar: Var,
    equal: Var,
}

/// The rows of a ladder from `start` with base `base`; `n` and `eq` start as given.
fn ladder(
    trace: &mut Trace,
    base: PointVars,
    start: PointVars,
    scalar: Var,
    equal: Var,
    steps: &LadderBits,
) -> LadderEnd {
    let mut accumulator = (start.x.value, start.y.value);
    let (mut n, mut eq) = (scalar.value, equal.value);
    let mut last = None;
    for index in 0..=steps.bits.len() {
        let bit = steps.bits.get(index).copied();
        let modulus_bit = steps.modulus.get(index).copied().unwrap_or(false);
        let constants = [Fr::from(u64::from(modulus_bit))];
        let row = match bit {
            Some(_) => trace.push(Gate::Ladder, &constants),
            None => trace.push(Gate::None, &[]),
        };
        let first = index == 0;
        let mut place = |column: usize, source: Var, value: Fr| {
            if first { trace.copy(row, column, source) } else { trace.set(row, column, value) }
        };
        place(0, base.x, base.x.value);
        place(1, base.y, base.y.value);
        let x = place(2, start.x, accumulator.0);
        let y = place(3, start.y, accumulator.1);
        let scalar = place(4, scalar, n);
        let equal = place(5, equal, eq);
        last = Some(LadderEnd { point: PointVars { x, y }, scalar, equal });
        let Some(bit) = bit else { break };
        let doubled = double(accumulator);
        let addend = if bit { (base.x.value, base.y.value) } else { (Fr::ZERO, Fr::ONE) };
        let (sum, p, q) = add(doubled, addend);
        for (column, value) in (6..).zip([doubled.0, doubled.1, p, q]) {
            trace.set(row, column, value);
        }
        accumulator = sum;
        n = n.double() + Fr::from(u64::from(bit));
        if modulus_bit && !bit {
            eq = Fr::ZERO;
        }
    }
    last.unwrap_or(LadderEnd { point: start, scalar, equal })
}

fn bits_of(repr: &[u8], count: usize) -> Vec<bool> {
    (0..count).rev().map(|i| repr[i / 8] >> (i % 8) & 1 == 1).collect()
}

fn modulus_bits() -> Vec<bool> {
    let limbs = rollup::Fr::MODULUS.0;
    let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    bits_of(&bytes, LADDER_BITS)
}

/// Coefficients of every window's four points, the most significant window first.
fn base_table() -> &'static [[Fr; 8]] {
    static TABLE: OnceLock<Vec<[Fr; 8]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut unit = BASE;
        let mut windows: Vec<[Fr; 8]> = (0..WINDOWS)
            .map(|_| {
                let double = unit.double();
                let points = [Point::IDENTITY, unit, double, double.add(&unit)];
                unit = double.double();
                let coefficients = |coordinate: fn(&Point) -> rollup::Fr| {
                    let [v0, v1, v2, v3] = points.each_ref().map(|point| to_circuit(coordinate(point)));
                    [v0, v1 - v0, v2 - v0, v3 - v2 - v1 + v0]
                };
                let (x, y) = (coefficients(|point| point.x), coefficients(|point| point.y));
                [x[0], x[1], x[2], x[3], y[0], y[1], y[2], y[3]]
            })
            .collect();
        windows.reverse();
        windows
    })
}

/// `start + scalar · B8` for a scalar below 4^126; returns the sum and the scalar's cell.
fn fixed_base(trace: &mut Trace, start: PointVars, scalar: &[bool], zero: Var) -> (PointVars, Var) {
    let mut accumulator = (start.x.value, start.y.value);
    let mut n = Fr::ZERO;
    let table = base_table();
    for index in 0..=WINDOWS {
        let window = table.get(index);
        let row = match window {
            Some(constants) => trace.push(Gate::FixedBase, constants),
            None => trace.push(Gate::None, &[]),
        };
        let first = index == 0;
        let mut place = |column: usize, source: Var, value: Fr| {
            if first { trace.copy(row, column, source) } else { trace.set(row, column, value) }
        };
        let x = place(0, start.x, accumulator.0);
        let y = place(1, start.y, accumulator.1);
        let running = place(2, zero, n);
        let Some(k) = window else { return (PointVars { x, y }, running) };
        let (high, low) = (scalar[2 * index], scalar[2 * index + 1]);
        let [e1, e0] = [high, low].map(|bit| Fr::from(u64::from(bit)));
        let e01 = e0 * e1;
        let sx = k[0] + k[1] * e0 + k[2] * e1 + k[3] * e01;
        let sy = k[4] + k[5] * e0 + k[6] * e1 + k[7] * e01;
        let (sum, p, q) = add(accumulator, (sx, sy));
        for (column, value) in (3..).zip([e1, e0, e01, p, q]) {
            trace.set(row, column, value);
        }
        accumulator = sum;
        n = n * Fr::from(4) + e1.double() + e0;
    }
    (start, zero)
}

/// What a signature's check needs from around it.
#[derive(Clone, Copy)]
pub struct SignatureInputs {
    /// A cell constrained to 0.
    pub zero: Var,
    /// A cell constrained to 1.
    pub one: Var,
    /// The signer's key.
    pub key: PointVars,
    /// The signed message.
    pub message: Var,
    /// The signature's point, as a witness.
    pub r8: (Fr, Fr),
    /// The signature's scalar, 32 bytes little endian, as a witness.
    pub s: [u8; 32],
}

/// Constrains `S·B8 = R8 + 8·h·A`, `h = H_5(R8x, R8y, Ax, Ay, M)`, with everything that a signature is refused
/// for: A or R8 off the curve, A of small order, R8x = 0, S not below the subgroup order.
pub fn verify(trace: &mut Trace, inputs: &SignatureInputs) {
    let SignatureInputs { zero, one, key, message, r8, s } = *inputs;
    trace.label("signature challenge");
    let challenge = poseidon::hash::<6>(
        trace,
        &[Operand::New(r8.0), Operand::New(r8.1), key.x.into(), key.y.into(), message.into()],
        zero,
    );
    let r8 = PointVars { x: challenge.inputs[0], y: challenge.inputs[1] };
    trace.label("key on the curve");
    on_curve(trace, key);
    trace.label("signature point on the curve");
    on_curve(trace, r8);
    trace.label("signature point not of x = 0");
    nonzero(trace, r8.x);
    trace.label("eight times the key");
    let steps = LadderBits { bits: vec![false; COFACTOR_DOUBLINGS], modulus: Vec::new() };
    let eight = ladder(trace, key, key, zero, zero, &steps);
    trace.link(eight.scalar, zero);
    trace.label("key not of small order");
    nonzero(trace, eight.point.x);
    trace.label("challenge times key");
    let bits = bits_of(challenge.output.value.to_repr().as_ref(), LADDER_BITS);
    let steps = LadderBits { bits, modulus: modulus_bits() };
    let identity = PointVars { x: zero, y: one };
    let right = ladder(trace, eight.point, identity, zero, one, &steps);
    trace.link(right.scalar, challenge.output);
    trace.link(right.equal, zero);
    trace.label("signature equation");
    let minus_x = arithmetic::linear(trace, &[(-Fr::ONE, r8.x)], Fr::ZERO);
    let (left, scalar) =
        fixed_base(trace, PointVars { x: minus_x, y: r8.y }, &bits_of(&s, 2 * WINDOWS), zero);
    trace.link(left.x, right.point.x);
    trace.link(left.y, right.point.y);
    trace.label("scalar below the subgroup order");
    let order = to_circuit(rollup::Fr::from_bigint(SUBGROUP_ORDER).unwrap_or_default());
    let slack = arithmetic::linear(trace, &[(-Fr::ONE, scalar)], order - Fr::ONE);
    range::check(trace, slack, 2 * WINDOWS, zero);
}
