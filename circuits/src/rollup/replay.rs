//! Rebuilding the state from published data: the DA words of a batch and the operations that it consumed from the
//! contract's queue, without signatures. The same effects as [`execute`](super::execute), from less.
//!
//! Whatever can be proven is replayed, or a state on L1 could be one that nobody can rebuild. So operations are also
//! taken in a chunk after one with transactions: that none remains then is a rule for whoever cuts the chunks, which a
//! proof of one chunk doesn't show.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{
    Account, AmountCode, FeeCode, Fr, L1Operation, MAX_FEE_ACCOUNTS, NO_ACCOUNT, NONCE_LIMIT, Recipient,
    State,
    float::FloatError,
    pubdata::{RECORD_BITS, TAG_BATCH, TAG_CHUNK, Withdrawal},
    transaction::{KIND_OPEN, KIND_TRANSFER, KIND_WITHDRAW, L1OperationError},
    transition::{Effect, deposit, forced_exit},
    words::{Bits, WordError, WordReader},
};

/// Data that no proven batch published; the fault of whoever did.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// The words aren't those of a batch.
    #[error(transparent)]
    Words(#[from] WordError),
    /// The chunks consume another number of operations.
    #[error("expected {actual} operations from the queue, as there are, got chunks that consume {expected}")]
    Operations {
        /// Operations that the chunks count.
        expected: usize,
        /// Operations given.
        actual: usize,
    },
    /// An operation that the queue can't hold.
    #[error("operation {index}: {error}")]
    Operation {
        /// Position among the batch's operations.
        index: usize,
        /// Expected and actual.
        error: L1OperationError,
    },
    /// A transaction that isn't valid.
    #[error("transaction {index}: {error}")]
    Transaction {
        /// Position in the batch.
        index: usize,
        /// What is wrong.
        error: RecordError,
    },
    /// A chunk's fee accounts or fees aren't valid.
    #[error("chunk {chunk}: {error}")]
    Fees {
        /// Position of the chunk.
        chunk: usize,
        /// What is wrong.
        error: RecordError,
    },
}

/// Why a transaction's record or a chunk's fees can't be executed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// No such kind.
    #[error("expected a known kind, got {0}")]
    Kind(u8),
    /// A field that the kind doesn't use isn't 0, or one that it needs is.
    #[error("expected other fields for kind {kind}, got to = {to} and amount code {amount}")]
    Fields {
        /// The kind.
        kind: u8,
        /// The receiver.
        to: u32,
        /// The amount's code.
        amount: u64,
    },
    /// Amount or fee is no code.
    #[error(transparent)]
    Float(#[from] FloatError),
    /// The account doesn't exist.
    #[error("expected an account at index {0}, got none")]
    Account(u32),
    /// Sender and receiver, or two fee accounts, hold the wrong tokens.
    #[error("expected other tokens in accounts {0} and {1}")]
    Tokens(u32, u32),
    /// The nonce can't rise.
    #[error("expected a nonce below {NONCE_LIMIT} in account {0}")]
    Nonce(u32),
    /// A balance would fall below 0 or pass 2^128.
    #[error("expected a balance from 0 to 2^128 - 1 in account {0}")]
    Balance(u32),
    /// No index is left.
    #[error("expected an index for the new account, got none")]
    Full,
    /// A fee in a token without fee account.
    #[error("expected a fee account for token {0}, got none")]
    FeeAccount(u32),
}

/// A batch that was replayed.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The state after it.
    pub state: State,
    /// Its number.
    pub number: u64,
    /// Its timestamp, in Unix seconds.
    pub timestamp: u32,
    /// Its chunks.
    pub chunks: usize,
    /// Its transactions.
    pub transactions: usize,
    /// What it pays on L1, in the order of the L1 stream.
    pub withdrawals: Vec<Withdrawal>,
}

