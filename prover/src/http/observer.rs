//! Watches the service from beside: how long proofs take, how old the oldest batch is, how far L1 is ahead.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::{
    core::{Core, unix_ms},
    jobs::{Job, JobState},
    store::StoreError,
};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(2);

/// Time that L1 gets to say its head.
const L1_ANSWER: Duration = Duration::from_secs(5);

/// Latencies that are kept for the page.
const KEPT: usize = 200;

/// Jobs read at a time, and pages of them at most in one look.
const PAGE: u32 = 200;
const PAGES: usize = 20;

/// Events of a job that are looked through for the one that says READY.
const EVENTS: u32 = 10_000;

/// How long a batch took from its acceptance to its aggregate proof.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Latency {
    /// The batch's number.
    pub batch: u64,
    /// When its proof was there, in Unix milliseconds.
    pub ready_at_ms: u64,
    /// The time between.
    pub seconds: f64,
}

/// What is known of L1.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct L1View {
    /// Whether the service settles, or only follows.
    pub settles: bool,
    /// Whether the node answered at the last look.
    pub reachable: bool,
    /// The last block that the service has read.
    pub followed_block: Option<u64>,
    /// The last final block.
    pub final_block: Option<u64>,
    /// Final blocks that the service hasn't read.
    pub lag_blocks: u64,
    /// Time since it had read all of them.
    pub lag_seconds: u64,
    /// The last batch that is final on L1.
    pub final_batch: u64,
    /// Age of the oldest batch of the log that isn't final on L1.
    pub window_age_seconds: u64,
    /// What was done on L1 and what it cost.
    pub gas: Vec<Gas>,
}

/// What transactions of one kind cost on L1 so far.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Gas {
    /// What they do.
    pub purpose: &'static str,
    /// How many are in blocks.
    pub transactions: u64,
    /// Gas of all of them.
    pub gas: u64,
}

#[derive(Debug, Default)]
struct Seen {
    latencies: Vec<Latency>,
    known: HashSet<String>,
    l1: Option<L1View>,
    caught_up: Option<Instant>,
}

/// Watches the service.
#[derive(Clone)]
pub(super) struct Observer {
    core: Arc<Core>,
    seen: Arc<Mutex<Seen>>,
}

