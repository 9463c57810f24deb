//! A chunk's witness as field elements, one for each value that a dishonest prover could choose on its own.
//!
//! Nothing is derived here that the circuit derives, and nothing is corrected: a forged witness reaches the
//! circuit as it is.

use halo2_proofs::halo2curves::bn256::Fr;

use crate::halo2::to_circuit;
use crate::rollup::{Account, DEPTH, MAX_FEE_ACCOUNTS};
use crate::witness::{AccountAccess, ChunkWitness, TransactionWitness};

fn from_u128(value: u128) -> Fr {
    Fr::from_raw([value as u64, (value >> 64) as u64, 0, 0])
}

/// An account's parts as its leaf hashes them, with `meta` split.
#[derive(Clone, Copy)]
pub struct AccountValues {
    /// 32 bits.
    pub token: Fr,
    /// 40 bits.
    pub nonce: Fr,
    /// 128 bits.
    pub balance: Fr,
    /// First coordinate of the key.
    pub key_x: Fr,
    /// Second coordinate of the key.
    pub key_y: Fr,
    /// The L1 address.
    pub owner: Fr,
}

impl AccountValues {
    /// The parts of an account.
    pub fn new(account: &Account) -> Self {
        Self {
            token: Fr::from(u64::from(account.token)),
            nonce: Fr::from(account.nonce),
            balance: from_u128(account.balance),
            key_x: to_circuit(account.key.x),
            key_y: to_circuit(account.key.y),
            owner: to_circuit(account.owner.to_field()),
        }
    }
}

/// A change of one account and its path.
#[derive(Clone)]
pub struct AccessValues {
    /// The account's index.
    pub index: u64,
    /// The account before.
    pub before: AccountValues,
    /// Its balance after; the rest follows.
    pub balance_after: Fr,
    /// Siblings as in [`AccountAccess`].
    pub siblings: [[Fr; 3]; DEPTH],
}

impl AccessValues {
    fn new(access: &AccountAccess) -> Self {
        Self {
            index: u64::from(access.index),
            before: AccountValues::new(&access.before),
            balance_after: from_u128(access.after.balance),
            siblings: access.siblings.map(|level| level.map(to_circuit)),
        }
    }
}

/// A float code in parts: `mantissa · 10^Σ 2^i exponent_i`.
#[derive(Clone, Copy)]
pub struct FloatValues {
    /// The mantissa.
    pub mantissa: Fr,
    /// The exponent's bits, lowest first.
    pub exponent: [Fr; 5],
}

impl FloatValues {
    /// The parts of a code; of the exponent, the low 5 bits.
    pub fn new(mantissa: u64, exponent: u64) -> Self {
        Self { mantissa: Fr::from(mantissa), exponent: std::array::from_fn(|i| Fr::from(exponent >> i & 1)) }
    }
}

/// One transaction slot.
#[derive(Clone)]
pub struct TransferValues {
    /// 1 for a transaction, 0 for padding.
    pub enabled: Fr,
    /// The amount.
    pub amount: FloatValues,
    /// The fee.
    pub fee: FloatValues,
    /// Last valid timestamp.
    pub valid_until: Fr,
    /// For each fee account of the chunk, whether the fee goes to it.
    pub fee_to: [Fr; MAX_FEE_ACCOUNTS],
    /// The signature's point.
    pub r8: (Fr, Fr),
    /// The signature's scalar, little endian.
    pub s: [u8; 32],
    /// The sender's account.
    pub sender: AccessValues,
    /// The receiver's account.
    pub receiver: AccessValues,
}

impl TransferValues {
    fn new(slot: &TransactionWitness, enabled: bool, fee_tokens: &[Option<u32>; MAX_FEE_ACCOUNTS]) -> Self {
        let transaction = &slot.transaction;
        let mut s = [0; 32];
        for (bytes, limb) in s.chunks_exact_mut(8).zip(transaction.signature.s.0) {
            bytes.copy_from_slice(&limb.to_le_bytes());
        }
        let goes_to = |token: &Option<u32>| enabled && *token == Some(slot.sender.before.token);
        Self {
            enabled: Fr::from(u64::from(enabled)),
            amount: FloatValues::new(transaction.amount.mantissa(), transaction.amount.exponent()),
            fee: FloatValues::new(transaction.fee.mantissa(), transaction.fee.exponent()),
            valid_until: Fr::from(u64::from(transaction.valid_until)),
            fee_to: fee_tokens.each_ref().map(|token| Fr::from(u64::from(goes_to(token)))),
            r8: (to_circuit(transaction.signature.r8x), to_circuit(transaction.signature.r8y)),
            s,
            sender: AccessValues::new(&slot.sender),
            receiver: AccessValues::new(&slot.receiver),
        }
    }
}

/// One fee account.
#[derive(Clone)]
pub struct FeeValues {
    /// 1 if the chunk's header names an account here.
    pub active: Fr,
    /// The account's change.
    pub access: AccessValues,
}

/// A chunk, with a slot for every transaction that the circuit holds.
#[derive(Clone)]
pub struct ChunkValues {
    /// The rollup's domain.
    pub domain: Fr,
    /// The batch's number.
    pub number: Fr,
    /// The batch's timestamp.
    pub timestamp: Fr,
    /// The commitment before the chunk.
    pub commit_in: Fr,
    /// The root before the chunk.
    pub root_in: Fr,
    /// Number of accounts.
    pub next_index: Fr,
    /// The slots.
    pub transfers: Vec<TransferValues>,
    /// The fee accounts.
    pub fees: [FeeValues; MAX_FEE_ACCOUNTS],
}

impl ChunkValues {
    /// The values of a witness in a circuit with `capacity` slots.
    pub fn new(witness: &ChunkWitness, capacity: usize) -> Self {
        let padding = ChunkWitness::padding_transaction(witness.domain);
        let fee_tokens = witness.fees.each_ref().map(|fee| fee.as_ref().map(|access| access.before.token));
        let transfers = (0..capacity.max(witness.transactions.len()))
            .map(|i| match witness.transactions.get(i) {
                Some(slot) => TransferValues::new(slot, true, &fee_tokens),
                None => TransferValues::new(&padding, false, &fee_tokens),
            })
            .collect();
        let fees = witness.fees.each_ref().map(|fee| match fee {
            Some(access) => FeeValues { active: Fr::from(1), access: AccessValues::new(access) },
            None => FeeValues { active: Fr::from(0), access: AccessValues::new(&padding.receiver) },
        });
        Self {
            domain: to_circuit(witness.domain),
            number: Fr::from(witness.number),
            timestamp: Fr::from(u64::from(witness.timestamp)),
            commit_in: to_circuit(witness.commit_in),
            root_in: to_circuit(witness.root_in),
            next_index: Fr::from(u64::from(witness.next_index)),
            transfers,
            fees,
        }
    }
}
