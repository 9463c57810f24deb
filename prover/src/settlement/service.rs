//! L1 as a part of the running service: connecting to it, and taking one step after the other until the end.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::primitives::Address;
use sha2::{Digest as _, Sha256};
use tenon_circuits::rollup::{Fr, field};
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::{
    Archive, FeePolicy, Finality, Follower, Outbox, Parts, SettlementError, Settler, Step,
    settler::operation_gone,
};
use crate::{
    config::{Config, L1Settings, Secret},
    core::Core,
    executor::Submission,
    jobs::MAX_PRIORITY,
    l1::{Chain, DEVELOPMENT_CHAINS, L1Error, L1Key, Node, rollup::RollupContract},
    store::{Store, files::Files},
};

/// Longest pause after errors.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The chain that a service follows, and how.
#[derive(Clone, Debug)]
pub struct L1Connection {
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// The key that commits and settles; without one the service only follows.
    pub key: Option<L1Key>,
    /// The first block that can have the contract's events.
    pub first_block: u64,
    /// When a block counts as final.
    pub finality: Finality,
    /// Time between two looks.
    pub poll: Duration,
    /// Time before an operation's deadline at which a batch of operations alone is made.
    pub deadline_margin: Duration,
    /// What transactions may cost and how long they may take.
    pub fees: FeePolicy,
}

impl L1Connection {
    /// The connection that the settings name.
    ///
    /// # Errors
    /// When the URL isn't one or the key can't be read.
    pub fn from_settings(settings: &L1Settings, chain_id: u64) -> Result<Self, L1Error> {
        Ok(Self {
            chain: Arc::new(Node::new(
                settings.url.reveal(),
                settings.beacon_url.as_ref().map(Secret::reveal),
            )?),
            key: L1Key::named(settings.key_file.as_deref())?,
            first_block: settings.first_block,
            finality: settings.finality.unwrap_or_else(|| usual_finality(chain_id)),
            poll: settings.poll,
            deadline_margin: settings.deadline_margin,
            fees: FeePolicy { resend_after: settings.resend_after, max_price_wei: settings.max_price_wei },
        })
    }
}

/// What a service that follows L1 has of it.
pub struct L1Side {
    /// Reads the contract's events.
    pub follower: Follower,
    settler: Option<Settler>,
    poll: Duration,
    margin: Duration,
}

impl L1Side {
    /// Takes a connection into use.
    ///
    /// # Errors
    /// When the chain can't be reached, or isn't that of the service's rollup.
    pub async fn connect(
        connection: L1Connection,
        config: &Config,
        store: &Arc<dyn Store>,
        files: &Arc<Files>,
        archive: &Arc<Archive>,
        domain: Fr,
    ) -> Result<Self, SettlementError> {
        let L1Connection { chain, key, first_block, finality, poll, deadline_margin, fees } = connection;
        let rollup = Address::from(config.rollup_address);
        check(&*chain, config.chain_id, rollup, domain).await?;
        let follower = Follower::new(Arc::clone(&chain), Arc::clone(store), rollup, first_block, finality);
        let settler = match key {
            None => {
                warn!("no key for L1: the service follows the contract and settles nothing");
                None
            }
            Some(key) => {
                let contract = RollupContract { chain: &*chain, address: rollup };
                if !contract.is_operator(key.address()).await? {
                    warn!(account = %key.address(), "the account is no operator of the rollup");
                }
                info!(account = %key.address(), %rollup, chain = chain.name(), "settling on L1");
                let outbox = Outbox::new(Arc::clone(&chain), Arc::clone(store), key, config.chain_id, fees);
                Some(Settler::new(Parts {
                    chain,
                    store: Arc::clone(store),
                    files: Arc::clone(files),
                    archive: Arc::clone(archive),
                    follower: follower.clone(),
                    outbox,
                    rollup,
                }))
            }
        };
        Ok(Self { follower, settler, poll, margin: deadline_margin })
    }

    /// Whether it commits and settles, or only follows.
    #[must_use]
    pub fn settles(&self) -> bool {
        self.settler.is_some()
    }

