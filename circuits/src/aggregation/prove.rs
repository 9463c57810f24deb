//! Making and checking aggregate proofs.

use halo2_proofs::{
    arithmetic::CurveAffine,
    halo2curves::{
        bn256::{Bn256, Fq, Fr, G1Affine, G2Prepared},
        ff::PrimeField,
        group::{Group, prime::PrimeCurveAffine},
        pairing::{MillerLoopResult, MultiMillerLoop},
    },
};
use serde::{Deserialize, Serialize};
use snark_verifier::util::arithmetic::{fe_from_limbs, fe_to_limbs};

use super::{
    ACCUMULATOR_LIMBS, AggregationKeys, AggregationVerifier,
    circuit::{self, LIMB_BITS, LIMBS},
    statement,
};
use crate::{
    halo2::{
        LeafProof, ProveError, Srs, VerifyError,
        circuit::RecursionCircuit,
        prove::{COORDINATE_BYTES, KeccakTranscript, create, hex_bytes, verify_leaf_proof},
        to_circuit,
    },
    public_inputs::{BATCH_PLACES, BATCH_PUBLIC_INPUTS, BatchPublicInputs},
    rollup,
};

/// Bytes of the accumulator at the start of an aggregate proof: lhs.x, lhs.y, rhs.x, rhs.y.
pub const ACCUMULATOR_BYTES: usize = 4 * COORDINATE_BYTES;

/// A proof of one or more batches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregateProof {
    /// What the proof says, in order.
    pub batches: Vec<BatchPublicInputs>,
    /// The accumulator's coordinates, 32 bytes each, big endian, then the proof for the Keccak transcript.
    #[serde(with = "hex_bytes")]
    pub proof: Vec<u8>,
}

/// Two points left to check: `e(lhs, g2) = e(rhs, τ·g2)`.
#[derive(Clone, Copy, Debug)]
struct Accumulator {
    lhs: G1Affine,
    rhs: G1Affine,
}

impl Accumulator {
    fn from_bytes(bytes: &[u8; ACCUMULATOR_BYTES]) -> Result<Self, VerifyError> {
        let mut coordinates = [Fq::zero(); 4];
        for (coordinate, bytes) in coordinates.iter_mut().zip(bytes.chunks_exact(COORDINATE_BYTES)) {
            let mut repr = <Fq as PrimeField>::Repr::default();
            for (to, from) in repr.as_mut().iter_mut().zip(bytes.iter().rev()) {
                *to = *from;
            }
            *coordinate = Option::from(Fq::from_repr(repr))
                .ok_or(VerifyError::MalformedAccumulator("a coordinate is not below the field's order"))?;
        }
        Self::from_coordinates(coordinates)
    }

    fn from_limbs(limbs: &[Fr; ACCUMULATOR_LIMBS]) -> Result<Self, VerifyError> {
        let mut coordinates = [Fq::zero(); 4];
        for (coordinate, limbs) in coordinates.iter_mut().zip(limbs.as_chunks::<LIMBS>().0) {
            *coordinate = fe_from_limbs::<Fr, Fq, LIMBS, LIMB_BITS>(*limbs);
        }
        Self::from_coordinates(coordinates)
    }

    fn from_coordinates([lhs_x, lhs_y, rhs_x, rhs_y]: [Fq; 4]) -> Result<Self, VerifyError> {
        let point = |position, x, y| {
            let point = Option::<G1Affine>::from(G1Affine::from_xy(x, y))
                .ok_or(VerifyError::MalformedAccumulator("a point is not on the curve"))?;
            let finite = !bool::from(point.is_identity());
            if finite { Ok(point) } else { Err(VerifyError::PointAtInfinity { position }) }
        };
        Ok(Self { lhs: point(0, lhs_x, lhs_y)?, rhs: point(2 * COORDINATE_BYTES, rhs_x, rhs_y)? })
    }

    fn coordinates(&self) -> [Fq; 4] {
        [self.lhs.x, self.lhs.y, self.rhs.x, self.rhs.y]
    }

