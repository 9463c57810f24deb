//! The account state and the one place that moves it: batches are executed here, one after the
//! other, and entered in the log.

mod genesis;
mod logged;
mod preparation;
mod submission;

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use rand::RngCore;
use tenon_circuits::{
    rollup::{
        Account, Batch, ChunkCapacity, Execution, Fr, L1Operation, ReasonCode, State, execute, field,
        snapshot::Snapshot,
    },
    witness::ChunkWitness,
};
use tenon_contracts::blob::Blobs;
use tokio::{sync::Mutex, task::spawn_blocking};
use tracing::{Instrument as _, Span, info, info_span, warn};

use crate::{
    core::unix_ms,
    engine::Engine,
    jobs::{Job, JobState},
    settlement::{Archive, ArchiveError},
    store::{
        LoggedBatch, NewBatch, Store, StoreError,
        files::{FileKind, Files},
    },
    telemetry::spans,
};
use logged::points;
use preparation::Preparation;

pub use genesis::{GenesisError, genesis_state};
pub use logged::{public_inputs, summary};
pub use submission::{Submission, SubmitError, Violation};

/// How far a batch's timestamp may be ahead of the service's clock, in seconds.
const CLOCK_TOLERANCE_SECONDS: u64 = 60;

/// Positions kept to take batches back without a replay.
const RECENT: usize = 64;

/// Batches read from the log at a time.
const PAGE: u32 = 32;

/// The contract's queue couldn't be read.
#[derive(Debug, thiserror::Error)]
#[error("the queue of L1 operations can't be read: {0}")]
pub struct QueueError(pub String);

/// The contract's queue, as a service that follows its L1 knows it.
#[async_trait]
pub trait OperationQueue: Send + Sync {
    /// Up to `limit` operations, in queue order, that are final on L1 and that no batch of the log consumes. It is
    /// asked while no batch can be entered in the log.
    ///
    /// # Errors
    /// When they can't be read.
    async fn next(&self, limit: usize) -> Result<Vec<L1Operation>, QueueError>;
}

/// What ties the executor to L1.
#[derive(Clone)]
pub struct L1Ties {
    /// The contract's queue; none for a service that follows no L1.
    pub queue: Option<Arc<dyn OperationQueue>>,
    /// Keeps what batches publish, and snapshots.
    pub archive: Arc<Archive>,
}

/// The state couldn't be rebuilt from the log.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log contradicts itself.
    #[error("the log of batches is damaged at batch {batch}: {message}")]
    Damaged {
        /// The batch.
        batch: u64,
        /// What is wrong.
        message: String,
    },
}

/// The state after a batch.
#[derive(Clone, Debug)]
pub struct Position {
    /// The batch's number; 0 for genesis.
    pub number: u64,
    /// The batch's timestamp; 0 for genesis.
    pub timestamp: u32,
    /// The state after it.
    pub state: State,
}

impl Position {
    /// The state before the first batch.
    #[must_use]
    pub fn genesis(state: State) -> Self {
        Self { number: 0, timestamp: 0, state }
    }
}

/// Limits of what is accepted.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What a chunk holds.
    pub chunk_capacity: ChunkCapacity,
    /// Chunks per batch.
    pub chunks: usize,
    /// Operations that a batch takes from the contract's queue.
    pub l1_operations: usize,
    /// Batches waiting for their proofs.
    pub queued_batches: u32,
    /// Batches between two checkpoints.
    pub checkpoint_interval: u64,
}

/// Executes batches and holds the state after the last one.
pub struct Executor {
    engine: Arc<dyn Engine>,
    store: Arc<dyn Store>,
    files: Arc<Files>,
    domain: Fr,
    /// What the log begins with.
    origin: Position,
    l1: L1Ties,
    limits: Limits,
    /// Held from the first look at the state to the entry in the log.
    serial: Mutex<VecDeque<Position>>,
    position: RwLock<Position>,
}

impl Executor {
    /// Rebuilds the state from `origin`, which the log begins with, and the log. With a queue, each batch consumes the
    /// operations that it gives.
    ///
    /// # Errors
    /// When the log can't be read or contradicts itself.
    pub async fn start(
        engine: Arc<dyn Engine>,
        store: Arc<dyn Store>,
        files: Arc<Files>,
        domain: Fr,
        origin: Position,
        l1: L1Ties,
        limits: Limits,
    ) -> Result<Self, RebuildError> {
        let position = RwLock::new(origin.clone());
        let first = origin.number;
        let executor =
            Self { engine, store, files, domain, origin, l1, limits, serial: Mutex::default(), position };
        let last = executor.store.last_batch().await?.map_or(first, |batch| batch.number);
        let position = executor.rebuild(last).await?;
        executor.set_position(position);
        Ok(executor)
    }

