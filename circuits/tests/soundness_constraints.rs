//! Every constraint of every gate, broken alone; every equation and every kind of copy of a whole chunk.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;
mod soundness_support;

use std::collections::{BTreeMap, BTreeSet};

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use soundness_support::{CLASS, assert_accepted, checker, claims, fr, honest_chunks, trace_of, violations};
use tenon_circuits::halo2::checker::Violation;
use tenon_circuits::halo2::trace::{ADVICE_COLUMNS, CONSTANT_COLUMNS, Gate, PRODUCT_COLUMN, Trace};

/// An honest chunk with padding.
fn honest() -> Trace {
    trace_of(&honest_chunks()[0])
}

#[test]
fn the_honest_chunks_are_accepted() {
    for chunk in honest_chunks() {
        assert_accepted(&chunk);
    }
}

/// Names of the constraints by gate, as the gadgets' pages have them.
fn named_constraints() -> BTreeSet<(Gate, String)> {
    let mut names = BTreeSet::new();
    let mut add = |gate: Gate, list: Vec<String>| names.extend(list.into_iter().map(|name| (gate, name)));
    let fixed = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    add(Gate::Arithmetic, fixed(&["equation"]));
    add(Gate::Access, fixed(&["found and left"]));
    let entry = ["active", "exists", "leaf before", "leaf after", "first and last", "leaf"];
    add(Gate::Entry, fixed(&entry));
    add(Gate::Node, fixed(&["made", "made, a bit"]));
    for j in 0..4 {
        let parts = [format!("flag {j}"), format!("flag {j}, touched"), format!("child {j} stays")];
        add(Gate::Node, parts.into_iter().chain([format!("product {j}")]).collect());
    }
    let sum = ["product x·y", "product y·x", "sum x", "sum y"];
    let double = ["bit", "doubled x", "doubled y", "carried x", "carried y"];
    add(Gate::Double, fixed(&double));
    add(Gate::Double, fixed(&sum));
    add(Gate::Ladder, fixed(&["carried u", "carried v"]));
    for bit in ["first", "second"] {
        let parts = ["bit", "slope", "u", "v"];
        add(Gate::Ladder, parts.map(|part| format!("{bit} {part}")).to_vec());
    }
    add(Gate::FixedBase, fixed(&["low bit", "high bit", "product of bits", "running scalar"]));
    add(Gate::FixedBase, fixed(&sum));
    add(Gate::Range, (0..10).map(|i| format!("digit {i}")).collect());
    for (gate, width) in [(Gate::Full3, 3), (Gate::Full5, 5), (Gate::Full6, 6)] {
        for part in ["first s-box", "second s-box", "next state"] {
            add(gate, (0..width).map(|i| format!("{part} {i}")).collect());
        }
    }
    add(
        Gate::Last5,
        (0..5).flat_map(|i| [format!("first s-box {i}"), format!("second s-box {i}")]).collect(),
    );
    add(Gate::Last5, fixed(&["next state 0"]));
    for (gate, width, rounds) in [(Gate::Partial3, 3, 3), (Gate::Partial5, 5, 10), (Gate::Partial6, 6, 10)] {
        for round in 0..rounds {
            if round % 2 == 0 {
                add(gate, vec![format!("round {round}, fourth power")]);
            } else {
                add(gate, vec![format!("round {round}, square"), format!("round {round}, next input")]);
            }
        }
        // With an even number of rounds the first cell of the next state is the last round's "next input".
        add(gate, (usize::from(rounds % 2 == 0)..width).map(|i| format!("next state {i}")).collect());
    }
    names
}

#[test]
fn every_constraint_is_named_here_and_of_degree_at_most_5() {
    let actual: BTreeSet<(Gate, String)> =
        checker().constraints().map(|(gate, name, _)| (gate, name.to_owned())).collect();
    assert_eq!(actual, named_constraints());
    assert_eq!(actual.len(), checker().constraints().count(), "names are unique within a gate");
    assert_eq!(checker().constraints().map(|(_, _, degree)| degree).max(), Some(5));
}

