//! Every advice cell of a small chunk changed on its own, and every group of linked cells changed together: each
//! change is caught by a gate or a copy, or belongs to a class of free cells with a reason.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod native_support;
mod soundness_support;

use std::collections::BTreeMap;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use soundness_support::{checker, claims, honest_chunks, trace_of, violations};
use tenon_circuits::halo2::checker::Index;
use tenon_circuits::halo2::trace::{ADVICE_COLUMNS, Cell, Gate, PRODUCT_COLUMN, Trace};

/// Payments and padding; every L1 operation and a withdrawal; opens. With fee accounts and places without one.
fn honest() -> [Trace; 3] {
    let [payments, operations, transactions, ..] = honest_chunks();
    [payments, operations, transactions].map(|chunk| trace_of(&chunk))
}

/// Columns of the leaf circuit.
const COLUMNS: usize = PRODUCT_COLUMN + 1;

fn columns() -> impl Iterator<Item = usize> {
    (0..ADVICE_COLUMNS).chain([PRODUCT_COLUMN])
}

/// Why a change of a cell changes nothing that is proven.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Free {
    /// Nothing was written there, and no gate reads it.
    Unassigned,
    /// The chain of a range starts after it and is continued downwards; its first cell takes any low digit.
    BeforeRange,
    /// The inverse of a number that is 0: the flag is 1 whatever it is.
    InverseOfZero,
    /// Of an access that isn't enabled, or an account or a node that isn't used, what nothing else says anything of.
    Unused,
    /// An inverse that is only needed where two fee accounts are active; the other factor is 0.
    InverseOfEqualTokens,
}

/// The class of a cell, from its place in the trace alone.
fn class_of(trace: &Trace, row: usize, column: usize) -> Option<Free> {
    if !trace.is_assigned(row, column) {
        return Some(Free::Unassigned);
    }
    if is_unused(trace, row) {
        return Some(Free::Unused);
    }
    let starts_range = trace.gate(row) == Gate::Range && trace.gate(row - 1) != Gate::Range;
    if starts_range && column == 0 && enters_late(trace, row) {
        return Some(Free::BeforeRange);
    }
    let is_inverse = trace.gate(row) == Gate::Arithmetic
        && column == 5
        && trace.constant(row, 6) != Fr::ZERO
        && trace.value(row, 4) == Fr::ZERO;
    let declares = trace.label_of(row) == "fee accounts: distinct tokens";
    match (is_inverse, declares) {
        (true, true) => Some(Free::InverseOfEqualTokens),
        (true, false) if trace.constant(row, 7) == Fr::ONE => Some(Free::InverseOfZero),
        _ => None,
    }
}

/// Whether a row is one of an access that isn't enabled, or of an account or a node that isn't used.
fn is_unused(trace: &Trace, row: usize) -> bool {
    let flag_of = |anchor: usize| match trace.gate(anchor) {
        Gate::Access if anchor <= row && row <= anchor + 1 => Some(trace.value(anchor + 1, 5)),
        Gate::Entry if anchor <= row + 1 && row <= anchor + 1 => Some(trace.value(anchor + 1, 2)),
        // The root makes no tuple, used or not.
        Gate::Node if anchor <= row + 3 && row <= anchor + 1 && trace.constant(anchor, 5) == Fr::ZERO => {
            Some(trace.value(anchor + 1, 3))
        }
        _ => None,
    };
    (row.saturating_sub(1)..=row + 3).any(|anchor| flag_of(anchor) == Some(Fr::ZERO))
}

/// Whether the value of a range enters after the first cell of its first row.
fn enters_late(trace: &Trace, row: usize) -> bool {
    !trace.copies().iter().any(|(_, right)| right.row as usize == row && right.column == 0)
}

/// Other values for a cell: the next one, those of a flag, the opposite, any.
fn changes(value: Fr, random: &mut ChaCha20Rng) -> Vec<Fr> {
    let mut changes = vec![value + Fr::ONE, Fr::ZERO, Fr::ONE, -value, Fr::random(random)];
    changes.retain(|changed| *changed != value);
    changes
}

/// The free cells of a trace by class.
fn free_cells(honest: &Trace) -> BTreeMap<Free, usize> {
    let index = Index::new(checker(), honest);
    let rows: Vec<usize> = (0..honest.rows()).collect();
    let free: Vec<(usize, usize)> = rows
        .par_chunks(512)
        .flat_map_iter(|rows| {
            let mut trace = honest.clone();
            let mut random = ChaCha20Rng::seed_from_u64(rows[0] as u64);
            let mut free = Vec::new();
            for row in rows.iter().copied() {
                for column in columns() {
                    let value = trace.value(row, column);
                    let caught = changes(value, &mut random).into_iter().all(|changed| {
                        trace.forge(row, column, changed);
                        index.is_caught(&trace, row, column)
                    });
                    trace.forge(row, column, value);
                    if !caught {
                        free.push((row, column));
                    }
                }
            }
            free
        })
        .collect();

    let mut counts: BTreeMap<Free, usize> = BTreeMap::new();
    for (row, column) in free {
        let Some(class) = class_of(honest, row, column) else {
            let (label, gate) = (honest.label_of(row), honest.gate(row));
            panic!("row {row} column {column} ({label}, {gate:?}) can be changed unseen")
        };
        *counts.entry(class).or_default() += 1;
    }
    let unassigned = honest.rows() * columns().count() - honest.assigned_cells();
    assert_eq!(counts.remove(&Free::Unassigned), Some(unassigned));
    counts
}

