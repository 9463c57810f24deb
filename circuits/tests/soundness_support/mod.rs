//! A dishonest prover: builds chunks as field elements, whatever they say, and recomputes everything that
//! follows from them (tree, paths, signatures, commitments), so that a forgery differs from an honest chunk in
//! one place only.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use tenon_circuits::halo2::checker::{Checker, Violation};
use tenon_circuits::halo2::leaf::access::power;
use tenon_circuits::halo2::leaf::values::{
    AccessValues, AccountValues, ChunkValues, FloatValues, TransferValues,
};
use tenon_circuits::halo2::leaf::{SizeClass, chunk};
use tenon_circuits::halo2::trace::Trace;
use tenon_circuits::halo2::{to_circuit, to_native};
use tenon_circuits::rollup::{self, MAX_FEE_ACCOUNTS, PrivateKey, Signature, State, Tree, poseidon};
use tenon_circuits::witness::ChunkWitness;

use crate::native_support::{key, test_domain};

/// Batch timestamp of all forged chunks.
pub const TIMESTAMP: u32 = 1_700_000_000;
/// The class of all forged chunks.
pub const CLASS: SizeClass = SizeClass::SMALL;

/// The checker, built once.
pub fn checker() -> &'static Checker {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    CHECKER.get_or_init(Checker::new)
}

/// A small integer as a field element.
pub fn fr(value: u64) -> Fr {
    Fr::from(value)
}

/// The value of a float's parts.
pub fn float_value(float: &FloatValues) -> Fr {
    float.mantissa * fr(10).pow_vartime([exponent(float)])
}

fn exponent(float: &FloatValues) -> u64 {
    float.exponent.iter().enumerate().map(|(i, bit)| u64::from(*bit == Fr::ONE) << i).sum()
}

fn code(float: &FloatValues, bits: u64) -> Fr {
    let weighted = float.exponent.iter().enumerate().map(|(i, bit)| *bit * fr(1 << i));
    float.mantissa + weighted.sum::<Fr>() * power(bits)
}

/// Accounts and their tree, without rules.
#[derive(Clone)]
pub struct Ledger {
    accounts: BTreeMap<u64, AccountValues>,
    tree: Tree,
}

impl Ledger {
    fn new(state: &State) -> Self {
        let accounts = (0..).zip(state.accounts().map(AccountValues::new)).collect();
        Self { accounts, tree: state.tree().clone() }
    }

    /// The account at an index; the tree knows the index's low 32 bits.
    pub fn account(&self, index: u64) -> AccountValues {
        self.accounts[&(index & u64::from(u32::MAX))]
    }

    /// Puts an account at an index.
    pub fn put(&mut self, index: u64, account: AccountValues) {
        let index = index as u32;
        self.accounts.insert(u64::from(index), account);
        let meta = account.token + account.nonce * power(32);
        let parts = [meta, account.balance, account.key_x, account.key_y, account.owner];
        self.tree.set(index, poseidon::hash_5(parts.map(to_native)));
    }

    /// The root of the tree.
    pub fn root(&self) -> Fr {
        to_circuit(self.tree.root())
    }

    /// Changes a balance, and the nonce by `nonces`.
    pub fn access(&mut self, index: u64, balance_after: Fr, nonces: u64) -> AccessValues {
        let before = self.account(index);
        let siblings = self.tree.path(index as u32).map(|level| level.map(to_circuit));
        self.put(index, AccountValues { balance: balance_after, nonce: before.nonce + fr(nonces), ..before });
        AccessValues { index, before, balance_after, siblings }
    }
}

/// A payment as its sender signs it.
#[derive(Clone, Copy)]
pub struct Pay {
    /// Sender's index.
    pub from: u64,
    /// Receiver's index.
    pub to: u64,
    /// Mantissa and exponent.
    pub amount: (u64, u64),
    /// Mantissa and exponent.
    pub fee: (u64, u64),
    /// Last valid timestamp.
    pub valid_until: u64,
    /// Number of the key that signs.
    pub signer: u8,
}

