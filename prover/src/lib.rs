//! The Tenon prover service: takes batches of signed transactions over gRPC, executes them, proves
//! them and aggregates the proofs.

pub mod config;
pub mod engine;
