//! `tenon bench`: the whole pipeline by batch size.

use std::{
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use alloy::{
    eips::eip7594::BlobTransactionSidecarEip7594,
    primitives::{Address, U256},
};
use clap::Args;
use rayon::ThreadPoolBuilder;
use serde::Serialize;
use tenon_circuits::{
    halo2::leaf::{LeafCircuit, SizeClass},
    public_inputs::BATCH_PLACES,
    rollup::execute,
};
use tenon_contracts::{
    blob::{self, Opening},
    deployment::Parameters,
};
use tenon_prover::{
    Config,
    circuit_engine::CircuitEngine,
    engine::{Engine, EngineError},
    l1::{
        self, Inclusion, L1Key, LocalNode, Message, Sender,
        rollup::{SettledBatch, commit_and_prove},
    },
    settlement::evaluate,
    telemetry::{self, PeakMemory},
};
use tokio::task::spawn_blocking;

use super::{
    chart,
    failure::{Blame, Failure, Outcome},
    jobs::write,
    output::{self, INSECURE_SETUP},
    preflight,
    progress::Progress,
    settings::{KeysOnly, Settings},
    workload::Workload,
};

/// Measures execution, proofs and settlement of batches of several sizes: for each size, as many batches of one chunk
/// as an aggregation takes.
#[derive(Debug, Args)]
pub struct Bench {
    /// Transfers per batch. Each size is proven in the smallest size class that holds it.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_values_t = [SizeClass::SMALL.slots, SizeClass::MEDIUM.slots])]
    sizes: Vec<usize>,
    /// Threads to prove with, one run for each number; all cores where none is named.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',')]
    threads: Vec<usize>,
    /// Stops after the leaf proofs.
    #[arg(long)]
    leaf_only: bool,
    /// Writes a chart of the seconds by stage as SVG.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// Prints the results as one JSON object.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Prints rows for the README's table of hardware: machine, size class, threads, seconds and peak memory.
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    settings: Settings<KeysOnly>,
}

/// All results.
#[derive(Debug, Serialize)]
struct Report {
    hardware: String,
    insecure: bool,
    leaves: usize,
    results: Vec<Measured>,
}

/// The results for one batch size.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// The leaf circuit's size class.
    pub size_class: &'static str,
    /// log2 of its rows.
    pub k: u32,
    /// Threads that proved.
    pub threads: usize,
    /// Transfers per batch.
    pub transfers: usize,
    /// Batches.
    pub batches: usize,
    /// Rows in use for a chunk, divided by the transfers that it holds.
    pub rows_per_transfer: usize,
    /// Advice cells in use for a chunk, divided by the transfers that it holds.
    pub cells_per_transfer: usize,
    /// Rows that one more transfer takes.
    pub rows_per_added_transfer: usize,
    /// Advice cells that one more transfer takes.
    pub cells_per_added_transfer: usize,
    /// Times for all batches.
    pub seconds: Stages,
    /// Transfers proven per second of leaf proofs and aggregation.
    pub transfers_per_second: f64,
    /// Peak memory while leaf proofs were made.
    pub leaf_peak_memory_bytes: u64,
    /// Peak memory of the aggregation.
    pub aggregate_peak_memory_bytes: u64,
    /// Bytes of the settled proof.
    pub proof_bytes: usize,
    /// Gas of its settlement.
    pub gas_used: u64,
    /// Gas divided by the transfers settled.
    pub gas_per_transaction: u64,
}

/// Seconds by stage.
#[derive(Debug, Default, Serialize)]
pub struct Stages {
    /// Reading or making keys; not part of the total.
    pub keys: f64,
    /// Executing the batches.
    pub execute: f64,
    /// Leaf proofs.
    pub leaf: f64,
    /// Aggregation.
    pub aggregate: f64,
    /// Checking the aggregate proof natively.
    pub verify: f64,
    /// Settling it in an embedded EVM.
    pub settle: f64,
    /// Everything but the keys.
    pub total: f64,
}

