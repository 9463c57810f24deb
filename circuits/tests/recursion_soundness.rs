//! What dishonest provers try with points, each attempt refused where it should be and nowhere else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod recursion_support;

use halo2_proofs::halo2curves::bn256::{Fq, Fr, G1Affine};
use halo2_proofs::halo2curves::ff::Field;
use num_bigint::BigUint;
use recursion_support::{Terms, kinds, random, random_point, rows_of, start, violations};
use tenon_circuits::gadgets::curve::blocks::{self, Addend};
use tenon_circuits::gadgets::curve::{Claims, PUBLIC_LIMB_BITS, assign_point};
use tenon_circuits::gadgets::foreign::{order, to_integer};
use tenon_circuits::halo2::trace::{ADVICE_COLUMNS, CHUNK_BITS, CHUNK_COLUMNS, Trace, Var};

/// Asserts that a trace is refused for these reasons, and for no others.
fn assert_refused(trace: &Trace, reasons: &[&str]) {
    let expected = reasons.iter().map(|reason| (*reason).to_owned()).collect();
    assert_eq!(kinds(&violations(trace)), expected);
}

fn terms() -> Terms {
    let mut random = random(10);
    let mut term = || (Fr::random(&mut random), random_point(&mut random));
    Terms { variable: vec![term(), term()], fixed: vec![term()], units: vec![term().1] }
}

#[test]
fn digits_of_another_scalar_are_refused() {
    for (term, scalar) in [(0, Fr::ZERO), (1, Fr::from(5)), (2, -Fr::ONE)] {
        let (trace, sum, _) =
            terms().trace_claiming(&Claims { scalars: [(term, scalar)].into(), ..Claims::default() });
        assert_ne!(sum.value(), terms().sum());
        assert_refused(&trace, &["curve: multiples added: copy"]);
    }
}

/// In place of a multiple: another one of the same point, one of another point, any point.
#[test]
fn points_that_are_not_in_the_table_are_refused() {
    let honest = terms();
    let twice = (honest.variable[0].1 + honest.variable[0].1).into();
    for (place, point) in [
        ((0, 0), twice),
        ((0, 50), honest.variable[1].1),
        ((1, 3), G1Affine::generator()),
        ((2, 20), honest.variable[0].1),
    ] {
        let (trace, sum, _) =
            honest.trace_claiming(&Claims { addends: [(place, point)].into(), ..Claims::default() });
        assert_ne!(sum.value(), honest.sum());
        assert_refused(&trace, &["curve: multiples added: multiple"]);
    }
}

/// Two equal points and any slope: the relations hold for the point that the slope gives.
#[test]
fn equal_points_are_not_added() {
    let mut random = random(11);
    let point = random_point(&mut random);
    let attempt = |integers: [BigUint; 2], slope: Fq| {
        let (mut trace, _) = start();
        let left = assign_point(&mut trace, &point);
        let right = blocks::coordinates_claiming(&mut trace, integers, point);
        trace.label("sum");
        let position = left.position().start(&mut trace);
        let right = right.position();
        blocks::add_with_slope(&mut trace, &position, Addend::Unit(&right), None, slope);
        trace
    };
    let (x, y) = (to_integer(point.x), to_integer(point.y));
    for slope in [Fq::ZERO, Fq::from(9), Fq::random(&mut random)] {
        for multiple in [0_u8, 1] {
            let trace = attempt([&x + order() * multiple, y.clone()], slope);
            assert_refused(&trace, &["sum: CurveAdd, different x"]);
        }
        // The opposite point: no slope will do either.
        let trace = attempt([x.clone(), order() - &y], slope);
        let reasons =
            ["lower half", "modulo r", "upper half"].map(|part| format!("sum: CurveAdd, slope: {part}"));
        let found = kinds(&violations(&trace));
        assert!(found.contains("sum: CurveAdd, different x"));
        assert!(reasons.iter().any(|reason| found.contains(reason)), "{found:?}");
    }
}

/// A slope that isn't the line's gives a point that isn't the sum.
#[test]
fn another_slope_is_refused() {
    let mut random = random(12);
    let (mut trace, _) = start();
    let [left, right] = [0, 1].map(|_| assign_point(&mut trace, &random_point(&mut random)));
    trace.label("sum");
    let position = left.position().start(&mut trace);
    let right = right.position();
    blocks::add_with_slope(&mut trace, &position, Addend::Unit(&right), None, Fq::from(3));
    let found = kinds(&violations(&trace));
    assert!(
        !found.is_empty() && found.iter().all(|reason| reason.starts_with("sum: CurveAdd, slope: ")),
        "{found:?}"
    );
}

#[test]
fn points_off_the_curve_are_refused() {
    let mut random = random(13);
    let point = random_point(&mut random);
    let identity = G1Affine::default();
    let moved = G1Affine { x: point.x, y: point.y + Fq::ONE };
    let twisted = G1Affine { x: Fq::ONE, y: Fq::ONE };
    for point in [identity, moved, twisted] {
        let (mut trace, _) = start();
        assign_point(&mut trace, &point);
        let found = kinds(&violations(&trace));
        let refused = |reason: &String| reason.starts_with("curve: equation: CurveEquation, equation: ");
        assert!(!found.is_empty() && found.iter().all(refused), "{found:?}");
    }
}

