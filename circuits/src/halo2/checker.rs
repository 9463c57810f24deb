//! Checks a trace against the constraint system: every gate on every row, every lookup, copy and public input.
//!
//! Unlike a prover it says what is wrong: the gate, the constraint, the row and what the row is for. [`Index`]
//! also answers quickly whether one changed cell breaks anything, for tests that change every cell in turn.

use std::collections::{HashMap, HashSet};
use std::fmt;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::{Field, PrimeField};
use halo2_proofs::plonk::{ConstraintSystem, Expression};
use rayon::prelude::*;

use super::columns::{Columns, GateSet, RANGE_ROWS, configure, lookups_of};
use super::trace::{ADVICE_COLUMNS, CHUNK_COLUMNS, Cell, Challenges, Gate, PRODUCT_COLUMN, Trace};

/// Something that a trace doesn't satisfy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A constraint of a gate isn't 0.
    Constraint {
        /// The gate.
        gate: Gate,
        /// The constraint's name.
        constraint: String,
        /// The anchor row.
        row: usize,
        /// What the row is for.
        label: &'static str,
    },
    /// Two linked cells differ.
    Copy {
        /// One cell.
        left: Cell,
        /// The other.
        right: Cell,
        /// What the later cell's row is for.
        label: &'static str,
    },
    /// A cell of a chunk column isn't a chunk.
    Chunk {
        /// The cell.
        cell: Cell,
        /// What the row is for.
        label: &'static str,
    },
    /// A row isn't a place of the table of multiples that it names.
    Multiple {
        /// The row.
        row: usize,
        /// What it is for.
        label: &'static str,
    },
    /// A cell and its public input differ.
    PublicInput {
        /// Position of the public input.
        index: usize,
        /// The cell.
        cell: Cell,
    },
    /// A cell was written twice.
    AssignedTwice {
        /// The cell.
        cell: Cell,
    },
    /// A copy or a public input names a column that can't be copied.
    NotCopyable {
        /// The cell.
        cell: Cell,
    },
    /// The trace has more rows than the circuit.
    TooManyRows {
        /// Rows of the trace.
        rows: usize,
        /// Rows that the circuit can use.
        usable: usize,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constraint { gate, constraint, row, label } => {
                write!(f, "row {row} ({label}): gate {gate:?}, constraint \"{constraint}\"")
            }
            Self::Copy { left, right, label } => write!(
                f,
                "row {} column {} differs from row {} column {} ({label})",
                left.row, left.column, right.row, right.column
            ),
            Self::Chunk { cell, label } => {
                write!(f, "row {} column {} ({label}) isn't a chunk", cell.row, cell.column)
            }
            Self::Multiple { row, label } => write!(f, "row {row} ({label}) isn't in its table of multiples"),
            Self::PublicInput { index, cell } => {
                write!(f, "public input {index} differs from row {} column {}", cell.row, cell.column)
            }
            Self::AssignedTwice { cell } => {
                write!(f, "row {} column {} is written twice", cell.row, cell.column)
            }
            Self::NotCopyable { cell } => {
                write!(f, "row {} column {} can't be copied", cell.row, cell.column)
            }
            Self::TooManyRows { rows, usable } => write!(f, "{rows} rows, the circuit has {usable}"),
        }
    }
}

/// A gate's constraints, by name, with the selector.
struct GateConstraints {
    gate: Gate,
    constraints: Vec<(String, Expression<Fr>)>,
}

/// The constraint system, ready to be evaluated on traces.
pub struct Checker {
    set: &'static GateSet,
    columns: Columns,
    gates: HashMap<Gate, GateConstraints>,
    challenges: Challenges,
    unusable_rows: usize,
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

impl Checker {
    /// Builds the leaf circuit's constraint system.
    pub fn new() -> Self {
        Self::of(&GateSet::LEAF)
    }

