//! The messages of the worker service, and what they mean.

use tenon_proto::v1;

use super::source::SourceError;
use crate::{
    jobs::{Digest, Lease, ProofRecord, TaskKind},
    store::LeafInput,
};

/// Most bytes of a file in one message.
pub(crate) const PART_BYTES: usize = 1 << 20;

/// Most bytes of a proof in JSON: proofs have some thousands.
pub(crate) const MAX_PROOF_BYTES: usize = 1 << 20;

/// Most bytes of a message to the service: a proof and what is said of it.
pub(crate) const MAX_MESSAGE_BYTES: usize = MAX_PROOF_BYTES + (64 << 10);

/// Most bytes of a file that a task takes.
pub(crate) const MAX_FILE_BYTES: usize = 256 << 20;

fn malformed(field: &str, expected: &str) -> SourceError {
    SourceError::Refused(format!("{field}: expected {expected}"))
}

pub(crate) fn digest(field: &str, bytes: &[u8]) -> Result<Digest, SourceError> {
    Digest::try_from(bytes).map_err(|_| malformed(field, "32 bytes"))
}

pub(crate) fn kind_message(kind: TaskKind) -> v1::TaskKind {
    match kind {
        TaskKind::Leaf => v1::TaskKind::Leaf,
        TaskKind::Aggregate => v1::TaskKind::Aggregate,
    }
}

pub(crate) fn kind(number: i32) -> Result<TaskKind, SourceError> {
    match v1::TaskKind::try_from(number) {
        Ok(v1::TaskKind::Leaf) => Ok(TaskKind::Leaf),
        Ok(v1::TaskKind::Aggregate) => Ok(TaskKind::Aggregate),
        _ => Err(malformed("kind", "a leaf or an aggregate")),
    }
}

pub(crate) fn kind_numbers(kinds: &[TaskKind]) -> Vec<i32> {
    kinds.iter().map(|kind| kind_message(*kind).into()).collect()
}

pub(crate) fn kinds(numbers: &[i32]) -> Result<Vec<TaskKind>, SourceError> {
    numbers.iter().map(|number| kind(*number)).collect()
}

pub(crate) fn lease_id(lease: &Lease) -> v1::LeaseId {
    v1::LeaseId { task: lease.task, fence: lease.fence }
}

pub(crate) fn lease_message(lease: &Lease) -> v1::TaskLease {
    v1::TaskLease {
        id: Some(lease_id(lease)),
        kind: kind_message(lease.kind).into(),
        attempt: lease.attempt,
        job_id: lease.job_id.clone(),
        aggregation_id: lease.aggregation,
        batch_number: lease.batch_number,
        chunk: lease.chunk,
        witness: lease.witness.map(|digest| digest.to_vec()),
    }
}

/// The lease that a worker was given.
pub(crate) fn lease(message: v1::TaskLease) -> Result<Lease, SourceError> {
    let id = message.id.ok_or_else(|| malformed("lease", "its name"))?;
    Ok(Lease {
        task: id.task,
        fence: id.fence,
        kind: kind(message.kind)?,
        attempt: message.attempt,
        job_id: message.job_id,
        aggregation: message.aggregation_id,
        batch_number: message.batch_number,
        chunk: message.chunk,
        witness: message.witness.map(|bytes| digest("witness", &bytes)).transpose()?,
    })
}

pub(crate) fn leaf_message(leaf: &LeafInput) -> v1::TaskLeaf {
    v1::TaskLeaf {
        task: leaf.task,
        input_digest: leaf.input_digest.to_vec(),
        proof_digest: leaf.proof_digest.to_vec(),
    }
}

pub(crate) fn leaf(message: &v1::TaskLeaf) -> Result<LeafInput, SourceError> {
    Ok(LeafInput {
        task: message.task,
        input_digest: digest("input_digest", &message.input_digest)?,
        proof_digest: digest("proof_digest", &message.proof_digest)?,
    })
}

pub(crate) fn record_message(record: &ProofRecord) -> v1::TaskResult {
    v1::TaskResult {
        input_digest: record.input_digest.to_vec(),
        kind: kind_message(record.stage).into(),
        proof_digest: record.proof_digest.to_vec(),
        circuit: record.circuit.clone(),
        key_digest: record.key_digest.to_vec(),
        srs_digest: record.srs_digest.to_vec(),
        seconds: record.seconds,
        peak_memory_bytes: record.peak_memory_bytes,
        hardware: record.hardware.clone(),
    }
}

pub(crate) fn record(message: v1::TaskResult) -> Result<ProofRecord, SourceError> {
    Ok(ProofRecord {
        input_digest: digest("input_digest", &message.input_digest)?,
        stage: kind(message.kind)?,
        proof_digest: digest("proof_digest", &message.proof_digest)?,
        circuit: message.circuit,
        key_digest: digest("key_digest", &message.key_digest)?,
        srs_digest: digest("srs_digest", &message.srs_digest)?,
        seconds: message.seconds,
        peak_memory_bytes: message.peak_memory_bytes,
        hardware: message.hardware,
    })
}
