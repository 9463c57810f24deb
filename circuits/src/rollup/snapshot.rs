//! Snapshots: a whole state in a file that anybody may keep and nobody need trust.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `TENONSNP` |
//! | 4 | version, 1 |
//! | 32 | domain |
//! | 8 | number of the last batch |
//! | 32 | commitment to the state |
//! | 4 | number of accounts |
//! | 109 each | token (4), nonce (5), balance (16), Ax (32), Ay (32), owner (20) |
//!
//! All integers are big-endian.

use thiserror::Error;

use super::{
    Account, Address, Fr, PublicKey, State,
    field::{self, FieldError},
    state::StateError,
};

const MAGIC: [u8; 8] = *b"TENONSNP";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 8 + 4 + 32 + 8 + 32 + 4;
/// Bytes of one account.
const ACCOUNT_BYTES: usize = 4 + 5 + 16 + 32 + 32 + 20;

/// Bytes that aren't a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// Something else.
    #[error("expected a file starting with TENONSNP, got something else")]
    Magic,
    /// Of another version.
    #[error("expected version {VERSION}, got {actual}")]
    Version {
        /// The file's.
        actual: u32,
    },
    /// Too short or too long.
    #[error("expected {expected} bytes, got {actual}")]
    Length {
        /// By the number of accounts.
        expected: usize,
        /// The file's.
        actual: usize,
    },
    /// A field element that isn't reduced.
    #[error("{place}: {error}")]
    Field {
        /// Where.
        place: String,
        /// Expected and actual.
        error: FieldError,
    },
    /// Accounts that can't be a state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The accounts aren't those of the commitment.
    #[error("expected accounts with the state commitment {expected}, got {actual}")]
    Commitment {
        /// In the header.
        expected: String,
        /// Of the accounts.
        actual: String,
    },
}

/// The state after a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The rollup's domain.
    pub domain: Fr,
    /// Number of the last batch; 0 at genesis.
    pub batch: u64,
    /// The state after it.
    pub state: State,
}

impl Snapshot {
    /// The file's content.
    pub fn to_bytes(&self) -> Vec<u8> {
        let count = self.state.next_index();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + count as usize * ACCOUNT_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_be_bytes());
        bytes.extend(field::to_bytes(&self.domain));
        bytes.extend(self.batch.to_be_bytes());
        bytes.extend(field::to_bytes(&self.state.commitment()));
        bytes.extend(count.to_be_bytes());
        for account in self.state.accounts() {
            let Account { token, nonce, balance, key, owner } = account;
            bytes.extend(token.to_be_bytes());
            bytes.extend(nonce.to_be_bytes().iter().skip(3));
            bytes.extend(balance.to_be_bytes());
            bytes.extend(field::to_bytes(&key.x));
            bytes.extend(field::to_bytes(&key.y));
            bytes.extend(owner.0);
        }
        bytes
    }

    /// Reads a file. Its accounts have the commitment that it names; whether that is the one on L1 is for the caller
    /// to see.
    ///
    /// # Errors
    /// When the bytes aren't exactly a snapshot.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(SnapshotError::Magic);
        }
        let too_short = SnapshotError::Length { expected: HEADER_BYTES, actual: bytes.len() };
        let mut reader = Reader(bytes);
        let header = (|| {
            reader.take::<8>()?;
            let version = u32::from_be_bytes(reader.take()?);
            let (domain, batch) = (reader.take()?, u64::from_be_bytes(reader.take()?));
            let (commitment, count) = (reader.take()?, u32::from_be_bytes(reader.take()?));
            Some((version, domain, batch, commitment, count))
        })();
        let (version, domain, batch, commitment, count) = header.ok_or(too_short)?;
        if version != VERSION {
            return Err(SnapshotError::Version { actual: version });
        }
        let expected = (count as usize).saturating_mul(ACCOUNT_BYTES).saturating_add(HEADER_BYTES);
        if bytes.len() != expected {
            return Err(SnapshotError::Length { expected, actual: bytes.len() });
        }
        let element = |bytes: &[u8; 32], place: &str| {
            let place = place.to_owned();
            field::from_bytes(bytes).map_err(|error| SnapshotError::Field { place, error })
        };
        let domain = element(&domain, "domain")?;
        let commitment = element(&commitment, "commitment")?;
        let mut accounts = Vec::with_capacity(count as usize);
        while let Some(raw) = reader.account() {
            let place = format!("account {}", accounts.len());
            let key = PublicKey { x: element(&raw.x, &place)?, y: element(&raw.y, &place)? };
            let RawAccount { token, nonce, balance, owner, .. } = raw;
            accounts.push(Account { token, nonce, balance, key, owner });
        }
        let state = State::from_accounts(&accounts)?;
        if state.commitment() != commitment {
            let (expected, actual) = (field::to_hex(&commitment), field::to_hex(&state.commitment()));
            return Err(SnapshotError::Commitment { expected, actual });
        }
        Ok(Self { domain, batch, state })
    }
}

struct RawAccount {
    token: u32,
    nonce: u64,
    balance: u128,
    x: [u8; 32],
    y: [u8; 32],
    owner: Address,
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn account(&mut self) -> Option<RawAccount> {
        let token = u32::from_be_bytes(self.take()?);
        let nonce = self.take::<5>()?.iter().fold(0, |nonce, byte| nonce << 8 | u64::from(*byte));
        let balance = u128::from_be_bytes(self.take()?);
        let (x, y, owner) = (self.take()?, self.take()?, Address(self.take()?));
        Some(RawAccount { token, nonce, balance, x, y, owner })
    }
}
