//! What the service needs of a chain, so that one within the process can take a node's place.

use std::fmt;

use alloy::{
    eips::eip4844::Blob,
    primitives::{Address, B256, Bytes, U256},
    rpc::types::Log,
};
use async_trait::async_trait;
pub use tenon_contracts::evm::Message;

use super::{L1Error, SignedTransaction};

/// Names a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The newest one.
    Latest,
    /// The newest one that the chain never takes back.
    Finalized,
    /// The one of this number.
    Number(u64),
}

/// A block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Unix seconds.
    pub timestamp: u64,
}

/// What a transaction that is to be in one of the next blocks has to pay, in wei a unit of gas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// The price of gas in the newest block.
    pub base: u128,
    /// What those who include it get on top.
    pub priority: u128,
    /// The price of blob gas.
    pub blob: u128,
}

/// A transaction in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The transaction's hash.
    pub transaction: B256,
    /// The block's number.
    pub block: u64,
    /// The block's hash.
    pub block_hash: B256,
    /// Whether it did what it should; without that it cost gas and nothing else.
    pub success: bool,
    /// Gas used, that of the call data included, blobs' gas not.
    pub gas_used: u64,
    /// What it cost in wei, blobs included.
    pub cost_wei: u128,
    /// The contract that it created.
    pub created: Option<Address>,
}

/// A chain.
#[async_trait]
pub trait Chain: fmt::Debug + Send + Sync {
    /// The chain's name in reports: `revm`, or the URL.
    fn name(&self) -> String;

    /// The chain's id.
    ///
    /// # Errors
    /// When the chain can't be reached.
    async fn chain_id(&self) -> Result<u64, L1Error>;

    /// A block, where there is one.
    ///
    /// # Errors
    /// When the chain can't be reached.
    async fn block(&self, at: At) -> Result<Option<Block>, L1Error>;

    /// The events of a contract in the blocks from `first` to `last`, in order.
    ///
    /// # Errors
    /// When the chain can't be reached, or refuses so many blocks at once.
    async fn logs(&self, address: Address, first: u64, last: u64) -> Result<Vec<Log>, L1Error>;

    /// Transactions of an account in blocks.
    ///
    /// # Errors
    /// When the chain can't be reached.
    async fn nonce(&self, account: Address) -> Result<u64, L1Error>;

    /// What an account holds, in wei.
    ///
    /// # Errors
    /// When the chain can't be reached.
    async fn balance(&self, account: Address) -> Result<U256, L1Error>;

    /// The present prices.
    ///
    /// # Errors
    /// When the chain can't be reached.
    async fn prices(&self) -> Result<Prices, L1Error>;

    /// What a message returns after the newest block. `action` names it in errors.
    ///
    /// # Errors
    /// When it reverts or the chain can't be reached.
    async fn call(&self, action: &str, message: &Message) -> Result<Bytes, L1Error>;

    /// What a transaction with this message would return in the block to come.
    ///
    /// # Errors
    /// When it would revert or the chain can't be reached.
    async fn simulate(&self, action: &str, message: &Message) -> Result<Bytes, L1Error>;

    /// The gas that a transaction with this message would use in the block to come.
    ///
    /// # Errors
    /// When it reverts or the chain can't be reached.
    async fn estimate_gas(&self, action: &str, message: &Message) -> Result<u64, L1Error>;

    /// Hands a transaction in, again or for the first time, and doesn't wait for it.
    ///
    /// # Errors
    /// [`L1Error::NonceUsed`] and [`L1Error::Underpriced`] apart, when the chain doesn't take it or can't be reached.
    async fn send(&self, action: &str, transaction: &SignedTransaction) -> Result<(), L1Error>;

    /// Where a transaction is; none while it is in no block.
    ///
    /// # Errors
    /// When the chain can't be reached.
    async fn inclusion(&self, transaction: B256) -> Result<Option<Inclusion>, L1Error>;

    /// Blobs of a block, as far as the chain still has them.
    ///
    /// # Errors
    /// When the chain can't be reached.
    async fn blobs(&self, block: &Block, hashes: &[B256]) -> Result<Vec<Blob>, L1Error>;
}
