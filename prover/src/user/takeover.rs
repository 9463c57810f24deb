//! Settling in the operator's place: when the contract is open, anybody can consume the overdue operations on top of
//! the last final state, prove that and settle it, whatever the operator has committed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy::primitives::{B256, Bytes, U256};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tenon_circuits::rollup::{Batch, ChunkCapacity, Execution, Fr, L1Operation, State, execute, field};
use tenon_contracts::{
    bindings::{IRollup, IVerifier},
    blob::Blobs,
};

use super::{Sender, UserError, latest};
use crate::{
    engine::{AggregateProof, Engine, LeafProof},
    l1::{
        Inclusion, Message,
        rollup::{self, RollupContract, SettledBatch},
    },
    settlement::{Archive, Published, publish, rebuild::Rebuilt},
};

/// Operations that a settlement has to consume at most, however many are overdue.
const FORCED_OPERATIONS: usize = 512;
/// Operations whose deadline is as near as this are consumed too: proving takes time.
const MARGIN: u64 = 3_600;
/// A plan of an earlier run is given up when its batch is older than this; the contract refuses one of a day.
const MAX_PLAN_AGE: u64 = 20 * 3_600;

/// What a takeover starts from.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The contract.
    pub contract: RollupContract<'a>,
    /// What the circuit of a chunk holds.
    pub capacity: ChunkCapacity,
    /// Chunks that one proof can cover.
    pub leaves: usize,
    /// Where plan, proofs and the published data are kept, so that an interrupted run goes on.
    pub directory: &'a Path,
}

/// A batch of operations that settles what the contract demands.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The batch.
    pub batch: Batch,
    /// The first operation that it consumes.
    pub queue_start: u64,
    /// Operations that the contract demands.
    pub demanded: usize,
    /// Committed batches without proof that are discarded.
    pub discarded: u64,
    /// Whether an earlier run made this plan.
    pub resumed: bool,
    /// The batch executed, evaluated at the contract's points.
    pub execution: Execution,
    /// Its blobs.
    pub blobs: Blobs,
}

/// What is kept of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    domain: String,
    batch: Batch,
}

/// Checks that the contract lets anybody settle, with proofs of these keys. `key_hash` is the hash of the verifying key
/// that the engine's proofs are for; without one it isn't compared.
///
/// # Errors
/// When it doesn't, or the chain can't be reached.
pub async fn check(contract: &RollupContract<'_>, key_hash: Option<B256>) -> Result<(), UserError> {
    let contradicted = contract.read(IRollup::contradictionCall {}).await?.number;
    if contradicted != 0 {
        return Err(UserError::Contradicted(contradicted));
    }
    let standing = contract.standing().await?;
    if standing.frozen {
        return Err(UserError::Frozen);
    }
    if !standing.open {
        return Err(UserError::NotOpen);
    }
    let data = contract.read(IRollup::dataAvailabilityCall {}).await?;
    if !data.is_zero() {
        return Err(UserError::Committee);
    }
    let version = contract.read(IRollup::policyVersionCall {}).await?;
    let kinds = contract.read(IRollup::policyCall { version }).await?.kinds;
    let [kind] = kinds.as_slice() else { return Err(UserError::ProofKinds(kinds.len())) };
    if let Some(actual) = key_hash {
        let verifier = RollupContract { chain: contract.chain, address: kind.verifier };
        let expected = verifier.read(IVerifier::verifyingKeyHashCall {}).await?;
        if expected != actual {
            let [expected, actual] = [expected, actual].map(|hash| hash.to_string());
            return Err(UserError::OtherKeys { expected, actual });
        }
    }
    Ok(())
}

