//! The cut into chunks: greedy, each as full as the circuit's capacity allows.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{Run, fees::TokenFees};
use crate::{
    rollup::{DEPTH, Fr, MAX_FEE_ACCOUNTS, State, pubdata},
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
    /// Accounts that are touched.
    #[serde(default = "unlimited", skip_serializing_if = "is_unlimited")]
    pub accounts: usize,
    /// Nodes of the account tree over them, the root with them.
    #[serde(default = "unlimited", skip_serializing_if = "is_unlimited")]
    pub nodes: usize,
}

fn unlimited() -> usize {
    usize::MAX
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_unlimited(capacity: &usize) -> bool {
    *capacity == usize::MAX
}

/// Accounts that a slot touches at most.
const SLOT_ACCOUNTS: usize = 2;

impl ChunkCapacity {
    /// What anything in a single slot needs: an open, or a deposit with its refund; two accounts and all fee accounts,
    /// without a common node but the root.
    const LEAST: Self = Self {
        slots: 1,
        opens: 1,
        l1_words: pubdata::DEPOSIT_WORDS + pubdata::WITHDRAWAL_WORDS,
        accounts: SLOT_ACCOUNTS + MAX_FEE_ACCOUNTS,
        nodes: 1 + (SLOT_ACCOUNTS + MAX_FEE_ACCOUNTS) * (DEPTH - 1),
    };

    /// So many slots, opens and L1 words, whatever they touch.
    pub const fn of_words(slots: usize, opens: usize, l1_words: usize) -> Self {
        Self { slots, opens, l1_words, accounts: usize::MAX, nodes: usize::MAX }
    }

    /// Room for one slot at least, and for no more than a header can count.
    pub(super) fn at_least_one_slot(self) -> Self {
        Self {
            slots: self.slots.clamp(Self::LEAST.slots, MAX_CHUNK_SLOTS),
            opens: self.opens.max(Self::LEAST.opens),
            l1_words: self.l1_words.max(Self::LEAST.l1_words),
            accounts: self.accounts.max(Self::LEAST.accounts),
            nodes: self.nodes.max(Self::LEAST.nodes),
        }
    }
}

impl From<usize> for ChunkCapacity {
    /// So many slots, and words for whatever is in them.
    fn from(slots: usize) -> Self {
        Self::of_words(slots, usize::MAX, usize::MAX)
    }
}

/// What an operation or a transaction needs of a chunk's room.
#[derive(Clone, Copy)]
pub(super) struct Need {
    pub(super) opens: usize,
    pub(super) l1_words: usize,
    /// The accounts that it touches.
    pub(super) accounts: [u32; SLOT_ACCOUNTS],
}

/// Accounts and tree nodes that a chunk touches.
#[derive(Default)]
struct Touched {
    accounts: HashSet<u32>,
    /// By height and place on the level.
    nodes: HashSet<(usize, u32)>,
}

impl Touched {
    /// The nodes over an account from its parent to the root.
    fn nodes_over(index: u32) -> impl Iterator<Item = (usize, u32)> {
        (1..=DEPTH).map(move |height| (height, index.checked_shr(2 * height as u32).unwrap_or(0)))
    }

    fn add(&mut self, index: u32) {
        if self.accounts.insert(index) {
            self.nodes.extend(Self::nodes_over(index));
        }
    }

    /// Accounts and nodes that touching these accounts would add.
    fn added(&self, accounts: &[u32]) -> (usize, usize) {
        let mut new = Self::default();
        for index in accounts.iter().filter(|index| !self.accounts.contains(index)) {
            new.accounts.insert(*index);
            new.nodes.extend(Self::nodes_over(*index).filter(|node| !self.nodes.contains(node)));
        }
        (new.accounts.len(), new.nodes.len())
    }
}

/// A chunk that is being filled.
pub(super) struct OpenChunk {
    root_in: Fr,
    next_index: u32,
    slots: usize,
    opens: usize,
    l1_words: usize,
    touched: Touched,
    pub(super) operations: Vec<OperationWitness>,
    pub(super) transactions: Vec<TransactionWitness>,
    pub(super) fees: BTreeMap<u32, TokenFees>,
}

impl OpenChunk {
    /// An empty chunk, with room for these fee accounts.
    pub(super) fn new(state: &State, fee_accounts: &[u32]) -> Self {
        let mut touched = Touched::default();
        fee_accounts.iter().take(MAX_FEE_ACCOUNTS).for_each(|index| touched.add(*index));
        Self {
            touched,
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
        let (accounts, nodes) = self.touched.added(&need.accounts);
        self.touched.accounts.len() + accounts <= capacity.accounts
            && self.touched.nodes.len() + nodes <= capacity.nodes
            && self.slots < capacity.slots
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
        need.accounts.into_iter().for_each(|index| chunk.touched.add(index));
    }

    /// Ends the chunk: its fees are credited, its words absorbed. The next one starts.
    pub(super) fn close_chunk(&mut self) {
        let fees = self.credit_fees();
        let next = OpenChunk::new(&self.state, &self.batch.fee_accounts);
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
