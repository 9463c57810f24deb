//! The `WorkerService`: tasks for workers that reach neither the database nor the object store. What they say is
//! checked: the lease against the database and its owner, the proof with the service's keys.

use std::{pin::Pin, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use tenon_circuits::witness::ChunkWitness;
use tenon_proto::v1::{self, worker_service_server::WorkerService};
use tokio::task::spawn_blocking;
use tokio_stream::Stream;
use tonic::{Code, Extensions, Request, Response, Status};
use tracing::{error, warn};

use super::{errors::refusal, guard::Caller};
use crate::{
    core::Core,
    engine::{AggregateProof, CircuitInfo, LeafProof},
    jobs::{Digest, JobError, Lease, ProofRecord, TaskKind},
    store::{
        Failure, LeafInput, ServiceKeys,
        files::{FileError, FileKind},
    },
    worker::{
        run::input_digest,
        source::{Assignment, Direct, Lost, Outcome, Source, SourceError, Terms},
        wire,
    },
};

/// What the names of workers that come over gRPC start with.
const OWNER: &str = "remote/";

/// Longest name of a worker.
const MAX_NAME_BYTES: usize = 128;

/// Longest text of a failure, and of a machine's description, that is kept.
const MAX_TEXT_BYTES: usize = 4096;

/// Longest reason of a failure.
const MAX_REASON_BYTES: usize = 64;

/// Parts of a file.
pub(crate) type PartStream = Pin<Box<dyn Stream<Item = Result<v1::FilePart, Status>> + Send>>;

/// The service for workers.
#[derive(Clone)]
pub(crate) struct Workers {
    core: Arc<Core>,
    source: Arc<Direct>,
}

impl Workers {
    pub fn new(core: Arc<Core>) -> Self {
        let terms = Terms::of(&core.config);
        let source = Direct::new(Arc::clone(&core.store), Arc::clone(&core.files), core.domain, terms);
        Self { core, source: Arc::new(source) }
    }

    /// The lease as the database has it, when it is the caller's.
    async fn held(
        &self,
        extensions: &Extensions,
        claimed: Option<v1::LeaseId>,
    ) -> Result<Lease, SourceError> {
        let v1::LeaseId { task, fence } =
            claimed.ok_or_else(|| SourceError::Refused("lease: missing".to_owned()))?;
        let (lease, owner) = self.core.store.lease_of(task, fence).await?;
        let caller = caller(extensions);
        if !owner.starts_with(&caller) {
            warn!(task, fence, owner, caller, "a lease is another's");
            return Err(SourceError::LeaseLost { task, fence });
        }
        Ok(lease)
    }

    /// What an earlier worker made from the same inputs.
    async fn earlier(&self, assignment: &Assignment) -> Result<Option<ProofRecord>, SourceError> {
        let (_, input) = expected(&self.core, assignment);
        self.source.result(&assignment.lease, &input).await
    }

    /// Checks a proof that a worker made, or that is in the store.
    async fn check(&self, assignment: Assignment, content: Vec<u8>) -> Result<Vec<u8>, SourceError> {
        let core = Arc::clone(&self.core);
        let checked = spawn_blocking(move || match assignment.lease.kind {
            TaskKind::Leaf => check_leaf(&core, &assignment, &content),
            TaskKind::Aggregate => check_aggregate(&core, &assignment, &content),
        });
        checked.await.map_err(|error| SourceError::Unavailable(error.to_string()))?
    }

    /// Looks which of a task's files are gone or damaged.
    async fn lost(&self, assignment: Assignment) -> Result<Lost, SourceError> {
        let core = Arc::clone(&self.core);
        let looked = spawn_blocking(move || match assignment.lease.kind {
            TaskKind::Leaf => {
                let digest = assignment.lease.witness.unwrap_or_default();
                if is_lost(core.files.read::<ChunkWitness>(FileKind::Witness, &digest)) {
                    Lost::Witness
                } else {
                    Lost::Nothing
                }
            }
            TaskKind::Aggregate => {
                let lost = |leaf: &LeafInput| {
                    is_lost(core.files.read::<LeafProof>(FileKind::Proof, &leaf.proof_digest))
                };
                let leaves: Vec<_> = assignment.leaves.into_iter().filter(lost).collect();
                if leaves.is_empty() { Lost::Nothing } else { Lost::Leaves(leaves) }
            }
        });
        looked.await.map_err(|error| SourceError::Unavailable(error.to_string()))
    }

    async fn complete(
        &self,
        extensions: &Extensions,
        request: v1::CompleteTaskRequest,
    ) -> Result<(), SourceError> {
        let lease = self.held(extensions, request.lease).await?;
        let assignment = self.source.assignment(lease.clone()).await?;
        let outcome = match request.proof {
            Some(proof) => {
                let (circuit, input) = expected(&self.core, &assignment);
                let proof = self.check(assignment, proof).await?;
                let record = ProofRecord {
                    input_digest: input,
                    stage: lease.kind,
                    proof_digest: Sha256::digest(&proof).into(),
                    circuit: circuit.name.clone(),
                    key_digest: circuit.key_digest,
                    srs_digest: circuit.srs_digest,
                    seconds: seconds(request.seconds, self.core.config.task_deadline.as_secs_f64()),
                    peak_memory_bytes: request.peak_memory_bytes,
                    hardware: text(&request.hardware),
                };
                Outcome::Done { record: Box::new(record), proof: Some(proof) }
            }
            None => {
                let none = || SourceError::FileLost("there is no earlier proof".to_owned());
                let record = self.earlier(&assignment).await?.ok_or_else(none)?;
                let content = self.source.read(&lease, FileKind::Proof, &record.proof_digest).await?;
                self.check(assignment, content).await?;
                Outcome::Done { record: Box::new(record), proof: None }
            }
        };
        self.source.finish(&lease, &outcome).await?;
        self.core.changes.notify();
        Ok(())
    }

    async fn input(
        &self,
        extensions: &Extensions,
        request: v1::DownloadInputRequest,
    ) -> Result<Vec<u8>, SourceError> {
        let digest = wire::digest("digest", &request.digest)?;
        let lease = self.held(extensions, request.lease).await?;
        let assignment = self.source.assignment(lease).await?;
        let kind = if assignment.lease.witness == Some(digest) {
            FileKind::Witness
        } else if assignment.leaves.iter().any(|leaf| leaf.proof_digest == digest)
            || self.earlier(&assignment).await?.is_some_and(|record| record.proof_digest == digest)
        {
            FileKind::Proof
        } else {
            return Err(SourceError::Refused(
                "digest: expected one of a file that the task takes".to_owned(),
            ));
        };
        self.source.read(&assignment.lease, kind, &digest).await
    }
}

/// What the owners of a caller's leases start with. Names of callers have no slash.
fn caller(extensions: &Extensions) -> String {
    let name = extensions.get::<Caller>().map_or("", |caller| &caller.0);
    format!("{OWNER}{name}/")
}

/// The circuit of a task, and the digest of what its proof is made from.
fn expected<'a>(core: &'a Core, assignment: &Assignment) -> (&'a CircuitInfo, Digest) {
    let circuits = core.engine.circuits();
    match assignment.lease.kind {
        TaskKind::Leaf => {
            let witness = assignment.lease.witness.unwrap_or_default();
            (&circuits.leaf, input_digest(TaskKind::Leaf, &circuits.leaf, [&witness]))
        }
        TaskKind::Aggregate => {
            let leaves = assignment.leaves.iter().map(|leaf| &leaf.input_digest);
            (&circuits.aggregation, input_digest(TaskKind::Aggregate, &circuits.aggregation, leaves))
        }
    }
}

