//! The key that pays on L1, and the transactions that it signs.

use std::{fmt, path::Path};

use alloy::{
    consensus::{
        SignableTransaction, Signed, Transaction, TxEip1559, TxEip4844, TxEip4844Variant, TxEnvelope,
    },
    eips::{
        eip2718::{Decodable2718, Encodable2718},
        eip7594::{BlobTransactionSidecarEip7594, BlobTransactionSidecarVariant},
    },
    primitives::{Address, B256, Bytes, Signature, TxKind},
    signers::{SignerSync, local::PrivateKeySigner},
};

use super::{
    L1Error,
    chain::{Message, Prices},
};

/// The first development account of anvil and hardhat, whose key everybody knows.
const DEVELOPMENT_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// The environment variable with the hex private key that pays on L1.
pub const KEY_VARIABLE: &str = "TENON_L1_PRIVATE_KEY";

/// Part of the estimate that is added to a transaction's gas limit: one in this many.
const GAS_MARGIN: u64 = 5;

/// Most gas that a transaction may use (EIP-7825).
const MAX_GAS: u64 = 1 << 24;

/// The gas limit of a transaction that is estimated to use so much.
#[must_use]
pub fn gas_limit(estimate: u64) -> u64 {
    (estimate + estimate / GAS_MARGIN).min(MAX_GAS.max(estimate))
}

/// A private key on L1. Neither `Debug` nor an error shows it.
#[derive(Clone)]
pub struct L1Key(PrivateKeySigner);

impl fmt::Debug for L1Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L1Key({})", self.address())
    }
}

impl L1Key {
    /// The well-known first key of development nodes.
    ///
    /// # Errors
    /// Never, but for a bug.
    pub fn development() -> Result<Self, L1Error> {
        Self::from_hex(DEVELOPMENT_KEY)
    }

    /// A new key.
    #[must_use]
    pub fn random() -> Self {
        Self(PrivateKeySigner::random())
    }

    /// The key of a file or, without one, of the environment's [`KEY_VARIABLE`]; none where neither names one.
    ///
    /// # Errors
    /// When the file can't be read, or either holds something else than 32 bytes in hexadecimal.
    pub fn named(file: Option<&Path>) -> Result<Option<Self>, L1Error> {
        match file {
            Some(path) => Self::from_file(path).map(Some),
            None => std::env::var(KEY_VARIABLE).ok().map(|text| Self::from_hex(&text)).transpose(),
        }
    }

    /// Reads a file with 32 bytes in hexadecimal.
    ///
    /// # Errors
    /// When the file can't be read or holds something else.
    pub fn from_file(path: &Path) -> Result<Self, L1Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| L1Error::Key(format!("{}: {error}", path.display())))?;
        Self::from_hex(&text)
    }

    /// Reads 32 bytes in hexadecimal.
    ///
    /// # Errors
    /// When the text is something else.
    pub fn from_hex(text: &str) -> Result<Self, L1Error> {
        // The parser's own message could show the key.
        let refuse = |_| L1Error::Key("expected 32 bytes in hexadecimal, found something else".to_owned());
        text.trim().parse().map(Self).map_err(refuse)
    }

    /// The account that it pays from.
    #[must_use]
    pub fn address(&self) -> Address {
        self.0.address()
    }

    /// Signs a transaction: one of EIP-1559, or with blobs one of EIP-4844.
    ///
    /// # Errors
    /// When blobs come without a contract to call.
    pub fn sign(&self, transaction: Unsigned<'_>) -> Result<SignedTransaction, L1Error> {
        let Unsigned { chain_id, nonce, gas_limit, bid, message, sidecar } = transaction;
        let envelope: TxEnvelope = match sidecar {
            None => {
                let transaction = TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: bid.gas,
                    max_priority_fee_per_gas: bid.priority,
                    to: message.to.map_or(TxKind::Create, TxKind::Call),
                    value: message.value,
                    access_list: Default::default(),
                    input: message.data.clone(),
                };
                self.signed(transaction)?.into()
            }
            Some(sidecar) => {
                let to = message
                    .to
                    .ok_or_else(|| L1Error::Key("a transaction with blobs can't create a contract".into()))?;
                let transaction = TxEip4844 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: bid.gas,
                    max_priority_fee_per_gas: bid.priority,
                    max_fee_per_blob_gas: bid.blob,
                    to,
                    value: message.value,
                    access_list: Default::default(),
                    blob_versioned_hashes: message.blob_hashes.clone(),
                    input: message.data.clone(),
                };
                let sidecar = BlobTransactionSidecarVariant::Eip7594(sidecar);
                let transaction = TxEip4844Variant::TxEip4844WithSidecar(transaction.with_sidecar(sidecar));
                self.signed(transaction)?.into()
            }
        };
        Ok(SignedTransaction { hash: *envelope.tx_hash(), nonce, raw: envelope.encoded_2718().into() })
    }

    /// Signs a transaction once more with another bid; nonce and all else are as they were.
    ///
    /// # Errors
    /// When the bytes aren't a transaction that [`L1Key::sign`] made.
    pub fn sign_again(&self, raw: &[u8], bid: Bid) -> Result<SignedTransaction, L1Error> {
        let envelope: TxEnvelope = match decode(raw)? {
            TxEnvelope::Eip1559(signed) => {
                let mut transaction = signed.strip_signature();
                transaction.max_fee_per_gas = bid.gas;
                transaction.max_priority_fee_per_gas = bid.priority;
                self.signed(transaction)?.into()
            }
            TxEnvelope::Eip4844(signed) => {
                let mut transaction = signed.strip_signature();
                let inner: &mut TxEip4844 = transaction.as_mut();
                inner.max_fee_per_gas = bid.gas;
                inner.max_priority_fee_per_gas = bid.priority;
                inner.max_fee_per_blob_gas = bid.blob;
                self.signed(transaction)?.into()
            }
            _ => return Err(L1Error::Key("expected a transaction of this service".to_owned())),
        };
        let nonce = envelope.nonce();
        Ok(SignedTransaction { hash: *envelope.tx_hash(), nonce, raw: envelope.encoded_2718().into() })
    }

    fn signed<T: SignableTransaction<Signature>>(&self, transaction: T) -> Result<Signed<T>, L1Error> {
        let signature = self.0.sign_hash_sync(&transaction.signature_hash());
        let signature = signature.map_err(|_| L1Error::Key("signing failed".to_owned()))?;
        Ok(transaction.into_signed(signature))
    }
}

