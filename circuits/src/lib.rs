//! What Tenon proves: the native rollup, the witness of a chunk and, behind the `halo2` feature, the
//! circuits, their keys and their proofs.

#[cfg(feature = "halo2")]
pub mod aggregation;
#[cfg(feature = "halo2")]
pub mod gadgets;
#[cfg(feature = "halo2")]
pub mod halo2;
#[cfg(feature = "halo2")]
mod key_set;
pub mod public_inputs;
pub mod rollup;
pub mod witness;

#[cfg(feature = "halo2")]
pub use key_set::KeySet;