    /// Builds the constraint system of a set of gates.
    pub fn of(set: &'static GateSet) -> Self {
        let mut cs = ConstraintSystem::default();
        let columns = configure(&mut cs, set, 1);
        let gates = set
            .gates
            .iter()
            .copied()
            .zip(cs.gates())
            .map(|(gate, source)| {
                let constraints = source
                    .polynomials()
                    .iter()
                    .enumerate()
                    .map(|(i, polynomial)| (source.constraint_name(i).to_owned(), polynomial.clone()))
                    .collect();
                (gate, GateConstraints { gate, constraints })
            })
            .collect();
        let challenges = Challenges::of_checker();
        Self { set, columns, gates, challenges, unusable_rows: cs.blinding_factors() + 1 }
    }

    /// Rows that a circuit of 2^k rows can use.
    pub fn usable_rows(&self, k: u32) -> usize {
        (1_usize << k).saturating_sub(self.unusable_rows)
    }

    /// The first violations of a trace in a circuit of 2^k rows, at most `limit`; empty when it is satisfied.
    /// `public_inputs` are what the statement says, in order.
    pub fn check(&self, trace: &Trace, k: u32, public_inputs: &[Fr], limit: usize) -> Vec<Violation> {
        let mut violations = Vec::new();
        let usable = self.usable_rows(k);
        if trace.rows() >= usable {
            violations.push(Violation::TooManyRows { rows: trace.rows(), usable });
        }
        violations.extend(trace.assigned_twice().iter().map(|cell| Violation::AssignedTwice { cell: *cell }));
        for (left, right) in trace.copies() {
            for cell in [left, right] {
                let is_product = self.set.products && usize::from(cell.column) == PRODUCT_COLUMN;
                if usize::from(cell.column) >= self.set.copy_columns && !is_product {
                    violations.push(Violation::NotCopyable { cell: *cell });
                }
            }
            if value(trace, *left) != value(trace, *right) {
                let label = trace.label_of(left.row.max(right.row) as usize);
                violations.push(Violation::Copy { left: *left, right: *right, label });
            }
        }
        for (cell, index) in trace.public() {
            if public_inputs.get(*index) != Some(&value(trace, *cell)) {
                violations.push(Violation::PublicInput { index: *index, cell: *cell });
            }
        }
        if self.set.chunks {
            violations.append(&mut self.broken_lookups(trace));
        }
        let mut broken: Vec<Violation> =
            (0..trace.rows()).into_par_iter().flat_map_iter(|row| self.broken_at(trace, row)).collect();
        violations.append(&mut broken);
        violations.truncate(limit);
        violations
    }

    /// Every constraint, in the constraint system's order: its gate, its name, its degree with the selector.
    pub fn constraints(&self) -> impl Iterator<Item = (Gate, &str, usize)> {
        let gates = self.set.gates.iter().filter_map(|gate| self.gates.get(gate));
        gates.flat_map(|gate| {
            gate.constraints.iter().map(|(name, polynomial)| (gate.gate, name.as_str(), polynomial.degree()))
        })
    }

    /// The constraints of the gate that a row anchors, with their values: 0 where they hold.
    pub fn residues(&self, trace: &Trace, row: usize) -> Vec<(&str, Fr)> {
        let constraints = self.gates.get(&trace.gate(row)).map_or(&[][..], |gate| &gate.constraints);
        constraints
            .iter()
            .map(|(name, polynomial)| (name.as_str(), self.evaluate(polynomial, trace, row)))
            .collect()
    }

    /// The value of one constraint of the gate that a row anchors.
    pub fn residue(&self, trace: &Trace, row: usize, name: &str) -> Option<Fr> {
        let gate = self.gates.get(&trace.gate(row))?;
        let (_, polynomial) = gate.constraints.iter().find(|(other, _)| other == name)?;
        Some(self.evaluate(polynomial, trace, row))
    }

