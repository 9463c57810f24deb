//! A chain within the process, for demonstrations and tests: a real EVM that puts each transaction in a block of its
//! own at once. Gas and blobs cost nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use alloy::{
    consensus::{Transaction, TxEnvelope},
    eips::{eip2718::Decodable2718, eip4844::Blob},
    primitives::{Address, B256, Bytes, U256, keccak256},
    rpc::types::Log,
};
use async_trait::async_trait;
use tenon_contracts::{
    calldata,
    evm::{EvmError, LOCAL_CHAIN_ID, LocalChain},
};

use super::{
    L1Error, SignedTransaction,
    chain::{At, Block, Chain, Inclusion, Message, Prices},
    unix_seconds,
};

/// A chain in memory. Its blocks carry the machine's time, moved on by what [`LocalNode::advance`] was told.
#[derive(Debug)]
pub struct LocalNode(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    chain: LocalChain,
    ahead: u64,
    blocks: Vec<Block>,
    logs: Vec<Log>,
    inclusions: HashMap<B256, Inclusion>,
    blobs: HashMap<B256, Blob>,
}

impl Default for LocalNode {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalNode {
    /// An empty chain.
    #[must_use]
    pub fn new() -> Self {
        let timestamp = unix_seconds();
        let genesis = Block { number: 0, hash: keccak256("tenon local chain"), timestamp };
        Self(Mutex::new(Inner {
            chain: LocalChain::new(LOCAL_CHAIN_ID, timestamp),
            ahead: 0,
            blocks: vec![genesis],
            logs: Vec::new(),
            inclusions: HashMap::new(),
            blobs: HashMap::new(),
        }))
    }

    /// Gives an account ether.
    pub fn fund(&self, account: Address, amount: U256) {
        self.inner().chain.fund(account, amount);
    }

    /// Puts code at an address.
    pub fn set_code(&self, address: Address, code: Bytes) {
        self.inner().chain.set_code(address, code);
    }

    /// Moves the time of the blocks to come on by so many seconds.
    pub fn advance(&self, seconds: u64) {
        let mut inner = self.inner();
        inner.ahead += seconds;
        inner.tick();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The chain at the present time.
    fn now(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner();
        inner.tick();
        inner
    }
}

impl Inner {
    fn tick(&mut self) {
        self.chain.set_timestamp(unix_seconds() + self.ahead);
    }

    fn execute(&mut self, hash: B256, message: &Message) -> Result<(), EvmError> {
        let number = self.chain.block_number();
        let timestamp = self.chain.timestamp();
        let executed = self.chain.execute(message);
        let (success, gas_used, created, logs) = match executed {
            Ok(receipt) => (true, receipt.gas_used, receipt.created, receipt.logs),
            Err(EvmError::Reverted { gas_used, .. }) => (false, gas_used, None, Vec::new()),
            Err(error) => return Err(error),
        };
        let parent = self.blocks.last().map(|block| block.hash).unwrap_or_default();
        let block_hash = keccak256([parent, hash].concat());
        self.blocks.push(Block { number, hash: block_hash, timestamp });
        let inclusion = Inclusion {
            transaction: hash,
            block: number,
            block_hash,
            success,
            gas_used,
            cost_wei: 0,
            created,
        };
        self.inclusions.insert(hash, inclusion);
        self.logs.extend((0..).zip(logs).map(|(index, log)| Log {
            inner: log,
            block_hash: Some(block_hash),
            block_number: Some(number),
            block_timestamp: Some(timestamp),
            transaction_hash: Some(hash),
            transaction_index: Some(0),
            log_index: Some(index),
            removed: false,
        }));
        Ok(())
    }
}

#[async_trait]
impl Chain for LocalNode {
    fn name(&self) -> String {
        "revm".to_owned()
    }

    async fn chain_id(&self) -> Result<u64, L1Error> {
        Ok(self.inner().chain.chain_id())
    }

