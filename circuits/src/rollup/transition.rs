//! Execution of a batch: every check that the circuit enforces, with everything wrong reported at once, and the
//! witnesses of its chunks.

use std::{collections::BTreeMap, fmt};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Account, Batch, Fr, MAX_DA_WORDS, MAX_FEE_ACCOUNTS, NONCE_LIMIT, State, Transaction, float::FloatError,
    pubdata, transaction::KIND_TRANSFER,
};
use crate::{
    public_inputs::{BatchPublicInputs, batch_input},
    witness::{AccountAccess, ChunkWitness, TransactionWitness},
};

/// Most transactions of a chunk: its header counts them in 16 bits.
pub const MAX_CHUNK_TRANSACTIONS: usize = u16::MAX as usize;

/// Why a batch or a transaction is refused. The names of [`ReasonCode::as_str`] are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReasonCode {
    /// The batch has no transactions.
    BatchEmpty,
    /// The batch would publish too many words.
    BatchTooLarge,
    /// The batch's number is 0.
    BatchNumberInvalid,
    /// The batch is for another rollup.
    DomainMismatch,
    /// More fee accounts than a chunk's header holds.
    FeeAccountTooMany,
    /// A fee account doesn't exist.
    FeeAccountUnknown,
    /// Two fee accounts hold the same token.
    FeeAccountDuplicate,
    /// A fee in a token without a fee account.
    FeeAccountMissing,
    /// A fee account's balance, or a chunk's sum of fees, would pass 2^128.
    FeeOverflow,
    /// No such kind of transaction.
    KindUnknown,
    /// Sender or receiver doesn't exist.
    AccountUnknown,
    /// The transaction's token isn't the one that sender or receiver holds.
    TokenMismatch,
    /// The nonce isn't the sender's.
    NonceMismatch,
    /// The sender's nonce can't rise any more.
    NonceExhausted,
    /// The same amount or fee has a shorter code.
    FloatNotCanonical,
    /// An amount's or fee's code or value is too large.
    FloatOutOfRange,
    /// The batch's timestamp is past the transaction's last.
    Expired,
    /// Amount and fee are more than the sender has.
    BalanceInsufficient,
    /// The receiver's balance would pass 2^128.
    BalanceOverflow,
    /// The signature isn't one by the sender over this transaction.
    SignatureInvalid,
}

impl ReasonCode {
    /// All codes.
    pub const ALL: [Self; 20] = [
        Self::BatchEmpty,
        Self::BatchTooLarge,
        Self::BatchNumberInvalid,
        Self::DomainMismatch,
        Self::FeeAccountTooMany,
        Self::FeeAccountUnknown,
        Self::FeeAccountDuplicate,
        Self::FeeAccountMissing,
        Self::FeeOverflow,
        Self::KindUnknown,
        Self::AccountUnknown,
        Self::TokenMismatch,
        Self::NonceMismatch,
        Self::NonceExhausted,
        Self::FloatNotCanonical,
        Self::FloatOutOfRange,
        Self::Expired,
        Self::BalanceInsufficient,
        Self::BalanceOverflow,
        Self::SignatureInvalid,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BatchEmpty => "BATCH_EMPTY",
            Self::BatchTooLarge => "BATCH_TOO_LARGE",
            Self::BatchNumberInvalid => "BATCH_NUMBER_INVALID",
            Self::DomainMismatch => "DOMAIN_MISMATCH",
            Self::FeeAccountTooMany => "FEE_ACCOUNT_TOO_MANY",
            Self::FeeAccountUnknown => "FEE_ACCOUNT_UNKNOWN",
            Self::FeeAccountDuplicate => "FEE_ACCOUNT_DUPLICATE",
            Self::FeeAccountMissing => "FEE_ACCOUNT_MISSING",
            Self::FeeOverflow => "FEE_OVERFLOW",
            Self::KindUnknown => "KIND_UNKNOWN",
            Self::AccountUnknown => "ACCOUNT_UNKNOWN",
            Self::TokenMismatch => "TOKEN_MISMATCH",
            Self::NonceMismatch => "NONCE_MISMATCH",
            Self::NonceExhausted => "NONCE_EXHAUSTED",
            Self::FloatNotCanonical => "FLOAT_NOT_CANONICAL",
            Self::FloatOutOfRange => "FLOAT_OUT_OF_RANGE",
            Self::Expired => "EXPIRED",
            Self::BalanceInsufficient => "BALANCE_INSUFFICIENT",
            Self::BalanceOverflow => "BALANCE_OVERFLOW",
            Self::SignatureInvalid => "SIGNATURE_INVALID",
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong with a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The transaction's position in the batch; `None` when the batch itself is wrong.
    pub transaction: Option<usize>,
    /// The field of the transaction or batch, by its name in JSON.
    pub field: String,
    /// Why.
    pub reason: ReasonCode,
    /// Expected and actual, for people.
    pub message: String,
}

impl Rejection {
    /// Something wrong with the batch itself.
    pub fn of_batch(field: &str, reason: ReasonCode, message: String) -> Self {
        Self { transaction: None, field: field.to_owned(), reason, message }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transaction {
            Some(index) => write!(f, "transactions[{index}].{}", self.field)?,
            None => f.write_str(&self.field)?,
        }
        write!(f, ": {}: {}", self.reason, self.message)
    }
}

/// Everything that is wrong with a batch; the caller's fault, and nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub struct BatchError {
    /// What is wrong, the batch's own first, then in the order of the transactions; never empty.
    pub rejections: Vec<Rejection>,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        f.write_str("the batch is invalid: ")?;
        for (index, rejection) in self.rejections.iter().take(SHOWN).enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{rejection}")?;
        }
        match self.rejections.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

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
    /// What its aggregate proof exposes.
    pub public_inputs: BatchPublicInputs,
}

