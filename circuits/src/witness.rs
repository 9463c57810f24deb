//! Everything that the leaf circuit needs to prove a chunk, in native types. All fields are public, so that
//! tests can forge them: only what [`transition::execute`](crate::rollup::transition::execute) makes is known to be valid.

use ark_ff::AdditiveGroup;
use serde::{Deserialize, Serialize};

use crate::{
    public_inputs::{LeafPublicInputs, batch_input},
    rollup::{
        ARITY, Account, Address, AmountCode, DEPTH, FeeCode, Fr, L1Operation, MAX_FEE_ACCOUNTS, NO_ACCOUNT,
        PrivateKey, State, Transaction,
        evaluation::{Evaluations, Points},
        field,
        pubdata::{self, L1Item, Withdrawal},
        state,
        transaction::{KIND_TRANSFER, KIND_WITHDRAW},
        tree::{empty_hashes, root_of_path},
    },
};

/// One chunk of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkWitness {
    /// The rollup's domain.
    #[serde(with = "field::serde_hex")]
    pub domain: Fr,
    /// The batch's number.
    #[serde(with = "field::serde_decimal")]
    pub number: u64,
    /// The batch's timestamp, in Unix seconds.
    pub timestamp: u32,
    /// The commitment before the chunk: 0 exactly for the first chunk of a batch.
    #[serde(with = "field::serde_hex")]
    pub commit_in: Fr,
    /// Where the batch's streams are evaluated; 0 until the batch's data is known.
    pub points: Points,
    /// The evaluations before the chunk: 0 for the first chunk of a batch.
    pub evaluations_in: Evaluations,
    /// Root of the account tree before the chunk.
    #[serde(with = "field::serde_hex")]
    pub root_in: Fr,
    /// Number of accounts before the chunk.
    pub next_index: u32,
    /// The L1 operations, executed first.
    pub operations: Vec<OperationWitness>,
    /// The transactions, unpadded; with the operations at most as many as the circuit's size class has slots.
    pub transactions: Vec<TransactionWitness>,
    /// The accesses that credit the fees at the chunk's end, in order; `None` where the header names no account.
    pub fees: [Option<AccountAccess>; MAX_FEE_ACCOUNTS],
}

/// An L1 operation with the account that it names: for a deposit the one credited, opened, or found not to match;
/// for a forced exit the one emptied. Where the operation has no effect the access changes nothing, and where there
/// is no account it stands on the empty leaf. A deposit that finds the tree full stands on `NO_ACCOUNT`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationWitness {
    /// The operation.
    pub operation: L1Operation,
    /// The account.
    pub account: AccountAccess,
}

/// A transaction with the two accounts that it changes, in the order of the changes: the sender is debited,
/// then the receiver credited in the tree that this leaves. The receiver of a withdraw is the sender again,
/// unchanged; of an open the new account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionWitness {
    /// The transaction.
    pub transaction: Transaction,
    /// Nonce raised, amount and fee debited.
    pub sender: AccountAccess,
    /// Amount credited, or the account opened.
    pub receiver: AccountAccess,
}

/// A change of one account, with its path at that time; the siblings are the same before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountAccess {
    /// The account's index.
    pub index: u32,
    /// Whether there is an account before; without one the leaf is 0, and `before` any account with the key,
    /// owner and token of `after`.
    pub exists_before: bool,
    /// Its content before.
    pub before: Account,
    /// Whether there is an account after.
    pub exists_after: bool,
    /// Its content after.
    pub after: Account,
    /// The three siblings of each node on the way up, ordered by position, the leaf's level first.
    #[serde(with = "field::serde_path")]
    pub siblings: [[Fr; ARITY - 1]; DEPTH],
}

/// The key that signs what needs no signature: padding and L1 operations. Everybody knows it.
pub fn padding_key() -> PrivateKey {
    PrivateKey::from_seed([0; 32])
}

impl ChunkWitness {
    /// A batch of no transactions and no fee accounts on the state without accounts.
    pub fn empty(domain: Fr, number: u64, timestamp: u32) -> Self {
        let state = State::new();
        Self {
            domain,
            number,
            timestamp,
            commit_in: Fr::ZERO,
            points: Points::default(),
            evaluations_in: Evaluations::default(),
            root_in: state.root(),
            next_index: state.next_index(),
            operations: Vec::new(),
            transactions: Vec::new(),
            fees: [const { None }; MAX_FEE_ACCOUNTS],
        }
    }

    /// What fills an unused slot of the circuit: a valid transfer of nothing, signed for this domain by a fixed
    /// key, from an account to itself. It isn't linked to any state.
    pub fn padding_transaction(domain: Fr) -> TransactionWitness {
        let key = padding_key();
        let before =
            Account { token: 0, nonce: 0, balance: 0, key: key.public_key(), owner: Address([1; 20]) };
        let after = Account { nonce: 1, ..before };
        let unsigned = Transaction {
            kind: KIND_TRANSFER,
            from: 0,
            to: 0,
            token: 0,
            nonce: 0,
            amount: AmountCode(0),
            fee: FeeCode(0),
            valid_until: u32::MAX,
            opens: None,
            signature: Default::default(),
        };
        let siblings = std::array::from_fn(|height| [empty_hashes()[height]; ARITY - 1]);
        TransactionWitness {
            transaction: unsigned.signed(&key, domain, &before.recipient()),
            sender: AccountAccess {
                index: 0,
                exists_before: true,
                before,
                exists_after: true,
                after,
                siblings,
            },
            receiver: AccountAccess {
                index: 0,
                exists_before: true,
                before: after,
                exists_after: true,
                after,
                siblings,
            },
        }
    }

