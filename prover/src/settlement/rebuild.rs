//! Every account from what L1 has: the queue's operations and the batches' outcomes from events, the transactions from
//! blobs. Nothing of an operator's is needed but its published data, and no archive is trusted.

use std::{collections::BTreeMap, sync::Arc};

use alloy::{
    eips::eip4844::Blob,
    primitives::{Address, B256},
};
use tenon_circuits::rollup::{
    Fr, L1Operation, State, field,
    replay::{ReplayError, replay},
};
use tenon_contracts::blob::{self, BlobError};
use tokio::task::spawn_blocking;

use super::Archive;
use crate::l1::{
    At, Chain, L1Error,
    events::{self, Committed, Event, Placed},
    rollup::RollupContract,
};

/// The state couldn't be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The chain can't be reached or has no rollup there.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// The contract's events have a gap.
    #[error("expected {what} {expected} next, got {actual}; does --from-block leave events out?")]
    Gap {
        /// What is counted.
        what: &'static str,
        /// The number that should come.
        expected: u64,
        /// The one that came.
        actual: u64,
    },
    /// A final batch has no commit's event.
    #[error("no event has the data of batch {number}")]
    NotCommitted {
        /// The batch.
        number: u64,
    },
    /// A committee keeps the data.
    #[error("batch {number} has no blobs: a committee keeps its data")]
    NoBlobs {
        /// The batch.
        number: u64,
    },
    /// Neither chain nor archives have a blob.
    #[error(
        "batch {number}: neither the node nor an archive has the blob {hash}; blobs expire after about 18 days"
    )]
    BlobMissing {
        /// The batch.
        number: u64,
        /// The blob's versioned hash.
        hash: B256,
    },
    /// The blobs don't hold words.
    #[error("batch {number}: {error}")]
    Blob {
        /// The batch.
        number: u64,
        /// What is wrong.
        error: BlobError,
    },
    /// The words can't be replayed.
    #[error("batch {number}: {error}")]
    Replay {
        /// The batch.
        number: u64,
        /// What is wrong.
        error: ReplayError,
    },
    /// The work was interrupted.
    #[error("stopped: {0}")]
    Interrupted(String),
    /// The data leads elsewhere than the contract.
    #[error("batch {number}: expected the state {expected} after it, got {actual}")]
    State {
        /// The batch.
        number: u64,
        /// The contract's.
        expected: String,
        /// The data's.
        actual: String,
    },
}

/// What a rebuild starts from.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The chain.
    pub chain: &'a dyn Chain,
    /// The rollup contract.
    pub rollup: Address,
    /// The first block that can have the contract's events.
    pub first_block: u64,
    /// The state before the first batch.
    pub genesis: State,
    /// Archives of blobs and snapshots, looked at before the chain's blobs are.
    pub archives: Vec<Archive>,
    /// Whether snapshots may stand for the batches before them.
    pub use_snapshots: bool,
}

/// The state after the last final batch.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// The state.
    pub state: State,
    /// The last final batch, 0 for none.
    pub number: u64,
    /// Its timestamp; 0 where it came from a snapshot, or for none.
    pub timestamp: u32,
    /// The batch whose snapshot the replay started from, 0 for genesis.
    pub from: u64,
    /// Transactions replayed.
    pub transactions: u64,
    /// Operations of the contract's queue that final batches have consumed.
    pub consumed: u64,
    /// Operations of the queue that none has.
    pub waiting: Vec<L1Operation>,
    /// Blobs that came from archives.
    pub archived_blobs: u64,
    /// Blobs that came from the chain.
    pub chain_blobs: u64,
    /// The block that all this is at.
    pub block: u64,
}

/// A final batch, as its events say.
#[derive(Clone, Debug)]
struct Final {
    number: u64,
    state_out: Fr,
    queue_start: u64,
    queue_end: u64,
    block: u64,
    blob_hashes: Vec<B256>,
}

/// Everything that the events say.
#[derive(Debug, Default)]
struct History {
    operations: Vec<L1Operation>,
    batches: Vec<Final>,
}

