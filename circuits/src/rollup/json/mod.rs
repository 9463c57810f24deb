//! Documents that people, wallets and sequencers exchange as JSON: batches, genesis files, wallet keys.
//!
//! Field elements are 32-byte big-endian hex, integers wider than 32 bits decimal strings. Unknown and repeated
//! names are refused, and every error says where it is, what was expected and what was there.

mod node;

use serde_json::json;

use super::{
    Account, Batch, Fr, L1Operation, PrivateKey, PublicKey, ReasonCode, Recipient, State, Transaction, field,
    transition::{BatchError, Rejection},
};
use node::{Node, Value};

pub use node::JsonError;

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn public_key_json(key: &PublicKey) -> serde_json::Value {
    json!({ "x": field::to_hex(&key.x), "y": field::to_hex(&key.y) })
}

fn recipient_json(recipient: &Recipient) -> serde_json::Value {
    json!({ "key": public_key_json(&recipient.key), "owner": recipient.owner.to_string() })
}

fn transaction_json(transaction: &Transaction) -> serde_json::Value {
    let mut value = json!({
        "kind": transaction.kind,
        "from": transaction.from,
        "to": transaction.to,
        "token": transaction.token,
        "nonce": transaction.nonce.to_string(),
        "amount": transaction.amount.0.to_string(),
        "fee": transaction.fee.0,
        "valid_until": transaction.valid_until,
        "signature": {
            "r8x": field::to_hex(&transaction.signature.r8x),
            "r8y": field::to_hex(&transaction.signature.r8y),
            "s": field::bigint_to_decimal(&transaction.signature.s),
        },
    });
    if let (Some(opens), Some(object)) = (&transaction.opens, value.as_object_mut()) {
        object.insert("opens".to_owned(), recipient_json(opens));
    }
    value
}

fn l1_operation_json(operation: &L1Operation) -> serde_json::Value {
    match operation {
        L1Operation::Deposit { token, amount, recipient, to } => json!({
            "type": "deposit",
            "token": token,
            "amount": amount.to_string(),
            "recipient": recipient_json(recipient),
            "to": to,
        }),
        L1Operation::ForcedExit { index, owner } => {
            json!({ "type": "forced_exit", "index": index, "owner": owner.to_string() })
        }
    }
}

/// A batch as it is submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchDocument {
    /// The rollup that the signatures are for.
    pub domain: Fr,
    /// Unix seconds; the service's clock where it is missing.
    pub timestamp: Option<u32>,
    /// Accounts that get the fees.
    pub fee_accounts: Vec<u32>,
    /// Operations of the contract's queue, executed first; none where the name is missing.
    pub l1_operations: Vec<L1Operation>,
    /// In the order of execution.
    pub transactions: Vec<Transaction>,
}

impl BatchDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// With the first thing that isn't as it should be.
    pub fn from_json(text: &str) -> Result<Self, JsonError> {
        let ([domain, fee_accounts, transactions], [timestamp, l1_operations]) = Node::parse(text)?
            .object(["domain", "fee_accounts", "transactions"], ["timestamp", "l1_operations"])?;
        let l1_operations =
            l1_operations.map(|operations| operations.list(Node::l1_operation)).transpose()?;
        Ok(Self {
            domain: domain.element()?,
            timestamp: timestamp.map(Node::number).transpose()?,
            fee_accounts: fee_accounts.list(Node::number)?,
            l1_operations: l1_operations.unwrap_or_default(),
            transactions: transactions.list(Node::transaction)?,
        })
    }

    /// Writes the document.
    pub fn to_json(&self) -> String {
        let mut document = json!({
            "domain": field::to_hex(&self.domain),
            "fee_accounts": self.fee_accounts,
            "transactions": self.transactions.iter().map(transaction_json).collect::<Vec<_>>(),
        });
        if let Some(object) = document.as_object_mut() {
            if let Some(timestamp) = self.timestamp {
                object.insert("timestamp".to_owned(), timestamp.into());
            }
            if !self.l1_operations.is_empty() {
                let operations = self.l1_operations.iter().map(l1_operation_json).collect();
                object.insert("l1_operations".to_owned(), operations);
            }
        }
        pretty(&document)
    }

    /// The batch with this number, at the document's timestamp or else at this one.
    pub fn into_batch(self, number: u64, timestamp: u32) -> Batch {
        Batch {
            number,
            timestamp: self.timestamp.unwrap_or(timestamp),
            fee_accounts: self.fee_accounts,
            l1_operations: self.l1_operations,
            transactions: self.transactions,
        }
    }
}

