//! One transaction at a time, followed until it is in a block.

use std::time::{Duration, Instant};

use alloy::{
    eips::eip7594::BlobTransactionSidecarEip7594,
    primitives::{Address, Bytes, U256},
};

use super::{Bid, Chain, Inclusion, L1Error, L1Key, Message, Unsigned, signer::gas_limit};

/// Time between two looks for a transaction.
const POLL: Duration = Duration::from_millis(250);
/// Time after which a transaction that is in no block is replaced by one that pays more.
const RESEND_AFTER: Duration = Duration::from_secs(90);
/// Time that a transaction gets in all.
const TIMEOUT: Duration = Duration::from_secs(1_800);

/// An account on L1 that sends transactions.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The chain.
    pub chain: &'a dyn Chain,
    /// The account's key.
    pub key: &'a L1Key,
}

impl Sender<'_> {
    /// The account.
    #[must_use]
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// A message from the account.
    #[must_use]
    pub fn message(&self, to: Address, value: U256, data: Bytes) -> Message {
        Message { from: self.address(), to: Some(to), value, data, ..Message::default() }
    }

    /// Simulates a message. Gives the gas that it would use.
    ///
    /// # Errors
    /// When it would revert or the chain can't be reached.
    pub async fn simulate(&self, action: &str, message: &Message) -> Result<u64, L1Error> {
        self.chain.call(action, message).await?;
        self.chain.estimate_gas(action, message).await
    }

    /// Simulates a message, sends it, and waits for its block. A transaction that gets stuck is replaced by one that
    /// pays more.
    ///
    /// # Errors
    /// When it would revert, nothing being sent then; or when it fails in its block, gets into none, or the chain
    /// can't be reached.
    pub async fn send(
        &self,
        action: &str,
        message: &Message,
        sidecar: Option<BlobTransactionSidecarEip7594>,
    ) -> Result<Inclusion, L1Error> {
        let gas = self.simulate(action, message).await?;
        let has_blobs = sidecar.is_some();
        let mut bid = Bid::asked(self.chain.prices().await?, has_blobs);
        let mut signed = self.key.sign(Unsigned {
            chain_id: self.chain.chain_id().await?,
            nonce: self.chain.nonce(self.address()).await?,
            gas_limit: gas_limit(gas),
            bid,
            message,
            sidecar,
        })?;
        let mut hashes = vec![signed.hash];
        self.chain.send(action, &signed).await?;
        let started = Instant::now();
        let mut sent = started;
        loop {
            for hash in &hashes {
                if let Some(inclusion) = self.chain.inclusion(*hash).await? {
                    return included(action, inclusion);
                }
            }
            if started.elapsed() > TIMEOUT {
                let reason = format!(
                    "transaction {} is in no block after {} minutes and may still come into one",
                    signed.hash,
                    TIMEOUT.as_secs() / 60
                );
                return Err(L1Error::Failed { action: action.to_owned(), reason });
            }
            if sent.elapsed() > RESEND_AFTER {
                bid = bid.raised(Bid::asked(self.chain.prices().await?, has_blobs));
                signed = self.key.sign_again(&signed.raw, bid)?;
                match self.chain.send(action, &signed).await {
                    Ok(()) => hashes.push(signed.hash),
                    // An earlier attempt is in a block by now, or this one has to pay more still.
                    Err(L1Error::NonceUsed { .. } | L1Error::Underpriced { .. }) => {}
                    Err(error) => return Err(error),
                }
                sent = Instant::now();
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn included(action: &str, inclusion: Inclusion) -> Result<Inclusion, L1Error> {
    if inclusion.success {
        return Ok(inclusion);
    }
    let reason = format!("transaction {} failed in block {}", inclusion.transaction, inclusion.block);
    Err(L1Error::Failed { action: action.to_owned(), reason })
}
