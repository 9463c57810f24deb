//! `tenon demo`: the whole pipeline once, on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Args;
use tenon_prover::{
    Config,
    circuit_engine::size_class,
    l1::{L1, RpcL1},
    telemetry,
};

use super::{
    failure::{Blame, Failure, Outcome},
    output::{self, INSECURE_SETUP},
    pipeline::{self, Plan, Summary},
    progress::Progress,
    serve::Ended,
    settings::{InProcess, Settings},
};

/// Makes keys and accounts, deploys the contracts, starts the service, submits signed transfers, proves and aggregates
/// them, settles the proof, and checks the state on L1.
#[derive(Debug, Args)]
pub struct Demo {
    /// Batches.
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    batches: u32,
    /// Transfers in all.
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    transfers: u32,
    /// JSON-RPC address of an L1 node, such as <http://127.0.0.1:8545>; an EVM within the process without it.
    #[arg(long = "l1", value_name = "URL")]
    l1: Option<String>,
    /// File with the hex private key that pays on that node; without it the first development key of anvil.
    #[arg(long = "l1-key-file", value_name = "FILE", requires = "l1")]
    l1_key_file: Option<PathBuf>,
    /// Keeps the run's data: the database, witnesses and proofs.
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
        telemetry::init_logging(&config);
        let batches = self.split(&config)?;
        if let Some(url) = &self.l1 {
            let chain = RpcL1::new(url, self.l1_key_file.as_deref()).or_request("--l1")?;
            chain.chain_id().await.or_work("--l1")?;
        }
        let mut ended = Ended::new()?;
        let directory = run_directory(&config.data_dir);
        let plan = Plan {
            config: Config { data_dir: directory.clone(), ..config },
            batches,
            l1: self.l1.as_deref(),
            l1_key: self.l1_key_file.as_deref(),
        };
        let progress = Progress::new(self.json);
        let outcome = tokio::select! {
            outcome = pipeline::run(plan, &progress) => outcome,
            () = ended.wait() => Err(Failure::work_text("interrupted")),
        };
        if outcome.is_ok() && !self.keep {
            fs::remove_dir_all(&directory).or_work(directory.display())?;
        } else if directory.exists() {
            progress.note(format!("the run's data is in {}", directory.display()));
        }
        let summary = outcome?;
        if self.json { output::json(&summary) } else { show(&summary) }
    }

    /// The transfers of each batch; refuses what the size class can't hold.
    fn split(&self, config: &Config) -> Outcome<Vec<u32>> {
        let class = size_class(&config.size_class).map_err(Failure::request)?;
        if self.transfers < self.batches {
            return Err(Failure::request_text(format!(
                "{} transfers can't fill {} batches: each has at least 1",
                self.transfers, self.batches
            )));
        }
        let capacity = class.slots * config.aggregation_leaves;
        let largest = self.transfers.div_ceil(self.batches);
        if largest as usize > capacity {
            return Err(Failure::request_text(format!(
                "{} transfers in {} batches are up to {largest} in each; with size class {} and {} leaf proofs per \
                 aggregation a batch has at most {capacity}",
                self.transfers, self.batches, class.name, config.aggregation_leaves
            )));
        }
        let (least, larger) = (self.transfers / self.batches, self.transfers % self.batches);
        Ok((0..self.batches).map(|number| least + u32::from(number < larger)).collect())
    }
}

/// A directory of its own for each run.
fn run_directory(parent: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    parent.join(format!("demo-{}-{}", now.as_millis(), std::process::id()))
}

fn show(summary: &Summary) -> Outcome {
    let seconds = &summary.seconds;
    let lines = [
        ("transactions", format!("{} in {} batches", summary.transactions, summary.batches)),
        ("keys", output::seconds(seconds.keys)),
        ("execution", output::seconds(seconds.execute)),
        ("leaf proofs", format!("{} for {} chunk(s)", output::seconds(seconds.leaf), summary.chunks)),
        ("aggregation", format!("{} for {} proof(s)", output::seconds(seconds.aggregate), summary.proofs)),
        ("settlement", output::seconds(seconds.settle)),
        ("total", output::seconds(seconds.total)),
        ("peak memory", output::bytes(summary.peak_memory_bytes)),
        ("proof", format!("{} bytes", output::grouped(summary.proof_bytes))),
        ("gas", output::grouped(summary.gas_used)),
        ("gas per transfer", output::grouped(summary.gas_per_transaction)),
        ("chain", format!("{}, rollup {}", summary.chain, summary.rollup)),
        ("state", summary.state_root.clone()),
        ("state on L1", format!("{} (the same)", summary.l1_state_root)),
    ];
    output::line("")?;
    for (name, value) in lines {
        output::line(format!("{name:17} {value}"))?;
    }
    if summary.insecure_setup { output::line(format!("\n{INSECURE_SETUP}")) } else { Ok(()) }
}
