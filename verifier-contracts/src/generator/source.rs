//! Fills the template: constants, and the parts that follow the constraint system.

use std::fmt::Write as _;

use alloy::{
    primitives::{B256, keccak256},
    sol_types::SolError,
};

use super::{
    data::HEADER_WORDS,
    expression::Value,
    shape::{ACCUMULATOR_LIMBS, Polynomial, Shape, System},
};
use crate::bindings::IVerifier;

const TEMPLATE: &str = include_str!("verifier.sol.in");

const WORD: usize = 0x20;
const POINT: usize = 0x40;
/// Where call data has the public inputs.
const CALLDATA_PUBLIC_INPUTS: usize = 0x64;
// Where the template has what doesn't move.
const THETA: usize = 0x160;
const BETA: usize = 0x180;
const GAMMA: usize = 0x1a0;
const Y: usize = 0x1c0;
const X: usize = 0x1e0;
const QUOTIENT_EVAL: usize = 0x2a0;
const QUOTIENT_POINT: usize = 0x300;
const KEY: usize = 0x3e0;
/// Fractions that become values at x: of the last row in use, of the rows after it, of the first row, of the instances.
const FRACTIONS: usize = 4;
/// What is inverted beside their denominators: x^n − 1 and x.
const OTHER_INVERSES: usize = 2;

/// The Solidity source of the verifier for a constraint system, and its shape.
pub(super) fn render(system: &System) -> (String, Shape) {
    let memory = Memory::new(system);
    let folded = system.graph.fold(&system.constraints, &|value| memory.address(value), memory.stored);
    let pairing = memory.stored + WORD * folded.words;
    let mut shape = Shape {
        batch_places: system.batch_places,
        points: system.commitments() + 2,
        scalars: system.evaluations,
        verifying_key_length: 1 + memory.key_end - KEY,
        digest: B256::ZERO,
    };
    let proof = CALLDATA_PUBLIC_INPUTS + WORD * (system.public_inputs() + 1);
    let parts = [
        ("SQUEEZE", squeeze(system)),
        ("CONSTRAINTS", folded.functions),
        ("FOLDED", folded.calls),
        ("CALLDATA_PROOF", format!("{proof:#x}")),
        ("CALLDATA_LENGTH", (proof + shape.proof_length()).to_string()),
        ("PROOF_LENGTH", shape.proof_length().to_string()),
        ("VERIFYING_KEY_LENGTH", shape.verifying_key_length.to_string()),
    ];
    let names = memory.names(system).into_iter().chain([("PAIRING", pairing)]);
    let addresses = names.map(|(name, address)| (name, format!("{address:#x}")));
    let mut source = TEMPLATE.to_owned();
    for (name, value) in counts(system).into_iter().chain(errors()).chain(addresses).chain(parts) {
        source = source.replace(&format!("@{name}@"), &value);
    }
    // The source says all that the constraint system and the key's layout say.
    shape.digest =
        keccak256([b"tenon.v1.verifier".as_slice(), &opening_list(system), source.as_bytes()].concat());
    let source = source.replace("@SHAPE@", &shape.digest.to_string());
    (source, shape)
}

fn counts(system: &System) -> Vec<(&'static str, String)> {
    vec![
        ("BATCH_PLACES", system.batch_places.to_string()),
        ("PUBLIC_INPUTS", system.public_inputs().to_string()),
        ("INSTANCES", system.instances().to_string()),
        ("COMMITMENTS", (system.commitments() + 2).to_string()),
        ("EVALUATIONS", system.evaluations.to_string()),
        ("FIXED_COLUMNS", system.fixed.to_string()),
        ("PERMUTATION_COLUMNS", system.permuted.to_string()),
        ("BLINDING_ROWS", system.blinding_rows.to_string()),
    ]
}

