//! Sums of multiples of points by Straus' method: one chain of doublings for all points. Digits have 5 bits for points,
//! whose tables take sums, and 7 for constants, whose tables take two rows a multiple.

use std::collections::HashMap;
use std::sync::OnceLock;

use halo2_proofs::halo2curves::bn256::{Fq, Fr, G1, G1Affine};
use halo2_proofs::halo2curves::ff::{Field, PrimeField};
use halo2_proofs::halo2curves::group::Curve;
use num_bigint::BigUint;
use sha2::{Digest, Sha256};

use super::Point;
use super::blocks::{self, Addend, Full, Position, Running};
use crate::gadgets::arithmetic::power;
use crate::gadgets::foreign::to_integer;
use crate::halo2::trace::{Trace, Var};

/// Bits of a point's digits.
pub const WINDOW: usize = 5;
/// Bits of a constant's digits.
pub const CONSTANT_WINDOW: usize = 7;
/// Bits that digits must have together: 2^255 is more than 2r.
const SCALAR_BITS: usize = 255;

/// Number of digits of so many bits.
const fn digit_count(window: usize) -> usize {
    SCALAR_BITS.div_ceil(window)
}

/// The digits of a scalar, of `window` bits, lowest first: odd, below 2^window, given as magnitude and sign.
pub fn digits(scalar: Fr, window: usize) -> Vec<(u64, bool)> {
    let integer = to_integer(scalar);
    let mut rest = if integer.bit(0) { integer } else { integer + to_integer(-Fr::ONE) + 1_u8 };
    let half = 1_u64 << window;
    let mut digits = Vec::with_capacity(digit_count(window));
    for _ in 1..digit_count(window) {
        let low = rest.iter_u64_digits().next().unwrap_or(0) % (2 * half);
        // rest − (low − half), divided by 2^window, is odd again.
        rest = (rest + half - low) >> window;
        digits.push((low.abs_diff(half), low < half));
    }
    digits.push((rest.iter_u64_digits().next().unwrap_or(0), false));
    digits
}

/// A point whose logarithm nobody knows: the first x from a hash on that is one's.
fn offset() -> G1Affine {
    static OFFSET: OnceLock<G1Affine> = OnceLock::new();
    *OFFSET.get_or_init(|| {
        let seed = BigUint::from_bytes_be(&Sha256::digest(b"tenon.v1.msm.offset"));
        let words: Vec<u64> = seed.iter_u64_digits().collect();
        let mut x = words
            .iter()
            .rev()
            .fold(Fq::ZERO, |sum, word| sum * Fq::from(2).pow_vartime([64]) + Fq::from(*word));
        loop {
            if let Some(y) = Option::<Fq>::from((x.square() * x + Fq::from(3)).sqrt()) {
                return G1Affine { x, y: if bool::from(y.is_odd()) { -y } else { y } };
            }
            x += Fq::ONE;
        }
    })
}

/// A table of odd multiples and where its multiples are.
struct Table {
    number: u64,
    multiples: Vec<Position>,
}

/// The odd multiples of a point, each the one before plus twice the point.
fn variable_table(trace: &mut Trace, point: &Full) -> Table {
    let number = trace.new_table();
    trace.label("curve: twice the point");
    point.start(trace);
    let twice = blocks::double(trace, point);
    trace.label("curve: odd multiples");
    let mut position = point.position().start(trace);
    let mut multiples = vec![position.clone()];
    for _ in 1..1 << (WINDOW - 1) {
        position = blocks::add(trace, &position, Addend::Unit(&twice), None).0;
        multiples.push(position.clone());
    }
    trace.label("curve: table of multiples");
    let digits = (1..).step_by(2);
    let place = |(digit, multiple)| blocks::table_pair(trace, Fr::from(number), digit, multiple);
    let multiples = digits.zip(&multiples).map(place).collect();
    Table { number, multiples }
}

fn constant_table(trace: &mut Trace, point: &G1Affine) -> Table {
    let number = trace.new_table();
    trace.label("curve: table of a constant's multiples");
    let twice = G1::from(*point) + point;
    let multiples: Vec<G1> = std::iter::successors(Some(G1::from(*point)), |multiple| Some(multiple + twice))
        .take(1 << (CONSTANT_WINDOW - 1))
        .collect();
    let digits = (1..).step_by(2);
    let place = |(digit, multiple): (u64, &G1)| {
        let [placed, _] = blocks::constant_pair(trace, Fr::from(number), digit, multiple.to_affine());
        placed
    };
    let multiples = digits.zip(&multiples).map(place).collect();
    Table { number, multiples }
}