/// Checks that a batch is meant for this rollup.
///
/// # Errors
/// With [`ReasonCode::DomainMismatch`] when it isn't.
pub fn check_domain(expected: Fr, actual: Fr) -> Result<(), BatchError> {
    if actual == expected {
        return Ok(());
    }
    let message = format!("expected {}, got {}", field::to_hex(&expected), field::to_hex(&actual));
    let rejection = Rejection::of_batch("domain", ReasonCode::DomainMismatch, message);
    Err(BatchError { rejections: vec![rejection] })
}

/// The accounts that a demonstration starts with, in index order, all with nonce 0:
/// `{accounts: [{token, key: {x, y}, owner, balance}]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Genesis {
    /// The accounts.
    pub accounts: Vec<Account>,
}

impl Genesis {
    /// Reads a genesis file.
    ///
    /// # Errors
    /// With the first thing that isn't as it should be.
    pub fn from_json(text: &str) -> Result<Self, JsonError> {
        let ([accounts], []) = Node::parse(text)?.object(["accounts"], [])?;
        let accounts = accounts.list(|account| {
            let ([token, key, owner, balance], []) =
                account.object(["token", "key", "owner", "balance"], [])?;
            Ok(Account {
                token: token.number()?,
                nonce: 0,
                balance: balance.integer()?,
                key: key.public_key()?,
                owner: owner.address()?,
            })
        })?;
        Ok(Self { accounts })
    }

    /// Writes the file. Nonces aren't written.
    pub fn to_json(&self) -> String {
        let accounts: Vec<_> = self
            .accounts
            .iter()
            .map(|account| {
                json!({
                    "token": account.token,
                    "key": public_key_json(&account.key),
                    "owner": account.owner.to_string(),
                    "balance": account.balance.to_string(),
                })
            })
            .collect();
        pretty(&json!({ "accounts": accounts }))
    }

    /// The state that has these accounts.
    ///
    /// # Errors
    /// When an account can't exist.
    pub fn state(&self) -> Result<State, JsonError> {
        Ok(State::from_accounts(&self.accounts)?)
    }
}

/// A wallet's key file, `{seed, public_key: {x, y}}`. It holds the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// The key.
    pub key: PrivateKey,
}

impl KeyFile {
    /// Reads a key file.
    ///
    /// # Errors
    /// With the first thing that isn't as it should be, never with the seed.
    pub fn from_json(text: &str) -> Result<Self, JsonError> {
        let ([seed, public_key], []) = Node::parse(text)?.object(["seed", "public_key"], [])?;
        let Value::Text(text) = &seed.value else {
            return Err(JsonError::Unexpected {
                path: seed.place(),
                expected: "32 bytes as a hex string".to_owned(),
                actual: "something else".to_owned(),
            });
        };
        let seed = field::bytes_from_hex(text).map_err(|_| JsonError::Unexpected {
            path: seed.place(),
            expected: "32 bytes as a hex string".to_owned(),
            actual: format!("a string of {} characters", text.chars().count()),
        })?;
        let key = PrivateKey::from_seed(seed);
        let (expected, actual) = (key.public_key(), public_key.public_key()?);
        if expected != actual {
            let show = |key: PublicKey| format!("{}, {}", field::to_hex(&key.x), field::to_hex(&key.y));
            return Err(JsonError::KeyMismatch { expected: show(expected), actual: show(actual) });
        }
        Ok(Self { key })
    }

    /// Writes the file.
    pub fn to_json(&self) -> String {
        pretty(&json!({
            "seed": format!("0x{}", hex::encode(self.key.seed())),
            "public_key": public_key_json(&self.key.public_key()),
        }))
    }
}
