//! Commits the log's batches to L1 in order and settles their proofs. What to do next comes from the contract alone,
//! and nothing new is sent while a transaction is in no block: so nothing is done twice, whenever the process ends.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use alloy::primitives::{Address, B256};
use tenon_circuits::rollup::{Batch, evaluation, field};
use tenon_contracts::blob::{self, MAX_BLOBS, Opening};
use tokio::task::spawn_blocking;
use tracing::{error, info, info_span};

use super::{
    Archive, ArchiveError, Follower, Outbox, SettlementError, outbox::Sent, start::check_not_behind,
};
use crate::{
    engine::AggregateProof,
    jobs::{AggregationState, Job, JobState},
    l1::{
        At, Chain, Message,
        events::{self, Committed, Event},
        rollup::{self, RollupContract, SettledBatch, Standing},
    },
    store::{
        LoggedBatch, Store, StoreError,
        files::{FileKind, Files},
        l1::{Purpose, QueuedOperation},
    },
    telemetry::spans,
};

/// Committed batches that may wait for their proofs.
const MAX_UNPROVEN: u64 = 64;

/// Blocks looked through at a time for a commit, from the newest back.
const SEARCH: u64 = 5_000;

/// What a look at L1 led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is to be done.
    Idle,
    /// A transaction is on its way.
    Waiting,
    /// A transaction was sent.
    Sent(Sent),
}

/// A committed batch as the chain has it.
#[derive(Clone, Debug)]
struct OnChain {
    committed: Committed,
    previous: B256,
    hash: B256,
}

/// Commits and settles.
pub struct Settler {
    chain: Arc<dyn Chain>,
    store: Arc<dyn Store>,
    files: Arc<Files>,
    archive: Arc<Archive>,
    follower: Follower,
    outbox: Outbox,
    rollup: Address,
    commits: Mutex<BTreeMap<u64, OnChain>>,
    settled: Mutex<u64>,
}

/// What a settler works with.
pub struct Parts {
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// The log, the jobs and the record of transactions.
    pub store: Arc<dyn Store>,
    /// The proofs.
    pub files: Arc<Files>,
    /// The batches' data.
    pub archive: Arc<Archive>,
    /// Reads the contract's events.
    pub follower: Follower,
    /// Sends the transactions.
    pub outbox: Outbox,
    /// The rollup contract.
    pub rollup: Address,
}

impl Settler {
    /// A settler that has done nothing yet; what an earlier one did it finds in the store and on the chain.
    pub fn new(parts: Parts) -> Self {
        let Parts { chain, store, files, archive, follower, outbox, rollup } = parts;
        Self {
            chain,
            store,
            files,
            archive,
            follower,
            outbox,
            rollup,
            commits: Mutex::default(),
            settled: Mutex::default(),
        }
    }

    /// The reader of the contract's events.
    pub fn follower(&self) -> &Follower {
        &self.follower
    }

    /// Reads what is new on L1 and does the next thing.
    ///
    /// # Errors
    /// When the chain, the store or the archive fails, the contract refuses, or it has batches that contradict the
    /// log. Nothing is lost: the next step starts afresh.
    pub async fn step(&self) -> Result<Step, SettlementError> {
        let final_block = self.follower.sync().await?;
        self.note_settled().await?;
        let news = self.outbox.look(final_block.as_ref()).await?;
        for (purpose, first, last) in &news.failed {
            error!(%purpose, first, last, "a transaction did nothing");
            if *purpose == Purpose::Prove {
                let message = "the transaction to settle it failed";
                self.store.move_jobs(*first, *last, &[JobState::Settling], JobState::Ready, message).await?;
            }
        }
        if news.pending > 0 {
            return Ok(Step::Waiting);
        }
        let contract = RollupContract { chain: &*self.chain, address: self.rollup };
        let standing = contract.standing().await?;
        if standing.frozen {
            return Err(SettlementError::Frozen);
        }
        if lags(&standing, &news.included) {
            return Ok(Step::Waiting);
        }
        self.check_state(&standing).await?;
        let on_chain = self.unproven(&contract, &standing).await?;
        if let Some(sent) = self.revert(&on_chain).await? {
            return Ok(Step::Sent(sent));
        }
        if let Some(sent) = self.prove(&standing, &on_chain).await? {
            return Ok(Step::Sent(sent));
        }
        if let Some(sent) = self.commit(&standing).await? {
            return Ok(Step::Sent(sent));
        }
        Ok(Step::Idle)
    }

