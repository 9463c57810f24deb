//! What an aggregate proof says, natively and in the circuit.
//!
//! The `n >= 2` leaf proofs describe chunks in order; the last ones may be padding, which is verified like
//! the others but says nothing. With `start_i = (commit_in_i == 0)`:
//!
//! | constraint | of |
//! |---|---|
//! | `padding_i` is a bit, `padding_0 = 0`, `padding_{i-1} <= padding_i` | all |
//! | `commit_in_0 = 0` | the first |
//! | `domain_i = domain_0` | chunks |
//! | `state_in_i = state_out_{i-1}` | chunks but the first |
//! | `y_d_in_i = 0`, `y_l_in_i = 0` | chunks that start a batch |
//! | `batch_i`, `z_d_i`, `z_l_i` equal those of `i-1` | chunks that don't start a batch |
//! | `commit_in_i`, `y_d_in_i`, `y_l_in_i` are `commit_out_{i-1}`, `y_d_out_{i-1}`, `y_l_out_{i-1}` | the same |
//!
//! Place `j` of the output holds the `j`-th batch: domain, batch, state_in and both points of its first chunk,
//! state_out, commit_out and both evaluations of its last. Places without a batch hold 0. That a batch's last chunk here is
//! its last at all follows from its commitment, which whoever reads the output compares with the data.

use halo2_base::{
    AssignedValue, Context,
    QuantumCell::{Constant, Existing},
    gates::{GateChip, GateInstructions},
};
use halo2_proofs::{arithmetic::Field, halo2curves::bn256::Fr};

use crate::{
    public_inputs::{BatchPublicInputs, LEAF_PUBLIC_INPUTS, LeafPublicInputs},
    rollup::{
        self,
        evaluation::{Evaluations, da_limbs},
        field::to_hex,
    },
};

/// Positions in [`LeafPublicInputs::to_array`].
mod input {
    pub(super) const DOMAIN: usize = 0;
    pub(super) const BATCH: usize = 1;
    pub(super) const STATE_IN: usize = 2;
    pub(super) const STATE_OUT: usize = 3;
    pub(super) const COMMIT_IN: usize = 4;
    pub(super) const COMMIT_OUT: usize = 5;
    pub(super) const Z_D: usize = 6;
    pub(super) const Y_D_IN: [usize; 2] = [7, 8];
    pub(super) const Y_D_OUT: [usize; 2] = [9, 10];
    pub(super) const Z_L: usize = 11;
    pub(super) const Y_L_IN: usize = 12;
    pub(super) const Y_L_OUT: usize = 13;
}

/// What all chunks of a batch share.
const SHARED: [usize; 3] = [input::BATCH, input::Z_D, input::Z_L];
/// What a chunk takes from the chunk before it in the same batch, as (in, out).
const CHAINED: [(usize, usize); 4] = [
    (input::COMMIT_IN, input::COMMIT_OUT),
    (input::Y_D_IN[0], input::Y_D_OUT[0]),
    (input::Y_D_IN[1], input::Y_D_OUT[1]),
    (input::Y_L_IN, input::Y_L_OUT),
];
/// What is 0 where a batch starts, besides the commitment, which says that it does.
const ZERO_AT_START: [usize; 3] = [input::Y_D_IN[0], input::Y_D_IN[1], input::Y_L_IN];

/// Leaf proofs don't follow each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The first chunk continues a batch.
    #[error("leaf proof 0 continues a batch: its commit_in is {commit_in} instead of 0")]
    NotAStart {
        /// The chunk's commitment on entry.
        commit_in: String,
    },
    /// A chunk's value isn't what the chunks before it demand.
    #[error(
        "leaf proof {index} doesn't follow its predecessor: its {field} is {actual} instead of {expected}"
    )]
    Broken {
        /// Position of the proof, from 0.
        index: usize,
        /// The public input that doesn't fit.
        field: &'static str,
        /// The value that would fit.
        expected: String,
        /// The value found.
        actual: String,
    },
}

