//! Each constraint broken alone, and what the circuit and the native code make of it.

use std::sync::OnceLock;

use super::*;
use crate::{
    gadgets::arithmetic::free,
    halo2::{
        checker::{Checker, Violation},
        to_circuit,
    },
    public_inputs::BATCH_PUBLIC_INPUTS,
    rollup::evaluation::{DaScalar, Points},
};

const K: u32 = 12;
const VIOLATIONS: usize = 100;

/// In the order of [`LeafPublicInputs::to_array`].
type Leaf = [u64; LEAF_PUBLIC_INPUTS];
/// In the order of [`BatchPublicInputs::to_array`].
type Place = [u64; BATCH_PUBLIC_INPUTS];

const A1: Leaf = [7, 1, 100, 101, 0, 11, 51, 0, 0, 111, 121, 61, 0, 131];
const A2: Leaf = [7, 1, 101, 102, 11, 12, 51, 111, 121, 112, 122, 61, 131, 132];
const A3: Leaf = [7, 1, 102, 103, 12, 13, 51, 112, 122, 113, 123, 61, 132, 133];
const B1: Leaf = [7, 2, 102, 105, 0, 21, 52, 0, 0, 211, 221, 62, 0, 231];
const B2: Leaf = [7, 2, 105, 106, 21, 22, 52, 211, 221, 212, 222, 62, 231, 232];
/// A proof of some other rollup's chunk: padding's public inputs don't matter.
const PAD: Leaf = [9, 5, 300, 301, 17, 18, 91, 1, 2, 3, 4, 92, 5, 6];
const EMPTY: Leaf = [0, 0, 300, 300, 0, 18, 0, 0, 0, 3, 4, 0, 0, 6];

/// The batches of the first one, two and three of `A`'s chunks, and those of `B`'s.
const A_1: Place = [7, 1, 100, 101, 11, 51, 111, 121, 61, 131];
const A_12: Place = [7, 1, 100, 102, 12, 51, 112, 122, 61, 132];
const A_123: Place = [7, 1, 100, 103, 13, 51, 113, 123, 61, 133];
const B_1: Place = [7, 2, 102, 105, 21, 52, 211, 221, 62, 231];
const B_12: Place = [7, 2, 102, 106, 22, 52, 212, 222, 62, 232];
const NONE: Place = [0; BATCH_PUBLIC_INPUTS];

/// `leaf` with one value changed.
fn changed(mut leaf: Leaf, input: usize, value: u64) -> Leaf {
    leaf[input] = value;
    leaf
}

/// The constraints that fail on leaves and padding with these outputs; on the circuit's own outputs if none are
/// given.
fn failures(leaves: &[Leaf], padding: &[Fr], outputs: Option<&[Place]>) -> Vec<Violation> {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    let mut trace = Trace::new();
    let cells =
        leaves.iter().map(|leaf| leaf.map(|value| free(&mut trace, Fr::from(value)))).collect::<Vec<_>>();
    let places = outputs.map_or(leaves.len(), <[Place]>::len);
    let cells = constrain(&mut trace, &cells, padding, places);
    let values: Vec<Fr> = match outputs {
        Some(outputs) => outputs.iter().flatten().map(|value| Fr::from(*value)).collect(),
        None => cells.iter().map(|cell| cell.value).collect(),
    };
    assert_eq!(cells.len(), values.len());
    for (index, cell) in cells.into_iter().enumerate() {
        trace.publish(cell, index);
    }
    CHECKER.get_or_init(Checker::new).check(&trace, K, &values, VIOLATIONS)
}

fn bits(padding: &[bool]) -> Vec<Fr> {
    padding.iter().map(|padding| Fr::from(u64::from(*padding))).collect()
}

/// The circuit's verdict.
fn accepts(leaves: &[Leaf], padding: &[bool], outputs: Option<&[Place]>) -> bool {
    failures(leaves, &bits(padding), outputs).is_empty()
}

/// Whether one constraint fails and nothing else.
fn breaks_one_constraint(leaves: &[Leaf], padding: &[Fr]) -> bool {
    matches!(failures(leaves, padding, None).as_slice(), [Violation::Constraint { .. }])
}

