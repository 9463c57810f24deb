//! `tenon rebuild`: every account from L1 alone.

use std::{fs, path::PathBuf};

use alloy::primitives::Address;
use clap::Args;
use serde::Serialize;
use tenon_circuits::rollup::{field, snapshot::Snapshot};
use tenon_prover::{
    l1::{Chain, Node, rollup::RollupContract},
    settlement::rebuild::Rebuilt,
};

use super::{
    access::History,
    failure::{Blame, Outcome},
    output,
};

/// Rebuilds every account from what the rollup published on L1, and compares the state with the contract's. Needs
/// nothing of the operator's service.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// JSON-RPC address of an L1 node, such as <http://127.0.0.1:8545>.
    #[arg(long, value_name = "URL")]
    l1: String,
    /// The rollup contract.
    #[arg(long, value_name = "ADDRESS")]
    rollup: Address,
    #[command(flatten)]
    history: History,
    /// Replays every batch although an archive has a snapshot of a later state.
    #[arg(long)]
    no_snapshots: bool,
    /// File for the rebuilt state, as a snapshot.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    rollup: String,
    block: u64,
    batch: u64,
    state: String,
    accounts: u64,
    replayed_from: u64,
    transactions: u64,
    operations_consumed: u64,
    operations_waiting: usize,
    blobs_from_archives: u64,
    blobs_from_chain: u64,
    snapshot: Option<PathBuf>,
}

impl Rebuild {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let node = Node::new(&self.l1, self.history.beacon.as_deref()).or_request("--l1")?;
        node.chain_id().await.or_work("--l1")?;
        let contract = RollupContract { chain: &node, address: self.rollup };
        let domain = contract.domain().await.or_request("--rollup")?;
        let rebuilt = self.history.rebuild(&contract, &[], !self.no_snapshots, self.json).await?;
        if let Some(path) = &self.output {
            let snapshot = Snapshot { domain, batch: rebuilt.number, state: rebuilt.state.clone() };
            fs::write(path, snapshot.to_bytes()).or_work(format!("writing {}", path.display()))?;
        }
        self.print(&rebuilt)
    }

    fn print(&self, rebuilt: &Rebuilt) -> Outcome {
        let report = Report {
            rollup: self.rollup.to_string(),
            block: rebuilt.block,
            batch: rebuilt.number,
            state: field::to_hex(&rebuilt.state.commitment()),
            accounts: u64::from(rebuilt.state.next_index()),
            replayed_from: rebuilt.from,
            transactions: rebuilt.transactions,
            operations_consumed: rebuilt.consumed,
            operations_waiting: rebuilt.waiting.len(),
            blobs_from_archives: rebuilt.archived_blobs,
            blobs_from_chain: rebuilt.chain_blobs,
            snapshot: self.output.clone(),
        };
        if self.json {
            return output::json(&report);
        }
        let rows = [
            ("rollup", report.rollup),
            ("block", output::grouped(report.block)),
            ("batches", format!("{}, replayed from {}", report.batch, report.replayed_from)),
            ("transactions", output::grouped(report.transactions)),
            (
                "operations",
                format!("{} consumed, {} waiting", report.operations_consumed, report.operations_waiting),
            ),
            (
                "blobs",
                format!(
                    "{} from archives, {} from the chain",
                    report.blobs_from_archives, report.blobs_from_chain
                ),
            ),
            ("accounts", output::grouped(report.accounts)),
            ("state", format!("{} (the contract's)", report.state)),
        ];
        for (name, value) in rows {
            output::line(format!("{name:13} {value}"))?;
        }
        match &report.snapshot {
            Some(path) => output::line(format!("snapshot      {}", path.display())),
            None => Ok(()),
        }
    }
}
