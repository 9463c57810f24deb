//! What the service keeps about the rollup on L1.

use async_trait::async_trait;
use tenon_circuits::rollup::L1Operation;

use super::StoreError;
use crate::jobs::{Digest, JobState, model::FieldBytes, named};

/// What a batch publishes and consumes. Its blobs and L1 words are in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The first operation of the contract's queue that it could consume.
    pub queue_start: u64,
    /// The first operation that it didn't consume.
    pub queue_end: u64,
    /// The versioned hashes of its blobs.
    pub blob_hashes: Vec<[u8; 32]>,
    /// Keccak-256 of its L1 words, 32 bytes each.
    pub l1_hash: [u8; 32],
}

/// A block up to which the contract's events were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The block's number.
    pub block: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// An operation of the contract's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedOperation {
    /// Its place in the queue.
    pub position: u64,
    /// What it does.
    pub operation: L1Operation,
    /// When it has to be consumed, in Unix seconds.
    pub deadline: u32,
    /// The block that it was queued in.
    pub block: u64,
}

/// A batch that is final on L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalBatch {
    /// Its number.
    pub number: u64,
    /// The state after it.
    pub state_out: FieldBytes,
    /// The queue's first operation that it and those before it didn't consume.
    pub queue_end: u64,
    /// The block in which it became final.
    pub block: u64,
}

named! {
    /// What a transaction does on L1.
    Purpose {
        /// Commits batches with their data.
        Commit = "commit",
        /// Proves batches.
        Prove = "prove",
        /// Discards committed batches.
        Revert = "revert",
    }
}

named! {
    /// Where a transaction stands.
    TransactionState {
        /// In no block.
        Open = "open",
        /// In a block that the chain could take back.
        Included = "included",
        /// In a final block.
        Done = "done",
        /// In a block, but it reverted.
        Failed = "failed",
        /// Another transaction has its nonce.
        Lost = "lost",
    }
}

/// A transaction to record before it is sent.
#[derive(Clone, Debug)]
pub struct NewTransaction {
    /// What it does.
    pub purpose: Purpose,
    /// First batch concerned.
    pub first_batch: u64,
    /// Last batch concerned.
    pub last_batch: u64,
    /// Its nonce.
    pub nonce: u64,
    /// Its hash.
    pub hash: Digest,
    /// Its encoding for the network.
    pub raw: Vec<u8>,
}

/// A transaction that isn't through.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The store's name for it.
    pub id: u64,
    /// What it does.
    pub purpose: Purpose,
    /// First batch concerned.
    pub first_batch: u64,
    /// Last batch concerned.
    pub last_batch: u64,
    /// Its nonce.
    pub nonce: u64,
    /// Where it stands.
    pub state: TransactionState,
    /// Hashes of all its attempts, the latest first.
    pub hashes: Vec<Digest>,
    /// The latest attempt as it goes to the network.
    pub raw: Vec<u8>,
    /// When that was sent, in Unix milliseconds.
    pub sent_at_ms: u64,
}

/// What a transaction in a block did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The block's number.
    pub block: u64,
    /// Gas used.
    pub gas_used: u64,
    /// What it cost, in wei.
    pub cost_wei: u128,
}

/// The rollup on L1.
#[async_trait]
pub trait L1Store {
    /// What a batch publishes.
    async fn publication(&self, number: u64) -> Result<Option<Publication>, StoreError>;
    /// The place of the first operation that no batch of the log consumes.
    async fn next_operation(&self) -> Result<u64, StoreError>;
    /// Up to `limit` operations of the queue from `first` on.
    async fn operations(&self, first: u64, limit: u32) -> Result<Vec<QueuedOperation>, StoreError>;
    /// The last batches that are final on L1, up to `limit` from `first` on.
    async fn final_batches(&self, first: u64, limit: u32) -> Result<Vec<FinalBatch>, StoreError>;
    /// The marks, newest first.
    async fn marks(&self) -> Result<Vec<Mark>, StoreError>;
    /// Records events up to a block: all or nothing.
    async fn advance(
        &self,
        mark: Mark,
        operations: &[QueuedOperation],
        batches: &[FinalBatch],
    ) -> Result<(), StoreError>;
    /// Forgets the events of the blocks after `block`; everything where there is none.
    async fn rewind(&self, block: Option<u64>) -> Result<(), StoreError>;
    /// Records a transaction that is about to be sent.
    async fn record_transaction(&self, transaction: NewTransaction) -> Result<u64, StoreError>;
    /// Records another attempt at a transaction, that is about to be sent.
    async fn record_attempt(&self, id: u64, hash: Digest, raw: Vec<u8>) -> Result<(), StoreError>;
    /// Transactions that aren't through, by nonce.
    async fn outgoing(&self) -> Result<Vec<Outgoing>, StoreError>;
    /// Notes where a transaction stands.
    async fn note_transaction(
        &self,
        id: u64,
        state: TransactionState,
        charge: Option<Charge>,
    ) -> Result<(), StoreError>;
    /// Moves the jobs of batches from one state to another, with an event that says why. Gives their number.
    async fn move_jobs(
        &self,
        first: u64,
        last: u64,
        from: &[JobState],
        to: JobState,
        message: &str,
    ) -> Result<u64, StoreError>;
}