fn native(leaves: &[Leaf]) -> Result<Vec<BatchPublicInputs>, ChainError> {
    let leaves = leaves.iter().map(|leaf| {
        let fr = |input: usize| rollup::Fr::from(leaf[input]);
        let da = |[low, high]: [usize; 2]| {
            let shift = DaScalar::from(u128::MAX) + DaScalar::from(1);
            DaScalar::from(leaf[low]) + DaScalar::from(leaf[high]) * shift
        };
        let inputs = LeafPublicInputs {
            domain: fr(input::DOMAIN),
            batch: fr(input::BATCH),
            state_in: fr(input::STATE_IN),
            state_out: fr(input::STATE_OUT),
            commit_in: fr(input::COMMIT_IN),
            commit_out: fr(input::COMMIT_OUT),
            points: Points { z_d: leaf[input::Z_D].into(), z_l: leaf[input::Z_L].into() },
            evaluations_in: Evaluations { y_d: da(input::Y_D_IN), y_l: fr(input::Y_L_IN) },
            evaluations_out: Evaluations { y_d: da(input::Y_D_OUT), y_l: fr(input::Y_L_OUT) },
        };
        assert_eq!(inputs.to_array(), leaf.map(rollup::Fr::from), "a position in `input` is wrong");
        inputs
    });
    batches(&leaves.collect::<Vec<_>>())
}

/// The circuit accepts exactly these outputs, and the native code agrees.
fn check(leaves: &[Leaf], padding: &[bool], outputs: &[Place]) {
    assert!(accepts(leaves, padding, Some(outputs)));
    let chunks = padding.iter().filter(|padding| !**padding).count();
    let places = native(&leaves[..chunks]).unwrap();
    let used = outputs.iter().take_while(|place| **place != NONE).count();
    assert_eq!(places.len(), used);
    for (place, expected) in places.iter().zip(outputs) {
        assert_eq!(place.to_array().map(to_circuit), expected.map(Fr::from));
    }
    for i in 0..outputs.len() * BATCH_PUBLIC_INPUTS {
        let mut changed = outputs.to_vec();
        changed[i / BATCH_PUBLIC_INPUTS][i % BATCH_PUBLIC_INPUTS] += 1;
        assert!(!accepts(leaves, padding, Some(&changed)), "output {i} is free");
    }
}

/// The circuit refuses whatever the outputs, and so does the native code unless padding is to blame.
fn check_refused(leaves: &[Leaf], padding: &[bool]) {
    assert!(!accepts(leaves, padding, None));
    if padding.iter().all(|padding| !padding) {
        native(leaves).unwrap_err();
    }
}

#[test]
fn one_batch_of_two_chunks() {
    check(&[A1, A2], &[false, false], &[A_12, NONE]);
}

#[test]
fn two_batches_of_one_chunk() {
    let second = changed(B1, input::STATE_IN, 101);
    check(&[A1, second], &[false, false], &[A_1, [7, 2, 101, 105, 21, 52, 211, 221, 62, 231]]);
}

#[test]
fn padding_is_ignored() {
    for pad in [PAD, EMPTY] {
        check(&[A1, pad], &[false, true], &[A_1, NONE]);
        check(&[A1, pad, pad], &[false, true, true], &[A_1, NONE, NONE]);
    }
    // Even if it would fit.
    check(&[A1, A2], &[false, true], &[A_1, NONE]);
}

#[test]
fn more_batches_than_places_are_refused() {
    let next = changed(B1, input::STATE_IN, 101);
    let second = [7, 2, 101, 105, 21, 52, 211, 221, 62, 231];
    assert!(accepts(&[A1, next], &[false, false], Some(&[A_1, second])));
    assert!(matches!(
        failures(&[A1, next], &bits(&[false, false]), Some(&[A_1])).as_slice(),
        [Violation::Constraint { .. }]
    ));
    assert!(matches!(
        failures(&[A1, A2, B1, B2], &bits(&[false; 4]), Some(&[A_12])).as_slice(),
        [Violation::Constraint { .. }]
    ));
    // Chunks and padding after the last place is taken don't matter, nor do places that are left.
    check(&[A1, A2, PAD], &[false, false, true], &[A_12]);
    check(&[A1, PAD], &[false, true], &[A_1, NONE, NONE]);

    let batches = |count: u64| -> Vec<Leaf> {
        (0..count).map(|i| [7, 1 + i, 100 + i, 101 + i, 0, 11, 51, 0, 0, 111, 121, 61, 0, 131]).collect()
    };
    let max = BATCH_PLACES as u64;
    assert_eq!(native(&batches(max)).unwrap().len(), BATCH_PLACES);
    let error = native(&batches(max + 1)).unwrap_err();
    assert_eq!(error, ChainError::TooManyBatches { max: BATCH_PLACES, actual: BATCH_PLACES + 1 });
}

