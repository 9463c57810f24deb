//! The life of a user, in one process: deposit, open, transfer, withdraw, claim; then an operator that stops, a forced
//! exit that nobody serves, freeze and escape.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use alloy::primitives::{Address, U256};
use serde::Serialize;
use tenon_circuits::rollup::{NO_ACCOUNT, State, Transaction, field};
use tenon_contracts::deployment::Parameters;
use tenon_proto::v1;
use tenon_prover::{
    Config, RunningService, Service,
    circuit_engine::{self, CircuitEngine},
    l1::{self, At, events, rollup::RollupContract},
    settlement::{
        Archive, FeePolicy, Finality, L1Connection,
        rebuild::{Sources, rebuild},
    },
    telemetry,
    user::{
        DEADLINE, Sender, claims, escape,
        queue::{self, Deposit},
    },
};

use super::{
    super::{
        client::{self, Client},
        failure::{Blame, Failure, Outcome},
        jobs, output, preflight,
        progress::Progress,
    },
    chain::DemoChain,
    users::{TOKEN, User, Users},
};

/// Who deposits, by account.
const DEPOSITORS: [&str; DEPOSITS] = ["the operator's fee account", "Alice", "Bob", "Carol"];
/// How many deposits there are.
pub const DEPOSITS: usize = 4;
/// Ether that each user deposits: ten.
const DEPOSIT: u128 = 10 * 10_u128.pow(18);
/// Ether that is withdrawn: three.
const WITHDRAWAL: u128 = 3 * 10_u128.pow(18);
/// Who withdraws and who is left behind, by account.
const WITHDRAWER: u32 = 3;
const LEFT_BEHIND: u32 = 2;
/// Time between two looks at L1.
const POLL: Duration = Duration::from_millis(200);
/// Time that the service gets to see a deposit.
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// All of it.
    pub total: f64,
}

/// What a demonstration did.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Transactions proven.
    pub transactions: u64,
    /// L1 operations proven.
    pub l1_operations: u64,
    /// Batches settled.
    pub batches: u64,
    /// Chunks, each a leaf proof.
    pub chunks: u64,
    /// The leaf circuit's size class.
    pub size_class: String,
    /// Where the time went.
    pub seconds: Seconds,
    /// Most memory that the process had.
    pub peak_memory_bytes: u64,
    /// Length of one aggregate proof.
    pub proof_bytes: u64,
    /// Gas of commits and settlements, blobs apart.
    pub gas_used: u64,
    /// The same for one transaction.
    pub gas_per_transaction: u64,
    /// Gas of the claim.
    pub claim_gas: u64,
    /// Gas of the escape.
    pub escape_gas: u64,
    /// Wei that the withdrawer claimed.
    pub claimed_wei: String,
    /// Wei that the one left behind escaped with.
    pub escaped_wei: String,
    /// The state after the last batch, as the service says.
    pub state_root: String,
    /// The state that the contract has.
    pub l1_state_root: String,
    /// The state rebuilt from L1 alone.
    pub rebuilt_state_root: String,
    /// `revm` or the chain's URL.
    pub chain: String,
    /// The rollup contract.
    pub rollup: String,
    /// Where the keys' set-up comes from.
    pub srs_source: String,
    /// Whether the set-up's secret is public.
    pub insecure_setup: bool,
}

/// What the batches took.
struct Proven {
    execute: Duration,
    leaf: f64,
    aggregate: f64,
    chunks: u64,
    operations: u64,
    proof_bytes: u64,
    state_out: String,
}

