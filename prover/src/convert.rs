//! Between protobuf messages and the service's own types.

use prost::Message;
use sha2::{Digest as _, Sha256};
use tenon_circuits::{
    public_inputs::{BatchPublicInputs, LeafPublicInputs},
    rollup::{
        Address, AmountCode, FeeCode, Fr, L1Operation, PublicKey, Recipient, Signature, Transaction,
        evaluation::{self, DaScalar, Evaluations, Points},
        field::{self, FieldError},
    },
};
use tenon_proto::v1;

use crate::{
    engine::{AggregateProof, CircuitInfo, LeafProof},
    executor::{Submission, Violation},
    jobs::{
        Aggregation, AggregationState, Event, Job, JobError, JobState, MAX_PRIORITY,
        progress::{self, Means},
    },
    store::StageRecord,
};

/// Longest idempotency key.
const MAX_KEY_LENGTH: usize = 128;

/// Collects what is wrong with a message.
#[derive(Debug, Default)]
struct Violations(Vec<Violation>);

impl Violations {
    fn add(&mut self, field: &str, reason: &str, message: String) {
        self.0.push(Violation { field: field.to_owned(), reason: reason.to_owned(), message });
    }

    fn bytes<const N: usize>(&mut self, field: &str, bytes: &[u8]) -> Option<[u8; N]> {
        let found = bytes.try_into().ok();
        if found.is_none() {
            self.add(field, "LENGTH_INVALID", format!("expected {N} bytes, got {}", bytes.len()));
        }
        found
    }

    fn element(&mut self, field: &str, bytes: &[u8]) -> Option<Fr> {
        self.value(field, bytes, field::from_bytes)
    }

    /// A value of 32 bytes.
    fn value<T>(
        &mut self,
        field: &str,
        bytes: &[u8],
        read: impl FnOnce(&[u8; 32]) -> Result<T, FieldError>,
    ) -> Option<T> {
        match <[u8; 32]>::try_from(bytes) {
            Ok(array) => {
                read(&array).map_err(|error| self.add(field, "FIELD_ELEMENT_INVALID", error.to_string())).ok()
            }
            Err(_) => {
                let message = format!("expected a field element of 32 bytes, got {} bytes", bytes.len());
                self.add(field, "FIELD_ELEMENT_INVALID", message);
                None
            }
        }
    }

    fn present<'m, T>(&mut self, field: &str, message: Option<&'m T>) -> Option<&'m T> {
        if message.is_none() {
            self.add(field, "MISSING", "expected a message, got none".to_owned());
        }
        message
    }

    fn recipient(&mut self, field: &str, message: &v1::Recipient) -> Option<Recipient> {
        let key = self.present(&format!("{field}.key"), message.key.as_ref());
        let x = key.and_then(|key| self.element(&format!("{field}.key.x"), &key.x));
        let y = key.and_then(|key| self.element(&format!("{field}.key.y"), &key.y));
        let owner = self.bytes(&format!("{field}.owner"), &message.owner);
        let ((x, y), owner) = x.zip(y).zip(owner)?;
        Some(Recipient { key: PublicKey { x, y }, owner: Address(owner) })
    }

    fn number<T: TryFrom<u64>>(&mut self, field: &str, number: u64, bits: u32, reason: &str) -> Option<T> {
        let found = T::try_from(number).ok();
        if found.is_none() {
            self.add(field, reason, format!("expected less than 2^{bits}, got {number}"));
        }
        found
    }
}

