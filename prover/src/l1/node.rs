//! A chain behind a node's JSON-RPC interface, and a beacon node's for its blobs.

use std::{future::Future, time::Duration};

use alloy::{
    eips::{BlockId, BlockNumberOrTag, eip4844::Blob},
    network::TransactionBuilder4844,
    primitives::{Address, B256, Bytes, TxKind, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::{Filter, Log, TransactionInput, TransactionRequest},
    transports::{RpcError, TransportErrorKind},
};
use async_trait::async_trait;
use tenon_contracts::calldata;
use tokio::time::timeout;

use super::{
    L1Error, SignedTransaction,
    beacon::BeaconApi,
    chain::{At, Block, Chain, Inclusion, Message, Prices},
    http::NodeAddress,
};

/// Time that the node gets for one answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What nodes say of a transaction that they have already.
const KNOWN: [&str; 3] = ["already known", "already imported", "known transaction"];

/// A node's JSON-RPC interface.
#[derive(Clone, Debug)]
pub struct Node {
    address: NodeAddress,
    provider: DynProvider,
    beacon: BeaconApi,
}

impl Node {
    /// The node at `url`, with its blobs from the beacon node at `beacon_url`. Without one they are asked for at the
    /// first, which anvil answers. Nothing is sent yet.
    ///
    /// # Errors
    /// When a URL isn't one.
    pub fn new(url: &str, beacon_url: Option<&str>) -> Result<Self, L1Error> {
        let address = NodeAddress::parse(url)?;
        let client = address.client(REQUEST_TIMEOUT)?;
        let provider = ProviderBuilder::new()
            .disable_recommended_fillers()
            .connect_reqwest(client, address.url().clone())
            .erased();
        Ok(Self { address, provider, beacon: BeaconApi::new(beacon_url.unwrap_or(url))? })
    }

    /// Asks the node for what only some nodes do.
    #[must_use]
    pub fn provider(&self) -> &DynProvider {
        &self.provider
    }

    fn failed(&self, action: &str, error: &RpcError<TransportErrorKind>) -> L1Error {
        let action = action.to_owned();
        let Some(answer) = error.as_error_resp() else { return self.address.unreachable(error) };
        match answer.as_revert_data() {
            Some(data) => L1Error::Reverted { action, reason: calldata::describe_error(&data) },
            None => L1Error::Failed { action, reason: answer.message.to_string() },
        }
    }

    /// Waits for an answer, but not for ever.
    async fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, RpcError<TransportErrorKind>>>,
    ) -> Result<T, L1Error> {
        self.ask_for("asking the node", answer).await
    }

    async fn ask_for<T>(
        &self,
        action: &str,
        answer: impl Future<Output = Result<T, RpcError<TransportErrorKind>>>,
    ) -> Result<T, L1Error> {
        match timeout(REQUEST_TIMEOUT, answer).await {
            Ok(answer) => answer.map_err(|error| self.failed(action, &error)),
            Err(_) => Err(self.address.failed(&format!("no answer within {REQUEST_TIMEOUT:?}"))),
        }
    }
}

fn request(message: &Message) -> TransactionRequest {
    let mut request = TransactionRequest {
        from: Some(message.from),
        to: Some(message.to.map_or(TxKind::Create, TxKind::Call)),
        value: Some(message.value),
        input: TransactionInput::new(message.data.clone()),
        ..TransactionRequest::default()
    };
    if !message.blob_hashes.is_empty() {
        request.blob_versioned_hashes = Some(message.blob_hashes.clone());
        request.set_max_fee_per_blob_gas(u128::from(u64::MAX));
    }
    request
}

#[async_trait]
impl Chain for Node {
    fn name(&self) -> String {
        self.address.shown().to_owned()
    }

    async fn chain_id(&self) -> Result<u64, L1Error> {
        self.ask(async { self.provider.get_chain_id().await }).await
    }