    fn broken_lookups(&self, trace: &Trace) -> Vec<Violation> {
        let mut violations = Vec::new();
        let places = Places::new(trace);
        for row in 0..trace.rows() {
            let label = trace.label_of(row);
            for column in (ADVICE_COLUMNS..).zip(trace.chunks(row)).filter(|(_, chunk)| !is_chunk(*chunk)) {
                let cell = Cell { row: row as u32, column: column.0 as u8 };
                violations.push(Violation::Chunk { cell, label });
            }
            if !places.has(trace, row) {
                violations.push(Violation::Multiple { row, label });
            }
        }
        violations
    }

    fn broken_at(&self, trace: &Trace, row: usize) -> Vec<Violation> {
        let residues = self.residues(trace, row).into_iter();
        residues
            .filter(|(_, value)| !bool::from(value.is_zero()))
            .map(|(name, _)| Violation::Constraint {
                gate: trace.gate(row),
                constraint: name.to_owned(),
                row,
                label: trace.label_of(row),
            })
            .collect()
    }

    fn evaluate(&self, polynomial: &Expression<Fr>, trace: &Trace, row: usize) -> Fr {
        polynomial.evaluate(
            &|constant| constant,
            &|_| Fr::ZERO,
            &|query| self.fixed(trace, query.column_index(), shifted(row, query.rotation().0)),
            &|query| {
                let row = shifted(row, query.rotation().0);
                row.map_or(Fr::ZERO, |row| trace.value(row, self.in_trace(query.column_index())))
            },
            &|_| Fr::ZERO,
            &|challenge| self.challenge(challenge.index()),
            &|value| -value,
            &|left, right| left + right,
            &|left, right| left * right,
            &|value, factor| value * factor,
        )
    }

    /// The number in the trace of an advice column.
    fn in_trace(&self, column: usize) -> usize {
        let products = self.columns.products.filter(|products| products.column.index() == column);
        products.map_or(column, |_| PRODUCT_COLUMN)
    }

    fn challenge(&self, index: usize) -> Fr {
        let challenges = self.columns.products.map(|products| products.challenges.map(|c| c.index()));
        match challenges {
            Some([alpha, _]) if alpha == index => self.challenges.alpha,
            _ => self.challenges.beta,
        }
    }

    fn fixed(&self, trace: &Trace, column: usize, row: Option<usize>) -> Fr {
        let Some(row) = row else { return Fr::ZERO };
        if let Some(constant) = self.columns.constants.iter().position(|c| c.index() == column) {
            return trace.constant(row, constant);
        }
        let selector = self.columns.selectors.iter().position(|c| c.index() == column);
        match self.set.selector_of(trace.gate(row)) {
            Some((of_gate, value)) if selector == Some(of_gate) => Fr::from(value),
            _ => Fr::ZERO,
        }
    }
}

fn is_chunk(value: u32) -> bool {
    (value as usize) < RANGE_ROWS
}

/// The cells of a row as a looked-up multiple: the table's number and the columns that aren't chunks.
type Multiple = [[u8; 32]; ADVICE_COLUMNS + 1];

/// The places of all tables of multiples.
struct Places(HashSet<Multiple>);

impl Places {
    fn new(trace: &Trace) -> Self {
        let rows = (0..trace.rows()).filter(|row| trace.gate(*row).is_table());
        Self(rows.map(|row| multiple(trace, row)).collect())
    }

