//! The native rollup: hashing, signatures, the tree, executing a batch, and making and checking a chunk's trace.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tenon_benches::{execution, key, state};
use tenon_circuits::halo2::leaf::{LeafCircuit, SizeClass, check_leaf};
use tenon_circuits::rollup::{Fr, Tree, poseidon};

fn hashing(c: &mut Criterion) {
    let mut group = c.benchmark_group("poseidon");
    for inputs in [2_u64, 4, 5] {
        let values: Vec<Fr> = (1..=inputs).map(Fr::from).collect();
        group.bench_function(format!("H_{inputs}"), |b| b.iter(|| poseidon::hash(black_box(&values))));
    }
    group.finish();
}

fn signatures(c: &mut Criterion) {
    let key = key(1);
    let message = Fr::from(42);
    let signature = key.sign(message);
    let public = key.public_key();
    c.bench_function("signature/sign", |b| b.iter(|| key.sign(black_box(message))));
    c.bench_function("signature/verify", |b| b.iter(|| public.verify(black_box(message), &signature)));
}

fn tree(c: &mut Criterion) {
    let leaves: Vec<Fr> = (1..=1024_u64).map(Fr::from).collect();
    let tree = Tree::from_leaves(&leaves);
    c.bench_function("tree/set", |b| {
        b.iter_batched(
            || tree.clone(),
            |mut tree| tree.set(black_box(500), Fr::from(9)),
            criterion::BatchSize::SmallInput,
        );
    });
    c.bench_function("tree/path", |b| b.iter(|| tree.path(black_box(500))));
}

fn batches(c: &mut Criterion) {
    let class = SizeClass::SMALL;
    let state = state(256).expect("the state is small");
    let mut group = c.benchmark_group("batch");
    group.sample_size(10);
    group.bench_function("execute 32 transfers", |b| b.iter(|| execution(&state, 32, 32)));
    let executed = execution(&state, class.slots as u32, class.slots).expect("a valid batch");
    let witness = &executed.chunks[0];
    group.bench_function("trace of a small chunk", |b| b.iter(|| LeafCircuit::new(class, witness)));
    group.bench_function("trace and checker of a small chunk", |b| b.iter(|| check_leaf(class, witness)));
    group.finish();
}

criterion_group!(benches, hashing, signatures, tree, batches);
criterion_main!(benches);
