//! Accounts as a memory: what an access finds is what the access before it left, or what was there at first.
//!
//! An account's *entry* has its content before and after all accesses, and each access a time of its own, a constant
//! of the circuit. Tuples `(index, time, token, nonce, balance, Ax, Ay, owner, exists)` appear in the running product
//! ([`super::products`]) with the entry, at time 0, and with each access, at its time; each access uses up one of an
//! earlier time, and the entry the last one:
//!
//! ```text
//! access | index | age | token | owner | balance | balance' |     found at: time − 1 − age, with age ≥ 0
//!        | Ax    | Ay  | nonce | exists| change  | enabled  |     nonce' = nonce + k1 change, exists' = exists + k2 change
//!
//! entry  | index | last | token | owner  | balance | balance' |
//!        | Ax    | Ay   | nonce | exists | nonce'  | exists'  |   anchor
//!        | old   | new  | active| hash   | hash'   |              old = exists · hash, new = exists' · hash'
//! ```
//!
//! Token, key and owner never change. A time is found at most once, and an access can't find its own or a later one;
//! so, with one entry an account, each access finds what the one before it left, and the entry what the last one left,
//! by induction over the times: of k accesses in order and the tuples of times 0, t1, ..., tk the first can only find
//! time 0, the next t1, and so on. An access that isn't enabled appears nowhere.
//!
//! The entry also makes a tuple of [`super::node`], a leaf of the tree at its index that changes from `old` to `new`:
//! that each index has one entry at most, and that it is below 2^32, is the tree's part. The caller guarantees that
//! `hash` and `hash'` are those of the content (a leaf of an account that doesn't exist is 0), that `age` is ranged
//! (below any bound such that times are smaller), and `enabled` and, where it counts, `exists'` to be 0 or 1.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use halo2_proofs::plonk::Expression;

use super::products::{MEMORY, TREE, factor, reserve, step, switched, switched_value};
use crate::halo2::columns::{NamedConstraint, Window};
use crate::halo2::trace::{Challenges, Gate, Trace, Var};

/// Cells of a row of these gates.
const WIDTH: usize = 6;

fn constant(value: u64) -> Expression<Fr> {
    Expression::Constant(Fr::from(value))
}

/// Constraints of an access.
pub fn access_constraints(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let [index, age, token, owner, balance, balance_after] = window.cells::<WIDTH>(0, 0);
    let [x, y, nonce, exists, change, enabled] = window.cells::<WIDTH>(1, 0);
    let [time, k1, k2] = [0, 1, 2].map(|column| window.constant(0, column));
    let products = [window.product(0), window.product(1)];
    let nonce_after = nonce.clone() + k1 * change.clone();
    let exists_after = exists.clone() + k2 * change;
    let found_time = time.clone() - constant(1) - age;
    let mut tuple = |time, nonce, balance, exists| {
        let (index, token, owner) = (index.clone(), token.clone(), owner.clone());
        let parts =
            [constant(MEMORY), index, time, token, nonce, balance, x.clone(), y.clone(), owner, exists];
        switched(&enabled, window.factor(&parts))
    };
    let found = tuple(found_time, nonce, balance, exists);
    let left = tuple(time, nonce_after, balance_after, exists_after);
    vec![step("found and left", products, left, found)]
}

/// Constraints of an entry.
pub fn entry_constraints(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let [index, last, token, owner, balance, balance_after] = window.cells::<WIDTH>(-1, 0);
    let [x, y, nonce, exists, nonce_after, exists_after] = window.cells::<WIDTH>(0, 0);
    let [old, new, active, hash, hash_after] = window.cells(1, 0);
    let [before, between, after] = [-1, 0, 1].map(|rotation| window.product(rotation));
    let mut tuple = |time, nonce, balance, exists| {
        let (index, token, owner) = (index.clone(), token.clone(), owner.clone());
        let parts =
            [constant(MEMORY), index, time, token, nonce, balance, x.clone(), y.clone(), owner, exists];
        switched(&active, window.factor(&parts))
    };
    let first = tuple(constant(0), nonce, balance, exists.clone());
    let end = tuple(last, nonce_after, balance_after, exists_after.clone());
    let leaf = [constant(TREE), constant(0), index.clone(), old.clone(), new.clone()];
    let leaf = switched(&active, window.factor(&leaf));
    vec![
        ("active".into(), active.clone() * (constant(1) - active)),
        ("exists".into(), exists.clone() * (constant(1) - exists.clone())),
        ("leaf before".into(), old - exists * hash),
        ("leaf after".into(), new - exists_after * hash_after),
        step("first and last", [before, between.clone()], first, end),
        step("leaf", [between, after], constant(1), leaf),
    ]
}

