//! From the final circuit's verifying key to its verifier contract.
//!
//! The contract's code depends on the constraint system alone: the numbers of columns and of batch places. Everything
//! else (circuit size, fixed columns, permutation, set-up) is the verifying key, which is the code of a contract of
//! its own. So a new set-up or circuit size gives new data for the same code.

mod data;
mod expression;
mod shape;
mod source;

use halo2_proofs::{
    halo2curves::bn256::{Bn256, Fr, G1Affine},
    plonk::{ConstraintSystem, VerifyingKey},
    poly::{commitment::Params, kzg::commitment::ParamsKZG},
};
use thiserror::Error;

pub use data::VERIFYING_KEY_STOP_BYTE;
pub use shape::{ACCUMULATOR_LIMBS, Shape, VALUES_PER_BATCH};

/// A verifier contract's source and one verifying key for it.
#[derive(Clone, Debug)]
pub struct GeneratedVerifier {
    /// The constraint system, as counts.
    pub shape: Shape,
    /// The contract `Verifier`, which imports `../interfaces/IVerifier.sol`.
    pub solidity: String,
    /// The verifying key: the runtime code of the contract that holds it.
    pub verifying_key: Vec<u8>,
}

/// Where a verifying key's set-up comes from. Verifiers of development keys can be deployed on local chains only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrsOrigin {
    /// Made with a known secret: whoever knows it can prove anything.
    Development,
    /// Imported from a ceremony.
    Imported,
}

/// Why a verifier can't be generated.
#[derive(Debug, Error)]
pub enum GeneratorError {
    /// The key and the set-up are of different sizes.
    #[error("the verifying key is for k = {key}, the set-up for k = {params}")]
    SizeMismatch {
        /// The verifying key's k.
        key: u32,
        /// The set-up's k.
        params: u32,
    },
    /// The number of batch places is zero or too large to be meant.
    #[error("the number of batch places is {actual}, it has to be 1 to {maximum}")]
    BatchPlaces {
        /// The largest supported number.
        maximum: usize,
        /// What was asked for.
        actual: usize,
    },
    /// The set-up's first point isn't the curve's generator.
    #[error("the set-up's first point isn't the generator of G1")]
    Generator,
    /// The constraint system isn't of the supported shape.
    #[error("unsupported constraint system: {what}: expected {expected}, found {actual}")]
    Unsupported {
        /// The part that differs.
        what: &'static str,
        /// What the generator supports.
        expected: String,
        /// What the constraint system has.
        actual: String,
    },
}

/// The source of the verifier contract for a constraint system without virtual selectors, and its shape.
///
/// # Errors
/// As for [`generate`].
pub fn source(cs: &ConstraintSystem<Fr>, batch_places: usize) -> Result<(String, Shape), GeneratorError> {
    Ok(source::render(&shape::System::of(cs, batch_places)?))
}

/// Generates the verifier contract and the verifying key for a circuit of one phase with one instance column, of
/// [`VALUES_PER_BATCH`] values for each of `batch_places` batches and the twelve limbs of the accumulator.
///
/// # Errors
/// When the constraint system isn't of that kind, or key, set-up and number of places don't fit together.
pub fn generate(
    vk: &VerifyingKey<G1Affine>,
    params: &ParamsKZG<Bn256>,
    origin: SrsOrigin,
    batch_places: usize,
) -> Result<GeneratedVerifier, GeneratorError> {
    let key = vk.get_domain().k();
    if key != params.k() {
        return Err(GeneratorError::SizeMismatch { key, params: params.k() });
    }
    let system = shape::System::of(vk.cs(), batch_places)?;
    let (solidity, shape) = source::render(&system);
    let verifying_key = data::verifying_key(&system, &shape, vk, params, origin)?;
    Ok(GeneratedVerifier { shape, solidity, verifying_key })
}
