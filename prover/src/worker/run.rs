//! One task from its inputs to a stored, verified proof.

use std::time::Instant;

use rayon::ThreadPool;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tracing::warn;

use crate::{
    core::Core,
    engine::{AggregateProof, CircuitInfo, EngineError, LeafProof},
    executor::{self, RebuildError},
    jobs::{Digest, JobError, Lease, ProofRecord, TaskKind},
    store::{
        StoreError,
        files::{FileError, FileKind},
    },
    telemetry::{self, PeakMemory},
};

/// What became of a task.
pub(super) enum Outcome {
    /// The proof is stored.
    Done {
        /// How it was made.
        record: Box<ProofRecord>,
        /// It was there already.
        reused: bool,
    },
    /// Counts as a failure.
    Failed(JobError),
    /// To be tried again without counting.
    HandedBack {
        /// Why.
        note: String,
        /// Leaf tasks to make again first.
        redo: Vec<u64>,
    },
}

/// Why a task stops early.
enum Stop {
    Engine(EngineError),
    Mismatch(String),
    /// The machine's or the store's trouble, which passes.
    Trouble(String),
    Redo(Vec<u64>),
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Trouble(error.to_string())
    }
}

impl From<FileError> for Stop {
    fn from(error: FileError) -> Self {
        Self::Trouble(error.to_string())
    }
}

impl From<RebuildError> for Stop {
    fn from(error: RebuildError) -> Self {
        match error {
            RebuildError::Store(error) => error.into(),
            RebuildError::Damaged { .. } => Self::Mismatch(error.to_string()),
        }
    }
}

/// Does the task.
pub(super) fn run(core: &Core, runtime: &Handle, pool: &ThreadPool, lease: &Lease) -> Outcome {
    let task = Task { core, runtime, pool, lease };
    let done = match lease.kind {
        TaskKind::Leaf => task.leaf(),
        TaskKind::Aggregate => task.aggregate(),
    };
    let failed =
        |reason: &str, message: String| Outcome::Failed(JobError { reason: reason.to_owned(), message });
    match done {
        Ok((record, reused)) => Outcome::Done { record: Box::new(record), reused },
        Err(Stop::Engine(error)) => failed(reason(&error), error.to_string()),
        Err(Stop::Mismatch(message)) => failed("PROOF_MISMATCH", message),
        Err(Stop::Trouble(note)) => Outcome::HandedBack { note, redo: Vec::new() },
        Err(Stop::Redo(redo)) => {
            Outcome::HandedBack { note: "stored leaf proofs are damaged and made again".to_owned(), redo }
        }
    }
}

fn reason(error: &EngineError) -> &'static str {
    match error {
        EngineError::Keys(_) => "KEYS_UNUSABLE",
        EngineError::Rejected(_) => "WITNESS_REJECTED",
        EngineError::Failed(_) => "PROOF_FAILED",
        EngineError::Invalid(_) => "PROOF_INVALID",
    }
}

struct Task<'a> {
    core: &'a Core,
    runtime: &'a Handle,
    pool: &'a ThreadPool,
    lease: &'a Lease,
}

