//! Making a batch ready for the log: executed, published, checked, its witnesses stored.

use std::sync::Arc;

use tenon_circuits::rollup::{Batch, BatchError, Execution, Fr, ReasonCode, Rejection, State, execute};

use super::{Limits, SubmitError, Violation};
use crate::{
    engine::Engine,
    jobs::Digest,
    settlement::{Archive, Published, publish},
    store::{
        Publication,
        files::{FileKind, Files},
    },
};

/// An executed batch whose witnesses are stored.
pub(super) struct Prepared {
    pub(super) batch: Batch,
    pub(super) execution: Execution,
    pub(super) publication: Publication,
    pub(super) payload: String,
    pub(super) witnesses: Vec<Digest>,
}

/// How a batch is made ready for the log.
pub(super) struct Preparation {
    pub(super) domain: Fr,
    pub(super) limits: Limits,
    /// Whether operations may be left in the queue for a later batch.
    pub(super) may_shorten: bool,
    /// The place in the contract's queue of the first operation.
    pub(super) queue_start: u64,
    pub(super) archive: Arc<Archive>,
    /// What is wrong with it already.
    pub(super) violations: Vec<Violation>,
}

impl Preparation {
    /// Refuses the batch with everything that is wrong with it, or gives what the log takes.
    pub(super) fn run(
        mut self,
        engine: &dyn Engine,
        files: &Files,
        state: &State,
        mut batch: Batch,
    ) -> Result<Prepared, SubmitError> {
        // A batch of any size could keep the executor busy for long.
        if self.violations.iter().any(|violation| violation.reason == ReasonCode::BatchTooLarge.as_str()) {
            return Err(SubmitError::Invalid(self.violations));
        }
        let mut executed = self.execute(state, &batch);
        while self.may_shorten
            && !batch.l1_operations.is_empty()
            && executed.as_ref().is_err_and(is_too_large)
        {
            batch.l1_operations.truncate(batch.l1_operations.len() / 2);
            executed = self.execute(state, &batch);
        }
        if let Err(error) = &executed {
            self.add(error);
        }
        let execution = match executed {
            Ok(execution) if self.violations.is_empty() => execution,
            _ => return Err(SubmitError::Invalid(self.violations)),
        };
        let Published { execution, publication, .. } =
            publish(&self.archive, &batch, execution, self.queue_start)?;
        for (chunk, witness) in execution.chunks.iter().enumerate() {
            engine.check(witness).map_err(|error| SubmitError::Unprovable { chunk, error })?;
        }
        let payload =
            serde_json::to_string(&batch).map_err(|error| SubmitError::Interrupted(error.to_string()))?;
        let witnesses = execution
            .chunks
            .iter()
            .map(|witness| files.write(FileKind::Witness, witness))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Prepared { batch, execution, publication, payload, witnesses })
    }

    fn execute(&self, state: &State, batch: &Batch) -> Result<Execution, BatchError> {
        let execution = execute(state, self.domain, batch, self.limits.chunk_capacity)?;
        let (most, chunks) = (self.limits.chunks, execution.chunks.len());
        if chunks <= most {
            return Ok(execution);
        }
        let message = format!("expected a batch of at most {most} chunks, got {chunks}");
        let rejection = Rejection::of_batch("transactions", ReasonCode::BatchTooLarge, message);
        Err(BatchError { rejections: vec![rejection] })
    }

    /// Adds what execution found.
    fn add(&mut self, error: &BatchError) {
        for rejection in &error.rejections {
            let field = match rejection.transaction {
                Some(index) => format!("transactions[{index}].{}", rejection.field),
                None => rejection.field.clone(),
            };
            // What is wrong with a placeholder was said already.
            let known = self.violations.iter().any(|violation| {
                violation.field == field
                    || violation.field.strip_prefix(&field).is_some_and(|rest| rest.starts_with('.'))
                    || violation.field == "domain"
                        && rejection.reason == ReasonCode::SignatureInvalid
                        && violation.reason == "FIELD_ELEMENT_INVALID"
            });
            if !known {
                let reason = rejection.reason.as_str().to_owned();
                self.violations.push(Violation { field, reason, message: rejection.message.clone() });
            }
        }
    }
}

fn is_too_large(error: &BatchError) -> bool {
    error.rejections.iter().any(|rejection| rejection.reason == ReasonCode::BatchTooLarge)
}
