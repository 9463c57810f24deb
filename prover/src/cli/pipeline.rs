//! The whole path in one process: keys, contracts, service, signed batches over gRPC, proofs, settlement.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::Serialize;
use tenon_circuits::rollup::{Fr, field};
use tenon_proto::v1;
use tenon_prover::{
    Config, RunningService, Service,
    circuit_engine::CircuitEngine,
    l1::{self, Deployed, EmbeddedL1, L1, RpcL1},
    telemetry,
};

use super::{
    client::{self, Client},
    failure::{Blame, Failure, Outcome},
    jobs, output, preflight,
    progress::Progress,
    workload::Workload,
};

/// Paying accounts of the workload.
const USERS: u32 = 16;

/// What to run.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The service's settings.
    pub config: Config,
    /// Transfers of each batch, in order.
    pub batches: Vec<u32>,
    /// The chain: a URL, or none for the embedded one.
    pub l1: Option<&'a str>,
    /// File of the key that pays on the chain.
    pub l1_key: Option<&'a Path>,
}

/// Where the time went.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Seconds {
    /// Reading or making set-up strings and keys.
    pub keys: f64,
    /// Submitting: checks, execution, trace checker.
    pub execute: f64,
    /// Leaf proofs, summed.
    pub leaf: f64,
    /// Aggregation, summed.
    pub aggregate: f64,
    /// Transactions of settlement.
    pub settle: f64,
    /// All of it.
    pub total: f64,
}

/// What a run did.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Transactions proven.
    pub transactions: u64,
    /// Batches settled.
    pub batches: u64,
    /// Chunks, each a leaf proof.
    pub chunks: u64,
    /// Aggregate proofs.
    pub proofs: u64,
    /// The leaf circuit's size class.
    pub size_class: String,
    /// Where the time went.
    pub seconds: Seconds,
    /// Most memory that the process had.
    pub peak_memory_bytes: u64,
    /// Length of one aggregate proof.
    pub proof_bytes: u64,
    /// Gas of all settlements.
    pub gas_used: u64,
    /// The same for one transaction.
    pub gas_per_transaction: u64,
    /// The state after the last batch, as the service says.
    pub state_root: String,
    /// The state that the contract has.
    pub l1_state_root: String,
    /// `revm` or the chain's URL.
    pub chain: String,
    /// The rollup contract.
    pub rollup: String,
    /// Where the keys' set-up comes from.
    pub srs_source: String,
    /// Whether the set-up's secret is public.
    pub insecure_setup: bool,
}

/// Runs a plan.
pub async fn run(plan: Plan<'_>, progress: &Progress) -> Outcome<Summary> {
    let started = Instant::now();
    let Plan { mut config, batches, l1, l1_key } = plan;
    let engine = preflight::engine(&config, progress).await?;
    let keys = started.elapsed();

    let mut workload = Workload::new(USERS)?;
    let l1: Box<dyn L1> = match l1 {
        None => Box::new(EmbeddedL1::new()),
        Some(url) => Box::new(RpcL1::new(url, l1_key).or_request("L1")?),
    };
    let deployed = deploy(l1.as_ref(), &engine, &workload, progress).await?;
    config.chain_id = deployed.chain_id;
    config.rollup_address = deployed.rollup.into_array();
    config.genesis = Some(write_genesis(&config.data_dir, &workload)?);

    let service = Service::start(config.clone(), engine.clone()).await.or_work("starting the service")?;
    let result = prove_and_settle(&service, l1.as_ref(), &deployed, &mut workload, &batches, progress).await;
    service.shutdown().await;
    let outcome = result?;

    let transactions: u64 = batches.iter().map(|count| u64::from(*count)).sum();
    let srs = engine.keys().aggregation.info().srs_source;
    Ok(Summary {
        transactions,
        batches: batches.len() as u64,
        chunks: outcome.chunks,
        proofs: outcome.proofs,
        size_class: config.size_class,
        seconds: Seconds {
            keys: output::rounded(keys),
            execute: output::rounded(outcome.execute),
            leaf: output::to_milliseconds(outcome.leaf),
            aggregate: output::to_milliseconds(outcome.aggregate),
            settle: output::rounded(outcome.settle),
            total: output::rounded(started.elapsed()),
        },
        peak_memory_bytes: telemetry::process_peak_bytes(),
        proof_bytes: outcome.proof_bytes,
        gas_used: outcome.gas_used,
        gas_per_transaction: outcome.gas_used.checked_div(transactions).unwrap_or(0),
        state_root: field::to_hex(&outcome.state),
        l1_state_root: field::to_hex(&outcome.l1_state),
        chain: l1.name(),
        rollup: deployed.rollup.to_string(),
        srs_source: format!("{srs:?}").to_lowercase(),
        insecure_setup: engine.is_insecure(),
    })
}

async fn deploy(
    l1: &dyn L1,
    engine: &CircuitEngine,
    workload: &Workload,
    progress: &Progress,
) -> Outcome<Deployed> {
    let work = progress.work("contracts");
    work.update(None, &format!("deploying to {}", l1.name()));
    let verifier = l1::verifier(engine.keys().aggregation.verifier()).or_work("verifier contract")?;
    let deployed = l1.deploy(&verifier, workload.genesis_state()).await.or_work("contracts")?;
    work.done(&format!("rollup {} on {}", deployed.rollup, l1.name()));
    Ok(deployed)
}

