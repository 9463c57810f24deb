//! Documents that people, wallets and sequencers exchange as JSON: batches, genesis files, wallet keys.
//!
//! Field elements are 32-byte big-endian hex, integers wider than 32 bits decimal strings. Unknown and repeated
//! names are refused, and every error says where it is, what was expected and what was there.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Number, json};
use thiserror::Error;

use super::{
    Account, Address, AmountCode, Batch, FeeCode, Fr, PrivateKey, PublicKey, ReasonCode, Signature, State,
    Transaction,
    field::{self, FieldError},
    state::StateError,
    transition::{BatchError, Rejection},
};

/// A document that can't be read; the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    /// Not JSON, or a name twice in one object.
    #[error("not valid JSON: {message}")]
    Syntax {
        /// The parser's message, with line and column.
        message: String,
    },
    /// Something else than expected.
    #[error("{path}: expected {expected}, got {actual}")]
    Unexpected {
        /// Where, such as `transactions[2].fee`; `document` for the whole.
        path: String,
        /// What should be there.
        expected: String,
        /// What is there.
        actual: String,
    },
    /// A value of the right type that isn't an encoding.
    #[error("{path}: {source}")]
    Value {
        /// Where.
        path: String,
        /// Expected and actual.
        source: FieldError,
    },
    /// A name that is missing.
    #[error("{path}: expected the name {name:?}, got none")]
    Missing {
        /// The object.
        path: String,
        /// The name.
        name: String,
    },
    /// A name that nothing knows.
    #[error("{path}: expected only the names {expected}, got {name:?}")]
    Unknown {
        /// The object.
        path: String,
        /// The name.
        name: String,
        /// The names that are known.
        expected: String,
    },
    /// A key file whose public key isn't the seed's.
    #[error("public_key: expected the key of the seed, ({expected}), got ({actual})")]
    KeyMismatch {
        /// The seed's key.
        expected: String,
        /// The file's.
        actual: String,
    },
    /// Accounts that can't be a state.
    #[error("accounts: {0}")]
    State(#[from] StateError),
}