    /// Whether a row, if it is looked up at all, is in its table.
    fn has(&self, trace: &Trace, row: usize) -> bool {
        !lookups_of(trace, row).0 || self.0.contains(&multiple(trace, row))
    }
}

fn multiple(trace: &Trace, row: usize) -> Multiple {
    let cell = |i: usize| i.checked_sub(1).map_or(trace.constant(row, 0), |column| trace.value(row, column));
    std::array::from_fn(|i| cell(i).to_repr())
}

fn shifted(row: usize, rotation: i32) -> Option<usize> {
    usize::try_from(i64::try_from(row).ok()? + i64::from(rotation)).ok()
}

fn value(trace: &Trace, cell: Cell) -> Fr {
    trace.value(cell.row as usize, usize::from(cell.column))
}

/// For each cell, the constraints and copies that it appears in.
pub struct Index<'c> {
    checker: &'c Checker,
    /// By gate and advice column: the constraints that read it, with the rotation.
    readers: HashMap<(Gate, usize), Vec<(usize, i32)>>,
    linked: Vec<u32>,
    /// The lowest and the highest rotation at which a gate reads.
    reach: (i32, i32),
    /// The honest ones: a gate ties the two places of a pair to each other, so that no change of one cell passes there.
    places: Places,
}

impl<'c> Index<'c> {
    /// Indexes a trace's shape.
    pub fn new(checker: &'c Checker, trace: &Trace) -> Self {
        let mut readers: HashMap<(Gate, usize), Vec<(usize, i32)>> = HashMap::new();
        for (gate, constraints) in &checker.gates {
            for (index, (_, polynomial)) in constraints.constraints.iter().enumerate() {
                for (column, rotation) in queries(polynomial) {
                    readers.entry((*gate, checker.in_trace(column))).or_default().push((index, rotation));
                }
            }
        }
        let mut linked = vec![0_u32; trace.rows()];
        let copied = trace.copies().iter().filter(|(l, r)| l != r).flat_map(|(l, r)| [*l, *r]);
        for cell in copied.chain(trace.public().iter().map(|(cell, _)| *cell)) {
            linked[cell.row as usize] |= 1 << cell.column;
        }
        let rotations = readers.values().flatten().map(|(_, rotation)| *rotation);
        let reach = rotations.fold((0, 0), |(low, high), rotation| (low.min(rotation), high.max(rotation)));
        Self { checker, readers, linked, reach, places: Places::new(trace) }
    }

    /// Whether a changed value in one cell of a satisfied trace breaks a constraint, a copy or a public input.
    /// `trace` holds the changed value.
    pub fn is_caught(&self, trace: &Trace, row: usize, column: usize) -> bool {
        if self.linked[row] & (1 << column) != 0 {
            return true;
        }
        let breaks_lookup = match column.checked_sub(ADVICE_COLUMNS) {
            Some(CHUNK_COLUMNS) => false,
            Some(place) => trace.chunks(row).get(place).is_some_and(|chunk| !is_chunk(*chunk)),
            None => self.checker.set.chunks && !self.places.has(trace, row),
        };
        let (low, high) = self.reach;
        let anchors = shifted(row, -high).unwrap_or(0)..=shifted(row, -low).unwrap_or(row);
        breaks_lookup
            || anchors.into_iter().any(|anchor| {
                let gate = trace.gate(anchor);
                let Some(readers) = self.readers.get(&(gate, column)) else { return false };
                let constraints = self.checker.gates.get(&gate);
                readers.iter().any(|(index, rotation)| {
                    shifted(anchor, *rotation) == Some(row)
                        && constraints.and_then(|c| c.constraints.get(*index)).is_some_and(
                            |(_, polynomial)| {
                                !bool::from(self.checker.evaluate(polynomial, trace, anchor).is_zero())
                            },
                        )
                })
            })
    }
}

/// Advice cells that an expression reads, as (column, rotation), each once.
fn queries(polynomial: &Expression<Fr>) -> Vec<(usize, i32)> {
    let merge = |mut left: Vec<(usize, i32)>, right: Vec<(usize, i32)>| {
        left.extend(right);
        left.sort_unstable();
        left.dedup();
        left
    };
    polynomial.evaluate(
        &|_| Vec::new(),
        &|_| Vec::new(),
        &|_| Vec::new(),
        &|query| vec![(query.column_index(), query.rotation().0)],
        &|_| Vec::new(),
        &|_| Vec::new(),
        &|value| value,
        &merge,
        &merge,
        &|value, _| value,
    )
}
