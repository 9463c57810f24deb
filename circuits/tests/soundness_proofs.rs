//! Forged chunks through the real prover: what the checker refuses, no proof verifies.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod native_support;
mod soundness_support;

use ark_ff::{BigInteger, PrimeField};
use halo2_proofs::halo2curves::bn256::Fr;
use native_support::genesis;
use soundness_support::{CLASS, Forger, Pay, claims, fr, trace_of, violations};
use tenon_circuits::halo2::leaf::state::StateValues;
use tenon_circuits::halo2::leaf::values::ChunkValues;
use tenon_circuits::halo2::leaf::{LeafCircuit, LeafKeys, chunk};
use tenon_circuits::halo2::prove::{create_leaf_proof, verify_leaf_proof};
use tenon_circuits::halo2::trace::Trace;
use tenon_circuits::halo2::{KeyStore, LeafProof, ProveError, to_native};
use tenon_circuits::public_inputs::{LEAF_PUBLIC_INPUTS, LeafPublicInputs};
use tenon_circuits::rollup;
use tenon_circuits::rollup::babyjubjub::SUBGROUP_ORDER;
use tenon_circuits::rollup::evaluation::{DaScalar, Evaluations, Points};

/// Public inputs in the order of the circuit's instance column.
fn statement(claims: &[Fr]) -> LeafPublicInputs {
    let claims: [rollup::Fr; LEAF_PUBLIC_INPUTS] =
        claims.iter().map(|claim| to_native(*claim)).collect::<Vec<_>>().try_into().unwrap();
    let [domain, batch, state_in, state_out, commit_in, commit_out, rest @ ..] = claims;
    let [z_d, low_in, high_in, low_out, high_out, z_l, y_l_in, y_l_out] = rest;
    let limb = |value: rollup::Fr| {
        let [low, high, 0, 0] = value.into_bigint().0 else { panic!("{value} has more than 128 bits") };
        u128::from(low) | u128::from(high) << 64
    };
    let shift = DaScalar::from(u128::MAX) + DaScalar::from(1);
    let y_d = |low, high| DaScalar::from(limb(low)) + DaScalar::from(limb(high)) * shift;
    let statement = LeafPublicInputs {
        domain,
        batch,
        state_in,
        state_out,
        commit_in,
        commit_out,
        points: Points { z_d: limb(z_d), z_l: limb(z_l) },
        evaluations_in: Evaluations { y_d: y_d(low_in, high_in), y_l: y_l_in },
        evaluations_out: Evaluations { y_d: y_d(low_out, high_out), y_l: y_l_out },
    };
    assert_eq!(statement.to_array(), claims, "an evaluation isn't in canonical form");
    statement
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
    for (limb, bytes) in s.0.iter_mut().zip(malleable.slots[0].s.chunks_exact(8)) {
        *limb = u64::from_le_bytes(bytes.try_into().unwrap());
    }
    s.add_with_carry(&SUBGROUP_ORDER);
    malleable.slots[0].s.copy_from_slice(&s.to_bytes_le());
    let mut twice = Forger::new(&genesis());
    twice.pay(Pay::new(0, 1, 500, 10));
    twice.credit(0, 3, fr(20));
    let path = "an index above 32 bits";
    let lost = |state: &mut StateValues| state.entries[0].balance_after += fr(1);
    let stale = |state: &mut StateValues| state.ages[0][1] += fr(1);
    let chunk = payment(Pay::new(0, 1, 500, 10));
    vec![
        ("an overdraft by field wrap", trace_of(&overdraft)),
        ("a payment signed by another key", trace_of(&wrong_signer)),
        ("the scalar plus the subgroup order", trace_of(&malleable)),
        ("a fee credited twice", trace_of(&twice.chunk)),
        ("an account changed without an access", chunk::trace_changed(CLASS, &chunk, lost, |_| {})),
        ("an account found at another time", chunk::trace_changed(CLASS, &chunk, stale, |_| {})),
        (path, trace_of(&payment(Pay { to: 1 + (1 << 32), ..Pay::new(0, 1, 500, 10) }))),
    ]
}

#[test]
fn forged_chunks_get_no_proof() {
    let directory = tempfile::tempdir().unwrap();
    let store = KeyStore::open(directory.path()).unwrap();
    let keys = LeafKeys::load_or_create(&store, CLASS).unwrap();

    let honest = trace_of(&payment(Pay::new(0, 1, 500, 10)));
    let stated = claims(&honest);
    let proof = create_leaf_proof(keys.circuit(), LeafCircuit::from_trace(CLASS, honest), statement(&stated));
    let proof = proof.unwrap();
    verify_leaf_proof(keys.circuit(), &proof).unwrap();
    for index in 0..LEAF_PUBLIC_INPUTS {
        let mut values = stated.clone();
        values[index] += fr(1);
        let other = LeafProof { public_inputs: statement(&values), ..proof.clone() };
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