    /// Moves the jobs of batches that are final on L1.
    async fn note_settled(&self) -> Result<(), SettlementError> {
        const PAGE: u32 = 64;
        let begins = self.store.log_start().await?.map_or(0, |start| start.number);
        loop {
            let next = begins.max(*self.settled.lock().unwrap_or_else(PoisonError::into_inner)) + 1;
            let batches = self.store.final_batches(next, PAGE).await?;
            let Some(last) = batches.last().map(|batch| batch.number) else { return Ok(()) };
            for batch in batches {
                let Some(logged) = self.store.batch(batch.number).await? else { return Ok(()) };
                if logged.summary.state_out != batch.state_out {
                    return Err(SettlementError::Diverged {
                        number: batch.number,
                        expected: hex::encode(logged.summary.state_out),
                        actual: hex::encode(batch.state_out),
                    });
                }
                let message = format!("final on L1 in block {}", batch.block);
                let unsettled: Vec<_> = JobState::ALL
                    .iter()
                    .copied()
                    .filter(|state| !matches!(state, JobState::Settled | JobState::Cancelled))
                    .collect();
                let (number, job) = (batch.number, &logged.job_id);
                let moved =
                    self.store.move_jobs(number, number, &unsettled, JobState::Settled, &message).await?;
                if moved > 0 {
                    drop(spans::of_job(info_span!("settled", job, batch = number, block = batch.block), job));
                }
            }
            *self.settled.lock().unwrap_or_else(PoisonError::into_inner) = last;
        }
    }

    /// The log has to lead to the contract's state.
    async fn check_state(&self, standing: &Standing) -> Result<(), SettlementError> {
        let Some(logged) = self.store.batch(standing.finalized).await? else {
            return check_not_behind(&*self.store, standing.finalized).await;
        };
        let actual = field::to_bytes(&standing.state);
        if logged.summary.state_out == actual {
            return Ok(());
        }
        Err(SettlementError::Diverged {
            number: standing.finalized,
            expected: hex::encode(logged.summary.state_out),
            actual: hex::encode(actual),
        })
    }

    /// The committed, unproven batches in order.
    async fn unproven(
        &self,
        contract: &RollupContract<'_>,
        standing: &Standing,
    ) -> Result<Vec<OnChain>, SettlementError> {
        let mut found = Vec::new();
        for number in standing.finalized + 1..=standing.committed {
            let hash = contract.batch_hash(number).await?;
            if self.known(number, hash).is_none() {
                self.search(number, hash).await?;
            }
            found.push(self.known(number, hash).ok_or(SettlementError::CommitNotFound { number })?);
        }
        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        commits.retain(|number, _| *number > standing.finalized);
        Ok(found)
    }

    fn known(&self, number: u64, hash: B256) -> Option<OnChain> {
        let commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        commits.get(&number).filter(|commit| commit.hash == hash).cloned()
    }

    /// Looks through the chain, from its end back, for the commit with this hash.
    async fn search(&self, number: u64, hash: B256) -> Result<(), SettlementError> {
        let Some(latest) = self.chain.block(At::Latest).await? else { return Ok(()) };
        let mut last = latest.number;
        loop {
            let first = last.saturating_sub(SEARCH - 1);
            let mut committed = None;
            let mut found = false;
            for placed in events::read(&*self.chain, self.rollup, first, last).await? {
                match placed.event {
                    Event::Committed(commit) => committed = Some(commit),
                    Event::Chained { number: chained, previous, hash: own } => {
                        // Its commit's event comes right before.
                        let Some(committed) = committed.take().filter(|commit| commit.number == chained)
                        else {
                            continue;
                        };
                        found |= (chained, own) == (number, hash);
                        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
                        commits.insert(chained, OnChain { committed, previous, hash: own });
                    }
                    _ => {}
                }
            }
            if found || first == 0 {
                return Ok(());
            }
            last = first - 1;
        }
    }

