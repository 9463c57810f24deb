//! Sums of multiples of points: what honest provers get.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod recursion_support;

use std::collections::BTreeSet;

use halo2_proofs::halo2curves::bn256::{Fr, G1Affine};
use halo2_proofs::halo2curves::ff::{Field, PrimeField, WithSmallOrderMulGroup};
use recursion_support::{Terms, random, random_point, violations};
use tenon_circuits::gadgets::curve::{CONSTANT_WINDOW, WINDOW, digits};

fn assert_sums(terms: &Terms) {
    let (trace, sum, _) = terms.trace();
    assert_eq!(sum.value(), terms.sum());
    assert_eq!(violations(&trace), Vec::new());
}

/// 0, 1, 2, both ends, the cube roots of unity, powers of two, and halves of r.
fn special_scalars() -> Vec<Fr> {
    let half = Fr::from(2).invert().unwrap();
    let power = |exponent: u64| Fr::from(2).pow_vartime([exponent]);
    vec![
        Fr::ZERO,
        Fr::ONE,
        Fr::from(2),
        -Fr::ONE,
        -Fr::from(2),
        Fr::ZETA,
        -Fr::ZETA - Fr::ONE,
        half,
        -half,
        power(127),
        power(128) - Fr::ONE,
        power(253),
    ]
}

#[test]
fn sums_are_those_of_the_group() {
    let mut random = random(1);
    let term = |random: &mut _| (Fr::random(&mut *random), random_point(random));
    let terms = Terms {
        variable: (0..3).map(|_| term(&mut random)).collect(),
        fixed: (0..3).map(|_| term(&mut random)).collect(),
        units: (0..2).map(|_| random_point(&mut random)).collect(),
    };
    assert_sums(&terms);
    assert_sums(&Terms { variable: terms.variable.clone(), ..Terms::default() });
    assert_sums(&Terms { fixed: terms.fixed.clone(), ..Terms::default() });
    assert_sums(&Terms { units: terms.units.clone(), ..Terms::default() });
}

#[test]
fn every_scalar_has_digits() {
    let mut random = random(2);
    let unit = random_point(&mut random);
    let scalars = special_scalars();
    let point = |random: &mut _| random_point(random);
    assert_sums(&Terms {
        variable: scalars.iter().map(|scalar| (*scalar, point(&mut random))).collect(),
        fixed: scalars.iter().map(|scalar| (*scalar, point(&mut random))).collect(),
        units: vec![unit],
    });
    assert_sums(&Terms { variable: vec![(Fr::ZERO, unit)], units: vec![unit], ..Terms::default() });
}

/// Points that repeat, are opposite, or are the generator.
#[test]
fn related_points_are_no_exception() {
    let mut random = random(3);
    let (point, generator) = (random_point(&mut random), G1Affine::generator());
    let scalar = Fr::random(&mut random);
    let variable = vec![(scalar, point), (scalar, point), (scalar, -point), (scalar, generator)];
    let fixed = vec![(scalar, generator), (-scalar, point)];
    assert_sums(&Terms { variable, fixed, units: vec![point, point, generator] });
}

#[test]
fn public_limbs_are_the_coordinates() {
    let mut random = random(4);
    let terms =
        Terms { units: vec![random_point(&mut random), random_point(&mut random)], ..Terms::default() };
    let (mut trace, sum, zero) = terms.trace();
    let limbs = sum.limbs(&mut trace, zero);
    assert_eq!(violations(&trace), Vec::new());
    let expected = [sum.value().x, sum.value().y].map(|coordinate| {
        let value = num_bigint::BigUint::from_bytes_le(coordinate.to_repr().as_ref());
        [0, 1, 2].map(|i| (&value >> (88 * i)) & ((num_bigint::BigUint::from(1_u8) << 88) - 1_u8))
    });
    let actual = limbs
        .map(|three| three.map(|limb| num_bigint::BigUint::from_bytes_le(limb.value.to_repr().as_ref())));
    assert_eq!(actual, expected);
    let native = |value: &[u8]| {
        value.iter().rev().fold(Fr::ZERO, |sum, byte| sum * Fr::from(256) + Fr::from(u64::from(*byte)))
    };
    assert_eq!(sum.native_x().value, native(sum.value().x.to_repr().as_ref()));
    assert_eq!(sum.native_y().value, native(sum.value().y.to_repr().as_ref()));
}

/// Digits are odd and small, and the scalar's modulo r.
#[test]
fn digits_make_the_scalar() {
    let mut random = random(5);
    let scalars = special_scalars().into_iter().chain((0..200).map(|_| Fr::random(&mut random)));
    for scalar in scalars {
        for window in [WINDOW, CONSTANT_WINDOW] {
            let digits = digits(scalar, window);
            assert!(digits.iter().all(|(digit, _)| digit % 2 == 1 && *digit < 1 << window));
            let sum = digits.iter().rev().fold(Fr::ZERO, |sum, (digit, negative)| {
                let digit = Fr::from(*digit);
                sum * Fr::from(1 << window) + if *negative { -digit } else { digit }
            });
            assert_eq!(sum, scalar);
        }
    }
}

/// Tables of a fragment are not those of the trace that it is appended to.
#[test]
fn fragments_have_tables_of_their_own() {
    let mut random = random(6);
    let mut sum = || Terms {
        variable: vec![(Fr::random(&mut random), random_point(&mut random))],
        fixed: vec![(Fr::random(&mut random), random_point(&mut random))],
        units: Vec::new(),
    };
    let [(mut trace, ..), (fragment, ..)] = [sum().trace(), sum().trace()];
    let before = trace.rows();
    trace.append(fragment, &[]);
    assert_eq!(violations(&trace), Vec::new());
    let numbers = |rows: std::ops::Range<usize>| -> BTreeSet<[u8; 32]> {
        let places = rows.filter(|row| trace.gate(*row).is_table());
        places.map(|row| trace.constant(row, 0).to_repr()).filter(|number| *number != [0; 32]).collect()
    };
    let (first, second) = (numbers(0..before), numbers(before..trace.rows()));
    assert_eq!((first.len(), second.len()), (2, 2));
    assert!(first.is_disjoint(&second));
}
