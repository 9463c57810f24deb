//! Forged chunks through the real prover: what the checker refuses, no proof verifies.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;
mod soundness_support;

use ark_ff::BigInteger;
use halo2_proofs::halo2curves::bn256::Fr;
use native_support::genesis;
use soundness_support::{CLASS, Forger, Pay, claims, fr, trace_of, violations};
use tenon_circuits::halo2::leaf::values::ChunkValues;
use tenon_circuits::halo2::leaf::{LeafCircuit, LeafKeys};
use tenon_circuits::halo2::prove::{create_leaf_proof, verify_leaf_proof};
use tenon_circuits::halo2::trace::Trace;
use tenon_circuits::halo2::{KeyStore, ProveError, to_native};
use tenon_circuits::public_inputs::LeafPublicInputs;
use tenon_circuits::rollup::babyjubjub::SUBGROUP_ORDER;

fn statement(claims: &[Fr]) -> LeafPublicInputs {
    let claims: [Fr; 6] = claims.try_into().unwrap();
    LeafPublicInputs::from_array(claims.map(to_native))
}

fn payment(pay: Pay) -> ChunkValues {
    let mut forger = Forger::new(&genesis());
    forger.pay(pay);
    forger.close()
}

/// Chunks that the checker refuses, with what they attack.
fn forgeries() -> Vec<(&'static str, Trace)> {
    let overdraft = payment(Pay::new(2, 1, 1, 0));
    let wrong_signer = payment(Pay { signer: 2, ..Pay::new(0, 1, 500, 10) });
    let mut malleable = payment(Pay::new(0, 1, 500, 10));
    let mut s = ark_ff::BigInt::<4>::default();
    for (limb, bytes) in s.0.iter_mut().zip(malleable.transfers[0].s.chunks_exact(8)) {
        *limb = u64::from_le_bytes(bytes.try_into().unwrap());
    }
    s.add_with_carry(&SUBGROUP_ORDER);
    malleable.transfers[0].s.copy_from_slice(&s.to_bytes_le());
    let mut twice = Forger::new(&genesis());
    twice.pay(Pay::new(0, 1, 500, 10));
    twice.credit(0, 3, fr(20));
    let path = "an index above 32 bits";
    vec![
        ("an overdraft by field wrap", trace_of(&overdraft)),
        ("a payment signed by another key", trace_of(&wrong_signer)),
        ("the scalar plus the subgroup order", trace_of(&malleable)),
        ("a fee credited twice", trace_of(&twice.chunk)),
        (path, trace_of(&payment(Pay { to: 1 + (1 << 32), ..Pay::new(0, 1, 500, 10) }))),
    ]
}

#[test]
fn forged_chunks_get_no_proof() {
    let directory = tempfile::tempdir().unwrap();
    let store = KeyStore::open(directory.path()).unwrap();
    let keys = LeafKeys::load_or_create(&store, CLASS).unwrap();

    let honest = trace_of(&payment(Pay::new(0, 1, 500, 10)));
    let stated = statement(&claims(&honest));
    let proof = create_leaf_proof(keys.circuit(), LeafCircuit::from_trace(CLASS, honest), stated).unwrap();
    verify_leaf_proof(keys.circuit(), &proof).unwrap();
    for index in 0..6 {
        let mut values = proof.public_inputs.to_array();
        values[index] += ark_bn254::Fr::from(1u64);
        let mut other = proof.clone();
        other.public_inputs = LeafPublicInputs::from_array(values);
        assert!(verify_leaf_proof(keys.circuit(), &other).is_err(), "public input {index}");
    }

    for (attack, trace) in forgeries() {
        let claimed = claims(&trace);
        assert!(!violations(&trace, &claimed).is_empty(), "{attack}");
        let circuit = LeafCircuit::from_trace(CLASS, trace);
        let refused = create_leaf_proof(keys.circuit(), circuit, statement(&claimed));
        assert!(
            matches!(refused, Err(ProveError::Unsound(_) | ProveError::Circuit(_))),
            "{attack}: {:?}",
            refused.map(|_| "a proof")
        );
    }
}
