//! Accounts: one token held by one key, with the L1 address that may withdraw it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{
    Fr,
    field::{self, FieldError},
    poseidon,
    signature::PublicKey,
};

/// A 160-bit L1 address.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// The address as a field element.
    pub fn to_field(self) -> Fr {
        let mut bytes = [0; 32];
        bytes[12..].copy_from_slice(&self.0);
        // Below 2^160, so the value is reduced.
        field::from_bytes(&bytes).unwrap_or_default()
    }

    /// Whether this is the address that nobody owns.
    pub fn is_zero(self) -> bool {
        self.0 == [0; 20]
    }

    /// Reads `0x` and 40 hex digits.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn from_hex(text: &str) -> Result<Self, FieldError> {
        field::bytes_from_hex(text).map(Self)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::from_hex(&text).map_err(D::Error::custom)
    }
}

/// Key and owner of an account: what a signature names besides an index, which could come to mean another account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// The key that signs the account's transactions.
    pub key: PublicKey,
    /// The non-zero L1 address that may withdraw.
    pub owner: Address,
}

/// An account's content. Several accounts may share token, key and owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The token it holds.
    pub token: u32,
    /// Transactions it has signed, below 2^40.
    #[serde(with = "field::serde_decimal")]
    pub nonce: u64,
    /// Balance in the token's smallest unit.
    #[serde(with = "field::serde_decimal")]
    pub balance: u128,
    /// The key that signs its transactions.
    pub key: PublicKey,
    /// The non-zero L1 address that may withdraw.
    pub owner: Address,
}

impl Account {
    /// `token (32 bits) | nonce (40 bits) << 32`.
    pub fn meta(&self) -> Fr {
        Fr::from(u128::from(self.token) + (u128::from(self.nonce) << 32))
    }

    /// Who a payment to this account reaches.
    pub fn recipient(&self) -> Recipient {
        Recipient { key: self.key, owner: self.owner }
    }

    /// The leaf of the account tree: `H_5(meta, balance, Ax, Ay, owner)`.
    pub fn leaf(&self) -> Fr {
        poseidon::hash_5([self.meta(), Fr::from(self.balance), self.key.x, self.key.y, self.owner.to_field()])
    }
}
