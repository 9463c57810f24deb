//! Baby Jubjub: `a x² + y² = 1 + d x² y²` with `a` a square and `d` none, so that the affine addition law has no
//! exceptional case on the curve. The caller guarantees that the points that enter are on the curve
//! ([`on_curve`]); everything then stays on it.
//!
//! A signature's challenge times eight times its key takes three steps, each exact for every input: [`doublings`] make
//! eight times the key (and twice that); [`super::ladder`] takes 248 signed bits of a scalar, for which there is no
//! exceptional case; two more bits and a correction by one multiple are added completely, again one bit a row:
//!
//! ```text
//! | Px | Py | ax | ay | n |   | dx | dy | p | q |     bit = n' − 2n    (s = bit · P: sx = bit Px, sy = 1 + bit (Py − 1))
//!
//! dx (a ax² + ay²) = 2 ax ay          dy (2 − a ax² − ay²) = ay² − a ax²
//! p = dx sy     q = dy sx             ax' (1 + d p q) = p + q      ay' (1 − d p q) = dy sy − a dx sx
//! Px' = Px    Py' = Py
//! ```
//!
//! **The scalar.** With T = 8A of order ℓ, the sum is M T for `M = 4 (2^248 + 2z + 1 − e) + w`, z of 248 bits, e of one and w
//! of two: any integer from 2^250 to `3·2^250 − 1`, between 0.66 ℓ and 1.99 ℓ. It is h T for the challenge h, an integer
//! below r, if `N = M + t ℓ = h` for any t; N is only known modulo r. With `t = t0 + 2 t1 + 3 t2 − low + high`, all bits,
//! `X = (low − high) h − high` is below 2^252, some 2.64 ℓ, so that N is the integer h, r being 8 ℓ less some 2^126:
//!
//! | low | high | t | N | |
//! |---|---|---|---|---|
//! | 0 | 0 | 0 to 6 | 0.66 ℓ to 7.99 ℓ | below r |
//! | 1 | 0 | −1 to 5 | −0.34 ℓ to 6.99 ℓ | `X = N mod r`; N below 0 would make it more than 7 ℓ |
//! | 0 | 1 | 1 to 7 | 1.66 ℓ to 8.99 ℓ | `X = r − 1 − N mod r`; N from r on would make it more than 7 ℓ |
//! | 1 | 1 | | | X is −1 |
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

use num_bigint::BigUint;

use super::arithmetic::{self, Operand, boolean, equation, linear, nonzero, power, product};
use super::{ladder, poseidon, range};
use crate::halo2::columns::{NamedConstraint, Window};
use crate::halo2::to_circuit;
use crate::halo2::trace::{Gate, Trace, Var};
use crate::rollup;
use crate::rollup::babyjubjub::{BASE, Point, SUBGROUP_ORDER};

/// Bits of a challenge's multiple after those of a [`ladder::run`].
const LAST_BITS: usize = 2;
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

