//! The contracts on L1 and what they need on this side: the verifier's generator, compiled artifacts, bindings, call
//! data, a batch's data as blobs, the deployment's transactions, and a chain in memory to run them on.

pub mod artifacts;
pub mod bindings;
pub mod blob;
pub mod calldata;
pub mod deployment;
pub mod evm;
pub mod generator;
