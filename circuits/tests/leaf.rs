//! The leaf circuit on honest witnesses: the checker accepts, the trace's shape depends on the class alone, and
//! the costs are those committed.

mod native_support;

use native_support::{batch, genesis, sign, test_domain, transfer};
use tenon_circuits::halo2::checker::Checker;
use tenon_circuits::halo2::leaf::values::ChunkValues;
use tenon_circuits::halo2::leaf::{LeafCircuit, SizeClass, chunk};
use tenon_circuits::halo2::to_circuit;
use tenon_circuits::rollup::execute;
use tenon_circuits::witness::ChunkWitness;

fn public_inputs(witness: &ChunkWitness) -> Vec<halo2_proofs::halo2curves::bn256::Fr> {
    witness.public_inputs().to_array().into_iter().map(to_circuit).collect()
}

#[test]
fn honest_chunks_satisfy_the_circuit() {
    let state = genesis();
    let first = sign(&state, transfer(0, 1, 7, 0, 5, 1));
    let mut state2 = state.clone();
    let _ = &mut state2;
    let second = sign(&state, transfer(0, 0, 7, 1, 7, 0));
    let execution = execute(&state, test_domain(), &batch(vec![first, second]), 4).unwrap();
    let witness = &execution.chunks[0];
    let checker = Checker::new();
    let circuit = LeafCircuit::new(SizeClass::SMALL, witness);
    let violations = checker.check(circuit.trace(), SizeClass::SMALL.k, &public_inputs(witness), 10);
    println!("rows {} assigned {}", circuit.trace().rows(), circuit.trace().assigned_cells());
    for v in &violations {
        println!("{v}");
    }
    assert!(violations.is_empty());
    let empty = LeafCircuit::keygen(SizeClass::SMALL);
    assert!(empty.trace().same_shape(circuit.trace()));
    let _ = ChunkValues::new(witness, 4);
    for n in [4, 6] {
        let class = SizeClass { transactions: n, ..SizeClass::SMALL };
        let t = chunk::trace(class, &ChunkValues::new(witness, n));
        println!("{n}: rows {} cells {}", t.rows(), t.assigned_cells());
    }
}
