//! Gadgets against the native rollup, on random inputs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod gadget_support;

use ark_ff::{BigInteger, Field as _, PrimeField as _, UniformRand};
use gadget_support::{ROWS, checker, fr, refusals, start, witness};
use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use num_bigint::BigUint;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use tenon_circuits::gadgets::arithmetic::{Operand, is_zero};
use tenon_circuits::gadgets::babyjubjub::{Parts, PointVars, SignatureInputs, verify_claiming};
use tenon_circuits::gadgets::{poseidon, range};
use tenon_circuits::halo2::checker::Violation;
use tenon_circuits::halo2::leaf::access::power;
use tenon_circuits::halo2::trace::{ADVICE_COLUMNS, Gate, Trace};
use tenon_circuits::halo2::{to_circuit, to_native};
use tenon_circuits::rollup::babyjubjub::{A, BASE, Point, SUBGROUP_ORDER};
use tenon_circuits::rollup::signature::challenge;
use tenon_circuits::rollup::{self, PrivateKey, PublicKey, Signature};

fn random(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn hashes_as_the_native_hash<const T: usize>() {
    let mut rng = random(T as u64);
    let (mut trace, zero, _) = start();
    for case in 0..20 {
        let inputs: Vec<rollup::Fr> = (1..T)
            .map(|i| match (case + i) % 7 {
                0 => rollup::Fr::from(0u64),
                1 => -rollup::Fr::from(1u64),
                _ => rollup::Fr::rand(&mut rng),
            })
            .collect();
        let operands: Vec<Operand> = inputs.iter().map(|input| Operand::New(to_circuit(*input))).collect();
        let hash = poseidon::hash::<T>(&mut trace, &operands, zero);
        assert_eq!(to_native(hash.output.value), rollup::poseidon::hash(&inputs));
    }
    assert_eq!(refusals(&trace), Vec::<String>::new());
}

#[test]
fn width_3_hashes_as_the_native_hash() {
    hashes_as_the_native_hash::<3>();
}

#[test]
fn width_5_hashes_as_the_native_hash() {
    hashes_as_the_native_hash::<5>();
}

#[test]
fn width_6_hashes_as_the_native_hash() {
    hashes_as_the_native_hash::<6>();
}

/// Inputs and output determine each other: no cell of a permutation can change alone.
#[test]
fn a_hash_has_no_free_cell() {
    let (mut trace, zero, _) = start();
    let first = trace.rows();
    poseidon::hash::<3>(&mut trace, &[1, 2].map(|i| Operand::New(fr(i))), zero);
    poseidon::hash::<5>(&mut trace, &[1, 2, 3, 4].map(|i| Operand::New(fr(i))), zero);
    poseidon::hash::<6>(&mut trace, &[1, 2, 3, 4, 5].map(|i| Operand::New(fr(i))), zero);
    for row in first..trace.rows() {
        for column in (0..ADVICE_COLUMNS).filter(|column| trace.is_assigned(row, *column)) {
            let mut forged = trace.clone();
            forged.forge(row, column, trace.value(row, column) + Fr::ONE);
            assert!(!refusals(&forged).is_empty(), "row {row} column {column}");
        }
    }
}

#[test]
fn ranges_hold_exactly_the_numbers_below() {
    for bits in 2..=range::MAX_BITS {
        let top = power(bits as u64);
        let cases = [
            (fr(0), true),
            (fr(1), true),
            (top - Fr::ONE, true),
            (top, false),
            (top + Fr::ONE, false),
            (-Fr::ONE, false),
        ];
        for (value, fits) in cases {
            let (mut trace, zero, _) = start();
            let var = witness(&mut trace, value);
            trace.label("range");
            range::check(&mut trace, var, bits, zero);
            let refused = refusals(&trace);
            assert_eq!(refused.is_empty(), fits, "{bits} bits: {value:?}: {refused:?}");
            assert!(fits || refused == ["range"]);
        }
    }
}

#[test]
fn zero_is_told_from_other_numbers() {
    for (value, flag) in [(0, 1), (1, 0), (12_345, 0)] {
        let (mut trace, _, _) = start();
        let var = witness(&mut trace, fr(value));
        let row = trace.rows();
        assert_eq!(is_zero(&mut trace, var).value, fr(flag));
        assert_eq!(refusals(&trace), Vec::<String>::new());
        // The other flag, with any inverse.
        for inverse in [fr(0), fr(1), fr(2)] {
            let mut forged = trace.clone();
            forged.forge(row, 0, fr(1 - flag));
            forged.forge(row + 1, 5, fr(1 - flag));
            forged.forge(row, 5, inverse);
            assert!(!refusals(&forged).is_empty());
        }
    }
}

/// Where a challenge is found to be that integer.
const BELOW: &str = "challenge below the modulus";

/// A signature's check alone.
fn signature_trace(key: &PublicKey, message: rollup::Fr, signature: &Signature) -> Trace {
    signature_trace_claiming(key, message, signature, Parts::of)
}

/// A signature's check whose challenge is taken apart in any way.
fn signature_trace_claiming(
    key: &PublicKey,
    message: rollup::Fr,
    signature: &Signature,
    parts: impl FnOnce(Fr) -> Parts,
) -> Trace {
    let (mut trace, zero, _) = start();
    let x = witness(&mut trace, to_circuit(key.x));
    let y = witness(&mut trace, to_circuit(key.y));
    let message = witness(&mut trace, to_circuit(message));
    let mut s = [0; 32];
    s.copy_from_slice(&signature.s.to_bytes_le());
    let r8 = (to_circuit(signature.r8x), to_circuit(signature.r8y));
    let inputs = SignatureInputs { zero, key: PointVars { x, y }, message, r8, s };
    verify_claiming(&mut trace, &inputs, parts);
    trace
}

/// The gadget's answer, required to be the native one.
fn agrees(key: &PublicKey, message: rollup::Fr, signature: &Signature) -> bool {
    let refused = refusals(&signature_trace(key, message, signature));
    let native = key.verify(message, signature);
    assert_eq!(refused.is_empty(), native.is_ok(), "{native:?}, {refused:?}");
    native.is_ok()
}

#[test]
fn signatures_are_accepted_and_refused_as_natively() {
    let mut rng = random(11);
    for _ in 0..12 {
        let private = PrivateKey::generate(&mut rng);
        let (key, message) = (private.public_key(), rollup::Fr::rand(&mut rng));
        let valid = private.sign(message);
        assert!(agrees(&key, message, &valid));
        let other = PrivateKey::generate(&mut rng);
        let one = rollup::Fr::from(1u64);
        let mut s_above = valid;
        s_above.s.add_with_carry(&SUBGROUP_ORDER);
        let mut s_next = valid;
        s_next.s.add_with_carry(&1u64.into());
        let flipped = |point: (rollup::Fr, rollup::Fr)| Signature { r8x: point.0, r8y: point.1, ..valid };
        assert!(!agrees(&other.public_key(), message, &valid));
        assert!(!agrees(&key, message + one, &valid));
        assert!(!agrees(&key, message, &other.sign(message)));
        assert!(!agrees(&key, message, &s_above));
        assert!(!agrees(&key, message, &s_next));
        assert!(!agrees(&key, message, &flipped((-valid.r8x, valid.r8y))));
        assert!(!agrees(&key, message, &flipped((valid.r8x, valid.r8y + one))));
        assert!(!agrees(&key, message, &flipped((rollup::Fr::from(0u64), one))));
        assert!(!agrees(&PublicKey { x: -key.x, ..key }, message, &valid));
        assert!(!agrees(&PublicKey { y: key.y + one, ..key }, message, &valid));
    }
}

/// A key whose secret the test knows: `scalar B8`, and a signature by it with any multiple of the challenge.
fn hand_made(key: &Point, scalar: &BigUint, nonce: u64, message: rollup::Fr, extra: &BigUint) -> Signature {
    let r8 = BASE.multiply(&nonce.into()).to_affine();
    let unfinished = Signature { r8x: r8.x, r8y: r8.y, s: ark_ff::BigInt::default() };
    let hash = challenge(&PublicKey { x: key.x, y: key.y }, &unfinished, message).into_bigint();
    let hash = BigUint::from(hash) + extra;
    let s = (BigUint::from(nonce) + hash * scalar * 8_u32) % BigUint::from(SUBGROUP_ORDER);
    Signature { s: s.try_into().unwrap(), ..unfinished }
}

#[test]
fn keys_with_a_component_of_small_order_sign_as_natively() {
    let scalar = BigUint::from(987_654_321_u64);
    let torsion = Point { x: A.inverse().unwrap().sqrt().unwrap(), y: rollup::Fr::from(0u64) };
    let key = BASE.multiply(&987_654_321_u64.into()).to_affine().add(&torsion);
    assert!(!key.is_in_subgroup());
    for nonce in 1..6 {
        let message = rollup::Fr::from(nonce);
        let signature = hand_made(&key, &scalar, nonce, message, &BigUint::default());
        assert!(agrees(&PublicKey { x: key.x, y: key.y }, message, &signature));
    }
}

/// `h + r` or `h − r` instead of `h`: the same field element and another multiple of the key, so a second signature
/// for each valid one if it passed.
#[test]
fn a_challenge_that_is_not_canonical_is_refused() {
    let modulus = BigUint::from(rollup::Fr::MODULUS);
    let order = BigUint::from(SUBGROUP_ORDER);
    let scalar = BigUint::from(55_u64);
    let key = BASE.multiply(&55_u64.into()).to_affine();
    let public = PublicKey { x: key.x, y: key.y };
    let third = &order / 3_u8;
    // More by r and 7 turns, less by r and −1 turn: the multiples of the order that make up for the modulus.
    type IsFit<'a> = &'a dyn Fn(&BigUint) -> bool;
    let cases: [(BigUint, i32, IsFit<'_>); 2] = [
        (modulus.clone(), 7, &|hash| *hash < third),
        (&order * 9_u8 - &modulus, -1, &|hash| hash + &third > modulus),
    ];
    for (extra, turns, is_fit) in cases {
        let message = rollup::Fr::from(7u64);
        let (signature, hash) = (1..)
            .map(|nonce| {
                let signature = hand_made(&key, &scalar, nonce, message, &extra);
                (signature, BigUint::from(challenge(&public, &signature, message).into_bigint()))
            })
            .find(|(_, hash)| is_fit(hash))
            .unwrap();
        assert_eq!(refusals(&signature_trace(&public, message, &signature)), ["signature equation"]);
        let multiple = match turns {
            7 => hash + &modulus - &order * 7_u8,
            _ => hash + &order - &modulus,
        };
        let parts = Parts::new(multiple, turns);
        let trace = signature_trace_claiming(&public, message, &signature, |_| parts);
        // The equation holds, and so does that of the challenge; only its range doesn't end with 0.
        let mut rows = (0..trace.rows()).filter(|row| trace.label_of(*row) == BELOW);
        let constraint = "equation".to_owned();
        let end = rows.next_back().unwrap();
        let expected = Violation::Constraint { gate: Gate::Arithmetic, constraint, row: end, label: BELOW };
        assert_eq!(checker().check(&trace, ROWS, &[], usize::MAX), [expected]);
    }
}

/// Any way of taking a challenge apart is as good as another, if it comes to the challenge.
#[test]
fn challenges_in_several_parts() {
    let order = BigUint::from(SUBGROUP_ORDER);
    let modulus = BigUint::from(rollup::Fr::MODULUS);
    let least = BigUint::from(1_u8) << 250;
    let key = PrivateKey::from_seed([5; 32]);
    let mut seen = std::collections::BTreeSet::new();
    for i in 0..40_u64 {
        let message = rollup::Fr::from(i);
        let signature = key.sign(message);
        let hash = BigUint::from(challenge(&key.public_key(), &signature, message).into_bigint());
        for turns in -1..=7 {
            let multiple = match turns {
                -1 => hash.clone() + &order,
                _ if hash < &order * turns as u8 => continue,
                _ => hash.clone() - &order * turns as u8,
            };
            if multiple < least || multiple >= &least * 3_u8 {
                continue;
            }
            let parts = Parts::new(multiple, turns);
            let trace = signature_trace_claiming(&key.public_key(), message, &signature, |_| parts);
            assert_eq!(refusals(&trace), Vec::<String>::new(), "{turns} of {hash}, {modulus}");
            seen.insert(turns);
        }
    }
    assert!((-1..=6).all(|turns| seen.contains(&turns)), "{seen:?}");
}

/// A multiple that isn't the challenge's.
#[test]
fn another_challenge_than_the_hash() {
    let key = PrivateKey::from_seed([5; 32]);
    let message = rollup::Fr::from(1u64);
    let signature = key.sign(message);
    let other = |hash: Fr| Parts::of(hash + Fr::ONE);
    let trace = signature_trace_claiming(&key.public_key(), message, &signature, other);
    assert_eq!(refusals(&trace), [BELOW, "signature equation"]);
}
