//! What the finished circuit refuses, on its table.

use std::{collections::HashMap, sync::OnceLock};

use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;

use super::*;
use crate::{
    halo2::{
        KeyStore,
        checker::{Checker, Index, Violation},
        columns::GateSet,
        leaf::{SizeClass, prove_leaf},
        trace::{ADVICE_COLUMNS, CHUNK_COLUMNS, Cell, Gate},
    },
    public_inputs::BATCH_PUBLIC_INPUTS,
    rollup,
    witness::ChunkWitness,
};

/// More rows than any aggregation here takes.
const K: u32 = 17;
const LEAVES: usize = 2;

fn checker() -> &'static Checker {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    CHECKER.get_or_init(|| Checker::of(&GateSet::RECURSION))
}

/// A leaf proof, and what verifies it.
fn leaf() -> &'static (LeafVerifier, LeafProof) {
    static LEAF: OnceLock<(LeafVerifier, LeafProof)> = OnceLock::new();
    LEAF.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let leaf = KeyStore::open(directory.path()).unwrap().leaf(SizeClass::SMALL).unwrap();
        let proof = prove_leaf(&leaf, &ChunkWitness::empty(rollup::Fr::from(5), 1, 0)).unwrap();
        (LeafVerifier::new(leaf.circuit()), proof)
    })
}

/// A leaf proof with padding.
fn honest() -> &'static Aggregation {
    static HONEST: OnceLock<Aggregation> = OnceLock::new();
    HONEST.get_or_init(|| {
        let (verifier, proof) = leaf();
        build(verifier, &[proof; LEAVES], 1).unwrap()
    })
}

fn violations(trace: &Trace, instances: &[Fr], limit: usize) -> Vec<Violation> {
    checker().check(trace, K, instances, limit)
}

#[test]
fn an_honest_table_satisfies_everything() {
    let Aggregation { trace, instances } = honest();
    assert_eq!(violations(trace, instances, 5), []);
    assert_eq!(instances.len(), BATCH_PLACES * BATCH_PUBLIC_INPUTS + ACCUMULATOR_LIMBS);
}

#[test]
fn tables_have_the_rows_that_their_size_allows() {
    let (verifier, proof) = leaf();
    for leaves in [2, 3, 4, 8, 16] {
        let trace = build(verifier, &vec![proof; leaves], 1).unwrap().trace;
        let (rows, most) = (trace.rows(), super::super::rows(leaves));
        println!("{leaves} leaves: {rows} rows of {most}, {} cells", trace.assigned_cells());
        assert!(rows <= most, "{leaves} leaves: {rows} rows, at most {most}");
    }
}

#[test]
fn other_outputs_are_refused() {
    let Aggregation { trace, instances } = honest();
    let refused = |changed: &[Fr]| {
        let violations = violations(trace, changed, usize::MAX);
        violations.iter().all(|v| matches!(v, Violation::PublicInput { .. })) && !violations.is_empty()
    };
    for index in 0..instances.len() {
        let mut changed = instances.clone();
        changed[index] += Fr::ONE;
        assert!(refused(&changed), "output {index}");
    }
    // The accumulator's points exchanged.
    let mut swapped = instances.clone();
    let lhs = BATCH_PLACES * BATCH_PUBLIC_INPUTS;
    let rhs = lhs + 2 * LIMBS;
    for limb in 0..2 * LIMBS {
        swapped.swap(lhs + limb, rhs + limb);
    }
    assert!(refused(&swapped));
    // Limbs of the same integer that aren't below 2^88.
    let mut carried = instances.clone();
    carried[lhs] += Fr::from(2).pow_vartime([LIMB_BITS as u64]);
    carried[lhs + 1] -= Fr::ONE;
    assert!(refused(&carried));
}

/// Whether a cell is the first of a range whose value enters after it: its chain is continued downwards.
fn is_before_range(trace: &Trace, row: usize, column: usize) -> bool {
    let starts = trace.gate(row) == Gate::Range && (row == 0 || trace.gate(row - 1) != Gate::Range);
    let copied = |(left, right): &(Cell, Cell)| {
        [left, right].into_iter().any(|cell| cell.row as usize == row && cell.column == 0)
    };
    starts && column == 0 && !trace.copies().iter().any(copied)
}

#[test]
fn sampled_cells_changed_alone_are_caught() {
    let Aggregation { trace, .. } = honest();
    let index = Index::new(checker(), trace);
    let mut random = ChaCha20Rng::seed_from_u64(7);
    let width = ADVICE_COLUMNS + CHUNK_COLUMNS;
    let samples: Vec<(usize, usize, Fr)> = std::iter::repeat_with(|| {
        (random.gen_range(0..trace.rows()), random.gen_range(0..width), Fr::random(&mut random))
    })
    .filter(|(row, column, _)| trace.is_assigned(*row, *column))
    .take(8_000)
    .collect();
    let free: Vec<_> = samples
        .par_chunks(1_000)
        .flat_map_iter(|samples| {
            let mut trace = trace.clone();
            let mut free = Vec::new();
            for (row, column, other) in samples {
                let value = trace.value(*row, *column);
                for changed in [value + Fr::ONE, value - Fr::ONE, *other] {
                    trace.forge(*row, *column, changed);
                    if !index.is_caught(&trace, *row, *column) {
                        free.push((*row, *column));
                    }
                }
                trace.forge(*row, *column, value);
            }
            free
        })
        .filter(|(row, column)| !is_before_range(trace, *row, *column))
        .map(|(row, column)| (row, column, trace.gate(row), trace.label_of(row)))
        .collect();
    assert!(free.is_empty(), "{} changes pass, first {:?}", free.len(), free.first());
}

/// The cells linked to each other, by any of them.
fn groups(trace: &Trace) -> Vec<Vec<Cell>> {
    fn root(parents: &mut HashMap<Cell, Cell>, cell: Cell) -> Cell {
        let mut root = cell;
        while let Some(parent) = parents.get(&root).copied().filter(|parent| *parent != root) {
            root = parent;
        }
        parents.insert(cell, root);
        root
    }
    let mut parents = HashMap::new();
    for (left, right) in trace.copies() {
        let (left, right) = (root(&mut parents, *left), root(&mut parents, *right));
        parents.insert(left, right);
    }
    let mut groups: HashMap<Cell, Vec<Cell>> = HashMap::new();
    for cell in parents.keys().copied().collect::<Vec<_>>() {
        groups.entry(root(&mut parents, cell)).or_default().push(cell);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.sort_unstable();
    groups
}

#[test]
fn sampled_values_changed_in_all_their_cells_are_caught() {
    let Aggregation { trace, instances } = honest();
    let groups = groups(trace);
    let mut random = ChaCha20Rng::seed_from_u64(8);
    for group in groups.choose_multiple(&mut random, 24) {
        let mut trace = trace.clone();
        for cell in group {
            let value = trace.value(cell.row as usize, usize::from(cell.column));
            trace.forge(cell.row as usize, usize::from(cell.column), value + Fr::ONE);
        }
        let label = group.first().map(|cell| trace.label_of(cell.row as usize));
        assert!(!violations(&trace, instances, 1).is_empty(), "{label:?}: {group:?}");
    }
}
