//! Fills the template: all that differs between shapes are constants.

use alloy::{primitives::U256, sol_types::SolError};
use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};

use super::{
    data::HEADER_WORDS,
    shape::{LAST_ROTATION, QUOTIENT_POINTS, Shape},
};
use crate::bindings::IVerifier;

const TEMPLATE: &str = include_str!("verifier.sol.in");

const WORD: usize = 0x20;
const POINT: usize = 0x40;
/// Where the template puts the verifying key.
const KEY: usize = 0x3e0;
/// Where call data has the public inputs.
const CALLDATA_PUBLIC_INPUTS: usize = 0x64;
/// Values inverted beside the Lagrange denominators.
const OTHER_INVERSES: usize = 8;

/// The Solidity source of the verifier for a shape.
pub(super) fn render(shape: &Shape) -> String {
    let mut source = TEMPLATE.to_owned();
    for (name, value) in counts(shape).into_iter().chain(errors()) {
        source = source.replace(&format!("@{name}@"), &value);
    }
    for (name, address) in memory(shape) {
        source = source.replace(&format!("@{name}@"), &format!("{address:#x}"));
    }
    source
}

fn counts(shape: &Shape) -> Vec<(&'static str, String)> {
    let proof = CALLDATA_PUBLIC_INPUTS + WORD * (shape.public_inputs() + 1);
    let delta = U256::from_le_bytes(Fr::DELTA.to_repr());
    vec![
        ("SHAPE", shape.digest().to_string()),
        ("DELTA", format!("{delta:#066x}")),
        ("BATCH_PLACES", shape.batch_places.to_string()),
        ("PUBLIC_INPUTS", shape.public_inputs().to_string()),
        ("INSTANCES", shape.instances().to_string()),
        ("GATE_COLUMNS", shape.gate_columns.to_string()),
        ("LOOKUP_COLUMNS", shape.lookup_columns.to_string()),
        ("CONSTANT_COLUMNS", shape.constant_columns.to_string()),
        ("FIXED_COLUMNS", shape.fixed_columns().to_string()),
        ("PERMUTATION_COLUMNS", shape.permutation_columns().to_string()),
        ("PERMUTATION_PRODUCTS", shape.permutation_products().to_string()),
        ("CALLDATA_LENGTH", (proof + shape.proof_length()).to_string()),
        ("CALLDATA_PROOF", format!("{proof:#x}")),
        ("PROOF_LENGTH", shape.proof_length().to_string()),
        ("VERIFYING_KEY_LENGTH", shape.verifying_key_length().to_string()),
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

/// Hands out memory, one part after the other.
struct Memory {
    next: usize,
    parts: Vec<(&'static str, usize)>,
}

impl Memory {
    fn part(&mut self, name: &'static str, bytes: usize) {
        self.parts.push((name, self.next));
        self.next += bytes;
    }
}

/// The addresses of all parts whose place depends on the shape.
fn memory(shape: &Shape) -> Vec<(&'static str, usize)> {
    let fixed_end = KEY + WORD * HEADER_WORDS + POINT * shape.fixed_columns();
    let key_end = fixed_end + POINT * shape.permutation_columns();
    let mut memory = Memory {
        next: key_end,
        parts: vec![("KEY_FIXED_LAST", fixed_end - POINT), ("KEY_PERMUTATION_LAST", key_end - POINT)],
    };

    memory.part("DIGEST", WORD);
    memory.part("INSTANCES_POINTER", WORD * shape.public_inputs());
    memory.part("INSTANCE_LIMBS", WORD * super::ACCUMULATOR_LIMBS);
    memory.part("PROOF", POINT * shape.gate_columns);
    memory.part("LOOKUP_ADVICE_POINTS", POINT * shape.lookup_columns);
    memory.part("PERMUTED_POINTS", 2 * POINT * shape.lookup_columns);
    memory.part("PRODUCT_POINTS", POINT * (shape.permutation_products() + shape.lookup_columns));
    memory.part("RANDOM_POINT", POINT);
    memory.part("QUOTIENT_POINTS", QUOTIENT_POINTS * POINT);
    memory.part("ADVICE_EVALS", 4 * WORD * shape.gate_columns);
    memory.part("LOOKUP_ADVICE_EVALS", WORD * shape.lookup_columns);
    memory.part("FIXED_EVALS", WORD * shape.constant_columns);
    memory.part("TABLE_EVAL", WORD);
    memory.part("SELECTOR_EVALS", WORD * shape.gate_columns);
    memory.part("RANDOM_EVAL", WORD);
    memory.part("PERMUTATION_EVALS", WORD * shape.permutation_columns());
    memory.part("PRODUCT_EVALS", WORD * (3 * shape.permutation_products() - 1));
    memory.part("LOOKUP_EVALS", 5 * WORD * shape.lookup_columns);
    memory.part("W", POINT);
    memory.part("W_PRIME", POINT);
    memory.part("PROOF_END", 0);

    memory.part("COLUMN_EVALS", WORD * shape.constant_columns);
    memory.part("COLUMN_EVALS_GATE", WORD * shape.gate_columns);
    memory.part("COLUMN_EVALS_LOOKUP", WORD * shape.lookup_columns);
    memory.part("COLUMN_EVALS_INSTANCE", WORD);

    let rows_before_0 = LAST_ROTATION.unsigned_abs() as usize;
    memory.part("LAGRANGE", WORD * rows_before_0);
    memory.part("LAGRANGE_0", WORD * shape.instances());
    for name in [
        "INVERSE_VANISHING",
        "INVERSE_X",
        "INVERSE_0",
        "INVERSE_1",
        "INVERSE_2",
        "INVERSE_3",
        "INVERSE_PREVIOUS",
        "INVERSE_LAST",
    ] {
        memory.part(name, WORD);
    }
    let inverses = WORD * (rows_before_0 + shape.instances() + OTHER_INVERSES);
    memory.parts.push(("PARTIAL_PRODUCTS_GAP", inverses));
    memory.part("INVERSES_END", inverses);
    memory.part("PAIRING", 12 * WORD);
    memory.parts
}
