//! Everything that the leaf circuit needs to prove a chunk, in native types. All fields are public, so that
//! tests can forge them: only what [`transition::execute`](crate::rollup::transition::execute) makes is known to be valid.

use ark_ff::AdditiveGroup;
use serde::{Deserialize, Serialize};

use crate::{
    public_inputs::{LeafPublicInputs, batch_input},
    rollup::{
        ARITY, Account, Address, AmountCode, DEPTH, FeeCode, Fr, MAX_FEE_ACCOUNTS, NO_ACCOUNT, PrivateKey,
        State, Transaction, field, pubdata, state,
        transaction::KIND_TRANSFER,
        tree::{empty_hashes, root_of_path},
    },
};

/// One chunk of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkWitness {
    /// The rollup's domain.
    #[serde(with = "field::serde_hex")]
    pub domain: Fr,
    /// The batch's number.
    #[serde(with = "field::serde_decimal")]
    pub number: u64,
    /// The batch's timestamp, in Unix seconds.
    pub timestamp: u32,
    /// The commitment before the chunk: 0 exactly for the first chunk of a batch.
    #[serde(with = "field::serde_hex")]
    pub commit_in: Fr,
    /// Root of the account tree before the chunk.
    #[serde(with = "field::serde_hex")]
    pub root_in: Fr,
    /// Number of accounts.
    pub next_index: u32,
    /// The transactions, unpadded, at most as many as the circuit's size class holds.
    pub transactions: Vec<TransactionWitness>,
    /// The accesses that credit the fees at the chunk's end, in order; `None` where the header names no account.
    pub fees: [Option<AccountAccess>; MAX_FEE_ACCOUNTS],
}

/// A transaction with the two accounts that it changes, in the order of the changes: the sender is debited,
/// then the receiver credited in the tree that this leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionWitness {
    /// The transaction.
    pub transaction: Transaction,
    /// Nonce raised, amount and fee debited.
    pub sender: AccountAccess,
    /// Amount credited.
    pub receiver: AccountAccess,
}

/// A change of one account, with its path at that time; the siblings are the same before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountAccess {
    /// The account's index.
    pub index: u32,
    /// Its content before.
    pub before: Account,
    /// Its content after.
    pub after: Account,
    /// The three siblings of each node on the way up, ordered by position, the leaf's level first.
    #[serde(with = "field::serde_path")]
    pub siblings: [[Fr; ARITY - 1]; DEPTH],
}

impl ChunkWitness {
    /// A batch of no transactions and no fee accounts on the state without accounts.
    pub fn empty(domain: Fr, number: u64, timestamp: u32) -> Self {
        let state = State::new();
        Self {
            domain,
            number,
            timestamp,
            commit_in: Fr::ZERO,
            root_in: state.root(),
            next_index: state.next_index(),
            transactions: Vec::new(),
            fees: [const { None }; MAX_FEE_ACCOUNTS],
        }
    }

    /// What fills an unused slot of the circuit: a valid transfer of nothing, signed for this domain by a fixed
    /// key, from an account to itself. It isn't linked to any state.
    pub fn padding_transaction(domain: Fr) -> TransactionWitness {
        let key = PrivateKey::from_seed([0; 32]);
        let before =
            Account { token: 0, nonce: 0, balance: 0, key: key.public_key(), owner: Address([1; 20]) };
        let after = Account { nonce: 1, ..before };
        let unsigned = Transaction {
            kind: KIND_TRANSFER,
            from: 0,
            to: 0,
            token: 0,
            nonce: 0,
            amount: AmountCode(0),
            fee: FeeCode(0),
            valid_until: u32::MAX,
            signature: Default::default(),
        };
        let siblings = std::array::from_fn(|height| [empty_hashes()[height]; ARITY - 1]);
        TransactionWitness {
            transaction: unsigned.signed(&key, domain, &before),
            sender: AccountAccess { index: 0, before, after, siblings },
            receiver: AccountAccess { index: 0, before: after, after, siblings },
        }
    }

    /// The fee accounts as the chunk's header names them.
    pub fn fee_accounts(&self) -> [u32; MAX_FEE_ACCOUNTS] {
        self.fees.each_ref().map(|fee| fee.as_ref().map_or(NO_ACCOUNT, |access| access.index))
    }

    /// All accesses, in order.
    pub fn accesses(&self) -> impl DoubleEndedIterator<Item = &AccountAccess> {
        self.transactions
            .iter()
            .flat_map(|transaction| [&transaction.sender, &transaction.receiver])
            .chain(self.fees.iter().flatten())
    }

    /// The DA words that the chunk publishes: the batch's header when it is the first chunk, its own header, the
    /// records.
    pub fn da_words(&self) -> Vec<Fr> {
        let mut words = Vec::new();
        if self.commit_in == Fr::ZERO {
            words.push(pubdata::batch_header(self.number, self.timestamp));
        }
        // No chunk has more transactions than its header can count; a forged one is wrong either way.
        let count = self.transactions.len() as u16;
        words.push(pubdata::chunk_header(0, count, self.fee_accounts()));
        words.extend(pubdata::record_words(self.transactions.iter().map(|slot| &slot.transaction)));
        words
    }

    /// The account tree's root after the chunk: the one that the last access leaves.
    pub fn root_out(&self) -> Fr {
        self.accesses().next_back().map_or(self.root_in, AccountAccess::root_after)
    }

    /// What a proof of this chunk exposes, computed from the content without checking it.
    pub fn public_inputs(&self) -> LeafPublicInputs {
        LeafPublicInputs {
            domain: self.domain,
            batch: batch_input(self.number, self.timestamp),
            state_in: state::commitment(self.root_in, self.next_index),
            state_out: state::commitment(self.root_out(), self.next_index),
            commit_in: self.commit_in,
            commit_out: pubdata::absorb_all(self.commit_in, &self.da_words()),
        }
    }
}

impl AccountAccess {
    /// The account tree's root before the access.
    pub fn root_before(&self) -> Fr {
        root_of_path(self.index, self.before.leaf(), &self.siblings)
    }

    /// The account tree's root after the access.
    pub fn root_after(&self) -> Fr {
        root_of_path(self.index, self.after.leaf(), &self.siblings)
    }
}
