//! Everything that the leaf circuit needs to prove a chunk, in native types. All fields are public, so that
//! tests can forge them: only what [`transition::execute`](crate::rollup) makes is known to be valid.

use serde::{Deserialize, Serialize};

use crate::rollup::{ARITY, Account, DEPTH, Fr, MAX_FEE_ACCOUNTS, Transaction, field};

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
