//! A chain behind a node's JSON-RPC interface.

use std::{path::Path, time::Duration};

use alloy::{
    network::{EthereumWallet, TransactionBuilder},
    primitives::{Address, Bytes},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
    transports::{RpcError, TransportErrorKind},
};
use async_trait::async_trait;
use tenon_contracts::calldata;

use super::{L1, L1Error, L1Receipt, unix_seconds};

/// The first development account of anvil and hardhat, whose key everybody knows.
const DEVELOPMENT_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// Time that a transaction gets to be in a block.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(300);

/// Part of the estimate that is added to a transaction's gas limit: one in this many.
const GAS_MARGIN: u64 = 5;

/// A node's JSON-RPC interface and the key that signs for it.
#[derive(Clone, Debug)]
pub struct RpcL1 {
    url: String,
    sender: Address,
    provider: DynProvider,
}

impl RpcL1 {
    /// The node at `url`. Nothing is sent yet. The key file holds 32 bytes in hexadecimal; without one, the key is
    /// the well-known first one of development nodes.
    ///
    /// # Errors
    /// When the URL isn't one, or the key can't be used.
    pub fn new(url: &str, key_file: Option<&Path>) -> Result<Self, L1Error> {
        let text = match key_file {
            None => DEVELOPMENT_KEY.to_owned(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| L1Error::Key(format!("{}: {error}", path.display())))?,
        };
        // The parser's own message could show the key.
        let signer: PrivateKeySigner = text
            .trim()
            .parse()
            .map_err(|_| L1Error::Key("expected 32 bytes in hexadecimal, found something else".to_owned()))?;
        let sender = signer.address();
        let parsed = url.parse().map_err(|error| L1Error::Unreachable {
            url: url.to_owned(),
            reason: format!("not a URL such as http://127.0.0.1:8545: {error}"),
        })?;
        let provider =
            ProviderBuilder::new().wallet(EthereumWallet::from(signer)).connect_http(parsed).erased();
        Ok(Self { url: url.to_owned(), sender, provider })
    }

    fn unreachable(&self, reason: impl ToString) -> L1Error {
        L1Error::Unreachable { url: self.url.clone(), reason: reason.to_string() }
    }

    fn failed(&self, action: &str, error: RpcError<TransportErrorKind>) -> L1Error {
        let action = action.to_owned();
        let Some(answer) = error.as_error_resp() else { return self.unreachable(error) };
        match answer.as_revert_data() {
            Some(data) => L1Error::Reverted { action, reason: calldata::describe_error(&data) },
            None => L1Error::Failed { action, reason: answer.message.to_string() },
        }
    }
}

#[async_trait]
impl L1 for RpcL1 {
    fn name(&self) -> String {
        self.url.clone()
    }

    fn sender(&self) -> Address {
        self.sender
    }

    async fn chain_id(&self) -> Result<u64, L1Error> {
        self.provider.get_chain_id().await.map_err(|error| self.unreachable(error))
    }

    async fn nonce(&self) -> Result<u64, L1Error> {
        self.provider
            .get_transaction_count(self.sender)
            .pending()
            .await
            .map_err(|error| self.unreachable(error))
    }

    async fn transact(&self, action: &str, to: Option<Address>, data: Bytes) -> Result<L1Receipt, L1Error> {
        let mut request = TransactionRequest::default().with_from(self.sender).with_input(data);
        request = match to {
            Some(to) => request.with_to(to),
            None => request.into_create(),
        };
        // The estimate executes it, so a refusal comes with the contract's reason and costs nothing.
        let gas =
            self.provider.estimate_gas(request.clone()).await.map_err(|error| self.failed(action, error))?;
        let request = request.with_gas_limit(gas + gas / GAS_MARGIN);
        let pending =
            self.provider.send_transaction(request).await.map_err(|error| self.failed(action, error))?;
        let receipt = pending.with_timeout(Some(RECEIPT_TIMEOUT)).get_receipt().await.map_err(|error| {
            L1Error::Failed { action: action.to_owned(), reason: format!("no receipt: {error}") }
        })?;
        if !receipt.status() {
            let reason = format!("transaction {} failed in its block", receipt.transaction_hash);
            return Err(L1Error::Failed { action: action.to_owned(), reason });
        }
        let block = match receipt.block_number {
            Some(number) => self
                .provider
                .get_block_by_number(number.into())
                .await
                .map_err(|error| self.unreachable(error))?,
            None => None,
        };
        Ok(L1Receipt {
            transaction: Some(receipt.transaction_hash),
            gas_used: receipt.gas_used,
            created: receipt.contract_address,
            block_timestamp: block.map_or_else(unix_seconds, |block| block.header.timestamp),
        })
    }

    async fn call(&self, action: &str, to: Address, data: Bytes) -> Result<Bytes, L1Error> {
        let request = TransactionRequest::default().with_from(self.sender).with_to(to).with_input(data);
        self.provider.call(request).await.map_err(|error| self.failed(action, error))
    }
}
