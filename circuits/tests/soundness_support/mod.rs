//! A dishonest prover: builds chunks as field elements, whatever they say, and recomputes everything that
//! follows from them (tree, paths, signatures, commitments), so that a forgery differs from an honest chunk in
//! one place only.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

#[path = "../checker_support/mod.rs"]
mod checker_support;
mod forger;
mod lie;

use std::collections::BTreeSet;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use tenon_circuits::halo2::checker::Violation;
use tenon_circuits::halo2::leaf::access::power;
use tenon_circuits::halo2::leaf::values::{AccountValues, ChunkValues, FloatValues};
use tenon_circuits::halo2::leaf::{SizeClass, chunk};
use tenon_circuits::halo2::trace::{ADVICE_COLUMNS, Trace};
use tenon_circuits::halo2::{to_circuit, to_native};
use tenon_circuits::rollup::evaluation::{Evaluations, Points, da_limbs};
use tenon_circuits::rollup::{self, NO_ACCOUNT, pubdata};

#[allow(unused_imports, reason = "each test binary uses its own part of this module")]
pub use checker_support::{checker, claims, fr, places, public_inputs, rows_of};
#[allow(unused_imports, reason = "each test binary uses its own part of this module")]
pub use forger::*;
#[allow(unused_imports, reason = "each test binary uses its own part of this module")]
pub use lie::{Lie, tell};

/// Batch timestamp of all forged chunks.
pub const TIMESTAMP: u32 = 1_700_000_000;
/// The class of all forged chunks.
pub const CLASS: SizeClass = SizeClass::SMALL;
/// Where the streams of all forged chunks are evaluated.
pub const POINTS: Points = Points { z_d: u128::MAX - 5, z_l: 1 << 100 | 77 };
/// Where the running product ends: something found wasn't left, or the other way round.
pub const STATE: &str = "state: everything found is left";
/// Where the accounts before the chunk aren't those of its root.
pub const ROOT: &str = "tree: root before";
/// The index that a new account is named by, and that none has.
pub const NONE: u64 = NO_ACCOUNT as u64;

/// The value of a float's parts.
pub fn float_value(float: &FloatValues) -> Fr {
    float.mantissa * fr(10).pow_vartime([exponent(float)])
}

fn exponent(float: &FloatValues) -> u64 {
    float.exponent.iter().enumerate().map(|(i, bit)| u64::from(*bit == Fr::ONE) << i).sum()
}

fn code(float: &FloatValues, bits: u64) -> Fr {
    let weighted = float.exponent.iter().enumerate().map(|(i, bit)| *bit * fr(1 << i));
    float.mantissa + weighted.sum::<Fr>() * power(bits)
}

/// The trace of a chunk.
pub fn trace_of(values: &ChunkValues) -> Trace {
    chunk::trace(CLASS, values)
}

/// Everything that a trace violates when it claims `claims`.
pub fn violations(trace: &Trace, claims: &[Fr]) -> Vec<Violation> {
    checker().check(trace, CLASS.k, claims, usize::MAX)
}

/// Asserts that a trace is refused, claiming what it shows, at exactly these places.
#[track_caller]
pub fn assert_trace_refused(trace: &Trace, expected: &[&str]) {
    let violations = violations(trace, &claims(trace));
    let expected: BTreeSet<String> = expected.iter().map(|&place| place.to_owned()).collect();
    assert_eq!(places(&violations), expected, "{violations:#?}");
}

/// Asserts that a chunk is refused, claiming what it shows, at exactly these places.
#[track_caller]
pub fn assert_refused(values: &ChunkValues, expected: &[&str]) {
    assert_trace_refused(&trace_of(values), expected);
}

/// Asserts that a chunk satisfies the circuit, claiming what it shows.
#[track_caller]
pub fn assert_accepted(values: &ChunkValues) {
    assert_refused(values, &[]);
}

/// What a trace shows with other words published than it says: those given, on the evaluations before.
pub fn claims_of_words(trace: &Trace, da_words: &[rollup::Fr], l1_words: &[rollup::Fr]) -> Vec<Fr> {
    let mut claims = claims(trace);
    let commit = pubdata::absorb_chunk(to_native(claims[4]), da_words, l1_words);
    let evaluations = Evaluations::default().absorb(&POINTS, da_words, l1_words);
    let [low, high] = da_limbs(&evaluations.y_d).map(to_circuit);
    (claims[5], claims[9], claims[10]) = (to_circuit(commit), low, high);
    claims[13] = to_circuit(evaluations.y_l);
    claims
}

/// Whether rows of this label bind the published data rather than the accounts.
pub fn binds_data(label: &str) -> bool {
    let parts = ["records: ", "open: ", "opens: ", "L1 words: ", "DA words: ", "emitted: ", "published: "];
    let parts = parts.into_iter().chain(["challenge: ", "chunk: point of", "chunk: evaluation of"]);
    let whole = ["challenge", "slot: flags", "party: high bits of the key"];
    whole.contains(&label) || parts.into_iter().any(|part| label.starts_with(part))
}

/// Overwrites the cells of the rows whose label is chosen with those of another trace of the same shape.
pub fn splice(trace: &mut Trace, source: &Trace, chosen: impl Fn(&str) -> bool) {
    for row in 0..trace.rows() {
        if chosen(trace.label_of(row)) {
            for column in 0..ADVICE_COLUMNS {
                trace.forge(row, column, source.value(row, column));
            }
        }
    }
}

/// The account with another balance.
pub fn with_balance(account: AccountValues, balance: Fr) -> AccountValues {
    AccountValues { balance, ..account }
}