    /// Discards committed batches that the log has otherwise by now.
    async fn revert(&self, on_chain: &[OnChain]) -> Result<Option<Sent>, SettlementError> {
        for commit in on_chain {
            let Committed { number, state_out, commit: commitment, .. } = commit.committed;
            let Some(logged) = self.store.batch(number).await? else { return Ok(None) };
            let summary = &logged.summary;
            let same = summary.state_out == field::to_bytes(&state_out)
                && summary.commit == field::to_bytes(&commitment)
                && summary.timestamp == commit.committed.timestamp;
            if same {
                continue;
            }
            let last = on_chain.last().map_or(number, |last| last.committed.number);
            info!(
                first = number,
                last, "the log has other batches than those committed, which are discarded"
            );
            let message = self.message(rollup::revert_batches(number), Vec::new());
            let sent = self
                .outbox
                .send("discarding batches", (Purpose::Revert, number, last), &message, None)
                .await?;
            return Ok(Some(sent));
        }
        Ok(None)
    }

    /// Settles the next aggregation, if its proof is there and its batches are committed.
    async fn prove(
        &self,
        standing: &Standing,
        on_chain: &[OnChain],
    ) -> Result<Option<Sent>, SettlementError> {
        let first = standing.finalized + 1;
        let Some(start) = on_chain.first() else { return Ok(None) };
        let Some(logged) = self.store.batch(first).await? else { return Ok(None) };
        let Some(id) = logged.aggregation else { return Ok(None) };
        let Some(aggregation) = self.store.aggregation(id).await? else { return Ok(None) };
        if aggregation.state != AggregationState::Ready || aggregation.last_batch > standing.committed {
            return Ok(None);
        }
        if aggregation.first_batch != first {
            return Err(SettlementError::RunBroken { first, aggregation: aggregation.first_batch });
        }
        let Some(record) = self.store.aggregate_record(id).await? else { return Ok(None) };
        let (mut batches, mut jobs) = (Vec::new(), Vec::new());
        for number in first..=aggregation.last_batch {
            let (logged, batch) =
                self.published(number).await?.ok_or(SettlementError::NotPublished { number })?;
            jobs.push((logged.job_id.clone(), number));
            batches.push((logged, batch));
        }
        let (files, archive) = (Arc::clone(&self.files), Arc::clone(&self.archive));
        let previous = start.previous;
        let data = spawn_blocking(move || {
            let proof: AggregateProof = files.read(FileKind::Proof, &record.proof_digest)?;
            let opened = batches
                .into_iter()
                .map(|(logged, batch)| open(&archive, &logged, batch))
                .collect::<Result<Vec<_>, SettlementError>>()?;
            if proof.batches.len() != opened.len() {
                return Err(SettlementError::OtherProof { number: first });
            }
            for (inputs, (batch, _)) in proof.batches.iter().zip(&opened) {
                if !batch.matches(inputs) {
                    return Err(SettlementError::OtherProof { number: batch.number });
                }
            }
            Ok(rollup::prove(first, previous, &opened, &proof.proof))
        })
        .await
        .map_err(|error| SettlementError::Interrupted(error.to_string()))??;

        let last = aggregation.last_batch;
        let message = self.message(data, Vec::new());
        let _held: Vec<_> = jobs
            .iter()
            .map(|(job, batch)| spans::of_job(info_span!("settle", job, batch, first, last), job))
            .collect();
        let action = format!("settling batches {first} to {last}");
        let sent = self.outbox.send(&action, (Purpose::Prove, first, last), &message, None).await?;
        let text = format!("sent to L1 in transaction {}", sent.hash);
        self.store.move_jobs(first, last, &[JobState::Ready], JobState::Settling, &text).await?;
        Ok(Some(sent))
    }

    /// Commits as many of the next batches as one transaction's blobs hold.
    async fn commit(&self, standing: &Standing) -> Result<Option<Sent>, SettlementError> {
        let first = standing.committed + 1;
        let room = (standing.finalized + MAX_UNPROVEN + 1).saturating_sub(first);
        let mut batches: Vec<SettledBatch> = Vec::new();
        let mut held = Vec::new();
        let mut blobs = 0;
        for number in first..first + room {
            let Some((logged, batch)) = self.published(number).await? else { break };
            if !self.may_commit(self.store.job(&logged.job_id).await?) {
                break;
            }
            // What can never be settled isn't promised.
            if let Some(position) = operation_gone(&*self.store, &logged).await? {
                return Err(SettlementError::OperationGone { number, position });
            }
            blobs += batch.blob_hashes.len();
            if blobs > MAX_BLOBS {
                break;
            }
            let job = &logged.job_id;
            held.push(spans::of_job(info_span!("commit", job, batch = number), job));
            batches.push(batch);
        }
        let Some(last) = batches.last().map(|batch| batch.number) else { return Ok(None) };
        let hashes: Vec<B256> = batches.iter().flat_map(|batch| batch.blob_hashes.clone()).collect();
        let archive = Arc::clone(&self.archive);
        let parts: Vec<_> = batches.iter().map(|batch| batch.blob_hashes.clone()).collect();
        let sidecar = spawn_blocking(move || {
            let sidecars = parts
                .iter()
                .map(|hashes| archive.blobs(hashes)?.sidecar().map_err(ArchiveError::from))
                .collect::<Result<Vec<_>, _>>()?;
            Ok::<_, SettlementError>(blob::join_sidecars(sidecars))
        })
        .await
        .map_err(|error| SettlementError::Interrupted(error.to_string()))??;
        let message = self.message(rollup::commit(first, &batches), hashes);
        let action = format!("committing batches {first} to {last}");
        let about = (Purpose::Commit, first, last);
        let sent = self.outbox.send(&action, about, &message, Some(sidecar)).await?;
        drop(held);
        Ok(Some(sent))
    }

