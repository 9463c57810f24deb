//! Every constraint of the curve's gates broken alone; every cell of a small sum changed on its own, and every group
//! of linked cells changed together.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod recursion_support;

use std::collections::{BTreeMap, BTreeSet};

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use recursion_support::{ROWS, Terms, checker, random, random_point, violations};
use tenon_circuits::halo2::checker::{Index, Violation};
use tenon_circuits::halo2::trace::{
    ADVICE_COLUMNS, CHUNK_BITS, CHUNK_COLUMNS, CONSTANT_COLUMNS, Cell, Gate, Trace,
};

const WIDTH: usize = ADVICE_COLUMNS + CHUNK_COLUMNS;

/// A multiple of a point, one of a constant, and a point.
fn honest() -> Trace {
    let mut random = random(20);
    let mut term = || (Fr::random(&mut random), random_point(&mut random));
    Terms { variable: vec![term()], fixed: vec![term()], units: vec![term().1] }.trace().0
}

fn is_curve(gate: Gate) -> bool {
    format!("{gate:?}").starts_with("Curve")
}

/// Names of the constraints by gate, as the gadget's pages have them.
fn named_constraints() -> BTreeSet<(Gate, String)> {
    let mut names = BTreeSet::new();
    let mut add = |gate: Gate, list: Vec<String>| names.extend(list.into_iter().map(|name| (gate, name)));
    let parts =
        |name: &str| ["modulo r", "lower half", "upper half"].map(|part| format!("{name}: {part}")).to_vec();
    let limbs = |name: &str| (0..6).map(|i| format!("{name} {i}")).collect::<Vec<_>>();
    let fixed = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    for gate in [Gate::CurveAdd, Gate::CurveDouble] {
        add(gate, limbs("x limb"));
        add(gate, ["slope", "x", "y"].into_iter().flat_map(parts).collect());
    }
    add(Gate::CurveAdd, fixed(&["digit", "squared difference", "different x"]));
    for gate in [Gate::CurveNormalize, Gate::CurveCoordinates] {
        add(gate, limbs("x limb"));
        add(gate, limbs("y limb"));
        add(gate, parts("residue"));
        add(gate, fixed(&["x modulo r"]));
    }
    add(Gate::CurveNormalize, parts("y"));
    add(Gate::CurveEquation, parts("square"));
    add(Gate::CurveEquation, parts("equation"));
    for name in ["x", "y"] {
        let parts = ["borrow", "lower half", "upper half"].map(|part| format!("{name}: {part}"));
        add(Gate::CurveCanonical, parts.to_vec());
    }
    for gate in [Gate::CurveTable, Gate::CurveConstant] {
        add(gate, fixed(&["digit", "negative digit"]));
        add(gate, limbs("same x"));
        add(gate, parts("opposite y"));
    }
    add(Gate::CurveConstant, limbs("constant x"));
    add(Gate::CurveConstant, parts("constant y"));
    names
}

#[test]
fn every_constraint_is_named_here_and_of_degree_at_most_5() {
    let constraints = || checker().constraints().filter(|(gate, _, _)| is_curve(*gate));
    let actual: BTreeSet<(Gate, String)> =
        constraints().map(|(gate, name, _)| (gate, name.to_owned())).collect();
    assert_eq!(actual, named_constraints());
    assert_eq!(actual.len(), constraints().count(), "names are unique within a gate");
    assert_eq!(constraints().map(|(_, _, degree)| degree).max(), Some(5));
}

/// Row of the gate in a [`window`].
const ANCHOR: usize = 2;
/// Rows that gates read from their anchor on, at most.
const AFTER: usize = 17;

