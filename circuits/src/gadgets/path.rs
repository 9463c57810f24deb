//! One level of a Merkle path for the old and the new leaf together: the two nodes' children differ in one place,
//! the one that the position names.
//!
//! The gate lives in cells that two permutations of width 5 leave free. `o0..o3` are the old node's children, in
//! the first row of its permutation; the new node's children `n0..n3` are copied to its permutation's inputs.
//!
//! ```text
//! row 0   | 0  | o0 | o1 | o2 | o3 |          inputs of the old node's permutation
//! row 1   | p0 | p1 | old | index | rest |
//! row 2                                       anchor
//! row 3   | n0 | n1 | n2 | n3 | new |
//!
//! p0, p1 are bits         index = 4 rest + 2 p1 + p0
//! old = Σ e_j o_j         n_j = o_j + e_j (new − old)        e_j = [2 p1 + p0 = j]
//! ```
//!
//! The caller links `old` and `new` to the outputs of the level below, `index` to the `rest` below, and the last
//! `rest` to 0. The gadget then guarantees that both roots are those of leaves at the same index below 4^depth,
//! all other leaves being equal.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use halo2_proofs::plonk::Expression;

use super::arithmetic::Operand;
use super::poseidon;
use crate::halo2::columns::{NamedConstraint, Window};
use crate::halo2::trace::{Trace, Var};
use crate::rollup::DEPTH;

/// Children of a node.
pub const ARITY: usize = 4;
/// Row of the gate's anchor, from the old permutation's first row.
pub const ANCHOR: usize = 2;

/// The gate's constraints.
pub fn constraints(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let one = || Expression::Constant(Fr::ONE);
    let olds: [_; ARITY] = window.cells(-2, 1);
    let [p0, p1, old, index, rest] = window.cells(-1, 0);
    let news: [_; ARITY] = window.cells(1, 0);
    let new = window.cell(1, ARITY);
    let indicators = [
        (one() - p0.clone()) * (one() - p1.clone()),
        p0.clone() * (one() - p1.clone()),
        (one() - p0.clone()) * p1.clone(),
        p0.clone() * p1.clone(),
    ];
    let selected = indicators
        .iter()
        .zip(&olds)
        .map(|(e, o)| e.clone() * o.clone())
        .reduce(|sum, term| sum + term)
        .unwrap_or_else(one);
    let mut constraints = vec![
        ("low position bit".into(), p0.clone() * (one() - p0.clone())),
        ("high position bit".into(), p1.clone() * (one() - p1.clone())),
        ("index".into(), index - rest * Fr::from(4) - p1 * Fr::from(2) - p0),
        ("old child".into(), old.clone() - selected),
    ];
    for (j, ((n, o), e)) in news.into_iter().zip(olds).zip(indicators).enumerate() {
        constraints.push((format!("new child {j}"), n - o - e * (new.clone() - old.clone())));
    }
    constraints
}

/// A proven change of one leaf.
pub struct PathVars {
    /// The leaf's index.
    pub index: Var,
    /// Root before.
    pub root_before: Var,
    /// Root after.
    pub root_after: Var,
}

/// Writes the path of a leaf at `index` that changes from `old` to `new`; `siblings` as
/// [`crate::witness::AccountAccess`] orders them. `zero` is a cell constrained to 0.
pub fn change(
    trace: &mut Trace,
    index: u64,
    old: Var,
    new: Var,
    siblings: &[[Fr; ARITY - 1]; DEPTH],
    zero: Var,
) -> PathVars {
    let (mut old, mut new) = (old, new);
    let mut rest = index;
    let mut first_index = None;
    let mut above: Option<Var> = None;
    for siblings in siblings {
        let position = (rest % 4) as usize;
        let mut children = siblings.to_vec();
        children.insert(position, old.value);
        let operands: Vec<Operand> = children.iter().map(|child| Operand::New(*child)).collect();
        let old_node = poseidon::hash::<5>(trace, &operands, zero);
        let row = old_node.row;
        trace.set(row + 1, 0, Fr::from(rest & 1));
        trace.set(row + 1, 1, Fr::from(rest >> 1 & 1));
        trace.copy(row + 1, 2, old);
        let index_value = Fr::from(rest);
        let index_cell = match above {
            Some(above) => trace.copy(row + 1, 3, above),
            None => trace.set(row + 1, 3, index_value),
        };
        first_index.get_or_insert(index_cell);
        above = Some(trace.set(row + 1, 4, Fr::from(rest / 4)));
        children[position] = new.value;
        let new_children: Vec<Operand> = children
            .iter()
            .enumerate()
            .map(|(j, child)| Operand::Old(trace.set(row + 3, j, *child)))
            .collect();
        trace.copy(row + 3, ARITY, new);
        trace.anchor(row + ANCHOR, crate::halo2::trace::Gate::Path);
        let new_node = poseidon::hash::<5>(trace, &new_children, zero);
        (old, new) = (old_node.output, new_node.output);
        rest /= 4;
    }
    if let Some(above) = above {
        trace.link(above, zero);
    }
    PathVars { index: first_index.unwrap_or(zero), root_before: old, root_after: new }
}