/// Row of the gate in a [`Window`].
const ANCHOR: usize = 3;
/// Rows of a window: a gate reads three above its anchor and one below.
const ROWS: usize = ANCHOR + 2;

/// A gate's row with the rows that it reads, and no other gate.
fn window(trace: &Trace, anchor: usize) -> Trace {
    let mut window = Trace::new();
    for source in anchor - ANCHOR..=anchor + 1 {
        let constants: Vec<Fr> = (0..CONSTANT_COLUMNS).map(|i| trace.constant(source, i)).collect();
        let gate = if source == anchor { trace.gate(source) } else { Gate::None };
        let row = window.push(gate, &constants);
        for column in 0..ADVICE_COLUMNS {
            window.set(row, column, trace.value(source, column));
        }
    }
    window.reserve_products(0, ROWS);
    for row in 0..ROWS {
        window.set_product(row, trace.value(anchor - ANCHOR + row, PRODUCT_COLUMN));
    }
    window
}

/// Changes cells of a window, one at first and then those that repair the other constraints, until `target` is
/// the only constraint that doesn't hold.
struct Breaker<'t> {
    target: &'t str,
    touched: Vec<(usize, usize)>,
    budget: usize,
}

impl Breaker<'_> {
    fn broken(window: &Trace) -> Vec<String> {
        let residues = checker().residues(window, ANCHOR).into_iter();
        residues.filter(|(_, value)| *value != Fr::ZERO).map(|(name, _)| name.to_owned()).collect()
    }

    fn residue(window: &Trace, name: &str) -> Fr {
        checker().residues(window, ANCHOR).into_iter().find(|(other, _)| *other == name).unwrap().1
    }

    fn cells() -> impl Iterator<Item = (usize, usize)> {
        let columns = || (0..ADVICE_COLUMNS).chain([PRODUCT_COLUMN]);
        (0..ROWS).flat_map(move |row| columns().map(move |column| (row, column)))
    }

    /// Values of a cell that could make `name` hold again: where it is linear in the cell, and, for a chain of
    /// digits, four times the change before.
    fn repairs(window: &mut Trace, name: &str, (row, column): (usize, usize), change: Fr) -> Vec<Fr> {
        let value = window.value(row, column);
        let here = Self::residue(window, name);
        window.forge(row, column, value + Fr::ONE);
        let slope = Self::residue(window, name) - here;
        let mut candidates = vec![value + change * fr(4)];
        candidates.extend(Option::<Fr>::from(slope.invert()).map(|inverse| value - here * inverse));
        candidates.retain(|candidate| {
            window.forge(row, column, *candidate);
            Self::residue(window, name) == Fr::ZERO
        });
        window.forge(row, column, value);
        if slope == Fr::ZERO { Vec::new() } else { candidates }
    }

    fn repair(&mut self, window: &mut Trace, change: Fr) -> bool {
        let broken = Self::broken(window);
        if !broken.iter().any(|name| name == self.target) {
            return false;
        }
        let Some(first) = broken.iter().find(|name| *name != self.target).cloned() else { return true };
        let mut choices = Vec::new();
        for cell in Self::cells().filter(|cell| !self.touched.contains(cell)) {
            for value in Self::repairs(window, &first, cell, change) {
                let before = window.value(cell.0, cell.1);
                window.forge(cell.0, cell.1, value);
                choices.push((Self::broken(window).len(), cell, before, value));
                window.forge(cell.0, cell.1, before);
            }
        }
        choices.sort_by_key(|choice| choice.0);
        for (_, (row, column), before, value) in choices {
            if self.budget == 0 {
                return false;
            }
            self.budget -= 1;
            window.forge(row, column, value);
            self.touched.push((row, column));
            if self.repair(window, value - before) {
                return true;
            }
            self.touched.pop();
            window.forge(row, column, before);
        }
        false
    }
}

/// A window of the gate in which `name` alone is broken.
fn broken_alone(honest: &Trace, anchors: &[usize], name: &str) -> Option<Trace> {
    for anchor in anchors {
        let original = window(honest, *anchor);
        for change in [Fr::ONE, fr(4)] {
            for (row, column) in Breaker::cells() {
                let mut window = original.clone();
                window.forge(row, column, window.value(row, column) + change);
                let mut breaker = Breaker { target: name, touched: vec![(row, column)], budget: 60 };
                if breaker.repair(&mut window, change) {
                    return Some(window);
                }
            }
        }
    }
    None
}

