//! The checker, and what tests read from a trace and from its violations.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use std::collections::BTreeSet;
use std::sync::OnceLock;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use tenon_circuits::halo2::checker::{Checker, Violation};
use tenon_circuits::halo2::to_circuit;
use tenon_circuits::halo2::trace::Trace;
use tenon_circuits::witness::ChunkWitness;

/// The checker, built once.
pub fn checker() -> &'static Checker {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    CHECKER.get_or_init(Checker::new)
}

/// A small integer as a field element.
pub fn fr(value: u64) -> Fr {
    Fr::from(value)
}

/// The public inputs that a trace shows: what a prover would claim.
pub fn claims(trace: &Trace) -> Vec<Fr> {
    let mut claims = vec![Fr::ZERO; trace.public().len()];
    for (cell, index) in trace.public() {
        claims[*index] = trace.value(cell.row as usize, usize::from(cell.column));
    }
    claims
}

/// Public inputs of a witness.
pub fn public_inputs(witness: &ChunkWitness) -> Vec<Fr> {
    witness.public_inputs().to_array().map(to_circuit).to_vec()
}

/// The places that violations name: labels, or public inputs by number.
pub fn places(violations: &[Violation]) -> BTreeSet<String> {
    violations
        .iter()
        .map(|violation| match violation {
            Violation::Constraint { label, .. } | Violation::Copy { label, .. } => (*label).to_owned(),
            Violation::PublicInput { index, .. } => format!("public input {index}"),
            other => other.to_string(),
        })
        .collect()
}

/// The rows of a label, in order.
pub fn rows_of(trace: &Trace, label: &str) -> Vec<usize> {
    (0..trace.rows()).filter(|row| trace.label_of(*row) == label).collect()
}
