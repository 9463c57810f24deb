//! Columns, and the constraint system made of a circuit's set of gates.
//!
//! Gates of low degree share a selector column, telling themselves apart by its value. Fewer columns are fewer
//! commitments for a verifier. The leaf circuit has a column of running products, which are computed with challenges
//! drawn after all other columns are committed. Circuits with chunks have two lookups besides: each chunk column's cells in the range
//! table, and the places of [`Gate::CurveAdd`] rows in the tables of multiples that stand in the trace itself.

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use halo2_proofs::plonk::{
    Advice, Challenge, Column, ConstraintSystem, Constraints, Expression, FirstPhase, Fixed, Instance,
    SecondPhase, VirtualCells,
};
use halo2_proofs::poly::Rotation;

use super::trace::{
    ADVICE_COLUMNS, CHUNK_BITS, CHUNK_COLUMNS, CONSTANT_COLUMNS, COPY_COLUMNS, Gate, PRODUCT_COLUMN, Trace,
};
use crate::gadgets;

/// The highest degree that a constraint may have, its selector included. The proof system's extended domain, and
/// with it proving time, doubles beyond 5.
pub const MAX_DEGREE: usize = 5;

/// [`GateSet::fold`] of circuits that verify proofs.
const FOLD: usize = 5;

/// The gates of a circuit.
#[derive(Debug, PartialEq, Eq)]
pub struct GateSet {
    /// In the order in which the constraint system holds them.
    pub gates: &'static [Gate],
    /// Gates that share a selector column: the first is switched on by 1, the next by 2, and so on.
    pub selectors: &'static [&'static [Gate]],
    /// The first advice columns, those whose cells can take part in copies.
    pub copy_columns: usize,
    /// Whether there are chunks and tables of multiples.
    pub chunks: bool,
    /// Rows of the proof system that a row of the trace takes, see [`Columns`].
    pub fold: usize,
    /// Whether there are running products.
    pub products: bool,
}

impl GateSet {
    /// The leaf circuit.
    pub const LEAF: Self = Self {
        gates: &[
            Gate::Arithmetic,
            Gate::Access,
            Gate::Entry,
            Gate::Node,
            Gate::Double,
            Gate::Ladder,
            Gate::FixedBase,
            Gate::Range,
            Gate::Full3,
            Gate::Partial3,
            Gate::Full5,
            Gate::Partial5,
            Gate::Last5,
            Gate::Full6,
            Gate::Partial6,
        ],
        selectors: &[
            &[Gate::Arithmetic, Gate::Double],
            &[Gate::Access],
            &[Gate::Entry, Gate::Node],
            &[Gate::Ladder, Gate::FixedBase],
            &[Gate::Range],
            &[Gate::Full3],
            &[Gate::Partial3],
            &[Gate::Full5],
            &[Gate::Partial5],
            &[Gate::Full6],
            &[Gate::Partial6],
            &[Gate::Last5],
        ],
        copy_columns: COPY_COLUMNS,
        chunks: false,
        fold: 1,
        products: true,
    };

    /// Circuits that verify proofs.
    pub const RECURSION: Self = Self {
        gates: &[
            Gate::Arithmetic,
            Gate::Range,
            Gate::Full3,
            Gate::Partial3,
            Gate::CurveAdd,
            Gate::CurveDouble,
            Gate::CurveNormalize,
            Gate::CurveCoordinates,
            Gate::CurveEquation,
            Gate::CurveCanonical,
            Gate::CurveTable,
            Gate::CurveConstant,
        ],
        selectors: &[
            &[Gate::Arithmetic, Gate::CurveCanonical],
            &[Gate::Range],
            &[Gate::Full3],
            &[Gate::Partial3],
            &[Gate::CurveAdd],
            &[Gate::CurveDouble, Gate::CurveNormalize, Gate::CurveEquation],
            &[Gate::CurveCoordinates, Gate::CurveTable, Gate::CurveConstant],
        ],
        copy_columns: ADVICE_COLUMNS,
        chunks: true,
        fold: FOLD,
        products: false,
    };

