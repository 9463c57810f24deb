//! Proofs that the library takes and the contract or the aggregation circuit doesn't.

use halo2_proofs::{
    arithmetic::Field,
    circuit::{Layouter, SimpleFloorPlanner, Value},
    plonk::{Advice, Assigned, Column, ConstraintSystem, Error, Fixed, Instance},
    poly::Rotation,
};
use rand::{CryptoRng, RngCore};

use super::*;
use crate::{
    halo2::{KeyName, KeyStore},
    public_inputs::LEAF_PUBLIC_INPUTS,
    rollup::{
        self,
        evaluation::{Evaluations, Points},
    },
};

/// A column of zeros, of which the first ones are public: without blinding its commitment is at infinity.
#[derive(Clone)]
struct Zeros;

impl Circuit<Fr> for Zeros {
    type Config = (Column<Advice>, Column<Fixed>, Column<Instance>);
    type FloorPlanner = SimpleFloorPlanner;
    type Params = ();

    fn without_witnesses(&self) -> Self {
        self.clone()
    }

    fn configure(meta: &mut ConstraintSystem<Fr>) -> Self::Config {
        let config = (meta.advice_column(), meta.fixed_column(), meta.instance_column());
        let (advice, q_zero, instance) = config;
        meta.enable_equality(advice);
        meta.enable_equality(instance);
        meta.create_gate("zero", |meta| {
            let q_zero = meta.query_fixed(q_zero, Rotation::cur());
            [q_zero * meta.query_advice(advice, Rotation::cur())]
        });
        config
    }

    fn synthesize(
        &self,
        (advice, q_zero, instance): Self::Config,
        mut layouter: impl Layouter<Fr>,
    ) -> Result<(), Error> {
        let cells = layouter.assign_region(
            || "zeros",
            |mut region| {
                let cells = (0..LEAF_PUBLIC_INPUTS).map(|row| {
                    region.assign_fixed(q_zero, row, Assigned::Trivial(Fr::ONE));
                    region.assign_advice(advice, row, Value::known(Assigned::Trivial(Fr::ZERO))).cell()
                });
                Ok(cells.collect::<Vec<_>>())
            },
        )?;
        for (row, cell) in cells.into_iter().enumerate() {
            layouter.constrain_instance(cell, instance, row);
        }
        Ok(())
    }
}

/// Blinds with zeros.
#[derive(Clone, Copy)]
struct NoBlinding;

impl RngCore for NoBlinding {
    fn next_u32(&mut self) -> u32 {
        0
    }

    fn next_u64(&mut self) -> u64 {
        0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand::Error> {
        bytes.fill(0);
        Ok(())
    }
}

impl CryptoRng for NoBlinding {}

const INSTANCES: [Fr; LEAF_PUBLIC_INPUTS] = [Fr::ZERO; LEAF_PUBLIC_INPUTS];

fn keys(directory: &std::path::Path) -> std::sync::Arc<CircuitKeys> {
    let name = KeyName { circuit: "zeros".into(), class: "test".into(), k: 5 };
    KeyStore::open(directory).unwrap().circuit(&name, &Zeros).unwrap()
}

fn unblinded<E: EncodedChallenge<G1Affine>, T: TranscriptWriterBuffer<Vec<u8>, G1Affine, E>>(
    keys: &CircuitKeys,
) -> Vec<u8> {
    let mut transcript = T::init(Vec::new());
    create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
        keys.srs().params(),
        keys.proving_key(),
        &[Zeros],
        &[&[&INSTANCES]],
        NoBlinding,
        &mut transcript,
    )
    .unwrap();
    transcript.finalize()
}

fn statement() -> LeafPublicInputs {
    let zero = rollup::Fr::from(0);
    LeafPublicInputs {
        domain: zero,
        batch: zero,
        state_in: zero,
        state_out: zero,
        commit_in: zero,
        commit_out: zero,
        points: Points::default(),
        evaluations_in: Evaluations::default(),
        evaluations_out: Evaluations::default(),
    }
}

#[test]
fn leaf_proofs_with_points_at_infinity_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let keys = keys(directory.path());
    create_leaf_proof(&keys, Zeros, statement()).unwrap();

    let proof = unblinded::<_, ProofTranscript<Vec<u8>>>(&keys);
    let proof = LeafProof { public_inputs: statement(), proof };
    let error = verify_leaf_proof(&keys, &proof).unwrap_err();
    assert!(matches!(error, VerifyError::PointAtInfinity { position: 0 }), "{error}");
}

#[test]
fn keccak_proofs_are_taken_as_the_contract_takes_them() {
    let directory = tempfile::tempdir().unwrap();
    let keys = keys(directory.path());
    let verify = |proof: &[u8]| keys.verifier().verify_keccak_proof(&INSTANCES, proof);
    let proof = create::<_, _, KeccakTranscript<Vec<u8>>>(&keys, Zeros, &INSTANCES).unwrap();
    verify(&proof).unwrap();
    let longer = [proof.as_slice(), &[0]].concat();
    assert!(matches!(verify(&longer), Err(VerifyError::TrailingBytes(1))));
    assert!(matches!(verify(&proof[..proof.len() - 1]), Err(VerifyError::Invalid(_))));

    let crafted = unblinded::<_, KeccakTranscript<Vec<u8>>>(&keys);
    let mut bytes = crafted.as_slice();
    let mut transcript = KeccakTranscript::new(&mut bytes);
    keys.verifier().verify(&INSTANCES, &mut transcript).expect("the library takes it");
    assert!(matches!(verify(&crafted), Err(VerifyError::PointAtInfinity { position: 0 })));
    // Wherever the point is: word by word, zeros are a point at infinity, or break the proof.
    let mut found = Vec::new();
    for position in (0..proof.len() - 2 * COORDINATE_BYTES).step_by(COORDINATE_BYTES) {
        let mut changed = proof.clone();
        changed[position..position + 2 * COORDINATE_BYTES].fill(0);
        match verify(&changed).unwrap_err() {
            VerifyError::PointAtInfinity { position: at } => {
                assert_eq!(at, position);
                found.push(at);
            }
            error => assert!(matches!(error, VerifyError::Invalid(_)), "{error}"),
        }
    }
    assert!(found.len() > 3, "{found:?}");
}
