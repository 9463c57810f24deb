//! A chain within the process, for demonstrations and tests: a real EVM with a local chain's id.

use std::sync::{Mutex, MutexGuard, PoisonError};

use alloy::primitives::{Address, Bytes};
use async_trait::async_trait;
use tenon_contracts::{
    calldata,
    evm::{EvmError, LOCAL_CHAIN_ID, LocalChain},
};

use super::{L1, L1Error, L1Receipt, unix_seconds};

/// Sends all transactions of an embedded chain.
const SENDER: Address = Address::repeat_byte(0x7e);

/// A chain in memory. Its blocks carry the machine's time.
#[derive(Debug)]
pub struct EmbeddedL1(Mutex<LocalChain>);

impl Default for EmbeddedL1 {
    fn default() -> Self {
        Self::new()
    }
}

impl EmbeddedL1 {
    /// An empty chain.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new(LocalChain::new(LOCAL_CHAIN_ID, unix_seconds())))
    }

    fn chain(&self) -> MutexGuard<'_, LocalChain> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl L1 for EmbeddedL1 {
    fn name(&self) -> String {
        "revm".to_owned()
    }

    fn sender(&self) -> Address {
        SENDER
    }

    async fn chain_id(&self) -> Result<u64, L1Error> {
        Ok(self.chain().chain_id())
    }

    async fn nonce(&self) -> Result<u64, L1Error> {
        Ok(self.chain().nonce(SENDER))
    }

    async fn transact(&self, action: &str, to: Option<Address>, data: Bytes) -> Result<L1Receipt, L1Error> {
        let block_timestamp = unix_seconds();
        let mut chain = self.chain();
        chain.set_timestamp(block_timestamp);
        let receipt = chain.transact(SENDER, to, data).map_err(|error| describe(action, &error))?;
        Ok(L1Receipt {
            transaction: None,
            gas_used: receipt.gas_used,
            created: receipt.created,
            block_timestamp,
        })
    }

    async fn call(&self, action: &str, to: Address, data: Bytes) -> Result<Bytes, L1Error> {
        let receipt = self.chain().call(SENDER, to, data).map_err(|error| describe(action, &error))?;
        Ok(receipt.output)
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
