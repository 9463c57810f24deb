//! The rollup contract's events, read in order.

use alloy::{
    primitives::{Address as L1Address, B256, U256},
    rpc::types::Log,
    sol_types::SolEventInterface,
};
use tenon_circuits::rollup::{Address, Fr, L1Operation, PublicKey, Recipient};
use tenon_contracts::bindings::rollup::IRollup::{
    BatchChained, BatchCommitted, BatchFinalized, BatchesReverted, BatchesVoided, ContradictionResolved,
    DepositQueued, ExitQueued, IRollupEvents,
};

use super::{Chain, L1Error, from_word};

/// Blocks asked for at a time; halved where a node refuses so many.
const RANGE: u64 = 2_000;

/// A batch as the contract knows it from its commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its number.
    pub number: u64,
    /// Its time in Unix seconds.
    pub timestamp: u32,
    /// The state after it.
    pub state_out: Fr,
    /// The commitment to its data.
    pub commit: Fr,
    /// Keccak-256 of its L1 words.
    pub l1_hash: B256,
    /// The versioned hashes of its blobs.
    pub blob_hashes: Vec<B256>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An operation was queued.
    Queued {
        /// Its place in the queue.
        position: u64,
        /// What it does.
        operation: L1Operation,
        /// When it has to be consumed, in Unix seconds.
        deadline: u32,
    },
    /// A batch was committed.
    Committed(Committed),
    /// A committed batch got its chained hash.
    Chained {
        /// Its number.
        number: u64,
        /// The hash before it.
        previous: B256,
        /// Its own.
        hash: B256,
    },
    /// Committed batches were discarded.
    Reverted {
        /// The first one's number.
        first: u64,
        /// The last one's number.
        last: u64,
    },
    /// A batch became final.
    Finalized {
        /// Its number.
        number: u64,
        /// The state after it.
        state_out: Fr,
        /// Keccak-256 of its L1 words.
        l1_hash: B256,
        /// The queue's first operation that isn't consumed.
        queue_end: u64,
    },
    /// Two proofs of a final batch contradicted each other, and a third one decided for one outcome.
    Resolved {
        /// The batch's number.
        number: u64,
        /// The state after it from now on.
        state_out: Fr,
    },
    /// A batch and its successors became void.
    Voided {
        /// The batch's number.
        number: u64,
    },
}

/// An event with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The block.
    pub block: u64,
    /// The transaction.
    pub transaction: B256,
    /// What happened.
    pub event: Event,
}

/// The events of a rollup contract in the blocks from `first` to `last` that concern its state, in order.
///
/// # Errors
/// When the chain can't be reached, or the contract's events aren't a rollup's.
pub async fn read(
    chain: &dyn Chain,
    rollup: L1Address,
    first: u64,
    last: u64,
) -> Result<Vec<Placed>, L1Error> {
    let mut events = Vec::new();
    for log in &logs(chain, rollup, first, last).await? {
        events.extend(placed(rollup, log)?);
    }
    Ok(events)
}

/// All events of a contract in the blocks from `first` to `last`, in order, asked for in parts that nodes answer.
///
/// # Errors
/// When the chain can't be reached.
pub async fn logs(
    chain: &dyn Chain,
    contract: L1Address,
    first: u64,
    last: u64,
) -> Result<Vec<Log>, L1Error> {
    let mut logs = Vec::new();
    let (mut next, mut range) = (first, RANGE);
    while next <= last {
        let end = last.min(next.saturating_add(range - 1));
        match chain.logs(contract, next, end).await {
            Ok(found) => {
                logs.extend(found);
                next = end + 1;
            }
            // Nodes limit the blocks or the events of one answer.
            Err(L1Error::Failed { .. }) if range > 1 => range /= 2,
            Err(error) => return Err(error),
        }
    }
    Ok(logs)
}

fn placed(rollup: L1Address, log: &Log) -> Result<Option<Placed>, L1Error> {
    let foreign = |reason: String| L1Error::NotTheContract { address: rollup, expected: "rollup", reason };
    let (Some(block), Some(transaction)) = (log.block_number, log.transaction_hash) else {
        return Err(foreign("an event is in no block".to_owned()));
    };
    let (topics, data) = (log.inner.data.topics(), &log.inner.data.data);
    // Events of later versions are none of those that the state depends on.
    let Ok(decoded) = IRollupEvents::decode_raw_log(topics, data) else { return Ok(None) };
    Ok(event(decoded)?.map(|event| Placed { block, transaction, event }))
}

fn event(decoded: IRollupEvents) -> Result<Option<Event>, L1Error> {
    Ok(Some(match decoded {
        IRollupEvents::DepositQueued(DepositQueued { index, deposit, deadline, .. }) => Event::Queued {
            position: index,
            operation: L1Operation::Deposit {
                token: deposit.token,
                amount: deposit.amount,
                recipient: Recipient {
                    key: PublicKey { x: element("key", deposit.ax)?, y: element("key", deposit.ay)? },
                    owner: Address(deposit.owner.into_array()),
                },
                to: deposit.to,
            },
            deadline,
        },
        IRollupEvents::ExitQueued(ExitQueued { index, owner, account, deadline }) => Event::Queued {
            position: index,
            operation: L1Operation::ForcedExit { index: account, owner: Address(owner.into_array()) },
            deadline,
        },
        IRollupEvents::BatchCommitted(BatchCommitted {
            number,
            timestamp,
            stateOut,
            commit,
            l1Hash,
            blobHashes,
        }) => Event::Committed(Committed {
            number,
            timestamp,
            state_out: element("state", stateOut)?,
            commit: element("commitment", commit)?,
            l1_hash: l1Hash,
            blob_hashes: blobHashes,
        }),
        IRollupEvents::BatchChained(BatchChained { number, previous, hash }) => {
            Event::Chained { number, previous, hash }
        }
        IRollupEvents::BatchesReverted(BatchesReverted { first, last }) => Event::Reverted { first, last },
        IRollupEvents::BatchFinalized(BatchFinalized { number, outcome, queueEnd }) => Event::Finalized {
            number,
            state_out: element("state", outcome.stateOut)?,
            l1_hash: outcome.l1Hash,
            queue_end: queueEnd,
        },
        IRollupEvents::ContradictionResolved(ContradictionResolved { number, outcome, .. }) => {
            Event::Resolved { number, state_out: element("state", outcome.stateOut)? }
        }
        IRollupEvents::BatchesVoided(BatchesVoided { number, .. }) => Event::Voided { number },
        _ => return Ok(None),
    }))
}

fn element(what: &'static str, value: U256) -> Result<Fr, L1Error> {
    from_word(what, value)
}
