//! Headers, commitment and evaluations: what a chunk shows of its published words is about these words.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod gadget_support;
mod native_support;
mod stream_support;

use std::collections::BTreeSet;

use gadget_support::{claims, fr, overlay, rows_of, start, witness};
use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::halo2curves::ff::Field;
use num_bigint::BigUint;
use stream_support::{
    CLASS, POINTS, every_stream, forge_linked, public_inputs, refused, refused_as, set, to_field, to_integer,
    trace, two_opens, values,
};
use tenon_circuits::gadgets::da_field::{Claim, from_limbs, point, step_claiming, to_limbs};
use tenon_circuits::halo2::leaf::access::power;
use tenon_circuits::halo2::leaf::chunk::{self, trace_publishing};
use tenon_circuits::halo2::leaf::streams::Content;
use tenon_circuits::halo2::leaf::values::ChunkValues;
use tenon_circuits::halo2::to_circuit;
use tenon_circuits::halo2::trace::{Gate, Trace};
use tenon_circuits::rollup::evaluation::{DaScalar, Evaluations, to_da};
use tenon_circuits::rollup::{self, pubdata};
use tenon_circuits::witness::ChunkWitness;

/// What is refused of a chunk with other values by a prover that claims what the chunk says.
fn refused_with(
    chunk: &ChunkWitness,
    change: &dyn Fn(&mut ChunkValues),
) -> std::collections::BTreeSet<String> {
    let mut values = values(chunk);
    change(&mut values);
    refused_as(&chunk::trace(CLASS, &values), &public_inputs(chunk))
}

#[test]
fn headers_say_what_the_slots_and_the_public_inputs_say() {
    let chunk = every_stream();
    let with = |change: &dyn Fn(&mut ChunkValues)| refused_with(&chunk, change);
    assert_eq!(with(&|_| {}), set(&[]));
    let header = ["public input 1", "public input 10", "public input 5", "public input 9"];
    assert_eq!(with(&|values| values.number += Fr::ONE), set(&header));
    assert_eq!(with(&|values| values.timestamp -= Fr::ONE), set(&header));
    // Number and timestamp that make up the same public input.
    let mixed = with(&|values| {
        values.number += power(64);
        values.timestamp -= Fr::ONE;
    });
    let mixed_only: BTreeSet<_> = mixed.difference(&set(&header)).cloned().collect();
    assert_eq!(mixed_only, set(&["chunk: batch number"]));

    let honest = trace(&chunk);
    let batch_header = "published: batch header, in the first chunk";
    let chunk_header = "published: chunk header";
    // Outputs of the equations that make the headers, one at a time: words, flag, counts.
    let mut forged = 0;
    for label in [batch_header, chunk_header] {
        for row in rows_of(&honest, label) {
            if honest.gate(row) != Gate::Arithmetic || honest.constant(row, 0) != -Fr::ONE {
                continue;
            }
            let mut trace = honest.clone();
            forge_linked(&mut trace, row, 0, |value| value + Fr::ONE);
            assert!(refused(&trace).contains(label), "{label}, row {row}");
            forged += 1;
        }
    }
    assert!(forged >= 10);
    // A fee account that the chunk's end doesn't credit.
    let mut trace = honest.clone();
    let declared = rows_of(&honest, "fee accounts: distinct tokens");
    let named = *declared.iter().find(|row| honest.value(**row, 0) == fr(3)).unwrap();
    forge_linked(&mut trace, named, 0, |_| fr(2));
    assert!(refused(&trace).contains("fee account: index in the header"));
}

#[test]
fn the_batchs_header_stands_in_its_first_chunk() {
    let first = every_stream();
    let later = ChunkWitness { commit_in: rollup::Fr::from(1u64), ..first.clone() };
    let label = "published: batch header, in the first chunk";
    for chunk in [first, later] {
        let mut trace = trace(&chunk);
        let row = rows_of(&trace, label)[0];
        forge_linked(&mut trace, row, 0, |flag| Fr::ONE - flag);
        // Whatever the inverse.
        for inverse in [Fr::ZERO, Fr::ONE, fr(7)] {
            trace.forge(row, 5, inverse);
            assert!(refused(&trace).contains(label));
        }
    }
}

