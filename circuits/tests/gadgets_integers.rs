//! Integers in the field: evaluation modulo the order of BLS12-381's scalar field, and the canonical split.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod gadget_support;

use ark_ff::{PrimeField as _, UniformRand};
use gadget_support::{fr, overlay, refusals, rows_of, start, violations, witness};
use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::{Field, PrimeField};
use num_bigint::BigUint;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use tenon_circuits::gadgets::arithmetic::{boolean, linear};
use tenon_circuits::gadgets::canonical::{self, Parts};
use tenon_circuits::gadgets::da_field::{Claim, from_limbs, point, step, step_claiming, to_limbs};
use tenon_circuits::gadgets::range;
use tenon_circuits::halo2::checker::Violation;
use tenon_circuits::halo2::leaf::access::power;
use tenon_circuits::halo2::trace::{Gate, Trace, Var};
use tenon_circuits::halo2::{to_circuit, to_native};
use tenon_circuits::rollup;
use tenon_circuits::rollup::evaluation::{DaScalar, da_limbs, to_da};

fn order() -> BigUint {
    DaScalar::MODULUS.into()
}

fn modulus() -> BigUint {
    rollup::Fr::MODULUS.into()
}

/// 2^exponent.
fn two(exponent: u32) -> BigUint {
    BigUint::from(1_u8) << exponent
}

fn to_field(value: &BigUint) -> Fr {
    to_circuit(rollup::Fr::from(value.clone()))
}

fn to_integer(value: Fr) -> BigUint {
    BigUint::from_bytes_le(value.to_repr().as_ref())
}

/// An integer in two limbs of 128 bits.
fn limbs(value: &BigUint) -> [Fr; 2] {
    [to_field(&(value & (two(128) - 1_u8))), to_field(&(value >> 128_u32))]
}

/// A step as a trace: `y·z + word`, the result claimed or else the true one, canonical in the end or not.
struct Step {
    y: BigUint,
    z: BigUint,
    word: BigUint,
    active: bool,
}

impl Step {
    fn new(y: &BigUint, z: &BigUint, word: &BigUint) -> Self {
        Self { y: y.clone(), z: z.clone(), word: word.clone(), active: true }
    }

    fn sum(&self) -> BigUint {
        if self.active { &self.y * &self.z + &self.word } else { self.y.clone() }
    }

    /// The true result and quotient.
    fn divided(&self) -> [BigUint; 2] {
        [self.sum() % order(), self.sum() / order()]
    }

    fn trace(&self, claim: Option<Claim>, is_final: bool) -> (Trace, Option<[Fr; 2]>) {
        let (mut trace, zero, _) = start();
        let trace = &mut trace;
        trace.label("point");
        let z = point(trace, to_field(&self.z), zero);
        trace.label("before");
        let (y, shown) = from_limbs(trace, limbs(&self.y), zero);
        assert_eq!(shown.map(|limb| limb.value), limbs(&self.y));
        trace.label("word");
        let word = witness(trace, to_field(&self.word));
        let active = witness(trace, fr(u64::from(self.active)));
        trace.label("step");
        let y = match claim {
            Some(claim) => step_claiming(trace, &y, &z, (active, word), claim, zero),
            None => step(trace, &y, &z, (active, word), zero),
        };
        trace.label("after");
        let shown = is_final.then(|| to_limbs(trace, &y, zero).map(|limb| limb.value));
        (std::mem::take(trace), shown)
    }

    /// What is refused of a prover that claims this.
    fn refused(&self, claim: Claim) -> Vec<&'static str> {
        let trace = self.trace(Some(claim), true).0;
        places(&trace)
    }
}

/// The label of each violation.
fn places(trace: &Trace) -> Vec<&'static str> {
    violations(trace)
        .into_iter()
        .map(|violation| match violation {
            Violation::Constraint { label, .. } | Violation::Copy { label, .. } => label,
            other => panic!("{other}"),
        })
        .collect()
}

fn edges(largest: &BigUint) -> Vec<BigUint> {
    let mut edges: Vec<BigUint> = [0_u32, 68, 128, 136, 204].map(two).to_vec();
    edges.extend([68, 136].map(|bits| two(bits) - 1_u8));
    edges.push(BigUint::default());
    edges.retain(|edge| edge < largest);
    edges.push(largest.clone());
    edges
}