/// Plans a batch of operations on top of the last final state: all that the contract demands, and as many more as take
/// no further proof. Its data is kept in the directory's archive.
///
/// # Errors
/// When nothing waits in the queue, the operations are too many for one proof, or the chain can't be reached.
pub async fn plan(start: Start<'_>, rebuilt: &Rebuilt) -> Result<Plan, UserError> {
    let Start { contract, capacity, leaves, directory } = start;
    let standing = contract.standing().await?;
    if standing.finalized != rebuilt.number {
        return Err(UserError::Settled { expected: rebuilt.number, actual: standing.finalized });
    }
    let (_, now) = latest(contract.chain).await?;
    let waiting = rebuilt.waiting.get(..rebuilt.waiting.len().min(FORCED_OPERATIONS)).unwrap_or_default();
    if waiting.is_empty() {
        return Err(UserError::QueueEmpty("taking over"));
    }
    let demanded = demanded(&contract, rebuilt.consumed, waiting.len(), now + MARGIN).await?;
    let earliest = contract.read(IRollup::lastFinalizedTimestampCall {}).await?;
    let domain = contract.domain().await?;
    let number = rebuilt.number + 1;
    let saved = read::<Saved>(&plan_path(directory)).filter(|saved| {
        let batch = &saved.batch;
        let age = now.checked_sub(u64::from(batch.timestamp));
        saved.domain == field::to_hex(&domain)
            && batch.number == number
            && batch.timestamp >= earliest
            && age.is_some_and(|age| age <= MAX_PLAN_AGE)
            && batch.l1_operations.len() >= demanded.max(1)
            && waiting.starts_with(&batch.l1_operations)
    });
    let resumed = saved.is_some();
    let timestamp = u32::try_from(now).unwrap_or(u32::MAX).max(earliest);
    let state = rebuilt.state.clone();
    let operations = waiting.to_vec();
    let (batch, execution) = blocking(move || match saved {
        Some(Saved { batch, .. }) => {
            let execution = execute(&state, domain, &batch, capacity)?;
            Ok((batch, execution))
        }
        None => fill(&state, domain, (number, timestamp), &operations, demanded, capacity),
    })
    .await??;
    if execution.chunks.len() > leaves {
        return Err(UserError::TooManyOperations {
            operations: demanded,
            chunks: execution.chunks.len(),
            leaves,
        });
    }
    let saved = Saved { domain: field::to_hex(&domain), batch: batch.clone() };
    write(&plan_path(directory), &saved)?;
    let archive = Archive::new(&directory.join("archive"));
    let queue_start = rebuilt.consumed;
    let (batch, execution, blobs) = blocking(move || {
        let Published { execution, blobs, .. } = publish(&archive, &batch, execution, queue_start)?;
        Ok::<_, UserError>((batch, execution, blobs))
    })
    .await??;
    let discarded = standing.committed.saturating_sub(standing.finalized);
    Ok(Plan { batch, queue_start, demanded, discarded, resumed, execution, blobs })
}