/// The most that a transaction pays, in wei a unit of gas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bid {
    /// For gas in all.
    pub gas: u128,
    /// To those who include it.
    pub priority: u128,
    /// For blob gas.
    pub blob: u128,
}

impl Bid {
    /// A bid that stays good while prices double.
    #[must_use]
    pub fn asked(prices: Prices, has_blobs: bool) -> Self {
        let blob = if has_blobs { (prices.blob * 2).max(1) } else { 0 };
        Self { gas: prices.base * 2 + prices.priority, priority: prices.priority, blob }
    }

    /// A bid that nodes take in place of this one, and that stays good as `asked` does: they want an eighth more, and
    /// twice as much with blobs.
    #[must_use]
    pub fn raised(self, asked: Self) -> Self {
        let has_blobs = self.blob > 0;
        let raise = |price: u128| if has_blobs { price * 2 } else { price + price / 4 + 1 };
        let gas = raise(self.gas).max(asked.gas);
        let priority = raise(self.priority).max(asked.priority).min(gas);
        let blob = if has_blobs { raise(self.blob).max(asked.blob) } else { 0 };
        Self { gas, priority, blob }
    }

    /// The same, no price above `most`.
    #[must_use]
    pub fn limited(self, most: u128) -> Self {
        Self { gas: self.gas.min(most), priority: self.priority.min(most), blob: self.blob.min(most) }
    }

    /// The bid of a signed transaction.
    ///
    /// # Errors
    /// When the bytes aren't a transaction.
    pub fn of(raw: &[u8]) -> Result<Self, L1Error> {
        let envelope = decode(raw)?;
        Ok(Self {
            gas: envelope.max_fee_per_gas(),
            priority: envelope.max_priority_fee_per_gas().unwrap_or_default(),
            blob: envelope.max_fee_per_blob_gas().unwrap_or_default(),
        })
    }
}

fn decode(mut raw: &[u8]) -> Result<TxEnvelope, L1Error> {
    TxEnvelope::decode_2718(&mut raw)
        .map_err(|error| L1Error::Key(format!("a recorded transaction can't be decoded: {error}")))
}

/// A transaction to sign.
#[derive(Clone, Debug)]
pub struct Unsigned<'a> {
    /// The chain that it is for.
    pub chain_id: u64,
    /// Transactions that the account has sent before it.
    pub nonce: u64,
    /// The most gas that it uses.
    pub gas_limit: u64,
    /// What it pays.
    pub bid: Bid,
    /// What it does.
    pub message: &'a Message,
    /// Its blobs with their proofs.
    pub sidecar: Option<BlobTransactionSidecarEip7594>,
}

/// A signed transaction as it goes to the network.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    /// Its hash.
    pub hash: B256,
    /// Its nonce.
    pub nonce: u64,
    /// Its encoding, blobs included.
    pub raw: Bytes,
}

impl fmt::Debug for SignedTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedTransaction({}, nonce {}, {} bytes)", self.hash, self.nonce, self.raw.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        let key = L1Key::development().unwrap();
        let secret = &DEVELOPMENT_KEY[2..];
        assert!(!format!("{key:?}").contains(secret));
        assert_eq!(key.address().to_string(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        let wrong = format!("{secret}00");
        let error = L1Key::from_hex(&wrong).unwrap_err().to_string();
        assert!(!error.contains(secret), "{error}");
    }

    #[test]
    fn a_raised_bid_replaces_the_old_one() {
        let prices = Prices { base: 100, priority: 10, blob: 7 };
        let plain = Bid::asked(prices, false);
        assert_eq!(plain, Bid { gas: 210, priority: 10, blob: 0 });
        assert_eq!(plain.raised(plain), Bid { gas: 263, priority: 13, blob: 0 });
        let blobs = Bid::asked(prices, true);
        assert_eq!(blobs.raised(blobs), Bid { gas: 420, priority: 20, blob: 28 });
        let dearer = Bid::asked(Prices { base: 1_000, priority: 10, blob: 700 }, true);
        assert_eq!(blobs.raised(dearer), Bid { gas: 2_010, priority: 20, blob: 1_400 });
        assert_eq!(dearer.limited(500), Bid { gas: 500, priority: 10, blob: 500 });
        assert_eq!(Bid::asked(Prices { blob: 0, ..prices }, true).blob, 1);
    }

    #[test]
    fn a_gas_limit_has_a_margin_up_to_what_blocks_take() {
        assert_eq!(gas_limit(100), 120);
        assert_eq!(gas_limit(MAX_GAS - 1), MAX_GAS);
        assert_eq!(gas_limit(MAX_GAS + 7), MAX_GAS + 7);
    }

    #[test]
    fn a_key_comes_from_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert!(L1Key::from_file(&path).is_err());
        std::fs::write(&path, format!("{DEVELOPMENT_KEY}\n")).unwrap();
        assert_eq!(L1Key::from_file(&path).unwrap().address(), L1Key::development().unwrap().address());
    }
}
