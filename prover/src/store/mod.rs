//! What outlives the process: the log of batches, jobs with their events, tasks with their leases,
//! and the records of proofs. Behind traits, so that nothing else knows the database.

pub mod figures;
pub mod files;
pub mod l1;
mod lock;
pub mod place;
mod s3;
pub mod sql;

use async_trait::async_trait;
use tenon_circuits::rollup::ChunkCapacity;

use crate::jobs::{
    Aggregation, BatchSummary, Digest, Event, Job, JobState, Lease, ProofRecord, TaskKind, plan::Candidate,
};

pub use figures::FigureStore;
pub use l1::{L1Store, Publication};
pub use lock::{DataDirLock, LockError};

/// What goes wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed: usually worth a retry.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The database's tables couldn't be made or updated.
    #[error("database migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The database holds what the service never writes.
    #[error("database: unexpected {what}: {found}")]
    Corrupt {
        /// What was read.
        what: &'static str,
        /// What it was.
        found: String,
    },
    /// The data directory belongs to another rollup.
    #[error("the data directory was made for {name} {expected}, this service has {actual}")]
    Foreign {
        /// What differs.
        name: String,
        /// As recorded.
        expected: String,
        /// As configured.
        actual: String,
    },
    /// The task isn't the worker's any more.
    #[error("the lease of task {task} with fence {fence} is over")]
    LeaseLost {
        /// The task.
        task: u64,
        /// The worker's fence.
        fence: u64,
    },
    /// Another server took charge of the database.
    #[error("another server is in charge of the database: its epoch is {actual}, this one's {expected}")]
    Deposed {
        /// The epoch that began when this server took charge.
        expected: i64,
        /// The database's.
        actual: i64,
    },
    /// No job has this id.
    #[error("no job has the id {0:?}")]
    JobUnknown(String),
    /// The job's state is final.
    #[error("job {id} of batch {batch} is {state}, which is final")]
    JobFinal {
        /// The job.
        id: String,
        /// Its batch.
        batch: u64,
        /// Its state.
        state: JobState,
    },
    /// The batch has successors and the caller didn't say that they go too.
    #[error("batch {batch} has {successors} successor(s); cancelling it needs a cascade to them")]
    HasSuccessors {
        /// The batch.
        batch: u64,
        /// Later batches in the log.
        successors: u64,
    },
    /// Another batch was entered meanwhile.
    #[error("expected batch {expected} to be the next, got {actual}")]
    OutOfOrder {
        /// The next number.
        expected: u64,
        /// The number given.
        actual: u64,
    },
    /// A batch that isn't in the log.
    #[error("batch {0} is not in the log")]
    BatchUnknown(u64),
    /// The log has its beginning already.
    #[error(
        "expected an empty log to begin after batch {expected}, got one that begins after batch {actual}"
    )]
    LogBegun {
        /// Where it should begin.
        expected: u64,
        /// Where it does.
        actual: u64,
    },
    /// The run of batches can't be aggregated.
    #[error("batches {first} to {last} can't be aggregated: {message}")]
    RunRefused {
        /// First batch of the run.
        first: u64,
        /// Last batch of the run.
        last: u64,
        /// Stable code.
        reason: &'static str,
        /// Why.
        message: String,
    },
}

/// A batch to enter in the log, with its job and the tasks to prove it.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// The job's id.
    pub job_id: String,
    /// The client's name for it.
    pub idempotency_key: String,
    /// SHA-256 of what was submitted.
    pub payload_digest: Digest,
    /// The batch.
    pub summary: BatchSummary,
    /// The batch in JSON.
    pub payload: String,
    /// What it was cut by.
    pub chunk_capacity: ChunkCapacity,
    /// Names of the chunks' witness files, in order.
    pub witnesses: Vec<Digest>,
    /// What it publishes.
    pub publication: Publication,
    /// How far it is ahead of others, up to [`MAX_PRIORITY`](crate::jobs::MAX_PRIORITY).
    pub priority: u32,
}

/// Where a log begins that continues what L1 has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogStart {
    /// The last batch before the log's first.
    pub number: u64,
    /// Its timestamp.
    pub timestamp: u32,
    /// Commitment to the state after it.
    pub state: Digest,
    /// The first operation of the contract's queue that no batch up to it consumed.
    pub queue_end: u64,
}

/// A batch as the log has it.
#[derive(Clone, Debug)]
pub struct LoggedBatch {
    /// The batch without its transactions.
    pub summary: BatchSummary,
    /// The batch in JSON.
    pub payload: String,
    /// What it was cut by.
    pub chunk_capacity: ChunkCapacity,
    /// Its job.
    pub job_id: String,
    /// The aggregation that covers it.
    pub aggregation: Option<u64>,
}

