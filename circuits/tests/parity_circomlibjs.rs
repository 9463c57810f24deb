//! Agreement with circomlibjs, by the vectors that `testdata/circomlibjs/make_vectors.mjs` makes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde::Deserialize;
use tenon_circuits::rollup::{Fr, PrivateKey, PublicKey, Signature, field, poseidon};

#[derive(Deserialize)]
struct Vectors {
    poseidon: Vec<PoseidonVector>,
    signatures: Vec<SignatureVector>,
}

#[derive(Deserialize)]
struct PoseidonVector {
    inputs: Vec<String>,
    output: String,
}

#[derive(Deserialize)]
struct KeyVector {
    x: String,
    y: String,
}

#[derive(Deserialize)]
struct SignatureVector {
    seed: String,
    key: KeyVector,
    message: String,
    r8x: String,
    r8y: String,
    s: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../testdata/circomlibjs/vectors.json")).unwrap()
}

fn element(text: &str) -> Fr {
    field::from_decimal(text).unwrap()
}

#[test]
fn poseidon_is_circomlibs() {
    let vectors = vectors().poseidon;
    for n in 1..=6 {
        assert!(vectors.iter().filter(|vector| vector.inputs.len() == n).count() >= 5, "{n} inputs");
    }
    for vector in vectors {
        let inputs: Vec<Fr> = vector.inputs.iter().map(|input| element(input)).collect();
        assert_eq!(field::to_decimal(&poseidon::hash(&inputs)), vector.output, "{:?}", vector.inputs);
    }
}

#[test]
fn signatures_are_circomlibs_bit_for_bit() {
    let vectors = vectors().signatures;
    assert!(vectors.len() >= 20);
    for vector in vectors {
        let seed: [u8; 32] = hex::decode(&vector.seed).unwrap().try_into().unwrap();
        let private = PrivateKey::from_seed(seed);
        let key = PublicKey { x: element(&vector.key.x), y: element(&vector.key.y) };
        assert_eq!(private.public_key(), key, "key of seed {}", vector.seed);
        let message = element(&vector.message);
        let theirs = Signature {
            r8x: element(&vector.r8x),
            r8y: element(&vector.r8y),
            s: field::bigint_from_decimal(&vector.s).unwrap(),
        };
        assert_eq!(key.verify(message, &theirs), Ok(()), "circomlibjs's signature of {}", vector.message);
        assert_eq!(private.sign(message), theirs, "our signature of {}", vector.message);
    }
}