fn check_leaf(core: &Core, assignment: &Assignment, content: &[u8]) -> Result<Vec<u8>, SourceError> {
    let digest = assignment.lease.witness.unwrap_or_default();
    let witness: ChunkWitness = core.files.read(FileKind::Witness, &digest)?;
    let proof: LeafProof = decode(content)?;
    if proof.public_inputs != witness.public_inputs() {
        return Err(SourceError::Refused("the proof is of another chunk".to_owned()));
    }
    core.engine.verify_leaf(&proof).map_err(|error| SourceError::Refused(error.to_string()))?;
    encode(&proof)
}

fn check_aggregate(core: &Core, assignment: &Assignment, content: &[u8]) -> Result<Vec<u8>, SourceError> {
    let proof: AggregateProof = decode(content)?;
    if proof.batches != assignment.batches {
        return Err(SourceError::Refused("the proof is of other batches".to_owned()));
    }
    core.engine.verify_aggregate(&proof).map_err(|error| SourceError::Refused(error.to_string()))?;
    encode(&proof)
}

fn decode<P: DeserializeOwned>(content: &[u8]) -> Result<P, SourceError> {
    if content.len() > wire::MAX_PROOF_BYTES {
        let (limit, actual) = (wire::MAX_PROOF_BYTES, content.len());
        return Err(SourceError::Refused(format!("proof: expected at most {limit} bytes, got {actual}")));
    }
    serde_json::from_slice(content).map_err(|error| SourceError::Refused(format!("proof: {error}")))
}