/// A window of the ladder's gate whose first bit is 2, or whose point after it is another one, with everything that
/// follows computed anew: more than one cell at a time follows from the others.
fn ladder_from(honest: &Trace, anchor: usize, name: &str) -> Option<Trace> {
    let (bit, shift) = match (honest.gate(anchor), name) {
        (Gate::Ladder, "first bit") => (Some(fr(2)), Fr::ZERO),
        (Gate::Ladder, "first u") => (None, Fr::ONE),
        _ => return None,
    };
    let mut window = window(honest, anchor);
    let [base_u, base_v, u0, slope, second, z] =
        [0, 1, 2, 3, 4, 5].map(|column| window.value(ANCHOR, column));
    let gap = |u: Fr, slope: Fr| u.double() + base_u + fr(168_698) - slope.square();
    let slopes = |u: Fr, height: Fr, sign: Fr| {
        let half = fr(2).invert().unwrap();
        let slope = (height * half - sign * base_v) * (u - base_u).invert().unwrap();
        (slope, height * gap(u, slope).invert().unwrap() - slope)
    };
    let height = (slope + second) * gap(u0, slope);
    let old = window.value(ANCHOR, 9);
    let high = bit.unwrap_or(old);
    let z2 = window.value(ANCHOR + 1, 5) + (high - old).double();
    let low = z2 - z * fr(4) - high.double();
    let sign = |bit: Fr| bit.double() - Fr::ONE;
    let (slope0, second0) = slopes(u0, height, sign(high));
    let u1 = second0.square() - slope0.square() + base_u + shift;
    let height1 = (second0 * (u0 - u1)).double() - height;
    let (slope1, second1) = slopes(u1, height1, sign(low));
    let u2 = second1.square() - slope1.square() + base_u;
    let height2 = (second1 * (u1 - u2)).double() - height1;
    let (slope2, second2) = slopes(u2, height2, Fr::ONE);
    let first = [(3, slope0), (4, second0), (6, u1), (7, slope1), (8, second1), (9, high)];
    let next = [(2, u2), (3, slope2), (4, second2), (5, z2)];
    first.into_iter().for_each(|(column, value)| window.forge(ANCHOR, column, value));
    next.into_iter().for_each(|(column, value)| window.forge(ANCHOR + 1, column, value));
    Some(window)
}

#[test]
fn every_constraint_broken_alone_is_reported_by_name() {
    let honest = honest();
    let mut anchors: BTreeMap<Gate, Vec<usize>> = BTreeMap::new();
    for row in ANCHOR..honest.rows() {
        anchors.entry(honest.gate(row)).or_default().push(row);
    }
    let tried: Vec<((Gate, String), bool)> = named_constraints()
        .into_par_iter()
        .map(|(gate, name)| {
            // Rows spread over the chunk: not every one has, say, a bit that is set.
            let rows = &anchors[&gate];
            let rows: Vec<usize> = rows.iter().step_by(rows.len().div_ceil(40)).copied().collect();
            let window = broken_alone(&honest, &rows, &name);
            let window = window.or_else(|| ladder_from(&honest, rows[0], &name));
            let reported = window.is_some_and(|window| {
                let expected =
                    Violation::Constraint { gate, constraint: name.clone(), row: ANCHOR, label: "" };
                checker().check(&window, CLASS.k, &[], usize::MAX) == [expected]
            });
            ((gate, name), reported)
        })
        .collect();
    let missing: Vec<_> = tried.iter().filter(|(_, reported)| !reported).map(|(name, _)| name).collect();
    assert!(missing.is_empty(), "never broken alone: {missing:?}");
}

