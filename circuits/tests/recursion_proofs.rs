//! Sums of multiples through the real prover: it proves what the checker accepts and nothing that it refuses.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod recursion_support;

use std::time::Instant;

use halo2_proofs::halo2curves::bn256::{Bn256, Fr, G1Affine};
use halo2_proofs::halo2curves::ff::Field;
use halo2_proofs::plonk::{ProvingKey, create_proof, keygen_pk, keygen_vk, verify_proof};
use halo2_proofs::poly::kzg::commitment::{KZGCommitmentScheme, ParamsKZG};
use halo2_proofs::poly::kzg::multiopen::{ProverSHPLONK, VerifierSHPLONK};
use halo2_proofs::poly::kzg::strategy::SingleStrategy;
use halo2_proofs::transcript::{
    Blake2bRead, Blake2bWrite, Challenge255, TranscriptReadBuffer, TranscriptWriterBuffer,
};
use recursion_support::{ROWS, Terms, checker, kinds, random, random_point};
use tenon_circuits::gadgets::curve::Claims;
use tenon_circuits::halo2::circuit::RecursionCircuit;
use tenon_circuits::halo2::srs::Srs;
use tenon_circuits::halo2::trace::{CHUNK_BITS, CHUNK_COLUMNS, Trace};

type Params = ParamsKZG<Bn256>;

/// A sum of a multiple of a point, one of a constant, and a point, by a prover with these claims; its coordinates
/// modulo r are public.
fn trace(claims: &Claims) -> (Trace, Vec<Fr>) {
    let mut random = random(5);
    let mut term = || (Fr::random(&mut random), random_point(&mut random));
    let terms = Terms { variable: vec![term()], fixed: vec![term()], units: vec![term().1] };
    let (mut trace, sum, _) = terms.trace_claiming(claims);
    let public = [sum.native_x(), sum.native_y()];
    for (index, var) in public.into_iter().enumerate() {
        trace.publish(var, index);
    }
    (trace, public.map(|var| var.value).to_vec())
}

/// Whether a proof of the trace can be made and verifies.
fn proves(params: &Params, key: &ProvingKey<G1Affine>, trace: &Trace, public: &[Fr]) -> bool {
    let circuit = RecursionCircuit::new(trace.clone());
    let mut writer = Blake2bWrite::<_, G1Affine, Challenge255<_>>::init(Vec::new());
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, _>, _, _, _, _>(
            params,
            key,
            &[circuit],
            &[&[public]],
            random(6),
            &mut writer,
        )
    }));
    let Ok(Ok(())) = made else { return false };
    let proof = writer.finalize();
    let mut reader = Blake2bRead::<_, G1Affine, Challenge255<_>>::init(proof.as_slice());
    verify_proof::<KZGCommitmentScheme<Bn256>, VerifierSHPLONK<'_, Bn256>, _, _, _>(
        params,
        key.get_vk(),
        SingleStrategy::new(params),
        &[&[public]],
        &mut reader,
    )
    .is_ok()
}

#[test]
#[ignore = "makes four proofs of 2^16 rows"]
fn the_prover_agrees_with_the_checker() {
    let (honest, public) = trace(&Claims::default());
    let directory = tempfile::tempdir().unwrap();
    let srs = Srs::load_or_create(directory.path(), ROWS).unwrap();
    let circuit = RecursionCircuit::new(honest.clone());
    let vk = keygen_vk(srs.params(), &circuit).unwrap();
    let key = keygen_pk(srs.params(), vk, &circuit).unwrap();
    let accepts = |trace: &Trace, public: &[Fr]| {
        let start = Instant::now();
        let checked = checker().check(trace, ROWS, public, 1).is_empty();
        assert_eq!(proves(srs.params(), &key, trace, public), checked);
        println!("{} rows: {checked}, {:.1} s", trace.rows(), start.elapsed().as_secs_f64());
        checked
    };
    assert!(accepts(&honest, &public));
    // A chunk that isn't one, where no gate reads it.
    let mut forged = honest.clone();
    forged.set_chunk(0, 0, 1 << CHUNK_BITS);
    assert!(!accepts(&forged, &public));

    // Another point than the digit says, and a sum to match; digits of another scalar.
    let addends = [((0, 7), G1Affine::generator())].into();
    let (forged, public) = trace(&Claims { addends, ..Claims::default() });
    let found = kinds(&checker().check(&forged, ROWS, &public, usize::MAX));
    assert_eq!(found, ["curve: multiples added: multiple".to_owned()].into());
    assert!(!accepts(&forged, &public));
    let scalars = [(1, Fr::from(3))].into();
    let (forged, public) = trace(&Claims { scalars, ..Claims::default() });
    let found = kinds(&checker().check(&forged, ROWS, &public, usize::MAX));
    assert_eq!(found, ["curve: multiples added: copy".to_owned()].into());
    assert!(!accepts(&forged, &public));
}

/// Seconds for the sum that two leaf proofs take, in as few rows as hold it.
#[test]
#[ignore = "a measurement, not a check: proves a sum of 67 multiples"]
fn a_sum_of_the_size_of_two_leaf_proofs() {
    let mut random = random(7);
    let mut term = || (Fr::random(&mut random), random_point(&mut random));
    let variable = (0..40).map(|_| term()).collect();
    let fixed = (0..27).map(|_| term()).collect();
    let started = Instant::now();
    let (trace, ..) = Terms { variable, fixed, units: Vec::new() }.trace();
    let laid_out = started.elapsed();
    let k = (16..20).find(|k| trace.rows() < checker().usable_rows(*k)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let srs = Srs::load_or_create(directory.path(), k).unwrap();
    let circuit = RecursionCircuit::new(trace.clone());
    let vk = keygen_vk(srs.params(), &circuit).unwrap();
    let key = keygen_pk(srs.params(), vk, &circuit).unwrap();
    let started = Instant::now();
    assert!(proves(srs.params(), &key, &trace, &[]));
    let proven = started.elapsed();
    println!(
        "{} rows, {} cells, k = {k}, {CHUNK_COLUMNS} chunk columns: laid out in {:.1} s, proven in {:.1} s",
        trace.rows(),
        trace.assigned_cells(),
        laid_out.as_secs_f64(),
        proven.as_secs_f64()
    );
}
