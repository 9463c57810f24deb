//! Making and checking proofs.

use std::io;

use halo2_proofs::{
    halo2curves::{
        bn256::{Bn256, Fr, G1Affine},
        group::prime::PrimeCurveAffine,
    },
    plonk::{self, Circuit, create_proof, verify_proof},
    poly::kzg::{
        commitment::KZGCommitmentScheme,
        multiopen::{ProverSHPLONK, VerifierSHPLONK},
        strategy::SingleStrategy,
    },
    transcript::{EncodedChallenge, Transcript, TranscriptRead, TranscriptWriterBuffer},
};
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use snark_verifier::{
    loader::native::NativeLoader,
    system::halo2::transcript::evm::{ChallengeEvm, EvmTranscript},
};

use super::{
    keys::{CircuitKeys, CircuitVerifier, KeyError, check_environment},
    to_circuit,
    transcript::ProofTranscript,
};
use crate::public_inputs::LeafPublicInputs;

/// Bytes of a coordinate of a point, and of a scalar.
pub(crate) const COORDINATE_BYTES: usize = 32;
const SCALAR_BYTES: usize = 32;
/// Transcript of proofs that a contract verifies.
pub(crate) type KeccakTranscript<S> = EvmTranscript<G1Affine, NativeLoader, S, Vec<u8>>;

/// A proof could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// Keys were missing or unfit.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A chunk has more transactions than the circuit holds.
    #[error("{actual} transactions in a chunk of at most {max}")]
    ChunkTooLarge {
        /// Transactions that the size class holds.
        max: usize,
        /// Transactions of the chunk.
        actual: usize,
    },
    /// The witness doesn't satisfy the circuit.
    #[error("the witness doesn't satisfy the circuit: {0}")]
    Witness(super::leaf::Violations),
    /// The proving library gave up.
    #[error("the proof could not be made: {0}")]
    Circuit(#[from] plonk::Error),
    /// The proof that was made doesn't verify: the witness breaks a constraint.
    #[error("the proof that was made doesn't verify, so the witness breaks a constraint: {0}")]
    Unsound(#[source] VerifyError),
    /// The aggregation takes another number of leaf proofs.
    #[error("{actual} leaf proofs for an aggregation of 1 to {max}")]
    LeafCount {
        /// Most leaf proofs that the keys allow.
        max: usize,
        /// Number of leaf proofs given.
        actual: usize,
    },
    /// A leaf proof is not valid.
    #[error("leaf proof {index} is not valid: {source}")]
    Leaf {
        /// Position of the proof, from 0.
        index: usize,
        /// Why it isn't valid.
        source: VerifyError,
    },
    /// Leaf proofs don't follow each other.
    #[error(transparent)]
    Chain(#[from] crate::aggregation::ChainError),
    /// A leaf proof can't be verified in the circuit.
    #[error("the aggregation circuit can't verify the leaf proofs: {0}")]
    Recursion(String),
}

/// A proof is not valid.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The environment would change the verification.
    #[error(transparent)]
    Key(Box<KeyError>),
    /// The proof doesn't verify with these public inputs and this key.
    #[error("the proof doesn't verify: {0}")]
    Invalid(#[from] plonk::Error),
    /// Bytes follow the proof.
    #[error("{0} bytes follow the proof")]
    TrailingBytes(usize),
    /// A point or a scalar isn't written as provers write it.
    #[error("byte {position} of the proof isn't that of the canonical form")]
    NotCanonical {
        /// Position of the byte, from 0.
        position: usize,
    },
    /// A point is at infinity, which neither the contract nor the aggregation circuit takes.
    #[error("the point at byte {position} of the proof is at infinity")]
    PointAtInfinity {
        /// Position of the point's first byte, from 0.
        position: usize,
    },
    /// The proof has another number of batches than the key has places.
    #[error("{actual} batches where 1 to {max} are possible")]
    BatchCount {
        /// Most batches that the keys allow.
        max: usize,
        /// Number of batches given.
        actual: usize,
    },
    /// A place that holds no batch is given as one.
    #[error("batch {index} is all zeros, as places without a batch are")]
    EmptyBatch {
        /// Position of the batch, from 0.
        index: usize,
    },
    /// The accumulator is not two points of the curve in canonical form.
    #[error("the accumulator is malformed: {0}")]
    MalformedAccumulator(&'static str),
    /// The accumulator's pairing equation doesn't hold, so a leaf proof isn't valid.
    #[error("the accumulator's pairing check fails: a leaf proof isn't valid")]
    Accumulator,
}

/// A proof of one chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafProof {
    /// What the proof says.
    pub public_inputs: LeafPublicInputs,
    /// The proof, for the Poseidon transcript.
    #[serde(with = "hex_bytes")]
    pub proof: Vec<u8>,
}

/// Proves `circuit`, whose public inputs must be `public_inputs`, and verifies the proof.
///
/// # Errors
/// When the witness doesn't satisfy the circuit with these public inputs.
pub fn create_leaf_proof<C: Circuit<Fr>>(
    keys: &CircuitKeys,
    circuit: C,
    public_inputs: LeafPublicInputs,
) -> Result<LeafProof, ProveError> {
    let instances = public_inputs.to_array().map(to_circuit);
    let proof = create::<_, _, ProofTranscript<Vec<u8>>>(keys, circuit, &instances)?;
    let proof = LeafProof { public_inputs, proof };
    verify_leaf_proof(keys, &proof).map_err(ProveError::Unsound)?;
    Ok(proof)
}

/// Verifies a proof made by [`create_leaf_proof`] under the same keys.
///
/// # Errors
/// As for [`CircuitVerifier::verify_leaf_proof`].
pub fn verify_leaf_proof(keys: &CircuitKeys, proof: &LeafProof) -> Result<(), VerifyError> {
    keys.verifier().verify_leaf_proof(proof)
}

impl CircuitVerifier {
    /// Verifies a proof made by [`create_leaf_proof`], so that the aggregation circuit verifies it too.
    ///
    /// # Errors
    /// When the proof isn't valid, not exactly as long as it should be, not in canonical form, or has a point at
    /// infinity.
    pub fn verify_leaf_proof(&self, proof: &LeafProof) -> Result<(), VerifyError> {
        let instances = proof.public_inputs.to_array().map(to_circuit);
        let mut bytes = proof.proof.as_slice();
        let mut transcript = ProofTranscript::new(&mut bytes);
        let verdict = self.verify(&instances, &mut transcript);
        if let Some(fault) = transcript.fault() {
            return Err(fault);
        }
        verdict?;
        check_consumed(bytes)
    }

    /// Verifies a proof for the Keccak transcript, up to what its public inputs leave to check.
    ///
    /// # Errors
    /// When the proof isn't valid, not exactly as long as it should be, or has a point at infinity.
    pub(crate) fn verify_keccak_proof(&self, instances: &[Fr], proof: &[u8]) -> Result<(), VerifyError> {
        let mut bytes = proof;
        let mut transcript = FinitePoints::new(KeccakTranscript::new(&mut bytes));
        let verdict = self.verify(instances, &mut transcript);
        if let Some(position) = transcript.at_infinity {
            return Err(VerifyError::PointAtInfinity { position });
        }
        verdict?;
        check_consumed(bytes)
    }

    /// Verifies the proof that `transcript` reads.
    fn verify<E, T>(&self, instances: &[Fr], transcript: &mut T) -> Result<(), VerifyError>
    where
        E: EncodedChallenge<G1Affine>,
        T: TranscriptRead<G1Affine, E>,
    {
        check_environment().map_err(|error| VerifyError::Key(Box::new(error)))?;
        let params = self.srs().params();
        verify_proof::<KZGCommitmentScheme<Bn256>, VerifierSHPLONK<'_, Bn256>, _, _, _>(
            params,
            self.verifying_key(),
            SingleStrategy::new(params),
            &[&[instances]],
            transcript,
        )?;
        Ok(())
    }
}

/// A transcript that ends at the first point at infinity, as the contract does: the library reads one like any other.
struct FinitePoints<S> {
    transcript: KeccakTranscript<S>,
    /// Bytes read so far.
    position: usize,
    /// Where the point at infinity is.
    at_infinity: Option<usize>,
}

impl<S> FinitePoints<S> {
    fn new(transcript: KeccakTranscript<S>) -> Self {
        Self { transcript, position: 0, at_infinity: None }
    }
}

impl<S> Transcript<G1Affine, ChallengeEvm<G1Affine>> for FinitePoints<S> {
    fn squeeze_challenge(&mut self) -> ChallengeEvm<G1Affine> {
        Transcript::squeeze_challenge(&mut self.transcript)
    }

    fn common_point(&mut self, point: G1Affine) -> io::Result<()> {
        self.transcript.common_point(point)
    }

    fn common_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        Transcript::common_scalar(&mut self.transcript, scalar)
    }
}

