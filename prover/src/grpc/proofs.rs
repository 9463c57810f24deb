//! Proofs: handing them out, checking them, asking for aggregations.

use std::{sync::Arc, time::Duration};

use serde::de::DeserializeOwned;
use tenon_proto::v1::{self, get_proof_request::Subject};
use tokio::task::spawn_blocking;
use tonic::{Code, Status};
use tracing::warn;

use super::{
    ProverService,
    errors::{from_store, internal, invalid, invalid_field, refusal, retry_later},
};
use crate::{
    convert,
    engine::{AggregateProof, LeafProof},
    jobs::{Aggregation, AggregationState, Digest, JobState},
    store::{
        StoreError,
        files::{FileError, FileKind},
    },
};

impl ProverService {
    pub(super) async fn proof(&self, request: v1::GetProofRequest) -> Result<v1::GetProofResponse, Status> {
        let store = &self.core.store;
        let aggregation = self.find_aggregation(request.subject).await?;
        if aggregation.state != AggregationState::Ready {
            let message = format!("aggregation {} is {}", aggregation.id, aggregation.state);
            return Err(refusal(Code::FailedPrecondition, "PROOF_NOT_READY", message));
        }
        let record = store.aggregate_record(aggregation.id).await.map_err(from_store)?;
        let stored = match &record {
            Some(record) => self.read_proof::<AggregateProof>(record.proof_digest).await?,
            None => None,
        };
        let (Some(record), Some(proof)) = (record, stored) else {
            store.redo_aggregate(aggregation.id).await.map_err(from_store)?;
            self.core.changes.notify();
            return Err(made_again());
        };
        let mut leaf_proofs = Vec::new();
        if request.with_leaf_proofs {
            for input in store.leaf_inputs(aggregation.id).await.map_err(from_store)? {
                let Some(leaf) = self.read_proof::<LeafProof>(input.proof_digest).await? else {
                    store.forget_result(&input.input_digest).await.map_err(from_store)?;
                    store.redo_leaf(input.task).await.map_err(from_store)?;
                    self.core.changes.notify();
                    return Err(made_again());
                };
                leaf_proofs.push(convert::leaf_proof(&leaf));
            }
        }
        let stages =
            store.stages(aggregation.first_batch, aggregation.last_batch).await.map_err(from_store)?;
        Ok(v1::GetProofResponse {
            proof: Some(convert::aggregate_proof(&proof)),
            aggregation: Some(convert::aggregation(&aggregation)),
            key_digest: record.key_digest.to_vec(),
            leaf_proofs,
            receipt: Some(convert::receipt(&stages)),
        })
    }

    async fn find_aggregation(&self, subject: Option<Subject>) -> Result<Aggregation, Status> {
        let store = &self.core.store;
        let not_ready = |message: String| refusal(Code::FailedPrecondition, "PROOF_NOT_READY", message);
        let id = match subject {
            None => {
                return Err(invalid_field(
                    "subject",
                    "SUBJECT_MISSING",
                    "expected a job, a batch or an aggregation",
                ));
            }
            Some(Subject::AggregationId(id)) => id,
            Some(Subject::JobId(id)) => {
                let job = store.job(&id).await.map_err(from_store)?;
                let job = job.ok_or_else(|| from_store(StoreError::JobUnknown(id)))?;
                match job.aggregation {
                    Some(id) => id,
                    None if job.state == JobState::Cancelled => {
                        let message = format!("job {} is cancelled", job.id);
                        return Err(refusal(Code::FailedPrecondition, "JOB_CANCELLED", message));
                    }
                    None => return Err(not_ready(format!("job {} is {}", job.id, job.state))),
                }
            }
            Some(Subject::BatchNumber(number)) => {
                let batch = store.batch(number).await.map_err(from_store)?;
                let batch = batch.ok_or_else(|| from_store(StoreError::BatchUnknown(number)))?;
                batch.aggregation.ok_or_else(|| not_ready(format!("batch {number} is not aggregated yet")))?
            }
        };
        self.aggregation_by_id(id).await
    }

    async fn aggregation_by_id(&self, id: u64) -> Result<Aggregation, Status> {
        let found = self.core.store.aggregation(id).await.map_err(from_store)?;
        found.ok_or_else(|| {
            refusal(Code::NotFound, "AGGREGATION_UNKNOWN", format!("no aggregation has the id {id}"))
        })
    }

    /// The proof of this digest; `None` where it is lost.
    async fn read_proof<P: DeserializeOwned + Send + 'static>(
        &self,
        digest: Digest,
    ) -> Result<Option<P>, Status> {
        let files = Arc::clone(&self.core.files);
        let read = spawn_blocking(move || files.read::<P>(FileKind::Proof, &digest))
            .await
            .map_err(|error| internal(&error))?;
        match read {
            Ok(proof) => Ok(Some(proof)),
            Err(error) if FileError::is_lost(&error) => {
                warn!(%error, "stored proof lost; it is made again");
                Ok(None)
            }
            Err(error) => Err(internal(&error)),
        }
    }

    pub(super) async fn aggregate(
        &self,
        request: v1::CreateAggregationRequest,
    ) -> Result<v1::CreateAggregationResponse, Status> {
        let core = &self.core;
        let (aggregation, existing) = core
            .store
            .aggregate(request.first_batch, request.last_batch, core.leaves())
            .await
            .map_err(from_store)?;
        core.changes.notify();
        Ok(v1::CreateAggregationResponse { aggregation: Some(convert::aggregation(&aggregation)), existing })
    }

    pub(super) async fn aggregation(
        &self,
        request: v1::GetAggregationRequest,
    ) -> Result<v1::GetAggregationResponse, Status> {
        let aggregation = self.aggregation_by_id(request.aggregation_id).await?;
        Ok(v1::GetAggregationResponse { aggregation: Some(convert::aggregation(&aggregation)) })
    }

    pub(super) async fn verify(
        &self,
        request: v1::VerifyProofRequest,
    ) -> Result<v1::VerifyProofResponse, Status> {
        let message = request
            .proof
            .ok_or_else(|| invalid_field("proof", "PROOF_MISSING", "expected a proof, got none"))?;
        let proof = convert::aggregate_proof_from(&message)
            .map_err(|violations| invalid("PROOF_MALFORMED", &violations, 0))?;
        let engine = Arc::clone(&self.core.engine);
        let verdict = spawn_blocking(move || engine.verify_aggregate(&proof))
            .await
            .map_err(|error| internal(&error))?;
        Ok(v1::VerifyProofResponse {
            valid: verdict.is_ok(),
            reason: verdict.err().map(|error| error.to_string()).unwrap_or_default(),
            key_digest: self.core.engine.circuits().aggregation.key_digest.to_vec(),
        })
    }
}

fn made_again() -> Status {
    retry_later(
        Code::Unavailable,
        "PROOF_LOST",
        "the stored proof is damaged and is made again",
        Duration::from_secs(10),
    )
}