    /// Follows and settles until the service stops.
    pub(crate) async fn run(self: Arc<Self>, core: Arc<Core>) {
        let mut stopping = core.stopping();
        let mut pause = self.poll;
        let mut gone = false;
        loop {
            let stepped = self.step().await;
            let halted = stepped.as_ref().is_err_and(|error| !error.is_passing());
            core.metrics.l1_halted.set(halted.into());
            if gone || self.follower.take_rewound() {
                match self.batches_without_operations(&core).await {
                    Ok(batches) => {
                        gone = batches > 0;
                        core.metrics.l1_operations_gone.set(batches);
                    }
                    Err(error) => {
                        gone = true;
                        warn!(%error, "the operations of logged batches can't be compared with L1");
                    }
                }
            }
            match stepped {
                Ok(_) => {
                    // What the step found on L1 may have moved jobs, whatever it did itself.
                    core.changes.notify();
                    pause = self.poll;
                    self.submit_operations(&core).await;
                }
                Err(error) => {
                    pause = (pause * 2).clamp(self.poll, LONGEST_PAUSE);
                    if matches!(&error, SettlementError::Archive(error) if error.is_lost()) {
                        self.restore(&core).await;
                    }
                    if error.is_passing() {
                        warn!(%error, retry_in = ?pause, "L1");
                    } else {
                        error!(%error, retry_in = ?pause, "L1");
                    }
                }
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = stopping.wait() => return,
            }
        }
    }

    async fn step(&self) -> Result<Step, SettlementError> {
        match &self.settler {
            Some(settler) => settler.step().await,
            None => self.follower.sync().await.map(|_| Step::Idle),
        }
    }

    /// How many unsettled batches of the log consume operations that L1 doesn't have any more.
    async fn batches_without_operations(&self, core: &Core) -> Result<i64, SettlementError> {
        let settled = self.follower.contract().standing().await?.finalized;
        let mut batches = 0;
        for number in settled + 1..=core.executor.position().number {
            let Some(logged) = core.store.batch(number).await? else { continue };
            if let Some(position) = operation_gone(&*core.store, &logged).await? {
                error!(
                    batch = number,
                    job = logged.job_id,
                    operation = position,
                    "the batch consumes an operation that L1 doesn't have any more: a reorg was deeper than l1_finality"
                );
                batches += 1;
            }
        }
        Ok(batches)
    }

    /// Puts what unsettled batches publish back in the archive, from the log.
    async fn restore(&self, core: &Core) {
        let settled = match self.follower.contract().standing().await {
            Ok(standing) => standing.finalized,
            Err(error) => return warn!(%error, "L1"),
        };
        for number in settled + 1..=core.executor.position().number {
            match core.executor.republish(number).await {
                Ok(()) => info!(batch = number, "what the batch publishes was put back in the archive"),
                Err(error) => return error!(batch = number, %error, "the batch's data can't be made again"),
            }
        }
    }

    /// Makes a batch of operations alone when they are due and nobody submits one.
    async fn submit_operations(&self, core: &Core) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match self.follower.is_pressing(now, self.margin.as_secs()).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return warn!(%error, "the queue can't be read"),
        }
        let place = core.store.next_operation().await.unwrap_or_default();
        let idempotency_key = format!("operations from {place} of L1's queue");
        let submission = Submission {
            payload_digest: Sha256::digest(&idempotency_key).into(),
            idempotency_key,
            domain: core.domain,
            timestamp: None,
            fee_accounts: Vec::new(),
            l1_operations: Vec::new(),
            transactions: Vec::new(),
            priority: MAX_PRIORITY,
            violations: Vec::new(),
        };
        match core.executor.submit(submission).await {
            Ok((job, _)) => {
                info!(job = job.id, batch = job.batch.number, "a batch of operations that were due");
                core.changes.notify();
            }
            Err(error) => warn!(%error, "operations are due and no batch of them could be made"),
        }
    }
}

async fn check(chain: &dyn Chain, chain_id: u64, rollup: Address, domain: Fr) -> Result<(), SettlementError> {
    let actual = chain.chain_id().await?;
    if actual != chain_id {
        return Err(SettlementError::OtherChain { expected: chain_id, actual });
    }
    let actual = RollupContract { chain, address: rollup }.domain().await?;
    if actual != domain {
        let [expected, actual] = [domain, actual].map(|domain| field::to_hex(&domain));
        return Err(SettlementError::OtherDomain { expected, actual });
    }
    Ok(())
}

fn usual_finality(chain_id: u64) -> Finality {
    if DEVELOPMENT_CHAINS.contains(&chain_id) { Finality::Confirmations(0) } else { Finality::Finalized }
}
