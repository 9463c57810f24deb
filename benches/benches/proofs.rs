//! Proofs: a leaf of the small class, and, with `TENON_BENCH_AGGREGATE=1`, the aggregation of two (minutes a
//! sample). Keys are cached in `TENON_KEYS_DIR`, by default `.tenon/keys`.

use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tenon_benches::{execution, state};
use tenon_circuits::KeySet;
use tenon_circuits::aggregation::{DEFAULT_LEAVES, prove_aggregate, verify_aggregate};
use tenon_circuits::halo2::KeyStore;
use tenon_circuits::halo2::leaf::{LeafKeys, SizeClass, prove_leaf, verify_leaf};

fn store() -> KeyStore {
    let directory =
        std::env::var_os("TENON_KEYS_DIR").map_or_else(|| PathBuf::from(".tenon/keys"), PathBuf::from);
    KeyStore::open(&directory).expect("a directory for keys")
}

fn leaf(c: &mut Criterion) {
    let class = SizeClass::SMALL;
    let keys = LeafKeys::load_or_create(&store(), class).expect("leaf keys");
    let state = state(64).expect("the state is small");
    let executed = execution(&state, class.slots as u32, class.slots).expect("a valid batch");
    let proof = prove_leaf(&keys, &executed.chunks[0]).expect("a proof");
    let mut group = c.benchmark_group("leaf (small)");
    group.sample_size(10).measurement_time(Duration::from_secs(60));
    group.bench_function("prove", |b| b.iter(|| prove_leaf(&keys, &executed.chunks[0])));
    group.bench_function("verify", |b| b.iter(|| verify_leaf(&keys, &proof)));
    group.finish();
}

fn aggregate(c: &mut Criterion) {
    if std::env::var_os("TENON_BENCH_AGGREGATE").is_none() {
        println!("aggregate: skipped, set TENON_BENCH_AGGREGATE=1");
        return;
    }
    let class = SizeClass::SMALL;
    let keys = KeySet::load_or_create(&store(), class, DEFAULT_LEAVES).expect("keys");
    let state = state(64).expect("the state is small");
    let executed = execution(&state, 2 * class.slots as u32, class.slots).expect("a valid batch");
    let leaves: Vec<_> =
        executed.chunks.iter().map(|chunk| prove_leaf(&keys.leaf, chunk).expect("a proof")).collect();
    let proof = prove_aggregate(&keys.aggregation, &leaves).expect("an aggregate");
    let mut group = c.benchmark_group("aggregate (2 small leaves)");
    group.sample_size(10).measurement_time(Duration::from_secs(1800));
    group.bench_function("prove", |b| b.iter(|| prove_aggregate(&keys.aggregation, &leaves)));
    group.bench_function("verify", |b| b.iter(|| verify_aggregate(keys.aggregation.verifier(), &proof)));
    group.finish();
}

criterion_group!(benches, leaf, aggregate);
criterion_main!(benches);
