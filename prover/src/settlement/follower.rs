//! Follows the contract: the queue's operations and the batches that became final, from blocks that the chain is
//! taken never to give up.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use alloy::primitives::Address;
use async_trait::async_trait;
use tenon_circuits::rollup::{L1Operation, field};
use tracing::{info, warn};

use super::SettlementError;
use crate::{
    executor::{OperationQueue, QueueError},
    l1::{
        At, Block, Chain,
        events::{self, Event},
        rollup::RollupContract,
    },
    store::{
        Store,
        l1::{FinalBatch, Mark, QueuedOperation},
    },
};

/// Blocks whose events are recorded at a time.
const STEP: u64 = 10_000;

/// When a block counts as final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// When the chain says so.
    Finalized,
    /// When so many blocks are on top of it.
    Confirmations(u64),
}

impl FromStr for Finality {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "finalized" => Ok(Self::Finalized),
            _ => text
                .parse()
                .ok()
                .filter(|confirmations| *confirmations <= 10_000)
                .map(Self::Confirmations)
                .ok_or_else(|| "finalized, or a number of confirmations up to 10000".to_owned()),
        }
    }
}

/// Follows a rollup contract.
#[derive(Clone)]
pub struct Follower {
    chain: Arc<dyn Chain>,
    store: Arc<dyn Store>,
    rollup: Address,
    first_block: u64,
    finality: Finality,
    /// Whether blocks went whose events were recorded, since the last look at this.
    rewound: Arc<AtomicBool>,
}

impl Follower {
    /// Follows the contract at `rollup`, which has no events before `first_block`.
    pub fn new(
        chain: Arc<dyn Chain>,
        store: Arc<dyn Store>,
        rollup: Address,
        first_block: u64,
        finality: Finality,
    ) -> Self {
        // A process before this one may have noticed and ended.
        let rewound = Arc::new(AtomicBool::new(true));
        Self { chain, store, rollup, first_block, finality, rewound }
    }

    /// The contract that it follows.
    pub(super) fn contract(&self) -> RollupContract<'_> {
        RollupContract { chain: &*self.chain, address: self.rollup }
    }

    /// The newest final block; none where none is final yet.
    ///
    /// # Errors
    /// When the chain can't be reached.
    pub async fn final_block(&self) -> Result<Option<Block>, SettlementError> {
        let confirmations = match self.finality {
            Finality::Finalized => return Ok(self.chain.block(At::Finalized).await?),
            Finality::Confirmations(confirmations) => confirmations,
        };
        let Some(latest) = self.chain.block(At::Latest).await? else { return Ok(None) };
        match latest.number.checked_sub(confirmations) {
            None => Ok(None),
            Some(number) if number == latest.number => Ok(Some(latest)),
            Some(number) => Ok(self.chain.block(At::Number(number)).await?),
        }
    }

    /// Whether blocks went whose events were recorded, since this was asked last; true at first.
    pub(super) fn take_rewound(&self) -> bool {
        self.rewound.swap(false, Ordering::Relaxed)
    }

    /// Records everything new up to the final block. Gives that block.
    ///
    /// # Errors
    /// When the chain or the store can't be reached, or the contract's events have gaps.
    pub async fn sync(&self) -> Result<Option<Block>, SettlementError> {
        let mut next = self.resume().await?;
        let Some(last) = self.final_block().await? else { return Ok(None) };
        while next <= last.number {
            let end = last.number.min(next + STEP - 1);
            let Some(block) = self.chain.block(At::Number(end)).await? else { return Ok(None) };
            self.record(next, &block).await?;
            next = end + 1;
        }
        Ok(Some(last))
    }

    /// The first block whose events aren't recorded, after those of blocks that are gone were forgotten.
    async fn resume(&self) -> Result<u64, SettlementError> {
        let marks = self.store.marks().await?;
        let newest = marks.first().copied();
        for mark in marks {
            let block = self.chain.block(At::Number(mark.block)).await?;
            if block.is_some_and(|block| block.hash.0 == mark.hash) {
                if newest != Some(mark) {
                    warn!(block = mark.block, "the chain gave blocks up; reading again from there");
                    self.rewound.store(true, Ordering::Relaxed);
                    self.store.rewind(Some(mark.block)).await?;
                }
                return Ok(mark.block + 1);
            }
        }
        if newest.is_some() {
            warn!("the chain gave all recorded blocks up; reading again from the start");
            self.rewound.store(true, Ordering::Relaxed);
            self.store.rewind(None).await?;
        }
        Ok(self.first_block)
    }

    async fn record(&self, first: u64, last: &Block) -> Result<(), SettlementError> {
        let mut operations = Vec::new();
        let mut batches = Vec::new();
        for placed in events::read(&*self.chain, self.rollup, first, last.number).await? {
            match placed.event {
                Event::Queued { position, operation, deadline } => {
                    operations.push(QueuedOperation { position, operation, deadline, block: placed.block });
                }
                Event::Finalized { number, state_out, queue_end, .. } => batches.push(FinalBatch {
                    number,
                    state_out: field::to_bytes(&state_out),
                    queue_end,
                    block: placed.block,
                }),
                Event::Voided { number } => {
                    return Err(SettlementError::Voided { number, block: placed.block });
                }
                Event::Resolved { .. }
                | Event::Committed(_)
                | Event::Chained { .. }
                | Event::Reverted { .. } => {}
            }
        }
        // The block may have gone while its events were read.
        let again = self.chain.block(At::Number(last.number)).await?;
        if again.is_none_or(|block| block.hash != last.hash) {
            return Err(SettlementError::Moved { block: last.number });
        }
        let mark = Mark { block: last.number, hash: last.hash.0 };
        self.store.advance(mark, &operations, &batches).await?;
        if !operations.is_empty() || !batches.is_empty() {
            info!(
                block = last.number,
                operations = operations.len(),
                final_batches = batches.len(),
                "events of L1 recorded"
            );
        }
        Ok(())
    }

    /// Up to `limit` operations, in queue order, that no batch of the log consumes and that are final on L1.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn next_operations(&self, limit: u32) -> Result<Vec<QueuedOperation>, SettlementError> {
        let first = self.store.next_operation().await?;
        let operations = self.store.operations(first, limit).await?;
        let gap = (first..).zip(&operations).find(|(expected, queued)| *expected != queued.position);
        match gap {
            Some((expected, queued)) => Err(SettlementError::QueueGap { expected, actual: queued.position }),
            None => Ok(operations),
        }
    }

    /// Whether the next operation has to be consumed within so many seconds of `now`, in Unix seconds.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn is_pressing(&self, now: u64, margin: u64) -> Result<bool, SettlementError> {
        let next = self.next_operations(1).await?;
        Ok(next.first().is_some_and(|queued| u64::from(queued.deadline) <= now.saturating_add(margin)))
    }
}

#[async_trait]
impl OperationQueue for Follower {
    async fn next(&self, limit: usize) -> Result<Vec<L1Operation>, QueueError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let queued = self.next_operations(limit).await.map_err(|error| QueueError(error.to_string()))?;
        Ok(queued.into_iter().map(|queued| queued.operation).collect())
    }
}
