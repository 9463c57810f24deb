//! What the curve's gadgets cost, committed: `BLESS=1` rewrites `recursion_costs.json`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod recursion_support;

use std::{fs, path::Path};

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use recursion_support::{checker, random, random_point, start};
use serde_json::{Map, Value, json};
use tenon_circuits::gadgets::arithmetic::free;
use tenon_circuits::gadgets::curve::blocks::{self, Addend};
use tenon_circuits::gadgets::curve::{Point, assign_point, msm};
use tenon_circuits::halo2::columns::GateSet;
use tenon_circuits::halo2::trace::{ADVICE_COLUMNS, CHUNK_BITS, CHUNK_COLUMNS, Trace, Var};

/// Rows and cells of what `write` appends to a trace that holds two points.
fn measure(write: impl FnOnce(&mut Trace, &[Point; 2], Var)) -> [usize; 2] {
    let (mut trace, zero) = start();
    let mut random = random(0);
    let points = [0, 1].map(|_| assign_point(&mut trace, &random_point(&mut random)));
    let before = [trace.rows(), trace.assigned_cells()];
    write(&mut trace, &points, zero);
    [trace.rows() - before[0], trace.assigned_cells() - before[1]]
}

fn shown([rows, cells]: [usize; 2]) -> Value {
    json!({ "rows": rows, "cells": cells })
}

/// A sum of this many multiples of points and of constants.
fn sum(variable: usize, fixed: usize) -> [usize; 2] {
    let mut random = random(1);
    let mut term = || (Fr::random(&mut random), random_point(&mut random));
    let variable: Vec<_> = (0..variable).map(|_| term()).collect();
    let fixed: Vec<_> = (0..fixed).map(|_| term()).collect();
    let (mut trace, _) = start();
    let variable: Vec<(Var, Point)> = variable
        .iter()
        .map(|(scalar, point)| (free(&mut trace, *scalar), assign_point(&mut trace, point)))
        .collect();
    let fixed: Vec<_> = fixed.iter().map(|(scalar, point)| (free(&mut trace, *scalar), *point)).collect();
    let before = [trace.rows(), trace.assigned_cells()];
    msm(&mut trace, &variable, &fixed, &[]);
    [trace.rows() - before[0], trace.assigned_cells() - before[1]]
}

fn minus(left: [usize; 2], right: [usize; 2]) -> [usize; 2] {
    [left[0] - right[0], left[1] - right[1]]
}

#[test]
fn costs_are_those_committed() {
    let mut gadgets = Map::new();
    let mut add = |name: &str, cost: [usize; 2]| gadgets.insert(name.to_owned(), shown(cost));
    add(
        "new point",
        measure(|trace, points, _| {
            assign_point(trace, &points[0].value());
        }),
    );
    add(
        "public limbs of a point",
        measure(|trace, points, zero| {
            points[0].limbs(trace, zero);
        }),
    );
    let start = |trace: &mut Trace, points: &[Point; 2]| points[0].position().start(trace);
    let started = measure(|trace, points, _| drop(start(trace, points)));
    let added = measure(|trace, points, _| {
        let position = start(trace, points);
        blocks::add(trace, &position, Addend::Unit(&points[1].position()), None);
    });
    add("sum of two points", minus(added, started));
    let reduced = measure(|trace, points, _| {
        let position = start(trace, points);
        blocks::normalize(trace, &position);
    });
    add("second coordinate reduced", minus(reduced, started));
    let doubled = measure(|trace, points, _| {
        let position = start(trace, points);
        let full = blocks::normalize(trace, &position);
        blocks::double(trace, &full);
    });
    add("doubling, with its reduction", minus(doubled, started));
    let empty = sum(1, 0);
    add("multiple of a point", minus(sum(2, 0), empty));
    add("multiple of a constant", minus(sum(1, 1), empty));
    add("sum of 1 multiple", empty);
    let leaf = sum(20, 27);
    add("sum of 20 multiples of points and 27 of constants", leaf);
    add("sum of 40 multiples of points and 27 of constants", sum(40, 27));

    let constraints = checker().constraints();
    let degree = constraints.map(|(_, _, degree)| degree).max();
    let document = json!({
        "advice_columns": ADVICE_COLUMNS,
        "chunk_columns": CHUNK_COLUMNS,
        "chunk_bits": CHUNK_BITS,
        "copyable_columns": GateSet::RECURSION.copy_columns,
        "degree": degree,
        "gadgets": gadgets,
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recursion_costs.json");
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, text, "recursion_costs.json differs; review, then run with BLESS=1");
    assert!(leaf[1] < 1_300_000, "{} cells", leaf[1]);
}