fn row_of(trace: &Trace, row: usize) -> [Fr; WIDTH] {
    std::array::from_fn(|column| trace.value(row, column))
}

/// The step of an access, natively.
pub(super) fn access_steps(trace: &Trace, row: usize, challenges: &Challenges) -> Vec<[Fr; 2]> {
    let [index, age, token, owner, balance, balance_after] = row_of(trace, row);
    let [x, y, nonce, exists, change, enabled] = row_of(trace, row + 1);
    let [time, k1, k2] = [0, 1, 2].map(|column| trace.constant(row, column));
    let tuple = |time, nonce, balance, exists| {
        let parts = [Fr::from(MEMORY), index, time, token, nonce, balance, x, y, owner, exists];
        switched_value(enabled, factor(challenges, &parts))
    };
    let found = tuple(time - Fr::ONE - age, nonce, balance, exists);
    let left = tuple(time, nonce + k1 * change, balance_after, exists + k2 * change);
    vec![[left, found]]
}

/// The steps of an entry, natively.
pub(super) fn entry_steps(trace: &Trace, row: usize, challenges: &Challenges) -> Vec<[Fr; 2]> {
    let [index, last, token, owner, balance, balance_after] = row_of(trace, row - 1);
    let [x, y, nonce, exists, nonce_after, exists_after] = row_of(trace, row);
    let [old, new, active, ..] = row_of(trace, row + 1);
    let tuple = |time, nonce, balance, exists| {
        let parts = [Fr::from(MEMORY), index, time, token, nonce, balance, x, y, owner, exists];
        switched_value(active, factor(challenges, &parts))
    };
    let first = tuple(Fr::ZERO, nonce, balance, exists);
    let end = tuple(last, nonce_after, balance_after, exists_after);
    let leaf = factor(challenges, &[Fr::from(TREE), Fr::ZERO, index, old, new]);
    vec![[first, end], [Fr::ONE, switched_value(active, leaf)]]
}

/// What an access finds, as a witness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The account's index.
    pub index: Fr,
    /// How long ago it was left: the access's time less 1 less the time at which it was.
    pub age: Fr,
    /// The token.
    pub token: Fr,
    /// The owner.
    pub owner: Fr,
    /// The balance.
    pub balance: Fr,
    /// The key.
    pub key: (Fr, Fr),
    /// The nonce.
    pub nonce: Fr,
    /// Whether there is an account.
    pub exists: Fr,
}

/// What the change of an access is added to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// The nonce.
    Nonce,
    /// Whether the account exists.
    Exists,
    /// Neither.
    Nothing,
}

/// An access whose effect isn't known yet; [`Self::finish`] says it.
pub struct AccessVars {
    row: usize,
    /// The account's index.
    pub index: Var,
    /// See [`Found::age`]; to be ranged.
    pub age: Var,
    /// The token.
    pub token: Var,
    /// The owner.
    pub owner: Var,
    /// The balance found.
    pub balance: Var,
    /// The key's coordinates.
    pub key: [Var; 2],
    /// The nonce found.
    pub nonce: Var,
    /// Whether there is an account.
    pub exists: Var,
}

