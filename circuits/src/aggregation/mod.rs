//! Many leaf proofs in one: the circuit that verifies them, its keys and its proofs.

mod circuit;
mod keys;
mod points;
mod prove;
mod scalars;
mod statement;
mod transcript;

pub use circuit::ACCUMULATOR_LIMBS;
pub use keys::{AggregationKeys, AggregationVerifier};
pub use prove::{ACCUMULATOR_BYTES, AggregateProof, prove_aggregate, verify_aggregate};
pub use statement::{ChainError, batches};

use crate::halo2::columns::GateSet;

/// Leaf proofs that an aggregation takes unless told otherwise: as many as 2^19 rows hold.
pub const DEFAULT_LEAVES: usize = 4;
/// Rows of the trace that the circuit takes, whatever it aggregates, at most.
const ROWS: usize = 19_200;
/// Rows of the trace that each leaf proof takes, at most.
const ROWS_PER_LEAF: usize = 18_400;
/// Rows at the end of the proof system's table that blind it, at most.
const BLINDING_ROWS: usize = 100;

/// Rows of the trace of an aggregation of `leaves` proofs, at most.
fn rows(leaves: usize) -> usize {
    ROWS + ROWS_PER_LEAF * leaves
}

/// The circuit that aggregates `leaves` proofs has `2^k` rows.
pub fn k(leaves: usize) -> u32 {
    (rows(leaves) * GateSet::RECURSION.fold + BLINDING_ROWS).next_power_of_two().ilog2()
}
