//! What the log keeps of a batch, and what its proofs must say.

use tenon_circuits::{
    public_inputs::{BatchPublicInputs, batch_input},
    rollup::{
        Batch, Execution, Fr,
        evaluation::{self, Evaluations, Points},
        field::{self, FieldError},
    },
};

use crate::{jobs::BatchSummary, store::StoreError};

/// What the log keeps of an executed batch.
pub fn summary(batch: &Batch, execution: &Execution) -> BatchSummary {
    let BatchPublicInputs { points, evaluations, .. } = &execution.public_inputs;
    BatchSummary {
        number: batch.number,
        timestamp: batch.timestamp,
        l1_operations: u32::try_from(batch.l1_operations.len()).unwrap_or(u32::MAX),
        transactions: u32::try_from(batch.transactions.len()).unwrap_or(u32::MAX),
        chunks: u32::try_from(execution.chunks.len()).unwrap_or(u32::MAX),
        state_in: field::to_bytes(&execution.state_in),
        state_out: field::to_bytes(&execution.state_out),
        commit: field::to_bytes(&execution.commit),
        z_d: evaluation::point_to_bytes(points.z_d),
        y_d: evaluation::da_to_bytes(&evaluations.y_d),
        z_l: evaluation::point_to_bytes(points.z_l),
        y_l: field::to_bytes(&evaluations.y_l),
    }
}

/// Where a logged batch's streams are evaluated.
pub(super) fn points(batch: &BatchSummary) -> Result<Points, FieldError> {
    let [z_d, z_l] = [&batch.z_d, &batch.z_l].map(evaluation::point_from_bytes);
    Ok(Points { z_d: z_d?, z_l: z_l? })
}

/// What a proof of this batch must say.
///
/// # Errors
/// [`StoreError::Corrupt`] when the log holds something else than field elements.
pub fn public_inputs(domain: Fr, batch: &BatchSummary) -> Result<BatchPublicInputs, StoreError> {
    let element = |what, bytes: &[u8; 32]| {
        field::from_bytes(bytes).map_err(|_| StoreError::Corrupt { what, found: hex::encode(bytes) })
    };
    let corrupt = |error: FieldError| StoreError::Corrupt { what: "evaluation", found: error.to_string() };
    Ok(BatchPublicInputs {
        domain,
        batch: batch_input(batch.number, batch.timestamp),
        state_in: element("state_in", &batch.state_in)?,
        state_out: element("state_out", &batch.state_out)?,
        commit: element("commitment", &batch.commit)?,
        points: points(batch).map_err(corrupt)?,
        evaluations: Evaluations {
            y_d: evaluation::da_from_bytes(&batch.y_d).map_err(corrupt)?,
            y_l: element("y_l", &batch.y_l)?,
        },
    })
}
