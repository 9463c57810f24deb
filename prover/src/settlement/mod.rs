//! The rollup on L1: following the contract, committing batches with their data and settling their proofs.

pub mod archive;
pub mod follower;

use crate::{l1::L1Error, store::StoreError};

pub use archive::{Archive, ArchiveError};
pub use follower::{Finality, Follower};

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
}
