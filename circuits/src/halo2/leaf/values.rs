//! A chunk's witness as field elements, one for each value that a dishonest prover could choose on its own.
//!
//! Nothing is derived here that the circuit derives, and nothing is corrected: a forged witness reaches the
//! circuit as it is.

use std::collections::{BTreeMap, btree_map::Entry};

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::PrimeField;

use crate::halo2::to_circuit;
use crate::rollup::{
    Account, AmountCode, DEPTH, FeeCode, L1Operation, MAX_FEE_ACCOUNTS, Recipient, Signature, Transaction,
    evaluation::da_limbs,
    transaction::{KIND_OPEN, KIND_WITHDRAW},
};
use crate::witness::{AccountAccess, ChunkWitness, OperationWitness, TransactionWitness, padding_key};

use super::slot::{KIND_DEPOSIT, KIND_FORCED_EXIT};

fn from_u128(value: u128) -> Fr {
    Fr::from_raw([value as u64, (value >> 64) as u64, 0, 0])
}

fn flag(value: bool) -> Fr {
    Fr::from(u64::from(value))
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
    /// 1 if there is an account before.
    pub exists: Fr,
    /// The account before; without one any parts, the same in all accesses of the chunk until one is opened there, with
    /// these.
    pub before: AccountValues,
    /// Its balance after; the rest follows.
    pub balance_after: Fr,
    /// Siblings as in [`AccountAccess`].
    pub siblings: [[Fr; 3]; DEPTH],
}

impl AccessValues {
    /// The values of an access.
    pub fn new(access: &AccountAccess) -> Self {
        Self {
            index: u64::from(access.index),
            exists: flag(access.exists_before),
            before: AccountValues::new(&access.before),
            balance_after: from_u128(access.after.balance),
            siblings: access.siblings.map(|level| level.map(to_circuit)),
        }
    }

