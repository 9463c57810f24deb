//! The leaf circuit's columns and the constraint system made of its gates.
//!
//! Two pairs of gates of degree 3 share a selector column each, telling themselves apart by its value (1 or 2);
//! every other gate has a column of its own. Fewer columns are fewer commitments for the aggregation to verify.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use halo2_proofs::plonk::{
    Advice, Column, ConstraintSystem, Constraints, Expression, Fixed, Instance, VirtualCells,
};
use halo2_proofs::poly::Rotation;

use super::trace::{ADVICE_COLUMNS, CONSTANT_COLUMNS, COPY_COLUMNS, Gate};
use crate::gadgets;

/// The highest degree that a constraint may have, its selector included. The proof system's extended domain, and
/// with it proving time, doubles beyond 5.
pub const MAX_DEGREE: usize = 5;

const SELECTOR_COLUMNS: usize = 10;

/// A constraint and its name.
pub type NamedConstraint = (String, Expression<Fr>);

/// Columns of the leaf circuit.
#[derive(Clone, Debug)]
pub struct LeafColumns {
    /// Witness columns; the first [`COPY_COLUMNS`] can be copied.
    pub advice: [Column<Advice>; ADVICE_COLUMNS],
    /// Constants by row.
    pub constants: [Column<Fixed>; CONSTANT_COLUMNS],
    /// Selector columns, see [`selector_of`].
    pub selectors: [Column<Fixed>; SELECTOR_COLUMNS],
    /// Public inputs.
    pub instance: Column<Instance>,
}

/// The selector column of a gate and the value that switches it on.
pub fn selector_of(gate: Gate) -> Option<(usize, u64)> {
    Some(match gate {
        Gate::None => return None,
        Gate::Arithmetic => (0, 1),
        Gate::Path => (0, 2),
        Gate::Ladder => (1, 1),
        Gate::FixedBase => (1, 2),
        Gate::Range => (2, 1),
        Gate::Full3 => (3, 1),
        Gate::Partial3 => (4, 1),
        Gate::Full5 => (5, 1),
        Gate::Partial5 => (6, 1),
        Gate::Full6 => (7, 1),
        Gate::Partial6 => (8, 1),
        Gate::Last5 => (9, 1),
    })
}

/// The cells around a gate's anchor row, as expressions.
pub struct Window<'w, 'm> {
    meta: &'w mut VirtualCells<'m, Fr>,
    columns: &'w LeafColumns,
}

impl Window<'_, '_> {
    /// The advice cell in `column`, `rotation` rows after the anchor.
    pub fn cell(&mut self, rotation: i32, column: usize) -> Expression<Fr> {
        self.meta.query_advice(self.columns.advice[column], Rotation(rotation))
    }

    /// `N` advice cells of one row, from `first` on.
    pub fn cells<const N: usize>(&mut self, rotation: i32, first: usize) -> [Expression<Fr>; N] {
        std::array::from_fn(|i| self.cell(rotation, first + i))
    }

    /// The constant in `column`, `rotation` rows after the anchor.
    pub fn constant(&mut self, rotation: i32, column: usize) -> Expression<Fr> {
        self.meta.query_fixed(self.columns.constants[column], Rotation(rotation))
    }
}

fn selector_expression(gate: Gate, columns: &LeafColumns, meta: &mut VirtualCells<'_, Fr>) -> Expression<Fr> {
    let Some((column, value)) = selector_of(gate) else {
        return Expression::Constant(Fr::ZERO);
    };
    let q = meta.query_fixed(columns.selectors[column], Rotation::cur());
    let shared = Gate::ALL.iter().filter(|g| selector_of(**g).is_some_and(|(c, _)| c == column)).count() > 1;
    match (shared, value) {
        (false, _) => q,
        (true, 1) => q.clone() * (Expression::Constant(Fr::from(2)) - q),
        (true, _) => q.clone() * (q - Expression::Constant(Fr::ONE)),
    }
}

fn constraints_of(gate: Gate, window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    match gate {
        Gate::None => Vec::new(),
        Gate::Arithmetic => gadgets::arithmetic::constraints(window),
        Gate::Path => gadgets::path::constraints(window),
        Gate::Ladder => gadgets::babyjubjub::ladder_constraints(window),
        Gate::FixedBase => gadgets::babyjubjub::fixed_base_constraints(window),
        Gate::Range => gadgets::range::constraints(window),
        Gate::Full3 => gadgets::poseidon::full_constraints::<3>(window),
        Gate::Partial3 => gadgets::poseidon::partial_constraints::<3>(window),
        Gate::Full5 => gadgets::poseidon::full_constraints::<5>(window),
        Gate::Partial5 => gadgets::poseidon::partial_constraints::<5>(window),
        Gate::Last5 => gadgets::poseidon::last_constraints::<5>(window),
        Gate::Full6 => gadgets::poseidon::full_constraints::<6>(window),
        Gate::Partial6 => gadgets::poseidon::partial_constraints::<6>(window),
    }
}

/// Declares the columns and every gate, in the order of [`Gate::ALL`].
///
/// # Panics
/// If a constraint's degree passes [`MAX_DEGREE`]: such a circuit must not get a key.
pub fn configure(meta: &mut ConstraintSystem<Fr>) -> LeafColumns {
    let advice = std::array::from_fn(|_| meta.advice_column());
    let constants = std::array::from_fn(|_| meta.fixed_column());
    let selectors = std::array::from_fn(|_| meta.fixed_column());
    let instance = meta.instance_column();
    for column in advice.iter().take(COPY_COLUMNS) {
        meta.enable_equality(*column);
    }
    meta.enable_equality(instance);
    let columns = LeafColumns { advice, constants, selectors, instance };
    for gate in Gate::ALL {
        meta.create_gate(format!("{gate:?}"), |meta| {
            let selector = selector_expression(gate, &columns, meta);
            let constraints = constraints_of(gate, &mut Window { meta, columns: &columns });
            for (name, constraint) in &constraints {
                let degree = (selector.clone() * constraint.clone()).degree();
                assert!(degree <= MAX_DEGREE, "{gate:?}, {name}: degree {degree}, at most {MAX_DEGREE}");
            }
            Constraints::with_selector(selector, constraints)
        });
    }
    columns
}
