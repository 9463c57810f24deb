//! `tenon takeover`: settling in the operator's place.

use std::{path::PathBuf, time::Instant};

use clap::Args;
use serde::Serialize;
use tenon_circuits::rollup::field;
use tenon_prover::{
    circuit_engine::size_class,
    l1,
    user::takeover::{self, Plan, Start},
};

use super::{
    access::{Access, History, Transaction, blame},
    contracts,
    failure::{Blame, Outcome},
    output, preflight,
    progress::Progress,
    settings::{KeysOnly, Settings},
};

/// Consumes the contract's overdue operations in the operator's place: rebuilds the last final state, executes the
/// operations on it, proves that and settles it. Possible when the contract is open: an operation is past its deadline,
/// or nothing became final for 7 days although something was committed.
///
/// Needs the keys that the contract's verifier is for, and the memory that proving takes. An interrupted run goes on
/// where it was when it is started again.
#[derive(Debug, Args)]
pub struct Takeover {
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    history: History,
    /// Directory for the plan, the proofs and the published data.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    #[command(flatten)]
    settings: Settings<KeysOnly>,
}

#[derive(Debug, Serialize)]
struct PlanReport {
    batch: u64,
    timestamp: u32,
    first_operation: u64,
    operations: usize,
    demanded: usize,
    chunks: usize,
    blobs: usize,
    withdrawals: usize,
    discarded_batches: u64,
    resumed: bool,
    state_in: String,
    state_out: String,
}

#[derive(Debug, Serialize)]
struct Done {
    transaction: Transaction,
    proof_bytes: usize,
    proving_seconds: f64,
    state: String,
}

impl PlanReport {
    fn of(plan: &Plan) -> Self {
        let execution = &plan.execution;
        Self {
            batch: plan.batch.number,
            timestamp: plan.batch.timestamp,
            first_operation: plan.queue_start,
            operations: plan.batch.l1_operations.len(),
            demanded: plan.demanded,
            chunks: execution.chunks.len(),
            blobs: plan.blobs.blobs().len(),
            withdrawals: execution.withdrawals.len(),
            discarded_batches: plan.discarded,
            resumed: plan.resumed,
            state_in: field::to_hex(&execution.state_in),
            state_out: field::to_hex(&execution.state_out),
        }
    }

    fn lines(&self) -> Vec<String> {
        let last = self.first_operation + (self.operations as u64).saturating_sub(1);
        let mut lines = vec![
            format!(
                "settles batch {}: operations {} to {last} of the queue, {} of which the contract demands, with {} \
                 withdrawals",
                self.batch, self.first_operation, self.demanded, self.withdrawals
            ),
            format!("proves {} chunks and their aggregation, then sends {} blobs", self.chunks, self.blobs),
        ];
        if self.discarded_batches > 0 {
            lines.push(format!("discards {} committed batches without proof", self.discarded_batches));
        }
        if self.resumed {
            lines.push("goes on with the plan of an earlier run".to_owned());
        }
        lines
    }
}

impl Takeover {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        let class = size_class(&config.size_class).or_request("--size-class")?;
        let connection = self.access.connect(self.history.beacon.as_deref()).await?;
        let (contract, sender) = (connection.contract(), connection.sender()?);
        takeover::check(&contract, None).await.map_err(blame)?;
        let own = [self.data_dir.join("archive")];
        let rebuilt = self.history.rebuild(&connection.contract(), &own, true, self.access.json).await?;
        let start = Start {
            contract,
            capacity: class.capacity(),
            leaves: config.aggregation_leaves,
            directory: &self.data_dir,
        };
        let plan = takeover::plan(start, &rebuilt).await.map_err(blame)?;
        let report = PlanReport::of(&plan);
        if !self.access.confirm(&report, &report.lines())? {
            return Ok(());
        }

        let progress = Progress::new(self.access.json);
        let engine = preflight::engine(&config, &progress).await?;
        contracts::refuse_insecure_chain(engine.is_insecure(), connection.chain_id)?;
        let verifier = l1::verifier(engine.keys().aggregation.verifier()).or_work("verifier contract")?;
        takeover::check(&contract, Some(l1::verifying_key_hash(&verifier))).await.map_err(blame)?;
        let work = progress.percentage("proofs");
        let started = Instant::now();
        let proof = takeover::prove(engine, &plan, &self.data_dir, move |text, done, count| {
            work.update(u32::try_from(100 * done / count.max(1)).ok(), text);
        })
        .await
        .map_err(blame)?;
        let proving = started.elapsed();
        progress.note(format!("proofs: made and checked ({})", output::seconds(proving.as_secs_f64())));
        let inclusion = takeover::settle(&contract, &sender, &plan, &proof).await.map_err(blame)?;
        let transaction = Transaction::from(&inclusion);
        let lines = [
            format!("settled batch {}: {}", report.batch, transaction.text()),
            format!("the contract's state is {}, as proven", report.state_out),
            "withdrawals are claimed after the claim delay: tenon claim".to_owned(),
        ];
        let done = Done {
            transaction,
            proof_bytes: proof.proof.len(),
            proving_seconds: output::rounded(proving),
            state: report.state_out.clone(),
        };
        self.access.report(&report, &done, &lines)
    }
}