    fn to_bytes(self) -> Vec<u8> {
        self.coordinates()
            .iter()
            .flat_map(|coordinate| coordinate.to_repr().as_ref().iter().rev().copied().collect::<Vec<_>>())
            .collect()
    }

    fn to_limbs(self) -> impl Iterator<Item = Fr> {
        self.coordinates().into_iter().flat_map(fe_to_limbs::<Fq, Fr, LIMBS, LIMB_BITS>)
    }

    fn decide(&self, srs: &Srs) -> Result<(), VerifyError> {
        let params = srs.params();
        let [g2, minus_s_g2] = [params.g2(), -params.s_g2()].map(G2Prepared::from);
        let product = Bn256::multi_miller_loop(&[(&self.lhs, &g2), (&self.rhs, &minus_s_g2)]);
        if bool::from(product.final_exponentiation().is_identity()) {
            Ok(())
        } else {
            Err(VerifyError::Accumulator)
        }
    }
}

/// Aggregates 1 to [`AggregationKeys::leaves`] leaf proofs, in order, and verifies the result.
///
/// # Errors
/// When there are none or too many, when one isn't valid, or when they don't follow each other.
pub fn prove_aggregate(keys: &AggregationKeys, leaves: &[LeafProof]) -> Result<AggregateProof, ProveError> {
    if leaves.is_empty() || leaves.len() > keys.leaves() {
        return Err(ProveError::LeafCount { max: keys.leaves(), actual: leaves.len() });
    }
    for (index, leaf) in leaves.iter().enumerate() {
        verify_leaf_proof(keys.leaf(), leaf).map_err(|source| ProveError::Leaf { index, source })?;
    }
    let inputs = leaves.iter().map(|leaf| leaf.public_inputs).collect::<Vec<_>>();
    let batches = statement::batches(&inputs)?;

    let mut padded = leaves.iter().collect::<Vec<_>>();
    padded.resize(keys.leaves(), keys.padding());
    let circuit = circuit::build(keys.leaf_verifier(), &padded, leaves.len())
        .map_err(|error| ProveError::Recursion(format!("{error:?}")))?;
    let instances = circuit.instances.clone();
    let accumulator = instances
        .last_chunk::<ACCUMULATOR_LIMBS>()
        .ok_or_else(|| ProveError::Recursion("the circuit returns no accumulator".into()))?;
    let accumulator = Accumulator::from_limbs(accumulator).map_err(ProveError::Unsound)?;
    accumulator.decide(keys.circuit().srs()).map_err(ProveError::Unsound)?;

    let transcript = create::<_, _, KeccakTranscript<Vec<u8>>>(
        keys.circuit(),
        RecursionCircuit::new(circuit.trace),
        &instances,
    )?;
    let mut proof = accumulator.to_bytes();
    proof.extend(transcript);
    let proof = AggregateProof { batches, proof };
    verify_aggregate(keys.verifier(), &proof).map_err(ProveError::Unsound)?;
    Ok(proof)
}