#[test]
fn a_step_is_the_scalar_fields_at_every_edge() {
    let largest = [two(256) - 1_u8, two(128) - 1_u8, two(248) - 1_u8];
    let [mut ys, zs, words] = largest.map(|largest| edges(&largest));
    ys.extend([order() - 1_u8, order(), order() + 1_u8, order() * 2_u8]);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for y in &ys {
        for z in &zs {
            let word = &words[rng.gen_range(0..words.len())];
            let case = Step::new(y, z, word);
            let (trace, shown) = case.trace(None, true);
            let expected =
                DaScalar::from(y.clone()) * DaScalar::from(z.clone()) + DaScalar::from(word.clone());
            assert_eq!(shown.unwrap(), da_limbs(&expected).map(to_circuit));
            assert_eq!(refusals(&trace), Vec::<String>::new(), "{y} {z} {word}");
        }
    }
    for word in &words {
        for (y, z) in [(&ys[0], &zs[0]), (&ys[1], &zs[1]), (ys.last().unwrap(), zs.last().unwrap())] {
            assert_eq!(refusals(&Step::new(y, z, word).trace(None, true).0), Vec::<String>::new());
        }
    }
    // p − 1 and p, which is 0.
    let last = order() - 1_u8;
    let one = BigUint::from(1_u8);
    for (word, expected) in [(0_u8, last.clone()), (1, BigUint::default())] {
        let (trace, shown) = Step::new(&last, &one, &word.into()).trace(None, true);
        assert_eq!(shown.unwrap(), limbs(&expected));
        assert_eq!(refusals(&trace), Vec::<String>::new());
    }
}

#[test]
fn a_step_without_word_only_reduces() {
    for y in [BigUint::default(), order() - 1_u8, order(), order() * 2_u8, two(256) - 1_u8] {
        for z in [BigUint::default(), 1_u8.into(), two(128) - 1_u8] {
            let case = Step { active: false, ..Step::new(&y, &z, &BigUint::default()) };
            let (trace, shown) = case.trace(None, true);
            assert_eq!(shown.unwrap(), limbs(&(&y % order())));
            assert_eq!(refusals(&trace), Vec::<String>::new());
        }
    }
}

#[test]
fn many_steps_are_the_scalar_fields() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    for z in [0, 1, u128::MAX, rng.r#gen(), rng.r#gen()] {
        let (mut trace, zero, one) = start();
        let mut expected = DaScalar::rand(&mut rng);
        let z_cells = point(&mut trace, to_circuit(z.into()), zero);
        let (mut y, _) = from_limbs(&mut trace, da_limbs(&expected).map(to_circuit), zero);
        for _ in 0..25 {
            let is_word = rng.gen_bool(0.7);
            let mut bytes: [u8; 31] = rng.r#gen();
            bytes[30] |= 0xf0;
            let word = if is_word { rollup::Fr::from_le_bytes_mod_order(&bytes) } else { 0.into() };
            if is_word {
                expected = expected * DaScalar::from(z) + to_da(&word);
            }
            let word = witness(&mut trace, to_circuit(word));
            let active = if is_word { one } else { zero };
            y = step(&mut trace, &y, &z_cells, (active, word), zero);
        }
        let shown = to_limbs(&mut trace, &y, zero).map(|limb| to_native(limb.value));
        assert_eq!(shown, da_limbs(&expected));
        assert_eq!(refusals(&trace), Vec::<String>::new());
    }
}

fn case() -> Step {
    Step::new(&(order() - 12_345_u32), &(two(128) - 99_u8), &(two(248) - 1_u8))
}

/// A result with p more is the same modulo p: steps take it, the end doesn't.
#[test]
fn a_result_that_is_not_reduced_passes_a_step_and_is_refused_at_the_end() {
    let case = case();
    let [result, quotient] = case.divided();
    let claim = Claim::new(&(&result + order()), &(&quotient - 1_u8));
    assert_eq!(places(&case.trace(Some(claim), false).0), [""; 0]);
    assert!(!case.refused(claim).is_empty());
    assert!(case.refused(claim).iter().all(|place| *place == "after"));
    // p itself for 0.
    let case = Step::new(&(order() - 1_u8), &1_u8.into(), &1_u8.into());
    let claim = Claim::new(&order(), &BigUint::default());
    assert_eq!(places(&case.trace(Some(claim), false).0), [""; 0]);
    assert_eq!(case.refused(claim), ["after"]);
}