/// Writes what an access finds. `time` is its own, above 0 and unlike any other's.
pub fn access(trace: &mut Trace, time: u64, changes: Changes, found: &Found) -> AccessVars {
    let flag = |is| Fr::from(u64::from(is));
    let constants = [Fr::from(time), flag(changes == Changes::Nonce), flag(changes == Changes::Exists)];
    let row = trace.push(Gate::Access, &constants);
    trace.push(Gate::None, &[]);
    AccessVars {
        row,
        index: trace.set(row, 0, found.index),
        age: trace.set(row, 1, found.age),
        token: trace.set(row, 2, found.token),
        owner: trace.set(row, 3, found.owner),
        balance: trace.set(row, 4, found.balance),
        key: [trace.set(row + 1, 0, found.key.0), trace.set(row + 1, 1, found.key.1)],
        nonce: trace.set(row + 1, 2, found.nonce),
        exists: trace.set(row + 1, 3, found.exists),
    }
}

impl AccessVars {
    /// Writes what the access leaves, where `enabled` is 1, and returns the running product after it.
    pub fn finish(self, trace: &mut Trace, [balance, change, enabled]: [Var; 3], product: Var) -> Var {
        trace.copy(self.row, 5, balance);
        trace.copy(self.row + 1, 4, change);
        trace.copy(self.row + 1, 5, enabled);
        reserve(trace, self.row, 2, product)
    }
}

/// An account before and after all accesses, as a witness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntryValues {
    /// 0 for an entry that isn't used.
    pub active: Fr,
    /// What is there before; the age doesn't count.
    pub before: Found,
    /// The time of the last access; 0 for none.
    pub last: Fr,
    /// The balance after.
    pub balance_after: Fr,
    /// The nonce after.
    pub nonce_after: Fr,
    /// Whether there is an account after.
    pub exists_after: Fr,
}

/// An entry whose leaves aren't hashed yet; [`Self::finish`] takes the hashes.
pub struct EntryVars {
    row: usize,
    /// The token.
    pub token: Var,
    /// The owner.
    pub owner: Var,
    /// The balances before and after.
    pub balances: [Var; 2],
    /// The key's coordinates.
    pub key: [Var; 2],
    /// The nonces before and after.
    pub nonces: [Var; 2],
}

/// Writes an entry's content.
pub fn entry(trace: &mut Trace, values: &EntryValues) -> EntryVars {
    let row = trace.push(Gate::None, &[]);
    trace.push(Gate::Entry, &[]);
    trace.push(Gate::None, &[]);
    let before = &values.before;
    trace.set(row, 0, before.index);
    trace.set(row, 1, values.last);
    let token = trace.set(row, 2, before.token);
    let owner = trace.set(row, 3, before.owner);
    let balances = [trace.set(row, 4, before.balance), trace.set(row, 5, values.balance_after)];
    let key = [trace.set(row + 1, 0, before.key.0), trace.set(row + 1, 1, before.key.1)];
    let nonces = [trace.set(row + 1, 2, before.nonce), trace.set(row + 1, 4, values.nonce_after)];
    trace.set(row + 1, 3, before.exists);
    trace.set(row + 1, 5, values.exists_after);
    trace.set(row + 2, 2, values.active);
    EntryVars { row, token, owner, balances, key, nonces }
}

/// The leaf of an entry before and after.
#[derive(Clone, Copy)]
pub struct Leaf {
    /// Before.
    pub old: Var,
    /// After.
    pub new: Var,
    /// The running product after the entry.
    pub product: Var,
}

impl EntryVars {
    /// Writes the entry's leaves, from the hashes of its content before and after.
    pub fn finish(self, trace: &mut Trace, [before, after]: [Var; 2], product: Var) -> Leaf {
        let exists = [3, 5].map(|column| trace.value(self.row + 1, column));
        let old = trace.set(self.row + 2, 0, exists[0] * before.value);
        let new = trace.set(self.row + 2, 1, exists[1] * after.value);
        trace.copy(self.row + 2, 3, before);
        trace.copy(self.row + 2, 4, after);
        Leaf { old, new, product: reserve(trace, self.row, 3, product) }
    }
}
