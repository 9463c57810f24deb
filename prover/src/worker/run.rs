//! One task from its inputs to a stored, verified proof.

use std::time::Instant;

use rayon::ThreadPool;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use tenon_circuits::witness::ChunkWitness;
use tokio::runtime::Handle;
use tracing::warn;

use super::{
    Crew,
    source::{Assignment, Lost, Outcome, SourceError},
};
use crate::{
    engine::{AggregateProof, CircuitInfo, EngineError, LeafProof},
    jobs::{Digest, JobError, ProofRecord, TaskKind},
    store::files::FileKind,
    telemetry::{self, PeakMemory},
};

/// A proof's record, and the proof where it isn't in the store already.
type Made = (ProofRecord, Option<Vec<u8>>);

/// Why a task stops early.
enum Stop {
    Engine(EngineError),
    Mismatch(String),
    /// The machine's or the store's trouble, which passes.
    Trouble(String),
    Lost(String, Lost),
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<SourceError> for Stop {
    fn from(error: SourceError) -> Self {
        Self::Trouble(error.to_string())
    }
}

/// Does the task.
pub(super) fn run(crew: &Crew, runtime: &Handle, pool: &ThreadPool, assignment: &Assignment) -> Outcome {
    let task = Task { crew, runtime, pool, assignment };
    let done = match assignment.lease.kind {
        TaskKind::Leaf => task.leaf(),
        TaskKind::Aggregate => task.aggregate(),
    };
    let failed =
        |reason: &str, message: String| Outcome::Failed(JobError { reason: reason.to_owned(), message });
    match done {
        Ok((record, proof)) => Outcome::Done { record: Box::new(record), proof },
        Err(Stop::Engine(error)) => failed(reason(&error), error.to_string()),
        Err(Stop::Mismatch(message)) => failed("PROOF_MISMATCH", message),
        Err(Stop::Trouble(note)) => Outcome::HandedBack { note, lost: Lost::Nothing },
        Err(Stop::Lost(note, lost)) => Outcome::HandedBack { note, lost },
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
    crew: &'a Crew,
    runtime: &'a Handle,
    pool: &'a ThreadPool,
    assignment: &'a Assignment,
}

impl Task<'_> {
    /// A file's content; `None` where it is gone or damaged.
    fn read<T: DeserializeOwned>(&self, kind: FileKind, digest: &Digest) -> Result<Option<T>, Stop> {
        let content = match self.runtime.block_on(self.crew.source.read(&self.assignment.lease, kind, digest))
        {
            Ok(content) => content,
            Err(SourceError::FileLost(error)) => {
                warn!(error, "a file is lost; it is made again");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        match serde_json::from_slice(&content) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                warn!(%error, digest = hex::encode(digest), "a file can't be decoded; it is made again");
                Ok(None)
            }
        }
    }

    fn leaf(&self) -> Result<Made, Stop> {
        let engine = &*self.crew.engine;
        let digest = self.assignment.lease.witness.unwrap_or_default();
        let Some(witness) = self.read::<ChunkWitness>(FileKind::Witness, &digest)? else {
            return Err(Stop::Lost("the witness is lost and made again".to_owned(), Lost::Witness));
        };
        let circuit = &engine.circuits().leaf;
        let input = input_digest(TaskKind::Leaf, circuit, [&digest]);
        let public_inputs = witness.public_inputs();
        let check = |proof: &LeafProof| {
            if proof.public_inputs != public_inputs {
                let (expected, actual) = (&public_inputs, &proof.public_inputs);
                return Err(Stop::Mismatch(format!("expected public inputs {expected:?}, got {actual:?}")));
            }
            Ok(engine.verify_leaf(proof)?)
        };
        self.prove(circuit, input, check, || engine.prove_leaf(&witness))
    }

    fn aggregate(&self) -> Result<Made, Stop> {
        let engine = &*self.crew.engine;
        let inputs = &self.assignment.leaves;
        let mut leaves: Vec<LeafProof> = Vec::with_capacity(inputs.len());
        let mut lost = Vec::new();
        for input in inputs {
            match self.read(FileKind::Proof, &input.proof_digest)? {
                Some(leaf) => leaves.push(leaf),
                None => lost.push(input.clone()),
            }
        }
        if !lost.is_empty() {
            let note = "stored leaf proofs are damaged and made again".to_owned();
            return Err(Stop::Lost(note, Lost::Leaves(lost)));
        }
        let circuit = &engine.circuits().aggregation;
        let input =
            input_digest(TaskKind::Aggregate, circuit, inputs.iter().map(|input| &input.input_digest));
        let expected = &self.assignment.batches;
        let check = |proof: &AggregateProof| {
            if proof.batches != *expected {
                let actual = &proof.batches;
                return Err(Stop::Mismatch(format!("expected public inputs {expected:?}, got {actual:?}")));
            }
            Ok(engine.verify_aggregate(proof)?)
        };
        let done = self.prove(circuit, input, check, || engine.prove_aggregate(&leaves))?;
        let metrics = &self.crew.metrics;
        metrics.aggregation_leaves.with_label_values(&[&circuit.name]).observe(leaves.len() as f64);
        Ok(done)
    }

    /// Takes the proof from the store, or makes and checks it.
    fn prove<P: Serialize + DeserializeOwned + Send>(
        &self,
        circuit: &CircuitInfo,
        input: Digest,
        check: impl Fn(&P) -> Result<(), Stop> + Sync,
        make: impl FnOnce() -> Result<P, EngineError> + Send,
    ) -> Result<Made, Stop> {
        let crew = self.crew;
        let stage = self.assignment.lease.kind;
        if let Some(record) = self.runtime.block_on(crew.source.result(&self.assignment.lease, &input))? {
            let stored = self.read::<P>(FileKind::Proof, &record.proof_digest)?;
            if stored.is_some_and(|proof| check(&proof).is_ok()) {
                return Ok((record, None));
            }
            warn!(input = hex::encode(input), "stored proof can't be used; it is made again");
            self.runtime.block_on(crew.source.forget_result(&input))?;
        }
        let memory = PeakMemory::start();
        let started = Instant::now();
        let proof = self.pool.install(make)?;
        let seconds = started.elapsed().as_secs_f64();
        let peak_memory_bytes = memory.bytes();
        check(&proof)?;
        let content = serde_json::to_vec(&proof).map_err(|error| Stop::Trouble(error.to_string()))?;
        crew.metrics.proof_seconds.with_label_values(&[stage.name(), &circuit.name]).observe(seconds);
        crew.metrics.peak_memory_bytes.with_label_values(&[stage.name()]).set(peak_memory_bytes as f64);
        let record = ProofRecord {
            input_digest: input,
            stage,
            proof_digest: Sha256::digest(&content).into(),
            circuit: circuit.name.clone(),
            key_digest: circuit.key_digest,
            srs_digest: circuit.srs_digest,
            seconds,
            peak_memory_bytes,
            hardware: telemetry::hardware(),
        };
        Ok((record, Some(content)))
    }
}

/// Digest of everything that a proof is made from: the circuit's keys and its inputs, in order.
pub(crate) fn input_digest<'a>(
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