/// Executes a batch from its DA words and all the operations that it consumed. Whether the words are those that a
/// proof is about, and the operations those of the queue, is for the caller to know; the state that comes out shows
/// it too.
///
/// # Errors
/// When these can't be the data of a valid batch.
pub fn replay(state: &State, da_words: &[Fr], operations: &[L1Operation]) -> Result<Replay, ReplayError> {
    let mut reader = WordReader::new(da_words);
    let mut header = reader.tagged(TAG_BATCH, "a batch's header")?;
    // 64 bits.
    let (number, timestamp) = (header.take(64) as u64, header.take_u32());
    header.finish("a batch's header")?;
    let replay = Replay {
        state: state.clone(),
        number,
        timestamp,
        chunks: 0,
        transactions: 0,
        withdrawals: Vec::new(),
    };
    let mut run = Run { replay, operations, consumed: 0 };
    loop {
        run.chunk(&mut reader)?;
        if reader.is_at_end() {
            break;
        }
    }
    reader.finish()?;
    if run.consumed != operations.len() {
        return Err(ReplayError::Operations { expected: run.consumed, actual: operations.len() });
    }
    Ok(run.replay)
}

struct Record {
    kind: u8,
    from: u32,
    to: u32,
    amount: AmountCode,
    fee: FeeCode,
}

impl Record {
    fn read(bits: &mut Bits) -> Self {
        let (kind, from, to) = (bits.take(4) as u8, bits.take_u32(), bits.take_u32());
        let (amount, fee) = (AmountCode(bits.take(40) as u64), FeeCode(bits.take(16) as u16));
        Self { kind, from, to, amount, fee }
    }
}

struct Run<'a> {
    replay: Replay,
    operations: &'a [L1Operation],
    consumed: usize,
}