#[test]
fn points_and_evaluations_are_the_public_ones() {
    let chunk = every_stream();
    let honest = public_inputs(&chunk);
    let with = |change: &dyn Fn(&mut ChunkValues)| refused_with(&chunk, change);
    let of_da = |input: &str| set(&[input, "public input 10", "public input 9"]);
    assert_eq!(with(&|values| values.z_d += Fr::ONE), of_da("public input 6"));
    assert_eq!(with(&|values| values.y_d_in[0] += Fr::ONE), of_da("public input 7"));
    assert_eq!(with(&|values| values.y_d_in[1] += Fr::ONE), of_da("public input 8"));
    assert_eq!(with(&|values| values.z_l += Fr::ONE), set(&["public input 11", "public input 13"]));
    assert_eq!(with(&|values| values.y_l_in += Fr::ONE), set(&["public input 12", "public input 13"]));
    for index in 0..honest.len() {
        let mut claims = honest.clone();
        claims[index] += Fr::ONE;
        let expected = format!("public input {index}");
        assert_eq!(refused_as(&trace(&chunk), &claims), set(&[&expected]));
    }
    // The streams' numbers swapped in the commitment.
    let da_words = chunk.da_words().into_iter().map(|word| (pubdata::L1_STREAM, word));
    let l1_words = chunk.l1_words().into_iter().map(|word| (pubdata::DA_STREAM, word));
    let absorb = |commit, (stream, word)| pubdata::absorb(commit, stream, word);
    let mut claims = honest.clone();
    claims[5] = to_circuit(da_words.chain(l1_words).fold(chunk.commit_in, absorb));
    assert_eq!(refused_as(&trace(&chunk), &claims), set(&["public input 5"]));
}

/// Rows of these labels, and everything after them, as another chunk of the same words has them.
fn with_rows_of(honest: &Trace, other: &Trace, label: &str) -> Trace {
    let mut trace = honest.clone();
    let first = rows_of(honest, label)[0];
    overlay(&mut trace, first, other, first..honest.rows());
    trace
}

/// Another content of the places, and what is about it.
type Change<'a> = (&'static str, &'a dyn Fn(&mut Content));

#[test]
fn evaluations_start_and_run_where_the_header_says() {
    let chunk = every_stream();
    let honest = trace(&chunk);
    let with = |change: &dyn Fn(&mut ChunkValues)| {
        let mut values = values(&chunk);
        change(&mut values);
        chunk::trace(CLASS, &values)
    };
    let (da, l1) = ("DA words: evaluated", "L1 words: evaluated");
    let cases = [
        (da, with(&|values| values.z_d += Fr::ONE)),
        (da, with(&|values| values.y_d_in[0] += Fr::ONE)),
        (da, with(&|values| values.y_d_in[1] += Fr::ONE)),
        (l1, with(&|values| values.z_l += Fr::ONE)),
        (l1, with(&|values| values.y_l_in += Fr::ONE)),
    ];
    for (label, other) in cases {
        assert_eq!(refused(&with_rows_of(&honest, &other, label)), set(&[label]));
    }
    // Words that are absorbed and not evaluated, or otherwise.
    let publishing = |change: &dyn Fn(&mut Content)| trace_publishing(CLASS, &values(&chunk), |c| change(c));
    let changes: [Change; 5] = [
        (da, &|content| content.records.clear()),
        (da, &|content| content.records[0].1 += Fr::ONE),
        (da, &|content| content.opens[0].1.y.low[0] += Fr::ONE),
        (l1, &|content| content.l1_words.truncate(8)),
        (l1, &|content| content.l1_words[0].1 += Fr::ONE),
    ];
    for (label, change) in changes {
        let other = publishing(change);
        let mut trace = with_rows_of(&honest, &other, label);
        let after = honest.rows() - rows_of(&honest, l1).len();
        if label == da {
            overlay(&mut trace, after, &honest, after..honest.rows());
        }
        assert_eq!(refused(&trace), set(&[label]));
    }
}

