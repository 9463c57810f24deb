//! The final circuit's constraint system with few rows: every gate and lookup is used, and any values are public.

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1Affine},
    group::Curve,
};
use tenon_circuits::{
    gadgets::{
        arithmetic::{Operand, free, linear},
        curve::{assign_point, msm},
        poseidon, range,
    },
    halo2::{circuit::RecursionCircuit, trace::Trace},
};

/// Rows for one sum of two multiples, whatever the fold.
pub const K: u32 = 17;

/// Exposes `values`.
pub fn circuit(values: &[Fr]) -> RecursionCircuit {
    let mut trace = Trace::new();
    trace.label("values");
    let exposed: Vec<_> = values.iter().map(|value| free(&mut trace, *value)).collect();
    let zero = linear(&mut trace, &[], Fr::zero());
    let small = free(&mut trace, Fr::from(1234));
    range::check(&mut trace, small, 20, zero);
    let hash = poseidon::hash::<3>(&mut trace, &[Operand::New(Fr::from(3)), Operand::New(Fr::from(4))], zero);
    let point = assign_point(&mut trace, &(G1Affine::generator() * Fr::from(5)).to_affine());
    let constant = (G1Affine::generator() * Fr::from(7)).to_affine();
    let sum = msm(&mut trace, &[(hash.output, point.clone())], &[(small, constant)], &[point]);
    sum.limbs(&mut trace, zero);
    for (index, value) in exposed.into_iter().enumerate() {
        trace.publish(value, index);
    }
    RecursionCircuit::new(trace)
}
