//! Jobs, accounts, circuits and the service's status.

use tenon_circuits::rollup::field;
use tenon_proto::v1;
use tonic::{Code, Status};

use super::{
    ProverService,
    errors::{from_store, invalid_field, refusal},
};
use crate::{convert, core::unix_ms, engine::SizeClassInfo, jobs::JobState, store::StoreError, telemetry};

const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 500;

impl ProverService {
    pub(super) async fn job(&self, request: v1::GetJobRequest) -> Result<v1::GetJobResponse, Status> {
        let store = &self.core.store;
        let job = store.job(&request.job_id).await.map_err(from_store)?;
        let job = job.ok_or_else(|| from_store(StoreError::JobUnknown(request.job_id)))?;
        let receipt = match job.state {
            JobState::Ready | JobState::Settling | JobState::Settled => {
                let number = job.batch.number;
                Some(convert::receipt(&store.stages(number, number).await.map_err(from_store)?))
            }
            _ => None,
        };
        Ok(v1::GetJobResponse { job: Some(convert::job(&job, Some(self.pace().await?))), receipt })
    }

    pub(super) async fn jobs(&self, request: v1::ListJobsRequest) -> Result<v1::ListJobsResponse, Status> {
        let size = match request.page_size {
            0 => DEFAULT_PAGE,
            size if size <= MAX_PAGE => size,
            size => {
                let message = format!("expected at most {MAX_PAGE}, got {size}");
                return Err(invalid_field("page_size", "PAGE_SIZE_INVALID", message));
            }
        };
        let before = match request.page_token.as_str() {
            "" => None,
            token => Some(token.parse::<u64>().map_err(|_| {
                invalid_field(
                    "page_token",
                    "PAGE_TOKEN_INVALID",
                    "expected next_page_token of an earlier page",
                )
            })?),
        };
        let mut states = Vec::with_capacity(request.states.len());
        for number in request.states {
            states.push(convert::job_state_from(number).ok_or_else(|| {
                invalid_field("states", "JOB_STATE_INVALID", format!("expected job states, got {number}"))
            })?);
        }
        let mut jobs = self.core.store.jobs(before, &states, size + 1).await.map_err(from_store)?;
        let more = jobs.len() > size as usize;
        jobs.truncate(size as usize);
        let next_page_token =
            jobs.last().filter(|_| more).map(|job| job.position.to_string()).unwrap_or_default();
        let pace = self.pace().await?;
        let jobs = jobs.iter().map(|job| convert::job(job, Some(pace))).collect();
        Ok(v1::ListJobsResponse { jobs, next_page_token })
    }

    pub(super) async fn account(
        &self,
        request: v1::GetAccountRequest,
    ) -> Result<v1::GetAccountResponse, Status> {
        let position = self.core.executor.position();
        let state = &position.state;
        let index = request.index;
        let account = state.account(index).ok_or_else(|| {
            let message = format!("account {index} doesn't exist; there are {}", state.next_index());
            refusal(Code::NotFound, "ACCOUNT_UNKNOWN", message)
        })?;
        let path = state.tree().path(index);
        let level = |siblings: &[_; 3]| v1::PathLevel {
            siblings: siblings.iter().map(convert::element_bytes).collect(),
        };
        Ok(v1::GetAccountResponse {
            index,
            account: Some(v1::Account {
                token: account.token,
                nonce: account.nonce,
                balance: account.balance.to_string(),
                key: Some(convert::public_key(&account.key)),
                owner: account.owner.0.to_vec(),
            }),
            leaf: convert::element_bytes(&account.leaf()),
            path: path.iter().map(level).collect(),
            root: convert::element_bytes(&state.root()),
            next_index: state.next_index(),
            state: convert::element_bytes(&state.commitment()),
            batch_number: position.number,
        })
    }

    pub(super) async fn circuit(
        &self,
        _request: v1::GetCircuitRequest,
    ) -> Result<v1::GetCircuitResponse, Status> {
        let circuits = self.core.engine.circuits();
        let size_class = |class: &SizeClassInfo| v1::SizeClass {
            name: class.name.clone(),
            k: class.k,
            slots: number(class.capacity.slots),
            active: *class == circuits.size_class,
            opens: number(class.capacity.opens),
            l1_words: number(class.capacity.l1_words),
            accounts: number(class.capacity.accounts),
            nodes: number(class.capacity.nodes),
        };
        Ok(v1::GetCircuitResponse {
            protocol_version: circuits.protocol_version.clone(),
            leaf: Some(convert::circuit(&circuits.leaf)),
            aggregation: Some(convert::circuit(&circuits.aggregation)),
            size_classes: circuits.size_classes.iter().map(size_class).collect(),
            leaves: number(circuits.leaves),
            max_transactions: number(circuits.leaves.saturating_mul(circuits.size_class.capacity.slots)),
        })
    }

    pub(super) async fn status(
        &self,
        _request: v1::GetStatusRequest,
    ) -> Result<v1::GetStatusResponse, Status> {
        let core = &self.core;
        let position = core.executor.position();
        let counts = core.store.job_counts().await.map_err(from_store)?;
        let tasks = core.store.task_counts().await.map_err(from_store)?;
        let oldest = core.store.oldest_open_ms().await.map_err(from_store)?;
        let queued: u64 = counts.iter().filter(|(state, _)| state.is_open()).map(|(_, count)| count).sum();
        Ok(v1::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_version: core.engine.circuits().protocol_version.clone(),
            chain_id: core.config.chain_id,
            rollup_address: core.config.rollup_address.to_vec(),
            domain: field::to_bytes(&core.domain).to_vec(),
            last_batch: position.number,
            state: convert::element_bytes(&position.state.commitment()),
            genesis_state: convert::element_bytes(&core.executor.origin().state.commitment()),
            accounts: position.state.next_index(),
            jobs: counts
                .iter()
                .map(|(state, count)| v1::JobCount {
                    state: convert::job_state(*state).into(),
                    count: *count,
                })
                .collect(),
            queued_batches: number(queued),
            max_queued_batches: core.config.max_queued_batches,
            pending_tasks: number(tasks.pending),
            running_tasks: number(tasks.leased),
            workers: number(core.config.workers),
            threads_per_worker: number(core.config.threads_per_worker),
            oldest_batch_age_seconds: oldest.map_or(0, |oldest| unix_ms().saturating_sub(oldest) / 1000),
            uptime_seconds: core.started.elapsed().as_secs(),
            peak_memory_bytes: telemetry::process_peak_bytes(),
        })
    }
}

fn number<T: TryInto<u32>>(value: T) -> u32 {
    value.try_into().unwrap_or(u32::MAX)
}