/// The log of accepted batches.
#[async_trait]
pub trait BatchLog {
    /// Records `identity` (names and values) at first use; compares it later.
    async fn bind(&self, identity: &[(&str, String)]) -> Result<(), StoreError>;
    /// Where the log begins; none for genesis.
    async fn log_start(&self) -> Result<Option<LogStart>, StoreError>;
    /// Has an empty log begin there; does nothing where it does already.
    async fn begin_log(&self, start: &LogStart) -> Result<(), StoreError>;
    /// The last batch.
    async fn last_batch(&self) -> Result<Option<BatchSummary>, StoreError>;
    /// One batch.
    async fn batch(&self, number: u64) -> Result<Option<LoggedBatch>, StoreError>;
    /// Up to `limit` batches from `first` on.
    async fn batches(&self, first: u64, limit: u32) -> Result<Vec<LoggedBatch>, StoreError>;
    /// Enters a batch with its job and tasks: all or nothing.
    async fn accept(&self, batch: NewBatch) -> Result<Job, StoreError>;
    /// Takes the job's batch, and its successors with `cascade`, out of the log: all or nothing.
    async fn cancel(&self, job_id: &str, cascade: bool) -> Result<Vec<Job>, StoreError>;
    /// Records that `file` holds the state after `batch`.
    async fn add_checkpoint(&self, batch: u64, file: Digest) -> Result<(), StoreError>;
    /// Checkpoints at or before `batch`, newest first.
    async fn checkpoints(&self, batch: u64) -> Result<Vec<(u64, Digest)>, StoreError>;
}

/// Jobs and their events.
#[async_trait]
pub trait JobStore {
    /// One job.
    async fn job(&self, id: &str) -> Result<Option<Job>, StoreError>;
    /// The latest job under a client's key.
    async fn job_by_key(&self, key: &str) -> Result<Option<Job>, StoreError>;
    /// Up to `limit` jobs, newest first, before `before`, in one of `states` (in any where empty).
    async fn jobs(
        &self,
        before: Option<u64>,
        states: &[JobState],
        limit: u32,
    ) -> Result<Vec<Job>, StoreError>;
    /// Up to `limit` events of a job after `after`.
    async fn events(&self, job_id: &str, after: u64, limit: u32) -> Result<Vec<Event>, StoreError>;
    /// Starts a failed job again; any other is left as it is.
    async fn restart(&self, job_id: &str) -> Result<Job, StoreError>;
    /// Numbers of jobs by state.
    async fn job_counts(&self) -> Result<Vec<(JobState, u64)>, StoreError>;
    /// When the oldest batch without an aggregate proof was accepted, in Unix milliseconds.
    async fn oldest_open_ms(&self) -> Result<Option<u64>, StoreError>;
}

/// What the names of the workers of the server's own process start with; the others' names start otherwise.
pub const SERVICE_OWNER: &str = "service/";

/// Workers in a row that are lost with a task before it fails: a proof for which no worker has the memory would end
/// one after the other.
pub const MAX_LOST_WORKERS: u32 = 5;

/// What became of a task that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It will be tried again.
    Retried,
    /// Its job failed.
    Final,
}

/// Numbers of tasks.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskCounts {
    /// Waiting for a worker.
    pub pending: u64,
    /// Being worked on.
    pub leased: u64,
}

/// A leaf proof that an aggregation takes.
#[derive(Clone, Debug)]
pub struct LeafInput {
    /// The task that made it.
    pub task: u64,
    /// Digest of what it was made from.
    pub input_digest: Digest,
    /// SHA-256 of the file, which names it.
    pub proof_digest: Digest,
}

/// One stage of a job's receipt.
#[derive(Clone, Debug)]
pub struct StageRecord {
    /// Position of the chunk, of a leaf.
    pub chunk: Option<u32>,
    /// Times the task was started.
    pub attempts: u32,
    /// Whether the proof was in the store already.
    pub reused: bool,
    /// The proof.
    pub proof: ProofRecord,
}

