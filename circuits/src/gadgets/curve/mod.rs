//! Points of BN254's G1, `y² = x³ + 3` modulo p, and sums of their multiples, in a circuit over the group's order r.
//! Coordinates are elements of [`super::foreign`]; equations modulo p below are its relations.
//!
//! A *point row* holds a point as six limbs of x and the three residues of an integer that is y modulo p. That integer
//! is never reduced in a chain of sums: with the slope λ of the line through A and P,
//!
//! ```text
//! λ (Px − Ax) = Py − Ay      Rx = λ² − Ax − Px      Ry = λ (Px − Rx) − Py
//! ```
//!
//! y enters the equations linearly only, so the third one isn't an equation modulo p but the definition of the integer
//! Ry, of at most three products since P isn't the result of a chain. A sum takes two relations instead of three.
//! A doubling multiplies by y, which [`blocks::normalize`] reduces first.
//!
//! ```text
//! columns   0      1 .. 6     7 .. 9       chunks, in order
//! −1               limbs A    residues A
//!  0        digit  limbs P    residues P   λ (17)  Rx (17)  quotients (18, 17)  carries (8, 8)
//!  1        s      s'  d²  1/…                                       CurveAdd, 17 rows
//! 16               limbs R    residues R
//! −2               limbs y                                           CurveDouble, the same chunks; A is in
//! −1               limbs x    residues                               rows −2 and −1
//!  7               limbs y                 y (17)  quotient (18)  carries (8)
//!  8        x      limbs x    residues                               CurveNormalize, 9 rows
//!  5               limbs y                 x (17)  y (17)
//!  6        x      limbs x    residues                               CurveCoordinates, 7 rows
//!  0               limbs y                 x² (17)  quotients (17, 17)  carries (8, 8)
//!  1               limbs x                                           CurveEquation, 14 rows
//!  0               limbs y                 p − 1 − x (17)  p − 1 − y (17)
//!  1               limbs x                                           CurveCanonical, 7 rows: with borrows between
//!  2        βx βy                                                    halves, as integers
//!  0        m      limbs P    residues P                             CurveTable, CurveConstant, 2 rows: a place
//!  1        −m     limbs P    −residues P                            and its opposite
//! ```
//!
//! **Exceptions.** The formulas are wrong for `P = ±A`: with equal points a prover could choose λ. A sum therefore
//! constrains the points' first coordinates to differ: elements are below 2^255, so equal ones modulo p differ by k·p
//! with |k| ≤ 2, and `d (d² − p²) (d² − 4p²)` has an inverse for their difference d modulo r. No sum is the identity,
//! then, and no point has y = 0 or an order other than r (the group's order is prime), so that a doubling, and the odd
//! multiples up to 2^7 of a point, have no exception. Honest provers meet none either: a chain starts at a constant
//! point of unknown logarithm ([`msm`]), and whoever finds points that collide with its multiples finds a relation
//! between it and the points. A sum that is the identity can't be proven.
//!
//! **Scalars.** They are field elements of the circuit, whose order is the group's. A scalar is written as
//! `Σ d_j 2^(w j)` modulo r with odd digits of magnitude below 2^w, found in a table of the point's odd multiples by a
//! lookup that names the table's number, the digit, and the point's nine cells. Every element has such digits (an odd
//! one its own, an even one those of itself plus r), and whichever a prover chooses, the multiple is the same; so neither
//! the ranges nor the choice need a proof. There is no identity among the multiples.
//!
//! **Why no endomorphism.** Half scalars would halve the 252 doublings of a sum, which saves 19,000 cells, and cost a
//! second table a point, of β·x, for each of whose 16 multiples a product is reduced: 1,000 cells a point, and 1,300 a
//! constant. Nothing is saved from some eight of each on, and no decomposition has to be proven.
//!
//! The caller guarantees that constants aren't the identity. The gadget guarantees that assigned points are on the curve with coordinates below p
//! ([`assign_point`]), so that a point has one encoding. Coordinates modulo r, which transcripts absorb, are not unique
//! where one is below p − r < 2^128; two points that agree in both modulo r would have to satisfy both equations, which
//! a handful of points do.

pub mod blocks;
pub mod gates;
pub mod layout;
mod msm;