    /// The selector column of a gate and the value that switches it on.
    pub fn selector_of(&self, gate: Gate) -> Option<(usize, u64)> {
        self.selectors.iter().enumerate().find_map(|(column, shared)| {
            let place = shared.iter().position(|other| *other == gate)?;
            Some((column, place as u64 + 1))
        })
    }

    /// 0 except where a column holds the gate's value; there it is another constant.
    fn selector(&self, gate: Gate, columns: &Columns, meta: &mut VirtualCells<'_, Fr>) -> Expression<Fr> {
        let Some((column, value)) = self.selector_of(gate) else {
            return Expression::Constant(Fr::ZERO);
        };
        let q = meta.query_fixed(columns.selectors[column], Rotation::cur());
        let last = self.selectors[column].len() as u64;
        let others = (1..=last).filter(|other| *other != value);
        others.fold(q.clone(), |product, other| {
            let other = Expression::Constant(Fr::from(other));
            product * if value == 1 { other - q.clone() } else { q.clone() - other }
        })
    }
}

/// A constraint and its name.
pub type NamedConstraint = (String, Expression<Fr>);

/// Columns of a circuit.
///
/// A row of the trace takes `fold` rows of the proof system, in fewer columns: its advice cells stand in
/// `⌈ADVICE_COLUMNS / fold⌉` columns, its chunks and its constants in as many fewer, each filled from top to bottom. The
/// first of the rows has the selector, and anchors the gate. So the same gates make a circuit that is quick to prove, or
/// one with few commitments, which a contract is to verify.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Witness columns, those of chunks last.
    pub advice: Vec<Column<Advice>>,
    /// Constants by row.
    pub constants: Vec<Column<Fixed>>,
    /// Selector columns, see [`GateSet::selector_of`].
    pub selectors: Vec<Column<Fixed>>,
    /// Public inputs.
    pub instance: Column<Instance>,
    /// What lookups need, in circuits with chunks.
    pub lookups: Option<LookupColumns>,
    /// Rows of the proof system that a row of the trace takes.
    pub fold: usize,
    /// What running products need, in circuits that have them.
    pub products: Option<ProductColumns>,
}

impl Columns {
    /// Where a cell of a row stands: the column, and the row among those of the row.
    pub fn advice_place(&self, column: usize) -> (Column<Advice>, usize) {
        if let (PRODUCT_COLUMN, Some(products)) = (column, self.products) {
            return (products.column, 0);
        }
        match column.checked_sub(ADVICE_COLUMNS) {
            None => (self.advice[column / self.fold], column % self.fold),
            Some(chunk) => {
                let first = ADVICE_COLUMNS.div_ceil(self.fold);
                (self.advice[first + chunk / self.fold], chunk % self.fold)
            }
        }
    }

    /// The same for a constant.
    pub fn constant_place(&self, column: usize) -> (Column<Fixed>, usize) {
        (self.constants[column / self.fold], column % self.fold)
    }

    /// The columns of chunks.
    pub fn chunk_columns(&self) -> &[Column<Advice>] {
        self.advice.get(ADVICE_COLUMNS.div_ceil(self.fold)..).unwrap_or_default()
    }

    fn advice(&self, meta: &mut VirtualCells<'_, Fr>, rotation: i32, column: usize) -> Expression<Fr> {
        let (column, row) = self.advice_place(column);
        meta.query_advice(column, Rotation(rotation * self.fold as i32 + row as i32))
    }

    fn constant(&self, meta: &mut VirtualCells<'_, Fr>, rotation: i32, column: usize) -> Expression<Fr> {
        let (column, row) = self.constant_place(column);
        meta.query_fixed(column, Rotation(rotation * self.fold as i32 + row as i32))
    }
}

/// The column of running products and the challenges that they are computed with.
#[derive(Clone, Copy, Debug)]
pub struct ProductColumns {
    /// Committed after all other advice columns.
    pub column: Column<Advice>,
    /// Drawn between, in the order of [`super::trace::Challenges`].
    pub challenges: [Challenge; 2],
}

/// Fixed columns of lookups.
#[derive(Clone, Copy, Debug)]
pub struct LookupColumns {
    /// All values that a chunk can have, then 0.
    pub range: Column<Fixed>,
    /// 1 where a row is looked up, else 0.
    pub looks_up: Column<Fixed>,
    /// The number of the table that the row is a place of, 0 where it is none.
    pub table: Column<Fixed>,
}