/// Tells the story on a chain, with so many transfers.
pub async fn tell(
    mut config: Config,
    chain: &DemoChain,
    transfers: usize,
    progress: &Progress,
) -> Outcome<Summary> {
    let started = Instant::now();
    let engine = preflight::engine(&config, progress).await?;
    let keys = started.elapsed();

    let work = progress.work("contracts");
    let verifier = l1::verifier(engine.keys().aggregation.verifier()).or_work("verifier contract")?;
    let parameters = Parameters::of_one(chain.operator.address());
    let first_block = chain.chain.block(At::Latest).await.or_work("L1")?.map_or(0, |block| block.number);
    let deployed = l1::deploy(&chain.operator(), &verifier, &parameters).await.or_work("contracts")?;
    work.done(&format!("rollup {} on {}", deployed.rollup, chain.chain.name()));
    let contract = RollupContract { chain: &*chain.chain, address: deployed.rollup };

    config.chain_id = chain.chain_id;
    config.rollup_address = deployed.rollup.into_array();
    let archive = config.data_dir.join("archive");
    let size_class = config.size_class.clone();
    let slots = circuit_engine::size_class(&size_class).map_err(Failure::request)?.slots;
    let service = start(config, engine.clone(), chain, first_block).await?;
    let told = settle(&service, &contract, chain, (transfers, slots), progress).await;
    service.shutdown().await;
    let (proven, users, transactions) = told?;
    let batches = contract.standing().await.or_work("L1")?.finalized;
    let gas_used = settlement_gas(&contract, first_block).await?;
    let (claimed, claim_gas) = claim(&contract, chain, &users, first_block, progress).await?;

    progress.note("the operator stops: its service is gone for good");
    let left = leave(&contract, chain, &users, (first_block, &archive), progress).await?;
    let l1_state = contract.standing().await.or_work("L1")?.state;
    let srs = engine.keys().aggregation.info().srs_source;
    Ok(Summary {
        transactions,
        l1_operations: proven.operations,
        batches,
        chunks: proven.chunks,
        size_class,
        seconds: Seconds {
            keys: output::rounded(keys),
            execute: output::rounded(proven.execute),
            leaf: output::to_milliseconds(proven.leaf),
            aggregate: output::to_milliseconds(proven.aggregate),
            total: output::rounded(started.elapsed()),
        },
        peak_memory_bytes: telemetry::process_peak_bytes(),
        proof_bytes: proven.proof_bytes,
        gas_used,
        gas_per_transaction: gas_used.checked_div(transactions).unwrap_or(0),
        claim_gas,
        escape_gas: left.gas,
        claimed_wei: claimed.to_string(),
        escaped_wei: left.amount.to_string(),
        state_root: proven.state_out,
        l1_state_root: field::to_hex(&l1_state),
        rebuilt_state_root: field::to_hex(&left.state.commitment()),
        chain: chain.chain.name(),
        rollup: deployed.rollup.to_string(),
        srs_source: format!("{srs:?}").to_lowercase(),
        insecure_setup: engine.is_insecure(),
    })
}

async fn start(
    config: Config,
    engine: std::sync::Arc<CircuitEngine>,
    chain: &DemoChain,
    first_block: u64,
) -> Outcome<RunningService> {
    let connection = L1Connection {
        chain: std::sync::Arc::clone(&chain.chain),
        key: Some(chain.operator.clone()),
        first_block,
        finality: Finality::Confirmations(0),
        poll: POLL,
        deadline_margin: Duration::from_secs(24 * 3600),
        fees: FeePolicy { resend_after: PATIENCE, max_price_wei: u128::from(u64::MAX) },
    };
    Service::start_on(config, engine, Some(connection)).await.or_work("starting the service")
}