/// A gate's row with the rows that it reads, and no other gate.
fn window(trace: &Trace, anchor: usize) -> Trace {
    let mut window = Trace::new();
    for source in anchor - ANCHOR..anchor + AFTER {
        let constants: Vec<Fr> = (0..CONSTANT_COLUMNS).map(|i| trace.constant(source, i)).collect();
        let gate = if source == anchor { trace.gate(source) } else { Gate::None };
        let row = window.push(gate, &constants);
        for column in 0..ADVICE_COLUMNS {
            window.set(row, column, trace.value(source, column));
        }
        for (index, chunk) in trace.chunks(source).into_iter().enumerate() {
            window.set_chunk(row, index, chunk);
        }
    }
    window
}

/// A change of one cell, or of two neighbouring limbs that leaves their integer as it is.
#[derive(Clone, Copy, PartialEq)]
struct Move {
    row: usize,
    column: usize,
    with_next: bool,
}

impl Move {
    /// Every move of a window.
    fn all() -> impl Iterator<Item = Self> {
        let places = (0..ANCHOR + AFTER).flat_map(|row| (0..WIDTH).map(move |column| (row, column)));
        places.flat_map(|(row, column)| {
            let pair = (1..6).contains(&column).then_some(Self { row, column, with_next: true });
            pair.into_iter().chain([Self { row, column, with_next: false }])
        })
    }

    /// Makes the move. Says whether the cells hold what may stand in their columns.
    fn make(self, window: &mut Trace, by: Fr) -> bool {
        let Self { row, column, with_next } = self;
        let wanted = window.value(row, column) + by;
        window.forge(row, column, wanted);
        if with_next {
            let step = Fr::from(2).pow_vartime([45]).invert().unwrap();
            window.forge(row, column + 1, window.value(row, column + 1) - by * step);
        }
        let in_range = |chunk: &u32| chunk >> CHUNK_BITS == 0;
        window.value(row, column) == wanted
            && column.checked_sub(ADVICE_COLUMNS).is_none_or(|place| in_range(&window.chunks(row)[place]))
    }
}

/// Changes cells of a window, those of one move at first and then those that repair the other constraints, until
/// `target` is the only constraint that doesn't hold.
struct Breaker<'t> {
    target: &'t str,
    /// The moves that break anything.
    moves: &'t [Move],
    made: Vec<Move>,
    budget: usize,
}

impl Breaker<'_> {
    fn broken(window: &Trace) -> Vec<String> {
        let residues = checker().residues(window, ANCHOR).into_iter();
        residues.filter(|(_, value)| *value != Fr::ZERO).map(|(name, _)| name.to_owned()).collect()
    }

    fn residue_after(window: &Trace, name: &str, step: Move, by: Fr) -> Option<Fr> {
        let mut window = window.clone();
        let fits = step.make(&mut window, by);
        fits.then(|| checker().residue(&window, ANCHOR, name).unwrap())
    }

    /// How far a move has to go for `name` to hold again, where it is of degree at most 2 in it.
    fn repair_of(window: &Trace, name: &str, step: Move) -> Option<Fr> {
        let here = checker().residue(window, ANCHOR, name).unwrap();
        let mut up = window.clone();
        step.make(&mut up, Fr::ONE);
        let up = checker().residue(&up, ANCHOR, name).unwrap() - here;
        if up == Fr::ZERO {
            return None;
        }
        let down = Self::residue_after(window, name, step, -Fr::ONE).map_or(-up, |down| down - here);
        let half = Fr::from(2).invert().unwrap();
        let (square, linear) = ((up + down) * half, (up - down) * half);
        let by = match Option::<Fr>::from((square.double()).invert()) {
            None => -here * Option::<Fr>::from(linear.invert())?,
            Some(inverse) => {
                let root = Option::<Fr>::from((linear.square() - Fr::from(4) * square * here).sqrt())?;
                (root - linear) * inverse
            }
        };
        (Self::residue_after(window, name, step, by) == Some(Fr::ZERO)).then_some(by)
    }

    fn repair(&mut self, window: &mut Trace) -> bool {
        let broken = Self::broken(window);
        if !broken.iter().any(|name| name == self.target) {
            return false;
        }
        let Some(first) = broken.iter().find(|name| *name != self.target).cloned() else { return true };
        let mut choices = Vec::new();
        for step in self.moves.iter().filter(|step| !self.made.contains(step)) {
            if let Some(by) = Self::repair_of(window, &first, *step) {
                let mut changed = window.clone();
                step.make(&mut changed, by);
                choices.push((Self::broken(&changed).len(), *step, changed));
            }
        }
        choices.sort_by_key(|choice| choice.0);
        for (_, step, changed) in choices {
            if self.budget == 0 {
                return false;
            }
            self.budget -= 1;
            self.made.push(step);
            let mut changed = changed;
            if self.repair(&mut changed) {
                *window = changed;
                return true;
            }
            self.made.pop();
        }
        false
    }
}