/// Verifies a proof made by [`prove_aggregate`] under the same keys, as the contract does: everything,
/// pairings included.
///
/// # Errors
/// When the proof isn't valid, not exactly as long as it should be, or has a point at infinity.
pub fn verify_aggregate(verifier: &AggregationVerifier, proof: &AggregateProof) -> Result<(), VerifyError> {
    let max = verifier.leaves().min(BATCH_PLACES);
    if proof.batches.is_empty() || proof.batches.len() > max {
        return Err(VerifyError::BatchCount { max, actual: proof.batches.len() });
    }
    let zero = rollup::Fr::from(0);
    if let Some(index) =
        proof.batches.iter().position(|batch| batch.to_array() == [zero; BATCH_PUBLIC_INPUTS])
    {
        return Err(VerifyError::EmptyBatch { index });
    }
    let (accumulator, transcript) = proof
        .proof
        .split_first_chunk::<ACCUMULATOR_BYTES>()
        .ok_or(VerifyError::MalformedAccumulator("the proof is too short to hold it"))?;
    let accumulator = Accumulator::from_bytes(accumulator)?;

    let mut instances =
        proof.batches.iter().flat_map(|batch| batch.to_array().map(to_circuit)).collect::<Vec<_>>();
    instances.resize(BATCH_PLACES * BATCH_PUBLIC_INPUTS, Fr::zero());
    instances.extend(accumulator.to_limbs());
    verifier.circuit().verify_keccak_proof(&instances, transcript).map_err(|error| match error {
        VerifyError::PointAtInfinity { position } => {
            VerifyError::PointAtInfinity { position: ACCUMULATOR_BYTES + position }
        }
        error => error,
    })?;
    accumulator.decide(verifier.circuit().srs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aggregation::circuit::LeafVerifier,
        halo2::{
            KeyStore,
            leaf::{SizeClass, prove_leaf},
        },
        witness::ChunkWitness,
    };

    /// Runs the circuit's witness generation, which accepts any proof of the right shape: what it makes of
    /// an invalid one must not pass the pairing.
    #[test]
    fn accumulators_of_invalid_leaf_proofs_are_not_decided() {
        let directory = tempfile::tempdir().unwrap();
        let store = KeyStore::open(directory.path()).unwrap();
        let leaf = store.leaf(SizeClass::SMALL).unwrap();
        let verifier = LeafVerifier::new(leaf.circuit());
        let decided = |leaves: [&LeafProof; 2]| {
            let circuit = circuit::build(&verifier, &leaves, 1).unwrap();
            let accumulator = Accumulator::from_limbs(circuit.instances.last_chunk().unwrap()).unwrap();
            let again = accumulator.to_bytes().try_into().unwrap();
            assert_eq!(Accumulator::from_bytes(&again).unwrap().coordinates(), accumulator.coordinates());
            accumulator.decide(leaf.circuit().srs()).is_ok()
        };

        let valid = prove_leaf(&leaf, &ChunkWitness::empty(rollup::Fr::from(5), 1, 0)).unwrap();
        assert!(decided([&valid, &valid]));
        let mut evaluation = valid.clone();
        let position = evaluation.proof.len() - 3 * 32;
        evaluation.proof[position] ^= 1;
        let mut input = valid.clone();
        input.public_inputs.commit_out = rollup::Fr::from(1);
        for invalid in [&evaluation, &input] {
            assert!(!decided([invalid, &valid]));
            assert!(!decided([&valid, invalid]));
        }
    }

    #[test]
    fn accumulators_that_are_no_points_are_refused() {
        let point = |x: u8, y: u8| {
            let mut bytes = [0; ACCUMULATOR_BYTES];
            for (start, value) in [(0, x), (32, y), (64, 1), (96, 2)] {
                bytes[start + 31] = value;
            }
            bytes
        };
        Accumulator::from_bytes(&point(1, 2)).unwrap();
        for bytes in [point(1, 3), point(0, 1), point(2, 1)] {
            assert!(matches!(
                Accumulator::from_bytes(&bytes),
                Err(VerifyError::MalformedAccumulator("a point is not on the curve"))
            ));
        }
        let error = Accumulator::from_bytes(&point(0, 0)).unwrap_err();
        assert!(matches!(error, VerifyError::PointAtInfinity { position: 0 }), "{error}");
        let mut bytes = point(1, 2);
        bytes[64..].fill(0);
        let error = Accumulator::from_bytes(&bytes).unwrap_err();
        assert!(matches!(error, VerifyError::PointAtInfinity { position: 64 }), "{error}");
        // The same point with x increased by the field's order.
        let mut bytes = point(1, 2);
        let order = num_bigint::BigUint::from_bytes_le((-Fq::one()).to_repr().as_ref()) + 2u8;
        bytes[..32].copy_from_slice(&order.to_bytes_be());
        assert!(Accumulator::from_bytes(&bytes).is_err());
    }
}