/// The equations of a chunk by label: each is broken in its turn, in a chunk in which a single cell can break it,
/// and reported with its label and row.
#[test]
fn every_equation_of_a_chunk_is_reported_by_its_label() {
    let mut traces = honest_chunks().map(|chunk| trace_of(&chunk));
    let mut equations: BTreeMap<&str, usize> = BTreeMap::new();
    for row in 0..traces[0].rows() {
        if traces[0].gate(row) != Gate::Arithmetic || is_free(&traces[0], row) {
            continue;
        }
        // The first column of an equation may also end the chain of a range above it.
        let columns = traces.iter().map(|trace| (0..6).rev().find(|column| reads(trace, row, *column)));
        let columns: Vec<Option<usize>> = columns.collect();
        let found = columns.iter().position(Option::is_some);
        let chunk = found.unwrap_or_else(|| panic!("row {row} ({}) reads nothing", traces[0].label_of(row)));
        let (trace, column) = (&mut traces[chunk], columns[chunk].unwrap());
        let value = trace.value(row, column);
        trace.forge(row, column, value + fr(5));
        let broken: Vec<(usize, String)> = (row.saturating_sub(2)..=row + 2)
            .flat_map(|row| {
                let residues = checker().residues(trace, row).into_iter();
                let broken = residues.filter(|(_, value)| *value != Fr::ZERO);
                broken.map(|(name, _)| (row, name.to_owned())).collect::<Vec<_>>()
            })
            .collect();
        trace.forge(row, column, value);
        assert!(broken.contains(&(row, "equation".into())), "row {row}, {}", trace.label_of(row));
        let others = broken.iter().filter(|(other, _)| *other != row);
        for (other, name) in others {
            assert!(trace.gate(*other) == Gate::Range && name == "digit 9" && column == 0);
        }
        *equations.entry(trace.label_of(row)).or_default() += 1;
    }
    let expected: BTreeMap<&str, usize> = EQUATIONS.into_iter().collect();
    assert_eq!(equations, expected);
}

/// Whether a row only holds a value that others read.
fn is_free(trace: &Trace, row: usize) -> bool {
    (0..CONSTANT_COLUMNS).all(|column| trace.constant(row, column) == Fr::ZERO)
}

/// Whether an equation's value depends on a cell.
fn reads(trace: &Trace, row: usize, column: usize) -> bool {
    let product = trace.constant(row, 6);
    let partner = match column {
        4 => trace.value(row, 5),
        5 => trace.value(row, 4),
        _ => Fr::ZERO,
    };
    trace.constant(row, column) != Fr::ZERO || product * partner != Fr::ZERO
}