/// A window of the gate in which `name` alone is broken. Constraints modulo r and both halves hold together of
/// integers, so that one of them breaks alone by a multiple of 2^135 or 2^270.
fn broken_alone(honest: &Trace, anchors: &[usize], name: &str) -> Option<Trace> {
    let power = |exponent: u64| Fr::from(2).pow_vartime([exponent]);
    anchors.iter().find_map(|anchor| {
        let original = window(honest, *anchor);
        let breaks = |step: &Move| {
            let mut changed = original.clone();
            step.make(&mut changed, Fr::from(2));
            !Breaker::broken(&changed).is_empty()
        };
        let moves: Vec<_> = Move::all().filter(breaks).collect();
        [Fr::ONE, power(135), power(270)].into_iter().find_map(|change| {
            moves.iter().find_map(|step| {
                let mut window = original.clone();
                let fits = step.make(&mut window, change);
                let mut breaker = Breaker { target: name, moves: &moves, made: vec![*step], budget: 24 };
                (fits && breaker.repair(&mut window)).then_some(window)
            })
        })
    })
}

#[test]
fn every_constraint_broken_alone_is_reported_by_name() {
    let honest = honest();
    let mut anchors: BTreeMap<Gate, Vec<usize>> = BTreeMap::new();
    for row in ANCHOR..honest.rows() - AFTER {
        anchors.entry(honest.gate(row)).or_default().push(row);
    }
    let tried: Vec<((Gate, String), bool)> = named_constraints()
        .into_par_iter()
        .map(|(gate, name)| {
            let rows = &anchors[&gate];
            let rows: Vec<usize> = rows.iter().rev().step_by(rows.len().div_ceil(4)).copied().collect();
            let reported = broken_alone(&honest, &rows, &name).is_some_and(|window| {
                let is_constraint = |violation: &Violation| matches!(violation, Violation::Constraint { .. });
                let expected =
                    Violation::Constraint { gate, constraint: name.clone(), row: ANCHOR, label: "" };
                let found = checker().check(&window, ROWS, &[], usize::MAX);
                found.into_iter().filter(is_constraint).collect::<Vec<_>>() == [expected]
            });
            ((gate, name), reported)
        })
        .collect();
    let missing: Vec<_> = tried.iter().filter(|(_, reported)| !reported).map(|(name, _)| name).collect();
    assert!(missing.is_empty(), "never broken alone: {missing:?}");
}

/// Other values for a cell: the next one, those of a flag, the opposite, any; of a chunk, other chunks.
fn changes(value: Fr, column: usize, random: &mut ChaCha20Rng) -> Vec<Fr> {
    let mut changes = vec![value + Fr::ONE, Fr::ZERO, Fr::ONE];
    if column < ADVICE_COLUMNS {
        changes.extend([-value, Fr::random(random)]);
    } else {
        changes.push(Fr::from(random.gen_range(0..1_u64 << CHUNK_BITS)));
    }
    changes.retain(|changed| *changed != value);
    changes
}

