//! Why a batch is refused.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

macro_rules! reason_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why a batch or a transaction is refused. The names of [`ReasonCode::as_str`] are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ReasonCode {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl ReasonCode {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

reason_codes! {
    /// The batch has neither transactions nor L1 operations.
    BatchEmpty = "BATCH_EMPTY",
    /// The batch would publish too many words.
    BatchTooLarge = "BATCH_TOO_LARGE",
    /// The batch's number is 0.
    BatchNumberInvalid = "BATCH_NUMBER_INVALID",
    /// The batch is for another rollup.
    DomainMismatch = "DOMAIN_MISMATCH",
    /// An operation that the contract's queue can't hold.
    L1OperationInvalid = "L1_OPERATION_INVALID",
    /// More fee accounts than a chunk's header holds.
    FeeAccountTooMany = "FEE_ACCOUNT_TOO_MANY",
    /// A fee account doesn't exist, not even at the batch's end.
    FeeAccountUnknown = "FEE_ACCOUNT_UNKNOWN",
    /// Two fee accounts hold the same token.
    FeeAccountDuplicate = "FEE_ACCOUNT_DUPLICATE",
    /// A fee in a token without a fee account at the chunk's end.
    FeeAccountMissing = "FEE_ACCOUNT_MISSING",
    /// A fee account's balance, or a chunk's sum of fees, would pass 2^128.
    FeeOverflow = "FEE_OVERFLOW",
    /// No such kind of transaction.
    KindUnknown = "KIND_UNKNOWN",
    /// A field that the kind doesn't use isn't 0 or absent.
    FieldNotUsed = "FIELD_NOT_USED",
    /// Sender or receiver doesn't exist.
    AccountUnknown = "ACCOUNT_UNKNOWN",
    /// The transaction's token isn't the one that sender or receiver holds.
    TokenMismatch = "TOKEN_MISMATCH",
    /// The nonce isn't the sender's.
    NonceMismatch = "NONCE_MISMATCH",
    /// The sender's nonce can't rise any more.
    NonceExhausted = "NONCE_EXHAUSTED",
    /// The same amount or fee has a shorter code.
    FloatNotCanonical = "FLOAT_NOT_CANONICAL",
    /// An amount's or fee's code or value is too large.
    FloatOutOfRange = "FLOAT_OUT_OF_RANGE",
    /// A withdrawal of nothing.
    AmountZero = "AMOUNT_ZERO",
    /// An open without the new account's key and owner.
    OpensMissing = "OPENS_MISSING",
    /// An account would be opened without owner.
    OwnerZero = "OWNER_ZERO",
    /// No index is left for another account.
    TreeFull = "TREE_FULL",
    /// The batch's timestamp is past the transaction's last.
    Expired = "EXPIRED",
    /// Amount and fee are more than the sender has.
    BalanceInsufficient = "BALANCE_INSUFFICIENT",
    /// The receiver's balance would pass 2^128.
    BalanceOverflow = "BALANCE_OVERFLOW",
    /// The signature isn't one by the sender over this transaction.
    SignatureInvalid = "SIGNATURE_INVALID",
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

    /// Something wrong with a transaction.
    pub fn of_transaction(index: usize, field: &str, reason: ReasonCode, message: String) -> Self {
        Self { transaction: Some(index), ..Self::of_batch(field, reason, message) }
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
