//! What slots and fee accounts say of accounts: an access finds an account as the one before it left it, and says what
//! becomes of it. [`super::state`] ties what the first finds and the last leaves to the roots.
//!
//! Guarantees that the account is of these parts, `token` below 2^32 and `nonce` below 2^40, and `exists` 0 or 1, where
//! the access is enabled. The caller says what the account becomes.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;

use super::SizeClass;
use super::values::{AccessValues, SlotValues};
pub use crate::gadgets::arithmetic::power;
use crate::gadgets::arithmetic::{self, Operand, equation};
use crate::gadgets::memory::{self, AccessVars, Changes, Found};
use crate::gadgets::range;
use crate::halo2::trace::{Trace, Var};
use crate::rollup::MAX_FEE_ACCOUNTS;

/// Bits of a token.
pub const TOKEN_BITS: usize = 32;
/// Bits of a nonce.
pub const NONCE_BITS: usize = 40;
/// Bits of a balance.
pub const BALANCE_BITS: usize = 128;
/// Bits of an age: every access's time is less.
pub const AGE_BITS: usize = 16;

/// Most slots whose accesses have times below 2^[`AGE_BITS`].
const MAX_SLOTS: usize = ((1 << AGE_BITS) - 1 - MAX_FEE_ACCOUNTS) / 2;
const _: () = {
    let mut class = 0;
    while class < SizeClass::ALL.len() {
        assert!(SizeClass::ALL[class].slots <= MAX_SLOTS);
        class += 1;
    }
};

/// When an access takes place, and how long before that its account was left.
#[derive(Clone, Copy)]
pub struct When {
    /// A constant of the circuit, unlike any other access's.
    pub time: u64,
    /// A witness.
    pub age: Fr,
}

/// The times of a slot's two accesses.
pub fn slot_times(slot: usize) -> [u64; 2] {
    [1, 2].map(|access| 2 * slot as u64 + access)
}

/// The time of a fee account's access, in a circuit of so many slots.
pub fn fee_time(slots: usize, place: usize) -> u64 {
    (2 * slots + 1 + place) as u64
}

/// What a slot's sender adds to its nonce and its receiver to what says that it exists.
pub fn changes(slot: &SlotValues, opened: bool) -> [Fr; 2] {
    [Fr::ONE - slot.kind.deposit - slot.kind.forced_exit, Fr::from(u64::from(opened))]
}

/// Finds an account.
pub fn find(trace: &mut Trace, values: &AccessValues, when: When, changes: Changes, zero: Var) -> AccessVars {
    let before = &values.before;
    let found = Found {
        index: Fr::from(values.index),
        age: when.age,
        token: before.token,
        owner: before.owner,
        balance: before.balance,
        key: (before.key_x, before.key_y),
        nonce: before.nonce,
        exists: values.exists,
    };
    let access = memory::access(trace, when.time, changes, &found);
    range::check(trace, access.age, AGE_BITS, zero);
    access
}

/// A balance's change, `balance_after = before + Σ coefficient · variable`, bounded.
pub fn balance_after(
    trace: &mut Trace,
    values: &AccessValues,
    before: Var,
    change: &[(Fr, Var)],
    zero: Var,
) -> Var {
    let mut terms = vec![(-Fr::ONE, Operand::New(values.balance_after)), (Fr::ONE, Operand::Old(before))];
    terms.extend(change.iter().map(|(coefficient, var)| (*coefficient, Operand::Old(*var))));
    let after = equation(trace, &terms, None, Fr::ZERO)[0];
    range::check(trace, after, BALANCE_BITS, zero);
    after
}

/// `yes` if `flag` is 1, `no` if it is 0.
pub fn select(trace: &mut Trace, flag: Var, yes: Var, no: Var) -> Var {
    let difference = arithmetic::linear(trace, &[(Fr::ONE, yes), (-Fr::ONE, no)], Fr::ZERO);
    arithmetic::product(trace, (Fr::ONE, flag, difference), &[(Fr::ONE, no)], Fr::ZERO)
}
