//! Many leaf proofs in one: the circuit that verifies them, its keys and its proofs.

mod circuit;
mod keys;
mod lazy_ecc;
mod prove;
mod statement;

pub use circuit::{ACCUMULATOR_LIMBS, AggregationLayout};
pub use keys::{AggregationKeys, AggregationVerifier};
pub use prove::{ACCUMULATOR_BYTES, AggregateProof, prove_aggregate, verify_aggregate};
pub use statement::{ChainError, batches};

/// Leaf proofs that an aggregation takes unless told otherwise.
pub const DEFAULT_LEAVES: usize = 2;
/// The aggregation circuit has `2^20` rows.
pub const K: u32 = 20;