/// A submitted batch. Everything wrong with its encoding is in the result's `violations`.
pub fn submission(request: v1::SubmitBatchRequest) -> Submission {
    let mut violations = Violations::default();
    let key = &request.idempotency_key;
    if key.is_empty() || key.len() > MAX_KEY_LENGTH || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!(
            "expected 1 to {MAX_KEY_LENGTH} printable ASCII characters without spaces, got {} bytes",
            key.len()
        );
        violations.add("idempotency_key", "IDEMPOTENCY_KEY_INVALID", message);
    }
    let payload = v1::SubmitBatchRequest {
        idempotency_key: String::new(),
        max_error_bytes: 0,
        priority: 0,
        ..request.clone()
    };
    if request.priority > MAX_PRIORITY {
        let message = format!("expected at most {MAX_PRIORITY}, got {}", request.priority);
        violations.add("priority", "PRIORITY_TOO_HIGH", message);
    }
    let domain = violations.element("domain", &request.domain);
    let transactions = (0usize..)
        .zip(&request.transactions)
        .map(|(index, transaction)| self::transaction(index, transaction, &mut violations))
        .collect();
    let l1_operations = (0usize..)
        .zip(&request.l1_operations)
        .filter_map(|(index, operation)| self::l1_operation(index, operation, &mut violations))
        .collect();
    Submission {
        idempotency_key: request.idempotency_key,
        payload_digest: Sha256::digest(payload.encode_to_vec()).into(),
        domain: domain.unwrap_or_default(),
        timestamp: request.timestamp,
        fee_accounts: request.fee_accounts,
        l1_operations,
        transactions,
        priority: request.priority,
        violations: violations.0,
    }
}

fn l1_operation(index: usize, message: &v1::L1Operation, violations: &mut Violations) -> Option<L1Operation> {
    use v1::l1_operation::Operation;
    let path = |field: &str| format!("l1_operations[{index}].{field}");
    match violations.present(&path("operation"), message.operation.as_ref())? {
        Operation::Deposit(deposit) => {
            let amount = field::integer_from_decimal(&deposit.amount, 128)
                .map_err(|error| violations.add(&path("deposit.amount"), "AMOUNT_INVALID", error.to_string()))
                .ok();
            let recipient = violations.present(&path("deposit.recipient"), deposit.recipient.as_ref());
            let recipient =
                recipient.and_then(|recipient| violations.recipient(&path("deposit.recipient"), recipient));
            let (amount, recipient) = amount.zip(recipient)?;
            Some(L1Operation::Deposit { token: deposit.token, amount, recipient, to: deposit.to })
        }
        Operation::ForcedExit(exit) => {
            let owner = violations.bytes(&path("forced_exit.owner"), &exit.owner)?;
            Some(L1Operation::ForcedExit { index: exit.index, owner: Address(owner) })
        }
    }
}

/// An L1 operation as a message.
pub fn l1_operation_message(operation: &L1Operation) -> v1::L1Operation {
    use v1::l1_operation::Operation;
    let operation = match operation {
        L1Operation::Deposit { token, amount, recipient, to } => Operation::Deposit(v1::Deposit {
            token: *token,
            amount: amount.to_string(),
            recipient: Some(recipient_message(recipient)),
            to: *to,
        }),
        L1Operation::ForcedExit { index, owner } => {
            Operation::ForcedExit(v1::ForcedExit { index: *index, owner: owner.0.to_vec() })
        }
    };
    v1::L1Operation { operation: Some(operation) }
}

fn recipient_message(recipient: &Recipient) -> v1::Recipient {
    v1::Recipient { key: Some(public_key(&recipient.key)), owner: recipient.owner.0.to_vec() }
}

fn transaction(index: usize, message: &v1::Transaction, violations: &mut Violations) -> Transaction {
    let path = |field: &str| format!("transactions[{index}].{field}");
    let signature = match &message.signature {
        None => {
            violations.add(
                &path("signature"),
                "SIGNATURE_MISSING",
                "expected a signature, got none".to_owned(),
            );
            None
        }
        Some(signature) => {
            let r8x = violations.element(&path("signature.r8x"), &signature.r8x);
            let r8y = violations.element(&path("signature.r8y"), &signature.r8y);
            let s = violations.bytes::<32>(&path("signature.s"), &signature.s);
            r8x.zip(r8y).zip(s).map(|((r8x, r8y), s)| Signature { r8x, r8y, s: field::bigint_from_bytes(&s) })
        }
    };
    let kind = violations.number(&path("kind"), message.kind.into(), 8, "KIND_UNKNOWN");
    let fee = violations.number(&path("fee"), message.fee.into(), 16, "FLOAT_OUT_OF_RANGE");
    Transaction {
        kind: kind.unwrap_or(0),
        from: message.from,
        to: message.to,
        token: message.token,
        nonce: message.nonce,
        amount: AmountCode(message.amount),
        fee: FeeCode(fee.unwrap_or(0)),
        valid_until: message.valid_until,
        opens: message.opens.as_ref().and_then(|opens| violations.recipient(&path("opens"), opens)),
        signature: signature.unwrap_or(Signature {
            r8x: Fr::default(),
            r8y: Fr::default(),
            s: field::bigint_from_bytes(&[0; 32]),
        }),
    }
}

