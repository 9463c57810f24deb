//! Reference strings, key files and leaf proofs, on a small circuit.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{fs, path::Path, sync::Arc, time::Instant};

use halo2_proofs::poly::{
    Coeff, EvaluationDomain, LagrangeCoeff, Polynomial,
    commitment::{Blind, Params, ParamsProver},
};
use halo2_proofs::{
    arithmetic::Field,
    halo2curves::{bn256::Fr, group::Curve},
};
use rand::SeedableRng;
use tenon_circuits::halo2::{
    CircuitKeys, KeyError, KeyStore, SealedFileError, Srs, SrsSource, VerifyError, prove::verify_leaf_proof,
};

mod aggregation_support;
use aggregation_support::{chunk, toy_keys, toy_proof};

const K: u32 = 8;

fn flip_byte(path: &Path, position: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[position] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn reopened_keys(directory: &Path) -> Arc<CircuitKeys> {
    toy_keys(&KeyStore::open(directory).unwrap(), K, 1)
}

#[test]
fn both_forms_of_a_development_string_commit_alike() {
    let directory = tempfile::tempdir().unwrap();
    let srs = Srs::load_or_create(directory.path(), 6).unwrap();
    let domain = EvaluationDomain::<Fr>::new(1, 6);
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let values: Vec<Fr> = (0..1 << 6).map(|_| Fr::random(&mut rng)).collect();
    let lagrange: Polynomial<Fr, LagrangeCoeff> = domain.lagrange_from_vec(values);
    let coefficients: Polynomial<Fr, Coeff> = domain.lagrange_to_coeff(lagrange.clone());
    let params = srs.params();
    assert_eq!(
        params.commit_lagrange(&lagrange, Blind::default()).to_affine(),
        params.commit(&coefficients, Blind::default()).to_affine(),
    );
}

#[test]
fn a_string_is_read_as_it_was_written_and_shares_its_secret_with_other_sizes() {
    let directory = tempfile::tempdir().unwrap();
    let made = Srs::load_or_create(directory.path(), 5).unwrap();
    let read = Srs::load_or_create(directory.path(), 5).unwrap();
    assert_eq!(made.params().get_g(), read.params().get_g());
    assert_eq!(made.digest(), read.digest());
    assert_eq!(read.source(), SrsSource::Development);
    let other = Srs::load_or_create(directory.path(), 7).unwrap();
    assert!(made.shares_secret_with(&other));
    assert_ne!(made.digest(), other.digest());
}

#[test]
fn every_flipped_byte_of_a_string_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    Srs::load_or_create(directory.path(), 1).unwrap();
    let path = Srs::path(directory.path(), 1);
    for position in 0..fs::metadata(&path).unwrap().len() as usize {
        flip_byte(&path, position);
        let error = Srs::load_or_create(directory.path(), 1).unwrap_err();
        assert!(matches!(error, KeyError::File(_)), "byte {position}: {error}");
        flip_byte(&path, position);
    }
    Srs::load_or_create(directory.path(), 1).unwrap();
}

#[test]
fn strings_of_another_size_kind_or_length_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = KeyStore::open(directory.path()).unwrap();
    toy_keys(&store, K, 1);
    let path = |k| Srs::path(directory.path(), k);
    fs::copy(path(K), path(5)).unwrap();
    let error = Srs::load_or_create(directory.path(), 5).unwrap_err();
    assert!(matches!(error, KeyError::WrongSize { expected: 5, actual: K, .. }), "{error}");

    fs::copy(directory.path().join("leaf-1-toy-k8.key"), path(5)).unwrap();
    let error = Srs::load_or_create(directory.path(), 5).unwrap_err();
    assert!(matches!(error, KeyError::File(SealedFileError::WrongMagic { .. })), "{error}");

    for length in [10, 60, 1000] {
        fs::write(path(5), &fs::read(path(K)).unwrap()[..length]).unwrap();
        let error = Srs::load_or_create(directory.path(), 5).unwrap_err();
        assert!(matches!(error, KeyError::File(SealedFileError::WrongLength { .. })), "{error}");
    }
    for k in [0, 26] {
        let error = Srs::load_or_create(directory.path(), k).unwrap_err();
        assert!(matches!(error, KeyError::UnsupportedSize { .. }), "{error}");
    }
}