/// The batches that chunks make up.
///
/// # Errors
/// When the chunks don't follow each other.
pub fn batches(leaves: &[LeafPublicInputs]) -> Result<Vec<BatchPublicInputs>, ChainError> {
    let mut batches: Vec<BatchPublicInputs> = Vec::new();
    let zero = rollup::Fr::from(0);
    for (index, leaf) in leaves.iter().enumerate() {
        let check = |field, expected: rollup::Fr, actual: rollup::Fr| {
            if expected == actual {
                return Ok(());
            }
            let [expected, actual] = [expected, actual].map(|value| to_hex(&value));
            Err(ChainError::Broken { index, field, expected, actual })
        };
        let check_evaluations = |expected: &Evaluations, actual: &Evaluations| {
            let ([low, high], [actual_low, actual_high]) = (da_limbs(&expected.y_d), da_limbs(&actual.y_d));
            check("y_d_in (low)", low, actual_low)?;
            check("y_d_in (high)", high, actual_high)?;
            check("y_l_in", expected.y_l, actual.y_l)
        };
        let starts = leaf.commit_in == zero;
        match batches.last_mut() {
            None if !starts => return Err(ChainError::NotAStart { commit_in: to_hex(&leaf.commit_in) }),
            None => {}
            Some(batch) => {
                check("domain", batch.domain, leaf.domain)?;
                check("state_in", batch.state_out, leaf.state_in)?;
                if !starts {
                    let (points, before) = (&batch.points, &batch.evaluations);
                    check("commit_in", batch.commit, leaf.commit_in)?;
                    check("batch", batch.batch, leaf.batch)?;
                    check("z_d", points.z_d.into(), leaf.points.z_d.into())?;
                    check("z_l", points.z_l.into(), leaf.points.z_l.into())?;
                    check_evaluations(before, &leaf.evaluations_in)?;
                    batch.state_out = leaf.state_out;
                    batch.commit = leaf.commit_out;
                    batch.evaluations = leaf.evaluations_out;
                }
            }
        }
        if starts {
            check_evaluations(&Evaluations::default(), &leaf.evaluations_in)?;
            batches.push(BatchPublicInputs {
                domain: leaf.domain,
                batch: leaf.batch,
                state_in: leaf.state_in,
                state_out: leaf.state_out,
                commit: leaf.commit_out,
                points: leaf.points,
                evaluations: leaf.evaluations_out,
            });
        }
    }
    Ok(batches)
}

/// A leaf's public inputs as cells, in the order of [`LeafPublicInputs::to_array`].
pub(super) type LeafCells = [AssignedValue<Fr>; LEAF_PUBLIC_INPUTS];