/// Operations at the queue's head that are past their deadline at a time.
async fn demanded(
    contract: &RollupContract<'_>,
    head: u64,
    waiting: usize,
    time: u64,
) -> Result<usize, UserError> {
    // Deadlines rise with the places.
    let (mut low, mut high) = (0, waiting);
    while low < high {
        let middle = low.midpoint(high);
        let entry = contract.read(IRollup::queueEntryCall { index: head + middle as u64 }).await?;
        if u64::from(entry.deadline) < time { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// The batch of the operations demanded, one at least, and of those after them that fit the same chunks.
fn fill(
    state: &State,
    domain: Fr,
    (number, timestamp): (u64, u32),
    operations: &[L1Operation],
    demanded: usize,
    capacity: ChunkCapacity,
) -> Result<(Batch, Execution), UserError> {
    let executed = |count: usize| {
        let l1_operations = operations.iter().take(count).copied().collect();
        let batch =
            Batch { number, timestamp, fee_accounts: Vec::new(), l1_operations, transactions: Vec::new() };
        let execution = execute(state, domain, &batch, capacity)?;
        Ok::<_, UserError>((batch, execution))
    };
    let mut low = demanded.max(1);
    let mut high = operations.len();
    let mut best = executed(low)?;
    while low < high {
        let middle = low.midpoint(high + 1);
        let more = executed(middle)?;
        if more.1.chunks.len() == best.1.chunks.len() {
            (low, best) = (middle, more);
        } else {
            high = middle - 1;
        }
    }
    Ok(best)
}

/// Proves a plan's batch. Proofs that an earlier run made are used again. `progress` is told what is being done, and
/// how many proofs of how many are there.
///
/// # Errors
/// When proving fails or a proof can't be kept.
pub async fn prove(
    engine: Arc<dyn Engine>,
    plan: &Plan,
    directory: &Path,
    progress: impl Fn(&str, usize, usize) + Send + 'static,
) -> Result<AggregateProof, UserError> {
    let (chunks, inputs) = (plan.execution.chunks.clone(), plan.execution.public_inputs);
    let directory = directory.to_owned();
    blocking(move || {
        let count = chunks.len() + 1;
        let path = directory.join("aggregate.json");
        if let Some(proof) = read::<AggregateProof>(&path)
            && proof.batches == [inputs]
            && engine.verify_aggregate(&proof).is_ok()
        {
            progress("the proof is there", count, count);
            return Ok(proof);
        }
        for chunk in &chunks {
            engine.check(chunk)?;
        }
        let mut leaves = Vec::new();
        for (index, chunk) in chunks.iter().enumerate() {
            progress(&format!("proving chunk {} of {}", index + 1, chunks.len()), index, count);
            leaves.push(leaf(&*engine, chunk, &directory.join(format!("leaf-{index}.json")))?);
        }
        progress("aggregating", chunks.len(), count);
        let proof = engine.prove_aggregate(&leaves)?;
        engine.verify_aggregate(&proof)?;
        write(&path, &proof)?;
        Ok(proof)
    })
    .await?
}

fn leaf(
    engine: &dyn Engine,
    chunk: &tenon_circuits::witness::ChunkWitness,
    path: &Path,
) -> Result<LeafProof, UserError> {
    if let Some(proof) = read::<LeafProof>(path)
        && proof.public_inputs == chunk.public_inputs()
        && engine.verify_leaf(&proof).is_ok()
    {
        return Ok(proof);
    }
    let proof = engine.prove_leaf(chunk)?;
    engine.verify_leaf(&proof)?;
    write(path, &proof)?;
    Ok(proof)
}

/// The transaction that settles a plan, with its blobs' hashes.
///
/// # Errors
/// When the blobs can't be opened.
pub fn message(
    contract: &RollupContract<'_>,
    sender: &Sender<'_>,
    plan: &Plan,
    proof: &AggregateProof,
) -> Result<Message, UserError> {
    let (batch, execution) = (&plan.batch, &plan.execution);
    let settled = SettledBatch {
        number: batch.number,
        timestamp: batch.timestamp,
        state_out: execution.state_out,
        commit: execution.commit,
        l1_words: execution.l1_words.clone(),
        blob_hashes: plan.blobs.versioned_hashes(),
    };
    let openings = plan.blobs.open(execution.public_inputs.points.z_d)?;
    let data: Bytes = rollup::commit_and_prove(batch.number, &[(settled, openings)], &proof.proof);
    let blob_hashes = plan.blobs.versioned_hashes();
    Ok(Message { blob_hashes, ..sender.message(contract.address, U256::ZERO, data) })
}

/// Settles a plan with its proof, and compares the contract's state with the one proven.
///
/// # Errors
/// When the contract refuses it, nothing being sent if that shows in the simulation; or when the chain can't be
/// reached, or the contract's state is another one afterwards.
pub async fn settle(
    contract: &RollupContract<'_>,
    sender: &Sender<'_>,
    plan: &Plan,
    proof: &AggregateProof,
) -> Result<Inclusion, UserError> {
    let message = message(contract, sender, plan, proof)?;
    let inclusion = sender.send("taking over", &message, Some(plan.blobs.sidecar()?)).await?;
    let standing = contract.standing().await?;
    if standing.finalized == plan.batch.number && standing.state != plan.execution.state_out {
        let [expected, actual] =
            [plan.execution.state_out, standing.state].map(|state| field::to_hex(&state));
        return Err(UserError::State { expected, actual });
    }
    Ok(inclusion)
}

fn plan_path(directory: &Path) -> PathBuf {
    directory.join("plan.json")
}

/// What an earlier run kept, if it can be read.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Keeps something, whole or not at all.
fn write(path: &Path, content: &impl Serialize) -> Result<(), UserError> {
    let failed = |error: std::io::Error| UserError::File { path: path.display().to_string(), error };
    let bytes = serde_json::to_vec(content).map_err(|error| failed(error.into()))?;
    let temporary = path.with_extension("tmp");
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&temporary, bytes))
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(failed)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, UserError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| UserError::Interrupted(error.to_string()))
}
