//! A node of the tree that some leaf's change touches: hashed once before and once after, whatever changes below it.
//!
//! A tuple `(height, position, old, new)` says that the node (or leaf, of height 0) at a position of its level changes
//! from `old` to `new`. Each entry of [`super::memory`] makes one, each node but the root makes its own, and a node uses
//! up one for each child that is touched; the others stay as they are. With the running product ([`super::products`])
//! a node's gate stands between its two permutations of width 5, in cells that they leave free:
//!
//! ```text
//! row 17 | f0  | f1 | f2 | f3 | position |      of the permutation before
//! row 19 | old | o0 | o1 | o2 | o3       |      its output, its inputs
//! row 0  | 0   | n0 | n1 | n2 | n3       |      anchor; inputs of the permutation after
//! row 1  | height | inverse | new | made |
//!
//! touched = height · inverse      made = (1 − k) touched      f_j touched = f_j      (1 − f_j)(n_j − o_j) = 0
//! uses f_j (height − 1, 4 position + j, o_j, n_j), makes `made` (height, position, old, new)
//! ```
//!
//! The flags and `made` are bits; k is 1 for the root alone, which makes no tuple: the caller links it to height 16,
//! position 0 and the roots. Then every tuple that is made hangs below the root. It is used up by a node of one height
//! more, which, being touched, makes its own, and so on; no node comes twice on that way, since the height would have
//! to rise by a multiple of r in fewer steps, and only the root doesn't go on. A node of height 0 isn't touched, so that
//! what is below a node of height 1 is an entry. The way from an entry to the root has 16 steps, then, and its index is
//! the integer of the 16 digits, below 2^32. Two entries of one index would have the same way from the root down, on
//! which each child is used up once: there is one entry an index. The caller guarantees that `zero` is 0.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use halo2_proofs::plonk::Expression;

use super::arithmetic::Operand;
use super::poseidon;
use super::products::{TREE, factor, reserve, step, switched, switched_value};
use crate::halo2::columns::{NamedConstraint, Window};
use crate::halo2::trace::{Challenges, Gate, Trace, Var};

/// Children of a node.
pub const ARITY: usize = 4;
/// Rows of the gate above its anchor.
pub const ROWS_ABOVE: usize = 3;
/// Rows in which the gate has a product.
const PRODUCTS: usize = ARITY + 1;
/// Column, in the anchor's constants, of k.
const ROOT_CONSTANT: usize = 5;

/// The gate's constraints.
pub fn constraints(window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    let constant = |value| Expression::Constant(Fr::from(value));
    let flags: [_; ARITY] = window.cells(-3, 0);
    let position = window.cell(-3, ARITY);
    let old = window.cell(-1, 0);
    let olds: [_; ARITY] = window.cells(-1, 1);
    let news: [_; ARITY] = window.cells(0, 1);
    let [height, inverse, new, made] = window.cells(1, 0);
    let is_root = window.constant(0, ROOT_CONSTANT);
    let touched = height.clone() * inverse;
    let mut constraints = vec![
        ("made".into(), made.clone() - (constant(1) - is_root) * touched.clone()),
        ("made, a bit".into(), made.clone() * (constant(1) - made.clone())),
    ];
    let own = [constant(TREE), height.clone(), position.clone(), old, new];
    let own = switched(&made, window.factor(&own));
    for (j, ((flag, o), n)) in flags.into_iter().zip(olds).zip(news).enumerate() {
        constraints.push((format!("flag {j}"), flag.clone() * (constant(1) - flag.clone())));
        constraints.push((format!("flag {j}, touched"), flag.clone() * (constant(1) - touched.clone())));
        let same = (constant(1) - flag.clone()) * (n.clone() - o.clone());
        constraints.push((format!("child {j} stays"), same));
        let place = position.clone() * Fr::from(ARITY as u64) + constant(j as u64);
        let child = [constant(TREE), height.clone() - constant(1), place, o, n];
        let uses = switched(&flag, window.factor(&child));
        let products = [-3, -2].map(|rotation| window.product(rotation + j as i32));
        // What is made divides, what is used multiplies.
        let divisor = if j == 0 { own.clone() } else { constant(1) };
        constraints.push(step(&format!("product {j}"), products, uses, divisor));
    }
    constraints
}

/// The gate's steps, natively.
pub(super) fn steps(trace: &Trace, row: usize, challenges: &Challenges) -> Vec<[Fr; 2]> {
    let value = |above: usize, column: usize| trace.value(row + 1 - above, column);
    let (height, position) = (value(0, 0), value(4, ARITY));
    let own = [Fr::from(TREE), height, position, value(2, 0), value(0, 2)];
    let own = switched_value(value(0, 3), factor(challenges, &own));
    let children = (0..ARITY).map(|j| {
        let place = position * Fr::from(ARITY as u64) + Fr::from(j as u64);
        let child = [Fr::from(TREE), height - Fr::ONE, place, value(2, 1 + j), value(1, 1 + j)];
        let uses = switched_value(value(4, j), factor(challenges, &child));
        [uses, if j == 0 { own } else { Fr::ONE }]
    });
    children.collect()
}

/// A node, as a witness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeValues {
    /// 1 for parents of leaves, 0 for a node that isn't used.
    pub height: Fr,
    /// The node's place on its level.
    pub position: Fr,
    /// Which children are touched.
    pub flags: [Fr; ARITY],
    /// The children before.
    pub olds: [Fr; ARITY],
    /// The children after.
    pub news: [Fr; ARITY],
    /// 0 if the node isn't used.
    pub inverse: Fr,
}

/// A node in the trace.
#[derive(Clone, Copy)]
pub struct NodeVars {
    /// Height.
    pub height: Var,
    /// Place on its level.
    pub position: Var,
    /// The inverse of its height.
    pub inverse: Var,
    /// The node before.
    pub old: Var,
    /// The node after.
    pub new: Var,
    /// The running product after it.
    pub product: Var,
}

impl NodeVars {
    /// The same variables after their fragment was appended at row `offset`.
    pub fn shifted(self, offset: u32) -> Self {
        Self {
            height: self.height.shifted(offset),
            position: self.position.shifted(offset),
            inverse: self.inverse.shifted(offset),
            old: self.old.shifted(offset),
            new: self.new.shifted(offset),
            product: self.product.shifted(offset),
        }
    }
}

/// Writes a node; `is_root` is a part of the circuit.
pub fn node(trace: &mut Trace, values: &NodeValues, is_root: bool, zero: Var, product: Var) -> NodeVars {
    let before = poseidon::hash::<5>(trace, &values.olds.map(Operand::New), zero);
    let after = poseidon::hash::<5>(trace, &values.news.map(Operand::New), zero);
    let anchor = after.row;
    let first = anchor - ROWS_ABOVE;
    for (j, flag) in values.flags.into_iter().enumerate() {
        trace.set(first, j, flag);
    }
    let position = trace.set(first, ARITY, values.position);
    for (j, old) in before.inputs.iter().enumerate() {
        trace.copy(anchor - 1, 1 + j, *old);
    }
    let height = trace.set(anchor + 1, 0, values.height);
    let inverse = trace.set(anchor + 1, 1, values.inverse);
    trace.copy(anchor + 1, 2, after.output);
    let made = if is_root { Fr::ZERO } else { values.height * values.inverse };
    trace.set(anchor + 1, 3, made);
    trace.anchor(anchor, Gate::Node);
    trace.set_constant(anchor, ROOT_CONSTANT, Fr::from(u64::from(is_root)));
    let product = reserve(trace, first, PRODUCTS, product);
    NodeVars { height, position, inverse, old: before.output, new: after.output, product }
}
