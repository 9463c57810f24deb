//! Chunks whose published words are forged.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use std::collections::BTreeSet;

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::{Field, PrimeField};
use num_bigint::BigUint;
use tenon_circuits::halo2::leaf::SizeClass;
use tenon_circuits::halo2::leaf::chunk::{self, trace_publishing};
use tenon_circuits::halo2::leaf::streams::Content;
use tenon_circuits::halo2::leaf::values::ChunkValues;
use tenon_circuits::halo2::to_circuit;
use tenon_circuits::halo2::trace::{Cell, Trace};
use tenon_circuits::rollup::evaluation::Points;
use tenon_circuits::rollup::{self, Address, Batch, Execution, L1Operation, Recipient, Transaction, execute};
use tenon_circuits::witness::ChunkWitness;

#[allow(unused_imports, reason = "each test binary uses its own part of this module")]
pub use crate::gadget_support::public_inputs;
use crate::gadget_support::{checker, claims, places};
use crate::native_support::{
    batch, deposit, forced_exit, genesis, key, open, sign, test_domain, transfer, withdraw,
};

/// The class of all chunks here.
pub const CLASS: SizeClass = SizeClass::SMALL;
/// Where their streams are evaluated.
pub const POINTS: Points = Points { z_d: u128::MAX - 5, z_l: 1 << 100 | 77 };
/// Numbers of test accounts whose coordinates, with r more, still have 254 bits.
pub fn second_forms() -> [u8; 2] {
    let limit = (BigUint::from(1_u8) << 254) - modulus();
    let has_second_form = |number: &u8| {
        let key = key(*number).public_key();
        [key.x, key.y].into_iter().all(|coordinate| BigUint::from(coordinate) < limit)
    };
    let mut numbers = (30..u8::MAX).filter(has_second_form);
    [(); 2].map(|()| numbers.next().unwrap())
}

/// A batch that is executed and evaluated.
pub fn executed(l1_operations: Vec<L1Operation>, transactions: Vec<Transaction>) -> Execution {
    let state = genesis();
    let transactions = transactions.into_iter().map(|transaction| sign(&state, transaction)).collect();
    let batch = Batch { l1_operations, ..batch(transactions) };
    execute(&state, test_domain(), &batch, CLASS.capacity()).unwrap().with_points(POINTS)
}

/// The one chunk of a batch.
pub fn one_chunk(l1_operations: Vec<L1Operation>, transactions: Vec<Transaction>) -> ChunkWitness {
    let mut chunks = executed(l1_operations, transactions).chunks;
    assert_eq!(chunks.len(), 1);
    chunks.pop().unwrap()
}

/// Key and owner of a new account.
pub fn recipient(number: u8) -> Recipient {
    Recipient { key: key(number).public_key(), owner: Address([number; 20]) }
}

/// A deposit, a forced exit that pays, a withdraw and an open: 1 word of records, 3 of an open, 9 L1 words.
pub fn every_stream() -> ChunkWitness {
    let operations = vec![deposit(1, 7, 5_000, 0), forced_exit(4, 5)];
    one_chunk(operations, vec![withdraw(0, 7, 0, 100, 1), open(1, 0, 1, 7, recipient(second_forms()[0]))])
}

/// Two opens and a transfer: two words of records, six of opens.
pub fn two_opens() -> ChunkWitness {
    let [first, second] = second_forms().map(recipient);
    let opens = [open(0, 0, 1, 9, first), open(1, 0, 1, 9, second)];
    one_chunk(vec![], [&opens[..], &[transfer(2, 3, 7, 0, 0, 0)]].concat())
}

/// The values of a chunk.
pub fn values(chunk: &ChunkWitness) -> ChunkValues {
    ChunkValues::new(chunk, CLASS.slots)
}

/// The trace of a chunk.
pub fn trace(chunk: &ChunkWitness) -> Trace {
    chunk::trace(CLASS, &values(chunk))
}

/// What is refused of a trace by a prover that claims this.
pub fn refused_as(trace: &Trace, claims: &[Fr]) -> BTreeSet<String> {
    places(&checker().check(trace, CLASS.k, claims, usize::MAX))
}

/// What is refused of a trace by a prover that claims what it shows.
pub fn refused(trace: &Trace) -> BTreeSet<String> {
    refused_as(trace, &claims(trace))
}

/// Labels as a set.
pub fn set(labels: &[&str]) -> BTreeSet<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

/// Asserts what is refused of a chunk that publishes something else than its slots emit.
#[track_caller]
pub fn assert_refused(chunk: &ChunkWitness, expected: &[&str], change: impl FnOnce(&mut Content)) {
    let mut is_changed = false;
    let trace = trace_publishing(CLASS, &values(chunk), |content| {
        let before = format!("{content:?}");
        change(content);
        is_changed = before != format!("{content:?}");
    });
    assert!(is_changed, "a forgery differs");
    assert_eq!(refused(&trace), set(expected));
}

/// A field element as an integer.
pub fn to_integer(value: Fr) -> BigUint {
    BigUint::from_bytes_le(value.to_repr().as_ref())
}

/// An integer modulo r.
pub fn to_field(value: &BigUint) -> Fr {
    to_circuit(rollup::Fr::from(value.clone()))
}

/// r.
pub fn modulus() -> BigUint {
    to_integer(-Fr::ONE) + 1_u8
}

/// Changes a cell and all cells linked with it.
pub fn forge_linked(trace: &mut Trace, row: usize, column: usize, change: impl Fn(Fr) -> Fr) {
    let first = Cell { row: row as u32, column: column as u8 };
    let mut cells = BTreeSet::from([first]);
    let mut pending = vec![first];
    while let Some(cell) = pending.pop() {
        for (left, right) in trace.copies() {
            let other = if *left == cell { *right } else { *left };
            if (*left == cell || *right == cell) && cells.insert(other) {
                pending.push(other);
            }
        }
    }
    let value = change(trace.value(row, column));
    for cell in cells {
        trace.forge(cell.row as usize, usize::from(cell.column), value);
    }
}
