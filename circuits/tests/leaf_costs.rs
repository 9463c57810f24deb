//! What the leaf circuit costs, gadget by gadget, and which circuit it is: both committed.
//!
//! `BLESS=1` rewrites `costs.json` and `testdata/leaf_circuit.json`. A change of the latter is a change of all
//! keys.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;
mod soundness_support;

use std::{collections::BTreeSet, fs, path::Path};

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use native_support::{key, test_domain};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::{Map, Value, json};
use soundness_support::{binds_data, checker, fr};
use tenon_circuits::gadgets::arithmetic::{Operand, constant, equation};
use tenon_circuits::gadgets::babyjubjub::{PointVars, SignatureInputs, verify};
use tenon_circuits::gadgets::{poseidon, range};
use tenon_circuits::halo2::fingerprint::of_circuit;
use tenon_circuits::halo2::leaf::values::ChunkValues;
use tenon_circuits::halo2::leaf::{LeafCircuit, SizeClass, chunk};
use tenon_circuits::halo2::to_circuit;
use tenon_circuits::halo2::trace::{ADVICE_COLUMNS, COPY_COLUMNS, Gate, PRODUCT_COLUMN, Trace, Var};
use tenon_circuits::rollup;
use tenon_circuits::witness::ChunkWitness;

/// Compares a document with the committed one, or commits it.
fn check_committed(file: &str, document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = serde_json::to_string_pretty(document).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, text, "{file} differs from the circuit; review, then run with BLESS=1");
}

/// Rows, written cells and highest degree of what `write` appends.
fn measure(write: impl FnOnce(&mut Trace, &mut dyn FnMut(&mut Trace, Fr) -> Var, Var, Var)) -> Value {
    let mut trace = Trace::new();
    let zero = constant(&mut trace, Fr::ZERO);
    let one = constant(&mut trace, Fr::ONE);
    let mut inputs = (trace.rows(), trace.assigned_cells());
    let mut input = |trace: &mut Trace, value: Fr| {
        let before = (trace.rows(), trace.assigned_cells());
        let var = equation(trace, &[(Fr::ZERO, Operand::New(value))], None, Fr::ZERO)[0];
        inputs.0 += trace.rows() - before.0;
        inputs.1 += trace.assigned_cells() - before.1;
        var
    };
    write(&mut trace, &mut input, zero, one);
    let gates: Vec<Gate> = (2..trace.rows()).map(|row| trace.gate(row)).collect();
    let degrees =
        checker().constraints().filter(|(gate, _, _)| gates.contains(gate)).map(|(_, _, degree)| degree);
    json!({
        "rows": trace.rows() - inputs.0,
        "cells": trace.assigned_cells() - inputs.1,
        "degree": degrees.max(),
    })
}

fn hash<const T: usize>() -> Value {
    measure(|trace, input, zero, _| {
        let inputs: Vec<Operand> = (1..T as u64).map(|i| input(trace, fr(i)).into()).collect();
        poseidon::hash::<T>(trace, &inputs, zero);
    })
}

fn range(bits: usize) -> Value {
    measure(|trace, input, zero, _| {
        let value = input(trace, fr(3));
        range::check(trace, value, bits, zero);
    })
}

/// With the message's hash, or without.
fn signature(with_message: bool) -> Value {
    let key = key(1);
    let public = key.public_key();
    let parts = [1u64, 2, 3, 4, 5].map(rollup::Fr::from);
    let signature = key.sign(rollup::poseidon::hash_5(parts));
    measure(|trace, input, zero, _| {
        let x = input(trace, to_circuit(public.x));
        let y = input(trace, to_circuit(public.y));
        let message = if with_message {
            let parts = parts.map(|part| Operand::Old(input(trace, to_circuit(part))));
            poseidon::hash::<6>(trace, &parts, zero).output
        } else {
            input(trace, to_circuit(rollup::poseidon::hash_5(parts)))
        };
        let mut s = [0; 32];
        for (bytes, limb) in s.chunks_exact_mut(8).zip(signature.s.0) {
            bytes.copy_from_slice(&limb.to_le_bytes());
        }
        let r8 = (to_circuit(signature.r8x), to_circuit(signature.r8y));
        verify(trace, &SignatureInputs { zero, key: PointVars { x, y }, message, r8, s });
    })
}

