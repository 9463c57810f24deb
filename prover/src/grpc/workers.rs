//! The `WorkerService`: tasks for workers that reach neither the database nor the object store. What they say is
//! checked: the lease against the database, the proof with the service's keys.

use std::{pin::Pin, sync::Arc};

use serde::de::DeserializeOwned;
use tenon_circuits::witness::ChunkWitness;
use tenon_proto::v1::{self, worker_service_server::WorkerService};
use tokio::task::spawn_blocking;
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Request, Response, Status, Streaming};

use super::errors::refusal;
use crate::{
    core::Core,
    engine::{AggregateProof, LeafProof},
    jobs::{Digest, JobError, Lease, ProofRecord, TaskKind},
    store::{
        Failure, ServiceKeys,
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

/// Longest text of a failure that is kept.
const MAX_TEXT_BYTES: usize = 4096;

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

    /// The lease as the database has it.
    async fn held(&self, claimed: Option<v1::TaskLease>) -> Result<Lease, SourceError> {
        let claimed = claimed.ok_or_else(|| SourceError::Refused("lease: missing".to_owned()))?;
        Ok(self.core.store.lease_of(claimed.task, claimed.fence).await?)
    }

    /// Checks a proof that a worker made and uploaded.
    async fn check(&self, assignment: Assignment, record: ProofRecord) -> Result<ProofRecord, SourceError> {
        let core = Arc::clone(&self.core);
        let checked = spawn_blocking(move || match assignment.lease.kind {
            TaskKind::Leaf => check_leaf(&core, &assignment, record),
            TaskKind::Aggregate => check_aggregate(&core, &assignment, record),
        });
        checked.await.map_err(|error| SourceError::Unavailable(error.to_string()))?
    }
}

fn check_leaf(core: &Core, assignment: &Assignment, record: ProofRecord) -> Result<ProofRecord, SourceError> {
    let digest = assignment.lease.witness.unwrap_or_default();
    let witness: ChunkWitness = core.files.read(FileKind::Witness, &digest)?;
    let proof: LeafProof = read_proof(core, &record)?;
    if proof.public_inputs != witness.public_inputs() {
        return Err(SourceError::Refused("the proof is of another chunk".to_owned()));
    }
    core.engine.verify_leaf(&proof).map_err(|error| SourceError::Refused(error.to_string()))?;
    let circuit = &core.engine.circuits().leaf;
    let input_digest = input_digest(TaskKind::Leaf, circuit, [&digest]);
    Ok(ProofRecord {
        input_digest,
        stage: TaskKind::Leaf,
        circuit: circuit.name.clone(),
        key_digest: circuit.key_digest,
        srs_digest: circuit.srs_digest,
        ..record
    })
}

fn check_aggregate(
    core: &Core,
    assignment: &Assignment,
    record: ProofRecord,
) -> Result<ProofRecord, SourceError> {
    let proof: AggregateProof = read_proof(core, &record)?;
    if proof.batches != assignment.batches {
        return Err(SourceError::Refused("the proof is of other batches".to_owned()));
    }
    core.engine.verify_aggregate(&proof).map_err(|error| SourceError::Refused(error.to_string()))?;
    let circuit = &core.engine.circuits().aggregation;
    let leaves = assignment.leaves.iter().map(|leaf| &leaf.input_digest);
    Ok(ProofRecord {
        input_digest: input_digest(TaskKind::Aggregate, circuit, leaves),
        stage: TaskKind::Aggregate,
        circuit: circuit.name.clone(),
        key_digest: circuit.key_digest,
        srs_digest: circuit.srs_digest,
        ..record
    })
}

fn read_proof<P: DeserializeOwned>(core: &Core, record: &ProofRecord) -> Result<P, SourceError> {
    core.files.read(FileKind::Proof, &record.proof_digest).map_err(|error| match error {
        error @ FileError::Format { .. } => SourceError::Refused(error.to_string()),
        error => error.into(),
    })
}

/// A text of a worker's, shortened.
fn text(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

fn status(error: SourceError) -> Status {
    let message = error.to_string();
    match error {
        SourceError::LeaseLost { .. } => refusal(Code::Aborted, "LEASE_LOST", message),
        SourceError::FileLost(_) => refusal(Code::NotFound, "FILE_LOST", message),
        SourceError::OtherKeys { .. } => refusal(Code::FailedPrecondition, "OTHER_KEYS", message),
        SourceError::Refused(_) => refusal(Code::InvalidArgument, "RESULT_REFUSED", message),
        SourceError::NoService | SourceError::Unavailable(_) => {
            refusal(Code::Unavailable, "STORE_UNAVAILABLE", message)
        }
    }
}

#[tonic::async_trait]
impl WorkerService for Workers {
    type DownloadFileStream = PartStream;

    async fn lease_task(
        &self,
        request: Request<v1::LeaseTaskRequest>,
    ) -> Result<Response<v1::LeaseTaskResponse>, Status> {
        let request = request.into_inner();
        let name = &request.worker;
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(|byte| byte.is_ascii_graphic())
        {
            let message = format!("worker: expected 1 to {MAX_NAME_BYTES} printable ASCII characters");
            return Err(status(SourceError::Refused(message)));
        }
        let keys = ServiceKeys {
            leaf: wire::digest("leaf_key", &request.leaf_key).map_err(status)?,
            aggregation: wire::digest("aggregation_key", &request.aggregation_key).map_err(status)?,
        };
        let kinds = wire::kinds(&request.kinds).map_err(status)?;
        let owner = format!("{OWNER}{name}");
        let Some(assignment) = self.source.lease(&owner, &kinds, &keys).await.map_err(status)? else {
            return Ok(Response::new(v1::LeaseTaskResponse::default()));
        };
        self.core.changes.notify();
        let batches = serde_json::to_vec(&assignment.batches)
            .map_err(|error| status(SourceError::Unavailable(error.to_string())))?;
        Ok(Response::new(v1::LeaseTaskResponse {
            lease: Some(wire::lease_message(&assignment.lease)),
            leaves: assignment.leaves.iter().map(wire::leaf_message).collect(),
            batches,
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
        let lease = self.held(request.into_inner().lease).await.map_err(status)?;
        self.source.extend(&lease).await.map_err(status)?;
        Ok(Response::new(v1::ExtendLeaseResponse {}))
    }

    async fn complete_task(
        &self,
        request: Request<v1::CompleteTaskRequest>,
    ) -> Result<Response<v1::CompleteTaskResponse>, Status> {
        let request = request.into_inner();
        let lease = self.held(request.lease).await.map_err(status)?;
        let missing = || status(SourceError::Refused("result: missing".to_owned()));
        let record = wire::record(request.result.ok_or_else(missing)?).map_err(status)?;
        let assignment = self.source.assignment(lease.clone()).await.map_err(status)?;
        let record = Box::new(self.check(assignment, record).await.map_err(status)?);
        let outcome = Outcome::Done { record, reused: request.reused };
        self.source.finish(&lease, &outcome).await.map_err(status)?;
        self.core.changes.notify();
        Ok(Response::new(v1::CompleteTaskResponse {}))
    }

    async fn fail_task(
        &self,
        request: Request<v1::FailTaskRequest>,
    ) -> Result<Response<v1::FailTaskResponse>, Status> {
        let request = request.into_inner();
        let lease = self.held(request.lease).await.map_err(status)?;
        let error = JobError { reason: text(&request.reason), message: text(&request.message) };
        let failure = self.source.finish(&lease, &Outcome::Failed(error)).await.map_err(status)?;
        self.core.changes.notify();
        Ok(Response::new(v1::FailTaskResponse { retried: failure == Some(Failure::Retried) }))
    }

    async fn hand_back_task(
        &self,
        request: Request<v1::HandBackTaskRequest>,
    ) -> Result<Response<v1::HandBackTaskResponse>, Status> {
        let request = request.into_inner();
        let lease = self.held(request.lease).await.map_err(status)?;
        let lost = if request.witness_lost && lease.kind == TaskKind::Leaf {
            Lost::Witness
        } else if request.leaves_lost.is_empty() {
            Lost::Nothing
        } else {
            // Only leaves that the task takes.
            let assignment = self.source.assignment(lease.clone()).await.map_err(status)?;
            let named = |leaf: u64| request.leaves_lost.iter().any(|lost| lost.task == leaf);
            Lost::Leaves(assignment.leaves.into_iter().filter(|leaf| named(leaf.task)).collect())
        };
        let outcome = Outcome::HandedBack { note: text(&request.note), lost };
        self.source.finish(&lease, &outcome).await.map_err(status)?;
        self.core.changes.notify();
        Ok(Response::new(v1::HandBackTaskResponse {}))
    }

    async fn find_result(
        &self,
        request: Request<v1::FindResultRequest>,
    ) -> Result<Response<v1::FindResultResponse>, Status> {
        let input = wire::digest("input_digest", &request.into_inner().input_digest).map_err(status)?;
        let record = self.source.result(&input).await.map_err(status)?;
        Ok(Response::new(v1::FindResultResponse { result: record.as_ref().map(wire::record_message) }))
    }

    async fn download_file(
        &self,
        request: Request<v1::DownloadFileRequest>,
    ) -> Result<Response<Self::DownloadFileStream>, Status> {
        let request = request.into_inner();
        let digest = wire::digest("digest", &request.digest).map_err(status)?;
        let kind = if request.witness { FileKind::Witness } else { FileKind::Proof };
        let content = self.source.read(kind, &digest).await.map_err(status)?;
        let parts: Vec<_> = content
            .chunks(wire::PART_BYTES)
            .map(|part| Ok(v1::FilePart { content: part.to_vec() }))
            .collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(parts))))
    }

    async fn upload_proof(
        &self,
        request: Request<Streaming<v1::FilePart>>,
    ) -> Result<Response<v1::UploadProofResponse>, Status> {
        let mut parts = request.into_inner();
        let mut content = Vec::new();
        while let Some(part) = parts.next().await {
            content.extend_from_slice(&part?.content);
            if content.len() > wire::MAX_FILE_BYTES {
                let message = format!("expected at most {} bytes of a file", wire::MAX_FILE_BYTES);
                return Err(status(SourceError::Refused(message)));
            }
        }
        let digest: Digest = self.source.write(FileKind::Proof, content).await.map_err(status)?;
        Ok(Response::new(v1::UploadProofResponse { digest: digest.to_vec() }))
    }
}
