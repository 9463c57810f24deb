//! The account state and the one place that moves it: batches are executed here, one after the
//! other, and entered in the log.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use rand::RngCore;
use tenon_circuits::{
    public_inputs::{BatchPublicInputs, batch_input},
    rollup::{
        Account, Batch, BatchError, ChunkCapacity, Execution, Fr, L1Operation, ReasonCode, Rejection, State,
        Transaction,
        evaluation::{self, Evaluations, Points},
        execute,
        field::{self, FieldError},
        json::{Genesis, JsonError},
        snapshot::Snapshot,
    },
    witness::ChunkWitness,
};
use tokio::{sync::Mutex, task::spawn_blocking};
use tracing::{info, warn};

use crate::{
    core::unix_ms,
    engine::{Engine, EngineError},
    jobs::{BatchSummary, Digest, Job, JobState},
    settlement::{Archive, ArchiveError, Published, publish},
    store::{
        LoggedBatch, NewBatch, Publication, Store, StoreError,
        files::{FileError, FileKind, Files},
    },
};

/// How far a batch's timestamp may be ahead of the service's clock, in seconds.
const CLOCK_TOLERANCE_SECONDS: u64 = 60;

/// Positions kept to take batches back without a replay.
const RECENT: usize = 64;

/// Batches read from the log at a time.
const PAGE: u32 = 32;

/// A batch as a client sent it.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The client's name for it.
    pub idempotency_key: String,
    /// SHA-256 of everything else.
    pub payload_digest: Digest,
    /// The domain that its transactions were signed for.
    pub domain: Fr,
    /// Unix seconds; the service's clock where absent.
    pub timestamp: Option<u32>,
    /// Accounts that receive the fees.
    pub fee_accounts: Vec<u32>,
    /// Operations of the contract's queue; none for a service that takes them from there itself.
    pub l1_operations: Vec<L1Operation>,
    /// In the order of execution.
    pub transactions: Vec<Transaction>,
    /// What is wrong with the encoding. The fields concerned hold placeholders.
    pub violations: Vec<Violation>,
}

/// One thing wrong with a submitted batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, such as `transactions[3].nonce`.
    pub field: String,
    /// Stable code.
    pub reason: String,
    /// For people, with expected and actual values.
    pub message: String,
}

/// A batch was not accepted; nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The batch is wrong.
    #[error("the batch is refused: {} violation(s)", .0.len())]
    Invalid(Vec<Violation>),
    /// The key belongs to another payload.
    #[error("the key {key:?} belongs to job {job}, which has another payload")]
    KeyTaken {
        /// The key.
        key: String,
        /// The job.
        job: String,
    },
    /// Too much is waiting.
    #[error("{queued} batches are waiting for their proofs, and at most {limit} may")]
    QueueFull {
        /// Batches waiting.
        queued: u64,
        /// The limit.
        limit: u32,
    },
    /// The batch executes but its trace doesn't pass the checker, which is a bug.
    #[error("chunk {chunk} of the batch executes but can't be proven: {error}")]
    Unprovable {
        /// The chunk.
        chunk: usize,
        /// What the checker says.
        error: EngineError,
    },
    /// The batch's data couldn't be put in blobs or kept.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The contract's queue couldn't be read.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A witness couldn't be stored.
    #[error(transparent)]
    File(#[from] FileError),
    /// The work was interrupted.
    #[error("execution stopped: {0}")]
    Interrupted(String),
}

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

/// The genesis file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// It can't be read.
    #[error("genesis file {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It isn't a list of accounts.
    #[error("genesis file {path}: {error}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        error: JsonError,
    },
}

/// The state of a genesis file; the empty state without one.
///
/// # Errors
/// When the file can't be read or isn't a list of accounts.
pub fn genesis_state(path: Option<&Path>) -> Result<State, GenesisError> {
    let Some(path) = path else { return Ok(State::new()) };
    let text =
        std::fs::read_to_string(path).map_err(|error| GenesisError::Read { path: path.to_owned(), error })?;
    Genesis::from_json(&text)
        .and_then(|genesis| genesis.state())
        .map_err(|error| GenesisError::Invalid { path: path.to_owned(), error })
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
    genesis: State,
    l1: L1Ties,
    limits: Limits,
    /// Held from the first look at the state to the entry in the log.
    serial: Mutex<VecDeque<Position>>,
    position: RwLock<Position>,
}

impl Executor {
    /// Rebuilds the state from the log. With a queue, each batch consumes the operations that it gives.
    ///
    /// # Errors
    /// When the log can't be read or contradicts itself.
    pub async fn start(
        engine: Arc<dyn Engine>,
        store: Arc<dyn Store>,
        files: Arc<Files>,
        domain: Fr,
        genesis: State,
        l1: L1Ties,
        limits: Limits,
    ) -> Result<Self, RebuildError> {
        let position = RwLock::new(Position { number: 0, timestamp: 0, state: genesis.clone() });
        let executor =
            Self { engine, store, files, domain, genesis, l1, limits, serial: Mutex::default(), position };
        let last = executor.store.last_batch().await?.map_or(0, |batch| batch.number);
        let position = executor.rebuild(last).await?;
        executor.set_position(position);
        Ok(executor)
    }

    /// The state after the last batch.
    pub fn position(&self) -> Position {
        self.position.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Commitment to the state that the log starts from.
    pub fn genesis_commitment(&self) -> Fr {
        self.genesis.commitment()
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
        let new = NewBatch {
            job_id: new_job_id(),
            idempotency_key: submission.idempotency_key,
            payload_digest: submission.payload_digest,
            summary: summary(&prepared.batch, &prepared.execution),
            payload: prepared.payload,
            chunk_capacity: self.limits.chunk_capacity,
            witnesses: prepared.witnesses,
            publication: prepared.publication,
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
        Ok((job, false))
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
        Ok(Position { number: 0, timestamp: 0, state: self.genesis.clone() })
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

/// An executed batch whose witnesses are stored.
struct Prepared {
    batch: Batch,
    execution: Execution,
    publication: Publication,
    payload: String,
    witnesses: Vec<Digest>,
}

/// How a batch is made ready for the log.
struct Preparation {
    domain: Fr,
    limits: Limits,
    /// Whether operations may be left in the queue for a later batch.
    may_shorten: bool,
    /// The place in the contract's queue of the first operation.
    queue_start: u64,
    archive: Arc<Archive>,
    /// What is wrong with it already.
    violations: Vec<Violation>,
}

impl Preparation {
    fn run(
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

fn summary(batch: &Batch, execution: &Execution) -> BatchSummary {
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
fn points(batch: &BatchSummary) -> Result<Points, FieldError> {
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

fn clock_seconds() -> u32 {
    u32::try_from(unix_ms() / 1000).unwrap_or(u32::MAX)
}

fn new_job_id() -> String {
    let mut bytes = [0; 16];
    rand::rngs::OsRng.fill_bytes(&mut bytes);
    hex::encode(bytes)
}
