//! Many leaf proofs in one: the circuit that verifies them and what its proof says.

mod statement;

pub use statement::ChainError;