/// A transaction as a message.
pub fn transaction_message(transaction: &Transaction) -> v1::Transaction {
    v1::Transaction {
        kind: transaction.kind.into(),
        from: transaction.from,
        to: transaction.to,
        token: transaction.token,
        nonce: transaction.nonce,
        amount: transaction.amount.0,
        fee: transaction.fee.0.into(),
        valid_until: transaction.valid_until,
        signature: Some(v1::Signature {
            r8x: element_bytes(&transaction.signature.r8x),
            r8y: element_bytes(&transaction.signature.r8y),
            s: field::bigint_to_bytes(&transaction.signature.s).to_vec(),
        }),
        opens: transaction.opens.as_ref().map(recipient_message),
    }
}

/// A field element: 32 bytes, big-endian.
pub fn element_bytes(value: &Fr) -> Vec<u8> {
    field::to_bytes(value).to_vec()
}

/// A public key as a message.
pub fn public_key(key: &PublicKey) -> v1::PublicKey {
    v1::PublicKey { x: element_bytes(&key.x), y: element_bytes(&key.y) }
}

/// A job's state as a message.
pub fn job_state(state: JobState) -> v1::JobState {
    match state {
        JobState::Accepted => v1::JobState::Accepted,
        JobState::Proving => v1::JobState::Proving,
        JobState::Aggregating => v1::JobState::Aggregating,
        JobState::Ready => v1::JobState::Ready,
        JobState::Settling => v1::JobState::Settling,
        JobState::Settled => v1::JobState::Settled,
        JobState::Failed => v1::JobState::Failed,
        JobState::Cancelled => v1::JobState::Cancelled,
    }
}

/// A job's state from a message; `None` for values that mean nothing.
pub fn job_state_from(number: i32) -> Option<JobState> {
    match v1::JobState::try_from(number).ok()? {
        v1::JobState::Unspecified => None,
        v1::JobState::Accepted => Some(JobState::Accepted),
        v1::JobState::Proving => Some(JobState::Proving),
        v1::JobState::Aggregating => Some(JobState::Aggregating),
        v1::JobState::Ready => Some(JobState::Ready),
        v1::JobState::Settling => Some(JobState::Settling),
        v1::JobState::Settled => Some(JobState::Settled),
        v1::JobState::Failed => Some(JobState::Failed),
        v1::JobState::Cancelled => Some(JobState::Cancelled),
    }
}

/// What is needed to estimate how long a job takes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Mean proving seconds.
    pub means: Means,
    /// Proofs made at the same time.
    pub workers: usize,
}

fn job_progress(state: JobState, leaves_done: u32, leaves: u32, pace: Option<Pace>) -> v1::Progress {
    v1::Progress {
        percent: progress::percent(state, leaves_done, leaves),
        leaves_done,
        leaves,
        seconds_left: pace
            .and_then(|pace| progress::seconds_left(state, leaves_done, leaves, pace.workers, pace.means)),
    }
}

fn job_error(error: &JobError) -> v1::JobError {
    v1::JobError { reason: error.reason.clone(), message: error.message.clone() }
}

