//! Logs, metrics, and what is known of the machine.

use std::{
    fs,
    io::IsTerminal as _,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts logging to standard error. Only the first call in a process has an effect.
pub fn init_logging(config: &Config) {
    let filter = EnvFilter::try_new(&config.log_filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let colors = std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colors);
    let started = match config.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

/// The service's Prometheus metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Batches accepted and not READY.
    pub queued_batches: IntGauge,
    /// Age of the oldest batch without an aggregate proof.
    pub oldest_batch_age_seconds: IntGauge,
    /// Jobs by state.
    pub jobs: IntGaugeVec,
    /// Tasks by state: pending or leased.
    pub tasks: IntGaugeVec,
    /// Proving time by stage and circuit.
    pub proof_seconds: HistogramVec,
    /// Tasks tried again, by why: failed, lost, handed_back.
    pub task_retries: IntCounterVec,
    /// Results refused because their lease was over.
    pub late_results: IntCounter,
    /// Proofs taken from the store instead of made, by stage.
    pub proofs_reused: IntCounterVec,
    /// Batches accepted.
    pub batches_accepted: IntCounter,
    /// Transactions accepted.
    pub transactions_accepted: IntCounter,
    /// Requests refused, by reason.
    pub requests_refused: IntCounterVec,
    /// Leaf proofs per aggregation.
    pub aggregation_leaves: HistogramVec,
    /// Peak memory of the latest proof, by stage.
    pub peak_memory_bytes: GaugeVec,
}

impl Metrics {
    /// Registers all metrics.
    ///
    /// # Errors
    /// Never with the names given here.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        macro_rules! register {
            ($metric:expr) => {{
                let metric = $metric?;
                registry.register(Box::new(metric.clone()))?;
                metric
            }};
        }
        let proof_seconds = HistogramOpts::new("tenon_proof_seconds", "Proving time by stage and circuit")
            .buckets(prometheus::exponential_buckets(0.125, 2.0, 16)?);
        let aggregation_leaves =
            HistogramOpts::new("tenon_aggregation_leaves", "Leaf proofs per aggregation")
                .buckets(prometheus::linear_buckets(1.0, 1.0, 16)?);
        Ok(Self {
            queued_batches: register!(IntGauge::new(
                "tenon_queued_batches",
                "Batches accepted and not ready"
            )),
            oldest_batch_age_seconds: register!(IntGauge::new(
                "tenon_oldest_batch_age_seconds",
                "Age of the oldest batch without an aggregate proof"
            )),
            jobs: register!(IntGaugeVec::new(Opts::new("tenon_jobs", "Jobs by state"), &["state"])),
            tasks: register!(IntGaugeVec::new(Opts::new("tenon_tasks", "Tasks by state"), &["state"])),
            proof_seconds: register!(HistogramVec::new(proof_seconds, &["stage", "circuit"])),
            task_retries: register!(IntCounterVec::new(
                Opts::new("tenon_task_retries_total", "Tasks tried again by why"),
                &["why"]
            )),
            late_results: register!(IntCounter::new(
                "tenon_late_results_total",
                "Results refused because their lease was over"
            )),
            proofs_reused: register!(IntCounterVec::new(
                Opts::new("tenon_proofs_reused_total", "Proofs taken from the store by stage"),
                &["stage"]
            )),
            batches_accepted: register!(IntCounter::new("tenon_batches_accepted_total", "Batches accepted")),
            transactions_accepted: register!(IntCounter::new(
                "tenon_transactions_accepted_total",
                "Transactions accepted"
            )),
            requests_refused: register!(IntCounterVec::new(
                Opts::new("tenon_requests_refused_total", "Requests refused by reason"),
                &["reason"]
            )),
            aggregation_leaves: register!(HistogramVec::new(aggregation_leaves, &["circuit"])),
            peak_memory_bytes: register!(GaugeVec::new(
                Opts::new("tenon_peak_memory_bytes", "Peak memory of the latest proof by stage"),
                &["stage"]
            )),
            registry,
        })
    }

    /// Everything in Prometheus's text format.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn encode(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// The highest peak that was seen before a reset.
static EARLIER_PEAK: AtomicU64 = AtomicU64::new(0);

fn high_water_bytes() -> u64 {
    status_kib("/proc/self/status", "VmHWM:") * 1024
}

/// A line `name  number kB` of a file of the proc file system; 0 where there is none.
fn status_kib(path: &str, name: &str) -> u64 {
    let Ok(text) = fs::read_to_string(path) else { return 0 };
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// Measures the process's peak memory from now on.
#[derive(Debug)]
pub struct PeakMemory(());

impl PeakMemory {
    /// Starts. The peak is the whole process's, so proofs made at the same time share it.
    pub fn start() -> Self {
        EARLIER_PEAK.fetch_max(high_water_bytes(), Ordering::Relaxed);
        // Resets the kernel's mark; where it can't, the mark covers the process's whole life.
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self(())
    }

    /// The peak since the start in bytes; 0 where the machine doesn't tell.
    pub fn bytes(&self) -> u64 {
        high_water_bytes()
    }
}

/// The process's peak memory in bytes, over its whole life; 0 where the machine doesn't tell.
pub fn process_peak_bytes() -> u64 {
    EARLIER_PEAK.load(Ordering::Relaxed).max(high_water_bytes())
}

/// The machine in a few words.
pub fn hardware() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        line.split_once(':').map(|(_, name)| name.trim().to_owned())
    });
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory = status_kib("/proc/meminfo", "MemTotal:") / (1024 * 1024);
    format!(
        "{}, {cores} cores, {memory} GiB, {} {}",
        cpu.as_deref().unwrap_or("unknown processor"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
