//! A service reached over gRPC.

use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tenon_proto::{
    client::{self, Connect, RawWorkerClient},
    v1,
};
use tokio::sync::RwLock;
use tokio_stream::StreamExt;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::{
    source::{Assignment, Lost, Outcome, Source, SourceError},
    wire,
};
use crate::{
    jobs::{Digest, Lease, ProofRecord, TaskKind},
    store::{Failure, ServiceKeys, files::FileKind},
};

/// Longest time that a call may take which carries no file.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest time for a file.
const FILE_TIMEOUT: Duration = Duration::from_secs(600);

/// A service reached over gRPC: workers need neither its database nor its store.
pub struct Remote {
    connect: Connect,
    client: RwLock<RawWorkerClient>,
}

impl Remote {
    /// Connects.
    ///
    /// # Errors
    /// When nothing answers there or what was given can't be used.
    pub async fn connect(connect: Connect) -> Result<Self, client::Error> {
        let client = connect.clone().connect_worker().await?;
        Ok(Self { connect, client: RwLock::new(client) })
    }

    async fn client(&self) -> RawWorkerClient {
        self.client.read().await.clone()
    }
}

fn request<T>(message: T, limit: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

/// What a refusal means for a lease.
fn refused(status: &Status, lease: Option<&Lease>) -> SourceError {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    match (status.code(), lease) {
        (Code::Aborted, Some(lease)) => SourceError::LeaseLost { task: lease.task, fence: lease.fence },
        (Code::NotFound, _) if reason == "FILE_LOST" => SourceError::FileLost(status.message().to_owned()),
        (
            Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented,
            _,
        ) => SourceError::Refused(status.message().to_owned()),
        (code, _) => SourceError::Unavailable(format!("{code}: {}", status.message())),
    }
}

#[async_trait]
impl Source for Remote {
    async fn lease(
        &self,
        owner: &str,
        kinds: &[TaskKind],
        keys: &ServiceKeys,
    ) -> Result<Option<Assignment>, SourceError> {
        let message = v1::LeaseTaskRequest {
            worker: owner.to_owned(),
            kinds: wire::kind_numbers(kinds),
            leaf_key: keys.leaf.to_vec(),
            aggregation_key: keys.aggregation.to_vec(),
        };
        let reply = self.client().await.lease_task(request(message, CALL_TIMEOUT)).await;
        let reply = reply.map_err(|status| refused(&status, None))?.into_inner();
        let Some(lease) = reply.lease else { return Ok(None) };
        let lease = wire::lease(lease)?;
        let batches = match lease.kind {
            TaskKind::Leaf => Vec::new(),
            TaskKind::Aggregate => serde_json::from_slice(&reply.batches)
                .map_err(|error| SourceError::Refused(format!("batches: {error}")))?,
        };
        let leaves = reply.leaves.iter().map(wire::leaf).collect::<Result<_, _>>()?;
        Ok(Some(Assignment { lease, leaves, batches, jobs: reply.job_ids }))
    }

    async fn leasable(&self, kinds: &[TaskKind]) -> Result<u64, SourceError> {
        let message = v1::CountTasksRequest { kinds: wire::kind_numbers(kinds) };
        let reply = self.client().await.count_tasks(request(message, CALL_TIMEOUT)).await;
        Ok(reply.map_err(|status| refused(&status, None))?.into_inner().tasks)
    }

    async fn extend(&self, lease: &Lease) -> Result<(), SourceError> {
        let message = v1::ExtendLeaseRequest { lease: Some(wire::lease_id(lease)) };
        let reply = self.client().await.extend_lease(request(message, CALL_TIMEOUT)).await;
        reply.map(|_| ()).map_err(|status| refused(&status, Some(lease)))
    }

    async fn finish(&self, lease: &Lease, outcome: &Outcome) -> Result<Option<Failure>, SourceError> {
        let mut client = self.client().await;
        let held = Some(wire::lease_id(lease));
        let reply = match outcome {
            Outcome::Done { record, proof } => {
                let message = v1::CompleteTaskRequest {
                    lease: held,
                    proof: proof.clone(),
                    seconds: record.seconds,
                    peak_memory_bytes: record.peak_memory_bytes,
                    hardware: record.hardware.clone(),
                };
                client.complete_task(request(message, FILE_TIMEOUT)).await.map(|_| None)
            }
            Outcome::Failed(error) => {
                let (reason, text) = (error.reason.clone(), error.message.clone());
                let message = v1::FailTaskRequest { lease: held, reason, message: text };
                client.fail_task(request(message, CALL_TIMEOUT)).await.map(|reply| {
                    Some(if reply.into_inner().retried { Failure::Retried } else { Failure::Final })
                })
            }
            Outcome::HandedBack { note, lost } => {
                let input_lost = !matches!(lost, Lost::Nothing);
                let message = v1::HandBackTaskRequest { lease: held, note: note.clone(), input_lost };
                client.hand_back_task(request(message, CALL_TIMEOUT)).await.map(|_| None)
            }
        };
        reply.map_err(|status| refused(&status, Some(lease)))
    }

    async fn result(&self, lease: &Lease, input: &Digest) -> Result<Option<ProofRecord>, SourceError> {
        let message = v1::FindResultRequest { lease: Some(wire::lease_id(lease)) };
        let reply = self.client().await.find_result(request(message, CALL_TIMEOUT)).await;
        let reply = reply.map_err(|status| refused(&status, Some(lease)))?.into_inner();
        let record = reply.result.map(wire::record).transpose()?;
        // The service and the worker name the same inputs the same way, or they are of different versions.
        Ok(record.filter(|record| record.input_digest == *input))
    }

    async fn forget_result(&self, _input: &Digest) -> Result<(), SourceError> {
        // The result that replaces it overwrites its record.
        Ok(())
    }

    async fn read(&self, lease: &Lease, _kind: FileKind, digest: &Digest) -> Result<Vec<u8>, SourceError> {
        let message =
            v1::DownloadInputRequest { lease: Some(wire::lease_id(lease)), digest: digest.to_vec() };
        let refused = |status: Status| refused(&status, Some(lease));
        let reply = self.client().await.download_input(request(message, FILE_TIMEOUT)).await;
        let mut parts = reply.map_err(refused)?.into_inner();
        let mut content = Vec::new();
        while let Some(part) = parts.next().await {
            content.extend_from_slice(&part.map_err(refused)?.content);
            if content.len() > wire::MAX_FILE_BYTES {
                let message = format!("expected at most {} bytes of a file", wire::MAX_FILE_BYTES);
                return Err(SourceError::Refused(message));
            }
        }
        let actual: Digest = Sha256::digest(&content).into();
        if actual != *digest {
            let (expected, actual) = (hex::encode(digest), hex::encode(actual));
            return Err(SourceError::Unavailable(format!("expected a file {expected}, got {actual}")));
        }
        Ok(content)
    }

    async fn reconnect(&self) -> Result<(), SourceError> {
        let client = self.connect.clone().connect_worker().await;
        *self.client.write().await = client.map_err(|error| SourceError::Unavailable(error.to_string()))?;
        Ok(())
    }
}