/// A job as a message.
pub fn job(job: &Job, pace: Option<Pace>) -> v1::Job {
    v1::Job {
        id: job.id.clone(),
        idempotency_key: job.idempotency_key.clone(),
        payload_digest: job.payload_digest.to_vec(),
        state: job_state(job.state).into(),
        batch_number: job.batch.number,
        timestamp: job.batch.timestamp,
        transactions: job.batch.transactions,
        chunks: job.batch.chunks,
        state_in: job.batch.state_in.to_vec(),
        state_out: job.batch.state_out.to_vec(),
        commit: job.batch.commit.to_vec(),
        progress: Some(job_progress(job.state, job.leaves_done, job.batch.chunks, pace)),
        error: job.error.as_ref().map(job_error),
        aggregation_id: job.aggregation,
        created_at_ms: job.created_at_ms,
        updated_at_ms: job.updated_at_ms,
        last_sequence: job.last_sequence,
        l1_operations: job.batch.l1_operations,
        priority: job.priority,
    }
}

/// An event as a message; with `pace` where it is the newest.
pub fn event(event: &Event, pace: Option<Pace>) -> v1::JobEvent {
    v1::JobEvent {
        sequence: event.sequence,
        job_id: event.job_id.clone(),
        time_ms: event.time_ms,
        state: job_state(event.state).into(),
        progress: Some(job_progress(event.state, event.leaves_done, event.leaves, pace)),
        message: event.message.clone(),
        error: event.error.as_ref().map(job_error),
    }
}

/// A receipt as a message.
pub fn receipt(stages: &[StageRecord]) -> v1::Receipt {
    let stages = stages.iter().map(|stage| v1::StageReceipt {
        stage: stage.proof.stage.name().to_owned(),
        chunk: stage.chunk,
        circuit: stage.proof.circuit.clone(),
        key_digest: stage.proof.key_digest.to_vec(),
        srs_digest: stage.proof.srs_digest.to_vec(),
        input_digest: stage.proof.input_digest.to_vec(),
        proof_digest: stage.proof.proof_digest.to_vec(),
        seconds: stage.proof.seconds,
        peak_memory_bytes: stage.proof.peak_memory_bytes,
        attempts: stage.attempts,
        reused: stage.reused,
        hardware: stage.proof.hardware.clone(),
    });
    v1::Receipt { stages: stages.collect() }
}

/// An aggregation as a message.
pub fn aggregation(aggregation: &Aggregation) -> v1::Aggregation {
    let state = match aggregation.state {
        AggregationState::Pending => v1::AggregationState::Pending,
        AggregationState::Proving => v1::AggregationState::Proving,
        AggregationState::Ready => v1::AggregationState::Ready,
        AggregationState::Failed => v1::AggregationState::Failed,
        AggregationState::Cancelled => v1::AggregationState::Cancelled,
    };
    v1::Aggregation {
        id: aggregation.id,
        first_batch: aggregation.first_batch,
        last_batch: aggregation.last_batch,
        leaves: aggregation.leaves,
        state: state.into(),
        created_at_ms: aggregation.created_at_ms,
    }
}

fn batch_public_inputs(inputs: &BatchPublicInputs) -> v1::BatchPublicInputs {
    v1::BatchPublicInputs {
        domain: element_bytes(&inputs.domain),
        batch: element_bytes(&inputs.batch),
        state_in: element_bytes(&inputs.state_in),
        state_out: element_bytes(&inputs.state_out),
        commit: element_bytes(&inputs.commit),
        z_d: point_bytes(inputs.points.z_d),
        y_d: da_bytes(&inputs.evaluations.y_d),
        z_l: point_bytes(inputs.points.z_l),
        y_l: element_bytes(&inputs.evaluations.y_l),
    }
}

fn point_bytes(point: u128) -> Vec<u8> {
    evaluation::point_to_bytes(point).to_vec()
}

fn da_bytes(value: &DaScalar) -> Vec<u8> {
    evaluation::da_to_bytes(value).to_vec()
}

