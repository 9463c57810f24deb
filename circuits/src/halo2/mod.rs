//! Keys, proofs and what they need, on the halo2 proof system over BN254 with KZG commitments.

pub mod checker;
pub mod circuit;
pub mod columns;
pub mod fingerprint;
mod fixed_base;
pub mod keys;
pub mod leaf;
pub mod prove;
pub mod ptau;
pub(crate) mod sealed;
pub mod srs;
pub mod trace;
pub(crate) mod transcript;

use ark_ff::PrimeField as _;
use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField as _};

pub use keys::{
    CircuitKeys, CircuitVerifier, Content, KeyError, KeyInfo, KeyName, KeyStore, StoredFile, needed_files,
    needed_to_verify, stored_files,
};
pub use prove::{LeafProof, ProveError, VerifyError};
pub use ptau::PtauError;
pub use sealed::SealedFileError;
pub use srs::{Srs, SrsSource};

use crate::rollup;

/// The same field element in the proving library's form.
pub fn to_circuit(value: rollup::Fr) -> Fr {
    Fr::from_raw(value.into_bigint().0)
}

/// The same field element in the native rollup's form.
pub fn to_native(value: Fr) -> rollup::Fr {
    rollup::Fr::from_le_bytes_mod_order(value.to_repr().as_ref())
}