/// Constraints of a doubling and one bit.
pub fn double_constraints(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let one = || constant(Fr::ONE);
    let [px, py, ax, ay, n] = window.cells(0, 0);
    let [dx, dy, p, q] = window.cells(0, 6);
    let [px2, py2, ax2, ay2, n2] = window.cells(1, 0);
    let bit = n2 - n * Fr::from(2);
    let (xx, yy) = (ax.clone() * ax.clone() * a(), ay.clone() * ay.clone());
    let sum = xx.clone() + yy.clone();
    let sy = one() + bit.clone() * (py.clone() - one());
    let sx = bit.clone() * px.clone();
    let t = p.clone() * q.clone() * d();
    vec![
        ("bit".into(), bit.clone() * (one() - bit)),
        ("doubled x".into(), dx.clone() * sum.clone() - ax * ay * Fr::from(2)),
        ("doubled y".into(), dy.clone() * (constant(Fr::from(2)) - sum) - (yy - xx)),
        ("product x·y".into(), p.clone() - dx.clone() * sy.clone()),
        ("product y·x".into(), q.clone() - dy.clone() * sx.clone()),
        ("sum x".into(), ax2 * (one() + t.clone()) - (p + q)),
        ("sum y".into(), ay2 * (one() - t) - (dy * sy - dx * sx * a())),
        ("carried x".into(), px2 - px),
        ("carried y".into(), py2 - py),
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

/// The rows of [`Gate::Double`] from `start` on, one for each bit, the most significant first: the points before each
/// row and after the last, and the scalar after it, `scalar` followed by the bits.
fn double_and_add(
    trace: &mut Trace,
    base: PointVars,
    start: PointVars,
    scalar: Var,
    bits: &[bool],
) -> (Vec<PointVars>, Var) {
    let mut accumulator = (start.x.value, start.y.value);
    let mut n = scalar;
    let mut points = Vec::with_capacity(bits.len() + 1);
    for index in 0..=bits.len() {
        let bit = bits.get(index).copied();
        let row = trace.push(if bit.is_some() { Gate::Double } else { Gate::None }, &[]);
        let first = index == 0;
        let mut place = |column: usize, source: Var, value: Fr| {
            if first { trace.copy(row, column, source) } else { trace.set(row, column, value) }
        };
        place(0, base.x, base.x.value);
        place(1, base.y, base.y.value);
        let x = place(2, start.x, accumulator.0);
        let y = place(3, start.y, accumulator.1);
        n = place(4, scalar, n.value);
        points.push(PointVars { x, y });
        let Some(bit) = bit else { break };
        let doubled = double(accumulator);
        let addend = if bit { (base.x.value, base.y.value) } else { (Fr::ZERO, Fr::ONE) };
        let (sum, p, q) = add(doubled, addend);
        for (column, value) in (6..).zip([doubled.0, doubled.1, p, q]) {
            trace.set(row, column, value);
        }
        accumulator = sum;
        n.value = n.value.double() + Fr::from(u64::from(bit));
    }
    (points, n)
}

/// Twice a point of the curve, so many times, with the points on the way.
fn doublings(trace: &mut Trace, point: PointVars, count: usize, zero: Var) -> Vec<PointVars> {
    let (points, scalar) = double_and_add(trace, point, point, zero, &vec![false; count]);
    trace.link(scalar, zero);
    points
}

/// The sum of two points of the curve, by arithmetic alone.
fn sum(trace: &mut Trace, left: PointVars, right: PointVars) -> PointVars {
    let ((x, y), _, _) = add((left.x.value, left.y.value), (right.x.value, right.y.value));
    let p = arithmetic::multiply(trace, left.x, right.y);
    let q = arithmetic::multiply(trace, left.y, right.x);
    let xx = arithmetic::multiply(trace, left.x, right.x);
    let yy = arithmetic::multiply(trace, left.y, right.y);
    let t = arithmetic::multiply(trace, p, q);
    // x + d t x = p + q     y − d t y = yy − a xx
    let mut quotient = |value: Fr, sign: Fr, terms: [(Fr, Operand); 2]| {
        let mut all = vec![(Fr::ONE, Operand::New(value))];
        all.extend(terms);
        let product = Some((sign * d(), t.into(), Operand::New(value)));
        let cells = equation(trace, &all, product, Fr::ZERO);
        trace.link(cells[0], cells[4]);
        cells[0]
    };
    let x = quotient(x, Fr::ONE, [(-Fr::ONE, p.into()), (-Fr::ONE, q.into())]);
    let y = quotient(y, -Fr::ONE, [(-Fr::ONE, yy.into()), (a(), xx.into())]);
    PointVars { x, y }
}

fn bits_of(repr: &[u8], count: usize) -> Vec<bool> {
    (0..count).rev().map(|i| repr[i / 8] >> (i % 8) & 1 == 1).collect()
}

fn integer_bits(value: &BigUint, count: usize) -> Vec<bool> {
    (0..count as u64).rev().map(|i| value.bit(i)).collect()
}

/// A challenge as a prover claims it to be made up; see the module's page.
#[derive(Clone, Debug)]
pub struct Parts {
    /// z.
    run: BigUint,
    /// e.
    even: bool,
    /// w.
    last: Vec<bool>,
    /// t0, t1, t2, low and high.
    turns: [bool; 5],
}

impl Parts {
    /// The parts of a field element.
    pub fn of(challenge: Fr) -> Self {
        let order = BigUint::from(SUBGROUP_ORDER);
        let mut multiple = BigUint::from_bytes_le(challenge.to_repr().as_ref());
        let mut turns = 0;
        if multiple < Self::least() {
            multiple += &order;
            turns = -1;
        }
        while multiple >= Self::least() * 3_u8 {
            multiple -= &order;
            turns += 1;
        }
        Self::new(multiple, turns)
    }

    fn least() -> BigUint {
        BigUint::from(1_u8) << (ladder::BITS + LAST_BITS)
    }

    /// Those of `multiple + turns · ℓ`, for a multiple from 2^250 to 3·2^250 − 1 and turns from −1 to 7; of another
    /// one, those of some multiple.
    pub fn new(multiple: BigUint, turns: i32) -> Self {
        let (low, high) = (turns < 0, turns > 6);
        let middle = turns + i32::from(low) - i32::from(high);
        let three = middle >= 3;
        let rest = if three { middle - 3 } else { middle };
        let last = integer_bits(&multiple, LAST_BITS);
        let above = multiple.max(Self::least()) - Self::least();
        let above = above >> LAST_BITS;
        let even = !above.bit(0);
        Self { run: above >> 1, even, last, turns: [rest & 1 == 1, rest & 2 == 2, three, low, high] }
    }
}

/// `challenge · T`, for T of the subgroup's order, and `twice` twice that.
fn challenge_times(
    trace: &mut Trace,
    (challenge, parts): (Var, &Parts),
    [point, twice]: [PointVars; 2],
    zero: Var,
) -> PointVars {
    trace.label("challenge times key");
    let [base, start] = [point, twice].map(|point| ladder::to_montgomery(trace, point));
    let bits = integer_bits(&parts.run, ladder::BITS);
    let (accumulator, run) = ladder::run(trace, base, start, &bits, zero);
    let accumulator = ladder::to_edwards(trace, accumulator);
    let even = boolean(trace, Fr::from(u64::from(parts.even)));
    // Less the point, where e is 1.
    let x = product(trace, (-Fr::ONE, even, point.x), &[], Fr::ZERO);
    let y = product(trace, (Fr::ONE, even, point.y), &[(-Fr::ONE, even)], Fr::ONE);
    let accumulator = sum(trace, accumulator, PointVars { x, y });
    let terms = [(Fr::from(2), run), (-Fr::ONE, even)];
    let scalar = linear(trace, &terms, power(ladder::BITS as u64) + Fr::ONE);
    let (points, multiple) = double_and_add(trace, point, accumulator, scalar, &parts.last);

    trace.label("challenge below the modulus");
    let [t0, t1, t2, low, high] = parts.turns.map(|turn| boolean(trace, Fr::from(u64::from(turn))));
    let middle = [(Fr::ONE, t0), (Fr::from(2), t1), (Fr::from(3), t2)];
    let ends = [(-Fr::ONE, low), (Fr::ONE, high)];
    let turns = linear(trace, &[&middle[..], &ends[..]].concat(), Fr::ZERO);
    let order = to_circuit(rollup::Fr::from_bigint(SUBGROUP_ORDER).unwrap_or_default());
    let terms = [(-Fr::ONE, challenge.into()), (Fr::ONE, multiple.into()), (order, turns.into())];
    equation(trace, &terms, None, Fr::ZERO);
    let sign = linear(trace, &[(Fr::ONE, low), (-Fr::ONE, high)], Fr::ZERO);
    let inside = product(trace, (Fr::ONE, sign, challenge), &[(-Fr::ONE, high)], Fr::ZERO);
    range::check(trace, inside, range::MAX_BITS, zero);
    points.last().copied().unwrap_or(accumulator)
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
    verify_claiming(trace, inputs, Parts::of);
}

/// [`verify`] by a prover that takes the challenge apart in its own way.
pub fn verify_claiming(trace: &mut Trace, inputs: &SignatureInputs, parts: impl FnOnce(Fr) -> Parts) {
    let SignatureInputs { zero, key, message, r8, s } = *inputs;
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
    // And twice that.
    let doubled = doublings(trace, key, COFACTOR_DOUBLINGS + 1, zero);
    let [eight, sixteen] =
        [COFACTOR_DOUBLINGS, COFACTOR_DOUBLINGS + 1].map(|index| doubled.get(index).copied().unwrap_or(key));
    trace.label("key not of small order");
    nonzero(trace, eight.x);
    let parts = parts(challenge.output.value);
    let right = challenge_times(trace, (challenge.output, &parts), [eight, sixteen], zero);
    trace.label("signature equation");
    let minus_x = arithmetic::linear(trace, &[(-Fr::ONE, r8.x)], Fr::ZERO);
    let (left, scalar) =
        fixed_base(trace, PointVars { x: minus_x, y: r8.y }, &bits_of(&s, 2 * WINDOWS), zero);
    trace.link(left.x, right.x);
    trace.link(left.y, right.y);
    trace.label("scalar below the subgroup order");
    let order = to_circuit(rollup::Fr::from_bigint(SUBGROUP_ORDER).unwrap_or_default());
    let slack = arithmetic::linear(trace, &[(-Fr::ONE, scalar)], order - Fr::ONE);
    range::check(trace, slack, 2 * WINDOWS, zero);
}