/// Deposits, transfers, an open and a withdrawal, until the contract has settled them.
async fn settle(
    service: &RunningService,
    contract: &RollupContract<'_>,
    chain: &DemoChain,
    (transfers, slots): (usize, usize),
    progress: &Progress,
) -> Outcome<(Proven, Users, u64)> {
    let domain = contract.domain().await.or_work("rollup")?;
    let mut people = Vec::new();
    for name in DEPOSITORS {
        let user = User::new(name, chain.account().await?);
        let deposit = Deposit { token: TOKEN, amount: DEPOSIT, recipient: user.recipient(), to: NO_ACCOUNT };
        let sender = Sender { chain: contract.chain, key: &user.l1 };
        let plan = queue::plan_deposit(contract, sender.address(), deposit).await.or_work("deposit")?;
        let queued = queue::deposit(contract, &sender, &plan).await.or_work("deposit")?;
        progress.note(format!("{name} deposits 10 ether: operation {} of the queue", queued.position));
        people.push(user);
    }
    let mut users = Users::new(people, domain);
    // The service has to see all of them before the first batch.
    tokio::time::sleep(POLL * 5).await;

    let mut client = client::connect(&format!("http://{}", service.grpc_addr)).await?;
    let circuit = client.get_circuit(v1::GetCircuitRequest {}).await.map_err(client::refused)?.into_inner();
    let newcomer = User::new("Dave", chain.account().await?);
    let mut first: Vec<Transaction> = users.open(1, newcomer).into_iter().collect();
    progress.note("Alice opens an account for Dave, who pays and is paid from then on");
    first.extend((0..transfers).filter_map(|_| users.transfer()));
    first.extend(users.withdraw(WITHDRAWER, WITHDRAWAL));
    let second = first.split_off(first_batch(first.len(), slots));
    let transactions = (first.len() + second.len()) as u64;

    let submitting = Instant::now();
    let mut submitted = Vec::new();
    for (index, transactions) in [first, second].into_iter().enumerate() {
        let document = users.batch(transactions);
        submitted.push(
            submit(&mut client, client::submission(&document, format!("batch-{}", index + 1), 0)).await?,
        );
    }
    let execute = submitting.elapsed();
    let chunks: u32 = submitted.iter().map(|job| job.chunks).sum();
    progress.note(format!(
        "submitted: {transactions} transactions in {} batches of {chunks} chunks ({})",
        submitted.len(),
        output::seconds(execute.as_secs_f64())
    ));
    request_aggregations(&mut client, &submitted, circuit.leaves).await?;
    for job in &submitted {
        follow(&mut client, job, progress).await?;
    }
    let mut proven = Proven {
        execute,
        leaf: 0.0,
        aggregate: 0.0,
        chunks: u64::from(chunks),
        operations: contract.read(queue_head()).await.or_work("L1")?,
        proof_bytes: 0,
        state_out: String::new(),
    };
    for job in &submitted {
        let request = v1::GetJobRequest { job_id: job.id.clone() };
        let reply = client.get_job(request).await.map_err(client::refused)?.into_inner();
        let receipt = reply.receipt.unwrap_or_default();
        proven.leaf += stage_seconds(&receipt, false);
        proven.aggregate = proven.aggregate.max(stage_seconds(&receipt, true));
        let (proof, _) = jobs::fetch_proof(&mut client, &job.id, false).await?;
        proven.proof_bytes = proof.proof.len() as u64;
        proven.state_out = field::to_hex(&client::element("state_out", &job.state_out)?);
    }
    let state = field::to_hex(&contract.standing().await.or_work("L1")?.state);
    if state != proven.state_out {
        return Err(Failure::work_text(format!(
            "the contract's state is {state}, expected {}",
            proven.state_out
        )));
    }
    Ok((proven, users, transactions))
}

fn queue_head() -> tenon_contracts::bindings::rollup::IRollup::queueHeadCall {
    tenon_contracts::bindings::rollup::IRollup::queueHeadCall {}
}

/// Transactions of the first of two batches: besides the deposits what fills a chunk, if a second chunk holds the
/// rest, and half of them otherwise.
fn first_batch(transactions: usize, slots: usize) -> usize {
    if transactions + DEPOSITS <= 2 * slots {
        transactions.min(slots.saturating_sub(DEPOSITS))
    } else {
        transactions.div_ceil(2)
    }
}

