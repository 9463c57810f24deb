//! The prover pool: threads that lease tasks, prove in rayon pools of their own, and store what
//! they made. A heartbeat thread keeps their leases alive whatever the provers do.

mod admission;
pub mod process;
pub mod remote;
pub(crate) mod run;
pub mod source;
pub(crate) mod wire;

use std::{
    collections::HashMap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::{runtime::Handle, sync::watch, time::timeout};
use tracing::{debug, error, info, warn};

use crate::{
    config::Config,
    core::{Changes, Stopping},
    engine::Engine,
    jobs::{JobError, Lease, TaskKind},
    store::{Failure, ServiceKeys},
    telemetry::{Metrics, spans},
};
use admission::Admission;
use source::{Assignment, Lost, Outcome, Source, SourceError};

/// Longest sleep of an idle worker: retries become due without anybody saying so.
const IDLE: Duration = Duration::from_millis(500);

/// Times that a result is offered to a database that fails.
const STORE_ATTEMPTS: u32 = 5;

/// Time between two looks of an idle worker at the length of the queue.
const WATCHDOG_INTERVAL: Duration = Duration::from_secs(10);

/// Looks in a row that may find tasks which the worker doesn't get, before it connects anew.
const WATCHDOG_STRIKES: u32 = 3;

/// What the workers of a process share.
pub(crate) struct Crew {
    /// What the names of its workers start with.
    pub name: String,
    pub config: Config,
    pub engine: Arc<dyn Engine>,
    pub source: Arc<dyn Source>,
    pub metrics: Arc<Metrics>,
    pub changes: Arc<Changes>,
    pub stop: watch::Sender<bool>,
}

impl Crew {
    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// The keys that it proves with.
    pub fn keys(&self) -> ServiceKeys {
        let circuits = self.engine.circuits();
        ServiceKeys { leaf: circuits.leaf.key_digest, aggregation: circuits.aggregation.key_digest }
    }
}

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
    crew: Arc<Crew>,
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
    /// Starts the configured workers. They stop with the crew.
    pub fn start(crew: Arc<Crew>, runtime: Handle) -> Result<Self, PoolError> {
        let admission = Admission::new(crew.config.memory_limit_bytes);
        let shared = Arc::new(Shared {
            runtime,
            admission,
            active: Mutex::default(),
            changed: Condvar::new(),
            crew: Arc::clone(&crew),
        });
        for worker in 0..crew.config.workers {
            let pool = ThreadPoolBuilder::new()
                .num_threads(crew.config.threads_per_worker)
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

    /// Gives tasks in work some time to finish, then hands them back. The crew is stopping already.
    pub async fn stop(self) {
        let shared = Arc::clone(&self.0);
        let grace = shared.crew.config.shutdown_grace;
        let waited = tokio::task::spawn_blocking(move || {
            let active = shared.active();
            drop(shared.changed.wait_timeout_while(active, grace, |active| !active.is_empty()));
        });
        if let Err(error) = waited.await {
            warn!(%error, "waiting for the workers failed");
        }
        let left: Vec<Active> = self.0.active().drain().map(|(_, active)| active).collect();
        for Active { lease, .. } in left {
            let outcome = Outcome::HandedBack { note: "the worker stops".to_owned(), lost: Lost::Nothing };
            match self.0.crew.source.finish(&lease, &outcome).await {
                Ok(_) => info!(task = lease.task, batch = lease.batch_number, "task handed back"),
                Err(error) => {
                    warn!(task = lease.task, %error, "task not handed back; its lease will run out")
                }
            }
        }
    }
}

fn work(shared: &Shared, worker: usize, pool: &ThreadPool) {
    let crew = &shared.crew;
    let owner = format!("{}/{worker}", crew.name);
    let circuits = crew.engine.circuits();
    let needs = [
        (TaskKind::Leaf, circuits.leaf.memory_bytes),
        (TaskKind::Aggregate, circuits.aggregation.memory_bytes),
    ];
    let keys = crew.keys();
    let mut changes = crew.changes.subscribe();
    let mut watchdog = Watchdog::default();
    while !crew.is_stopping() {
        changes.borrow_and_update();
        let (mut kinds, mut reserved) = shared.admission.reserve(&needs);
        if is_held_back(shared, &needs, &kinds) {
            kinds.clear();
        }
        let leased = if kinds.is_empty() {
            Ok(None)
        } else {
            shared.runtime.block_on(crew.source.lease(&owner, &kinds, &keys))
        };
        match leased {
            Ok(Some(assignment)) => {
                let kind = assignment.lease.kind;
                let need = needs.iter().find(|(known, _)| *known == kind).map_or(0, |(_, bytes)| *bytes);
                reserved.shrink(need);
                // The reservation is held to the end of the task.
                process_task(shared, worker, pool, &assignment);
                drop(reserved);
                watchdog = Watchdog::default();
                crew.changes.notify();
                continue;
            }
            Ok(None) => watchdog.look(shared, &kinds),
            Err(error) => {
                error!(worker, %error, "looking for a task failed; trying again");
                watchdog.look(shared, &kinds);
            }
        }
        drop(reserved);
        shared.runtime.block_on(async {
            let _ = timeout(IDLE, changes.changed()).await;
        });
    }
}

/// Whether the tasks that fit wait, so that one gets memory which doesn't.
fn is_held_back(shared: &Shared, needs: &[(TaskKind, u64)], fitting: &[TaskKind]) -> bool {
    let refused: Vec<TaskKind> =
        needs.iter().map(|(kind, _)| *kind).filter(|kind| !fitting.contains(kind)).collect();
    let queued = !refused.is_empty()
        && match shared.runtime.block_on(shared.crew.source.leasable(&refused)) {
            Ok(tasks) => tasks > 0,
            Err(error) => {
                debug!(%error, "the queue can't be looked at; trying again");
                false
            }
        };
    shared.admission.holds_back(queued, Instant::now())
}

/// Notices that a worker gets nothing although there is something to do.
struct Watchdog {
    looked: Instant,
    strikes: u32,
}

impl Default for Watchdog {
    fn default() -> Self {
        Self { looked: Instant::now(), strikes: 0 }
    }
}

impl Watchdog {
    fn look(&mut self, shared: &Shared, kinds: &[TaskKind]) {
        if self.looked.elapsed() < WATCHDOG_INTERVAL {
            return;
        }
        self.looked = Instant::now();
        let source = &shared.crew.source;
        match shared.runtime.block_on(source.leasable(kinds)) {
            Ok(0) => self.strikes = 0,
            Ok(tasks) => {
                self.strikes += 1;
                warn!(tasks, strikes = self.strikes, "idle although tasks are queued");
            }
            Err(error) => {
                self.strikes += 1;
                warn!(%error, strikes = self.strikes, "the queue can't be looked at");
            }
        }
        if self.strikes >= WATCHDOG_STRIKES {
            self.strikes = 0;
            match shared.runtime.block_on(source.reconnect()) {
                Ok(()) => info!("connected anew"),
                Err(error) => warn!(%error, "connecting anew failed; trying again"),
            }
        }
    }
}

fn process_task(shared: &Shared, worker: usize, pool: &ThreadPool, assignment: &Assignment) {
    let crew = &shared.crew;
    let lease = &assignment.lease;
    let span = |job: Option<&String>| {
        tracing::info_span!(
            "task",
            task = lease.task,
            kind = lease.kind.name(),
            job,
            batch = lease.batch_number,
            attempt = lease.attempt
        )
    };
    let mut jobs = assignment.jobs.iter();
    let own = match jobs.next() {
        Some(job) => spans::of_job(span(Some(job)), job),
        None => span(None),
    };
    let _entered = own.enter();
    // An aggregate's other jobs see in their traces how long it took.
    let _others: Vec<_> = jobs.map(|job| spans::of_job(span(Some(job)), job)).collect();
    shared.active().insert(worker, Active { lease: lease.clone(), since: Instant::now() });
    crew.changes.notify();
    info!("task started");
    let outcome = catch_unwind(AssertUnwindSafe(|| run::run(crew, &shared.runtime, pool, assignment)))
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
        crew.metrics.late_results.inc();
        warn!("the lease ended before the task did; its result is dropped");
        return;
    }
    save(shared, lease, &outcome);
    shared.active().remove(&worker);
    shared.changed.notify_all();
}

/// Tells the service what became of the task.
fn save(shared: &Shared, lease: &Lease, outcome: &Outcome) {
    let crew = &shared.crew;
    let mut attempts = 0;
    loop {
        attempts += 1;
        match shared.runtime.block_on(crew.source.finish(lease, outcome)) {
            Ok(failure) => return report(crew, lease, outcome, failure),
            Err(error @ SourceError::LeaseLost { .. }) => {
                crew.metrics.late_results.inc();
                warn!(%error, "result refused");
                return;
            }
            Err(SourceError::Refused(message)) if matches!(outcome, Outcome::Done { .. }) => {
                let error = JobError { reason: "PROOF_REFUSED".to_owned(), message };
                return save(shared, lease, &Outcome::Failed(error));
            }
            Err(error) if attempts < STORE_ATTEMPTS && !crew.is_stopping() => {
                warn!(%error, attempts, "storing the result failed; trying again");
                thread::sleep(crew.config.retry_delay);
            }
            Err(error) => {
                error!(%error, "the result couldn't be stored; the task is handed back");
                let note = format!("its result couldn't be stored: {error}");
                let outcome = Outcome::HandedBack { note, lost: Lost::Nothing };
                match shared.runtime.block_on(crew.source.finish(lease, &outcome)) {
                    Ok(failure) => report(crew, lease, &outcome, failure),
                    Err(error) => error!(%error, "task not handed back; its lease will run out"),
                }
                return;
            }
        }
    }
}

/// Logs and counts what became of a task.
fn report(crew: &Crew, lease: &Lease, outcome: &Outcome, failure: Option<Failure>) {
    match outcome {
        Outcome::Done { record, proof } => {
            let reused = proof.is_none();
            if reused {
                crew.metrics.proofs_reused.with_label_values(&[lease.kind.name()]).inc();
            }
            info!(seconds = record.seconds, reused, "proof stored");
        }
        Outcome::Failed(error) if failure == Some(Failure::Retried) => {
            crew.metrics.task_retries.with_label_values(&["failed"]).inc();
            warn!(reason = error.reason, message = error.message, "task failed; trying again");
        }
        Outcome::Failed(error) => {
            error!(reason = error.reason, message = error.message, "task failed, and its job");
        }
        Outcome::HandedBack { note, .. } => {
            crew.metrics.task_retries.with_label_values(&["handed_back"]).inc();
            warn!(note, "task handed back");
        }
    }
}

fn heartbeat(shared: &Shared) {
    let crew = &shared.crew;
    let mut stopping = Stopping::of(&crew.stop);
    let mut stopped = false;
    let mut pause = crew.config.heartbeat;
    // After the stop the leases of finishing tasks still need their beats.
    while !stopped || !shared.active().is_empty() {
        shared.runtime.block_on(async {
            if stopped {
                tokio::time::sleep(pause).await;
            } else {
                stopped = timeout(pause, stopping.wait()).await.is_ok();
            }
        });
        pause = crew.config.heartbeat;
        let leases: Vec<(usize, Lease, Duration)> = shared
            .active()
            .iter()
            .map(|(worker, active)| (*worker, active.lease.clone(), active.since.elapsed()))
            .collect();
        for (worker, lease, elapsed) in leases {
            let kept = if elapsed > crew.config.task_deadline {
                let error = JobError {
                    reason: "DEADLINE_EXCEEDED".to_owned(),
                    message: format!("not done within {:?}", crew.config.task_deadline),
                };
                shared.runtime.block_on(crew.source.finish(&lease, &Outcome::Failed(error))).map(|_| false)
            } else {
                shared.runtime.block_on(crew.source.extend(&lease)).map(|()| true)
            };
            match kept {
                Ok(true) => debug!(task = lease.task, "lease prolonged"),
                Ok(false) | Err(SourceError::LeaseLost { .. }) => {
                    warn!(task = lease.task, worker, "the worker's lease is over");
                    let mut active = shared.active();
                    if active.get(&worker).is_some_and(|active| {
                        active.lease.fence == lease.fence && active.lease.task == lease.task
                    }) {
                        active.remove(&worker);
                    }
                    drop(active);
                    shared.changed.notify_all();
                    crew.changes.notify();
                }
                Err(error) => {
                    warn!(task = lease.task, %error, "lease not prolonged; trying again");
                    pause = crew.config.heartbeat / 4;
                }
            }
        }
    }
}
