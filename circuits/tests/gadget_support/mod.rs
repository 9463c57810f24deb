//! Gadgets alone: traces that hold nothing else, and what of them is refused.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

#[path = "../checker_support/mod.rs"]
mod checker_support;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use tenon_circuits::gadgets::arithmetic::constant;
use tenon_circuits::halo2::checker::Violation;
use tenon_circuits::halo2::trace::{ADVICE_COLUMNS, CONSTANT_COLUMNS, Trace, Var};

#[allow(unused_imports, reason = "each test binary uses its own part of this module")]
pub use checker_support::{checker, claims, fr, places, public_inputs, rows_of};
/// A cell that can hold anything.
#[allow(unused_imports, reason = "each test binary uses its own part of this module")]
pub use tenon_circuits::gadgets::arithmetic::free as witness;

/// Traces have at most 2^ROWS rows.
pub const ROWS: u32 = 14;

/// A trace that starts with a cell of 0 and one of 1.
pub fn start() -> (Trace, Var, Var) {
    let mut trace = Trace::new();
    trace.label("constants");
    let zero = constant(&mut trace, Fr::ZERO);
    let one = constant(&mut trace, Fr::ONE);
    (trace, zero, one)
}

/// Everything that a trace without public inputs violates.
pub fn violations(trace: &Trace) -> Vec<Violation> {
    checker().check(trace, ROWS, &[], usize::MAX)
}

/// Labels of what a trace without public inputs violates.
pub fn refusals(trace: &Trace) -> Vec<String> {
    places(&violations(trace)).into_iter().collect()
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
