//! The rollup executed natively, on arkworks: keys, accounts, the account tree, transactions, published
//! data and the state transition. Wallets and sequencers need nothing else of this crate.

pub mod account;
pub mod babyjubjub;
pub mod blake512;
pub mod domain;
pub mod evaluation;
pub mod field;
pub mod float;
pub mod json;
pub mod poseidon;
pub mod pubdata;
pub mod replay;
pub mod signature;
pub mod snapshot;
pub mod state;
pub mod transaction;
pub mod transition;
pub mod tree;
pub mod words;

pub use account::{Account, Address, Recipient};
pub use domain::domain;
pub use field::Fr;
pub use float::{AmountCode, FeeCode};
pub use pubdata::{L1Item, Withdrawal};
pub use signature::{PrivateKey, PublicKey, Signature};
pub use state::State;
pub use transaction::{Batch, L1Operation, Transaction};
pub use transition::{BatchError, ChunkCapacity, Execution, ReasonCode, Rejection, execute};
pub use tree::Tree;

/// Most fee accounts that a chunk's header names.
pub const MAX_FEE_ACCOUNTS: usize = 4;
/// The account index that is never used: "no account" in a chunk's header.
pub const NO_ACCOUNT: u32 = u32::MAX;
/// Levels of the account tree above its leaves; with 4 children a node, 16 cover 32-bit indices.
pub const DEPTH: usize = 16;
/// Children of a node of the account tree.
pub const ARITY: usize = 4;
/// Version of the protocol: part of the domain, of keys and of proofs.
pub const PROTOCOL_VERSION: &str = "tenon.v1";
/// First nonce that can't be used: 2^40 - 1.
pub const NONCE_LIMIT: u64 = (1 << 40) - 1;
/// Most words of 248 bits that a batch may publish in its DA stream.
pub const MAX_DA_WORDS: usize = 24_576;
/// Most words of 248 bits that a batch may have in its L1 stream.
pub const MAX_L1_WORDS: usize = 4_096;