#[test]
fn every_cell_changed_alone_is_caught() {
    let honest = honest();
    let index = Index::new(checker(), &honest);
    let rows: Vec<usize> = (0..honest.rows()).collect();
    let free: Vec<String> = rows
        .par_chunks(256)
        .flat_map_iter(|rows| {
            let mut trace = honest.clone();
            let mut random = random(rows[0] as u64);
            let mut free = Vec::new();
            for row in rows.iter().copied() {
                for column in (0..WIDTH).filter(|column| honest.is_assigned(row, *column)) {
                    let value = trace.value(row, column);
                    let caught = changes(value, column, &mut random).into_iter().all(|changed| {
                        trace.forge(row, column, changed);
                        index.is_caught(&trace, row, column)
                    });
                    trace.forge(row, column, value);
                    if !caught {
                        let (label, gate) = (honest.label_of(row), honest.gate(row));
                        free.push(format!("row {row} column {column} ({label}, {gate:?})"));
                    }
                }
            }
            free
        })
        .collect();
    assert!(free.is_empty(), "{} cells can be changed unseen: {:?}", free.len(), &free[..free.len().min(9)]);
}

/// The index says of a changed cell what the whole check says.
#[test]
fn the_index_agrees_with_the_checker() {
    let honest = honest();
    let index = Index::new(checker(), &honest);
    let seen: Vec<bool> = (0..honest.rows() * WIDTH)
        .into_par_iter()
        .step_by(997)
        .map(|cell| {
            let (row, column) = (cell / WIDTH, cell % WIDTH);
            let mut trace = honest.clone();
            trace.forge(row, column, honest.value(row, column) + Fr::ONE);
            let caught = index.is_caught(&trace, row, column);
            assert_eq!(caught, !violations(&trace).is_empty(), "row {row} column {column}");
            caught
        })
        .collect();
    assert!(seen.contains(&true) && seen.contains(&false));
}

/// Groups of cells that copies make equal.
fn groups(trace: &Trace) -> Vec<Vec<Cell>> {
    let mut group_of: BTreeMap<Cell, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<Cell>> = Vec::new();
    for (left, right) in trace.copies() {
        let [left_group, right_group] = [left, right].map(|cell| {
            *group_of.entry(*cell).or_insert_with(|| {
                groups.push(vec![*cell]);
                groups.len() - 1
            })
        });
        if left_group != right_group {
            let moved = std::mem::take(&mut groups[right_group]);
            group_of.extend(moved.iter().map(|cell| (*cell, left_group)));
            groups[left_group].extend(moved);
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// Copies alone catch any change of one linked cell, so the group is changed as a whole: then a gate or a lookup
/// must catch it.
#[test]
fn every_group_of_linked_cells_changed_together_is_caught() {
    let honest = honest();
    let looked_up = |trace: &Trace, row: usize| {
        let differs = (0..ADVICE_COLUMNS).any(|column| trace.value(row, column) != honest.value(row, column));
        honest.gate(row) == Gate::CurveAdd && honest.constant(row, 0) != Fr::ZERO && differs
    };
    groups(&honest).par_chunks(32).for_each(|groups| {
        let mut trace = honest.clone();
        let mut random = random(7);
        for group in groups {
            let at = |cell: &Cell| (cell.row as usize, usize::from(cell.column));
            let (row, column) = at(&group[0]);
            let value = honest.value(row, column);
            for changed in changes(value, column, &mut random) {
                group.iter().map(at).for_each(|(row, column)| trace.forge(row, column, changed));
                let caught = group.iter().any(|cell| {
                    let (row, _) = at(cell);
                    let anchors = row.saturating_sub(AFTER)..=row + 2;
                    looked_up(&trace, row)
                        || anchors.into_iter().any(|anchor| {
                            checker().residues(&trace, anchor).iter().any(|(_, value)| *value != Fr::ZERO)
                        })
                });
                assert!(caught, "group of row {row} column {column} ({})", honest.label_of(row));
            }
            group.iter().map(at).for_each(|(row, column)| trace.forge(row, column, value));
        }
    });
}
