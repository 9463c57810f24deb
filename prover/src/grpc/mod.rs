//! The gRPC service: thin handlers over the executor and the store, behind a guard.

mod errors;
mod guard;
mod methods;
mod proofs;
mod queries;
mod server;
mod watch;
mod workers;

use std::{sync::Arc, time::Duration};

use tenon_proto::v1::{self, prover_server::Prover};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Request, Response, Status};

use crate::{
    convert::{self, Pace},
    core::Core,
    jobs::{TaskKind, progress::Means},
};
use errors::{from_cancel, from_store, from_submit, retry_later};
use watch::EventStream;
pub(crate) use {guard::bearer, server::serve};

/// Retry hint while nothing was measured.
const DEFAULT_RETRY: Duration = Duration::from_secs(5);

/// The `Prover` service.
#[derive(Clone)]
pub(crate) struct ProverService {
    core: Arc<Core>,
    watchers: Arc<Semaphore>,
}

impl ProverService {
    pub fn new(core: Arc<Core>) -> Self {
        let limit = core.config.max_concurrent_requests;
        Self { core, watchers: Arc::new(Semaphore::new(limit)) }
    }

    /// Takes one of the places for watchers.
    fn admit_watcher(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.watchers).try_acquire_owned().map_err(|_| {
            self.refused(retry_later(
                Code::ResourceExhausted,
                "TOO_MANY_REQUESTS",
                format!("{} jobs are being watched", self.core.config.max_concurrent_requests),
                Duration::from_secs(1),
            ))
        })
    }

    /// Counts a refusal.
    fn refused(&self, status: Status) -> Status {
        self.core.metrics.count_refusal(status)
    }

    async fn pace(&self) -> Result<Pace, Status> {
        let store = &self.core.store;
        let means = Means {
            leaf: store.mean_seconds(TaskKind::Leaf).await.map_err(from_store)?,
            aggregate: store.mean_seconds(TaskKind::Aggregate).await.map_err(from_store)?,
        };
        Ok(Pace { means, workers: self.core.config.workers })
    }

    async fn submit(&self, request: v1::SubmitBatchRequest) -> Result<v1::SubmitBatchResponse, Status> {
        let max_error_bytes = request.max_error_bytes;
        let submission = convert::submission(request);
        let retry_after = self
            .pace()
            .await?
            .means
            .leaf
            .and_then(|seconds| Duration::try_from_secs_f64(seconds.max(1.0)).ok())
            .unwrap_or(DEFAULT_RETRY);
        // The work goes on to its end even when the caller goes away.
        let core = Arc::clone(&self.core);
        let submitted = tokio::spawn(async move {
            let submitted = core.executor.submit(submission).await;
            if let Ok((job, existing)) = &submitted {
                if !existing {
                    core.metrics.batches_accepted.inc();
                    core.metrics.transactions_accepted.inc_by(job.batch.transactions.into());
                }
                core.changes.notify();
            }
            submitted
        });
        let (job, existing) = submitted
            .await
            .map_err(|error| errors::internal(&error))?
            .map_err(|error| from_submit(error, max_error_bytes, retry_after))?;
        Ok(v1::SubmitBatchResponse { job: Some(convert::job(&job, Some(self.pace().await?))), existing })
    }

    async fn cancel(&self, request: v1::CancelJobRequest) -> Result<v1::CancelJobResponse, Status> {
        let core = Arc::clone(&self.core);
        let cancelled = tokio::spawn(async move {
            let cancelled = core.executor.cancel(&request.job_id, request.cascade).await;
            core.changes.notify();
            cancelled
        });
        let cancelled = cancelled.await.map_err(|error| errors::internal(&error))?.map_err(from_cancel)?;
        let cancelled = cancelled.iter().map(|job| convert::job(job, None)).collect();
        Ok(v1::CancelJobResponse { cancelled })
    }
}

macro_rules! handle {
    ($self:ident, $request:ident, $method:ident) => {{
        let reply = $self.$method($request.into_inner()).await.map_err(|status| $self.refused(status))?;
        Ok(Response::new(reply))
    }};
}

#[tonic::async_trait]
impl Prover for ProverService {
    type WatchJobStream = EventStream;

    async fn submit_batch(
        &self,
        request: Request<v1::SubmitBatchRequest>,
    ) -> Result<Response<v1::SubmitBatchResponse>, Status> {
        handle!(self, request, submit)
    }

    async fn get_job(
        &self,
        request: Request<v1::GetJobRequest>,
    ) -> Result<Response<v1::GetJobResponse>, Status> {
        handle!(self, request, job)
    }

    async fn list_jobs(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        handle!(self, request, jobs)
    }

    async fn watch_job(
        &self,
        request: Request<v1::WatchJobRequest>,
    ) -> Result<Response<Self::WatchJobStream>, Status> {
        let place = self.admit_watcher()?;
        let stream = self.watch(request.into_inner(), place).await.map_err(|status| self.refused(status))?;
        Ok(Response::new(stream))
    }

    async fn cancel_job(
        &self,
        request: Request<v1::CancelJobRequest>,
    ) -> Result<Response<v1::CancelJobResponse>, Status> {
        handle!(self, request, cancel)
    }

    async fn get_proof(
        &self,
        request: Request<v1::GetProofRequest>,
    ) -> Result<Response<v1::GetProofResponse>, Status> {
        handle!(self, request, proof)
    }

    async fn create_aggregation(
        &self,
        request: Request<v1::CreateAggregationRequest>,
    ) -> Result<Response<v1::CreateAggregationResponse>, Status> {
        handle!(self, request, aggregate)
    }

    async fn get_aggregation(
        &self,
        request: Request<v1::GetAggregationRequest>,
    ) -> Result<Response<v1::GetAggregationResponse>, Status> {
        handle!(self, request, aggregation)
    }

    async fn verify_proof(
        &self,
        request: Request<v1::VerifyProofRequest>,
    ) -> Result<Response<v1::VerifyProofResponse>, Status> {
        handle!(self, request, verify)
    }

    async fn get_circuit(
        &self,
        request: Request<v1::GetCircuitRequest>,
    ) -> Result<Response<v1::GetCircuitResponse>, Status> {
        handle!(self, request, circuit)
    }

    async fn get_account(
        &self,
        request: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::GetAccountResponse>, Status> {
        handle!(self, request, account)
    }

    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        handle!(self, request, status)
    }
}