/// Tasks, their leases and results.
#[async_trait]
pub trait TaskStore {
    /// Puts right what a server left that died: returns the tasks of its own workers, and has proofs that were made
    /// with other keys and are still to be aggregated made again. Gives the number of tasks.
    async fn recover(&self, leaf_keys: &Digest) -> Result<u64, StoreError>;
    /// Leases the most urgent task of these kinds.
    async fn lease(
        &self,
        owner: &str,
        kinds: &[TaskKind],
        lease_ms: u64,
    ) -> Result<Option<Lease>, StoreError>;
    /// The lease of a task with this fence, where it isn't over, and its owner.
    async fn lease_of(&self, task: u64, fence: u64) -> Result<(Lease, String), StoreError>;
    /// Prolongs a lease.
    async fn extend(&self, lease: &Lease, lease_ms: u64) -> Result<(), StoreError>;
    /// Stores a task's result.
    async fn complete(&self, lease: &Lease, proof: ProofRecord, reused: bool) -> Result<(), StoreError>;
    /// Counts a failure; the task is tried again after `delay_ms` (doubled with each failure) unless
    /// it failed `max_attempts` times.
    async fn fail(
        &self,
        lease: &Lease,
        error: &crate::jobs::JobError,
        max_attempts: u32,
        delay_ms: u64,
    ) -> Result<Failure, StoreError>;
    /// Gives a task back without counting a failure; `note` goes to its job's events.
    async fn hand_back(&self, lease: &Lease, delay_ms: u64, note: &str) -> Result<(), StoreError>;
    /// Takes back tasks whose lease ran out ([`MAX_LOST_WORKERS`] times at most), but for those of the server's own workers, which live as long as it does.
    /// Gives their number.
    async fn expire(&self) -> Result<u64, StoreError>;
    /// Tasks that have been in work for longer than `deadline_ms`, whatever their worker says.
    async fn overdue(&self, deadline_ms: u64) -> Result<Vec<Lease>, StoreError>;
    /// Number of tasks of these kinds that a worker could lease now.
    async fn leasable(&self, kinds: &[TaskKind]) -> Result<u64, StoreError>;
    /// Sets a leaf task aside until its witness is made again.
    async fn lose_witness(&self, task: u64) -> Result<(), StoreError>;
    /// Leaf tasks that were set aside.
    async fn lost_witnesses(&self) -> Result<Vec<LostWitness>, StoreError>;
    /// Queues a task again whose witness is back; with an error its job fails instead.
    async fn restore_witness(
        &self,
        task: u64,
        error: Option<&crate::jobs::JobError>,
    ) -> Result<(), StoreError>;
    /// The proof made from these inputs.
    async fn result(&self, input: &Digest) -> Result<Option<ProofRecord>, StoreError>;
    /// Forgets a result whose file is damaged.
    async fn forget_result(&self, input: &Digest) -> Result<(), StoreError>;
    /// Has a leaf proof made again; aggregations that need it wait for it.
    async fn redo_leaf(&self, task: u64) -> Result<(), StoreError>;
    /// Numbers of tasks.
    async fn task_counts(&self) -> Result<TaskCounts, StoreError>;
    /// Mean proving seconds of the latest results of a stage.
    async fn mean_seconds(&self, kind: TaskKind) -> Result<Option<f64>, StoreError>;
}

/// The keys that a service proves with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceKeys {
    /// SHA-256 of the chunk circuit's keys.
    pub leaf: Digest,
    /// SHA-256 of the aggregation circuit's keys.
    pub aggregation: Digest,
}

/// A leaf task that waits for its witness to be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostWitness {
    /// The task.
    pub task: u64,
    /// Its batch.
    pub batch: u64,
    /// The chunk's position in it.
    pub chunk: u32,
    /// What the witness's SHA-256 has to be.
    pub digest: Digest,
}

/// Which server is in charge: one at a time enters batches and settles them, workers are many.
#[async_trait]
pub trait Lead {
    /// Takes charge, with these keys; waits for the end of a server that is in charge.
    async fn lead(&self, keys: &ServiceKeys) -> Result<(), StoreError>;
    /// Makes sure of being in charge still.
    async fn keep_lead(&self) -> Result<(), StoreError>;
    /// The keys of the service in charge; none before the first.
    async fn service_keys(&self) -> Result<Option<ServiceKeys>, StoreError>;
    /// What [`BatchLog::bind`] recorded under a name.
    async fn identity(&self, name: &str) -> Result<Option<String>, StoreError>;
    /// The number of the latest event of any job; 0 before the first.
    async fn last_sequence(&self) -> Result<u64, StoreError>;
}

/// Aggregations.
#[async_trait]
pub trait AggregationStore {
    /// One aggregation.
    async fn aggregation(&self, id: u64) -> Result<Option<Aggregation>, StoreError>;
    /// Makes an aggregation of a run of batches with its task; `true` where it existed.
    async fn aggregate(
        &self,
        first: u64,
        last: u64,
        capacity: u32,
    ) -> Result<(Aggregation, bool), StoreError>;
    /// Batches that automatic aggregation looks at, in order.
    async fn candidates(&self) -> Result<Vec<Candidate>, StoreError>;
    /// The leaf proofs that an aggregation takes, in order.
    async fn leaf_inputs(&self, id: u64) -> Result<Vec<LeafInput>, StoreError>;
    /// The record of the aggregation's proof.
    async fn aggregate_record(&self, id: u64) -> Result<Option<ProofRecord>, StoreError>;
    /// How the proofs of the batches of a run were made, the aggregate's last.
    async fn stages(&self, first: u64, last: u64) -> Result<Vec<StageRecord>, StoreError>;
    /// Has an aggregate proof made again.
    async fn redo_aggregate(&self, id: u64) -> Result<(), StoreError>;
}

/// Everything that the service keeps.
#[async_trait]
pub trait Store:
    BatchLog + JobStore + TaskStore + AggregationStore + L1Store + FigureStore + Lead + Send + Sync
{
    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Finishes writing and closes the database.
    async fn close(&self);
}