impl History {
    fn collect(events: Vec<Placed>) -> Result<Self, RebuildError> {
        let mut history = Self::default();
        let mut commits: BTreeMap<u64, (u64, Committed)> = BTreeMap::new();
        for Placed { block, event, .. } in events {
            match event {
                Event::Queued { position, operation, .. } => {
                    let expected = history.operations.len() as u64;
                    if position != expected {
                        return Err(RebuildError::Gap { what: "operation", expected, actual: position });
                    }
                    history.operations.push(operation);
                }
                // A later commit of the same number is of a batch that replaced the earlier one.
                Event::Committed(commit) => {
                    commits.insert(commit.number, (block, commit));
                }
                Event::Finalized { number, state_out, l1_hash, queue_end } => {
                    let expected = history.batches.len() as u64 + 1;
                    if number != expected {
                        return Err(RebuildError::Gap { what: "final batch", expected, actual: number });
                    }
                    let (block, commit) = commits
                        .remove(&number)
                        .filter(|(_, commit)| commit.state_out == state_out && commit.l1_hash == l1_hash)
                        .ok_or(RebuildError::NotCommitted { number })?;
                    let queue_start = history.batches.last().map_or(0, |batch| batch.queue_end);
                    let blob_hashes = commit.blob_hashes;
                    history.batches.push(Final {
                        number,
                        state_out,
                        queue_start,
                        queue_end,
                        block,
                        blob_hashes,
                    });
                }
                // What it was proven from stays, and so does its data; its successors are voided by another event.
                Event::Resolved { number, state_out } => {
                    let batch = history.batches.iter_mut().find(|batch| batch.number == number);
                    batch.ok_or(RebuildError::NotCommitted { number })?.state_out = state_out;
                }
                Event::Voided { number } => {
                    history.batches.retain(|batch| batch.number < number);
                }
                Event::Chained { .. } | Event::Reverted { .. } => {}
            }
        }
        Ok(history)
    }

    /// The operations from one place of the queue to another.
    fn operations(&self, start: u64, end: u64) -> Result<&[L1Operation], RebuildError> {
        let place = |position: u64| usize::try_from(position).unwrap_or(usize::MAX);
        let actual = self.operations.len() as u64;
        self.operations.get(place(start)..place(end)).ok_or(RebuildError::Gap {
            what: "operation",
            expected: end,
            actual,
        })
    }
}

/// Rebuilds the state after the contract's last final batch. `progress` is told the batches done and their number.
///
/// # Errors
/// When the chain can't be reached, data is missing, or it doesn't lead to the contract's state.
pub async fn rebuild(
    sources: Sources<'_>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Rebuilt, RebuildError> {
    let Sources { chain, rollup, first_block, genesis, archives, use_snapshots } = sources;
    let contract = RollupContract { chain, address: rollup };
    // Asked first, so that everything it speaks of is in the events; what comes later is replayed too.
    let standing = contract.standing().await?;
    let block = chain.block(At::Latest).await?.map_or(0, |block| block.number);
    let history = History::collect(events::read(chain, rollup, first_block, block).await?)?;
    let (history, archives) = (Arc::new(history), Arc::new(archives));
    let count = history.batches.len() as u64;
    if count < standing.finalized {
        return Err(RebuildError::Gap { what: "final batch", expected: standing.finalized, actual: count });
    }
    let (from, state) = if use_snapshots {
        let (history, archives) = (Arc::clone(&history), Arc::clone(&archives));
        blocking(move || newest_snapshot(&history, &archives)).await?.unwrap_or((0, genesis))
    } else {
        (0, genesis)
    };
    let consumed = history.batches.last().map_or(0, |batch| batch.queue_end);
    let mut rebuilt = Rebuilt {
        state,
        number: from,
        timestamp: 0,
        from,
        transactions: 0,
        consumed,
        waiting: history.operations(consumed, history.operations.len() as u64)?.to_vec(),
        archived_blobs: 0,
        chain_blobs: 0,
        block,
    };
    for batch in history.batches.iter().filter(|batch| batch.number > from) {
        let blobs = find_blobs(chain, &archives, batch, &mut rebuilt).await?;
        let operations = history.operations(batch.queue_start, batch.queue_end)?;
        apply(batch, &blobs, operations, &mut rebuilt)?;
        progress(batch.number - from, count - from);
    }
    let expected = match history.batches.last() {
        Some(last) if last.number > standing.finalized => last.state_out,
        _ => standing.state,
    };
    require_state(rebuilt.number, &expected, &rebuilt.state)?;
    Ok(rebuilt)
}