impl Pay {
    /// A payment signed with the sender's key as the genesis has it.
    pub fn new(from: u64, to: u64, amount: u64, fee: u64) -> Self {
        let signer = (from as u8).wrapping_add(1);
        Self { from, to, amount: (amount, 0), fee: (fee, 0), valid_until: 2_000_000_000, signer }
    }
}

/// What the sender of a slot signs in `domain`.
pub fn message(slot: &TransferValues, domain: Fr) -> rollup::Fr {
    let word = fr(1)
        + fr(slot.sender.index) * power(8)
        + fr(slot.receiver.index) * power(40)
        + slot.sender.before.token * power(72)
        + slot.sender.before.nonce * power(104)
        + code(&slot.amount, 35) * power(144)
        + code(&slot.fee, 11) * power(184)
        + slot.valid_until * power(200);
    let receiver = &slot.receiver.before;
    poseidon::hash_5([domain, word, receiver.key_x, receiver.key_y, receiver.owner].map(to_native))
}

/// Puts a signature into a slot.
pub fn attach(slot: &mut TransferValues, signature: &Signature) {
    slot.r8 = (to_circuit(signature.r8x), to_circuit(signature.r8y));
    for (bytes, limb) in slot.s.chunks_exact_mut(8).zip(signature.s.0) {
        bytes.copy_from_slice(&limb.to_le_bytes());
    }
}

/// Signs a slot as it stands.
pub fn sign_slot(slot: &mut TransferValues, key: &PrivateKey, domain: Fr) {
    attach(slot, &key.sign(message(slot, domain)));
}

/// A chunk under construction.
#[derive(Clone)]
pub struct Forger {
    /// The accounts after what the chunk holds so far.
    pub ledger: Ledger,
    /// The chunk so far.
    pub chunk: ChunkValues,
    used: usize,
    fees: [Fr; MAX_FEE_ACCOUNTS],
    /// Token of each fee account.
    places: Vec<Fr>,
}

impl Forger {
    /// An empty chunk, the first of a batch, on a state.
    pub fn new(state: &State) -> Self {
        let witness = ChunkWitness {
            root_in: state.root(),
            next_index: state.next_index(),
            ..ChunkWitness::empty(test_domain(), 1, TIMESTAMP)
        };
        Self {
            ledger: Ledger::new(state),
            chunk: ChunkValues::new(&witness, CLASS.transactions),
            used: 0,
            fees: [Fr::ZERO; MAX_FEE_ACCOUNTS],
            places: vec![fr(7), fr(9)],
        }
    }

    /// Puts an account into the state before the chunk.
    pub fn with_account(mut self, index: u64, change: impl FnOnce(&mut AccountValues)) -> Self {
        let mut account = self.ledger.account(index);
        change(&mut account);
        self.ledger.put(index, account);
        self.chunk.root_in = self.ledger.root();
        self
    }

    /// The next slot: a payment, whether the sender can pay it or not.
    pub fn pay(&mut self, pay: Pay) -> &mut TransferValues {
        let amount = FloatValues::new(pay.amount.0, pay.amount.1);
        self.pay_floats(pay, amount, FloatValues::new(pay.fee.0, pay.fee.1))
    }