impl Bench {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        let sizes =
            self.sizes.iter().map(|size| Ok((*size, class_for(*size)?))).collect::<Outcome<Vec<_>>>()?;
        let threads = self.threads()?;
        let progress = Progress::new(self.json);
        let mut report = Report {
            hardware: telemetry::hardware(),
            insecure: false,
            leaves: config.aggregation_leaves,
            results: Vec::new(),
        };
        for (transfers, class) in sizes {
            let config = Config { size_class: class.name.to_owned(), ..config.clone() };
            let mark = Instant::now();
            let engine = preflight::engine(&config, &progress).await?;
            let keys = output::rounded(mark.elapsed());
            report.insecure |= engine.is_insecure();
            let engine = Arc::new(engine);
            for &threads in &threads {
                let work = progress.work(&format!("{transfers} transfers per batch, {threads} threads"));
                let mut measured = self.measure(&engine, class, transfers, threads).await?;
                measured.seconds.keys = keys;
                work.done(&format!("{:.2} transfers per second", measured.transfers_per_second));
                report.results.push(measured);
            }
        }
        if let Some(path) = &self.chart {
            write(path, &chart::seconds_by_stage(&report.results, &report.hardware))?;
        }
        match (self.json, self.markdown) {
            (true, _) => output::json(&report),
            (_, true) => report.rows(),
            _ => report.show(),
        }
    }

    /// The numbers of threads to prove with.
    fn threads(&self) -> Outcome<Vec<usize>> {
        if self.threads.contains(&0) {
            return Err(Failure::request_text("--threads: expected at least 1, found 0"));
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(if self.threads.is_empty() { vec![cores] } else { self.threads.clone() })
    }

    async fn measure(
        &self,
        engine: &Arc<CircuitEngine>,
        class: SizeClass,
        transfers: usize,
        threads: usize,
    ) -> Outcome<Measured> {
        let (engine, leaf_only) = (Arc::clone(engine), self.leaf_only);
        let handle = tokio::runtime::Handle::current();
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().or_work("threads")?;
        // As the service's workers do, in a pool of its own.
        let proven = spawn_blocking(move || {
            pool.install(|| handle.block_on(measure(&engine, class, transfers, threads, leaf_only)))
        });
        proven.await.or_work("measuring")?
    }
}

/// Accounts that pay each other.
const USERS: u32 = 16;

fn class_for(transfers: usize) -> Outcome<SizeClass> {
    let fitting = SizeClass::ALL.into_iter().filter(|class| transfers > 0 && class.slots >= transfers);
    fitting.min_by_key(|class| class.slots).ok_or_else(|| {
        let most = SizeClass::ALL.map(|class| class.slots).into_iter().max().unwrap_or(0);
        Failure::request_text(format!("--sizes: expected 1 to {most} transfers per batch, found {transfers}"))
    })
}

async fn measure(
    engine: &CircuitEngine,
    class: SizeClass,
    transfers: usize,
    threads: usize,
    leaf_only: bool,
) -> Outcome<Measured> {
    let failed = |error: EngineError| Failure::work(error);
    let mut seconds = Stages::default();
    let mut workload = Workload::new(USERS)?;
    let mut state = workload.state().clone();
    let (chain, key) = (LocalNode::new(), L1Key::development().map_err(Failure::work)?);
    chain.fund(key.address(), U256::from(u128::MAX));
    let sender = Sender { chain: &chain, key: &key };
    let verifier = l1::verifier(engine.keys().aggregation.verifier()).map_err(Failure::work)?;
    let parameters = Parameters::demonstration(sender.address(), l1::to_word(&state.commitment()));
    let deployed = l1::deploy(&sender, &verifier, &parameters).await.map_err(Failure::work)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let timestamp = u32::try_from(now).or_work("clock")?;
    let batches = engine.circuits().leaves.min(BATCH_PLACES);
    let documents: Vec<_> = (0..batches).map(|_| workload.batch(transfers as u32, deployed.domain)).collect();

    let started = Instant::now();
    let (mut witnesses, mut published) = (Vec::new(), Vec::new());
    for (number, document) in (1..).zip(documents) {
        let batch = document.into_batch(number, timestamp);
        let execution = execute(&state, deployed.domain, &batch, class.capacity()).map_err(Failure::work)?;
        let (execution, blobs) = evaluate(execution).map_err(Failure::work)?;
        let settled = SettledBatch {
            number,
            timestamp,
            state_out: execution.state_out,
            commit: execution.commit,
            l1_words: execution.l1_words,
            blob_hashes: blobs.versioned_hashes(),
        };
        let openings = blobs.open(execution.public_inputs.points.z_d).map_err(Failure::work)?;
        published.push((settled, openings, blobs.sidecar().map_err(Failure::work)?));
        state = execution.state;
        witnesses.extend(execution.chunks);
    }
    seconds.execute = output::rounded(started.elapsed());

    let mark = Instant::now();
    let memory = PeakMemory::start();
    let leaves = witnesses
        .iter()
        .map(|witness| engine.prove_leaf(witness))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let leaf_peak_memory_bytes = memory.bytes();
    seconds.leaf = output::rounded(mark.elapsed());

    let mut measured = Measured {
        size_class: class.name,
        k: class.k,
        threads,
        transfers,
        batches,
        rows_per_transfer: rows_and_cells(class).0 / class.slots,
        cells_per_transfer: rows_and_cells(class).1 / class.slots,
        rows_per_added_transfer: added(class).0,
        cells_per_added_transfer: added(class).1,
        seconds,
        transfers_per_second: 0.0,
        leaf_peak_memory_bytes,
        aggregate_peak_memory_bytes: 0,
        proof_bytes: 0,
        gas_used: 0,
        gas_per_transaction: 0,
    };
    if !leaf_only {
        let mark = Instant::now();
        let memory = PeakMemory::start();
        let proof = engine.prove_aggregate(&leaves).map_err(failed)?;
        measured.aggregate_peak_memory_bytes = memory.bytes();
        measured.seconds.aggregate = output::rounded(mark.elapsed());
        let mark = Instant::now();
        engine.verify_aggregate(&proof).map_err(failed)?;
        measured.seconds.verify = output::rounded(mark.elapsed());
        let mark = Instant::now();
        let settled = settle(&sender, deployed.rollup, published, &proof.proof).await?;
        measured.seconds.settle = output::rounded(mark.elapsed());
        measured.proof_bytes = proof.proof.len();
        measured.gas_used = settled.gas_used;
        measured.gas_per_transaction = settled.gas_used / (transfers * batches).max(1) as u64;
    }
    measured.seconds.total = output::rounded(started.elapsed());
    let proving = measured.seconds.leaf + measured.seconds.aggregate;
    measured.transfers_per_second = (transfers * batches) as f64 / proving.max(f64::MIN_POSITIVE);
    Ok(measured)
}

