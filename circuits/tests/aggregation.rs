//! Aggregation of real leaf proofs of a small circuit, end to end. Slow: it makes keys and proofs
//! of the aggregation, so its checks share one directory and run one after the other.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{path::PathBuf, sync::Arc, time::Instant};

use tenon_circuits::{
    aggregation::{AggregateProof, AggregationKeys, AggregationVerifier, prove_aggregate, verify_aggregate},
    halo2::{CircuitKeys, KeyStore, ProveError, VerifyError},
    public_inputs::BatchPublicInputs,
    rollup::evaluation::{DaScalar, Evaluations, Points},
};

mod aggregation_support;
use aggregation_support::{chunk, toy_keys, toy_proof};

const LEAF_K: u32 = 10;

fn aggregation(store: &KeyStore, leaf: &Arc<CircuitKeys>) -> AggregationKeys {
    let padding = toy_proof(leaf, chunk(0, 0, 0, 1), 1);
    AggregationKeys::load_or_create(store, Arc::clone(leaf), padding, 2).unwrap()
}

/// What a place without a batch holds.
fn no_batch() -> BatchPublicInputs {
    let zero = 0.into();
    BatchPublicInputs {
        domain: zero,
        batch: zero,
        state_in: zero,
        state_out: zero,
        commit: zero,
        points: Points::default(),
        evaluations: Evaluations::default(),
    }
}

fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

fn timed<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    println!("{what}: {:.1} s, peak {} MiB", start.elapsed().as_secs_f32(), peak_memory_kib() / 1024);
    result
}

#[test]
#[ignore = "takes minutes and several GiB of memory"]
fn aggregate_proofs_end_to_end() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = std::env::var_os("TENON_TEST_KEYS").map_or(temporary.path().to_path_buf(), PathBuf::from);
    let store = KeyStore::open(&directory).unwrap();
    let leaf = toy_keys(&store, LEAF_K, 1);
    timed("reference string", || store.srs(tenon_circuits::aggregation::k(2)).unwrap());
    let keys = timed("keys", || aggregation(&store, &leaf));

    // One batch of two chunks.
    let first = toy_proof(&leaf, chunk(1, 100, 0, 11), 1);
    let second = toy_proof(&leaf, chunk(1, 101, 11, 12), 1);
    let leaves = [first.clone(), second.clone()];
    let proof = timed("proof", || prove_aggregate(&keys, &leaves).unwrap());
    println!("{} proof bytes", proof.proof.len());
    assert_eq!(proof.batches.len(), 1);
    timed("verification", || verify_aggregate(keys.verifier(), &proof).unwrap());
    let text = serde_json::to_string(&proof).unwrap();
    assert_eq!(serde_json::from_str::<AggregateProof>(&text).unwrap(), proof);

    for position in (0..proof.proof.len()).step_by(61) {
        let mut changed = proof.clone();
        changed.proof[position] ^= 1;
        assert!(verify_aggregate(keys.verifier(), &changed).is_err(), "byte {position}");
    }
    let mut longer = proof.clone();
    longer.proof.push(0);
    assert!(matches!(verify_aggregate(keys.verifier(), &longer), Err(VerifyError::TrailingBytes(1))));
    let mut more = proof.clone();
    more.batches.push(more.batches[0]);
    assert!(verify_aggregate(keys.verifier(), &more).is_err());
    more.batches.push(more.batches[0]);
    assert!(matches!(verify_aggregate(keys.verifier(), &more), Err(VerifyError::BatchCount { .. })));
    let mut empty = proof.clone();
    empty.batches.push(no_batch());
    assert!(matches!(verify_aggregate(keys.verifier(), &empty), Err(VerifyError::EmptyBatch { index: 1 })));
    let mut other = proof.clone();
    other.batches[0].commit = other.batches[0].batch;
    assert!(verify_aggregate(keys.verifier(), &other).is_err());
    let mut other = proof.clone();
    other.batches[0].points.z_l += 1;
    assert!(verify_aggregate(keys.verifier(), &other).is_err());
    let mut other = proof.clone();
    other.batches[0].evaluations.y_d += DaScalar::from(1);
    assert!(verify_aggregate(keys.verifier(), &other).is_err());

    // What must not be aggregated.
    let count = |leaves: &[_]| prove_aggregate(&keys, leaves).unwrap_err();
    assert!(matches!(count(&[]), ProveError::LeafCount { actual: 0, .. }));
    assert!(matches!(count(&vec![first.clone(); 3]), ProveError::LeafCount { actual: 3, .. }));
    assert!(matches!(count(std::slice::from_ref(&second)), ProveError::Chain(_)));
    assert!(matches!(count(&[second.clone(), first.clone()]), ProveError::Chain(_)));
    let foreign = toy_proof(&toy_keys(&store, LEAF_K, 1_000), chunk(1, 101, 11, 12), 1_000);
    assert!(matches!(count(&[first.clone(), foreign]), ProveError::Leaf { index: 1, .. }));
    let mut changed = second;
    changed.public_inputs = chunk(1, 101, 11, 13);
    assert!(matches!(count(&[first.clone(), changed]), ProveError::Leaf { index: 1, .. }));

    // Verifying takes neither of the proving keys.
    drop(keys);
    let stored = timed("verifying key", || AggregationVerifier::load(&store, leaf.verifier(), 2)).unwrap();
    timed("verification", || verify_aggregate(&stored.unwrap(), &proof).unwrap());
    assert!(AggregationVerifier::load(&store, leaf.verifier(), 3).unwrap().is_none());

    // One chunk and padding, under keys read back.
    drop((leaf, store));
    let store = KeyStore::open(&directory).unwrap();
    let leaf = toy_keys(&store, LEAF_K, 1);
    let keys = timed("stored keys", || aggregation(&store, &leaf));
    let padded = timed("proof with padding", || prove_aggregate(&keys, &[first]).unwrap());
    verify_aggregate(keys.verifier(), &padded).unwrap();
    verify_aggregate(keys.verifier(), &proof).unwrap();
}
