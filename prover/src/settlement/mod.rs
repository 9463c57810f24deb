//! The rollup on L1: following the contract, committing batches with their data and settling their proofs.

pub mod archive;
pub mod follower;
pub mod outbox;
pub mod publish;
pub mod rebuild;
pub mod service;
pub mod settler;
pub mod start;

use crate::{
    l1::L1Error,
    store::{StoreError, files::FileError},
};

pub use archive::{Archive, ArchiveError};
pub use follower::{Finality, Follower};
pub use outbox::{FeePolicy, Outbox};
pub use publish::{Published, evaluate, publish};
pub use service::{L1Connection, L1Side};
pub use settler::{Parts, Settler, Step};
pub use start::{StartStateError, first_state};

/// What goes wrong between the service and L1.
#[derive(Debug, thiserror::Error)]
pub enum SettlementError {
    /// The chain refused or can't be reached.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The chain changed while it was read; the next look will do.
    #[error("block {block} changed while its events were read")]
    Moved {
        /// The block.
        block: u64,
    },
    /// The contract's queue has a gap, which is the node's fault.
    #[error("expected operation {expected} of the queue next, got {actual}")]
    QueueGap {
        /// The operation that should come.
        expected: u64,
        /// The one that came.
        actual: u64,
    },
    /// A proof can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// L1 has another history than the log.
    #[error(
        "L1 has another batch {number} than the log: expected the state 0x{expected} after it, got 0x{actual}"
    )]
    Diverged {
        /// The batch.
        number: u64,
        /// The log's state.
        expected: String,
        /// The contract's.
        actual: String,
    },
    /// L1 has final batches that the log lacks.
    #[error(
        "L1 has final batches up to {finalized}, and the log ends with batch {last}: this log can't go on; begin \
         another one in an empty data directory, with --from-snapshot and what `tenon rebuild --output` writes"
    )]
    Behind {
        /// The last final batch.
        finalized: u64,
        /// The log's last.
        last: u64,
    },
    /// L1 took final batches back.
    #[error(
        "a contradiction between proofs made batch {number} and all after it void on L1 in block {block}: the log has \
         batches that don't count any more, and nothing is settled on top of them; see `tenon rebuild` for the state \
         that holds"
    )]
    Voided {
        /// The first void batch.
        number: u64,
        /// Where that was said.
        block: u64,
    },
    /// A reorg took an operation back that the log consumes.
    #[error(
        "batch {number} consumes operation {position} of the queue, which L1 doesn't have like that any more: a reorg was \
         deeper than l1_finality; the batch isn't committed, and has to be cancelled with its successors"
    )]
    OperationGone {
        /// The batch.
        number: u64,
        /// The operation's place.
        position: u64,
    },
    /// The contract is frozen: nothing settles any more.
    #[error("the rollup contract is frozen: nothing settles any more")]
    Frozen,
    /// The contract knows a commit whose events no block has.
    #[error("no block has the events of the commit of batch {number}")]
    CommitNotFound {
        /// The batch.
        number: u64,
    },
    /// The next batch to settle is in the middle of an aggregation.
    #[error("expected an aggregation from batch {first} on, got one from batch {aggregation} on")]
    RunBroken {
        /// The next batch to settle.
        first: u64,
        /// The aggregation's first.
        aggregation: u64,
    },
    /// A batch of the log has no data for L1.
    #[error("batch {number} was accepted without the data to publish")]
    NotPublished {
        /// The batch.
        number: u64,
    },
    /// The stored proof is about another batch.
    #[error("the proof that covers batch {number} is about another one")]
    OtherProof {
        /// The batch.
        number: u64,
    },
    /// The node is on another chain.
    #[error("expected an L1 node of chain {expected}, got one of chain {actual}")]
    OtherChain {
        /// As configured.
        expected: u64,
        /// The node's.
        actual: u64,
    },
    /// The contract isn't the service's rollup.
    #[error("expected a rollup contract with the domain {expected}, got {actual}")]
    OtherDomain {
        /// The service's.
        expected: String,
        /// The contract's.
        actual: String,
    },
    /// The work was interrupted.
    #[error("stopped: {0}")]
    Interrupted(String),
}

impl SettlementError {
    /// Whether it passes without anybody's doing.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::L1(L1Error::Unreachable { .. } | L1Error::Underpriced { .. })
                | Self::Moved { .. }
                | Self::CommitNotFound { .. }
                | Self::Interrupted(_)
        )
    }
}
