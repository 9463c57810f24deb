//! The page for people, and the figures that it shows.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tenon_circuits::rollup::field;

use super::observer::{L1View, Latency, Observer};
use crate::{
    core::unix_ms,
    jobs::{JobState, TaskKind, progress},
    store::StoreError,
    telemetry,
};

/// Batches that the page lists.
const BATCHES: u32 = 25;

/// Workers that it lists.
const WORKERS: u32 = 50;

const HTML: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// Nothing but the service's own files, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

pub(super) async fn html() -> Response {
    file("text/html; charset=utf-8", HTML)
}

pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", SCRIPT)
}

pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

/// The figures as JSON.
pub(super) async fn status(State(observer): State<Observer>) -> Response {
    match overview(&observer).await {
        Ok(overview) => ([(header::CACHE_CONTROL, "no-store")], Json(overview)).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// A figure against its limit.
#[derive(Debug, Serialize)]
struct Limited {
    seconds: Option<f64>,
    limit_seconds: f64,
    ok: bool,
}

impl Limited {
    fn new(seconds: Option<f64>, limit_seconds: f64) -> Self {
        Self { seconds, limit_seconds, ok: seconds.is_none_or(|seconds| seconds <= limit_seconds) }
    }
}

/// What comes first.
#[derive(Debug, Serialize)]
struct Headline {
    /// The 95th percentile of the latest proofs.
    proof_latency: Limited,
    median_seconds: Option<f64>,
    latest_seconds: Option<f64>,
    oldest_batch: Limited,
    l1_lag: Limited,
}

#[derive(Debug, Serialize)]
struct ServiceFigures {
    version: &'static str,
    protocol_version: String,
    chain_id: u64,
    rollup_address: String,
    size_class: String,
    srs_source: String,
    uptime_seconds: u64,
    last_batch: u64,
    state: String,
    accounts: u32,
    stopping: bool,
}

#[derive(Debug, Serialize)]
struct Queue {
    queued_batches: u64,
    max_queued_batches: u32,
    pending_tasks: u64,
    running_tasks: u64,
    failed_jobs: u64,
}

#[derive(Debug, Serialize)]
struct BatchFigures {
    number: u64,
    job: String,
    state: &'static str,
    percent: u32,
    leaves_done: u32,
    chunks: u32,
    transactions: u32,
    l1_operations: u32,
    age_seconds: u64,
    seconds: Option<f64>,
    error: Option<String>,
}

/// A task that a worker has.
#[derive(Debug, Serialize)]
struct InWork {
    worker: String,
    kind: &'static str,
    batch: u64,
    chunk: u32,
    attempt: u32,
}

#[derive(Debug, Serialize)]
struct WorkerFigures {
    workers: usize,
    threads_per_worker: usize,
    busy: u64,
    in_work: Vec<InWork>,
    hardware: String,
    mean_leaf_seconds: Option<f64>,
    mean_aggregate_seconds: Option<f64>,
    peak_memory_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Overview {
    time_ms: u64,
    headline: Headline,
    service: ServiceFigures,
    queue: Queue,
    batches: Vec<BatchFigures>,
    latencies: Vec<Latency>,
    workers: WorkerFigures,
    l1: Option<L1View>,
}

async fn overview(observer: &Observer) -> Result<Overview, StoreError> {
    let core = observer.core();
    let (config, store) = (&core.config, &core.store);
    let now = unix_ms();
    let latencies = observer.latencies();
    let mut sorted: Vec<f64> = latencies.iter().map(|latency| latency.seconds).collect();
    sorted.sort_by(f64::total_cmp);
    let oldest = store.oldest_open_ms().await?.map(|oldest| now.saturating_sub(oldest) as f64 / 1000.0);
    let l1 = observer.l1();
    let headline = Headline {
        proof_latency: Limited::new(percentile(&sorted, 95), config.proof_latency_target.as_secs_f64()),
        median_seconds: percentile(&sorted, 50),
        latest_seconds: latencies
            .iter()
            .max_by_key(|latency| latency.ready_at_ms)
            .map(|latency| latency.seconds),
        oldest_batch: Limited::new(oldest, config.oldest_batch_limit.as_secs_f64()),
        l1_lag: Limited::new(l1.as_ref().map(|l1| l1.lag_seconds as f64), config.l1_lag_limit.as_secs_f64()),
    };
    let counts = store.job_counts().await?;
    let count = |wanted: &dyn Fn(JobState) -> bool| -> u64 {
        counts.iter().filter(|(state, _)| wanted(*state)).map(|(_, count)| count).sum()
    };
    let tasks = store.task_counts().await?;
    let position = core.executor.position();
    let circuits = core.engine.circuits();
    let jobs = store.jobs(None, &[], BATCHES).await?;
    let batches = jobs.into_iter().map(|job| BatchFigures {
        number: job.batch.number,
        state: job.state.name(),
        percent: progress::percent(job.state, job.leaves_done, job.batch.chunks),
        leaves_done: job.leaves_done,
        chunks: job.batch.chunks,
        transactions: job.batch.transactions,
        l1_operations: job.batch.l1_operations,
        age_seconds: now.saturating_sub(job.created_at_ms) / 1000,
        seconds: match job.state {
            JobState::Ready | JobState::Settling | JobState::Settled => latencies
                .iter()
                .find(|latency| latency.batch == job.batch.number)
                .map(|latency| latency.seconds),
            _ => None,
        },
        error: job.error.map(|error| format!("{}: {}", error.reason, error.message)),
        job: job.id,
    });
    let in_work = store.in_work(WORKERS).await?.into_iter().map(|task| InWork {
        worker: task.worker,
        kind: task.kind.name(),
        batch: task.batch_number,
        chunk: task.chunk,
        attempt: task.attempt,
    });
    Ok(Overview {
        time_ms: now,
        headline,
        service: ServiceFigures {
            version: env!("CARGO_PKG_VERSION"),
            protocol_version: circuits.protocol_version.clone(),
            chain_id: config.chain_id,
            rollup_address: format!("0x{}", hex::encode(config.rollup_address)),
            size_class: circuits.size_class.name.clone(),
            srs_source: circuits.leaf.srs_source.clone(),
            uptime_seconds: core.started.elapsed().as_secs(),
            last_batch: position.number,
            state: field::to_hex(&position.state.commitment()),
            accounts: position.state.next_index(),
            stopping: core.is_stopping(),
        },
        queue: Queue {
            queued_batches: count(&JobState::is_open),
            max_queued_batches: config.max_queued_batches,
            pending_tasks: tasks.pending,
            running_tasks: tasks.leased,
            failed_jobs: count(&|state| state == JobState::Failed),
        },
        batches: batches.collect(),
        latencies,
        workers: WorkerFigures {
            workers: config.workers,
            threads_per_worker: config.threads_per_worker,
            busy: tasks.leased,
            in_work: in_work.collect(),
            hardware: telemetry::hardware(),
            mean_leaf_seconds: store.mean_seconds(TaskKind::Leaf).await?,
            mean_aggregate_seconds: store.mean_seconds(TaskKind::Aggregate).await?,
            peak_memory_bytes: telemetry::process_peak_bytes(),
        },
        l1,
    })
}

/// The smallest value that `percent` of the values don't exceed.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        assert_eq!(percentile(&[], 95), None);
        assert_eq!(percentile(&[4.0], 50), Some(4.0));
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((percentile(&hundred, 50), percentile(&hundred, 95)), (Some(50.0), Some(95.0)));
        assert_eq!(percentile(&[1.0, 9.0], 95), Some(9.0));
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        for text in [HTML, SCRIPT, STYLE] {
            let outside = text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !outside.contains("://") && !outside.contains("//www"),
                "something is loaded from elsewhere"
            );
        }
        assert!(!HTML.contains("<style") && !HTML.contains("onclick") && !SCRIPT.contains("innerHTML"));
        assert!(
            Limited::new(None, 1.0).ok && Limited::new(Some(1.0), 1.0).ok && !Limited::new(Some(1.1), 1.0).ok
        );
    }
}