/// The newest snapshot that is a final batch's state.
fn newest_snapshot(history: &History, archives: &[Archive]) -> Option<(u64, State)> {
    // A damaged snapshot only costs time.
    let snapshot =
        |batch: &Final, archive: &Archive| archive.snapshot(batch.number, &batch.state_out).ok()?;
    history.batches.iter().rev().find_map(|batch| {
        let found = archives.iter().find_map(|archive| snapshot(batch, archive));
        found.map(|snapshot| (batch.number, snapshot.state))
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, RebuildError> {
    spawn_blocking(work).await.map_err(|error| RebuildError::Interrupted(error.to_string()))
}

async fn find_blobs(
    chain: &dyn Chain,
    archives: &Arc<Vec<Archive>>,
    batch: &Final,
    rebuilt: &mut Rebuilt,
) -> Result<Vec<Blob>, RebuildError> {
    if batch.blob_hashes.is_empty() {
        return Err(RebuildError::NoBlobs { number: batch.number });
    }
    let (archives, hashes) = (Arc::clone(archives), batch.blob_hashes.clone());
    // What is damaged in one place may be whole in another.
    let archived = move |hash: &B256| archives.iter().find_map(|archive| archive.blob(hash).ok().flatten());
    let mut found: BTreeMap<B256, Blob> =
        blocking(move || hashes.into_iter().filter_map(|hash| Some((hash, archived(&hash)?))).collect())
            .await?;
    rebuilt.archived_blobs += found.len() as u64;
    let missing: Vec<B256> =
        batch.blob_hashes.iter().copied().filter(|hash| !found.contains_key(hash)).collect();
    if !missing.is_empty()
        && let Some(block) = chain.block(At::Number(batch.block)).await?
    {
        for blob in chain.blobs(&block, &missing).await? {
            if let Ok(hash) = blob::versioned_hash(&blob)
                && missing.contains(&hash)
                && found.insert(hash, blob).is_none()
            {
                rebuilt.chain_blobs += 1;
            }
        }
    }
    let blob = |hash: &B256| {
        found.get(hash).copied().ok_or(RebuildError::BlobMissing { number: batch.number, hash: *hash })
    };
    batch.blob_hashes.iter().map(blob).collect()
}

fn apply(
    batch: &Final,
    blobs: &[Blob],
    operations: &[L1Operation],
    rebuilt: &mut Rebuilt,
) -> Result<(), RebuildError> {
    let number = batch.number;
    let words = blob::words_from_blobs(blobs, &batch.blob_hashes)
        .map_err(|error| RebuildError::Blob { number, error })?;
    let replayed =
        replay(&rebuilt.state, &words, operations).map_err(|error| RebuildError::Replay { number, error })?;
    if replayed.number != number {
        return Err(RebuildError::Gap { what: "batch", expected: number, actual: replayed.number });
    }
    require_state(number, &batch.state_out, &replayed.state)?;
    rebuilt.state = replayed.state;
    rebuilt.number = number;
    rebuilt.timestamp = replayed.timestamp;
    rebuilt.transactions += replayed.transactions as u64;
    Ok(())
}

fn require_state(number: u64, expected: &Fr, state: &State) -> Result<(), RebuildError> {
    let actual = state.commitment();
    if actual == *expected {
        return Ok(());
    }
    Err(RebuildError::State { number, expected: field::to_hex(expected), actual: field::to_hex(&actual) })
}