/// Rows and written cells of a chunk's trace, those that bind the published data and the others.
#[derive(Clone, Copy)]
struct Chunk {
    binding: [usize; 2],
    /// Of those that bind, the evaluation of DA words.
    evaluation: [usize; 2],
    others: [usize; 2],
}

impl Chunk {
    /// Of a chunk of this class; its content makes no difference.
    fn new(class: SizeClass) -> Self {
        let trace = chunk::trace(class, &ChunkValues::new(&empty_chunk(), class.slots));
        let mut counts = Self { binding: [0; 2], evaluation: [0; 2], others: [0; 2] };
        for row in 0..trace.rows() {
            let label = trace.label_of(row);
            let columns = (0..ADVICE_COLUMNS).chain([PRODUCT_COLUMN]);
            let cells = columns.filter(|column| trace.is_assigned(row, *column)).count();
            let add = |counts: &mut [usize; 2]| *counts = [counts[0] + 1, counts[1] + cells];
            add(if binds_data(label) { &mut counts.binding } else { &mut counts.others });
            if label == "DA words: evaluated" {
                add(&mut counts.evaluation);
            }
        }
        assert_eq!(counts.binding[1] + counts.others[1], trace.assigned_cells());
        counts
    }
}

fn empty_chunk() -> ChunkWitness {
    ChunkWitness::empty(test_domain(), 1, 0)
}

fn cost([more_rows, more_cells]: [usize; 2], [rows, cells]: [usize; 2]) -> Value {
    json!({
        "rows": more_rows - rows,
        "cells": more_cells - cells,
        "degree": checker().constraints().map(|(_, _, degree)| degree).max(),
    })
}