#[test]
fn another_result_or_quotient_is_refused() {
    let case = case();
    let [result, quotient] = case.divided();
    let one = BigUint::from(1_u8);
    let others = [
        (&result + 1_u8, quotient.clone()),
        (&result - 1_u8, quotient.clone()),
        (result.clone(), &quotient + 1_u8),
        (result.clone(), &quotient - 1_u8),
        (&result + two(136), quotient.clone()),
        (&result + two(136), &quotient - 1_u8),
        (result.clone(), &quotient + two(68)),
        (one, BigUint::default()),
    ];
    for (result, quotient) in others {
        let refused = case.refused(Claim::new(&result, &quotient));
        assert!(refused.contains(&"step"), "{result} {quotient}: {refused:?}");
    }
}

/// `q` such that `y·z + w = q·p + y'` holds modulo r, but not of integers: the quotient's limbs and the carry pass
/// their ranges, and nothing else is wrong.
#[test]
fn an_equation_that_holds_modulo_r_alone_is_refused() {
    let case = case();
    let [result, _] = case.divided();
    for wrong in [&result + 1_u8, BigUint::default(), order() - 1_u8] {
        let rest = to_field(&case.sum()) - to_field(&wrong);
        let quotient = to_integer(rest * to_field(&order()).invert().unwrap());
        let low = &quotient & (two(68) - 1_u8);
        let mut claim = Claim::new(&wrong, &low);
        claim.quotient = [to_field(&low), to_field(&(quotient >> 68_u32))];
        let trace = case.trace(Some(claim), true).0;
        assert_eq!(refusals(&trace), ["step"]);
        // Of equations only the ends of ranges, which have no product.
        let with_product = violations(&trace).into_iter().filter(|violation| match violation {
            Violation::Constraint { gate: Gate::Arithmetic, row, .. } => trace.constant(*row, 6) == Fr::ONE,
            _ => false,
        });
        assert_eq!(with_product.count(), 0);
    }
}

/// The same modulo 2^136, with a quotient and a carry within their ranges: only the equation modulo r fails.
#[test]
fn an_equation_that_holds_modulo_a_power_of_two_alone_is_refused() {
    let case = case();
    let [result, _] = case.divided();
    // Newton's inverse of p modulo 2^136.
    let inverse = order().modpow(&(two(135) - 1_u8), &two(136));
    assert_eq!((&inverse * order()) % two(136), BigUint::from(1_u8));
    let (wrong, quotient) = (1_u32..)
        .map(|difference| {
            let wrong = &result - difference;
            let quotient = ((case.sum() - &wrong) * &inverse) % two(136);
            (wrong, quotient)
        })
        .find(|(_, quotient)| *quotient < two(130))
        .unwrap();
    let claim = Claim::new(&wrong, &quotient);
    assert_eq!(case.refused(claim), ["step"]);
    let trace = case.trace(Some(claim), true).0;
    let Some(Violation::Constraint { gate: Gate::Arithmetic, row, .. }) = violations(&trace).pop() else {
        panic!("expected an equation");
    };
    // The one with a product; the other, of the carry, has none.
    assert_eq!(trace.constant(row, 6), Fr::ONE);
}

/// Limbs that make up the same number, one of them too large or negative.
#[test]
fn limbs_out_of_their_ranges_are_refused() {
    let case = case();
    let [result, quotient] = case.divided();
    let honest = Claim::new(&result, &quotient);
    assert_eq!(case.refused(honest), [""; 0]);
    let limb = power(68);
    for sign in [Fr::ONE, -Fr::ONE] {
        for (i, [higher, lower]) in [([1, 0]), ([2, 1])].into_iter().enumerate() {
            let mut claim = honest;
            claim.result[lower] += sign * limb;
            claim.result[higher] -= sign;
            let refused = case.refused(claim);
            assert!(refused.contains(&"step"), "result {i}: {refused:?}");
        }
        let mut claim = honest;
        claim.quotient[0] += sign * limb;
        claim.quotient[1] -= sign;
        let refused = case.refused(claim);
        assert!(!refused.is_empty() && refused.iter().all(|label| *label == "step"), "{refused:?}");
    }
}