/// Constrains the leaves' public inputs as the module's page says and returns the output places, one
/// after the other. `padding` holds 1 for leaves that are padding, 0 for the others.
pub(super) fn constrain(
    ctx: &mut Context<Fr>,
    gate: &GateChip<Fr>,
    leaves: &[LeafCells],
    padding: &[Fr],
) -> Vec<AssignedValue<Fr>> {
    let n = leaves.len();
    let zero = ctx.load_constant(Fr::ZERO);
    let assert_zero = |ctx: &mut Context<Fr>, value: AssignedValue<Fr>| ctx.constrain_equal(&value, &zero);
    // factor · (left − right) = 0
    let assert_equal_if = |ctx: &mut Context<Fr>,
                           factor: AssignedValue<Fr>,
                           left: AssignedValue<Fr>,
                           right: AssignedValue<Fr>| {
        let difference = gate.sub(ctx, left, right);
        let product = gate.mul(ctx, factor, difference);
        assert_zero(ctx, product);
    };

    // `starts[i]`: leaf i is the first chunk of a batch. `continues[i]`: it is a chunk, but not the first.
    let mut starts = Vec::with_capacity(n);
    let mut continues = Vec::with_capacity(n);
    let mut previous: Option<(&LeafCells, AssignedValue<Fr>)> = None;
    for (leaf, is_padding) in leaves.iter().zip(padding) {
        let is_padding = ctx.load_witness(*is_padding);
        gate.assert_bit(ctx, is_padding);
        match previous {
            None => {
                assert_zero(ctx, is_padding);
                assert_zero(ctx, leaf[input::COMMIT_IN]);
                for zeroed in ZERO_AT_START {
                    assert_zero(ctx, leaf[zeroed]);
                }
                starts.push(gate.not(ctx, is_padding));
                continues.push(zero);
            }
            Some((before, was_padding)) => {
                let is_chunk = gate.not(ctx, is_padding);
                let resumes = gate.mul(ctx, was_padding, is_chunk);
                assert_zero(ctx, resumes);

                let no_commitment = gate.is_zero(ctx, leaf[input::COMMIT_IN]);
                let starts_here = gate.mul(ctx, is_chunk, no_commitment);
                let continues_here = gate.sub(ctx, is_chunk, starts_here);
                assert_equal_if(ctx, is_chunk, leaf[input::DOMAIN], before[input::DOMAIN]);
                assert_equal_if(ctx, is_chunk, leaf[input::STATE_IN], before[input::STATE_OUT]);
                for shared in SHARED {
                    assert_equal_if(ctx, continues_here, leaf[shared], before[shared]);
                }
                for (into, out) in CHAINED {
                    assert_equal_if(ctx, continues_here, leaf[into], before[out]);
                }
                for zeroed in ZERO_AT_START {
                    assert_equal_if(ctx, starts_here, leaf[zeroed], zero);
                }
                starts.push(starts_here);
                continues.push(continues_here);
            }
        }
        previous = Some((leaf, is_padding));
    }

    // `holds[i][j]`: leaf i belongs to the batch in place j. `first[i][j]`: and starts it. `last[i][j]`: and
    // no leaf after it does. Whoever starts moves on by a place, whoever continues stays.
    let mut first: Vec<Vec<AssignedValue<Fr>>> = Vec::with_capacity(n);
    let mut holds: Vec<Vec<AssignedValue<Fr>>> = Vec::with_capacity(n);
    for (starts, continues) in starts.iter().zip(&continues) {
        let (first_row, holds_row) = match holds.last() {
            None => {
                let row = (0..n).map(|place| if place == 0 { *starts } else { zero }).collect::<Vec<_>>();
                (row.clone(), row)
            }
            Some(before) => (0..n)
                .map(|place| {
                    let moved = match place.checked_sub(1).and_then(|place| before.get(place)) {
                        Some(before) => gate.mul(ctx, *starts, *before),
                        None => zero,
                    };
                    let stayed = before.get(place).copied().unwrap_or(zero);
                    (moved, gate.mul_add(ctx, *continues, stayed, moved))
                })
                .unzip(),
        };
        first.push(first_row);
        holds.push(holds_row);
    }
    let last = holds
        .iter()
        .enumerate()
        .map(|(i, row)| match continues.get(i + 1) {
            Some(continued) => row.iter().map(|held| gate.mul_not(ctx, *continued, *held)).collect(),
            None => row.clone(),
        })
        .collect::<Vec<Vec<_>>>();

    let mut outputs = Vec::new();
    for place in 0..n {
        for (input, selected) in [
            (input::DOMAIN, &first),
            (input::BATCH, &first),
            (input::STATE_IN, &first),
            (input::STATE_OUT, &last),
            (input::COMMIT_OUT, &last),
            (input::Z_D, &first),
            (input::Y_D_OUT[0], &last),
            (input::Y_D_OUT[1], &last),
            (input::Z_L, &first),
            (input::Y_L_OUT, &last),
        ] {
            let values = leaves.iter().map(|leaf| Existing(leaf[input])).collect::<Vec<_>>();
            let bits =
                selected.iter().map(|row| row.get(place).map_or(Constant(Fr::ZERO), |bit| Existing(*bit)));
            outputs.push(gate.inner_product(ctx, values, bits));
        }
    }
    outputs
}

#[cfg(test)]
mod tests {
    use halo2_base::gates::circuit::{CircuitBuilderStage, builder::BaseCircuitBuilder};
    use halo2_proofs::dev::MockProver;

    use super::*;
    use crate::{halo2::to_circuit, public_inputs::BATCH_PUBLIC_INPUTS};

    const K: usize = 10;

    /// domain, batch, state_in, state_out, commit_in, commit_out
    type Leaf = [u64; LEAF_PUBLIC_INPUTS];
    type Place = [u64; BATCH_PUBLIC_INPUTS];