#[test]
fn every_cell_changed_alone_is_caught_or_free_for_a_reason() {
    // Of each slot 11: four of its floats, the ages of its accesses, the token named, two of its last timestamp, two of
    // its signature. Of each fee account its age, of each account its token. The batch's timestamp, the number of
    // accounts. Of each DA word its carry. Of each coordinate of an open its bits above 124. The last evaluation of the
    // DA stream.
    let before_range = 4 * 11 + 4 + 12 + 2 + 16 + 2 * 4 + 1;
    // Exponents of 0, token, key and owner of a party that is the receiver's, deposits that name no index, the
    // commitment before the batch's first chunk. Two places without fee account. Accounts and nodes that aren't used:
    // index and time, height, place and inverse.
    let expected = [(before_range, 25, 1, 515), (before_range, 26, 1, 512), (before_range, 29, 1, 512)];
    let counts = honest().each_ref().map(|trace| {
        let counts = free_cells(trace);
        let of = |class| counts.get(&class).copied().unwrap_or(0);
        (of(Free::BeforeRange), of(Free::InverseOfZero), of(Free::InverseOfEqualTokens), of(Free::Unused))
    });
    assert_eq!(counts, expected);
}

/// The index says of a changed cell what the whole check says.
#[test]
fn the_index_agrees_with_the_checker() {
    let [_, honest, _] = honest();
    let index = Index::new(checker(), &honest);
    let claimed = claims(&honest);
    let cells = honest.rows() * ADVICE_COLUMNS;
    let seen: Vec<bool> = (0..cells)
        .into_par_iter()
        .step_by(1_709)
        .map(|cell| {
            let (row, column) = (cell / ADVICE_COLUMNS, cell % ADVICE_COLUMNS);
            let mut trace = honest.clone();
            trace.forge(row, column, honest.value(row, column) + Fr::ONE);
            let caught = index.is_caught(&trace, row, column);
            assert_eq!(caught, !violations(&trace, &claimed).is_empty(), "row {row} column {column}");
            caught
        })
        .collect();
    assert!(seen.contains(&true) && seen.contains(&false));
}

/// Groups of cells that copies make equal.
fn groups(trace: &Trace) -> Vec<Vec<Cell>> {
    let number = |cell: Cell| cell.row as usize * COLUMNS + usize::from(cell.column);
    let mut parents: Vec<usize> = (0..trace.rows() * COLUMNS).collect();
    fn root(parents: &mut [usize], mut cell: usize) -> usize {
        while parents[cell] != cell {
            parents[cell] = parents[parents[cell]];
            cell = parents[cell];
        }
        cell
    }
    for (left, right) in trace.copies() {
        let (left, right) = (root(&mut parents, number(*left)), root(&mut parents, number(*right)));
        parents[left] = right;
    }
    let mut groups: BTreeMap<usize, Vec<Cell>> = BTreeMap::new();
    let linked: std::collections::BTreeSet<Cell> =
        trace.copies().iter().flat_map(|(left, right)| [*left, *right]).collect();
    for cell in linked {
        groups.entry(root(&mut parents, number(cell))).or_default().push(cell);
    }
    groups.into_values().collect()
}

/// Copies alone catch any change of one linked cell, so the group is changed as a whole: then a gate or a public
/// input must catch it.
#[test]
fn every_group_of_linked_cells_changed_together_is_caught() {
    honest().iter().for_each(every_group_is_caught);
}

fn every_group_is_caught(honest: &Trace) {
    let public: Vec<Cell> = honest.public().iter().map(|(cell, _)| *cell).collect();
    let groups = groups(honest);
    groups.par_chunks(64).for_each(|groups| {
        let mut trace = honest.clone();
        let mut random = ChaCha20Rng::seed_from_u64(7);
        for group in groups {
            let at = |cell: &Cell| (cell.row as usize, usize::from(cell.column));
            let (row, column) = at(&group[0]);
            let value = honest.value(row, column);
            for changed in changes(value, &mut random) {
                for (row, column) in group.iter().map(at) {
                    trace.forge(row, column, changed);
                }
                let caught =
                    group.iter().any(|cell| public.contains(cell) || breaks_gate(&trace, at(cell).0));
                let unused = || group.iter().any(|cell| is_unused(&trace, at(cell).0));
                assert!(caught || unused(), "group of row {row} column {column} ({})", honest.label_of(row));
            }
            for (row, column) in group.iter().map(at) {
                trace.forge(row, column, value);
            }
        }
    });
}

fn breaks_gate(trace: &Trace, row: usize) -> bool {
    (row.saturating_sub(1)..=row + 3)
        .any(|anchor| checker().residues(trace, anchor).iter().any(|(_, value)| *value != Fr::ZERO))
}
