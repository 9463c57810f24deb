//! The state part: a change of one account between two roots, one Merkle path for the old and the new leaf.
//!
//! Guarantees that `root_before` holds a leaf of the account before at `index` (0 if it doesn't exist), that the
//! account is of these parts (`token` below 2^32, `nonce` below 2^40, the split being unique), and that `root_after`
//! differs from it in that leaf alone. The caller says what the account becomes.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;

use super::values::AccessValues;
pub use crate::gadgets::arithmetic::power;
use crate::gadgets::arithmetic::{self, Operand, equation};
use crate::gadgets::babyjubjub::PointVars;
use crate::gadgets::{path, poseidon, range};
use crate::halo2::trace::{Trace, Var};

/// Bits of a token.
pub const TOKEN_BITS: usize = 32;
/// Bits of a nonce.
pub const NONCE_BITS: usize = 40;
/// Bits of a balance.
pub const BALANCE_BITS: usize = 128;

/// An account's parts in the trace.
#[derive(Clone, Copy)]
pub struct AccountVars {
    /// The token, below 2^32.
    pub token: Var,
    /// The nonce, below 2^40.
    pub nonce: Var,
    meta: Var,
}

/// The token and nonce of an account, bounded, packed as its leaf has them.
pub fn meta(trace: &mut Trace, values: &AccessValues, zero: Var) -> AccountVars {
    let packed = values.before.token + values.before.nonce * power(TOKEN_BITS as u64);
    let cells = equation(
        trace,
        &[
            (-Fr::ONE, Operand::New(packed)),
            (Fr::ONE, Operand::New(values.before.token)),
            (power(TOKEN_BITS as u64), Operand::New(values.before.nonce)),
        ],
        None,
        Fr::ZERO,
    );
    let vars = AccountVars { meta: cells[0], token: cells[1], nonce: cells[2] };
    range::check(trace, vars.token, TOKEN_BITS, zero);
    range::check(trace, vars.nonce, NONCE_BITS, zero);
    vars
}

/// The account's leaf before its change, which creates its remaining parts.
pub struct LeafVars {
    /// The hash.
    pub hash: Var,
    /// The balance.
    pub balance: Var,
    /// The key.
    pub key: PointVars,
    /// The owner.
    pub owner: Var,
}

/// Hashes the leaf before the change.
pub fn leaf_before(trace: &mut Trace, values: &AccessValues, account: AccountVars, zero: Var) -> LeafVars {
    let before = &values.before;
    let rest = [before.balance, before.key_x, before.key_y, before.owner].map(Operand::New);
    let inputs = [account.meta.into(), rest[0], rest[1], rest[2], rest[3]];
    let leaf = poseidon::hash::<6>(trace, &inputs, zero);
    LeafVars {
        hash: leaf.output,
        balance: leaf.inputs[1],
        key: PointVars { x: leaf.inputs[2], y: leaf.inputs[3] },
        owner: leaf.inputs[4],
    }
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

/// What an account becomes.
#[derive(Clone, Copy)]
pub struct Change {
    /// Its balance after.
    pub balance: Var,
    /// What its nonce rises by: nothing, or this variable of value 0 or 1.
    pub nonce: Option<Var>,
    /// Whether it exists before and after; always, where there is none.
    pub exists: Option<(Var, Var)>,
}

/// Proves the path of an account's change. An account that doesn't exist has the leaf 0.
pub fn change(
    trace: &mut Trace,
    values: &AccessValues,
    (account, leaf): (AccountVars, &LeafVars),
    change: Change,
    zero: Var,
) -> path::PathVars {
    let meta = match change.nonce {
        Some(raise) => {
            let raised = [(Fr::ONE, account.meta), (power(TOKEN_BITS as u64), raise)];
            arithmetic::linear(trace, &raised, Fr::ZERO)
        }
        None => account.meta,
    };
    let inputs = [meta, change.balance, leaf.key.x, leaf.key.y, leaf.owner].map(Operand::Old);
    let after = poseidon::hash::<6>(trace, &inputs, zero);
    let (old, new) = match change.exists {
        Some((before, remains)) => (
            arithmetic::multiply(trace, before, leaf.hash),
            arithmetic::multiply(trace, remains, after.output),
        ),
        None => (leaf.hash, after.output),
    };
    path::change(trace, values.index, old, new, &values.siblings, zero)
}

/// The root after an access that takes place only if `enabled` is 1: then `root` is the root before, and else
/// stays.
pub fn link_root(trace: &mut Trace, root: Var, enabled: Var, before: Var, after: Var) -> Var {
    let gap = arithmetic::linear(trace, &[(Fr::ONE, before), (-Fr::ONE, root)], Fr::ZERO);
    equation(trace, &[], Some((Fr::ONE, enabled.into(), gap.into())), Fr::ZERO);
    select(trace, enabled, after, root)
}

/// `yes` if `flag` is 1, `no` if it is 0.
pub fn select(trace: &mut Trace, flag: Var, yes: Var, no: Var) -> Var {
    let difference = arithmetic::linear(trace, &[(Fr::ONE, yes), (-Fr::ONE, no)], Fr::ZERO);
    arithmetic::product(trace, (Fr::ONE, flag, difference), &[(Fr::ONE, no)], Fr::ZERO)
}