    /// A batch whose job failed may never be proven, and is not promised.
    fn may_commit(&self, job: Option<Job>) -> bool {
        job.is_some_and(|job| !matches!(job.state, JobState::Failed | JobState::Cancelled))
    }

    fn message(&self, data: alloy::primitives::Bytes, blob_hashes: Vec<B256>) -> Message {
        Message { from: self.outbox.sender(), to: Some(self.rollup), data, blob_hashes, ..Message::default() }
    }

    /// A batch of the log with what it publishes; none where it isn't in the log or publishes nothing.
    async fn published(&self, number: u64) -> Result<Option<(LoggedBatch, SettledBatch)>, SettlementError> {
        let Some(logged) = self.store.batch(number).await? else { return Ok(None) };
        let Some(publication) = self.store.publication(number).await? else { return Ok(None) };
        let element =
            |bytes: &[u8; 32]| field::from_bytes(bytes).map_err(|_| SettlementError::NotPublished { number });
        let archive = Arc::clone(&self.archive);
        let hash = B256::from(publication.l1_hash);
        let l1_words = spawn_blocking(move || archive.l1_words(&hash))
            .await
            .map_err(|error| SettlementError::Interrupted(error.to_string()))??;
        let batch = SettledBatch {
            number,
            timestamp: logged.summary.timestamp,
            state_out: element(&logged.summary.state_out)?,
            commit: element(&logged.summary.commit)?,
            l1_words,
            blob_hashes: publication.blob_hashes.iter().map(B256::from).collect(),
        };
        Ok(Some((logged, batch)))
    }
}

/// The first operation that a batch consumes and that the contract's queue doesn't have in its place any more.
pub(super) async fn operation_gone(
    store: &dyn Store,
    logged: &LoggedBatch,
) -> Result<Option<u64>, StoreError> {
    let Some(publication) = store.publication(logged.summary.number).await? else { return Ok(None) };
    let batch: Batch = serde_json::from_str(&logged.payload)
        .map_err(|error| StoreError::Corrupt { what: "batch", found: error.to_string() })?;
    let queued = store.operations(publication.queue_start, logged.summary.l1_operations).await?;
    for (index, (position, consumed)) in (publication.queue_start..).zip(&batch.l1_operations).enumerate() {
        let same = |queued: &QueuedOperation| queued.position == position && queued.operation == *consumed;
        if !queued.get(index).is_some_and(same) {
            return Ok(Some(position));
        }
    }
    Ok(None)
}

/// Whether the contract doesn't show yet what transactions in blocks did, as when several nodes answer in turn.
fn lags(standing: &Standing, included: &[(Purpose, u64, u64)]) -> bool {
    let reverted = included.iter().any(|(purpose, ..)| *purpose == Purpose::Revert);
    included.iter().any(|(purpose, _, last)| match purpose {
        Purpose::Prove => standing.finalized < *last,
        Purpose::Commit => standing.committed < *last && !reverted,
        Purpose::Revert => false,
    })
}

/// A batch with the openings of its blobs at its point.
fn open(
    archive: &Archive,
    logged: &LoggedBatch,
    batch: SettledBatch,
) -> Result<(SettledBatch, Vec<Opening>), SettlementError> {
    let z_d = evaluation::point_from_bytes(&logged.summary.z_d)
        .map_err(|_| SettlementError::NotPublished { number: batch.number })?;
    let openings = archive.blobs(&batch.blob_hashes)?.open(z_d).map_err(ArchiveError::from)?;
    Ok((batch, openings))
}