fn write_genesis(directory: &Path, workload: &Workload) -> Outcome<PathBuf> {
    std::fs::create_dir_all(directory).or_work(format!("creating {}", directory.display()))?;
    let path = directory.join("genesis.json");
    std::fs::write(&path, workload.genesis()).or_work(format!("writing {}", path.display()))?;
    Ok(path)
}

struct Settled {
    execute: Duration,
    settle: Duration,
    leaf: f64,
    aggregate: f64,
    chunks: u64,
    proofs: u64,
    proof_bytes: u64,
    gas_used: u64,
    state: Fr,
    l1_state: Fr,
}

async fn prove_and_settle(
    service: &RunningService,
    l1: &dyn L1,
    deployed: &Deployed,
    workload: &mut Workload,
    batches: &[u32],
    progress: &Progress,
) -> Outcome<Settled> {
    let mut client = client::connect(&format!("http://{}", service.grpc_addr)).await?;
    let leaves =
        client.get_circuit(v1::GetCircuitRequest {}).await.map_err(client::refused)?.into_inner().leaves;

    let documents: Vec<_> = batches.iter().map(|count| workload.batch(*count, deployed.domain)).collect();
    let submitting = Instant::now();
    let mut jobs = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let request = client::submission(document, format!("batch-{}", index + 1));
        let reply = client.submit_batch(request).await.map_err(client::refused)?.into_inner();
        jobs.push(reply.job.ok_or_else(|| client::malformed("job", "it is missing"))?);
    }
    let execute = submitting.elapsed();
    progress.note(format!(
        "submitted: {} transactions in {} batches ({})",
        batches.iter().sum::<u32>(),
        jobs.len(),
        output::seconds(execute.as_secs_f64())
    ));
    request_aggregations(&mut client, &jobs, leaves).await?;
    for job in &jobs {
        follow(&client, job, progress).await?;
    }
    settle_all(&mut client, l1, deployed, &jobs, execute, progress).await
}

/// Asks for the aggregations that automatic aggregation would wait with: those that aren't full.
async fn request_aggregations(client: &mut Client, jobs: &[v1::Job], leaves: u32) -> Outcome {
    let mut run: Vec<&v1::Job> = Vec::new();
    let mut runs = Vec::new();
    for job in jobs {
        let held: u32 = run.iter().map(|job| job.chunks).sum();
        if held + job.chunks > leaves {
            runs.push(std::mem::take(&mut run));
        }
        run.push(job);
    }
    runs.push(run);
    for run in runs {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let request =
            v1::CreateAggregationRequest { first_batch: first.batch_number, last_batch: last.batch_number };
        client.create_aggregation(request).await.map_err(client::refused)?;
    }
    Ok(())
}

/// Follows a job until its proof is ready.
async fn follow(client: &Client, job: &v1::Job, progress: &Progress) -> Outcome {
    let work = progress.percentage(&format!("batch {}", job.batch_number));
    let last = jobs::watch(client.clone(), &job.id, 0, |event| {
        jobs::show(&work, event);
        Ok(())
    })
    .await?;
    let state = jobs::state_name(last.state);
    match last.error {
        None => {
            work.done(&state);
            Ok(())
        }
        Some(error) => {
            Err(Failure::work_text(format!("batch {}: {state}: {}", job.batch_number, error.message)))
        }
    }
}

async fn settle_all(
    client: &mut Client,
    l1: &dyn L1,
    deployed: &Deployed,
    jobs: &[v1::Job],
    execute: Duration,
    progress: &Progress,
) -> Outcome<Settled> {
    let last = jobs.last().ok_or_else(|| Failure::request_text("no batches: at least one is needed"))?;
    let mut outcome = Settled {
        execute,
        settle: Duration::ZERO,
        leaf: 0.0,
        aggregate: 0.0,
        chunks: jobs.iter().map(|job| u64::from(job.chunks)).sum(),
        proofs: 0,
        proof_bytes: 0,
        gas_used: 0,
        state: client::element("state_out", &last.state_out)?,
        l1_state: Fr::from(0),
    };
    let mut settled = 0;
    for job in jobs {
        let receipt = client
            .get_job(v1::GetJobRequest { job_id: job.id.clone() })
            .await
            .map_err(client::refused)?
            .into_inner()
            .receipt
            .unwrap_or_default();
        outcome.leaf += stage_seconds(&receipt, false);
        if job.batch_number <= settled {
            continue;
        }
        outcome.aggregate += stage_seconds(&receipt, true);
        let (proof, reply) = jobs::fetch_proof(client, &job.id, false).await?;
        settled = reply.aggregation.map_or(job.batch_number, |aggregation| aggregation.last_batch);
        let started = Instant::now();
        let settlement =
            l1.settle(deployed.rollup, &proof.batches, &proof.proof).await.or_work("settlement")?;
        outcome.settle += started.elapsed();
        outcome.proofs += 1;
        outcome.proof_bytes = proof.proof.len() as u64;
        outcome.gas_used += settlement.gas_used;
        outcome.l1_state = settlement.state;
        progress.note(format!(
            "settled: batches up to {settled} for {} gas",
            output::grouped(settlement.gas_used)
        ));
    }
    if outcome.state != outcome.l1_state {
        return Err(Failure::work_text(format!(
            "the contract's state is {}, expected {}",
            field::to_hex(&outcome.l1_state),
            field::to_hex(&outcome.state)
        )));
    }
    Ok(outcome)
}

fn stage_seconds(receipt: &v1::Receipt, aggregate: bool) -> f64 {
    let stages = receipt.stages.iter().filter(|stage| stage.chunk.is_none() == aggregate);
    stages.map(|stage| stage.seconds).sum()
}