fn errors() -> Vec<(&'static str, String)> {
    fn selector<E: SolError>() -> String {
        format!("0x{}", hex::encode(E::SELECTOR))
    }
    vec![
        ("ERROR_CALLDATA_LENGTH", selector::<IVerifier::CalldataLength>()),
        ("ERROR_CALLDATA_OFFSET", selector::<IVerifier::CalldataOffset>()),
        ("ERROR_PUBLIC_INPUTS_LENGTH", selector::<IVerifier::PublicInputsLength>()),
        ("ERROR_PROOF_LENGTH", selector::<IVerifier::ProofLength>()),
        ("ERROR_PUBLIC_INPUT_OUT_OF_RANGE", selector::<IVerifier::PublicInputOutOfRange>()),
        ("ERROR_SCALAR_OUT_OF_RANGE", selector::<IVerifier::ScalarOutOfRange>()),
        ("ERROR_COORDINATE_OUT_OF_RANGE", selector::<IVerifier::CoordinateOutOfRange>()),
        ("ERROR_POINT_AT_INFINITY", selector::<IVerifier::PointAtInfinity>()),
        ("ERROR_POINT_NOT_ON_CURVE", selector::<IVerifier::PointNotOnCurve>()),
        ("ERROR_DEGENERATE_CHALLENGE", selector::<IVerifier::DegenerateChallenge>()),
        ("ERROR_PRECOMPILE_FAILED", selector::<IVerifier::PrecompileFailed>()),
        ("ERROR_PROOF_REJECTED", selector::<IVerifier::ProofRejected>()),
        ("ERROR_VERIFYING_KEY_HASH", selector::<IVerifier::VerifyingKeyHash>()),
    ]
}

/// Where the parts of memory start whose place depends on the constraint system.
struct Memory {
    weights: usize,
    openings: usize,
    constants: usize,
    commitments: usize,
    key_end: usize,
    instances: usize,
    proof: usize,
    evaluations: usize,
    opening: usize,
    fractions: usize,
    inverses: usize,
    inverses_end: usize,
    differences: usize,
    set_values: usize,
    set_inverses: usize,
    set_partials: usize,
    stored: usize,
}

impl Memory {
    fn new(system: &System) -> Self {
        let weights = KEY + WORD * (HEADER_WORDS + system.rotations.len());
        let openings = weights + WORD * system.weights();
        let constants = openings + WORD * opening_words(system);
        let commitments = constants + WORD * system.graph.constants().len();
        let key_end = commitments + POINT * (system.fixed + system.permuted);
        let instances = key_end + WORD;
        let proof = instances + WORD * system.instances();
        let evaluations = proof + POINT * system.commitments();
        let opening = evaluations + WORD * system.evaluations;
        let fractions = opening + 2 * POINT;
        let inverses = fractions + WORD * FRACTIONS;
        let inverses_end = inverses + WORD * (FRACTIONS + OTHER_INVERSES);
        let differences = inverses_end + (inverses_end - inverses);
        let set_values = differences + WORD * system.rotations.len();
        let set_inverses = set_values + WORD * system.sets.len();
        let set_partials = set_inverses + WORD * system.sets.len();
        Self {
            weights,
            openings,
            constants,
            commitments,
            key_end,
            instances,
            proof,
            evaluations,
            opening,
            fractions,
            inverses,
            inverses_end,
            differences,
            set_values,
            set_inverses,
            set_partials,
            stored: set_partials + WORD * system.sets.len(),
        }
    }

    fn names(&self, system: &System) -> Vec<(&'static str, usize)> {
        let [permuted, products, quotients, end] = system.rounds.map(|count| self.proof + POINT * count);
        vec![
            ("KEY_WEIGHTS", self.weights),
            ("KEY_OPENINGS", self.openings),
            ("DIGEST", self.key_end),
            ("INSTANCES_POINTER", self.instances),
            ("INSTANCE_LIMBS", self.proof - WORD * ACCUMULATOR_LIMBS),
            ("PROOF", self.proof),
            ("PERMUTED_POINTS", permuted),
            ("PRODUCT_POINTS", products),
            ("QUOTIENT_POINTS", quotients),
            ("QUOTIENT_POINTS_LAST", end - POINT),
            ("EVALS", self.evaluations),
            ("W", self.opening),
            ("W_PRIME", self.opening + POINT),
            ("PROOF_END", self.opening + 2 * POINT),
            ("LAGRANGE_LAST", self.fractions),
            ("LAGRANGE_BLINDING", self.fractions + WORD),
            ("LAGRANGE_FIRST", self.fractions + 2 * WORD),
            ("INSTANCE_EVAL", self.fractions + 3 * WORD),
            ("INVERSE_LAST", self.inverses),
            ("INVERSE_VANISHING", self.inverses + WORD * FRACTIONS),
            ("INVERSE_X", self.inverses + WORD * (FRACTIONS + 1)),
            ("INVERSES_END", self.inverses_end),
            ("DIFFERENCES", self.differences),
            ("SET_VALUES", self.set_values),
            ("SET_INVERSES", self.set_inverses),
            ("SET_PARTIALS", self.set_partials),
        ]
    }

