//! Transactions and batches.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Fr, Recipient,
    account::Address,
    field::{self, power_of_two},
    float::{AmountCode, FeeCode},
    poseidon,
    signature::{PrivateKey, Signature},
};

/// Kind of a transfer between accounts.
pub const KIND_TRANSFER: u8 = 1;
/// Kind of a payment to the sender's owner on L1.
pub const KIND_WITHDRAW: u8 = 2;
/// Kind that opens an account.
pub const KIND_OPEN: u8 = 3;

/// A transaction signed by the sender's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// What it does; see the `KIND_` constants.
    pub kind: u8,
    /// Index of the sender's account.
    pub from: u32,
    /// Index of the receiver's account; 0 but for a transfer.
    pub to: u32,
    /// Token of sender and receiver; of the new account for an open.
    pub token: u32,
    /// The sender's nonce, below 2^40 - 1.
    #[serde(with = "field::serde_decimal")]
    pub nonce: u64,
    /// Code of the amount paid; 0 for an open.
    pub amount: AmountCode,
    /// Code of the fee paid, in the sender's token.
    pub fee: FeeCode,
    /// The last batch timestamp, in Unix seconds, with which it is valid.
    pub valid_until: u32,
    /// Key and owner of the new account, for an open and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Recipient>,
    /// The sender's signature over [`Transaction::message`].
    pub signature: Signature,
}

impl Transaction {
    /// `kind (8) | from (32) << 8 | to (32) << 40 | token (32) << 72 | nonce (40) << 104 |
    /// amount (40) << 144 | fee (16) << 184 | valid_until (32) << 200`.
    ///
    /// Computed in the field: a part that is wider than its place carries into the next one.
    pub fn word(&self) -> Fr {
        let low = u128::from(self.kind)
            | u128::from(self.from) << 8
            | u128::from(self.to) << 40
            | u128::from(self.token) << 72;
        Fr::from(low)
            + Fr::from(self.nonce) * power_of_two(104)
            + Fr::from(self.amount.0) * power_of_two(144)
            + Fr::from(self.fee.0) * power_of_two(184)
            + Fr::from(self.valid_until) * power_of_two(200)
    }

    /// What the sender signs: `H_5(domain, word, Ax, Ay, owner)` with key and owner of the receiving account for a
    /// transfer, of the new one for an open, of the sender for a withdraw.
    pub fn message(&self, domain: Fr, recipient: &Recipient) -> Fr {
        let Recipient { key, owner } = recipient;
        poseidon::hash_5([domain, self.word(), key.x, key.y, owner.to_field()])
    }

    /// Whose key and owner the sender signs, given the accounts as they are when the transaction is executed; `None`
    /// when they are missing.
    pub fn message_recipient(&self, account: impl Fn(u32) -> Option<Recipient>) -> Option<Recipient> {
        match self.kind {
            KIND_WITHDRAW => account(self.from),
            KIND_OPEN => self.opens,
            _ => account(self.to),
        }
    }

    /// The transaction with the sender's signature for a rollup and this recipient.
    pub fn signed(self, key: &PrivateKey, domain: Fr, recipient: &Recipient) -> Self {
        Self { signature: key.sign(self.message(domain, recipient)), ..self }
    }

    /// The published record of 124 bits: `kind (4) | from (32) << 4 | to (32) << 36 | amount (40) << 68 |
    /// fee (16) << 108`.
    pub fn record(&self) -> Fr {
        let low = u128::from(self.from) << 4 | u128::from(self.to) << 36;
        Fr::from(self.kind)
            + Fr::from(low)
            + Fr::from(self.amount.0) * power_of_two(68)
            + Fr::from(self.fee.0) * power_of_two(108)
    }
}

/// An operation of the contract's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum L1Operation {
    /// Money for an account, or for a new one.
    Deposit {
        /// The token.
        token: u32,
        /// In the token's smallest unit; not 0.
        #[serde(with = "field::serde_decimal")]
        amount: u128,
        /// Key and owner of the account.
        recipient: Recipient,
        /// The account's index, [`NO_ACCOUNT`](super::NO_ACCOUNT) to open a new one.
        to: u32,
    },
    /// Pays an account's whole balance to its owner on L1.
    ForcedExit {
        /// The account's index.
        index: u32,
        /// Who asks; nothing happens unless it is the account's owner.
        owner: Address,
    },
}

impl L1Operation {
    /// Checks what the contract's queue guarantees of what it holds.
    ///
    /// # Errors
    /// With the first thing that isn't so.
    pub fn check(&self) -> Result<(), L1OperationError> {
        match self {
            Self::Deposit { amount: 0, .. } => Err(L1OperationError::AmountZero),
            Self::Deposit { recipient: Recipient { owner, .. }, .. } | Self::ForcedExit { owner, .. }
                if owner.is_zero() =>
            {
                Err(L1OperationError::OwnerZero)
            }
            _ => Ok(()),
        }
    }
}

/// An operation that the contract's queue can't hold; the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum L1OperationError {
    /// A deposit of nothing.
    #[error("expected an amount of at least 1, got 0")]
    AmountZero,
    /// Nobody's.
    #[error("expected an owner that isn't the zero address")]
    OwnerZero,
}

/// L1 operations and transactions that apply together or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Position in the rollup's history; the first is 1.
    #[serde(with = "field::serde_decimal")]
    pub number: u64,
    /// Unix seconds.
    pub timestamp: u32,
    /// Up to [`MAX_FEE_ACCOUNTS`](super::MAX_FEE_ACCOUNTS) accounts with distinct tokens.
    pub fee_accounts: Vec<u32>,
    /// Operations consumed from the contract's queue, in its order, executed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub l1_operations: Vec<L1Operation>,
    /// In the order of execution.
    pub transactions: Vec<Transaction>,
}