impl Observer {
    pub fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), seen: Arc::default() }
    }

    pub fn core(&self) -> &Core {
        &self.core
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest latencies by batch.
    pub fn latencies(&self) -> Vec<Latency> {
        self.seen().latencies.clone()
    }

    /// What is known of L1; `None` without one.
    pub fn l1(&self) -> Option<L1View> {
        self.seen().l1.clone()
    }

    /// Looks until the service stops.
    pub async fn run(self) {
        let mut stopping = self.core.stopping();
        loop {
            if let Err(error) = self.look().await {
                warn!(%error, "the service's figures can't be read; trying again");
            }
            tokio::select! {
                () = stopping.wait() => return,
                () = sleep(INTERVAL) => {}
            }
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        self.refresh().await?;
        self.see_finished().await?;
        self.see_l1().await
    }

    /// Brings the gauges that come from the store up to date.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let core = &self.core;
        let counts = core.store.job_counts().await?;
        let mut queued = 0;
        for state in JobState::ALL {
            let count = counts.iter().find(|(found, _)| found == state).map_or(0, |(_, count)| *count);
            core.metrics.jobs.with_label_values(&[state.name()]).set(gauge(count));
            if state.is_open() {
                queued += count;
            }
        }
        core.metrics.queued_batches.set(gauge(queued));
        let age =
            core.store.oldest_open_ms().await?.map_or(0, |oldest| unix_ms().saturating_sub(oldest) / 1000);
        core.metrics.oldest_batch_age_seconds.set(gauge(age));
        let tasks = core.store.task_counts().await?;
        core.metrics.tasks.with_label_values(&["pending"]).set(gauge(tasks.pending));
        core.metrics.tasks.with_label_values(&["leased"]).set(gauge(tasks.leased));
        Ok(())
    }

    async fn see_finished(&self) -> Result<(), StoreError> {
        let states = [JobState::Ready, JobState::Settling, JobState::Settled];
        let mut before = None;
        let mut found: HashMap<String, Option<Latency>> = HashMap::new();
        for _ in 0..PAGES {
            let jobs = self.core.store.jobs(before, &states, PAGE).await?;
            let Some(last) = jobs.last() else { break };
            before = Some(last.position);
            let mut news = false;
            for job in jobs {
                if !self.seen().known.contains(&job.id) {
                    news = true;
                    let latency = self.latency(&job).await?;
                    found.insert(job.id, latency);
                }
            }
            // Behind a page without news there is rarely any; what is missed is only missing from the page.
            if !news {
                break;
            }
        }
        let started_ms =
            unix_ms().saturating_sub(u64::try_from(self.core.started.elapsed().as_millis()).unwrap_or(0));
        let mut seen = self.seen();
        for (id, latency) in found {
            seen.known.insert(id);
            let Some(latency) = latency else { continue };
            // What another process proved, it has counted.
            if latency.ready_at_ms >= started_ms {
                self.core.metrics.batch_seconds.observe(latency.seconds);
            }
            seen.latencies.push(latency);
        }
        seen.latencies.sort_by_key(|latency| latency.batch);
        let excess = seen.latencies.len().saturating_sub(KEPT);
        seen.latencies.drain(..excess);
        Ok(())
    }

    async fn latency(&self, job: &Job) -> Result<Option<Latency>, StoreError> {
        let events = self.core.store.events(&job.id, 0, EVENTS).await?;
        let ready = events
            .iter()
            .find(|event| matches!(event.state, JobState::Ready | JobState::Settling | JobState::Settled));
        Ok(ready.map(|ready| Latency {
            batch: job.batch.number,
            ready_at_ms: ready.time_ms,
            seconds: ready.time_ms.saturating_sub(job.created_at_ms) as f64 / 1000.0,
        }))
    }

    async fn see_l1(&self) -> Result<(), StoreError> {
        let core = &self.core;
        let Some(l1) = &core.l1 else { return Ok(()) };
        let head = timeout(L1_ANSWER, l1.follower.final_block()).await;
        let (reachable, final_block) = match head {
            Ok(Ok(block)) => (true, block.map(|block| block.number)),
            _ => (false, None),
        };
        let followed_block = core.store.marks().await?.first().map(|mark| mark.block);
        let before = self.l1().map_or(0, |view| view.final_batch);
        let final_batch = self.final_batch(before).await?;
        let last = core.executor.position().number;
        let unsettled = if last > final_batch { core.store.batch(final_batch + 1).await? } else { None };
        let window_age_seconds =
            unsettled.map_or(0, |batch| (unix_ms() / 1000).saturating_sub(batch.summary.timestamp.into()));
        let lag_blocks = match (final_block, followed_block) {
            (Some(head), Some(followed)) => head.saturating_sub(followed),
            (Some(head), None) => head.saturating_add(1),
            (None, _) => 0,
        };
        let gas = core.store.gas_used().await?;
        for used in &gas {
            // A reorg can take some of it back.
            let counter = core.metrics.l1_gas.with_label_values(&[used.purpose.name()]);
            counter.reset();
            counter.inc_by(used.gas);
        }
        let gas = gas.into_iter().map(|used| Gas {
            purpose: used.purpose.name(),
            transactions: used.transactions,
            gas: used.gas,
        });
        let mut seen = self.seen();
        if reachable && lag_blocks == 0 {
            seen.caught_up = Some(Instant::now());
        }
        let view = L1View {
            settles: l1.settles(),
            reachable,
            followed_block,
            final_block,
            lag_blocks,
            lag_seconds: seen.caught_up.unwrap_or(core.started).elapsed().as_secs(),
            final_batch,
            window_age_seconds,
            gas: gas.collect(),
        };
        let metrics = &core.metrics;
        metrics.l1_reachable.set(view.reachable.into());
        metrics.l1_lag_blocks.set(gauge(view.lag_blocks));
        metrics.l1_lag_seconds.set(gauge(view.lag_seconds));
        metrics.l1_final_batch.set(gauge(view.final_batch));
        metrics.settlement_window_age_seconds.set(if view.settles {
            gauge(view.window_age_seconds)
        } else {
            0
        });
        seen.l1 = Some(view);
        Ok(())
    }

    /// The last batch that is final on L1, when it was `before` at the last look.
    async fn final_batch(&self, before: u64) -> Result<u64, StoreError> {
        let mut last = before;
        let mut next = before;
        loop {
            let batches = self.core.store.final_batches(next, PAGE).await?;
            match batches.last() {
                Some(newest) => {
                    last = newest.number;
                    next = newest.number + 1;
                }
                // The chain took it back, so it is looked for from the start.
                None if next == before && before > 0 => {
                    last = 0;
                    next = 0;
                    if self.core.store.final_batches(0, 1).await?.is_empty() {
                        return Ok(0);
                    }
                }
                None => return Ok(last),
            }
        }
    }
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