/// The same point with p more in a coordinate has other coordinates modulo r.
#[test]
fn coordinates_from_p_on_are_refused() {
    let mut random = random(14);
    let point = random_point(&mut random);
    let (x, y) = (to_integer(point.x), to_integer(point.y));
    let attempts = [
        ([&x + order(), y.clone()], "x"),
        ([x.clone(), &y + order()], "y"),
        ([order().clone(), y.clone()], "x"),
    ];
    for (integers, name) in attempts {
        let (mut trace, _) = start();
        let full = blocks::coordinates_claiming(&mut trace, integers, point);
        trace.label("below p");
        blocks::canonical(&mut trace, &full);
        assert_refused(&trace, &[&format!("below p: CurveCanonical, {name}: upper half")]);
    }
    let largest = [order() - 1_u8, BigUint::default()];
    let (mut trace, _) = start();
    let full = blocks::coordinates_claiming(&mut trace, largest, point);
    blocks::canonical(&mut trace, &full);
    assert_refused(&trace, &[]);
}

/// The result's y with p more, and one that isn't y.
#[test]
fn the_reduced_coordinate_is_y() {
    let mut random = random(15);
    let point = random_point(&mut random);
    let attempt = |y: BigUint| {
        let (mut trace, _) = start();
        let position = assign_point(&mut trace, &point).position().start(&mut trace);
        trace.label("reduced");
        let full = blocks::normalize_claiming(&mut trace, &position, y);
        let reduced = kinds(&violations(&trace));
        trace.label("below p");
        blocks::canonical(&mut trace, &full);
        (reduced, kinds(&violations(&trace)))
    };
    let y = to_integer(point.y);
    let (reduced, all) = attempt(&y + order());
    assert!(reduced.is_empty());
    assert_eq!(all, ["below p: CurveCanonical, y: upper half".to_owned()].into());
    for other in [&y + 1_u8, order() - &y] {
        let (reduced, all) = attempt(other);
        assert!(!reduced.is_empty() && reduced == all);
        assert!(
            reduced.iter().all(|reason| reason.starts_with("reduced: CurveNormalize, y: ")),
            "{reduced:?}"
        );
    }
}

/// A sum that is the identity has no proof, whatever the slope of its last line.
#[test]
fn the_identity_is_no_sum() {
    let mut random = random(16);
    let (scalar, point) = (Fr::random(&mut random), random_point(&mut random));
    let terms = Terms { variable: vec![(scalar, point), (-scalar, point)], ..Terms::default() };
    let (trace, _, _) = terms.trace();
    let found = kinds(&violations(&trace));
    assert!(found.contains("curve: offset removed: CurveAdd, different x"), "{found:?}");
}

/// Every chunk column, in a row where no gate reads it and in one where a gate does.
#[test]
fn chunks_of_more_bits_are_refused() {
    let mut random = random(17);
    let (mut trace, _) = start();
    assign_point(&mut trace, &random_point(&mut random));
    for place in 0..CHUNK_COLUMNS {
        let mut forged = trace.clone();
        forged.set_chunk(0, place, 1 << CHUNK_BITS);
        assert_refused(&forged, &["constants: chunk"]);
        forged = trace.clone();
        forged.set_chunk(0, place, (1 << CHUNK_BITS) - 1);
        assert_refused(&forged, &[]);
        // The next chunk one less makes up for it.
        forged = trace.clone();
        let row = rows_of(&trace, "curve: coordinates")[0];
        let (next_row, next) = if place + 1 < CHUNK_COLUMNS { (row, place + 1) } else { (row + 1, 0) };
        let (low, high) = (trace.chunks(row)[place], trace.chunks(next_row)[next]);
        forged.forge(row, ADVICE_COLUMNS + place, Fr::from(u64::from(low + (1 << CHUNK_BITS))));
        forged.forge(next_row, ADVICE_COLUMNS + next, Fr::from(u64::from(high - 1)));
        assert!(kinds(&violations(&forged)).contains("curve: coordinates: chunk"));
    }
}

/// Public limbs are each changed, alone and with the next one to make up for it.
#[test]
fn public_limbs_are_bound() {
    let mut random = random(18);
    let (mut trace, zero) = start();
    let point = assign_point(&mut trace, &random_point(&mut random));
    let limbs = point.limbs(&mut trace, zero);
    assert_refused(&trace, &[]);
    let forge = |trace: &mut Trace, var: Var, by: Fr| {
        trace.forge(var.cell.row as usize, usize::from(var.cell.column), var.value + by);
    };
    let unit = Fr::from(2).pow_vartime([PUBLIC_LIMB_BITS]);
    for [v0, v1, v2] in limbs {
        for var in [v0, v1, v2] {
            let mut forged = trace.clone();
            forge(&mut forged, var, Fr::ONE);
            assert!(!violations(&forged).is_empty());
        }
        for (low, high) in [(v0, v1), (v1, v2)] {
            let mut forged = trace.clone();
            forge(&mut forged, low, unit);
            forge(&mut forged, high, -Fr::ONE);
            assert!(!violations(&forged).is_empty());
        }
    }
}
