//! Execution of a batch: every check that the circuit enforces, with everything wrong reported at once, and the
//! witnesses of its chunks.

mod chunks;
mod fees;
mod operations;
mod reason;
mod signatures;
mod transactions;

use super::{
    Batch, Fr, MAX_DA_WORDS, MAX_FEE_ACCOUNTS, MAX_L1_WORDS, State,
    evaluation::Points,
    pubdata::{self, L1Item, Withdrawal},
    transaction::{KIND_OPEN, KIND_WITHDRAW, L1Operation},
};
use crate::{
    public_inputs::{BatchPublicInputs, batch_input},
    witness::ChunkWitness,
};
use chunks::OpenChunk;

pub(super) use operations::{Effect, deposit, forced_exit};

pub use chunks::{ChunkCapacity, MAX_CHUNK_SLOTS};
pub use reason::{BatchError, ReasonCode, Rejection};

/// A batch that was executed.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Witnesses of its chunks, in order.
    pub chunks: Vec<ChunkWitness>,
    /// The state after it.
    pub state: State,
    /// Commitment to the state before it.
    pub state_in: Fr,
    /// Commitment to the state after it.
    pub state_out: Fr,
    /// Commitment to everything that it publishes.
    pub commit: Fr,
    /// Its DA stream.
    pub da_words: Vec<Fr>,
    /// Its L1 stream.
    pub l1_words: Vec<Fr>,
    /// What it pays on L1, in the order of the L1 stream.
    pub withdrawals: Vec<Withdrawal>,
    /// What its aggregate proof exposes.
    pub public_inputs: BatchPublicInputs,
}

impl Execution {
    /// The same, its streams evaluated at these points.
    #[must_use]
    pub fn with_points(mut self, points: Points) -> Self {
        let mut evaluations = Default::default();
        for chunk in &mut self.chunks {
            (chunk.points, chunk.evaluations_in) = (points, evaluations);
            evaluations = evaluations.absorb(&points, &chunk.da_words(), &chunk.l1_words());
        }
        (self.public_inputs.points, self.public_inputs.evaluations) = (points, evaluations);
        self
    }
}

/// Executes a batch in chunks that fill this capacity greedily. The state given stays as it is. Both points of the
/// evaluations are 0: the data that they are drawn from is known only now; see [`Execution::with_points`].
///
/// # Errors
/// With everything that is wrong. A transaction after an invalid one is checked against the state without it. A
/// batch with too many words isn't executed to its end.
pub fn execute(
    state: &State,
    domain: Fr,
    batch: &Batch,
    capacity: impl Into<ChunkCapacity>,
) -> Result<Execution, BatchError> {
    let mut run = Run::new(state, domain, batch, capacity.into());
    run.check_batch();
    if run.is_too_large {
        return Err(run.into_error());
    }
    let signatures = signatures::check_all(state, domain, batch);
    for (index, operation) in batch.l1_operations.iter().enumerate() {
        run.operation(index, operation);
        if run.is_too_large {
            return Err(run.into_error());
        }
    }
    for (index, (transaction, signature)) in batch.transactions.iter().zip(signatures).enumerate() {
        run.transaction(index, transaction, signature);
        if run.is_too_large {
            return Err(run.into_error());
        }
    }
    run.close_chunk();
    run.check_fee_accounts();
    if !run.rejections.is_empty() {
        return Err(run.into_error());
    }
    Ok(run.finish(state.commitment()))
}

/// The state of an execution.
struct Run<'a> {
    state: State,
    domain: Fr,
    batch: &'a Batch,
    capacity: ChunkCapacity,
    /// The chunk that is being filled.
    chunk: OpenChunk,
    /// The chunks before it.
    chunks: Vec<ChunkWitness>,
    commit: Fr,
    da_words: Vec<Fr>,
    l1_words: Vec<Fr>,
    rejections: Vec<Rejection>,
    is_too_large: bool,
}