/// Whether a row is looked up in a table of multiples, and the number of the table that it is a place of.
pub fn lookups_of(trace: &Trace, row: usize) -> (bool, Fr) {
    let (gate, number) = (trace.gate(row), trace.constant(row, 0));
    let looks_up = gate == Gate::CurveAdd && number != Fr::ZERO;
    (looks_up, if gate.is_table() { number } else { Fr::ZERO })
}

/// Values of the range table.
pub const RANGE_ROWS: usize = 1 << CHUNK_BITS;

/// The cells around a gate's anchor row, as expressions.
pub struct Window<'w, 'm> {
    meta: &'w mut VirtualCells<'m, Fr>,
    columns: &'w Columns,
}

impl Window<'_, '_> {
    /// The advice cell in `column`, `rotation` rows after the anchor.
    pub fn cell(&mut self, rotation: i32, column: usize) -> Expression<Fr> {
        self.columns.advice(self.meta, rotation, column)
    }

    /// The running product in the row `rotation` after the anchor; 0 in a circuit without.
    pub fn product(&mut self, rotation: i32) -> Expression<Fr> {
        let Some(products) = self.columns.products else { return Expression::Constant(Fr::ZERO) };
        self.meta.query_advice(products.column, Rotation(rotation * self.columns.fold as i32))
    }

    /// `β + Σ α^i part_i`, a factor of the running products; 0 in a circuit without.
    pub fn factor(&mut self, parts: &[Expression<Fr>]) -> Expression<Fr> {
        let Some(products) = self.columns.products else { return Expression::Constant(Fr::ZERO) };
        let [alpha, beta] = products.challenges.map(|challenge| self.meta.query_challenge(challenge));
        let sum = parts.iter().rev().cloned().reduce(|sum, part| part + alpha.clone() * sum);
        sum.map_or(beta.clone(), |sum| beta + sum)
    }

    /// `N` advice cells of one row, from `first` on.
    pub fn cells<const N: usize>(&mut self, rotation: i32, first: usize) -> [Expression<Fr>; N] {
        std::array::from_fn(|i| self.cell(rotation, first + i))
    }

    /// Chunks `first` to `first + count` of the rows from the anchor on.
    pub fn chunks(&mut self, first: usize, count: usize) -> Vec<Expression<Fr>> {
        let place = |i| ((i / CHUNK_COLUMNS) as i32, ADVICE_COLUMNS + i % CHUNK_COLUMNS);
        (first..first + count).map(place).map(|(rotation, column)| self.cell(rotation, column)).collect()
    }

    /// The constant in `column`, `rotation` rows after the anchor.
    pub fn constant(&mut self, rotation: i32, column: usize) -> Expression<Fr> {
        self.columns.constant(self.meta, rotation, column)
    }
}

fn constraints_of(gate: Gate, window: &mut Window<'_, '_>) -> Vec<NamedConstraint> {
    match gate {
        Gate::None | Gate::CurveTableEnd => Vec::new(),
        Gate::Arithmetic => gadgets::arithmetic::constraints(window),
        Gate::Access => gadgets::memory::access_constraints(window),
        Gate::Entry => gadgets::memory::entry_constraints(window),
        Gate::Node => gadgets::node::constraints(window),
        Gate::Double => gadgets::babyjubjub::double_constraints(window),
        Gate::Ladder => gadgets::ladder::constraints(window),
        Gate::FixedBase => gadgets::babyjubjub::fixed_base_constraints(window),
        Gate::Range => gadgets::range::constraints(window),
        Gate::Full3 => gadgets::poseidon::full_constraints::<3>(window),
        Gate::Partial3 => gadgets::poseidon::partial_constraints::<3>(window),
        Gate::Full5 => gadgets::poseidon::full_constraints::<5>(window),
        Gate::Partial5 => gadgets::poseidon::partial_constraints::<5>(window),
        Gate::Last5 => gadgets::poseidon::last_constraints::<5>(window),
        Gate::Full6 => gadgets::poseidon::full_constraints::<6>(window),
        Gate::Partial6 => gadgets::poseidon::partial_constraints::<6>(window),
        Gate::CurveAdd => gadgets::curve::gates::add(window),
        Gate::CurveDouble => gadgets::curve::gates::double(window),
        Gate::CurveNormalize => gadgets::curve::gates::normalize(window),
        Gate::CurveCoordinates => gadgets::curve::gates::coordinates(window),
        Gate::CurveEquation => gadgets::curve::gates::equation(window),
        Gate::CurveCanonical => gadgets::curve::gates::canonical(window),
        Gate::CurveTable => gadgets::curve::gates::table(window),
        Gate::CurveConstant => gadgets::curve::gates::constant(window),
    }
}