/// A JSON value whose objects keep their order and have no name twice.
enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// What error messages say of a value.
    fn describe(&self) -> String {
        const LIMIT: usize = 100;
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(text) if text.chars().nth(LIMIT).is_some() => {
                format!("the string {:?}...", text.chars().take(LIMIT).collect::<String>())
            }
            Self::Text(text) => format!("the string {text:?}"),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Object(_) => "an object".to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;

        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(Value::Number(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Number(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Value, E> {
                Ok(Value::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Value::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
                /// More names than any of the documents' objects has: refused before the search for repeated
                /// names costs anything.
                const MOST_NAMES: usize = 64;
                let mut entries: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = object.next_entry::<String, Value>()? {
                    if entries.iter().any(|(other, _)| *other == name) {
                        return Err(serde::de::Error::custom(format_args!("the name {name:?} is repeated")));
                    }
                    if entries.len() == MOST_NAMES {
                        return Err(serde::de::Error::custom(format_args!(
                            "an object has more than {MOST_NAMES} names"
                        )));
                    }
                    entries.push((name, value));
                }
                Ok(Value::Object(entries))
            }
        }

        deserializer.deserialize_any(ValueVisitor)
    }
}

/// A value and where it is in its document.
struct Node {
    path: String,
    value: Value,
}

impl Node {
    fn parse(text: &str) -> Result<Self, JsonError> {
        let value =
            serde_json::from_str(text).map_err(|error| JsonError::Syntax { message: error.to_string() })?;
        Ok(Self { path: String::new(), value })
    }

    /// The path for people.
    fn place(&self) -> String {
        if self.path.is_empty() { "document".to_owned() } else { self.path.clone() }
    }

    fn unexpected(&self, expected: impl Into<String>) -> JsonError {
        JsonError::Unexpected { path: self.place(), expected: expected.into(), actual: self.value.describe() }
    }

    /// The values of exactly these names; those in `optional` may be missing or null.
    fn object<const N: usize, const M: usize>(
        self,
        names: [&str; N],
        optional: [&str; M],
    ) -> Result<([Self; N], [Option<Self>; M]), JsonError> {
        let path = self.place();
        let Value::Object(mut entries) = self.value else {
            return Err(self.unexpected("an object"));
        };
        let known = || names.iter().chain(&optional);
        if let Some((name, _)) = entries.iter().find(|(name, _)| !known().any(|known| known == name)) {
            let expected = known().copied().collect::<Vec<_>>().join(", ");
            return Err(JsonError::Unknown { path, name: name.clone(), expected });
        }
        let prefix = if self.path.is_empty() { String::new() } else { format!("{}.", self.path) };
        let mut take = |name: &str| {
            let index = entries.iter().position(|(other, _)| other == name)?;
            Some(Self { path: format!("{prefix}{name}"), value: entries.swap_remove(index).1 })
        };
        let mut missing = None;
        let required = names.map(|name| {
            take(name).unwrap_or_else(|| {
                missing.get_or_insert(name);
                Self { path: String::new(), value: Value::Null }
            })
        });
        let optional = optional.map(|name| take(name).filter(|node| !matches!(node.value, Value::Null)));
        match missing {
            Some(name) => Err(JsonError::Missing { path, name: name.to_owned() }),
            None => Ok((required, optional)),
        }
    }

    fn list<T>(self, read: impl Fn(Self) -> Result<T, JsonError>) -> Result<Vec<T>, JsonError> {
        let Value::List(items) = self.value else {
            return Err(self.unexpected("a list"));
        };
        let nodes = items.into_iter().enumerate();
        nodes.map(|(index, value)| read(Self { path: format!("{}[{index}]", self.path), value })).collect()
    }

    fn text<T>(
        self,
        expected: &str,
        read: impl FnOnce(&str) -> Result<T, FieldError>,
    ) -> Result<T, JsonError> {
        let Value::Text(text) = &self.value else {
            return Err(self.unexpected(expected));
        };
        read(text).map_err(|source| JsonError::Value { path: self.place(), source })
    }

    /// An integer of at most 32 bits, as a number.
    fn number<T: TryFrom<u64>>(self) -> Result<T, JsonError> {
        let value = match &self.value {
            Value::Number(number) => number.as_u64(),
            _ => None,
        };
        value
            .and_then(|value| T::try_from(value).ok())
            .ok_or_else(|| self.unexpected(format!("a number from 0 to 2^{} - 1", 8 * size_of::<T>())))
    }

    /// An integer as a decimal string or a number.
    fn integer<T: TryFrom<u128>>(self) -> Result<T, JsonError> {
        let bits = 8 * size_of::<T>() as u32;
        let expected = format!("an integer from 0 to 2^{bits} - 1, as a decimal string");
        let value = match &self.value {
            Value::Number(number) => number.as_u64().map(u128::from),
            Value::Text(text) => Some(
                field::integer_from_decimal(text, bits)
                    .map_err(|source| JsonError::Value { path: self.place(), source })?,
            ),
            _ => None,
        };
        value.and_then(|value| T::try_from(value).ok()).ok_or_else(|| self.unexpected(expected))
    }

    fn element(self) -> Result<Fr, JsonError> {
        self.text("a field element as a hex string", field::from_hex)
    }

    fn address(self) -> Result<Address, JsonError> {
        self.text("an address as a hex string", Address::from_hex)
    }

    fn public_key(self) -> Result<PublicKey, JsonError> {
        let ([x, y], []) = self.object(["x", "y"], [])?;
        Ok(PublicKey { x: x.element()?, y: y.element()? })
    }

    fn signature(self) -> Result<Signature, JsonError> {
        let ([r8x, r8y, s], []) = self.object(["r8x", "r8y", "s"], [])?;
        Ok(Signature {
            r8x: r8x.element()?,
            r8y: r8y.element()?,
            s: s.text("an integer as a decimal string", field::bigint_from_decimal)?,
        })
    }

    fn transaction(self) -> Result<Transaction, JsonError> {
        let ([kind, from, to, token, nonce, amount, fee, valid_until, signature], []) = self.object(
            ["kind", "from", "to", "token", "nonce", "amount", "fee", "valid_until", "signature"],
            [],
        )?;
        Ok(Transaction {
            kind: kind.number()?,
            from: from.number()?,
            to: to.number()?,
            token: token.number()?,
            nonce: nonce.integer()?,
            amount: AmountCode(amount.integer()?),
            fee: FeeCode(fee.integer()?),
            valid_until: valid_until.number()?,
            opens: None,
            signature: signature.signature()?,
        })
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn public_key_json(key: &PublicKey) -> serde_json::Value {
    json!({ "x": field::to_hex(&key.x), "y": field::to_hex(&key.y) })
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
    /// In the order of execution.
    pub transactions: Vec<Transaction>,
}

impl BatchDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// With the first thing that isn't as it should be.
    pub fn from_json(text: &str) -> Result<Self, JsonError> {
        let ([domain, fee_accounts, transactions], [timestamp]) =
            Node::parse(text)?.object(["domain", "fee_accounts", "transactions"], ["timestamp"])?;
        Ok(Self {
            domain: domain.element()?,
            timestamp: timestamp.map(Node::number).transpose()?,
            fee_accounts: fee_accounts.list(Node::number)?,
            transactions: transactions.list(Node::transaction)?,
        })
    }

    /// Writes the document.
    pub fn to_json(&self) -> String {
        let transactions: Vec<_> = self
            .transactions
            .iter()
            .map(|transaction| {
                json!({
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
                })
            })
            .collect();
        let mut document = json!({
            "domain": field::to_hex(&self.domain),
            "fee_accounts": self.fee_accounts,
            "transactions": transactions,
        });
        if let (Some(timestamp), Some(object)) = (self.timestamp, document.as_object_mut()) {
            object.insert("timestamp".to_owned(), timestamp.into());
        }
        pretty(&document)
    }

    /// The batch with this number, at the document's timestamp or else at this one.
    pub fn into_batch(self, number: u64, timestamp: u32) -> Batch {
        Batch {
            number,
            timestamp: self.timestamp.unwrap_or(timestamp),
            fee_accounts: self.fee_accounts,
            l1_operations: Vec::new(),
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