    /// [`Self::pay`] with any parts of amount and fee.
    pub fn pay_floats(&mut self, pay: Pay, amount: FloatValues, fee: FloatValues) -> &mut TransferValues {
        let before = self.ledger.account(pay.from);
        let place = self.places.iter().position(|token| *token == before.token);
        let mut fee_to = [Fr::ZERO; MAX_FEE_ACCOUNTS];
        if let Some(place) = place {
            fee_to[place] = Fr::ONE;
            self.fees[place] += float_value(&fee);
        }
        let left = before.balance - float_value(&amount) - float_value(&fee);
        let sender = self.ledger.access(pay.from, left, 1);
        let credited = self.ledger.account(pay.to).balance + float_value(&amount);
        let receiver = self.ledger.access(pay.to, credited, 0);
        let slot = &mut self.chunk.transfers[self.used];
        *slot = TransferValues {
            enabled: Fr::ONE,
            amount,
            fee,
            valid_until: fr(pay.valid_until),
            fee_to,
            r8: slot.r8,
            s: slot.s,
            sender,
            receiver,
        };
        sign_slot(slot, &key(pay.signer), self.chunk.domain);
        self.used += 1;
        slot
    }

    /// Credits a fee account at the chunk's end.
    pub fn credit(&mut self, place: usize, index: u64, fees: Fr) {
        let balance = self.ledger.account(index).balance + fees;
        self.chunk.fees[place].active = Fr::ONE;
        self.chunk.fees[place].access = self.ledger.access(index, balance, 0);
    }

    /// Credits accounts 3 and 5 with the fees of their tokens.
    pub fn close(mut self) -> ChunkValues {
        self.credit(0, 3, self.fees[0]);
        self.credit(1, 5, self.fees[1]);
        self.chunk
    }

    /// Fees so far, by fee account.
    pub fn fees(&self) -> [Fr; MAX_FEE_ACCOUNTS] {
        self.fees
    }
}

/// The trace of a chunk.
pub fn trace_of(values: &ChunkValues) -> Trace {
    chunk::trace(CLASS, values)
}

/// The public inputs that a trace shows: what a prover would claim.
pub fn claims(trace: &Trace) -> Vec<Fr> {
    let mut claims = vec![Fr::ZERO; trace.public().len()];
    for (cell, index) in trace.public() {
        claims[*index] = trace.value(cell.row as usize, usize::from(cell.column));
    }
    claims
}

/// Public inputs of a witness.
pub fn public_inputs(witness: &ChunkWitness) -> Vec<Fr> {
    witness.public_inputs().to_array().map(to_circuit).to_vec()
}

/// Everything that a trace violates when it claims `claims`.
pub fn violations(trace: &Trace, claims: &[Fr]) -> Vec<Violation> {
    checker().check(trace, CLASS.k, claims, usize::MAX)
}

/// The places that violations name: labels, or public inputs by number.
pub fn places(violations: &[Violation]) -> BTreeSet<String> {
    violations
        .iter()
        .map(|violation| match violation {
            Violation::Constraint { label, .. } | Violation::Copy { label, .. } => (*label).to_owned(),
            Violation::PublicInput { index, .. } => format!("public input {index}"),
            other => other.to_string(),
        })
        .collect()
}

/// Asserts that a trace is refused, claiming what it shows, at exactly these places.
#[track_caller]
pub fn assert_trace_refused(trace: &Trace, expected: &[&str]) {
    let violations = violations(trace, &claims(trace));
    let expected: BTreeSet<String> = expected.iter().map(|&place| place.to_owned()).collect();
    assert_eq!(places(&violations), expected, "{violations:#?}");
}

/// Asserts that a chunk is refused, claiming what it shows, at exactly these places.
#[track_caller]
pub fn assert_refused(values: &ChunkValues, expected: &[&str]) {
    assert_trace_refused(&trace_of(values), expected);
}

/// Asserts that a chunk satisfies the circuit, claiming what it shows.
#[track_caller]
pub fn assert_accepted(values: &ChunkValues) {
    assert_refused(values, &[]);
}

/// The rows of a label, in order.
pub fn rows_of(trace: &Trace, label: &str) -> Vec<usize> {
    (0..trace.rows()).filter(|row| trace.label_of(*row) == label).collect()
}

/// The account with another balance.
pub fn with_balance(account: AccountValues, balance: Fr) -> AccountValues {
    AccountValues { balance, ..account }
}