#[test]
fn points_are_below_two_to_the_128() {
    for (z, is_point) in [(two(128) - 1_u8, true), (two(128), false), (modulus() - 1_u8, false)] {
        let (mut trace, zero, _) = start();
        point(&mut trace, to_field(&z), zero);
        assert_eq!(refusals(&trace).is_empty(), is_point, "{z}");
    }
}

/// What [`to_limbs`] writes before the public limbs, with any borrow.
fn compare(trace: &mut Trace, [low, top]: [Var; 2], borrow: bool, zero: Var) {
    let largest = order() - 1_u8;
    let limits = [&largest & (two(136) - 1_u8), &largest >> 136_u32].map(|limit| to_field(&limit));
    let borrow = boolean(trace, fr(u64::from(borrow)));
    let below = linear(trace, &[(-Fr::ONE, low), (power(136), borrow)], limits[0]);
    range::check(trace, below, 137, zero);
    let above = linear(trace, &[(-Fr::ONE, top), (-Fr::ONE, borrow)], limits[1]);
    range::check(trace, above, 120, zero);
}

#[test]
fn a_canonical_element_is_below_the_order() {
    let top = ((order() - 1_u8) >> 136_u32) << 136_u32;
    let all = two(136) - 1_u8;
    let cases = [
        BigUint::default(),
        1_u8.into(),
        all.clone(),
        &top - 1_u8,
        top.clone(),
        order() - 1_u8,
        order(),
        order() + 1_u8,
        &top + &all,
        &top + two(136),
        order() * 2_u8,
        two(256) - 1_u8,
    ];
    for value in cases {
        let (mut trace, zero, _) = start();
        let (element, _) = from_limbs(&mut trace, limbs(&value), zero);
        trace.label("canonical");
        let shown = to_limbs(&mut trace, &element, zero);
        assert_eq!(shown.map(|limb| limb.value), limbs(&value));
        let refused = refusals(&trace);
        assert_eq!(refused.is_empty(), value < order(), "{value}");
        assert!(value < order() || refused == ["canonical"]);
        // With neither borrow, above the order.
        let row = rows_of(&trace, "canonical")[0];
        for borrow in [false, true].into_iter().filter(|_| value >= order()) {
            let (mut other, other_zero, _) = start();
            let parts = [&value & (two(136) - 1_u8), &value >> 136_u32];
            let parts = parts.map(|part| witness(&mut other, to_field(&part)));
            let from = other.rows();
            compare(&mut other, parts, borrow, other_zero);
            let mut forged = trace.clone();
            overlay(&mut forged, row, &other, from..other.rows());
            let refused = places(&forged);
            assert!(!refused.is_empty(), "{value}");
            assert!(refused.iter().all(|place| *place == "canonical"), "{refused:?}");
        }
    }
}

/// The limbs of 128 bits are those of the element: its second limb can't be cut anywhere else.
#[test]
fn public_limbs_are_unique() {
    let value = order() - 1_u8;
    let (mut trace, zero, _) = start();
    trace.label("limbs");
    from_limbs(&mut trace, limbs(&value), zero);
    let middle = (&value >> 68_u32) & (two(68) - 1_u8);
    let honest = [&middle & (two(60) - 1_u8), &middle >> 60_u32].map(|part| to_field(&part));
    let rows = rows_of(&trace, "limbs");
    let cut = *rows.iter().find(|row| trace.constant(**row, 2) == power(60)).unwrap();
    assert_eq!([1, 2].map(|column| trace.value(cut, column)), honest);
    for sign in [Fr::ONE, -Fr::ONE] {
        let parts = [honest[0] + sign * power(60), honest[1] - sign];
        let mut forged = trace.clone();
        let (mut other, other_zero, _) = start();
        let cells = parts.map(|part| witness(&mut other, part));
        let from = other.rows();
        range::check(&mut other, cells[0], 60, other_zero);
        range::check(&mut other, cells[1], 8, other_zero);
        let length = other.rows() - from;
        overlay(&mut forged, cut + 1, &other, from..other.rows());
        forged.forge(cut, 1, parts[0]);
        forged.forge(cut, 2, parts[1]);
        let [low, high] = [cut + 1 + length, cut + 2 + length];
        forged.forge(low, 0, forged.value(low, 0) + sign * power(128));
        forged.forge(low, 2, parts[0]);
        forged.forge(high, 0, forged.value(high, 0) - sign);
        forged.forge(high, 1, parts[1]);
        let refused = places(&forged);
        assert!(!refused.is_empty() && refused.len() <= 3, "{refused:?}");
    }
}