/// No word is skipped by the commitment: its cells can't stay as they were before one.
#[test]
fn every_word_is_absorbed() {
    let chunk = every_stream();
    let honest = trace(&chunk);
    for (label, words) in
        [("DA words: absorbed", 2 + 3 * CLASS.opens), ("L1 words: absorbed", CLASS.l1_words)]
    {
        // The selection between the commitments after and before a word: `flag · difference + before`.
        let selections: Vec<usize> = rows_of(&honest, label)
            .into_iter()
            .filter(|row| honest.gate(*row) == Gate::Arithmetic && honest.constant(*row, 6) == Fr::ONE)
            .collect();
        assert_eq!(selections.len(), words);
        for row in selections {
            let (after, before) = (honest.value(row, 0), honest.value(row, 1));
            if after == before {
                continue;
            }
            let mut trace = honest.clone();
            forge_linked(&mut trace, row, 0, |_| before);
            assert!(refused(&trace).contains(label));
        }
    }
}

/// The last step again with p more in its result, and one less in its quotient.
#[test]
fn an_evaluation_that_is_not_reduced_is_refused() {
    let chunk = two_opens();
    let order = BigUint::from(<DaScalar as ark_ff::PrimeField>::MODULUS);
    let words = chunk.da_words();
    let mut trace = trace(&chunk);
    assert_eq!(refused(&trace), set(&[]));
    // Places without word come last: what they do is reduce y once more.
    let evaluated = Evaluations::default().absorb(&POINTS, &words, &[]);
    let y = BigUint::from(evaluated.y_d);
    let (mut other, zero, _) = start();
    let z = point(&mut other, to_circuit(POINTS.z_d.into()), zero);
    // As if the step before had not reduced it, either.
    let not_reduced = &y + &order;
    let limbs =
        [&not_reduced & BigUint::from(u128::MAX), &not_reduced >> 128_u32].map(|limb| to_field(&limb));
    let (before, _) = from_limbs(&mut other, limbs, zero);
    let (inactive, word) = (witness(&mut other, Fr::ZERO), witness(&mut other, Fr::ZERO));
    let claim = Claim::new(&not_reduced, &BigUint::default());
    let from = other.rows();
    step_claiming(&mut other, &before, &z, (inactive, word), claim, zero);
    let length = other.rows() - from;
    // Every place after the last word keeps the larger number.
    let rows = rows_of(&trace, "DA words: evaluated");
    let steps = rows.len() / length;
    assert_eq!(rows.len(), steps * length);
    let unused = steps - words.len();
    assert!(unused >= 1);
    let first = rows[rows.len() - unused * length];
    for step in 0..unused {
        overlay(&mut trace, first + step * length, &other, from..from + length);
    }
    let last_word = words.last().unwrap();
    let so_far = Evaluations::default().absorb(&POINTS, &words[..words.len() - 1], &[]).y_d;
    assert_eq!(so_far * DaScalar::from(POINTS.z_d) + to_da(last_word), evaluated.y_d);
    // The last word's step gives it.
    let sum = BigUint::from(so_far) * POINTS.z_d + to_integer(to_circuit(*last_word));
    let claim = Claim::new(&not_reduced, &((sum - &not_reduced) / &order));
    let (mut other, zero, one) = start();
    let z = point(&mut other, to_circuit(POINTS.z_d.into()), zero);
    let limbs = rollup::evaluation::da_limbs(&so_far).map(to_circuit);
    let (before, _) = from_limbs(&mut other, limbs, zero);
    let word = witness(&mut other, to_circuit(*last_word));
    let from = other.rows();
    let element_after = step_claiming(&mut other, &before, &z, (one, word), claim, zero);
    let to = other.rows();
    overlay(&mut trace, first - length, &other, from..to);
    let label = "chunk: evaluation of the DA stream after";
    let from = other.rows();
    to_limbs(&mut other, &element_after, zero);
    let to = other.rows();
    let shown_rows = rows_of(&trace, label);
    let end = shown_rows.len().min(to - from);
    overlay(&mut trace, shown_rows[0], &other, from..from + end);
    assert_eq!(refused(&trace), set(&[label]));
    let shown = claims(&trace);
    assert_eq!(to_integer(shown[9]) + (to_integer(shown[10]) << 128_u32), not_reduced);
}
