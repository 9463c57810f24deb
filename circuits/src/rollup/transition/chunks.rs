//! The cut into chunks: greedy, each as full as the circuit's capacity allows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Run, fees::TokenFees};
use crate::{
    rollup::{Fr, State, pubdata},
    witness::{ChunkWitness, OperationWitness, TransactionWitness},
};

/// Most slots of a chunk: its header counts operations and transactions in 16 bits each.
pub const MAX_CHUNK_SLOTS: usize = u16::MAX as usize;

/// How much a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkCapacity {
    /// L1 operations and transactions together.
    pub slots: usize,
    /// Opens among the transactions.
    pub opens: usize,
    /// Words of the L1 stream.
    pub l1_words: usize,
}

impl ChunkCapacity {
    /// What anything in a single slot needs: an open, or a deposit with its refund.
    const LEAST: Self =
        Self { slots: 1, opens: 1, l1_words: pubdata::DEPOSIT_WORDS + pubdata::WITHDRAWAL_WORDS };

    /// Room for one slot at least, and for no more than a header can count.
    pub(super) fn at_least_one_slot(self) -> Self {
        Self {
            slots: self.slots.clamp(Self::LEAST.slots, MAX_CHUNK_SLOTS),
            opens: self.opens.max(Self::LEAST.opens),
            l1_words: self.l1_words.max(Self::LEAST.l1_words),
        }
    }
}

impl From<usize> for ChunkCapacity {
    /// So many slots, and words for whatever is in them.
    fn from(slots: usize) -> Self {
        Self { slots, opens: usize::MAX, l1_words: usize::MAX }
    }
}

/// What an operation or a transaction needs of a chunk's room.
#[derive(Clone, Copy)]
pub(super) struct Need {
    pub(super) opens: usize,
    pub(super) l1_words: usize,
}

/// A chunk that is being filled.
pub(super) struct OpenChunk {
    root_in: Fr,
    next_index: u32,
    slots: usize,
    opens: usize,
    l1_words: usize,
    pub(super) operations: Vec<OperationWitness>,
    pub(super) transactions: Vec<TransactionWitness>,
    pub(super) fees: BTreeMap<u32, TokenFees>,
}

impl OpenChunk {
    pub(super) fn new(state: &State) -> Self {
        Self {
            root_in: state.root(),
            next_index: state.next_index(),
            slots: 0,
            opens: 0,
            l1_words: 0,
            operations: Vec::new(),
            transactions: Vec::new(),
            fees: BTreeMap::new(),
        }
    }

    fn fits(&self, need: Need, capacity: &ChunkCapacity) -> bool {
        self.slots < capacity.slots
            && self.opens + need.opens <= capacity.opens
            && self.l1_words + need.l1_words <= capacity.l1_words
    }
}

impl Run<'_> {
    /// Takes a slot, of a new chunk when the last one hasn't the room.
    pub(super) fn reserve(&mut self, need: Need) {
        if !self.chunk.fits(need, &self.capacity) {
            self.close_chunk();
        }
        let chunk = &mut self.chunk;
        chunk.slots += 1;
        chunk.opens += need.opens;
        chunk.l1_words += need.l1_words;
    }

    /// Ends the chunk: its fees are credited, its words absorbed. The next one starts.
    pub(super) fn close_chunk(&mut self) {
        let fees = self.credit_fees();
        let next = OpenChunk::new(&self.state);
        let chunk = std::mem::replace(&mut self.chunk, next);
        if !self.rejections.is_empty() {
            return;
        }
        let chunk = ChunkWitness {
            domain: self.domain,
            number: self.batch.number,
            timestamp: self.batch.timestamp,
            commit_in: self.commit,
            points: Default::default(),
            evaluations_in: Default::default(),
            root_in: chunk.root_in,
            next_index: chunk.next_index,
            operations: chunk.operations,
            transactions: chunk.transactions,
            fees,
        };
        let (da_words, l1_words) = (chunk.da_words(), chunk.l1_words());
        self.check_words(self.da_words.len() + da_words.len(), self.l1_words.len() + l1_words.len());
        self.commit = pubdata::absorb_chunk(self.commit, &da_words, &l1_words);
        self.da_words.extend(da_words);
        self.l1_words.extend(l1_words);
        self.chunks.push(chunk);
    }
}