    /// An access to the same account, as it is before this one, that changes nothing.
    fn unchanged(&self) -> Self {
        Self { balance_after: self.before.balance, ..self.clone() }
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

/// What a slot is; none of them for a transfer and for padding.
#[derive(Clone, Copy, Default)]
pub struct KindValues {
    /// 1 for a withdraw.
    pub withdraw: Fr,
    /// 1 for an open.
    pub open: Fr,
    /// 1 for a deposit.
    pub deposit: Fr,
    /// 1 for a forced exit.
    pub forced_exit: Fr,
}

/// Token, key and owner that a slot names: those of the receiving account, of a deposit, of a forced exit's caller.
#[derive(Clone, Copy)]
pub struct PartyValues {
    /// The token.
    pub token: Fr,
    /// First coordinate of the key.
    pub key_x: Fr,
    /// Second coordinate of the key.
    pub key_y: Fr,
    /// The L1 address.
    pub owner: Fr,
    /// Bits 248 to 253 of the key's coordinates.
    pub key_high: [Fr; 2],
}

impl PartyValues {
    /// A party of these parts.
    pub fn new(token: Fr, key: (Fr, Fr), owner: Fr) -> Self {
        let high = |value: Fr| {
            value.to_repr().as_ref().last().map_or(Fr::from(0), |byte| Fr::from(u64::from(*byte)))
        };
        Self { token, key_x: key.0, key_y: key.1, owner, key_high: [high(key.0), high(key.1)] }
    }

    /// Token, key and owner of an account.
    pub fn of_account(account: &AccountValues) -> Self {
        Self::new(account.token, (account.key_x, account.key_y), account.owner)
    }

    fn of_recipient(token: u32, recipient: &Recipient) -> Self {
        let key = (to_circuit(recipient.key.x), to_circuit(recipient.key.y));
        Self::new(Fr::from(u64::from(token)), key, to_circuit(recipient.owner.to_field()))
    }
}

/// One slot: a transaction, an L1 operation, or padding.
#[derive(Clone)]
pub struct SlotValues {
    /// 0 for padding.
    pub enabled: Fr,
    /// What it is.
    pub kind: KindValues,
    /// The receiver's index; `NO_ACCOUNT` for a new account.
    pub to: Fr,
    /// The amount of a transaction.
    pub amount: FloatValues,
    /// The amount of an L1 operation.
    pub l1_amount: Fr,
    /// The fee.
    pub fee: FloatValues,
    /// Last valid timestamp.
    pub valid_until: Fr,
    /// For each fee account of the chunk, whether the fee goes to it.
    pub fee_to: [Fr; MAX_FEE_ACCOUNTS],
    /// Whom it names.
    pub party: PartyValues,
    /// The signature's point.
    pub r8: (Fr, Fr),
    /// The signature's scalar, little endian.
    pub s: [u8; 32],
    /// The sender's account; for an L1 operation any account, which stays as it is.
    pub sender: AccessValues,
    /// The receiver's account; for an L1 operation the one that it names.
    pub receiver: AccessValues,
}

/// A signature's point and scalar as a slot has them.
fn signature_values(signature: &Signature) -> ((Fr, Fr), [u8; 32]) {
    let mut s = [0; 32];
    for (bytes, limb) in s.chunks_exact_mut(8).zip(signature.s.0) {
        bytes.copy_from_slice(&limb.to_le_bytes());
    }
    ((to_circuit(signature.r8x), to_circuit(signature.r8y)), s)
}

impl SlotValues {
    fn transaction(
        slot: &TransactionWitness,
        enabled: bool,
        fee_tokens: &[Option<u32>; MAX_FEE_ACCOUNTS],
    ) -> Self {
        let transaction = &slot.transaction;
        let (r8, s) = signature_values(&transaction.signature);
        let (withdraw, open) = (transaction.kind == KIND_WITHDRAW, transaction.kind == KIND_OPEN);
        let to = match (withdraw, open) {
            (true, _) => transaction.from,
            (_, true) => crate::rollup::NO_ACCOUNT,
            _ => transaction.to,
        };
        let goes_to = |token: &Option<u32>| enabled && *token == Some(slot.sender.before.token);
        let (sender, receiver) = (AccessValues::new(&slot.sender), AccessValues::new(&slot.receiver));
        Self {
            enabled: flag(enabled),
            kind: KindValues { withdraw: flag(withdraw), open: flag(open), ..KindValues::default() },
            to: Fr::from(u64::from(to)),
            amount: FloatValues::new(transaction.amount.mantissa(), transaction.amount.exponent()),
            l1_amount: Fr::from(0),
            fee: FloatValues::new(transaction.fee.mantissa(), transaction.fee.exponent()),
            valid_until: Fr::from(u64::from(transaction.valid_until)),
            fee_to: fee_tokens.each_ref().map(|token| flag(goes_to(token))),
            party: PartyValues::of_account(&receiver.before),
            r8,
            s,
            sender,
            receiver,
        }
    }

    fn operation(slot: &OperationWitness, domain: crate::rollup::Fr) -> Self {
        let access = &slot.account;
        let receiver = AccessValues::new(access);
        let matched = |owner| access.exists_before && access.before.owner == owner;
        let (kind, to, token, recipient, amount) = match slot.operation {
            L1Operation::Deposit { token, amount, recipient, to } => {
                (KIND_DEPOSIT, to, token, recipient, amount)
            }
            L1Operation::ForcedExit { index, owner } => {
                let amount = if matched(owner) { access.before.balance } else { 0 };
                let recipient = Recipient { owner, ..access.before.recipient() };
                (KIND_FORCED_EXIT, index, access.before.token, recipient, amount)
            }
        };
        let sender = receiver.unchanged();
        // An L1 operation needs no signature: the slot is signed with the padding's key.
        let signed = Transaction {
            kind,
            from: access.index,
            to,
            token,
            nonce: access.before.nonce,
            amount: AmountCode(0),
            fee: FeeCode(0),
            valid_until: u32::MAX,
            opens: None,
            signature: Signature::default(),
        }
        .signed(&padding_key(), domain, &recipient);
        let (r8, s) = signature_values(&signed.signature);
        Self {
            enabled: Fr::from(1),
            kind: KindValues {
                deposit: flag(kind == KIND_DEPOSIT),
                forced_exit: flag(kind == KIND_FORCED_EXIT),
                ..KindValues::default()
            },
            to: Fr::from(u64::from(to)),
            amount: FloatValues::new(0, 0),
            l1_amount: from_u128(amount),
            fee: FloatValues::new(0, 0),
            valid_until: Fr::from(u64::from(u32::MAX)),
            fee_to: [Fr::from(0); MAX_FEE_ACCOUNTS],
            party: PartyValues::of_recipient(token, &recipient),
            r8,
            s,
            sender,
            receiver,
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

impl FeeValues {
    /// The token whose fees go here; 2^32, which no account has, where there is no account.
    pub fn token(&self) -> Fr {
        let none = Fr::from(1 << 32);
        none + self.active * (self.access.before.token - none)
    }
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
    /// The point of the DA stream, below 2^128.
    pub z_d: Fr,
    /// The DA stream's evaluation before the chunk: two limbs of 128 bits, the low one first.
    pub y_d_in: [Fr; 2],
    /// The point of the L1 stream.
    pub z_l: Fr,
    /// The L1 stream's evaluation before the chunk.
    pub y_l_in: Fr,
    /// The root before the chunk.
    pub root_in: Fr,
    /// Number of accounts before the chunk.
    pub next_index: Fr,
    /// The slots.
    pub slots: Vec<SlotValues>,
    /// The fee accounts.
    pub fees: [FeeValues; MAX_FEE_ACCOUNTS],
}

impl ChunkValues {
    /// The values of a witness in a circuit with `capacity` slots.
    pub fn new(witness: &ChunkWitness, capacity: usize) -> Self {
        let witness = &with_one_filler(witness);
        let padding = ChunkWitness::padding_transaction(witness.domain);
        let fee_tokens = witness.fees.each_ref().map(|fee| fee.as_ref().map(|access| access.before.token));
        let operations = witness.operations.iter().map(|slot| SlotValues::operation(slot, witness.domain));
        let transactions =
            witness.transactions.iter().map(|slot| SlotValues::transaction(slot, true, &fee_tokens));
        let mut slots: Vec<SlotValues> = operations.chain(transactions).collect();
        if slots.len() < capacity {
            slots.resize(capacity, SlotValues::transaction(&padding, false, &fee_tokens));
        }
        let fees = witness.fees.each_ref().map(|fee| match fee {
            Some(access) => FeeValues { active: Fr::from(1), access: AccessValues::new(access) },
            None => FeeValues { active: Fr::from(0), access: AccessValues::new(&padding.receiver) },
        });
        Self {
            domain: to_circuit(witness.domain),
            number: Fr::from(witness.number),
            timestamp: Fr::from(u64::from(witness.timestamp)),
            commit_in: to_circuit(witness.commit_in),
            z_d: from_u128(witness.points.z_d),
            y_d_in: da_limbs(&witness.evaluations_in.y_d).map(to_circuit),
            z_l: from_u128(witness.points.z_l),
            y_l_in: to_circuit(witness.evaluations_in.y_l),
            root_in: to_circuit(witness.root_in),
            next_index: Fr::from(u64::from(witness.next_index)),
            slots,
            fees,
        }
    }

    /// The number of accounts before each slot, which is the index that its new account gets, and after the last.
    pub fn next_indices(&self) -> Vec<Fr> {
        let none = Fr::from(u64::from(crate::rollup::NO_ACCOUNT));
        let mut next = self.next_index;
        let mut indices = vec![next];
        for slot in &self.slots {
            if slot.to == none && next != none {
                next += slot.kind.open + slot.kind.deposit;
            }
            indices.push(next);
        }
        indices
    }
}

/// The chunk with the same content wherever it names an index without an account: that of the account that it opens
/// there, or else that of the first access.
fn with_one_filler(witness: &ChunkWitness) -> ChunkWitness {
    let mut witness = witness.clone();
    let mut fillers: BTreeMap<u32, (bool, Account)> = BTreeMap::new();
    for access in witness.accesses().filter(|access| !access.exists_before) {
        let content = if access.exists_after { access.after } else { access.before };
        let filler = Account { nonce: 0, balance: 0, ..content };
        match fillers.entry(access.index) {
            Entry::Vacant(place) => {
                place.insert((access.exists_after, filler));
            }
            Entry::Occupied(mut place) if access.exists_after && !place.get().0 => {
                place.insert((true, filler));
            }
            Entry::Occupied(_) => {}
        }
    }
    let operations = witness.operations.iter_mut().map(|operation| &mut operation.account);
    for access in operations.filter(|access| !access.exists_before) {
        let Some((_, filler)) = fillers.get(&access.index) else { continue };
        access.before = *filler;
        if !access.exists_after {
            access.after = *filler;
        }
    }
    witness
}
