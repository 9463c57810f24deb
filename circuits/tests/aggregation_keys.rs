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
use sha2::{Digest, Sha256};
use tenon_circuits::halo2::{
    CircuitKeys, KeyError, KeyStore, LeafProof, SealedFileError, Srs, SrsSource, VerifyError,
    prove::verify_leaf_proof,
};

mod aggregation_support;
use aggregation_support::{chunk, toy_keys, toy_proof};

const K: u32 = 8;

fn flip_byte(path: &Path, position: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[position] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Where a sealed file's body starts: after magic, format version, length and digest.
const BODY: usize = 8 + 4 + 8 + 32;

/// Changes a sealed file's body and seals it again.
fn reseal(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    let mut body = bytes.split_off(BODY);
    change(&mut body);
    bytes.truncate(12);
    bytes.extend((body.len() as u64).to_le_bytes());
    let mut hasher = Sha256::new_with_prefix(&bytes);
    hasher.update(&body);
    bytes.extend_from_slice(&hasher.finalize());
    bytes.extend(body);
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

/// What a section's length, or another number in a body, becomes.
fn add_to_length(body: &mut [u8], position: usize, change: i64) {
    let field = &mut body[position..position + 8];
    let length = i64::from_le_bytes(field.try_into().unwrap()) + change;
    field.copy_from_slice(&length.to_le_bytes());
}

#[test]
fn sealed_key_files_that_make_no_sense_are_refused_without_a_panic() {
    let directory = tempfile::tempdir().unwrap();
    reopened_keys(directory.path());
    let name =
        tenon_circuits::halo2::KeyName { circuit: "leaf-1".into(), ..aggregation_support::toy_name(K) };
    let circuit = aggregation_support::ToyLeaf { public_inputs: Default::default(), variant: 1 };
    for extension in ["key", "vk"] {
        let path = directory.path().join("leaf-1-toy-k8").with_extension(extension);
        let original = fs::read(&path).unwrap();
        let body = &original[BODY..];
        let description = u64::from_le_bytes(body[..8].try_into().unwrap()) as usize;
        // Where the verifying key's length and the key itself start: version, k, compression, count, points.
        let vk_length = 8 + description;
        let vk = vk_length + 8;
        let vk_end = vk + u64::from_le_bytes(body[vk_length..vk].try_into().unwrap()) as usize;
        let refused = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
            reseal(&path, change);
            let store = KeyStore::open(directory.path()).unwrap();
            let error = match extension {
                "key" => store.circuit(&name, &circuit).unwrap_err(),
                _ => store.circuit_verifier(&name, &circuit).unwrap_err(),
            };
            fs::write(&path, &original).unwrap();
            let expected = matches!(error, KeyError::Malformed { .. } | KeyError::Mismatch { .. });
            assert!(expected, "{extension}, {what}: {error}");
            error.to_string()
        };

        for k in [0, 7, 9, 28, 29, 64, 255, u32::MAX] {
            let error = refused("k", &|body| body[vk + 1..vk + 5].copy_from_slice(&k.to_le_bytes()));
            assert!(error.contains("the verifying key starts with"), "{error}");
        }
        refused("version", &|body| body[vk] = 3);
        refused("compressed selectors", &|body| body[vk + 5] = 1);
        refused("no fixed columns", &|body| body[vk + 6] = 0);
        refused("too many fixed columns", &|body| body[vk + 9] = 0xff);
        let text = String::from_utf8(body[8..vk_length].to_vec()).unwrap();
        refused("k of the description", &|body| {
            let other = text.replace("\"k\":8", "\"k\":9");
            assert_ne!(other, text);
            body.splice(8..vk_length, other.into_bytes());
        });
        let error = refused("a shorter key", &|body| {
            body.drain(vk_end - 64..vk_end);
            add_to_length(body, vk_length, -64);
        });
        assert!(error.contains("bytes instead of"), "{error}");
        refused("a longer key", &|body| {
            body.splice(vk_end..vk_end, [0; 64]);
            add_to_length(body, vk_length, 64);
        });
        refused("a key longer than the file", &|body| add_to_length(body, vk_length, i64::MAX / 2));
        let error = refused("bytes at the end", &|body| body.push(0));
        assert!(error.contains("1 bytes follow the last section"), "{error}");
        let changed = refused("another commitment", &|body| body[vk_end - 1] ^= 1);
        assert!(changed.contains("another key"), "{changed}");
        for length in [0, 7, 8, vk_length, vk - 1, vk, vk_end - 1] {
            refused("a shorter body", &|body| body.truncate(length));
        }
        if extension == "key" {
            refused("no columns", &|body| body.truncate(vk_end));
            refused("many columns", &|body| body[vk_end..vk_end + 8].fill(0xff));
            refused("a column's encoding", &|body| body[vk_end + 8] = 7);
        }
    }
    reopened_keys(directory.path());
}

#[test]
fn verifying_takes_no_proving_key() {
    let directory = tempfile::tempdir().unwrap();
    let proof = toy_proof(&reopened_keys(directory.path()), chunk(1, 5, 0, 9), 1);
    let path = |extension| directory.path().join("leaf-1-toy-k8").with_extension(extension);
    let circuit = aggregation_support::ToyLeaf { public_inputs: Default::default(), variant: 1 };
    let name =
        tenon_circuits::halo2::KeyName { circuit: "leaf-1".into(), ..aggregation_support::toy_name(K) };
    let verifier = || KeyStore::open(directory.path()).unwrap().circuit_verifier(&name, &circuit);

    fs::rename(path("key"), path("aside")).unwrap();
    let light = verifier().unwrap();
    light.verify_leaf_proof(&proof).unwrap();
    let other = LeafProof { public_inputs: chunk(1, 5, 0, 8), ..proof.clone() };
    assert!(light.verify_leaf_proof(&other).is_err());
    assert!(!path("key").exists());

    // The other way round, the verifying key is written again, and is the same.
    fs::rename(path("aside"), path("key")).unwrap();
    let written = fs::read(path("vk")).unwrap();
    fs::remove_file(path("vk")).unwrap();
    assert_eq!(verifier().unwrap().info(), light.info());
    assert_eq!(fs::read(path("vk")).unwrap(), written);

    // One of another circuit is refused.
    toy_keys(&KeyStore::open(directory.path()).unwrap(), K, 2);
    fs::copy(directory.path().join("leaf-2-toy-k8.vk"), path("vk")).unwrap();
    let error = verifier().unwrap_err();
    assert!(matches!(error, KeyError::Mismatch { what: "version of the circuit", .. }), "{error}");
    fs::copy(path("key"), path("vk")).unwrap();
    assert!(matches!(verifier().unwrap_err(), KeyError::File(SealedFileError::WrongMagic { .. })));
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