#[test]
fn leaf_proofs_verify_under_made_and_under_stored_keys() {
    let directory = tempfile::tempdir().unwrap();
    let made = reopened_keys(directory.path());
    let stored = reopened_keys(directory.path());
    assert_eq!(made.info(), stored.info());
    for prover in [&made, &stored] {
        let proof = toy_proof(prover, chunk(1, 5, 0, 9), 1);
        for verifier in [&made, &stored] {
            verify_leaf_proof(verifier, &proof).unwrap();
        }
        let text = serde_json::to_string(&proof).unwrap();
        assert_eq!(serde_json::from_str::<tenon_circuits::halo2::LeafProof>(&text).unwrap(), proof);
    }
}

#[test]
fn changed_leaf_proofs_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = KeyStore::open(directory.path()).unwrap();
    let keys = toy_keys(&store, K, 1);
    let proof = toy_proof(&keys, chunk(1, 5, 0, 9), 1);
    for position in (0..proof.proof.len()).step_by(7) {
        let mut changed = proof.clone();
        changed.proof[position] ^= 1;
        assert!(verify_leaf_proof(&keys, &changed).is_err(), "byte {position}");
    }
    // The first point's flag of infinity, which decoding ignores.
    let mut flagged = proof.clone();
    flagged.proof[31] ^= 0x80;
    assert!(matches!(verify_leaf_proof(&keys, &flagged), Err(VerifyError::NotCanonical { position: 31 })));
    let mut longer = proof.clone();
    longer.proof.push(0);
    assert!(matches!(verify_leaf_proof(&keys, &longer), Err(VerifyError::TrailingBytes(1))));
    let mut shorter = proof.clone();
    shorter.proof.pop();
    assert!(verify_leaf_proof(&keys, &shorter).is_err());
    let mut other = proof.clone();
    other.public_inputs = chunk(2, 5, 0, 9);
    assert!(verify_leaf_proof(&keys, &other).is_err());
    assert!(verify_leaf_proof(&toy_keys(&store, K, 2), &proof).is_err());
}

#[test]
fn damaged_and_foreign_key_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = KeyStore::open(directory.path()).unwrap();
    toy_keys(&store, K, 1);
    toy_keys(&store, K, 2);
    let path = directory.path().join("leaf-1-toy-k8.key");
    let original = fs::read(&path).unwrap();
    let circuit = aggregation_support::ToyLeaf { public_inputs: Default::default(), variant: 1 };
    let name =
        tenon_circuits::halo2::KeyName { circuit: "leaf-1".into(), ..aggregation_support::toy_name(K) };
    let reopen = || KeyStore::open(directory.path()).unwrap().circuit(&name, &circuit);

    for position in (0..original.len()).step_by(original.len() / 50) {
        flip_byte(&path, position);
        let error = reopen().unwrap_err();
        assert!(matches!(error, KeyError::File(_)), "byte {position}: {error}");
        flip_byte(&path, position);
    }
    fs::write(&path, &original[..original.len() - 1]).unwrap();
    let error = reopen().unwrap_err();
    assert!(matches!(error, KeyError::File(SealedFileError::WrongLength { .. })), "{error}");

    fs::copy(directory.path().join("leaf-2-toy-k8.key"), &path).unwrap();
    let error = reopen().unwrap_err();
    assert!(matches!(error, KeyError::Mismatch { what: "version of the circuit", .. }), "{error}");
    assert!(error.to_string().contains("delete it"), "{error}");

    fs::remove_file(&path).unwrap();
    reopen().unwrap();
}

#[test]
fn an_environment_that_changes_the_circuits_is_refused() {
    if std::env::var_os("MAX_DEGREE").is_some() {
        let directory = tempfile::tempdir().unwrap();
        let error = KeyStore::open(directory.path()).unwrap_err();
        assert!(matches!(error, KeyError::MaxDegreeSet { .. }), "{error}");
        return;
    }
    // Again in a process of its own, so that other tests don't see the variable.
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "an_environment_that_changes_the_circuits_is_refused"])
        .env("MAX_DEGREE", "9")
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
#[ignore = "a measurement, not a check: makes and reads a string of 2^20 powers"]
fn time_of_a_large_string() {
    let directory = tempfile::tempdir().unwrap();
    for what in ["made", "read"] {
        let start = Instant::now();
        Srs::load_or_create(directory.path(), 20).unwrap();
        println!("k = 20 {what} in {:?}", start.elapsed());
    }
}
