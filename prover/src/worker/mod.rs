//! The prover pool: threads that lease tasks, prove in rayon pools of their own, and store what
//! they made. A heartbeat thread keeps their leases alive whatever the provers do.

mod admission;
mod run;

use std::{
    collections::HashMap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::{runtime::Handle, time::timeout};
use tracing::{debug, error, info, warn};

use crate::{
    core::Core,
    jobs::{JobError, Lease, TaskKind},
    store::{Failure, StoreError},
};
use admission::Admission;
use run::Outcome;

/// Longest sleep of an idle worker: retries become due without anybody saying so.
const IDLE: Duration = Duration::from_millis(500);

/// Times that a result is offered to a database that fails.
const STORE_ATTEMPTS: u32 = 5;

/// The pool couldn't start.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// A rayon pool couldn't be made.
    #[error("starting the prover threads: {0}")]
    Rayon(#[from] ThreadPoolBuildError),
    /// A thread couldn't be made.
    #[error("starting a worker: {0}")]
    Thread(#[from] io::Error),
}

/// A task in work.
struct Active {
    lease: Lease,
    since: Instant,
}

struct Shared {
    core: Arc<Core>,
    runtime: Handle,
    admission: Admission,
    /// By worker. A worker whose entry is gone has lost its lease and stores nothing.
    active: Mutex<HashMap<usize, Active>>,
    changed: Condvar,
}

impl Shared {
    fn active(&self) -> MutexGuard<'_, HashMap<usize, Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running pool.
pub(crate) struct Pool(Arc<Shared>);

impl Pool {
    /// Starts the configured workers. They stop with the core.
    pub fn start(core: Arc<Core>, runtime: Handle) -> Result<Self, PoolError> {
        let admission = Admission::new(core.config.memory_limit_bytes);
        let shared = Arc::new(Shared {
            runtime,
            admission,
            active: Mutex::default(),
            changed: Condvar::new(),
            core: Arc::clone(&core),
        });
        for worker in 0..core.config.workers {
            let pool = ThreadPoolBuilder::new()
                .num_threads(core.config.threads_per_worker)
                .thread_name(move |thread| format!("tenon-prove-{worker}-{thread}"))
                .build()?;
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("tenon-worker-{worker}"))
                .spawn(move || work(&shared, worker, &pool))?;
        }
        let beating = Arc::clone(&shared);
        thread::Builder::new().name("tenon-heartbeat".to_owned()).spawn(move || heartbeat(&beating))?;
        Ok(Self(shared))
    }

    /// Gives tasks in work some time to finish, then hands them back. The core is stopping already.
    pub async fn stop(self) {
        let shared = Arc::clone(&self.0);
        let grace = shared.core.config.shutdown_grace;
        let waited = tokio::task::spawn_blocking(move || {
            let active = shared.active();
            drop(shared.changed.wait_timeout_while(active, grace, |active| !active.is_empty()));
        });
        if let Err(error) = waited.await {
            warn!(%error, "waiting for the workers failed");
        }
        let left: Vec<Active> = self.0.active().drain().map(|(_, active)| active).collect();
        for Active { lease, .. } in left {
            match self.0.core.store.hand_back(&lease, 0, "the service stops").await {
                Ok(()) => info!(task = lease.task, batch = lease.batch_number, "task handed back"),
                Err(error) => {
                    warn!(task = lease.task, %error, "task not handed back; its lease will run out")
                }
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn work(shared: &Shared, worker: usize, pool: &ThreadPool) {
    let core = &shared.core;
    let owner = format!("{}/{worker}", process::id());
    let circuits = core.engine.circuits();
    let needs = [
        (TaskKind::Leaf, circuits.leaf.memory_bytes),
        (TaskKind::Aggregate, circuits.aggregation.memory_bytes),
    ];
    let mut changes = core.changes.subscribe();
    while !core.is_stopping() {
        changes.borrow_and_update();
        let (kinds, mut reserved) = shared.admission.reserve(&needs);
        match shared.runtime.block_on(core.store.lease(&owner, &kinds, millis(core.config.lease))) {
            Ok(Some(lease)) => {
                let need = needs.iter().find(|(kind, _)| *kind == lease.kind).map_or(0, |(_, bytes)| *bytes);
                reserved.shrink(need);
                // The reservation is held to the end of the task.
                process_task(shared, worker, pool, lease);
                drop(reserved);
                core.changes.notify();
                continue;
            }
            Ok(None) => {}
            Err(error) => error!(worker, %error, "looking for a task failed; trying again"),
        }
        drop(reserved);
        shared.runtime.block_on(async {
            let _ = timeout(IDLE, changes.changed()).await;
        });
    }
}

fn process_task(shared: &Shared, worker: usize, pool: &ThreadPool, lease: Lease) {
    let core = &shared.core;
    let span = tracing::info_span!(
        "task",
        task = lease.task,
        kind = lease.kind.name(),
        job = lease.job_id,
        batch = lease.batch_number,
        attempt = lease.attempt
    );
    let _entered = span.enter();
    shared.active().insert(worker, Active { lease: lease.clone(), since: Instant::now() });
    core.changes.notify();
    info!("task started");
    let outcome = catch_unwind(AssertUnwindSafe(|| run::run(core, &shared.runtime, pool, &lease)))
        .unwrap_or_else(|panic| {
            let message = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".to_owned());
            Outcome::Failed(JobError {
                reason: "PROVER_PANICKED".to_owned(),
                message: format!("the prover panicked: {message}"),
            })
        });
    let is_ours = |active: &Active| active.lease.task == lease.task && active.lease.fence == lease.fence;
    if !shared.active().get(&worker).is_some_and(is_ours) {
        core.metrics.late_results.inc();
        warn!("the lease ended before the task did; its result is dropped");
        return;
    }
    save(shared, &lease, outcome);
    shared.active().remove(&worker);
    shared.changed.notify_all();
}

/// Tells the store what became of the task.
fn save(shared: &Shared, lease: &Lease, outcome: Outcome) {
    let core = &shared.core;
    let retry_ms = millis(core.config.retry_delay);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let saved = shared.runtime.block_on(async {
            match &outcome {
                Outcome::Done { record, reused } => {
                    core.store.complete(lease, (**record).clone(), *reused).await?;
                    if *reused {
                        core.metrics.proofs_reused.with_label_values(&[lease.kind.name()]).inc();
                    }
                    info!(seconds = record.seconds, reused, "proof stored");
                }
                Outcome::Failed(error) => {
                    let failure = core.store.fail(lease, error, core.config.max_attempts, retry_ms).await?;
                    match failure {
                        Failure::Retried => {
                            core.metrics.task_retries.with_label_values(&["failed"]).inc();
                            warn!(
                                reason = error.reason,
                                message = error.message,
                                "task failed; trying again"
                            );
                        }
                        Failure::Final => {
                            error!(
                                reason = error.reason,
                                message = error.message,
                                "task failed, and its job"
                            );
                        }
                    }
                }
                Outcome::HandedBack { note, redo } => {
                    core.store.hand_back(lease, retry_ms, note).await?;
                    for task in redo {
                        core.store.redo_leaf(*task).await?;
                    }
                    core.metrics.task_retries.with_label_values(&["handed_back"]).inc();
                    warn!(note, "task handed back");
                }
            }
            Ok::<_, StoreError>(())
        });
        match saved {
            Ok(()) => return,
            Err(error @ StoreError::LeaseLost { .. }) => {
                core.metrics.late_results.inc();
                warn!(%error, "result refused");
                return;
            }
            Err(error) if attempts < STORE_ATTEMPTS && !core.is_stopping() => {
                warn!(%error, attempts, "storing the result failed; trying again");
                thread::sleep(core.config.retry_delay);
            }
            Err(error) => {
                error!(%error, "the result couldn't be stored; the lease will run out");
                return;
            }
        }
    }
}

fn heartbeat(shared: &Shared) {
    let core = &shared.core;
    let mut stopping = core.stopping();
    let mut stopped = false;
    // After the stop the leases of finishing tasks still need their beats.
    while !stopped || !shared.active().is_empty() {
        shared.runtime.block_on(async {
            if stopped {
                tokio::time::sleep(core.config.heartbeat).await;
            } else {
                stopped = timeout(core.config.heartbeat, stopping.wait()).await.is_ok();
            }
        });
        let leases: Vec<(usize, Lease, Duration)> = shared
            .active()
            .iter()
            .map(|(worker, active)| (*worker, active.lease.clone(), active.since.elapsed()))
            .collect();
        for (worker, lease, elapsed) in leases {
            let kept = if elapsed > core.config.task_deadline {
                let error = JobError {
                    reason: "DEADLINE_EXCEEDED".to_owned(),
                    message: format!("not done within {:?}", core.config.task_deadline),
                };
                let failed = core.store.fail(
                    &lease,
                    &error,
                    core.config.max_attempts,
                    millis(core.config.retry_delay),
                );
                shared.runtime.block_on(failed).map(|_| false)
            } else {
                shared.runtime.block_on(core.store.extend(&lease, millis(core.config.lease))).map(|()| true)
            };
            match kept {
                Ok(true) => debug!(task = lease.task, "lease prolonged"),
                Ok(false) | Err(StoreError::LeaseLost { .. }) => {
                    warn!(task = lease.task, worker, "the worker's lease is over");
                    let mut active = shared.active();
                    if active.get(&worker).is_some_and(|active| {
                        active.lease.fence == lease.fence && active.lease.task == lease.task
                    }) {
                        active.remove(&worker);
                    }
                    drop(active);
                    shared.changed.notify_all();
                    core.changes.notify();
                }
                Err(error) => warn!(task = lease.task, %error, "lease not prolonged; trying again"),
            }
        }
    }
}