/// Equations of a chunk of four slots by label.
const EQUATIONS: [(&str, usize); 91] = [
    ("DA words: absorbed", 42),
    ("DA words: evaluated", 256),
    ("L1 words: absorbed", 72),
    ("L1 words: evaluated", 49),
    ("L1 words: places", 71),
    ("L1 words: sum", 48),
    ("account: leaf after", 12),
    ("account: leaf before", 12),
    ("account: nonce", 12),
    ("account: token", 12),
    ("challenge", 5),
    ("challenge below the modulus", 40),
    ("challenge times key", 92),
    ("challenge: high bits of the opens' keys", 2),
    ("challenge: places in use", 9),
    ("chunk: batch", 1),
    ("chunk: batch number", 1),
    ("chunk: evaluation of the DA stream after", 10),
    ("chunk: evaluation of the DA stream before", 10),
    ("chunk: number of accounts", 1),
    ("chunk: point of the DA stream", 4),
    ("chunk: timestamp", 1),
    ("constants", 4),
    ("deposit: credited", 12),
    ("emitted: L1 operation", 52),
    ("emitted: open", 24),
    ("emitted: record", 28),
    ("emitted: withdrawal", 20),
    ("fee account: balance after", 8),
    ("fee account: exists", 4),
    ("fee account: found", 4),
    ("fee account: index in the header", 8),
    ("fee account: token", 8),
    ("fee accounts: active", 4),
    ("fee accounts: distinct tokens", 18),
    ("forced exit: the whole balance, or nothing", 12),
    ("key not of small order", 4),
    ("key on the curve", 12),
    ("open: first coordinate", 44),
    ("open: place", 7),
    ("open: second coordinate", 44),
    ("open: words", 16),
    ("opens: sum", 20),
    ("party: an opened account's", 4),
    ("party: equal to the receiver", 64),
    ("party: high bits of the key", 8),
    ("party: owner", 8),
    ("party: the receiver's owner, but for an L1 operation", 4),
    ("party: the receiver's token and key, but for a deposit", 4),
    ("party: token", 4),
    ("published: batch header, in the first chunk", 7),
    ("published: chunk header", 5),
    ("receiver: balance after", 8),
    ("receiver: exists", 8),
    ("receiver: found", 4),
    ("receiver: index", 36),
    ("receiver: no overflow in a transfer", 4),
    ("receiver: opened", 16),
    ("receiver: opened with nothing", 8),
    ("receiver: sum", 20),
    ("receiver: the sender's token in a transfer", 8),
    ("records: places", 5),
    ("records: sum", 4),
    ("scalar below the subgroup order", 8),
    ("sender: balance after", 8),
    ("sender: exists in a transaction", 4),
    ("sender: found", 4),
    ("sender: nonce after", 12),
    ("signature equation", 4),
    ("signature point not of x = 0", 4),
    ("signature point on the curve", 12),
    ("slot: L1 operations first", 8),
    ("slot: amount", 80),
    ("slot: amount that moves", 12),
    ("slot: enabled, never after padding", 8),
    ("slot: fee", 80),
    ("slot: fee credited", 76),
    ("slot: flags", 8),
    ("slot: kind", 32),
    ("slot: number of accounts", 4),
    ("slot: padding of no kind", 4),
    ("slot: record", 8),
    ("slot: signed word", 20),
    ("slot: signer", 8),
    ("slot: valid until", 12),
    ("state: everything found is left", 1),
    ("tree: place of the root", 1),
    ("tree: root after", 2),
    ("tree: root before", 2),
    ("tree: touched", 2),
    ("withdrawal: emitted", 20),
];

/// All linked cells get values of their own: every copy is reported, with what its later row is for.
#[test]
fn every_copy_is_reported() {
    let mut trace = honest();
    let claims = claims(&trace);
    let copies: Vec<_> = trace.copies().iter().copied().filter(|(left, right)| left != right).collect();
    let mut random = ChaCha20Rng::seed_from_u64(3);
    for cell in copies.iter().flat_map(|(left, right)| [left, right]) {
        trace.forge(cell.row as usize, usize::from(cell.column), Fr::random(&mut random));
    }
    let expected = copies.iter().map(|(left, right)| {
        let label = trace.label_of(left.row.max(right.row) as usize);
        Violation::Copy { left: *left, right: *right, label }
    });
    let is_copy = |violation: &Violation| matches!(violation, Violation::Copy { .. });
    let reported: Vec<_> = violations(&trace, &claims).into_iter().filter(is_copy).collect();
    assert_eq!(reported, expected.collect::<Vec<_>>());
}

/// One copied operand that differs from its source breaks its copy and its equation, nothing else.
#[test]
fn a_changed_copy_is_reported_alone() {
    let honest = honest();
    let claims = claims(&honest);
    let (row, column) = honest
        .copies()
        .iter()
        .map(|(_, right)| (right.row as usize, usize::from(right.column)))
        .find(|(row, _)| honest.gate(*row) == Gate::Arithmetic && honest.label_of(*row) == "slot: record")
        .unwrap();
    let mut trace = honest.clone();
    trace.forge(row, column, honest.value(row, column) + Fr::ONE);
    let violations = violations(&trace, &claims);
    let copies = violations.iter().filter(|violation| matches!(violation, Violation::Copy { .. })).count();
    assert_eq!((copies, violations.len()), (1, 2), "{violations:#?}");
}

#[test]
fn every_public_input_is_bound() {
    let honest = honest();
    let claims = claims(&honest);
    assert_eq!(claims.len(), 14);
    for (cell, index) in honest.public() {
        let mut other = claims.clone();
        other[*index] += Fr::ONE;
        assert_eq!(violations(&honest, &other), [Violation::PublicInput { index: *index, cell: *cell }]);
    }
}
