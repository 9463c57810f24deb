//! `tenon demo`: the life of a rollup's user, on this machine.

mod chain;
mod story;
mod users;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Args;
use tenon_prover::{Config, circuit_engine::size_class, l1::L1Key, telemetry};

use super::{
    failure::{Blame, Failure, Outcome},
    output::{self, INSECURE_SETUP},
    progress::Progress,
    serve::Ended,
    settings::{InProcess, Settings},
};
use chain::DemoChain;
use story::Summary;

/// Batches, a chunk or more each.
const BATCHES: usize = 2;
/// Slots besides transfers: the deposits, an open and a withdrawal.
const OTHER_SLOTS: usize = story::DEPOSITS + 2;

/// Makes keys, deploys the contracts and starts the service; users deposit, open, transfer, withdraw and claim; then
/// the operator stops, a forced exit is ignored, the contract is frozen and a user escapes.
#[derive(Debug, Args)]
pub struct Demo {
    /// Transfers in all, in two batches; without it as many as fill two chunks.
    #[arg(long, value_name = "COUNT")]
    transfers: Option<usize>,
    /// JSON-RPC address of a development node such as anvil; an EVM within the process without it.
    #[arg(long = "l1", value_name = "URL")]
    l1: Option<String>,
    /// File with the hex private key that pays on that node; without it the first development key of anvil.
    #[arg(long = "l1-key-file", value_name = "FILE", requires = "l1")]
    l1_key_file: Option<PathBuf>,
    /// Keeps the run's data: the database, witnesses, proofs and the archive.
    #[arg(long)]
    keep: bool,
    /// Prints the summary as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings<InProcess>,
}

impl Demo {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let config = self.settings.load_with([
            ("grpc_listen", "127.0.0.1:0".to_owned()),
            ("http_listen", "127.0.0.1:0".to_owned()),
            ("aggregation_max_age", "24h".to_owned()),
            ("log_filter", "warn".to_owned()),
        ])?;
        let export = telemetry::init_logging(&config).map_err(Failure::request)?;
        let transfers = self.transfers(&config)?;
        let chain = self.chain().await?;
        let mut ended = Ended::new()?;
        let directory = run_directory(&config.data_dir);
        let config = Config { data_dir: directory.clone(), ..config };
        let progress = Progress::new(self.json);
        let outcome = tokio::select! {
            outcome = story::tell(config, &chain, transfers, &progress) => outcome,
            () = ended.wait() => Err(Failure::work_text("interrupted")),
        };
        if outcome.is_ok() && !self.keep {
            fs::remove_dir_all(&directory).or_work(directory.display())?;
        } else if directory.exists() {
            progress.note(format!("the run's data is in {}", directory.display()));
        }
        export.end().await;
        let summary = outcome?;
        if self.json { output::json(&summary) } else { show(&summary) }
    }

    async fn chain(&self) -> Outcome<DemoChain> {
        let Some(url) = &self.l1 else { return DemoChain::embedded().await };
        let key = match &self.l1_key_file {
            Some(path) => L1Key::from_file(path).or_request("--l1-key-file")?,
            None => L1Key::development().or_work("L1 key")?,
        };
        DemoChain::node(url, key).await
    }

    /// How many transfers; refuses what the size class can't hold.
    fn transfers(&self, config: &Config) -> Outcome<usize> {
        let class = size_class(&config.size_class).map_err(Failure::request)?;
        let transfers = self.transfers.unwrap_or(BATCHES * class.slots - OTHER_SLOTS);
        let most = BATCHES * class.slots * config.aggregation_leaves - 2 * OTHER_SLOTS;
        if transfers > most {
            return Err(Failure::request_text(format!(
                "--transfers: expected at most {most} with size class {} and {} leaf proofs per aggregation, got \
                 {transfers}",
                class.name, config.aggregation_leaves
            )));
        }
        Ok(transfers)
    }
}

/// A directory of its own for each run.
fn run_directory(parent: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    parent.join(format!("demo-{}-{}", now.as_millis(), std::process::id()))
}

fn show(summary: &Summary) -> Outcome {
    let seconds = &summary.seconds;
    let proven = format!(
        "{} transactions and {} L1 operations in {} batches",
        summary.transactions, summary.l1_operations, summary.batches
    );
    let lines = [
        ("proven", proven),
        ("keys", output::seconds(seconds.keys)),
        ("execution", output::seconds(seconds.execute)),
        ("leaf proofs", format!("{} for {} chunk(s)", output::seconds(seconds.leaf), summary.chunks)),
        ("aggregation", output::seconds(seconds.aggregate)),
        ("total", output::seconds(seconds.total)),
        ("peak memory", output::bytes(summary.peak_memory_bytes)),
        ("proof", format!("{} bytes", output::grouped(summary.proof_bytes))),
        ("gas to settle", output::grouped(summary.gas_used)),
        ("per transaction", output::grouped(summary.gas_per_transaction)),
        ("gas to claim", output::grouped(summary.claim_gas)),
        ("gas to escape", output::grouped(summary.escape_gas)),
        ("claimed", format!("{} wei", summary.claimed_wei)),
        ("escaped", format!("{} wei", summary.escaped_wei)),
        ("chain", format!("{}, rollup {}", summary.chain, summary.rollup)),
        ("state", summary.state_root.clone()),
        ("state on L1", format!("{} (the same)", summary.l1_state_root)),
        ("rebuilt from L1", format!("{} (the same)", summary.rebuilt_state_root)),
    ];
    output::line("")?;
    for (name, value) in lines {
        output::line(format!("{name:17} {value}"))?;
    }
    if summary.insecure_setup { output::line(format!("\n{INSECURE_SETUP}")) } else { Ok(()) }
}