/// Declares the columns, every gate of a set in its order, and its lookups; `fold` as in [`Columns`].
///
/// # Panics
/// If a constraint's degree passes [`MAX_DEGREE`]: such a circuit must not get a key.
pub fn configure(meta: &mut ConstraintSystem<Fr>, set: &'static GateSet, fold: usize) -> Columns {
    let chunk_columns = if set.chunks { CHUNK_COLUMNS.div_ceil(fold) } else { 0 };
    let width = ADVICE_COLUMNS.div_ceil(fold) + chunk_columns;
    let advice: Vec<_> = (0..width).map(|_| meta.advice_column()).collect();
    let constants = (0..CONSTANT_COLUMNS.div_ceil(fold)).map(|_| meta.fixed_column()).collect();
    let selectors = set.selectors.iter().map(|_| meta.fixed_column()).collect();
    let instance = meta.instance_column();
    for column in advice.iter().take(set.copy_columns.div_ceil(fold)) {
        meta.enable_equality(*column);
    }
    meta.enable_equality(instance);
    let lookups = set.chunks.then(|| LookupColumns {
        range: meta.fixed_column(),
        looks_up: meta.fixed_column(),
        table: meta.fixed_column(),
    });
    let products = set.products.then(|| {
        let challenges = [(); 2].map(|()| meta.challenge_usable_after(FirstPhase));
        let column = meta.advice_column_in(SecondPhase);
        meta.enable_equality(column);
        ProductColumns { column, challenges }
    });
    let columns = Columns { advice, constants, selectors, instance, lookups, fold, products };
    for gate in set.gates.iter().copied() {
        meta.create_gate(format!("{gate:?}"), |meta| {
            let selector = set.selector(gate, &columns, meta);
            let constraints = constraints_of(gate, &mut Window { meta, columns: &columns });
            for (name, constraint) in &constraints {
                let degree = (selector.clone() * constraint.clone()).degree();
                assert!(degree <= MAX_DEGREE, "{gate:?}, {name}: degree {degree}, at most {MAX_DEGREE}");
            }
            Constraints::with_selector(selector, constraints)
        });
    }
    if let Some(lookups) = lookups {
        configure_lookups(meta, &columns, lookups);
    }
    let degree = meta.degree();
    assert!(degree <= MAX_DEGREE, "the lookups have degree {degree}, at most {MAX_DEGREE}");
    columns
}

fn configure_lookups(meta: &mut ConstraintSystem<Fr>, columns: &Columns, lookups: LookupColumns) {
    for column in columns.chunk_columns() {
        meta.lookup_any("chunk", |meta| {
            let chunk = meta.query_advice(*column, Rotation::cur());
            vec![(chunk, meta.query_fixed(lookups.range, Rotation::cur()))]
        });
    }
    // The table's side has no selector: rows that are no place of a table have number 0, and so have looked-up rows
    // that look nothing up, whose other cells count as 0. Such a row is always there, after the trace's end.
    meta.lookup_any("multiple", |meta| {
        let looks_up = meta.query_fixed(lookups.looks_up, Rotation::cur());
        let number = columns.constant(meta, 0, 0);
        let table = meta.query_fixed(lookups.table, Rotation::cur());
        let mut pairs = vec![(looks_up.clone() * number, table)];
        for column in 0..ADVICE_COLUMNS {
            let cell = columns.advice(meta, 0, column);
            pairs.push((looks_up.clone() * cell.clone(), cell));
        }
        pairs
    });
}
