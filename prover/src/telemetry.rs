//! Logs, metrics, and what is known of the machine.

pub(crate) mod spans;

use std::{
    fs,
    io::IsTerminal as _,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{Config, LogFormat};

/// Libraries that see headers, and with them tokens, in the clear. Their finer levels are never logged, whatever the
/// settings say.
const CLOSE_MOUTHED: [&str; 6] = ["h2", "hyper", "hyper_util", "tower", "tonic", "rustls"];

/// Time that the last spans get to be exported.
const EXPORT_GRACE: Duration = Duration::from_secs(5);

/// What a setting lets into the log.
pub fn log_filter(setting: &str) -> EnvFilter {
    let filter = EnvFilter::try_new(setting).unwrap_or_else(|_| EnvFilter::new("info"));
    let limits = CLOSE_MOUTHED.iter().filter_map(|library| format!("{library}=info").parse().ok());
    limits.fold(filter, EnvFilter::add_directive)
}

/// Spans can't be exported.
#[derive(Debug, thiserror::Error)]
#[error("otlp_endpoint {endpoint}: {error}")]
pub struct ExportError {
    /// As configured.
    endpoint: String,
    /// Why.
    error: ExporterBuildError,
}

/// The export of spans, which has to be ended for the last of them to arrive.
#[derive(Debug)]
#[must_use = "the last spans are exported by end() only"]
pub struct Export(Option<SdkTracerProvider>);

impl Export {
    /// Sends what is left, for some seconds at most.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(EXPORT_GRACE)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!(?ended, "the last spans couldn't be exported");
        }
    }
}

/// Starts logging to standard error, and the export of spans where the settings name a collector. Only the first call
/// in a process has an effect. With a collector it needs a tokio runtime.
///
/// # Errors
/// When the collector's address can't be used.
pub fn init_logging(config: &Config) -> Result<Export, ExportError> {
    let colors = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colors);
    let log = match config.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let provider = match &config.otlp_endpoint {
        Some(endpoint) => Some(
            spans::provider(endpoint).map_err(|error| ExportError { endpoint: endpoint.clone(), error })?,
        ),
        None => None,
    };
    let started = tracing_subscriber::registry()
        .with(log.with_filter(log_filter(&config.log_filter)))
        .with(provider.as_ref().map(spans::layer))
        .try_init();
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
    Ok(Export(provider))
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
    /// Time from a batch's acceptance to its aggregate proof.
    pub batch_seconds: Histogram,
    /// Gas of transactions in blocks of L1, by what they do.
    pub l1_gas: IntCounterVec,
    /// Whether the L1 node answers.
    pub l1_reachable: IntGauge,
    /// Final blocks of L1 that the service hasn't read.
    pub l1_lag_blocks: IntGauge,
    /// Time since the service had read all final blocks.
    pub l1_lag_seconds: IntGauge,
    /// The last batch that is final on L1.
    pub l1_final_batch: IntGauge,
    /// Age of the oldest batch that isn't final on L1, where the service settles.
    pub settlement_window_age_seconds: IntGauge,
    /// Whether the last look at L1 ended with an error that doesn't pass by itself.
    pub l1_halted: IntGauge,
    /// Unsettled batches that consume operations which L1 doesn't have any more.
    pub l1_operations_gone: IntGauge,
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
    /// Requests by method and gRPC code.
    pub requests: IntCounterVec,
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
    pub fn new(config: &Config) -> Result<Self, prometheus::Error> {
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
        let batch_seconds = HistogramOpts::new(
            "tenon_batch_seconds",
            "Time from a batch's acceptance to its aggregate proof",
        )
        .buckets(prometheus::exponential_buckets(0.125, 2.0, 18)?);
        for (name, help, limit) in [
            (
                "tenon_proof_latency_target_seconds",
                "Setting proof_latency_target",
                config.proof_latency_target,
            ),
            ("tenon_oldest_batch_limit_seconds", "Setting oldest_batch_limit", config.oldest_batch_limit),
            ("tenon_l1_lag_limit_seconds", "Setting l1_lag_limit", config.l1_lag_limit),
        ] {
            register!(Gauge::new(name, help)).set(limit.as_secs_f64());
        }
        let peak = Opts::new("tenon_process_peak_memory_bytes", "Peak memory of the process");
        registry.register(Box::new(ProcessPeak(Gauge::with_opts(peak)?)))?;
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
            batch_seconds: register!(Histogram::with_opts(batch_seconds)),
            l1_gas: register!(IntCounterVec::new(
                Opts::new("tenon_l1_gas_total", "Gas used on L1 by what it was used for"),
                &["purpose"]
            )),
            l1_reachable: register!(IntGauge::new("tenon_l1_reachable", "1 while the L1 node answers")),
            l1_lag_blocks: register!(IntGauge::new(
                "tenon_l1_lag_blocks",
                "Final blocks of L1 that the service hasn't read"
            )),
            l1_lag_seconds: register!(IntGauge::new(
                "tenon_l1_lag_seconds",
                "Time since the service had read all final blocks of L1"
            )),
            l1_final_batch: register!(IntGauge::new(
                "tenon_l1_final_batch",
                "Last batch that is final on L1"
            )),
            settlement_window_age_seconds: register!(IntGauge::new(
                "tenon_settlement_window_age_seconds",
                "Age of the oldest batch that isn't final on L1"
            )),
            l1_halted: register!(IntGauge::new(
                "tenon_l1_halted",
                "1 while settlement stands still with an error that doesn't pass by itself"
            )),
            l1_operations_gone: register!(IntGauge::new(
                "tenon_l1_operations_gone",
                "Unsettled batches that consume operations which L1 doesn't have any more"
            )),
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
            requests: register!(IntCounterVec::new(
                Opts::new("tenon_requests_total", "Requests by method and gRPC code"),
                &["method", "code"]
            )),
            aggregation_leaves: register!(HistogramVec::new(aggregation_leaves, &["circuit"])),
            peak_memory_bytes: register!(GaugeVec::new(
                Opts::new("tenon_peak_memory_bytes", "Peak memory of the latest proof by stage"),
                &["stage"]
            )),
            registry,
        })
    }

    /// Counts a request.
    pub fn count_request(&self, method: &str, code: Code) {
        self.requests.with_label_values(&[method, &format!("{code:?}")]).inc();
    }

    /// Counts a refusal by its reason.
    pub fn count_refusal(&self, status: Status) -> Status {
        let details = status.get_error_details();
        let reason = details.error_info().map_or("OTHER", |info| info.reason.as_str());
        self.requests_refused.with_label_values(&[reason]).inc();
        status
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

/// The process's peak memory, read when it is asked for.
struct ProcessPeak(Gauge);

impl Collector for ProcessPeak {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.0.set(process_peak_bytes() as f64);
        self.0.collect()
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