impl<S: io::Read> TranscriptRead<G1Affine, ChallengeEvm<G1Affine>> for FinitePoints<S> {
    fn read_point(&mut self) -> io::Result<G1Affine> {
        let point = self.transcript.read_point()?;
        if bool::from(point.is_identity()) {
            self.at_infinity = Some(self.position);
            return Err(io::Error::other("a point at infinity"));
        }
        self.position += 2 * COORDINATE_BYTES;
        Ok(point)
    }

    fn read_scalar(&mut self) -> io::Result<Fr> {
        let scalar = TranscriptRead::read_scalar(&mut self.transcript)?;
        self.position += SCALAR_BYTES;
        Ok(scalar)
    }
}

pub(crate) fn create<C, E, T>(keys: &CircuitKeys, circuit: C, instances: &[Fr]) -> Result<Vec<u8>, ProveError>
where
    C: Circuit<Fr>,
    E: EncodedChallenge<G1Affine>,
    T: TranscriptWriterBuffer<Vec<u8>, G1Affine, E>,
{
    check_environment()?;
    let mut transcript = T::init(Vec::new());
    create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
        keys.srs().params(),
        keys.proving_key(),
        &[circuit],
        &[&[instances]],
        OsRng,
        &mut transcript,
    )?;
    Ok(transcript.finalize())
}

/// Refuses bytes that a transcript has left.
fn check_consumed(rest: &[u8]) -> Result<(), VerifyError> {
    if rest.is_empty() { Ok(()) } else { Err(VerifyError::TrailingBytes(rest.len())) }
}

/// Proof bytes in JSON: hexadecimal with prefix `0x`.
pub(crate) mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("0x{}", hex::encode(bytes)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("expected the prefix 0x"))?;
        hex::decode(digits).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