use halo2_proofs::halo2curves::bn256::{Fr, G1Affine};
use num_bigint::BigUint;

use super::arithmetic::{Operand, equation, power};
use super::foreign::{LIMB_BITS, LIMBS, to_field, to_integer};
use super::range;
use crate::halo2::trace::{Trace, Var};
use blocks::Full;

pub use msm::{CONSTANT_WINDOW, Claims, WINDOW, digits, msm, msm_claiming};

/// Bits of a public limb, three of which make a coordinate.
pub const PUBLIC_LIMB_BITS: u64 = 88;

/// A point of the curve, not the identity, with coordinates below p.
#[derive(Clone)]
pub struct Point {
    full: Full,
}

impl Point {
    /// The point.
    pub fn value(&self) -> G1Affine {
        self.full.point
    }

    /// The point for [`blocks`].
    pub fn position(&self) -> blocks::Position {
        self.full.position()
    }

    /// The first coordinate modulo r.
    pub fn native_x(&self) -> Var {
        self.full.native_x
    }

    /// The second coordinate modulo r.
    pub fn native_y(&self) -> Var {
        self.full.residues[0]
    }

    /// Three limbs of 88 bits of each coordinate, lowest first. `zero` is a cell constrained to 0.
    pub fn limbs(&self, trace: &mut Trace, zero: Var) -> [[Var; 3]; 2] {
        trace.label("curve: public limbs");
        let coordinates = [(&self.full.x, self.full.point.x), (&self.full.y, self.full.point.y)];
        coordinates.map(|(limbs, value)| public_limbs(trace, limbs, &to_integer(value), zero))
    }
}

/// With limbs of 88 bits `v` and of 45 bits `l`, of integers below r:
/// `v0 + 2^88 v1 + 2^176 c = l0 + 2^45 l1 + 2^90 l2 + 2^135 l3` and `v2 = c + 2^4 l4 + 2^49 l5`; that c has 4 bits
/// follows, since both sides are below 2^180.
fn public_limbs(trace: &mut Trace, limbs: &[Var; LIMBS], value: &BigUint, zero: Var) -> [Var; 3] {
    let part = |from: u64, bits: u64| to_field(&((value >> from) & ((BigUint::from(1_u8) << bits) - 1_u8)));
    let low_bits = 4 * LIMB_BITS;
    let rest = low_bits - 2 * PUBLIC_LIMB_BITS;
    let [l0, l1, l2, l3, l4, l5] = *limbs;
    let one = Fr::from(1);
    let joined = |bits| to_field(&(BigUint::from(1_u8) << bits));
    let pair = super::arithmetic::linear(trace, &[(one, l0), (joined(LIMB_BITS), l1)], Fr::from(0));
    let terms = [
        (one, Operand::New(part(0, PUBLIC_LIMB_BITS))),
        (power(PUBLIC_LIMB_BITS), Operand::New(part(PUBLIC_LIMB_BITS, PUBLIC_LIMB_BITS))),
        (power(2 * PUBLIC_LIMB_BITS), Operand::New(part(2 * PUBLIC_LIMB_BITS, rest))),
        (-one, pair.into()),
        (-power(2 * LIMB_BITS), l2.into()),
        (-power(3 * LIMB_BITS), l3.into()),
    ];
    let cells = equation(trace, &terms, None, Fr::from(0));
    let (v0, v1, carry) = (cells[0], cells[1], cells[2]);
    for limb in [v0, v1] {
        range::check(trace, limb, PUBLIC_LIMB_BITS as usize, zero);
    }
    range::check(trace, carry, rest as usize, zero);
    let terms = [(one, carry), (power(rest), l4), (power(rest + LIMB_BITS), l5)];
    let v2 = super::arithmetic::linear(trace, &terms, Fr::from(0));
    [v0, v1, v2]
}

/// A new point. The identity, and what isn't on the curve, gives a trace that the checker refuses.
pub fn assign_point(trace: &mut Trace, point: &G1Affine) -> Point {
    trace.label("curve: coordinates");
    let full = blocks::coordinates(trace, *point);
    trace.label("curve: equation");
    blocks::equation(trace, &full);
    trace.label("curve: below p");
    blocks::canonical(trace, &full);
    Point { full }
}
