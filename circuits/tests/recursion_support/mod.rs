//! Traces of the gates that verify proofs, and what of them is refused.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use std::sync::OnceLock;

use halo2_proofs::halo2curves::bn256::{Fr, G1, G1Affine};
use halo2_proofs::halo2curves::ff::Field;
use halo2_proofs::halo2curves::group::{Curve, Group};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use tenon_circuits::gadgets::arithmetic::{constant, free};
use tenon_circuits::gadgets::curve::{Claims, Point, assign_point, msm_claiming};
use tenon_circuits::halo2::checker::{Checker, Violation};
use tenon_circuits::halo2::columns::GateSet;
use tenon_circuits::halo2::trace::{Trace, Var};

/// Traces have at most 2^ROWS rows.
pub const ROWS: u32 = 16;

/// The checker, built once.
pub fn checker() -> &'static Checker {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    CHECKER.get_or_init(|| Checker::of(&GateSet::RECURSION))
}

/// Everything that a trace without public inputs violates.
pub fn violations(trace: &Trace) -> Vec<Violation> {
    checker().check(trace, ROWS, &[], usize::MAX)
}

/// Seeded randomness.
pub fn random(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A random point.
pub fn random_point(random: &mut ChaCha20Rng) -> G1Affine {
    G1::random(random).to_affine()
}

/// A trace that starts with a cell of 0.
pub fn start() -> (Trace, Var) {
    let mut trace = Trace::new();
    trace.label("constants");
    let zero = constant(&mut trace, Fr::ZERO);
    (trace, zero)
}

/// The terms of a sum: scalars with points, scalars with constants, points.
#[derive(Clone, Default)]
pub struct Terms {
    pub variable: Vec<(Fr, G1Affine)>,
    pub fixed: Vec<(Fr, G1Affine)>,
    pub units: Vec<G1Affine>,
}

impl Terms {
    /// The sum.
    pub fn sum(&self) -> G1Affine {
        let multiples =
            self.variable.iter().chain(&self.fixed).map(|(scalar, point)| G1::from(*point) * scalar);
        multiples.chain(self.units.iter().map(|point| G1::from(*point))).sum::<G1>().to_affine()
    }

    /// The trace of the sum, and the point that it shows.
    pub fn trace(&self) -> (Trace, Point, Var) {
        self.trace_claiming(&Claims::default())
    }

    /// [`Self::trace`] by a prover with these claims.
    pub fn trace_claiming(&self, claims: &Claims) -> (Trace, Point, Var) {
        let (mut trace, zero) = start();
        let scalar = |trace: &mut Trace, value: Fr| {
            trace.label("scalars");
            free(trace, value)
        };
        let mut variable = Vec::new();
        for (value, point) in &self.variable {
            let scalar = scalar(&mut trace, *value);
            variable.push((scalar, assign_point(&mut trace, point)));
        }
        let fixed: Vec<_> =
            self.fixed.iter().map(|(value, point)| (scalar(&mut trace, *value), *point)).collect();
        let units: Vec<_> = self.units.iter().map(|point| assign_point(&mut trace, point)).collect();
        let sum = msm_claiming(&mut trace, &variable, &fixed, &units, claims);
        (trace, sum, zero)
    }
}

/// The rows of a label, in order.
pub fn rows_of(trace: &Trace, label: &str) -> Vec<usize> {
    (0..trace.rows()).filter(|row| trace.label_of(*row) == label).collect()
}

/// What violations are and where, each kind once.
pub fn kinds(violations: &[Violation]) -> std::collections::BTreeSet<String> {
    let kind = |violation: &Violation| match violation {
        Violation::Constraint { gate, constraint, label, .. } => format!("{label}: {gate:?}, {constraint}"),
        Violation::Copy { label, .. } => format!("{label}: copy"),
        Violation::Chunk { label, .. } => format!("{label}: chunk"),
        Violation::Multiple { label, .. } => format!("{label}: multiple"),
        other => other.to_string(),
    };
    violations.iter().map(kind).collect()
}