    /// The circuit's verdict on leaves and padding with these outputs; on its own outputs if none are given.
    fn accepts(leaves: &[Leaf], padding: &[bool], outputs: Option<&[Place]>) -> bool {
        let padding = padding.iter().map(|padding| Fr::from(u64::from(*padding))).collect::<Vec<_>>();
        failures(leaves, &padding, outputs) == 0
    }

    /// How many constraints fail.
    fn failures(leaves: &[Leaf], padding: &[Fr], outputs: Option<&[Place]>) -> usize {
        let mut builder =
            BaseCircuitBuilder::from_stage(CircuitBuilderStage::Mock).use_k(K).use_instance_columns(1);
        let gate = GateChip::default();
        let ctx = builder.main(0);
        let cells =
            leaves.iter().map(|leaf| leaf.map(|value| ctx.load_witness(Fr::from(value)))).collect::<Vec<_>>();
        let cells = constrain(ctx, &gate, &cells, padding);
        let values = match outputs {
            Some(outputs) => outputs.iter().flatten().map(|value| Fr::from(*value)).collect(),
            None => cells.iter().map(|cell| *cell.value()).collect(),
        };
        builder.assigned_instances = vec![cells];
        builder.calculate_params(Some(20));
        MockProver::run(K as u32, &builder, vec![values])
            .unwrap()
            .verify()
            .err()
            .map_or(0, |failures| failures.len())
    }

    fn native(leaves: &[Leaf]) -> Result<Vec<BatchPublicInputs>, ChainError> {
        let leaves = leaves.iter().map(|leaf| LeafPublicInputs::from_array(leaf.map(rollup::Fr::from)));
        batches(&leaves.collect::<Vec<_>>())
    }