/// Submits a batch, again and again while the service hasn't seen the deposits that it depends on.
async fn submit(client: &mut Client, request: v1::SubmitBatchRequest) -> Outcome<v1::Job> {
    let started = Instant::now();
    loop {
        match client.submit_batch(request.clone()).await {
            Ok(reply) => {
                let job = reply.into_inner().job;
                return job.ok_or_else(|| client::malformed("job", "it is missing"));
            }
            Err(status) if status.code() != tonic::Code::InvalidArgument || started.elapsed() > PATIENCE => {
                return Err(client::refused(status));
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
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

/// Follows a job until L1 has settled it.
async fn follow(client: &mut Client, job: &v1::Job, progress: &Progress) -> Outcome {
    let work = progress.work(&format!("batch {}", job.batch_number));
    loop {
        let request = v1::GetJobRequest { job_id: job.id.clone() };
        let reply = client.get_job(request).await.map_err(client::refused)?.into_inner();
        let found = reply.job.ok_or_else(|| client::malformed("job", "it is missing"))?;
        let state = jobs::state_name(found.state);
        match found.state() {
            v1::JobState::Settled => {
                work.done(&state);
                return Ok(());
            }
            v1::JobState::Failed | v1::JobState::Cancelled => {
                return Err(Failure::work_text(format!("batch {}: {state}", job.batch_number)));
            }
            _ => work.update(None, &state),
        }
        tokio::time::sleep(POLL).await;
    }
}

fn stage_seconds(receipt: &v1::Receipt, aggregate: bool) -> f64 {
    let stages = receipt.stages.iter().filter(|stage| stage.chunk.is_none() == aggregate);
    stages.map(|stage| stage.seconds).sum()
}

/// Gas of the transactions that committed and settled batches.
async fn settlement_gas(contract: &RollupContract<'_>, first_block: u64) -> Outcome<u64> {
    let last = contract.chain.block(At::Latest).await.or_work("L1")?.map_or(0, |block| block.number);
    let placed = events::read(contract.chain, contract.address, first_block, last).await.or_work("L1")?;
    let moved = |event: &events::Event| {
        matches!(event, events::Event::Committed(_) | events::Event::Finalized { .. })
    };
    let hashes: BTreeSet<_> =
        placed.iter().filter(|placed| moved(&placed.event)).map(|placed| placed.transaction).collect();
    let mut gas = 0;
    for hash in hashes {
        let inclusion = contract.chain.inclusion(hash).await.or_work("L1")?;
        gas += inclusion.map_or(0, |inclusion| inclusion.gas_used);
    }
    Ok(gas)
}

/// The withdrawal is claimed when its delay is over, from L1 alone.
async fn claim(
    contract: &RollupContract<'_>,
    chain: &DemoChain,
    users: &Users,
    first_block: u64,
    progress: &Progress,
) -> Outcome<(u128, u64)> {
    let user = users.get(WITHDRAWER).ok_or_else(|| Failure::work_text("nobody withdrew"))?;
    let delay = tenon_contracts::bindings::rollup::IRollup::claimDelayCall {};
    let delay: u64 = contract.read(delay).await.or_work("L1")?.saturating_to();
    chain.advance(delay).await?;
    progress.note(format!("{} hours pass, the claim delay", delay / 3600));
    let sender = Sender { chain: contract.chain, key: &user.l1 };
    let before = balance(contract, user.address()).await?;
    let (mut amount, mut gas) = (0, 0);
    for found in claims::find(contract, user.address(), first_block).await.or_work("claims")? {
        if found.status != claims::ClaimStatus::Ready {
            continue;
        }
        let inclusion = claims::claim(contract, &sender, &found, user.address()).await.or_work("claiming")?;
        amount += found.withdrawal.amount;
        gas += inclusion.gas_used;
    }
    let gained = balance(contract, user.address()).await?.saturating_sub(before);
    progress.note(format!("{} claims {amount} wei on L1, for {} gas", user.name, output::grouped(gas)));
    if amount != WITHDRAWAL || gained > U256::from(WITHDRAWAL) {
        return Err(Failure::work_text(format!("expected a claim of {WITHDRAWAL} wei, got {amount}")));
    }
    Ok((amount, gas))
}

async fn balance(contract: &RollupContract<'_>, account: Address) -> Outcome<U256> {
    contract.chain.balance(account).await.or_work("L1")
}

/// How somebody left without the operator.
struct Left {
    amount: u128,
    gas: u64,
    state: State,
}

/// A forced exit that nobody serves, a freeze, a state rebuilt from L1 and the archive, an escape.
async fn leave(
    contract: &RollupContract<'_>,
    chain: &DemoChain,
    users: &Users,
    (first_block, archive): (u64, &Path),
    progress: &Progress,
) -> Outcome<Left> {
    let user = users.get(LEFT_BEHIND).ok_or_else(|| Failure::work_text("nobody is left behind"))?;
    let sender = Sender { chain: contract.chain, key: &user.l1 };
    let queued = queue::exit(contract, &sender, LEFT_BEHIND).await.or_work("forced exit")?;
    let name = user.name;
    progress.note(format!("{name} requests a forced exit: operation {} of the queue", queued.position));
    let now = chain.now().await?;
    chain.advance(queued.freeze_from().saturating_sub(now)).await?;
    progress.note(format!(
        "{} days pass without the operator, and {name} freezes the contract",
        2 * DEADLINE / 86_400
    ));
    escape::freeze(contract, &sender).await.or_work("freezing")?;

    let sources = Sources {
        chain: contract.chain,
        rollup: contract.address,
        first_block,
        genesis: State::new(),
        archives: vec![Archive::new(archive)],
        use_snapshots: false,
    };
    let rebuilt = rebuild(sources, |_, _| {}).await.or_work("rebuilding the state")?;
    progress.note(format!("the state after batch {} is rebuilt from L1's data alone", rebuilt.number));
    let accounts =
        escape::accounts(contract, &rebuilt.state, user.address(), None).await.or_work("accounts")?;
    let (mut amount, mut gas) = (0, 0);
    for account in &accounts {
        let inclusion =
            escape::escape(contract, &sender, account, user.address()).await.or_work("escaping")?;
        amount += account.balance.saturating_to::<u128>();
        gas += inclusion.gas_used;
    }
    progress.note(format!("{name} escapes with {amount} wei, for {} gas", output::grouped(gas)));
    if amount == 0 {
        return Err(Failure::work_text(format!("{name} escaped with nothing")));
    }
    Ok(Left { amount, gas, state: rebuilt.state })
}
