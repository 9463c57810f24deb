//! Transactions on their way: each is recorded with its nonce and hash before it is sent, so that a restart finds it
//! again; sent again when a reorg drops it; replaced by one that pays more when it gets stuck.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use alloy::{eips::eip7594::BlobTransactionSidecarEip7594, primitives::B256};
use tracing::{info, warn};

use super::SettlementError;
use crate::{
    core::unix_ms,
    l1::{
        Bid, Block, Chain, Inclusion, L1Error, L1Key, Message, SignedTransaction, Unsigned, signer::gas_limit,
    },
    store::{
        Store,
        l1::{Charge, NewTransaction, Outgoing, Purpose, TransactionState},
    },
};

/// What transactions may cost and how long they may take.
#[derive(Clone, Copy, Debug)]
pub struct FeePolicy {
    /// Time after which a transaction that is in no block is replaced by one that pays more.
    pub resend_after: Duration,
    /// The most that is paid for a unit of gas, blobs' gas too, in wei.
    pub max_price_wei: u128,
}

/// A transaction that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What it does.
    pub purpose: Purpose,
    /// First batch concerned.
    pub first_batch: u64,
    /// Last batch concerned.
    pub last_batch: u64,
    /// Its hash.
    pub hash: B256,
}

/// What became of the transactions since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Transactions that are in no block.
    pub pending: usize,
    /// Transactions that are in a block that isn't final.
    pub included: Vec<(Purpose, u64, u64)>,
    /// Transactions that reverted, or whose nonce another one has: what they were for isn't done.
    pub failed: Vec<(Purpose, u64, u64)>,
    /// Transactions that are in a final block.
    pub done: Vec<(Purpose, u64, u64)>,
}

/// Sends the service's transactions.
pub struct Outbox {
    chain: Arc<dyn Chain>,
    store: Arc<dyn Store>,
    key: L1Key,
    chain_id: u64,
    policy: FeePolicy,
    /// Transactions whose latest attempt this process has handed to the node.
    handed_in: Mutex<HashSet<u64>>,
}

impl Outbox {
    /// Sends transactions of a key.
    pub fn new(
        chain: Arc<dyn Chain>,
        store: Arc<dyn Store>,
        key: L1Key,
        chain_id: u64,
        policy: FeePolicy,
    ) -> Self {
        Self { chain, store, key, chain_id, policy, handed_in: Mutex::default() }
    }

    /// The account that pays.
    pub fn sender(&self) -> alloy::primitives::Address {
        self.key.address()
    }

    /// Simulates a message, records its transaction and sends it.
    ///
    /// # Errors
    /// When it would revert, nothing being sent then; or when the chain or the store fails. A transaction that is
    /// recorded is sent by a later [`Outbox::look`] at the latest.
    pub async fn send(
        &self,
        action: &str,
        about: (Purpose, u64, u64),
        message: &Message,
        sidecar: Option<BlobTransactionSidecarEip7594>,
    ) -> Result<Sent, SettlementError> {
        self.chain.simulate(action, message).await?;
        let gas = self.chain.estimate_gas(action, message).await?;
        let recorded = self.store.outgoing().await?.iter().map(|outgoing| outgoing.nonce + 1).max();
        let nonce = self.chain.nonce(self.sender()).await?.max(recorded.unwrap_or(0));
        let asked = Bid::asked(self.chain.prices().await?, sidecar.is_some());
        let signed = self.key.sign(Unsigned {
            chain_id: self.chain_id,
            nonce,
            gas_limit: gas_limit(gas),
            bid: asked.limited(self.policy.max_price_wei),
            message,
            sidecar,
        })?;
        let (purpose, first_batch, last_batch) = about;
        let new = NewTransaction {
            purpose,
            first_batch,
            last_batch,
            nonce,
            hash: signed.hash.0,
            raw: signed.raw.to_vec(),
        };
        let id = self.store.record_transaction(new).await?;
        info!(%purpose, first_batch, last_batch, nonce, hash = %signed.hash, gas, "transaction recorded");
        self.hand_in(action, id, &signed).await?;
        Ok(Sent { purpose, first_batch, last_batch, hash: signed.hash })
    }

    /// Looks after all transactions that aren't through.
    ///
    /// # Errors
    /// When the chain or the store fails.
    pub async fn look(&self, final_block: Option<&Block>) -> Result<News, SettlementError> {
        let mut news = News::default();
        for outgoing in self.store.outgoing().await? {
            self.look_after(&outgoing, final_block, &mut news).await?;
        }
        Ok(news)
    }