fn chunk_public_inputs(inputs: &LeafPublicInputs) -> v1::ChunkPublicInputs {
    v1::ChunkPublicInputs {
        domain: element_bytes(&inputs.domain),
        batch: element_bytes(&inputs.batch),
        state_in: element_bytes(&inputs.state_in),
        state_out: element_bytes(&inputs.state_out),
        commit_in: element_bytes(&inputs.commit_in),
        commit_out: element_bytes(&inputs.commit_out),
        z_d: point_bytes(inputs.points.z_d),
        y_d_in: da_bytes(&inputs.evaluations_in.y_d),
        y_d_out: da_bytes(&inputs.evaluations_out.y_d),
        z_l: point_bytes(inputs.points.z_l),
        y_l_in: element_bytes(&inputs.evaluations_in.y_l),
        y_l_out: element_bytes(&inputs.evaluations_out.y_l),
    }
}

/// A leaf proof as a message.
pub fn leaf_proof(proof: &LeafProof) -> v1::LeafProof {
    v1::LeafProof {
        public_inputs: Some(chunk_public_inputs(&proof.public_inputs)),
        proof: proof.proof.clone(),
    }
}

/// An aggregate proof as a message.
pub fn aggregate_proof(proof: &AggregateProof) -> v1::AggregateProof {
    v1::AggregateProof {
        batches: proof.batches.iter().map(batch_public_inputs).collect(),
        proof: proof.proof.clone(),
    }
}

fn batch_public_inputs_from(
    path: &str,
    message: &v1::BatchPublicInputs,
    violations: &mut Violations,
) -> Option<BatchPublicInputs> {
    let mut element = |name: &str, bytes: &[u8]| violations.element(&format!("{path}.{name}"), bytes);
    let domain = element("domain", &message.domain);
    let batch = element("batch", &message.batch);
    let state_in = element("state_in", &message.state_in);
    let state_out = element("state_out", &message.state_out);
    let commit = element("commit", &message.commit);
    let y_l = element("y_l", &message.y_l);
    let mut point = |name: &str, bytes: &[u8]| {
        violations.value(&format!("{path}.{name}"), bytes, evaluation::point_from_bytes)
    };
    let (z_d, z_l) = (point("z_d", &message.z_d), point("z_l", &message.z_l));
    let y_d = violations.value(&format!("{path}.y_d"), &message.y_d, evaluation::da_from_bytes);
    Some(BatchPublicInputs {
        domain: domain?,
        batch: batch?,
        state_in: state_in?,
        state_out: state_out?,
        commit: commit?,
        points: Points { z_d: z_d?, z_l: z_l? },
        evaluations: Evaluations { y_d: y_d?, y_l: y_l? },
    })
}

/// An aggregate proof from a message.
///
/// # Errors
/// With everything wrong with its encoding.
pub fn aggregate_proof_from(message: &v1::AggregateProof) -> Result<AggregateProof, Vec<Violation>> {
    let mut violations = Violations::default();
    let mut batches = Vec::with_capacity(message.batches.len());
    for (index, batch) in message.batches.iter().enumerate() {
        batches.extend(batch_public_inputs_from(&format!("proof.batches[{index}]"), batch, &mut violations));
    }
    if message.batches.is_empty() {
        violations.add("proof.batches", "PROOF_WITHOUT_BATCHES", "expected at least one batch".to_owned());
    }
    if message.proof.is_empty() {
        violations.add("proof.proof", "PROOF_EMPTY", "expected the proof's bytes".to_owned());
    }
    if violations.0.is_empty() {
        Ok(AggregateProof { batches, proof: message.proof.clone() })
    } else {
        Err(violations.0)
    }
}

/// A circuit as a message.
pub fn circuit(circuit: &CircuitInfo) -> v1::Circuit {
    v1::Circuit {
        name: circuit.name.clone(),
        k: circuit.k,
        key_digest: circuit.key_digest.to_vec(),
        srs_source: circuit.srs_source.clone(),
        srs_digest: circuit.srs_digest.to_vec(),
    }
}