/// Executes a batch in chunks of at most `chunk_capacity` transactions, which is brought to 1 at least and
/// [`MAX_CHUNK_TRANSACTIONS`] at most. The state given stays as it is.
///
/// # Errors
/// With everything that is wrong. A transaction after an invalid one is checked against the state without it.
pub fn execute(
    state: &State,
    domain: Fr,
    batch: &Batch,
    chunk_capacity: usize,
) -> Result<Execution, BatchError> {
    let capacity = chunk_capacity.clamp(1, MAX_CHUNK_TRANSACTIONS);
    let mut run = Run::new(state, batch, capacity);
    if run.rejections.iter().any(|rejection| rejection.reason == ReasonCode::BatchTooLarge) {
        return Err(BatchError { rejections: run.rejections });
    }
    let signatures: Vec<Option<Rejection>> = batch
        .transactions
        .par_iter()
        .enumerate()
        .map(|(index, transaction)| check_signature(state, domain, index, transaction))
        .collect();

    let mut chunks = Vec::new();
    let mut commit = Fr::default();
    let slots: Vec<_> = batch.transactions.iter().zip(signatures).enumerate().collect();
    for slots in slots.chunks(capacity) {
        let root_in = run.state.root();
        let mut transactions = Vec::with_capacity(slots.len());
        for (index, (transaction, signature)) in slots {
            transactions.extend(run.transfer(*index, transaction, signature.as_ref()));
        }
        let chunk = ChunkWitness {
            domain,
            number: batch.number,
            timestamp: batch.timestamp,
            commit_in: commit,
            points: Default::default(),
            evaluations_in: Default::default(),
            root_in,
            next_index: run.state.next_index(),
            operations: Vec::new(),
            transactions,
            fees: run.credit_fees(),
        };
        if run.rejections.is_empty() {
            commit = pubdata::absorb_all(commit, &chunk.da_words());
            chunks.push(chunk);
        }
    }
    if !run.rejections.is_empty() {
        run.rejections.sort_by_key(|rejection| rejection.transaction);
        return Err(BatchError { rejections: run.rejections });
    }
    let (state_in, state_out) = (state.commitment(), run.state.commitment());
    let batch = batch_input(batch.number, batch.timestamp);
    let public_inputs = BatchPublicInputs {
        domain,
        batch,
        state_in,
        state_out,
        commit,
        points: Default::default(),
        evaluations: Default::default(),
    };
    Ok(Execution { chunks, state: run.state, state_in, state_out, commit, public_inputs })
}

/// The signature's rejection; none when it is valid, or when an account is missing, which is reported elsewhere.
fn check_signature(state: &State, domain: Fr, index: usize, transaction: &Transaction) -> Option<Rejection> {
    let sender = state.account(transaction.from)?;
    let receiver = state.account(transaction.to)?;
    let error = sender
        .key
        .verify(transaction.message(domain, &receiver.recipient()), &transaction.signature)
        .err()?;
    Some(Rejection {
        transaction: Some(index),
        field: "signature".to_owned(),
        reason: ReasonCode::SignatureInvalid,
        message: format!("expected a signature by the key of account {}: {error}", transaction.from),
    })
}

