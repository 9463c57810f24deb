//! The verifier contracts: their generator, compiled artifacts, bindings and call data.

pub mod bindings;
pub mod evm;
pub mod generator;
