//! The public inputs of leaf and final proofs: the only place that fixes their order.

use serde::{Deserialize, Serialize};

use crate::rollup::{
    Fr,
    evaluation::{self, Evaluations, Points},
    field,
};

/// Public inputs of a leaf proof.
pub const LEAF_PUBLIC_INPUTS: usize = 14;
/// Public inputs of each batch place of an aggregate proof.
pub const BATCH_PUBLIC_INPUTS: usize = 10;
/// Batches that an aggregate proof has places for, whatever number of leaf proofs it takes.
pub const BATCH_PLACES: usize = 5;

/// What a leaf proof says about its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafPublicInputs {
    /// The rollup's domain.
    #[serde(with = "field::serde_hex")]
    pub domain: Fr,
    /// `number (64 bits) | timestamp << 64`; see [`batch_input`].
    #[serde(with = "field::serde_hex")]
    pub batch: Fr,
    /// State before the chunk.
    #[serde(with = "field::serde_hex")]
    pub state_in: Fr,
    /// State after the chunk.
    #[serde(with = "field::serde_hex")]
    pub state_out: Fr,
    /// Commitment to the words published before the chunk; 0 exactly for a batch's first chunk.
    #[serde(with = "field::serde_hex")]
    pub commit_in: Fr,
    /// Commitment to the words published so far, the chunk's included.
    #[serde(with = "field::serde_hex")]
    pub commit_out: Fr,
    /// Where the batch's streams are evaluated.
    pub points: Points,
    /// Evaluations of the words published before the chunk.
    pub evaluations_in: Evaluations,
    /// Evaluations of the words published so far, the chunk's included.
    pub evaluations_out: Evaluations,
}

impl LeafPublicInputs {
    /// In the order of the circuit's instance column.
    pub fn to_array(&self) -> [Fr; LEAF_PUBLIC_INPUTS] {
        let (before, after) = (&self.evaluations_in, &self.evaluations_out);
        let ([y_d_in_low, y_d_in_high], [y_d_out_low, y_d_out_high]) =
            (evaluation::da_limbs(&before.y_d), evaluation::da_limbs(&after.y_d));
        [
            self.domain,
            self.batch,
            self.state_in,
            self.state_out,
            self.commit_in,
            self.commit_out,
            Fr::from(self.points.z_d),
            y_d_in_low,
            y_d_in_high,
            y_d_out_low,
            y_d_out_high,
            Fr::from(self.points.z_l),
            before.y_l,
            after.y_l,
        ]
    }
}

/// What an aggregate proof says about one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchPublicInputs {
    /// The rollup's domain.
    #[serde(with = "field::serde_hex")]
    pub domain: Fr,
    /// `number (64 bits) | timestamp << 64`; see [`batch_input`].
    #[serde(with = "field::serde_hex")]
    pub batch: Fr,
    /// State before the batch.
    #[serde(with = "field::serde_hex")]
    pub state_in: Fr,
    /// State after the batch.
    #[serde(with = "field::serde_hex")]
    pub state_out: Fr,
    /// Commitment to all words that the batch publishes.
    #[serde(with = "field::serde_hex")]
    pub commit: Fr,
    /// Where the batch's streams are evaluated.
    pub points: Points,
    /// Their evaluations.
    pub evaluations: Evaluations,
}

impl BatchPublicInputs {
    /// In the order of the final circuit's instance column.
    pub fn to_array(&self) -> [Fr; BATCH_PUBLIC_INPUTS] {
        let [y_d_low, y_d_high] = evaluation::da_limbs(&self.evaluations.y_d);
        [
            self.domain,
            self.batch,
            self.state_in,
            self.state_out,
            self.commit,
            Fr::from(self.points.z_d),
            y_d_low,
            y_d_high,
            Fr::from(self.points.z_l),
            self.evaluations.y_l,
        ]
    }
}

/// A batch's number and timestamp in one public input: `number (64 bits) | timestamp << 64`.
pub fn batch_input(number: u64, timestamp: u32) -> Fr {
    Fr::from(u128::from(number) | u128::from(timestamp) << 64)
}