    /// The fee accounts as the chunk's header names them.
    pub fn fee_accounts(&self) -> [u32; MAX_FEE_ACCOUNTS] {
        self.fees.each_ref().map(|fee| fee.as_ref().map_or(NO_ACCOUNT, |access| access.index))
    }

    /// All accesses, in order.
    pub fn accesses(&self) -> impl DoubleEndedIterator<Item = &AccountAccess> {
        let operations = self.operations.iter().map(|operation| &operation.account);
        let transactions =
            self.transactions.iter().flat_map(|transaction| [&transaction.sender, &transaction.receiver]);
        operations.chain(transactions).chain(self.fees.iter().flatten())
    }

    /// The DA words that the chunk publishes: the batch's header when it is the first chunk, its own header, the
    /// records, the accounts that transactions open.
    pub fn da_words(&self) -> Vec<Fr> {
        let mut words = Vec::new();
        if self.commit_in == Fr::ZERO {
            words.push(pubdata::batch_header(self.number, self.timestamp));
        }
        // No chunk has more than its header can count; a forged one is wrong either way.
        let (operations, transactions) = (self.operations.len() as u16, self.transactions.len() as u16);
        words.push(pubdata::chunk_header(operations, transactions, self.fee_accounts()));
        let transactions = || self.transactions.iter().map(|slot| &slot.transaction);
        words.extend(pubdata::record_words(transactions()));
        words.extend(pubdata::all_open_words(transactions()));
        words
    }

    /// What the chunk adds to the L1 stream, in order: its operations, each with the withdrawal that it causes, and
    /// the withdrawals of its transactions.
    pub fn l1_items(&self) -> Vec<L1Item> {
        let mut items = Vec::new();
        for operation in &self.operations {
            items.push(L1Item::Operation(operation.operation));
            items.extend(operation.withdrawal().map(L1Item::Withdrawal));
        }
        let transactions = self.transactions.iter();
        items.extend(transactions.filter_map(TransactionWitness::withdrawal).map(L1Item::Withdrawal));
        items
    }

    /// The L1 words that the chunk publishes.
    pub fn l1_words(&self) -> Vec<Fr> {
        self.l1_items().iter().flat_map(L1Item::words).collect()
    }

    /// The account tree's root after the chunk: the one that the last access leaves.
    pub fn root_out(&self) -> Fr {
        self.accesses().next_back().map_or(self.root_in, AccountAccess::root_after)
    }

    /// Number of accounts after the chunk.
    pub fn next_index_out(&self) -> u32 {
        let opened = self.accesses().filter(|access| access.exists_after && !access.exists_before).count();
        // No chunk has that many accesses.
        self.next_index.saturating_add(opened as u32)
    }

    /// What a proof of this chunk exposes, computed from the content without checking it.
    pub fn public_inputs(&self) -> LeafPublicInputs {
        let (da_words, l1_words) = (self.da_words(), self.l1_words());
        LeafPublicInputs {
            domain: self.domain,
            batch: batch_input(self.number, self.timestamp),
            state_in: state::commitment(self.root_in, self.next_index),
            state_out: state::commitment(self.root_out(), self.next_index_out()),
            commit_in: self.commit_in,
            commit_out: pubdata::absorb_chunk(self.commit_in, &da_words, &l1_words),
            points: self.points,
            evaluations_in: self.evaluations_in,
            evaluations_out: self.evaluations_in.absorb(&self.points, &da_words, &l1_words),
        }
    }
}

impl OperationWitness {
    /// The withdrawal that the operation causes: a deposit that changed nothing goes back to its owner, a forced
    /// exit pays what it took from the account.
    pub fn withdrawal(&self) -> Option<Withdrawal> {
        let AccountAccess { before, after, .. } = &self.account;
        match self.operation {
            L1Operation::Deposit { token, amount, recipient, .. } => {
                let refused = before.balance == after.balance;
                refused.then_some(Withdrawal { token, owner: recipient.owner, amount })
            }
            L1Operation::ForcedExit { owner, .. } => {
                let amount = before.balance.checked_sub(after.balance).filter(|amount| *amount > 0)?;
                Some(Withdrawal { token: before.token, owner, amount })
            }
        }
    }
}

impl TransactionWitness {
    /// The withdrawal that the transaction makes; `None` for other kinds, and for an amount that is no code.
    pub fn withdrawal(&self) -> Option<Withdrawal> {
        let Transaction { kind, token, amount, .. } = self.transaction;
        let amount = amount.value().ok().filter(|_| kind == KIND_WITHDRAW)?;
        Some(Withdrawal { token, owner: self.sender.before.owner, amount })
    }
}

impl AccountAccess {
    /// The account tree's root before the access.
    pub fn root_before(&self) -> Fr {
        let leaf = if self.exists_before { self.before.leaf() } else { Fr::ZERO };
        root_of_path(self.index, leaf, &self.siblings)
    }

    /// The account tree's root after the access.
    pub fn root_after(&self) -> Fr {
        let leaf = if self.exists_after { self.after.leaf() } else { Fr::ZERO };
        root_of_path(self.index, leaf, &self.siblings)
    }
}