    async fn look_after(
        &self,
        outgoing: &Outgoing,
        final_block: Option<&Block>,
        news: &mut News,
    ) -> Result<(), SettlementError> {
        let about = (outgoing.purpose, outgoing.first_batch, outgoing.last_batch);
        // Before the search, so that a transaction that comes into a block in between isn't taken for lost.
        let used = self.chain.nonce(self.sender()).await?;
        let Some(inclusion) = self.find(outgoing).await? else {
            if used > outgoing.nonce {
                warn!(purpose = %outgoing.purpose, nonce = outgoing.nonce, "another transaction has the nonce");
                self.store.note_transaction(outgoing.id, TransactionState::Lost, None).await?;
                news.failed.push(about);
                return Ok(());
            }
            if outgoing.state == TransactionState::Included {
                warn!(purpose = %outgoing.purpose, nonce = outgoing.nonce, "a reorg dropped the transaction");
                self.store.note_transaction(outgoing.id, TransactionState::Open, None).await?;
                self.handed_in().remove(&outgoing.id);
            }
            news.pending += 1;
            // Nodes don't keep an account's transactions with blobs beside others, so they go one by one.
            return if news.pending == 1 { self.push(outgoing).await } else { Ok(()) };
        };
        let charge =
            Charge { block: inclusion.block, gas_used: inclusion.gas_used, cost_wei: inclusion.cost_wei };
        let is_final = final_block.is_some_and(|last| inclusion.block <= last.number);
        let state = match (inclusion.success, is_final) {
            (false, _) => TransactionState::Failed,
            (true, true) => TransactionState::Done,
            (true, false) => TransactionState::Included,
        };
        if state == TransactionState::Included {
            news.included.push(about);
        }
        if state == outgoing.state {
            return Ok(());
        }
        info!(
            purpose = %outgoing.purpose,
            first_batch = outgoing.first_batch,
            last_batch = outgoing.last_batch,
            hash = %inclusion.transaction,
            block = inclusion.block,
            gas_used = inclusion.gas_used,
            cost_wei = inclusion.cost_wei,
            %state,
            "transaction in a block"
        );
        self.store.note_transaction(outgoing.id, state, Some(charge)).await?;
        match state {
            TransactionState::Failed => news.failed.push(about),
            TransactionState::Done => news.done.push(about),
            _ => {}
        }
        Ok(())
    }

    async fn find(&self, outgoing: &Outgoing) -> Result<Option<Inclusion>, SettlementError> {
        for hash in &outgoing.hashes {
            if let Some(inclusion) = self.chain.inclusion(B256::from(*hash)).await? {
                return Ok(Some(inclusion));
            }
        }
        Ok(None)
    }

    /// Sends a transaction that is in no block again, or one in its place that pays more.
    async fn push(&self, outgoing: &Outgoing) -> Result<(), SettlementError> {
        let Some(hash) = outgoing.hashes.first() else { return Ok(()) };
        let action = format!("sending a transaction to {} again", outgoing.purpose);
        let latest = SignedTransaction {
            hash: B256::from(*hash),
            nonce: outgoing.nonce,
            raw: outgoing.raw.clone().into(),
        };
        let age = unix_ms().saturating_sub(outgoing.sent_at_ms);
        if u128::from(age) < self.policy.resend_after.as_millis() {
            if self.handed_in().contains(&outgoing.id) {
                return Ok(());
            }
            return self.hand_in(&action, outgoing.id, &latest).await;
        }
        let old = Bid::of(&outgoing.raw)?;
        let Some(bid) = self.higher(old, Bid::asked(self.chain.prices().await?, old.blob > 0)) else {
            warn!(?old, limit = self.policy.max_price_wei, "a transaction is stuck and may not pay more");
            return self.hand_in(&action, outgoing.id, &latest).await;
        };
        let signed = self.key.sign_again(&outgoing.raw, bid)?;
        self.store.record_attempt(outgoing.id, signed.hash.0, signed.raw.to_vec()).await?;
        warn!(purpose = %outgoing.purpose, nonce = outgoing.nonce, hash = %signed.hash, ?bid, "transaction replaced");
        self.hand_in(&action, outgoing.id, &signed).await
    }

    /// Hands a recorded transaction to the node. What a later attempt can put right is no error.
    async fn hand_in(
        &self,
        action: &str,
        id: u64,
        transaction: &SignedTransaction,
    ) -> Result<(), SettlementError> {
        match self.chain.send(action, transaction).await {
            Ok(()) => {
                self.handed_in().insert(id);
                Ok(())
            }
            Err(L1Error::Underpriced { reason }) => {
                warn!(hash = %transaction.hash, reason, "the transaction pays too little for now");
                Ok(())
            }
            Err(L1Error::NonceUsed { nonce }) => {
                warn!(hash = %transaction.hash, nonce, "the nonce was used meanwhile");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn handed_in(&self) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        self.handed_in.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A bid that nodes take in place of another; none where that would cost too much.
    fn higher(&self, old: Bid, asked: Bid) -> Option<Bid> {
        let raised = old.raised(asked);
        (raised == raised.limited(self.policy.max_price_wei)).then_some(raised)
    }
}