impl Run<'_> {
    fn chunk(&mut self, reader: &mut WordReader<'_>) -> Result<(), ReplayError> {
        let chunk = self.replay.chunks;
        let mut header = reader.tagged(TAG_CHUNK, "a chunk's header")?;
        let [operations, transactions] = [header.take(16) as usize, header.take(16) as usize];
        let fee_accounts: [u32; MAX_FEE_ACCOUNTS] = std::array::from_fn(|_| header.take_u32());
        header.finish("a chunk's header")?;
        let records = read_records(reader, transactions)?;
        let opens = records
            .iter()
            .filter(|record| record.kind == KIND_OPEN)
            .map(|_| reader.open())
            .collect::<Result<Vec<_>, _>>()?;

        let end = self.consumed + operations;
        let Some(consumed) = self.operations.get(self.consumed..end) else {
            return Err(ReplayError::Operations { expected: end, actual: self.operations.len() });
        };
        for (index, operation) in (self.consumed..).zip(consumed) {
            self.operation(index, operation)?;
        }
        self.consumed = end;
        let mut opens = opens.into_iter();
        let mut fees = BTreeMap::new();
        for record in &records {
            let opened = if record.kind == KIND_OPEN { opens.next() } else { None };
            let index = self.replay.transactions;
            let (token, fee) = self
                .transaction(record, opened)
                .map_err(|error| ReplayError::Transaction { index, error })?;
            let sum = fees.entry(token).or_insert(Some(0_u128));
            *sum = sum.and_then(|sum| sum.checked_add(fee));
            self.replay.transactions += 1;
        }
        self.credit(&fee_accounts, fees).map_err(|error| ReplayError::Fees { chunk, error })?;
        self.replay.chunks += 1;
        Ok(())
    }

    fn operation(&mut self, index: usize, operation: &L1Operation) -> Result<(), ReplayError> {
        operation.check().map_err(|error| ReplayError::Operation { index, error })?;
        let replay = &mut self.replay;
        match operation {
            L1Operation::Deposit { token, amount, recipient, to } => {
                match deposit(&replay.state, *token, *amount, recipient, *to) {
                    Effect::Open(account) => drop(replay.state.open(account)),
                    Effect::Update(index, account) => drop(replay.state.update(index, account)),
                    Effect::None(..) => {
                        let (token, owner, amount) = (*token, recipient.owner, *amount);
                        replay.withdrawals.push(Withdrawal { token, owner, amount });
                    }
                }
            }
            L1Operation::ForcedExit { index, owner } => {
                if let Effect::Update(index, account) = forced_exit(&replay.state, *index, owner)
                    && let Some(access) = replay.state.update(index, account)
                {
                    let (token, amount) = (access.before.token, access.before.balance);
                    replay.withdrawals.push(Withdrawal { token, owner: *owner, amount });
                }
            }
        }
        Ok(())
    }

    /// Executes a record; returns token and value of its fee.
    fn transaction(
        &mut self,
        record: &Record,
        opened: Option<(u32, Recipient)>,
    ) -> Result<(u32, u128), RecordError> {
        let Record { kind, from, to, .. } = *record;
        let (amount, fee) = (record.amount.value()?, record.fee.value()?);
        let fields = match kind {
            KIND_TRANSFER => true,
            KIND_WITHDRAW => to == 0 && amount > 0,
            KIND_OPEN => to == 0 && record.amount.0 == 0,
            _ => return Err(RecordError::Kind(kind)),
        };
        if !fields {
            return Err(RecordError::Fields { kind, to, amount: record.amount.0 });
        }
        let state = &mut self.replay.state;
        let account = |state: &State, index| state.account(index).copied().ok_or(RecordError::Account(index));
        let sender = account(state, from)?;
        let total = amount.checked_add(fee).ok_or(RecordError::Balance(from))?;
        let balance = sender.balance.checked_sub(total).ok_or(RecordError::Balance(from))?;
        if sender.nonce >= NONCE_LIMIT {
            return Err(RecordError::Nonce(from));
        }
        state.update(from, Account { balance, nonce: sender.nonce + 1, ..sender });
        match opened {
            Some((token, Recipient { key, owner })) => {
                let opened = state.open(Account { token, nonce: 0, balance: 0, key, owner });
                opened.ok_or(RecordError::Full)?;
            }
            None if kind == KIND_WITHDRAW => {
                let withdrawal = Withdrawal { token: sender.token, owner: sender.owner, amount };
                self.replay.withdrawals.push(withdrawal);
            }
            None => {
                let receiver = account(state, to)?;
                if receiver.token != sender.token {
                    return Err(RecordError::Tokens(from, to));
                }
                let balance = receiver.balance.checked_add(amount).ok_or(RecordError::Balance(to))?;
                state.update(to, Account { balance, ..receiver });
            }
        }
        Ok((sender.token, fee))
    }

    fn credit(
        &mut self,
        fee_accounts: &[u32; MAX_FEE_ACCOUNTS],
        mut fees: BTreeMap<u32, Option<u128>>,
    ) -> Result<(), RecordError> {
        let mut tokens = BTreeMap::new();
        for index in fee_accounts.iter().copied().filter(|index| *index != NO_ACCOUNT) {
            let state = &mut self.replay.state;
            let account = *state.account(index).ok_or(RecordError::Account(index))?;
            if let Some(other) = tokens.insert(account.token, index) {
                return Err(RecordError::Tokens(other, index));
            }
            let fee = fees.remove(&account.token).unwrap_or(Some(0));
            let balance = fee.and_then(|fee| account.balance.checked_add(fee));
            let balance = balance.ok_or(RecordError::Balance(index))?;
            state.update(index, Account { balance, ..account });
        }
        match fees.into_iter().find(|(_, fee)| *fee != Some(0)) {
            Some((token, _)) => Err(RecordError::FeeAccount(token)),
            None => Ok(()),
        }
    }
}

fn read_records(reader: &mut WordReader<'_>, count: usize) -> Result<Vec<Record>, WordError> {
    const WHAT: &str = "a word of records";
    let mut records = Vec::new();
    while records.len() < count {
        let mut bits = reader.next(WHAT)?;
        records.push(Record::read(&mut bits));
        if records.len() < count {
            records.push(Record::read(&mut bits));
        }
        bits.finish(WHAT)?;
    }
    Ok(records)
}

const _: () = assert!(RECORD_BITS == 4 + 32 + 32 + 40 + 16, "a record is read whole");