    fn address(&self, value: Value) -> usize {
        match value {
            Value::Evaluation(position) => self.evaluations + WORD * position,
            Value::LagrangeLast => self.fractions,
            Value::LagrangeBlinding => self.fractions + WORD,
            Value::LagrangeFirst => self.fractions + 2 * WORD,
            Value::Instance => self.fractions + 3 * WORD,
            Value::Theta => THETA,
            Value::Beta => BETA,
            Value::Gamma => GAMMA,
            Value::Y => Y,
            Value::X => X,
            Value::Constant(position) => self.constants + WORD * position,
        }
    }

    fn commitment(&self, polynomial: Polynomial) -> usize {
        match polynomial {
            Polynomial::Key(position) => self.commitments + POINT * position,
            Polynomial::Proof(position) => self.proof + POINT * position,
            Polynomial::Quotient => QUOTIENT_POINT,
        }
    }
}

/// The challenges, each a hash of what was read since the one before.
fn squeeze(system: &System) -> String {
    let rounds = [
        ("INSTANCES", "PERMUTED_POINTS", true, &["THETA"][..]),
        ("PERMUTED_POINTS", "PRODUCT_POINTS", system.rounds[0] < system.rounds[1], &["BETA", "GAMMA"]),
        ("PRODUCT_POINTS", "QUOTIENT_POINTS", true, &["Y"]),
        ("QUOTIENT_POINTS", "EVALS", true, &["X"]),
        ("EVALS", "W", true, &["MU", "NU"]),
        ("W", "W_PRIME", true, &["U"]),
        ("W_PRIME", "PROOF_END", true, &["RHO"]),
    ];
    let mut lines = vec!["let hash := mload(DIGEST)".to_owned()];
    for (start, end, is_read, challenges) in rounds {
        for (index, challenge) in challenges.iter().enumerate() {
            let squeezed = if index == 0 && is_read {
                format!("squeeze(hash, {start}, {end})")
            } else {
                "squeezeAgain(hash)".to_owned()
            };
            lines.push(format!("hash := {squeezed}"));
            lines.push(format!("mstore({challenge}, mod(hash, R))"));
        }
    }
    indented(&lines).trim_end().to_owned()
}

fn indented(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "                {line}");
        text
    })
}

/// What is opened where, as the template's `KEY_OPENINGS` says, filled up to whole words.
pub(super) fn opening_list(system: &System) -> Vec<u8> {
    let memory = Memory::new(system);
    let mut entries = Vec::new();
    for set in &system.sets {
        entries.extend([set.rotations.len(), set.polynomials.len()]);
        for (place, rotation) in set.rotations.iter().enumerate() {
            entries.push(memory.differences + WORD * rotation);
            entries.extend(set.polynomials.iter().rev().map(|(_, evaluations)| {
                match evaluations.get(place).copied().flatten() {
                    Some(position) => memory.address(Value::Evaluation(position)),
                    None => QUOTIENT_EVAL,
                }
            }));
        }
        entries.extend(set.polynomials.iter().rev().map(|(polynomial, _)| memory.commitment(*polynomial)));
    }
    let mut bytes: Vec<u8> = entries.into_iter().flat_map(|entry| (entry as u16).to_be_bytes()).collect();
    bytes.resize(WORD * opening_words(system), 0);
    bytes
}

fn opening_words(system: &System) -> usize {
    let entries = system
        .sets
        .iter()
        .map(|set| 2 + set.rotations.len() * (1 + set.polynomials.len()) + set.polynomials.len());
    (2 * entries.sum::<usize>()).div_ceil(WORD)
}
