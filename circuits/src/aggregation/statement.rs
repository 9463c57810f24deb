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
//! | no batch starts when the one before it is in the last place | chunks that start a batch |
//! | `commit_in_i`, `y_d_in_i`, `y_l_in_i` are `commit_out_{i-1}`, `y_d_out_{i-1}`, `y_l_out_{i-1}` | the same |
//!
//! Place `j` of the output, of as many as the caller asks for, holds the `j`-th batch: domain, batch, state_in and both points of its first chunk,
//! state_out, commit_out and both evaluations of its last. Places without a batch hold 0.
//!
//! Left to whoever reads the output: that a batch's last chunk here is its last at all, which its commitment shows,
//! compared with the data; that batches are numbered in order; that the points are those drawn for the batch, so below
//! 2^128; that the limbs of `y_d` are those of an element, which the leaf circuit sees to for `y_d_out`.

use halo2_proofs::{arithmetic::Field, halo2curves::bn256::Fr};

use crate::{
    gadgets::arithmetic::{boolean, constant, equation, exclusive, is_zero, linear, multiply, product},
    halo2::trace::{Trace, Var},
    public_inputs::{BATCH_PLACES, BatchPublicInputs, LEAF_PUBLIC_INPUTS, LeafPublicInputs},
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
    /// There are more batches than places.
    #[error(
        "the leaf proofs make up {actual} batches, one proof has places for {max}: aggregate fewer at once"
    )]
    TooManyBatches {
        /// The places.
        max: usize,
        /// The batches.
        actual: usize,
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
/// When the chunks don't follow each other, or make up more batches than [`BATCH_PLACES`].
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
    if batches.len() > BATCH_PLACES {
        return Err(ChainError::TooManyBatches { max: BATCH_PLACES, actual: batches.len() });
    }
    Ok(batches)
}

/// A leaf's public inputs as cells, in the order of [`LeafPublicInputs::to_array`].
pub(super) type LeafCells = [Var; LEAF_PUBLIC_INPUTS];

fn assert_zero(trace: &mut Trace, value: Var) {
    equation(trace, &[(Fr::ONE, value.into())], None, Fr::ZERO);
}

/// `factor · (left − right) = 0`.
fn assert_equal_if(trace: &mut Trace, factor: Var, left: Var, right: Var) {
    let difference = linear(trace, &[(Fr::ONE, left), (-Fr::ONE, right)], Fr::ZERO);
    exclusive(trace, factor, difference);
}

/// `1 − bit`.
fn not(trace: &mut Trace, bit: Var) -> Var {
    linear(trace, &[(-Fr::ONE, bit)], Fr::ONE)
}

/// Constrains the leaves' public inputs as the module's page says and returns the output places, one
/// after the other, `places` of them. `padding` holds 1 for leaves that are padding, 0 for the others.
pub(super) fn constrain(trace: &mut Trace, leaves: &[LeafCells], padding: &[Fr], places: usize) -> Vec<Var> {
    trace.label("statement");
    let n = leaves.len();
    let zero = constant(trace, Fr::ZERO);

    // `starts[i]`: leaf i is the first chunk of a batch. `continues[i]`: it is a chunk, but not the first.
    let mut starts = Vec::with_capacity(n);
    let mut continues = Vec::with_capacity(n);
    let mut previous: Option<(&LeafCells, Var)> = None;
    for (leaf, is_padding) in leaves.iter().zip(padding) {
        let is_padding = boolean(trace, *is_padding);
        match previous {
            None => {
                assert_zero(trace, is_padding);
                assert_zero(trace, leaf[input::COMMIT_IN]);
                for zeroed in ZERO_AT_START {
                    assert_zero(trace, leaf[zeroed]);
                }
                starts.push(not(trace, is_padding));
                continues.push(zero);
            }
            Some((before, was_padding)) => {
                let is_chunk = not(trace, is_padding);
                exclusive(trace, was_padding, is_chunk);

                let no_commitment = is_zero(trace, leaf[input::COMMIT_IN]);
                let starts_here = multiply(trace, is_chunk, no_commitment);
                let continues_here = linear(trace, &[(Fr::ONE, is_chunk), (-Fr::ONE, starts_here)], Fr::ZERO);
                assert_equal_if(trace, is_chunk, leaf[input::DOMAIN], before[input::DOMAIN]);
                assert_equal_if(trace, is_chunk, leaf[input::STATE_IN], before[input::STATE_OUT]);
                for shared in SHARED {
                    assert_equal_if(trace, continues_here, leaf[shared], before[shared]);
                }
                for (into, out) in CHAINED {
                    assert_equal_if(trace, continues_here, leaf[into], before[out]);
                }
                for zeroed in ZERO_AT_START {
                    exclusive(trace, starts_here, leaf[zeroed]);
                }
                starts.push(starts_here);
                continues.push(continues_here);
            }
        }
        previous = Some((leaf, is_padding));
    }

    // `holds[i][j]`: leaf i belongs to the batch in place j. `first[i][j]`: and starts it. `last[i][j]`: and
    // no leaf after it does. Whoever starts moves on by a place, whoever continues stays. Leaf i can't be in a place
    // after i.
    let mut first: Vec<Vec<Var>> = Vec::with_capacity(n);
    let mut holds: Vec<Vec<Var>> = Vec::with_capacity(n);
    for (starts, continues) in starts.iter().zip(&continues) {
        let (first_row, holds_row) = match holds.last() {
            None => (vec![*starts], vec![*starts]),
            Some(before) => {
                if let Some(last) = before.get(places - 1) {
                    exclusive(trace, *starts, *last);
                }
                (0..places.min(before.len() + 1))
                    .map(|place| {
                        let moved = match place.checked_sub(1).and_then(|place| before.get(place)) {
                            Some(before) => multiply(trace, *starts, *before),
                            None => zero,
                        };
                        let held = match before.get(place) {
                            Some(stayed) => {
                                product(trace, (Fr::ONE, *continues, *stayed), &[(Fr::ONE, moved)], Fr::ZERO)
                            }
                            None => moved,
                        };
                        (moved, held)
                    })
                    .unzip()
            }
        };
        first.push(first_row);
        holds.push(holds_row);
    }
    let mut last = Vec::with_capacity(n);
    for (i, row) in holds.iter().enumerate() {
        let ends = |trace: &mut Trace, continued: Var, held: Var| {
            product(trace, (-Fr::ONE, continued, held), &[(Fr::ONE, held)], Fr::ZERO)
        };
        last.push(match continues.get(i + 1) {
            Some(continued) => row.iter().map(|held| ends(trace, *continued, *held)).collect(),
            None => row.clone(),
        });
    }

    let mut outputs = Vec::new();
    for place in 0..places {
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
            let chosen = leaves
                .iter()
                .zip(selected)
                .filter_map(|(leaf, bits)| bits.get(place).map(|bit| (leaf[input], *bit)));
            let mut sum: Option<Var> = None;
            for (value, bit) in chosen {
                let before = sum.map(|sum| (Fr::ONE, sum));
                sum = Some(product(trace, (Fr::ONE, value, bit), before.as_slice(), Fr::ZERO));
            }
            outputs.push(sum.unwrap_or(zero));
        }
    }
    outputs
}

#[cfg(test)]
mod tests;