    /// The circuit accepts exactly these outputs, and the native code agrees.
    fn check(leaves: &[Leaf], padding: &[bool], outputs: &[Place]) {
        assert!(accepts(leaves, padding, Some(outputs)));
        let chunks = padding.iter().filter(|padding| !**padding).count();
        let places = native(&leaves[..chunks]).unwrap();
        let used = outputs.iter().take_while(|place| **place != [0; 5]).count();
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

    const NONE: Place = [0; 5];
    const A1: Leaf = [7, 1, 100, 101, 0, 11];
    const A2: Leaf = [7, 1, 101, 102, 11, 12];
    const A3: Leaf = [7, 1, 102, 103, 12, 13];
    const B1: Leaf = [7, 2, 102, 105, 0, 21];
    const B2: Leaf = [7, 2, 105, 106, 21, 22];
    /// A proof of some other rollup's chunk: padding's public inputs don't matter.
    const PAD: Leaf = [9, 5, 300, 301, 17, 18];
    const EMPTY: Leaf = [0, 0, 300, 300, 0, 18];

    #[test]
    fn one_batch_of_two_chunks() {
        check(&[A1, A2], &[false, false], &[[7, 1, 100, 102, 12], NONE]);
    }

    #[test]
    fn two_batches_of_one_chunk() {
        let first = [7, 1, 100, 102, 0, 12];
        check(&[first, B1], &[false, false], &[[7, 1, 100, 102, 12], [7, 2, 102, 105, 21]]);
    }

    #[test]
    fn padding_is_ignored() {
        for pad in [PAD, EMPTY] {
            check(&[A1, pad], &[false, true], &[[7, 1, 100, 101, 11], NONE]);
            check(&[A1, pad, pad], &[false, true, true], &[[7, 1, 100, 101, 11], NONE, NONE]);
        }
    }

    #[test]
    fn batches_of_several_chunks_and_padding() {
        let outputs = [[7, 1, 100, 102, 12], [7, 2, 102, 106, 22], NONE, NONE, NONE];
        check(&[A1, A2, B1, B2, PAD], &[false, false, false, false, true], &outputs);
        let outputs = [[7, 1, 100, 103, 13], NONE, NONE, NONE];
        check(&[A1, A2, A3, EMPTY], &[false, false, false, true], &outputs);
        let second = [7, 2, 103, 105, 0, 21];
        let outputs = [[7, 1, 100, 103, 13], [7, 2, 103, 106, 22], NONE, NONE, NONE];
        check(&[A1, A2, A3, second, B2], &[false; 5], &outputs);
    }

    /// `A2` or `B1` with one value changed.
    fn changed(leaf: Leaf, input: usize, value: u64) -> Leaf {
        let mut leaf = leaf;
        leaf[input] = value;
        leaf
    }

    #[test]
    fn a_gap_in_the_state_is_refused() {
        check_refused(&[A1, changed(A2, 2, 99)], &[false, false]);
        check_refused(&[A1, A2, changed(B1, 2, 99)], &[false; 3]);
        check_refused(&[A1, A3], &[false, false]);
    }

    #[test]
    fn a_gap_in_the_commitment_is_refused() {
        check_refused(&[A1, changed(A2, 4, 10)], &[false, false]);
        check_refused(&[A1, A2, changed(A3, 4, 11)], &[false; 3]);
    }

    #[test]
    fn another_domain_is_refused() {
        check_refused(&[A1, changed(A2, 0, 8)], &[false, false]);
        check_refused(&[A1, A2, changed(B1, 0, 8)], &[false; 3]);
    }

    #[test]
    fn another_batch_number_within_a_batch_is_refused() {
        check_refused(&[A1, changed(A2, 1, 2)], &[false, false]);
        check_refused(&[A1, A2, B1, changed(B2, 1, 3)], &[false; 4]);
    }

    #[test]
    fn a_first_leaf_that_continues_a_batch_is_refused() {
        check_refused(&[A2, A3], &[false, false]);
        check_refused(&[changed(A1, 4, 1), A2], &[false, false]);
    }

    #[test]
    fn swapped_chunks_and_batches_are_refused() {
        check_refused(&[A2, A1], &[false, false]);
        check_refused(&[A1, A3, A2], &[false; 3]);
        check_refused(&[B1, A1], &[false; 2]);
        check_refused(&[A1, B1, A2], &[false; 3]);
    }

    #[test]
    fn padding_before_a_chunk_is_refused() {
        check_refused(&[PAD, A1], &[true, false]);
        check_refused(&[A1, A2], &[true, true]);
        // With values that fit each other, so that nothing but the order of padding is wrong.
        check_refused(&[A1, A2, A3], &[false, true, false]);
        check_refused(&[A1, A2], &[true, false]);
    }

    #[test]
    fn a_chunk_can_not_pass_as_padding_and_count() {
        assert!(!accepts(&[A1, A2], &[false, true], Some(&[[7, 1, 100, 102, 12], NONE])));
        assert!(!accepts(&[A1, B1], &[false, true], Some(&[[7, 1, 100, 101, 11], [7, 2, 102, 105, 21]])));
    }

    #[test]
    fn padding_that_is_no_bit_is_refused() {
        assert_eq!(failures(&[A1, A2], &[Fr::ZERO, Fr::ONE], None), 0);
        assert_ne!(failures(&[A1, A2], &[Fr::ZERO, Fr::from(2)], None), 0);
        assert_ne!(failures(&[A1, A2, A3], &[Fr::ZERO, Fr::from(2).invert().unwrap(), Fr::ONE], None), 0);
    }

    #[test]
    fn errors_name_what_does_not_fit() {
        let error = native(&[A1, changed(A2, 2, 99)]).unwrap_err();
        assert!(matches!(error, ChainError::Broken { index: 1, field: "state_in", .. }));
        let error = native(&[A1, changed(A2, 4, 99)]).unwrap_err();
        assert!(matches!(error, ChainError::Broken { index: 1, field: "commit_in", .. }));
        let error = native(&[A1, changed(A2, 1, 99)]).unwrap_err();
        assert!(matches!(error, ChainError::Broken { index: 1, field: "batch", .. }));
        let error = native(&[A1, A2, changed(B1, 0, 99)]).unwrap_err();
        assert!(matches!(error, ChainError::Broken { index: 2, field: "domain", .. }));
        let error = native(&[A2]).unwrap_err();
        assert!(matches!(error, ChainError::NotAStart { .. }));
        assert_eq!(native(&[]).unwrap(), []);
    }
}