/// Commits and proves batches in one transaction.
async fn settle(
    sender: &Sender<'_>,
    rollup: Address,
    published: Vec<(SettledBatch, Vec<Opening>, BlobTransactionSidecarEip7594)>,
    proof: &[u8],
) -> Outcome<Inclusion> {
    let (batches, sidecars): (Vec<_>, Vec<_>) =
        published.into_iter().map(|(batch, openings, sidecar)| ((batch, openings), sidecar)).unzip();
    let data = commit_and_prove(1, &batches, proof);
    let blob_hashes = batches.iter().flat_map(|(batch, _)| batch.blob_hashes.clone()).collect();
    let message = Message { blob_hashes, ..sender.message(rollup, U256::ZERO, data) };
    sender.send("settling", &message, Some(blob::join_sidecars(sidecars))).await.map_err(Failure::work)
}

/// Rows and advice cells that a class's chunk uses.
fn rows_and_cells(class: SizeClass) -> (usize, usize) {
    let circuit = LeafCircuit::keygen(class);
    (circuit.trace().rows(), circuit.trace().assigned_cells())
}

/// Rows and advice cells that one transfer adds to a chunk.
fn added(class: SizeClass) -> (usize, usize) {
    let (rows_1, cells_1) = rows_and_cells(SizeClass { slots: 1, ..class });
    let (rows_3, cells_3) = rows_and_cells(SizeClass { slots: 3, ..class });
    ((rows_3 - rows_1) / 2, (cells_3 - cells_1) / 2)
}

impl Report {
    /// Rows of the README's table of hardware, with the seconds of one leaf proof and of one aggregation.
    fn rows(&self) -> Outcome {
        for result in &self.results {
            let leaf = result.seconds.leaf / result.batches.max(1) as f64;
            let mut cells = vec![
                self.hardware.clone(),
                format!("{} (k = {})", result.size_class, result.k),
                result.threads.to_string(),
                format!("{leaf:.1}"),
                output::bytes(result.leaf_peak_memory_bytes),
            ];
            cells.extend(if self.leaf_only() {
                ["".to_owned(), "".to_owned()]
            } else {
                let memory = output::bytes(result.aggregate_peak_memory_bytes);
                [format!("{:.1}", result.seconds.aggregate), memory]
            });
            output::line(format!("| {} |", cells.join(" | ")))?;
        }
        Ok(())
    }

    /// Whether no aggregation was measured.
    fn leaf_only(&self) -> bool {
        self.results.iter().all(|result| result.proof_bytes == 0)
    }

    fn show(&self) -> Outcome {
        let rows: Vec<_> = self
            .results
            .iter()
            .map(|result| {
                [
                    format!("{} x {}", result.batches, result.transfers),
                    format!("{} (k = {})", result.size_class, result.k),
                    result.threads.to_string(),
                    result.rows_per_added_transfer.to_string(),
                    result.cells_per_added_transfer.to_string(),
                    output::seconds(result.seconds.execute),
                    output::seconds(result.seconds.leaf),
                    output::seconds(result.seconds.aggregate),
                    output::seconds(result.seconds.settle),
                    output::bytes(result.leaf_peak_memory_bytes),
                    output::bytes(result.aggregate_peak_memory_bytes),
                    output::grouped(result.gas_used),
                    format!("{:.2}", result.transfers_per_second),
                ]
            })
            .collect();
        let headings = [
            "TRANSFERS",
            "CLASS",
            "THREADS",
            "ROWS/TX",
            "CELLS/TX",
            "EXECUTE",
            "LEAF",
            "AGGREGATE",
            "SETTLE",
            "LEAF MEMORY",
            "AGGREGATE MEMORY",
            "GAS",
            "TX/S",
        ];
        output::line(self.hardware.as_str())?;
        output::line(output::table(headings, &rows).trim_end())?;
        if self.insecure { output::line(INSECURE_SETUP) } else { Ok(()) }
    }
}