#[test]
fn batches_of_several_chunks_and_padding() {
    let outputs = [A_12, B_12, NONE, NONE, NONE];
    check(&[A1, A2, B1, B2, PAD], &[false, false, false, false, true], &outputs);
    check(&[A1, A2, A3, EMPTY], &[false, false, false, true], &[A_123, NONE, NONE, NONE]);
    check(&[A1, A2, B1, PAD], &[false, false, false, true], &[A_12, B_1, NONE, NONE]);
    let second = changed(B1, input::STATE_IN, 103);
    let outputs = [A_123, [7, 2, 103, 106, 22, 52, 212, 222, 62, 232], NONE, NONE, NONE];
    check(&[A1, A2, A3, second, B2], &[false; 5], &outputs);
}

/// What each chunk has to have, by the name in errors.
const ALWAYS: [(&str, usize); 2] = [("domain", input::DOMAIN), ("state_in", input::STATE_IN)];
const WHERE_A_BATCH_STARTS: [(&str, usize); 3] =
    [("y_d_in (low)", input::Y_D_IN[0]), ("y_d_in (high)", input::Y_D_IN[1]), ("y_l_in", input::Y_L_IN)];
const WHERE_A_BATCH_CONTINUES: [(&str, usize); 7] = [
    ("batch", input::BATCH),
    ("z_d", input::Z_D),
    ("z_l", input::Z_L),
    ("commit_in", input::COMMIT_IN),
    ("y_d_in (low)", input::Y_D_IN[0]),
    ("y_d_in (high)", input::Y_D_IN[1]),
    ("y_l_in", input::Y_L_IN),
];