/// A checked proof as the service itself writes it, whatever else the worker sent.
fn encode<P: Serialize>(proof: &P) -> Result<Vec<u8>, SourceError> {
    serde_json::to_vec(proof).map_err(|error| SourceError::Unavailable(error.to_string()))
}

fn is_lost<T>(read: Result<T, FileError>) -> bool {
    read.is_err_and(|error| error.is_lost())
}

/// A text of a worker's, shortened.
fn text(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    text.get(..end).unwrap_or_default().to_owned()
}

/// A worker's proving time, as far as it can be true.
fn seconds(claimed: f64, limit: f64) -> f64 {
    if claimed.is_finite() { claimed.clamp(0.0, limit) } else { 0.0 }
}

/// A worker's name within the service.
fn owner(extensions: &Extensions, name: &str) -> Result<String, SourceError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message =
            format!("worker: expected 1 to {MAX_NAME_BYTES} printable ASCII characters without spaces");
        return Err(SourceError::Refused(message));
    }
    Ok(format!("{}{name}", caller(extensions)))
}

/// A failure as a worker tells it.
fn failure(reason: &str, message: &str) -> Result<JobError, SourceError> {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if reason.is_empty() || reason.len() > MAX_REASON_BYTES || !reason.bytes().all(plain) {
        let message = format!(
            "reason: expected 1 to {MAX_REASON_BYTES} capital letters, digits and underscores, got {} bytes",
            reason.len()
        );
        return Err(SourceError::Refused(message));
    }
    Ok(JobError { reason: reason.to_owned(), message: text(message) })
}

/// A refusal. What is wrong with the service stays in its log.
fn status(error: SourceError) -> Status {
    match error {
        SourceError::LeaseLost { .. } => refusal(Code::Aborted, "LEASE_LOST", error.to_string()),
        SourceError::FileLost(_) => {
            warn!(%error, "a worker needs a file that is gone or damaged");
            refusal(Code::NotFound, "FILE_LOST", "the file is gone or damaged")
        }
        SourceError::OtherKeys { .. } => refusal(Code::FailedPrecondition, "OTHER_KEYS", error.to_string()),
        SourceError::Refused(_) => refusal(Code::InvalidArgument, "RESULT_REFUSED", error.to_string()),
        SourceError::NoService | SourceError::Unavailable(_) => {
            error!(%error, "a worker's call failed");
            let message = "the service's database or store failed; its log says why";
            refusal(Code::Unavailable, "STORAGE_UNAVAILABLE", message)
        }
    }
}

#[tonic::async_trait]
impl WorkerService for Workers {
    type DownloadInputStream = PartStream;