    async fn block(&self, at: At) -> Result<Option<Block>, L1Error> {
        let inner = self.inner();
        Ok(match at {
            At::Latest | At::Finalized => inner.blocks.last().copied(),
            At::Number(number) => inner.blocks.iter().find(|block| block.number == number).copied(),
        })
    }

    async fn logs(&self, address: Address, first: u64, last: u64) -> Result<Vec<Log>, L1Error> {
        let wanted = |log: &&Log| {
            log.inner.address == address
                && log.block_number.is_some_and(|number| (first..=last).contains(&number))
        };
        Ok(self.inner().logs.iter().filter(wanted).cloned().collect())
    }

    async fn nonce(&self, account: Address) -> Result<u64, L1Error> {
        Ok(self.inner().chain.nonce(account))
    }

    async fn balance(&self, account: Address) -> Result<U256, L1Error> {
        Ok(self.inner().chain.balance(account))
    }

    async fn prices(&self) -> Result<Prices, L1Error> {
        Ok(Prices::default())
    }

    async fn call(&self, action: &str, message: &Message) -> Result<Bytes, L1Error> {
        let receipt = self.now().chain.simulate(message).map_err(|error| describe(action, &error))?;
        Ok(receipt.output)
    }

    async fn simulate(&self, action: &str, message: &Message) -> Result<Bytes, L1Error> {
        self.call(action, message).await
    }

    async fn estimate_gas(&self, action: &str, message: &Message) -> Result<u64, L1Error> {
        let receipt = self.now().chain.simulate(message).map_err(|error| describe(action, &error))?;
        Ok(receipt.gas_used)
    }

    async fn send(&self, action: &str, transaction: &SignedTransaction) -> Result<(), L1Error> {
        let failed = |reason: String| L1Error::Failed { action: action.to_owned(), reason };
        let envelope = TxEnvelope::decode_2718(&mut transaction.raw.as_ref())
            .map_err(|error| failed(format!("the transaction can't be decoded: {error}")))?;
        let from = envelope.signature().recover_address_from_prehash(&envelope.signature_hash());
        let from = from.map_err(|error| failed(error.to_string()))?;
        let mut inner = self.now();
        if inner.inclusions.contains_key(&transaction.hash) {
            return Ok(());
        }
        let (expected, actual) = (inner.chain.nonce(from), envelope.nonce());
        if actual < expected {
            return Err(L1Error::NonceUsed { nonce: actual });
        }
        if actual > expected || envelope.chain_id() != Some(inner.chain.chain_id()) {
            return Err(failed(format!("expected nonce {expected} on the local chain, got {actual}")));
        }
        let sidecar = envelope.as_eip4844().and_then(|signed| signed.tx().sidecar());
        let blobs = sidecar.map(|sidecar| sidecar.blobs().to_vec()).unwrap_or_default();
        let blob_hashes = envelope.blob_versioned_hashes().unwrap_or_default().to_vec();
        let message = Message {
            from,
            to: envelope.to(),
            value: envelope.value(),
            data: envelope.input().clone(),
            blob_hashes: blob_hashes.clone(),
        };
        inner.execute(transaction.hash, &message).map_err(|error| describe(action, &error))?;
        inner.blobs.extend(blob_hashes.into_iter().zip(blobs));
        Ok(())
    }

    async fn inclusion(&self, transaction: B256) -> Result<Option<Inclusion>, L1Error> {
        Ok(self.inner().inclusions.get(&transaction).copied())
    }

    async fn blobs(&self, _block: &Block, hashes: &[B256]) -> Result<Vec<Blob>, L1Error> {
        let inner = self.inner();
        Ok(hashes.iter().filter_map(|hash| inner.blobs.get(hash).copied()).collect())
    }
}

fn describe(action: &str, error: &EvmError) -> L1Error {
    let action = action.to_owned();
    match error {
        EvmError::Reverted { data, .. } => {
            L1Error::Reverted { action, reason: calldata::describe_error(data) }
        }
        EvmError::Halted { reason } | EvmError::Invalid { reason } => {
            L1Error::Failed { action, reason: reason.clone() }
        }
    }
}