/// What a chunk's parts cost: the difference that one more of them makes.
fn chunk_costs() -> [(&'static str, Value); 8] {
    let class = SizeClass { slots: 4, ..SizeClass::SMALL };
    let of = Chunk::new(class);
    let slot_less = Chunk::new(SizeClass { slots: 3, ..class });
    let slot_more = Chunk::new(SizeClass { slots: 5, ..class });
    let open_more = Chunk::new(SizeClass { opens: class.opens + 1, ..class });
    let l1_word_more = Chunk::new(SizeClass { l1_words: class.l1_words + 1, ..class });
    let account_more = Chunk::new(SizeClass { accounts: class.accounts + 1, ..class });
    let node_more = Chunk::new(SizeClass { nodes: class.nodes + 1, ..class });
    // The fifth slot has a word of its own, the fourth shares that of the third.
    let slots_binding: [usize; 2] = std::array::from_fn(|i| of.binding[i] - slot_less.binding[i]);
    let word: [usize; 2] = std::array::from_fn(|i| slot_more.binding[i] - slots_binding[i]);
    [
        ("slot", cost(slot_more.others, of.others)),
        ("account, before and after", cost(account_more.others, of.others)),
        ("tree node, before and after", cost(node_more.others, of.others)),
        ("slot, ties to the published words", cost(of.binding, slot_less.binding)),
        ("DA word", cost(word, of.binding)),
        ("DA word, its evaluation alone", cost(slot_more.evaluation, of.evaluation)),
        ("L1 word", cost(l1_word_more.binding, of.binding)),
        ("open's places", cost(open_more.binding, of.binding)),
    ]
}

/// The part of a full chunk's cells that bind the published data, in hundredths of a percent.
fn binding_share(class: SizeClass) -> usize {
    let Chunk { binding: [_, binding], others: [_, others], .. } = Chunk::new(class);
    binding * 10_000 / (binding + others)
}

/// Cells of a transfer in a full chunk of `slots` transfers, each between two accounts picked at random among
/// `accounts` of 2^20, in a circuit that has just the room that they need.
fn transfer_cells(slots: usize, accounts: u32) -> usize {
    let mut random = ChaCha20Rng::seed_from_u64(512);
    let mut any = |below: u32| random.r#gen::<u32>() % below;
    // Accounts spread over the whole tree.
    let chosen: Vec<u32> = (0..accounts).map(|i| if accounts < 1 << 20 { any(1 << 20) } else { i }).collect();
    let fee_account = any(1 << 20);
    let touched: BTreeSet<u32> =
        (0..2 * slots).map(|_| chosen[any(accounts) as usize]).chain([fee_account]).collect();
    let nodes = (1..=rollup::DEPTH).map(|height| {
        touched.iter().map(|index| u64::from(*index) >> (2 * height)).collect::<BTreeSet<_>>().len()
    });
    let class = SizeClass {
        slots,
        opens: 1,
        l1_words: 6,
        accounts: touched.len(),
        nodes: nodes.sum(),
        ..SizeClass::LARGE
    };
    LeafCircuit::keygen(class).trace().assigned_cells() / slots
}

#[test]
fn costs_are_those_committed() {
    let gadgets = json!({
        "poseidon, width 3": hash::<3>(),
        "poseidon, width 5": hash::<5>(),
        "poseidon, width 6": hash::<6>(),
        "range of 32 bits": range(32),
        "range of 40 bits": range(40),
        "range of 128 bits": range(128),
        "signature": signature(false),
        "signature and message": signature(true),
    });
    let mut gadgets = gadgets;
    gadgets.as_object_mut().unwrap().extend(chunk_costs().map(|(name, cost)| (name.to_owned(), cost)));
    let cells = |name: &str| gadgets[name]["cells"].as_u64().unwrap();
    assert!(cells("poseidon, width 5") <= 180);
    assert!(cells("signature and message") <= 3_600);
    assert!(cells("slot") <= 4_700);
    assert!(cells("tree node, before and after") <= 370);
    assert!(cells("account, before and after") <= 480);
    assert!(cells("DA word") <= 540);
    assert!(cells("L1 word") <= 210);
    let share = binding_share(SizeClass::MEDIUM);
    assert!(share <= 1_100, "DA and L1 binding: {share} / 10,000 of a full medium chunk's cells");
    for cost in gadgets.as_object().unwrap().values() {
        assert!(cost["degree"].as_u64().unwrap() <= 5);
    }
    let binding: Map<String, Value> =
        SizeClass::ALL.iter().map(|class| (class.name.to_owned(), json!(binding_share(*class)))).collect();
    let [spread, hot] = [1 << 20, 64].map(|accounts| transfer_cells(512, accounts));
    assert!(spread <= 9_500, "{spread} cells a transfer between any of 2^20 accounts");
    assert!(hot <= 6_500, "{hot} cells a transfer between 64 of 2^20 accounts");
    let transfers = json!({ "between any of 2^20 accounts": spread, "between 64 of 2^20 accounts": hot });
    let document = json!({
        "advice_columns": ADVICE_COLUMNS,
        "copyable_columns": COPY_COLUMNS,
        "binding_per_10000_cells_of_a_full_chunk": binding,
        "cells_of_a_transfer_of_512": transfers,
        "gadgets": gadgets,
    });
    check_committed("costs.json", &document);
}

#[test]
fn the_circuit_is_the_one_pinned() {
    let mut gates = Map::new();
    for (gate, name, degree) in checker().constraints() {
        let of_gate = gates.entry(format!("{gate:?}")).or_insert_with(|| json!({}));
        of_gate[name] = json!(degree);
    }
    let classes: Map<String, Value> = SizeClass::ALL
        .into_iter()
        .map(|class| {
            let circuit = LeafCircuit::keygen(class);
            let pinned = json!({
                "k": class.k,
                "slots": class.slots,
                "opens": class.opens,
                "l1_words": class.l1_words,
                "accounts": class.accounts,
                "nodes": class.nodes,
                "rows": circuit.trace().rows(),
                "usable_rows": checker().usable_rows(class.k),
                "cells": circuit.trace().assigned_cells(),
                "copies": circuit.trace().copies().len(),
                "digest": hex::encode(of_circuit(&circuit).unwrap()),
            });
            (class.name.to_owned(), pinned)
        })
        .collect();
    check_committed(
        "testdata/leaf_circuit.json",
        &json!({ "classes": classes, "constraint_degrees": gates }),
    );
}