/// Where a prover departs from what it should do; honest ones claim nothing.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// Scalars whose digits are used instead, by term: those with variable points first, then those with constants.
    pub scalars: HashMap<usize, Fr>,
    /// Points that are added instead of a multiple, by term and position of the digit.
    pub addends: HashMap<(usize, usize), G1Affine>,
}

/// A scalar on its way through the chain.
struct Term {
    scalar: Var,
    window: usize,
    digits: Vec<(u64, bool)>,
    table: Table,
    so_far: Option<Var>,
}

impl Term {
    fn new(scalar: Var, window: usize, table: Table) -> Self {
        Self { scalar, window, digits: digits(scalar.value, window), table, so_far: None }
    }

    /// The digit that is added once the sum so far has still to be doubled so many times.
    fn index_at(&self, doublings: usize) -> Option<usize> {
        let index = doublings / self.window;
        (doublings.is_multiple_of(self.window) && index < self.digits.len()).then_some(index)
    }

    /// Adds the digit of this index, or what is claimed instead.
    fn add(
        &mut self,
        trace: &mut Trace,
        position: &Position,
        index: usize,
        claimed: Option<&G1Affine>,
    ) -> Position {
        let (digit, negative) = self.digits[index];
        let claimed = claimed.map(|point| Position::nowhere(if negative { -*point } else { *point }));
        let multiple = &self.table.multiples[digit as usize / 2];
        let multiple = claimed.as_ref().unwrap_or(multiple);
        let addend = Addend::Looked(self.table.number, multiple, digit, negative);
        let running = Running { before: self.so_far, factor: power(self.window as u64) };
        let (sum, so_far) = blocks::add(trace, position, addend, Some(running));
        self.so_far = Some(so_far);
        sum
    }
}

/// `Σ scalar · point + Σ scalar · constant + Σ unit`. A sum that is the identity gives a trace that the checker refuses;
/// constants must not be the identity.
pub fn msm(
    trace: &mut Trace,
    variable: &[(Var, Point)],
    fixed: &[(Var, G1Affine)],
    units: &[Point],
) -> Point {
    msm_claiming(trace, variable, fixed, units, &Claims::default())
}

/// [`msm`] by a prover with these claims.
pub fn msm_claiming(
    trace: &mut Trace,
    variable: &[(Var, Point)],
    fixed: &[(Var, G1Affine)],
    units: &[Point],
    claims: &Claims,
) -> Point {
    let mut terms = Vec::with_capacity(variable.len() + fixed.len());
    for (scalar, point) in variable {
        let table = variable_table(trace, &point.full);
        terms.push(Term::new(*scalar, WINDOW, table));
    }
    for (scalar, constant) in fixed {
        let table = constant_table(trace, constant);
        terms.push(Term::new(*scalar, CONSTANT_WINDOW, table));
    }
    for (term, scalar) in &claims.scalars {
        if let Some(term) = terms.get_mut(*term) {
            term.digits = digits(*scalar, term.window);
        }
    }

    trace.label("curve: offset");
    let doublings = terms.iter().map(|term| (term.digits.len() - 1) * term.window).max().unwrap_or(0);
    let removed = G1::from(-offset()) * Fr::from(2).pow_vartime([doublings as u64]);
    let [removed, _] = blocks::constant_pair(trace, Fr::ZERO, 0, removed.to_affine());
    let [start, _] = blocks::constant_pair(trace, Fr::ZERO, 0, offset());
    let mut position = start.start(trace);
    for left in (0..=doublings).rev() {
        trace.label("curve: multiples added");
        for (number, term) in terms.iter_mut().enumerate() {
            if let Some(index) = term.index_at(left) {
                position = term.add(trace, &position, index, claims.addends.get(&(number, index)));
            }
        }
        if left > 0 {
            trace.label("curve: sum reduced");
            let full = blocks::normalize(trace, &position);
            trace.label("curve: sum doubled");
            position = blocks::double(trace, &full);
        }
    }
    for term in &terms {
        if let Some(so_far) = term.so_far {
            trace.link(so_far, term.scalar);
        }
    }
    trace.label("curve: units added");
    for unit in units {
        position = blocks::add(trace, &position, Addend::Unit(&unit.full.position()), None).0;
    }
    trace.label("curve: offset removed");
    position = blocks::add(trace, &position, Addend::Unit(&removed), None).0;
    trace.label("curve: sum reduced");
    let full = blocks::normalize(trace, &position);
    trace.label("curve: below p");
    blocks::canonical(trace, &full);
    Point { full }
}