/// The last leaf's value is wrong: exactly one constraint and the native code say so.
fn check_broken(mut leaves: Vec<Leaf>, (name, input): (&'static str, usize), value: u64) {
    let last = leaves.len() - 1;
    assert!(accepts(&leaves, &vec![false; leaves.len()], None));
    assert_ne!(leaves[last][input], value);
    leaves[last][input] = value;
    assert!(breaks_one_constraint(&leaves, &vec![Fr::ZERO; leaves.len()]), "{name} = {value}");
    match native(&leaves).unwrap_err() {
        ChainError::Broken { index, field, .. } => assert_eq!((index, field), (last, name)),
        error => panic!("{name}: {error}"),
    }
    // The same values don't matter in padding.
    let mut padding = vec![false; leaves.len()];
    padding[last] = last > 0;
    assert_eq!(accepts(&leaves, &padding, None), last > 0);
}

#[test]
fn each_constraint_on_a_chunk_that_continues_a_batch() {
    for input in ALWAYS.into_iter().chain(WHERE_A_BATCH_CONTINUES) {
        check_broken(vec![A1, A2], input, A2[input.1] + 1);
        check_broken(vec![A1, A2, A3], input, A3[input.1] + 1);
        check_broken(vec![A1, A2, B1, B2], input, B2[input.1] + 1);
    }
    // Evaluations that start over within a batch.
    for input in WHERE_A_BATCH_STARTS {
        check_broken(vec![A1, A2], input, 0);
    }
}

#[test]
fn each_constraint_on_a_chunk_that_starts_a_batch() {
    for input in WHERE_A_BATCH_STARTS {
        check_broken(vec![A1], input, 1);
    }
    for input in ALWAYS.into_iter().chain(WHERE_A_BATCH_STARTS) {
        check_broken(vec![A1, A2, B1], input, B1[input.1] + 1);
    }
    // Evaluations that go on from the batch before.
    for ((name, input), out) in
        WHERE_A_BATCH_STARTS.into_iter().zip([input::Y_D_OUT[0], input::Y_D_OUT[1], input::Y_L_OUT])
    {
        check_broken(vec![A1, A2, B1], (name, input), A2[out]);
    }
}

#[test]
fn values_of_another_batch_are_refused() {
    for (into, out) in CHAINED {
        let name = WHERE_A_BATCH_CONTINUES.into_iter().find(|(_, input)| *input == into).unwrap();
        check_broken(vec![A1, A2, B1, B2], name, A2[out]);
    }
    for shared in SHARED {
        let name = WHERE_A_BATCH_CONTINUES.into_iter().find(|(_, input)| *input == shared).unwrap();
        check_broken(vec![A1, A2, B1, B2], name, A2[shared]);
    }
}

#[test]
fn a_first_leaf_that_continues_a_batch_is_refused() {
    let leaves = [changed(A1, input::COMMIT_IN, 1), A2];
    assert!(breaks_one_constraint(&leaves, &bits(&[false, false])));
    assert!(matches!(native(&leaves).unwrap_err(), ChainError::NotAStart { .. }));
    check_refused(&[A2, A3], &[false, false]);
    check_refused(&[A2, PAD], &[false, true]);
}

/// Only what a batch's last chunk says of its end is free: the output shows it.
#[test]
fn no_other_value_is_free() {
    let leaves = [A1, A2, B1, B2];
    let evaluations = [input::COMMIT_OUT, input::Y_D_OUT[0], input::Y_D_OUT[1], input::Y_L_OUT];
    for (index, leaf) in leaves.into_iter().enumerate() {
        for i in 0..LEAF_PUBLIC_INPUTS {
            let mut leaves = leaves;
            leaves[index] = changed(leaf, i, leaf[i] + 1);
            let free = match index {
                0 => i == input::STATE_IN,
                1 => evaluations.contains(&i),
                3 => i == input::STATE_OUT || evaluations.contains(&i),
                _ => false,
            };
            assert_eq!(accepts(&leaves, &[false; 4], None), free, "leaf {index}, input {i}");
            assert_eq!(native(&leaves).is_ok(), free, "leaf {index}, input {i}");
            let outputs = [A_12, B_12, NONE, NONE];
            assert!(!accepts(&leaves, &[false; 4], Some(&outputs)), "leaf {index}, input {i}");
        }
    }
}

#[test]
fn swapped_chunks_and_batches_are_refused() {
    check_refused(&[A2, A1], &[false, false]);
    check_refused(&[A1, A3], &[false, false]);
    check_refused(&[A1, A3, A2], &[false; 3]);
    check_refused(&[B1, A1], &[false; 2]);
    check_refused(&[A1, B1, A2], &[false; 3]);
    check_refused(&[A1, A2, B2], &[false; 3]);
    assert!(!accepts(&[A1, A2, B1, B2], &[false; 4], Some(&[B_12, A_12, NONE, NONE])));
    assert!(!accepts(&[A1, A2, B1, B2], &[false; 4], Some(&[A_12, NONE, B_12, NONE])));
}

#[test]
fn padding_before_a_chunk_is_refused() {
    check_refused(&[PAD, A1], &[true, false]);
    // With values that fit each other, so that nothing but the place of padding is wrong.
    assert!(breaks_one_constraint(&[A1, A2], &bits(&[true, true])));
    assert!(breaks_one_constraint(&[A1, A2, A3], &bits(&[false, true, false])));
    check_refused(&[A1, A2], &[true, false]);
}

#[test]
fn a_chunk_can_not_pass_as_padding_and_count() {
    assert!(!accepts(&[A1, A2], &[false, true], Some(&[A_12, NONE])));
    assert!(!accepts(&[A1, B1], &[false, true], Some(&[A_1, B_1])));
    assert!(!accepts(&[A1, A2], &[false, false], Some(&[A_1, NONE])));
}

#[test]
fn padding_that_is_no_bit_is_refused() {
    let half = Fr::from(2).invert().unwrap();
    assert!(failures(&[A1, A2], &bits(&[false, true]), None).is_empty());
    let failures_of_two = failures(&[A1, A2], &[Fr::ZERO, Fr::from(2)], None);
    assert!(matches!(failures_of_two.as_slice(), [Violation::Constraint { .. }]));
    assert!(!failures(&[A1, A2, A3], &[Fr::ZERO, half, Fr::ONE], None).is_empty());
}

#[test]
fn no_leaves_are_no_batches() {
    assert_eq!(native(&[]).unwrap(), []);
}