    /// The state after the last batch.
    pub fn position(&self) -> Position {
        self.position.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the log begins with.
    pub fn origin(&self) -> &Position {
        &self.origin
    }

    fn set_position(&self, position: Position) {
        *self.position.write().unwrap_or_else(PoisonError::into_inner) = position;
    }

    /// Executes a batch and enters it in the log. `true` where the key had its job already.
    ///
    /// # Errors
    /// When the batch is refused or couldn't be stored; nothing changed then.
    pub async fn submit(&self, submission: Submission) -> Result<(Job, bool), SubmitError> {
        let mut recent = self.serial.lock().await;
        if let Some(job) = self.store.job_by_key(&submission.idempotency_key).await? {
            if job.payload_digest != submission.payload_digest {
                return Err(SubmitError::KeyTaken { key: submission.idempotency_key, job: job.id });
            }
            match job.state {
                JobState::Cancelled => {}
                JobState::Failed => {
                    let job = self.store.restart(&job.id).await?;
                    info!(job = job.id, batch = job.batch.number, "job restarted");
                    return Ok((job, false));
                }
                _ => return Ok((job, true)),
            }
        }
        self.check_queue().await?;
        let job_id = new_job_id();
        let span = info_span!(
            "submit",
            job = job_id,
            batch = tracing::field::Empty,
            transactions = submission.transactions.len()
        );
        let span = spans::of_job(span, &job_id);
        Ok((self.enter(submission, job_id, &mut recent).instrument(span).await?, false))
    }

    /// Executes a batch on top of the last one and enters it in the log.
    async fn enter(
        &self,
        submission: Submission,
        job_id: String,
        recent: &mut VecDeque<Position>,
    ) -> Result<Job, SubmitError> {
        let position = self.position();
        let violations = self.check_envelope(&submission, &position);
        let timestamp = submission.timestamp.unwrap_or_else(|| clock_seconds().max(position.timestamp));
        let queue_start = self.store.next_operation().await?;
        let l1_operations = match &self.l1.queue {
            Some(queue) => queue.next(self.limits.l1_operations).await?,
            None => submission.l1_operations,
        };
        let batch = Batch {
            number: position.number + 1,
            timestamp,
            fee_accounts: submission.fee_accounts,
            l1_operations,
            transactions: submission.transactions,
        };
        let (engine, files) = (Arc::clone(&self.engine), Arc::clone(&self.files));
        let preparation = Preparation {
            domain: submission.domain,
            limits: self.limits,
            may_shorten: self.l1.queue.is_some(),
            queue_start,
            archive: Arc::clone(&self.l1.archive),
            violations,
        };
        let state = position.state.clone();
        let prepared = spawn_blocking(move || preparation.run(&*engine, &files, &state, batch))
            .await
            .map_err(|error| SubmitError::Interrupted(error.to_string()))??;

        let number = prepared.batch.number;
        Span::current().record("batch", number);
        let new = NewBatch {
            job_id,
            idempotency_key: submission.idempotency_key,
            payload_digest: submission.payload_digest,
            summary: summary(&prepared.batch, &prepared.execution),
            payload: prepared.payload,
            chunk_capacity: self.limits.chunk_capacity,
            witnesses: prepared.witnesses,
            publication: prepared.publication,
            priority: submission.priority,
        };
        let job = self.store.accept(new).await?;
        info!(
            job = job.id,
            batch = number,
            transactions = job.batch.transactions,
            chunks = job.batch.chunks,
            "batch accepted"
        );
        recent.push_back(position);
        if recent.len() > RECENT {
            recent.pop_front();
        }
        let state = prepared.execution.state;
        self.set_position(Position { number, timestamp, state: state.clone() });
        if number % self.limits.checkpoint_interval == 0 {
            self.checkpoint(number, state).await;
        }
        Ok(job)
    }

    /// Takes a job's batch, and its successors with `cascade`, out of the log.
    ///
    /// # Errors
    /// When the job is final or has successors, or the store fails; nothing changed then.
    pub async fn cancel(&self, job_id: &str, cascade: bool) -> Result<Vec<Job>, CancelError> {
        let mut recent = self.serial.lock().await;
        let job = self.store.job(job_id).await?.ok_or_else(|| StoreError::JobUnknown(job_id.to_owned()))?;
        if !job.state.is_open() && job.state != JobState::Failed {
            return Err(StoreError::JobFinal { id: job.id, batch: job.batch.number, state: job.state }.into());
        }
        let before = job.batch.number.saturating_sub(1);
        let position = match recent.iter().find(|position| position.number == before) {
            Some(position) => position.clone(),
            None => self.rebuild(before).await?,
        };
        let cancelled = self.store.cancel(job_id, cascade).await?;
        info!(job = job_id, batch = job.batch.number, jobs = cancelled.len(), "cancelled");
        recent.retain(|position| position.number < before);
        self.set_position(position);
        Ok(cancelled)
    }

    /// The witness of a chunk, from the log.
    ///
    /// # Errors
    /// When the batch isn't in the log or the log can't be replayed.
    pub async fn witness(&self, number: u64, chunk: u32) -> Result<ChunkWitness, RebuildError> {
        let damaged = |message: &str| RebuildError::Damaged { batch: number, message: message.to_owned() };
        let state = self.rebuild(number.saturating_sub(1)).await?.state;
        let logged = self.store.batch(number).await?.ok_or_else(|| damaged("it is not in the log"))?;
        let (_, execution) = self.replay(state, logged).await?;
        execution.chunks.into_iter().nth(chunk as usize).ok_or_else(|| damaged("it has no such chunk"))
    }

    /// Puts what a batch of the log publishes back in the archive.
    ///
    /// # Errors
    /// When the batch isn't in the log, the log can't be replayed or the archive can't be written.
    pub async fn republish(&self, number: u64) -> Result<(), RepublishError> {
        let damaged = |message: String| RebuildError::Damaged { batch: number, message };
        let state = self.rebuild(number.saturating_sub(1)).await?.state;
        let logged =
            self.store.batch(number).await?.ok_or_else(|| damaged("it is not in the log".to_owned()))?;
        let (_, execution) = self.replay(state, logged).await?;
        let archive = Arc::clone(&self.l1.archive);
        spawn_blocking(move || {
            let blobs = Blobs::from_words(&execution.da_words).map_err(ArchiveError::from)?;
            archive.keep(&blobs, &execution.l1_words)
        })
        .await
        .map_err(|error| damaged(error.to_string()))??;
        Ok(())
    }

    async fn check_queue(&self) -> Result<(), SubmitError> {
        let counts = self.store.job_counts().await?;
        let queued: u64 = counts.iter().filter(|(state, _)| state.is_open()).map(|(_, count)| count).sum();
        if queued >= u64::from(self.limits.queued_batches) {
            return Err(SubmitError::QueueFull { queued, limit: self.limits.queued_batches });
        }
        Ok(())
    }

    /// What is wrong with a batch before its transactions are looked at.
    fn check_envelope(&self, submission: &Submission, position: &Position) -> Vec<Violation> {
        let mut violations = submission.violations.clone();
        let mut refuse = |field: &str, reason: &str, message: String| {
            violations.push(Violation { field: field.to_owned(), reason: reason.to_owned(), message });
        };
        let malformed = submission.violations.iter().any(|violation| violation.field == "domain");
        if submission.domain != self.domain && !malformed {
            refuse(
                "domain",
                ReasonCode::DomainMismatch.as_str(),
                format!(
                    "expected {}, got {}",
                    field::to_hex(&self.domain),
                    field::to_hex(&submission.domain)
                ),
            );
        }
        let limit = self.limits.chunk_capacity.slots.saturating_mul(self.limits.chunks);
        let count = submission.transactions.len() + submission.l1_operations.len();
        if count > limit {
            refuse(
                "transactions",
                ReasonCode::BatchTooLarge.as_str(),
                format!("expected at most {limit} transactions and L1 operations, got {count}"),
            );
        }
        if self.l1.queue.is_some() && !submission.l1_operations.is_empty() {
            refuse(
                "l1_operations",
                "L1_OPERATIONS_REFUSED",
                format!(
                    "expected none, as the service takes them from L1 itself, got {}",
                    submission.l1_operations.len()
                ),
            );
        }
        if let Some(timestamp) = submission.timestamp {
            if timestamp < position.timestamp {
                refuse(
                    "timestamp",
                    "TIMESTAMP_TOO_EARLY",
                    format!("expected at least {}, of the batch before, got {timestamp}", position.timestamp),
                );
            }
            let latest = u64::from(clock_seconds()) + CLOCK_TOLERANCE_SECONDS;
            if u64::from(timestamp) > latest {
                refuse(
                    "timestamp",
                    "TIMESTAMP_IN_FUTURE",
                    format!("expected at most {latest}, got {timestamp}"),
                );
            }
        }
        violations
    }

    /// The state after batch `number`, from the newest good checkpoint and the log.
    async fn rebuild(&self, number: u64) -> Result<Position, RebuildError> {
        let mut position = self.newest_checkpoint(number).await?;
        while position.number < number {
            let batches = self.store.batches(position.number + 1, PAGE).await?;
            let before = position.number;
            for logged in batches.into_iter().take_while(|logged| logged.summary.number <= number) {
                if logged.summary.number != position.number + 1 {
                    break;
                }
                let (batch, execution) = self.replay(position.state, logged).await?;
                position =
                    Position { number: batch.number, timestamp: batch.timestamp, state: execution.state };
            }
            if position.number == before {
                let message = "it is missing".to_owned();
                return Err(RebuildError::Damaged { batch: before + 1, message });
            }
        }
        Ok(position)
    }

    async fn newest_checkpoint(&self, number: u64) -> Result<Position, RebuildError> {
        for (batch, file) in self.store.checkpoints(number).await? {
            let Some(logged) = self.store.batch(batch).await? else { continue };
            let files = Arc::clone(&self.files);
            let state = spawn_blocking(move || {
                let accounts: Vec<Account> =
                    files.read(FileKind::Checkpoint, &file).map_err(|error| error.to_string())?;
                State::from_accounts(&accounts).map_err(|error| error.to_string())
            })
            .await
            .unwrap_or_else(|error| Err(error.to_string()));
            match state {
                Ok(state) if field::to_bytes(&state.commitment()) == logged.summary.state_out => {
                    return Ok(Position { number: batch, timestamp: logged.summary.timestamp, state });
                }
                Ok(_) => warn!(batch, "checkpoint has another state than the log; not used"),
                Err(error) => warn!(batch, error, "checkpoint can't be used"),
            }
        }
        Ok(self.origin.clone())
    }

    /// Executes a logged batch again and compares it with the log.
    async fn replay(&self, state: State, logged: LoggedBatch) -> Result<(Batch, Execution), RebuildError> {
        let (number, domain) = (logged.summary.number, self.domain);
        let replayed = spawn_blocking(move || {
            let batch: Batch = serde_json::from_str(&logged.payload).map_err(|error| error.to_string())?;
            let execution = execute(&state, domain, &batch, logged.chunk_capacity)
                .map_err(|error| error.to_string())?
                .with_points(points(&logged.summary).map_err(|error| error.to_string())?);
            let (expected, actual) = (logged.summary, summary(&batch, &execution));
            if expected == actual {
                Ok((batch, execution))
            } else {
                Err(format!("expected {expected:?} from its execution, got {actual:?}"))
            }
        })
        .await
        .unwrap_or_else(|error| Err(error.to_string()));
        replayed.map_err(|message| RebuildError::Damaged { batch: number, message })
    }

    async fn checkpoint(&self, number: u64, state: State) {
        let (files, archive, domain) = (Arc::clone(&self.files), Arc::clone(&self.l1.archive), self.domain);
        let written = spawn_blocking(move || {
            let accounts: Vec<Account> = state.accounts().copied().collect();
            let snapshot = Snapshot { domain, batch: number, state };
            archive.keep_snapshot(&snapshot).map_err(|error| error.to_string())?;
            files.write(FileKind::Checkpoint, &accounts).map_err(|error| error.to_string())
        })
        .await
        .unwrap_or_else(|error| Err(error.to_string()));
        let recorded = match written {
            Ok(file) => self.store.add_checkpoint(number, file).await.map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        if let Err(error) = recorded {
            warn!(batch = number, error, "no checkpoint was written; the log alone is enough");
        }
    }
}

/// A job was not cancelled; nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state before the batch couldn't be rebuilt.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
}

/// What a batch publishes isn't back in the archive.
#[derive(Debug, thiserror::Error)]
pub enum RepublishError {
    /// The log can't be replayed.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive can't be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

fn clock_seconds() -> u32 {
    u32::try_from(unix_ms() / 1000).unwrap_or(u32::MAX)
}

fn new_job_id() -> String {
    let mut bytes = [0; 16];
    rand::rngs::OsRng.fill_bytes(&mut bytes);
    hex::encode(bytes)
}