/// A fee account of the batch that exists.
struct FeeAccount {
    /// Its place in the chunks' headers.
    place: usize,
    index: u32,
    /// Fees of the chunk so far; `None` past 2^128.
    fees: Option<u128>,
}

/// The state of an execution.
struct Run<'a> {
    state: State,
    batch: &'a Batch,
    /// By token.
    fee_accounts: BTreeMap<u32, FeeAccount>,
    rejections: Vec<Rejection>,
}

impl<'a> Run<'a> {
    /// Checks the batch itself.
    fn new(state: &State, batch: &'a Batch, capacity: usize) -> Self {
        let mut run =
            Self { state: state.clone(), batch, fee_accounts: BTreeMap::new(), rejections: Vec::new() };
        if batch.number == 0 {
            run.reject_batch("number", ReasonCode::BatchNumberInvalid, "expected at least 1, got 0".into());
        }
        if batch.transactions.is_empty() {
            run.reject_batch(
                "transactions",
                ReasonCode::BatchEmpty,
                "expected at least 1 transaction, got none".into(),
            );
        }
        let words = pubdata::word_count(batch.transactions.len(), capacity);
        if words > MAX_DA_WORDS {
            let message = format!(
                "expected at most {MAX_DA_WORDS} published words, got {words} for {} transactions",
                batch.transactions.len()
            );
            run.reject_batch("transactions", ReasonCode::BatchTooLarge, message);
        }
        if batch.fee_accounts.len() > MAX_FEE_ACCOUNTS {
            let message =
                format!("expected at most {MAX_FEE_ACCOUNTS} accounts, got {}", batch.fee_accounts.len());
            run.reject_batch("fee_accounts", ReasonCode::FeeAccountTooMany, message);
        }
        for (place, index) in batch.fee_accounts.iter().copied().enumerate().take(MAX_FEE_ACCOUNTS) {
            let field = format!("fee_accounts[{place}]");
            let Some(token) = run.state.account(index).map(|account| account.token) else {
                let message = run.unknown_account(index);
                run.reject_batch(&field, ReasonCode::FeeAccountUnknown, message);
                continue;
            };
            let other = run.fee_accounts.get(&token).map(|account| account.index);
            if let Some(other) = other {
                let message =
                    format!("expected distinct tokens, got token {token} in accounts {other} and {index}");
                run.reject_batch(&field, ReasonCode::FeeAccountDuplicate, message);
            } else {
                run.fee_accounts.insert(token, FeeAccount { place, index, fees: Some(0) });
            }
        }
        run
    }

    fn reject_batch(&mut self, field: &str, reason: ReasonCode, message: String) {
        self.rejections.push(Rejection::of_batch(field, reason, message));
    }

    fn unknown_account(&self, index: u32) -> String {
        format!("expected one of the {} accounts, got {index}", self.state.next_index())
    }

