//! What clients submit, and why it is refused.

use tenon_circuits::rollup::{Fr, L1Operation, Transaction};

use super::QueueError;
use crate::{
    engine::EngineError,
    jobs::Digest,
    settlement::ArchiveError,
    store::{StoreError, files::FileError},
};

/// A batch as a client sent it.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The client's name for it.
    pub idempotency_key: String,
    /// SHA-256 of everything else but the priority.
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
    /// How far its proofs are ahead of others', up to [`MAX_PRIORITY`](crate::jobs::MAX_PRIORITY).
    pub priority: u32,
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