    async fn block(&self, at: At) -> Result<Option<Block>, L1Error> {
        let tag = match at {
            At::Latest => BlockNumberOrTag::Latest,
            At::Finalized => BlockNumberOrTag::Finalized,
            At::Number(number) => BlockNumberOrTag::Number(number),
        };
        let block = self.ask(async { self.provider.get_block_by_number(tag).await }).await?;
        Ok(block.map(|block| Block {
            number: block.header.number,
            hash: block.header.hash,
            timestamp: block.header.timestamp,
        }))
    }

    async fn logs(&self, address: Address, first: u64, last: u64) -> Result<Vec<Log>, L1Error> {
        let filter = Filter::new().address(address).from_block(first).to_block(last);
        self.ask_for("reading events", self.provider.get_logs(&filter)).await
    }

    async fn nonce(&self, account: Address) -> Result<u64, L1Error> {
        self.ask(async { self.provider.get_transaction_count(account).await }).await
    }

    async fn balance(&self, account: Address) -> Result<U256, L1Error> {
        self.ask(async { self.provider.get_balance(account).await }).await
    }

    async fn prices(&self) -> Result<Prices, L1Error> {
        let latest = BlockNumberOrTag::Latest;
        let block = self.ask(async { self.provider.get_block_by_number(latest).await }).await?;
        let base = block.and_then(|block| block.header.base_fee_per_gas).map_or(0, u128::from);
        let priority = self.ask(async { self.provider.get_max_priority_fee_per_gas().await }).await?;
        let blob = self.ask(async { self.provider.get_blob_base_fee().await }).await?;
        Ok(Prices { base, priority, blob })
    }

    async fn call(&self, action: &str, message: &Message) -> Result<Bytes, L1Error> {
        self.ask_for(action, async { self.provider.call(request(message)).await }).await
    }

    async fn simulate(&self, action: &str, message: &Message) -> Result<Bytes, L1Error> {
        let answer = async { self.provider.call(request(message)).block(BlockId::pending()).await };
        self.ask_for(action, answer).await
    }

    async fn estimate_gas(&self, action: &str, message: &Message) -> Result<u64, L1Error> {
        let answer = async { self.provider.estimate_gas(request(message)).block(BlockId::pending()).await };
        self.ask_for(action, answer).await
    }

    async fn send(&self, action: &str, transaction: &SignedTransaction) -> Result<(), L1Error> {
        let sent = async {
            let hash: Result<B256, _> =
                self.provider.client().request("eth_sendRawTransaction", (&transaction.raw,)).await;
            hash
        };
        let Err(error) = self.ask_for(action, sent).await else { return Ok(()) };
        let L1Error::Failed { reason, .. } = &error else { return Err(error) };
        let reason = reason.to_lowercase();
        if KNOWN.iter().any(|known| reason.contains(known)) {
            Ok(())
        } else if reason.contains("nonce too low") {
            // A transaction that is in a block by now is refused like that too.
            match self.inclusion(transaction.hash).await? {
                Some(_) => Ok(()),
                None => Err(L1Error::NonceUsed { nonce: transaction.nonce }),
            }
        } else if reason.contains("underpriced") || reason.contains("max fee per") {
            Err(L1Error::Underpriced { reason })
        } else {
            Err(error)
        }
    }

    async fn inclusion(&self, transaction: B256) -> Result<Option<Inclusion>, L1Error> {
        let receipt = self.ask(async { self.provider.get_transaction_receipt(transaction).await }).await?;
        Ok(receipt.and_then(|receipt| {
            let blobs = receipt.blob_gas_price.unwrap_or(0) * u128::from(receipt.blob_gas_used.unwrap_or(0));
            Some(Inclusion {
                transaction: receipt.transaction_hash,
                block: receipt.block_number?,
                block_hash: receipt.block_hash?,
                success: receipt.status(),
                gas_used: receipt.gas_used,
                cost_wei: receipt.effective_gas_price * u128::from(receipt.gas_used) + blobs,
                created: receipt.contract_address,
            })
        }))
    }

    async fn blobs(&self, block: &Block, hashes: &[B256]) -> Result<Vec<Blob>, L1Error> {
        self.beacon.blobs(block, hashes).await
    }
}
