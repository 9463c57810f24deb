//! Gadgets alone: traces that hold nothing else, and what of them is refused.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use std::collections::BTreeSet;
use std::sync::OnceLock;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use tenon_circuits::gadgets::arithmetic::{Operand, constant, equation};
use tenon_circuits::halo2::checker::{Checker, Violation};
use tenon_circuits::halo2::trace::{ADVICE_COLUMNS, CONSTANT_COLUMNS, Trace, Var};

/// Traces have at most 2^ROWS rows.
pub const ROWS: u32 = 14;

/// The checker, built once.
pub fn checker() -> &'static Checker {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    CHECKER.get_or_init(Checker::new)
}

/// A small integer as a field element.
pub fn fr(value: u64) -> Fr {
    Fr::from(value)
}

/// A trace that starts with a cell of 0 and one of 1.
pub fn start() -> (Trace, Var, Var) {
    let mut trace = Trace::new();
    trace.label("constants");
    let zero = constant(&mut trace, Fr::ZERO);
    let one = constant(&mut trace, Fr::ONE);
    (trace, zero, one)
}

/// A cell that can hold anything.
pub fn witness(trace: &mut Trace, value: Fr) -> Var {
    equation(trace, &[(Fr::ZERO, Operand::New(value))], None, Fr::ZERO)[0]
}

/// Everything that a trace without public inputs violates.
pub fn violations(trace: &Trace) -> Vec<Violation> {
    checker().check(trace, ROWS, &[], usize::MAX)
}

/// Labels of what a trace violates, or public inputs by number.
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

/// Labels of what a trace without public inputs violates.
pub fn refusals(trace: &Trace) -> Vec<String> {
    places(&violations(trace)).into_iter().collect()
}

/// The rows of a label, in order.
pub fn rows_of(trace: &Trace, label: &str) -> Vec<usize> {
    (0..trace.rows()).filter(|row| trace.label_of(*row) == label).collect()
}

/// Puts the values of another trace's rows, of the same gates and constants, in place of a trace's.
pub fn overlay(trace: &mut Trace, to: usize, source: &Trace, rows: std::ops::Range<usize>) {
    for (to, from) in (to..).zip(rows) {
        assert_eq!(trace.gate(to), source.gate(from));
        for column in 0..CONSTANT_COLUMNS {
            assert_eq!(trace.constant(to, column), source.constant(from, column));
        }
        for column in 0..ADVICE_COLUMNS {
            assert_eq!(trace.is_assigned(to, column), source.is_assigned(from, column));
            trace.forge(to, column, source.value(from, column));
        }
    }
}