    /// Applies a transfer, or notes everything that is wrong with it and leaves the state as it is.
    fn transfer(
        &mut self,
        index: usize,
        transaction: &Transaction,
        signature: Option<&Rejection>,
    ) -> Option<TransactionWitness> {
        let before = self.rejections.len();
        let rejections = &mut self.rejections;
        let mut reject = |field: &str, reason: ReasonCode, message: String| {
            rejections.push(Rejection { transaction: Some(index), field: field.to_owned(), reason, message });
        };

        if transaction.kind != KIND_TRANSFER {
            let message = format!("expected {KIND_TRANSFER}, got {}", transaction.kind);
            reject("kind", ReasonCode::KindUnknown, message);
        }
        if self.batch.timestamp > transaction.valid_until {
            let message = format!(
                "expected at least the batch's timestamp {}, got {}",
                self.batch.timestamp, transaction.valid_until
            );
            reject("valid_until", ReasonCode::Expired, message);
        }
        let mut value = |field: &str, value: Result<u128, FloatError>| {
            value
                .map_err(|error| {
                    let reason = match error {
                        FloatError::NotCanonical { .. } => ReasonCode::FloatNotCanonical,
                        _ => ReasonCode::FloatOutOfRange,
                    };
                    reject(field, reason, error.to_string());
                })
                .ok()
        };
        let amount = value("amount", transaction.amount.value());
        let fee = value("fee", transaction.fee.value());
        let sender = self.state.account(transaction.from).copied();
        let receiver = self.state.account(transaction.to).copied();
        for (field, index, account) in
            [("from", transaction.from, &sender), ("to", transaction.to, &receiver)]
        {
            match account {
                None => {
                    let message =
                        format!("expected one of the {} accounts, got {index}", self.state.next_index());
                    reject(field, ReasonCode::AccountUnknown, message);
                }
                Some(account) if account.token != transaction.token => {
                    let message = format!(
                        "expected token {}, got token {} in account {index}",
                        transaction.token, account.token
                    );
                    reject(field, ReasonCode::TokenMismatch, message);
                }
                Some(_) => {}
            }
        }
        if let Some(fee) = fee.filter(|fee| *fee > 0)
            && !self.fee_accounts.contains_key(&transaction.token)
        {
            let message =
                format!("expected a fee account for token {} or no fee, got {fee}", transaction.token);
            reject("fee", ReasonCode::FeeAccountMissing, message);
        }
        if let Some(sender) = &sender {
            if transaction.nonce != sender.nonce {
                let message = format!("expected {}, got {}", sender.nonce, transaction.nonce);
                reject("nonce", ReasonCode::NonceMismatch, message);
            }
            if sender.nonce >= NONCE_LIMIT {
                let message = format!("expected a nonce below {NONCE_LIMIT}, got {}", sender.nonce);
                reject("nonce", ReasonCode::NonceExhausted, message);
            }
        }
        let (Some(amount), Some(fee), Some(sender), Some(receiver)) = (amount, fee, sender, receiver) else {
            return None;
        };

        let left = amount.checked_add(fee).and_then(|total| sender.balance.checked_sub(total));
        let Some(left) = left else {
            let message = format!("expected at most the balance {}, got {amount} + {fee}", sender.balance);
            reject("amount", ReasonCode::BalanceInsufficient, message);
            self.rejections.extend(signature.cloned());
            return None;
        };
        let debited = Account { nonce: sender.nonce.saturating_add(1), balance: left, ..sender };
        let receiver = if transaction.to == transaction.from { debited } else { receiver };
        let Some(balance) = receiver.balance.checked_add(amount) else {
            let message = format!("expected a balance below 2^128, got {} + {amount}", receiver.balance);
            reject("amount", ReasonCode::BalanceOverflow, message);
            self.rejections.extend(signature.cloned());
            return None;
        };
        self.rejections.extend(signature.cloned());
        if self.rejections.len() > before {
            return None;
        }

        let sender = self.state.update(transaction.from, debited)?;
        let receiver = self.state.update(transaction.to, Account { balance, ..receiver })?;
        if let Some(account) = self.fee_accounts.get_mut(&transaction.token) {
            account.fees = account.fees.and_then(|fees| fees.checked_add(fee));
        }
        Some(TransactionWitness { transaction: *transaction, sender, receiver })
    }

    /// Credits the fees of a chunk at its end, to each fee account in the order of the header.
    fn credit_fees(&mut self) -> [Option<AccountAccess>; MAX_FEE_ACCOUNTS] {
        let mut accesses = [const { None }; MAX_FEE_ACCOUNTS];
        let mut credits: Vec<_> = self
            .fee_accounts
            .values_mut()
            .map(|account| (account.place, account.index, account.fees.replace(0)))
            .collect();
        credits.sort_unstable();
        for (place, index, fees) in credits {
            let Some(account) = self.state.account(index).copied() else { continue };
            let Some(balance) = fees.and_then(|fees| account.balance.checked_add(fees)) else {
                let message = format!(
                    "expected a balance of account {index} below 2^128, got {} and the fees of a chunk",
                    account.balance
                );
                self.reject_batch(&format!("fee_accounts[{place}]"), ReasonCode::FeeOverflow, message);
                continue;
            };
            let access = self.state.update(index, Account { balance, ..account });
            if let Some(slot) = accesses.get_mut(place) {
                *slot = access;
            }
        }
        accesses
    }
}

/// Rebuilds the state from an earlier one and the batches since, in order: what a service does at its start.
///
/// # Errors
/// With what is wrong with the first batch that isn't valid.
pub fn replay<'a>(
    state: &State,
    domain: Fr,
    batches: impl IntoIterator<Item = (&'a Batch, usize)>,
) -> Result<State, BatchError> {
    let mut state = state.clone();
    for (batch, chunk_capacity) in batches {
        state = execute(&state, domain, batch, chunk_capacity)?.state;
    }
    Ok(state)
}