/// The parts of an integer, whatever it is.
fn parts_of(value: &BigUint) -> Parts {
    let mask = two(124) - 1_u8;
    let low = [value & &mask, (value >> 124_u32) & mask].map(|part| to_field(&part));
    Parts { low, high: to_field(&(value >> 248_u32)) }
}

fn split_trace(parts: Parts) -> Trace {
    let (mut trace, zero, _) = start();
    trace.label("split");
    canonical::split(&mut trace, parts, zero);
    trace
}

/// What [`canonical::split`] ends with, with any borrow.
fn compare_split(trace: &mut Trace, [l0, l1, high]: [Var; 3], borrow: bool, zero: Var) {
    let largest = modulus() - 1_u8;
    let limits = [&largest & (two(124) - 1_u8), &largest >> 124_u32].map(|limit| to_field(&limit));
    let half = power(124);
    let borrow = boolean(trace, fr(u64::from(borrow)));
    let below = linear(trace, &[(-Fr::ONE, l0), (half, borrow)], limits[0]);
    range::check(trace, below, 125, zero);
    let above = linear(trace, &[(-Fr::ONE, l1), (-half, high), (-Fr::ONE, borrow)], limits[1]);
    range::check(trace, above, 130, zero);
}

#[test]
fn a_split_is_that_of_the_integer_below_the_modulus() {
    let r = modulus();
    let top = ((&r - 1_u8) >> 124_u32) << 124_u32;
    let accepted = [
        BigUint::default(),
        1_u8.into(),
        two(124) - 1_u8,
        two(124),
        two(248) - 1_u8,
        two(248),
        two(248) * 48_u8 - 1_u8,
        two(248) * 48_u8,
        &top - 1_u8,
        top.clone(),
        &r - 1_u8,
    ];
    for value in accepted {
        assert_eq!(Parts::of(to_field(&value)), parts_of(&value));
        assert_eq!(places(&split_trace(parts_of(&value))), [""; 0], "{value}");
    }
    // The same elements with r more, while there are bits for it, and others at the edge.
    let refused = [
        r.clone(),
        &r + 1_u8,
        &r + 2_u8,
        &r + two(124),
        &r + two(248),
        two(254) - 1_u8,
        &top + two(124) - 1_u8,
        &top + two(124),
        two(248) * 49_u8,
    ];
    for value in refused {
        let parts = parts_of(&value);
        assert_eq!(parts.value(), to_field(&(&value - &r)));
        let trace = split_trace(parts);
        for borrow in [false, true] {
            let (mut other, zero, _) = start();
            let cells = [parts.low[0], parts.low[1], parts.high].map(|part| witness(&mut other, part));
            let from = other.rows();
            compare_split(&mut other, cells, borrow, zero);
            let mut forged = trace.clone();
            let end = forged.rows();
            overlay(&mut forged, end - (other.rows() - from), &other, from..other.rows());
            assert_eq!(refusals(&forged), ["split"], "{value} {borrow}");
        }
    }
}

#[test]
fn parts_out_of_their_ranges_are_refused() {
    let value = two(248) * 7_u8 + two(124) * 5_u8 + 3_u8;
    let honest = parts_of(&value);
    for sign in [Fr::ONE, -Fr::ONE] {
        let mut halves = honest;
        halves.low[0] += sign * power(124);
        halves.low[1] -= sign;
        let mut top = honest;
        top.low[1] += sign * power(124);
        top.high -= sign;
        for parts in [halves, top] {
            assert_eq!(parts.value(), to_field(&value));
            let refused = places(&split_trace(parts));
            assert!(refused.contains(&"split"), "{parts:?}");
        }
    }
    for high in [64, 65] {
        let refused = places(&split_trace(Parts { high: fr(high), ..honest }));
        assert!(refused.len() >= 2, "{refused:?}");
    }
}