impl<'a> Run<'a> {
    fn new(state: &State, domain: Fr, batch: &'a Batch, capacity: ChunkCapacity) -> Self {
        Self {
            state: state.clone(),
            domain,
            batch,
            capacity: capacity.at_least_one_slot(),
            chunk: OpenChunk::new(state, &batch.fee_accounts),
            chunks: Vec::new(),
            commit: Fr::default(),
            da_words: Vec::new(),
            l1_words: Vec::new(),
            rejections: Vec::new(),
            is_too_large: false,
        }
    }

    /// Checks what doesn't depend on the state.
    fn check_batch(&mut self) {
        let batch = self.batch;
        if batch.number == 0 {
            self.reject("number", ReasonCode::BatchNumberInvalid, "expected at least 1, got 0".into());
        }
        if batch.transactions.is_empty() && batch.l1_operations.is_empty() {
            let message = "expected at least 1 transaction or L1 operation, got none".into();
            self.reject("transactions", ReasonCode::BatchEmpty, message);
        }
        if batch.fee_accounts.len() > MAX_FEE_ACCOUNTS {
            let message =
                format!("expected at most {MAX_FEE_ACCOUNTS} accounts, got {}", batch.fee_accounts.len());
            self.reject("fee_accounts", ReasonCode::FeeAccountTooMany, message);
        }
        for (index, operation) in batch.l1_operations.iter().enumerate() {
            if let Err(error) = operation.check() {
                let field = format!("l1_operations[{index}]");
                self.reject(&field, ReasonCode::L1OperationInvalid, error.to_string());
            }
        }
        // At the least, with one chunk and no refund.
        let of_kind = |kind| batch.transactions.iter().filter(|transaction| transaction.kind == kind).count();
        let da_words = pubdata::chunk_da_words(true, batch.transactions.len(), of_kind(KIND_OPEN));
        let operations = batch.l1_operations.iter().map(|operation| match operation {
            L1Operation::Deposit { .. } => pubdata::DEPOSIT_WORDS,
            L1Operation::ForcedExit { .. } => pubdata::FORCED_EXIT_WORDS,
        });
        let l1_words = operations.sum::<usize>() + pubdata::WITHDRAWAL_WORDS * of_kind(KIND_WITHDRAW);
        self.check_words(da_words, l1_words);
    }

    /// Checks the batch's words as far as they are known.
    fn check_words(&mut self, da_words: usize, l1_words: usize) {
        for (stream, words, most) in [("DA", da_words, MAX_DA_WORDS), ("L1", l1_words, MAX_L1_WORDS)] {
            if words > most && !self.is_too_large {
                let message = format!(
                    "expected at most {most} words in the {stream} stream, got at least {words} for {} \
                     transactions and {} L1 operations",
                    self.batch.transactions.len(),
                    self.batch.l1_operations.len()
                );
                self.reject("transactions", ReasonCode::BatchTooLarge, message);
                self.is_too_large = true;
            }
        }
    }

    fn reject(&mut self, field: &str, reason: ReasonCode, message: String) {
        self.rejections.push(Rejection::of_batch(field, reason, message));
    }

    fn unknown_account(&self, index: u32) -> String {
        format!("expected one of the {} accounts, got {index}", self.state.next_index())
    }

    fn into_error(mut self) -> BatchError {
        self.rejections.sort_by_key(|rejection| rejection.transaction);
        BatchError { rejections: self.rejections }
    }

    fn finish(self, state_in: Fr) -> Execution {
        let state_out = self.state.commitment();
        let items = self.chunks.iter().flat_map(ChunkWitness::l1_items);
        let withdrawals = items.filter_map(|item| match item {
            L1Item::Withdrawal(withdrawal) => Some(withdrawal),
            L1Item::Operation(_) => None,
        });
        let public_inputs = BatchPublicInputs {
            domain: self.domain,
            batch: batch_input(self.batch.number, self.batch.timestamp),
            state_in,
            state_out,
            commit: self.commit,
            points: Points::default(),
            evaluations: Default::default(),
        };
        let execution = Execution {
            withdrawals: withdrawals.collect(),
            chunks: self.chunks,
            state: self.state,
            state_in,
            state_out,
            commit: self.commit,
            da_words: self.da_words,
            l1_words: self.l1_words,
            public_inputs,
        };
        execution.with_points(Points::default())
    }
}