impl Task<'_> {
    fn leaf(&self) -> Result<(ProofRecord, bool), Stop> {
        let (core, lease) = (self.core, self.lease);
        let digest = lease.witness.unwrap_or_default();
        let witness = match core.files.read(FileKind::Witness, &digest) {
            Ok(witness) => witness,
            Err(error) if error.is_lost() => {
                warn!(%error, "witness lost; making it again from the log");
                let witness =
                    self.runtime.block_on(core.executor.witness(lease.batch_number, lease.chunk))?;
                let written = core.files.write(FileKind::Witness, &witness)?;
                if written != digest {
                    let (expected, actual) = (hex::encode(digest), hex::encode(written));
                    return Err(Stop::Mismatch(format!("expected witness {expected}, got {actual}")));
                }
                witness
            }
            Err(error) => return Err(error.into()),
        };
        let circuit = &core.engine.circuits().leaf;
        let input = input_digest(TaskKind::Leaf, circuit, [&digest]);
        let public_inputs = witness.public_inputs();
        let check = |proof: &LeafProof| {
            if proof.public_inputs != public_inputs {
                let (expected, actual) = (&public_inputs, &proof.public_inputs);
                return Err(Stop::Mismatch(format!("expected public inputs {expected:?}, got {actual:?}")));
            }
            Ok(core.engine.verify_leaf(proof)?)
        };
        self.prove(circuit, input, check, || core.engine.prove_leaf(&witness))
    }

    fn aggregate(&self) -> Result<(ProofRecord, bool), Stop> {
        let (core, lease) = (self.core, self.lease);
        let id = lease.aggregation.unwrap_or_default();
        let inputs = self.runtime.block_on(core.store.leaf_inputs(id))?;
        let mut leaves: Vec<LeafProof> = Vec::with_capacity(inputs.len());
        let mut damaged = Vec::new();
        for input in &inputs {
            match core.files.read(FileKind::Proof, &input.proof_digest) {
                Ok(leaf) => leaves.push(leaf),
                Err(error) if error.is_lost() => {
                    warn!(%error, task = input.task, "leaf proof lost; it is made again");
                    self.runtime.block_on(core.store.forget_result(&input.input_digest))?;
                    damaged.push(input.task);
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !damaged.is_empty() {
            return Err(Stop::Redo(damaged));
        }
        let aggregation = self
            .runtime
            .block_on(core.store.aggregation(id))?
            .ok_or_else(|| Stop::Trouble(format!("aggregation {id} is gone")))?;
        let mut expected = Vec::new();
        for number in aggregation.first_batch..=aggregation.last_batch {
            let batch = self
                .runtime
                .block_on(core.store.batch(number))?
                .ok_or_else(|| Stop::Trouble(format!("batch {number} is gone")))?;
            expected.push(executor::public_inputs(core.domain, &batch.summary)?);
        }
        let circuit = &core.engine.circuits().aggregation;
        let input =
            input_digest(TaskKind::Aggregate, circuit, inputs.iter().map(|input| &input.input_digest));
        let check = |proof: &AggregateProof| {
            if proof.batches != expected {
                let actual = &proof.batches;
                return Err(Stop::Mismatch(format!("expected public inputs {expected:?}, got {actual:?}")));
            }
            Ok(core.engine.verify_aggregate(proof)?)
        };
        let done = self.prove(circuit, input, check, || core.engine.prove_aggregate(&leaves))?;
        core.metrics.aggregation_leaves.with_label_values(&[&circuit.name]).observe(leaves.len() as f64);
        Ok(done)
    }

    /// Takes the proof from the store or makes, checks and stores it.
    fn prove<P: Serialize + DeserializeOwned + Send>(
        &self,
        circuit: &CircuitInfo,
        input: Digest,
        check: impl Fn(&P) -> Result<(), Stop> + Sync,
        make: impl FnOnce() -> Result<P, EngineError> + Send,
    ) -> Result<(ProofRecord, bool), Stop> {
        let core = self.core;
        let stage = self.lease.kind;
        if let Some(record) = self.runtime.block_on(core.store.result(&input))? {
            let stored = core.files.read::<P>(FileKind::Proof, &record.proof_digest);
            match stored.map_err(Stop::from).and_then(|proof| check(&proof)) {
                Ok(()) => return Ok((record, true)),
                Err(_) => {
                    warn!(input = hex::encode(input), "stored proof can't be used; it is made again");
                    self.runtime.block_on(core.store.forget_result(&input))?;
                }
            }
        }
        let memory = PeakMemory::start();
        let started = Instant::now();
        let proof = self.pool.install(make)?;
        let seconds = started.elapsed().as_secs_f64();
        let peak_memory_bytes = memory.bytes();
        check(&proof)?;
        let proof_digest = core.files.write(FileKind::Proof, &proof)?;
        core.metrics.proof_seconds.with_label_values(&[stage.name(), &circuit.name]).observe(seconds);
        core.metrics.peak_memory_bytes.with_label_values(&[stage.name()]).set(peak_memory_bytes as f64);
        let record = ProofRecord {
            input_digest: input,
            stage,
            proof_digest,
            circuit: circuit.name.clone(),
            key_digest: circuit.key_digest,
            srs_digest: circuit.srs_digest,
            seconds,
            peak_memory_bytes,
            hardware: telemetry::hardware(),
        };
        Ok((record, false))
    }
}

/// Digest of everything that a proof is made from: the circuit's keys and its inputs, in order.
fn input_digest<'a>(
    stage: TaskKind,
    circuit: &CircuitInfo,
    inputs: impl IntoIterator<Item = &'a Digest>,
) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(b"tenon.input.v1:");
    hasher.update(stage.name());
    hasher.update(circuit.key_digest);
    for input in inputs {
        hasher.update(input);
    }
    hasher.finalize().into()
}
