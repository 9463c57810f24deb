//! JSON values that know where they are, and their reading.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Number;
use thiserror::Error;

use crate::rollup::{
    Address, AmountCode, FeeCode, Fr, L1Operation, PublicKey, Recipient, Signature, Transaction,
    field::{self, FieldError},
    state::StateError,
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
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// What error messages say of a value.
    pub(super) fn describe(&self) -> String {
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
pub(super) struct Node {
    path: String,
    pub(super) value: Value,
}

impl Node {
    pub(super) fn parse(text: &str) -> Result<Self, JsonError> {
        let value =
            serde_json::from_str(text).map_err(|error| JsonError::Syntax { message: error.to_string() })?;
        Ok(Self { path: String::new(), value })
    }

    /// The path for people.
    pub(super) fn place(&self) -> String {
        if self.path.is_empty() { "document".to_owned() } else { self.path.clone() }
    }

    pub(super) fn unexpected(&self, expected: impl Into<String>) -> JsonError {
        JsonError::Unexpected { path: self.place(), expected: expected.into(), actual: self.value.describe() }
    }

    /// The values of exactly these names; those in `optional` may be missing or null.
    pub(super) fn object<const N: usize, const M: usize>(
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

    pub(super) fn list<T>(self, read: impl Fn(Self) -> Result<T, JsonError>) -> Result<Vec<T>, JsonError> {
        let Value::List(items) = self.value else {
            return Err(self.unexpected("a list"));
        };
        let nodes = items.into_iter().enumerate();
        nodes.map(|(index, value)| read(Self { path: format!("{}[{index}]", self.path), value })).collect()
    }

    pub(super) fn text<T>(
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
    pub(super) fn number<T: TryFrom<u64>>(self) -> Result<T, JsonError> {
        let value = match &self.value {
            Value::Number(number) => number.as_u64(),
            _ => None,
        };
        value
            .and_then(|value| T::try_from(value).ok())
            .ok_or_else(|| self.unexpected(format!("a number from 0 to 2^{} - 1", 8 * size_of::<T>())))
    }

    /// An integer as a decimal string or a number.
    pub(super) fn integer<T: TryFrom<u128>>(self) -> Result<T, JsonError> {
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

    pub(super) fn element(self) -> Result<Fr, JsonError> {
        self.text("a field element as a hex string", field::from_hex)
    }

    pub(super) fn address(self) -> Result<Address, JsonError> {
        self.text("an address as a hex string", Address::from_hex)
    }

    pub(super) fn public_key(self) -> Result<PublicKey, JsonError> {
        let ([x, y], []) = self.object(["x", "y"], [])?;
        Ok(PublicKey { x: x.element()?, y: y.element()? })
    }

    pub(super) fn signature(self) -> Result<Signature, JsonError> {
        let ([r8x, r8y, s], []) = self.object(["r8x", "r8y", "s"], [])?;
        Ok(Signature {
            r8x: r8x.element()?,
            r8y: r8y.element()?,
            s: s.text("an integer as a decimal string", field::bigint_from_decimal)?,
        })
    }

    pub(super) fn transaction(self) -> Result<Transaction, JsonError> {
        let ([kind, from, to, token, nonce, amount, fee, valid_until, signature], [opens]) = self.object(
            ["kind", "from", "to", "token", "nonce", "amount", "fee", "valid_until", "signature"],
            ["opens"],
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
            opens: opens.map(Node::recipient).transpose()?,
            signature: signature.signature()?,
        })
    }

    pub(super) fn recipient(self) -> Result<Recipient, JsonError> {
        let ([key, owner], []) = self.object(["key", "owner"], [])?;
        Ok(Recipient { key: key.public_key()?, owner: owner.address()? })
    }

    /// An operation, told by its `type`.
    pub(super) fn l1_operation(self) -> Result<L1Operation, JsonError> {
        let names = match &self.value {
            Value::Object(entries) => entries.iter().find(|(name, _)| name == "type"),
            _ => return Err(self.unexpected("an object")),
        };
        let is_exit = match names {
            None => return Err(JsonError::Missing { path: self.place(), name: "type".to_owned() }),
            Some((_, Value::Text(name))) if name == "deposit" => false,
            Some((_, Value::Text(name))) if name == "forced_exit" => true,
            Some((_, value)) => {
                return Err(JsonError::Unexpected {
                    path: format!("{}.type", self.path),
                    expected: "deposit or forced_exit".to_owned(),
                    actual: value.describe(),
                });
            }
        };
        if is_exit {
            let ([_, index, owner], []) = self.object(["type", "index", "owner"], [])?;
            return Ok(L1Operation::ForcedExit { index: index.number()?, owner: owner.address()? });
        }
        let ([_, token, amount, recipient, to], []) =
            self.object(["type", "token", "amount", "recipient", "to"], [])?;
        Ok(L1Operation::Deposit {
            token: token.number()?,
            amount: amount.integer()?,
            recipient: recipient.recipient()?,
            to: to.number()?,
        })
    }
}
