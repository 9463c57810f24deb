//! What the store keeps about jobs, tasks and proofs.

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// A field element: 32 bytes, big-endian.
pub type FieldBytes = [u8; 32];

macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$variant_doc])* $variant),* }

        impl $type {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in the store and in metrics.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The one of this name.
            pub fn by_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

pub(crate) use named;

named! {
    /// Where a job stands.
    JobState {
        /// Executed and logged.
        Accepted = "accepted",
        /// Leaf proofs are being made.
        Proving = "proving",
        /// All leaf proofs are there.
        Aggregating = "aggregating",
        /// The aggregate proof is there.
        Ready = "ready",
        /// The proof was sent to L1.
        Settling = "settling",
        /// L1 accepted the proof.
        Settled = "settled",
        /// A task failed too often.
        Failed = "failed",
        /// The batch was taken out of the log.
        Cancelled = "cancelled",
    }
}

impl JobState {
    /// Whether nothing happens to the job any more unless somebody asks for it.
    pub fn is_resting(self) -> bool {
        matches!(self, Self::Ready | Self::Settled | Self::Failed | Self::Cancelled)
    }

    /// Whether proofs of the job are still to be made.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Accepted | Self::Proving | Self::Aggregating)
    }
}

named! {
    /// Where an aggregation stands.
    AggregationState {
        /// Waits for leaf proofs or a worker.
        Pending = "pending",
        /// Is being proven.
        Proving = "proving",
        /// The proof is there.
        Ready = "ready",
        /// Failed too often.
        Failed = "failed",
        /// One of its batches was cancelled.
        Cancelled = "cancelled",
    }
}

named! {
    /// What a task makes.
    TaskKind {
        /// The proof of a chunk.
        Leaf = "leaf",
        /// The proof of a run of batches.
        Aggregate = "aggregate",
    }
}

/// A batch as the log has it, without its transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSummary {
    /// Its number; the first is 1.
    pub number: u64,
    /// Unix seconds.
    pub timestamp: u32,
    /// Number of L1 operations.
    pub l1_operations: u32,
    /// Number of transactions.
    pub transactions: u32,
    /// Number of chunks.
    pub chunks: u32,
    /// State commitment before.
    pub state_in: FieldBytes,
    /// State commitment after.
    pub state_out: FieldBytes,
    /// Commitment to the published data.
    pub commit: FieldBytes,
    /// Where the DA stream is evaluated.
    pub z_d: FieldBytes,
    /// Evaluation of the DA stream.
    pub y_d: FieldBytes,
    /// Where the L1 stream is evaluated.
    pub z_l: FieldBytes,
    /// Evaluation of the L1 stream.
    pub y_l: FieldBytes,
}

/// Why a job failed or was cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError {
    /// Stable code.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// A submitted batch and its way to a proof.
#[derive(Clone, Debug)]
pub struct Job {
    /// Position among all jobs, in order of submission.
    pub position: u64,
    /// The service's name for it.
    pub id: String,
    /// The client's name for it.
    pub idempotency_key: String,
    /// SHA-256 of what was submitted.
    pub payload_digest: Digest,
    /// Where it stands.
    pub state: JobState,
    /// Its batch.
    pub batch: BatchSummary,
    /// Leaf proofs made.
    pub leaves_done: u32,
    /// How far its proofs are ahead of others', up to [`MAX_PRIORITY`](super::MAX_PRIORITY).
    pub priority: u32,
    /// The aggregation that covers it.
    pub aggregation: Option<u64>,
    /// Why it failed or was cancelled.
    pub error: Option<JobError>,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Unix milliseconds.
    pub updated_at_ms: u64,
    /// Sequence number of its latest event.
    pub last_sequence: u64,
}

/// A step of a job.
#[derive(Clone, Debug)]
pub struct Event {
    /// Rises from event to event, over all jobs.
    pub sequence: u64,
    /// The job.
    pub job_id: String,
    /// Unix milliseconds.
    pub time_ms: u64,
    /// The state from then on.
    pub state: JobState,
    /// Leaf proofs made.
    pub leaves_done: u32,
    /// Leaf proofs in all.
    pub leaves: u32,
    /// What happened.
    pub message: String,
    /// Why it failed or was cancelled.
    pub error: Option<JobError>,
}

/// One proof for a run of batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// The service's name for it.
    pub id: u64,
    /// First batch covered.
    pub first_batch: u64,
    /// Last batch covered.
    pub last_batch: u64,
    /// Leaf proofs aggregated.
    pub leaves: u32,
    /// Where it stands.
    pub state: AggregationState,
    /// Unix milliseconds.
    pub created_at_ms: u64,
}

/// A task given to a worker for a time.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The task.
    pub task: u64,
    /// Rises with each lease of the task; a result that comes with an older one is refused.
    pub fence: u64,
    /// What the task makes.
    pub kind: TaskKind,
    /// Times the task was started, this one included.
    pub attempt: u32,
    /// The job, of a leaf.
    pub job_id: Option<String>,
    /// The aggregation, of an aggregate.
    pub aggregation: Option<u64>,
    /// The batch; of an aggregate, the first.
    pub batch_number: u64,
    /// The chunk's position in its batch, of a leaf.
    pub chunk: u32,
    /// Names the witness file, of a leaf.
    pub witness: Option<Digest>,
}

/// How a stored proof was made.
#[derive(Clone, Debug)]
pub struct ProofRecord {
    /// Digest of everything that it was made from.
    pub input_digest: Digest,
    /// What made it.
    pub stage: TaskKind,
    /// SHA-256 of the file, which names it.
    pub proof_digest: Digest,
    /// The circuit.
    pub circuit: String,
    /// SHA-256 of the circuit's keys.
    pub key_digest: Digest,
    /// SHA-256 of the set-up.
    pub srs_digest: Digest,
    /// Proving time.
    pub seconds: f64,
    /// The process's peak memory while proving, 0 where not measured.
    pub peak_memory_bytes: u64,
    /// The machine.
    pub hardware: String,
}