    async fn lease_task(
        &self,
        request: Request<v1::LeaseTaskRequest>,
    ) -> Result<Response<v1::LeaseTaskResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let owner = owner(&extensions, &request.worker).map_err(status)?;
        let keys = ServiceKeys {
            leaf: wire::digest("leaf_key", &request.leaf_key).map_err(status)?,
            aggregation: wire::digest("aggregation_key", &request.aggregation_key).map_err(status)?,
        };
        let kinds = wire::kinds(&request.kinds).map_err(status)?;
        let Some(assignment) = self.source.lease(&owner, &kinds, &keys).await.map_err(status)? else {
            return Ok(Response::new(v1::LeaseTaskResponse::default()));
        };
        self.core.changes.notify();
        Ok(Response::new(v1::LeaseTaskResponse {
            lease: Some(wire::lease_message(&assignment.lease)),
            leaves: assignment.leaves.iter().map(wire::leaf_message).collect(),
            batches: encode(&assignment.batches).map_err(status)?,
            job_ids: assignment.jobs,
        }))
    }

    async fn count_tasks(
        &self,
        request: Request<v1::CountTasksRequest>,
    ) -> Result<Response<v1::CountTasksResponse>, Status> {
        let kinds = wire::kinds(&request.into_inner().kinds).map_err(status)?;
        let tasks = self.source.leasable(&kinds).await.map_err(status)?;
        Ok(Response::new(v1::CountTasksResponse { tasks }))
    }

    async fn extend_lease(
        &self,
        request: Request<v1::ExtendLeaseRequest>,
    ) -> Result<Response<v1::ExtendLeaseResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let lease = self.held(&extensions, request.lease).await.map_err(status)?;
        self.source.extend(&lease).await.map_err(status)?;
        Ok(Response::new(v1::ExtendLeaseResponse {}))
    }

    async fn download_input(
        &self,
        request: Request<v1::DownloadInputRequest>,
    ) -> Result<Response<Self::DownloadInputStream>, Status> {
        let (_, extensions, request) = request.into_parts();
        let content = self.input(&extensions, request).await.map_err(status)?;
        let starts = (0..content.len()).step_by(wire::PART_BYTES);
        let part = move |start: usize| {
            let end = content.len().min(start + wire::PART_BYTES);
            Ok(v1::FilePart { content: content.get(start..end).unwrap_or_default().to_vec() })
        };
        Ok(Response::new(Box::pin(tokio_stream::iter(starts.map(part)))))
    }

    async fn find_result(
        &self,
        request: Request<v1::FindResultRequest>,
    ) -> Result<Response<v1::FindResultResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let lease = self.held(&extensions, request.lease).await.map_err(status)?;
        let assignment = self.source.assignment(lease).await.map_err(status)?;
        let record = self.earlier(&assignment).await.map_err(status)?;
        Ok(Response::new(v1::FindResultResponse { result: record.as_ref().map(wire::record_message) }))
    }

    async fn complete_task(
        &self,
        request: Request<v1::CompleteTaskRequest>,
    ) -> Result<Response<v1::CompleteTaskResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        self.complete(&extensions, request).await.map_err(status)?;
        Ok(Response::new(v1::CompleteTaskResponse {}))
    }

    async fn fail_task(
        &self,
        request: Request<v1::FailTaskRequest>,
    ) -> Result<Response<v1::FailTaskResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let lease = self.held(&extensions, request.lease).await.map_err(status)?;
        let error = failure(&request.reason, &request.message).map_err(status)?;
        let failure = self.source.finish(&lease, &Outcome::Failed(error)).await.map_err(status)?;
        self.core.changes.notify();
        Ok(Response::new(v1::FailTaskResponse { retried: failure == Some(Failure::Retried) }))
    }

    async fn hand_back_task(
        &self,
        request: Request<v1::HandBackTaskRequest>,
    ) -> Result<Response<v1::HandBackTaskResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let lease = self.held(&extensions, request.lease).await.map_err(status)?;
        let lost = if request.input_lost {
            let assignment = self.source.assignment(lease.clone()).await.map_err(status)?;
            self.lost(assignment).await.map_err(status)?
        } else {
            Lost::Nothing
        };
        let outcome = Outcome::HandedBack { note: text(&request.note), lost };
        self.source.finish(&lease, &outcome).await.map_err(status)?;
        self.core.changes.notify();
        Ok(Response::new(v1::HandBackTaskResponse {}))
    }
}
