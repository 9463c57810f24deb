//! Workers that reach their service over gRPC alone.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use common::*;
use tenon_proto::{client::Client, v1::JobState};
use tenon_prover::{
    engine::Engine,
    jobs::{ProofRecord, TaskKind},
    store::{ServiceKeys, TaskStore, files::FileKind},
    worker::{
        process::RunningWorker,
        remote::Remote,
        source::{Outcome, Source, SourceError},
    },
};

/// A service that leaves proving to others.
async fn service(on: Database) -> Fixture {
    Fixture::on(on, &[("workers", "0")]).await
}

async fn remote(fixture: &Fixture) -> Arc<Remote> {
    let connect = Client::to(format!("http://{}", fixture.service.grpc_addr));
    Arc::new(Remote::connect(connect).await.unwrap())
}

fn worker(fixture: &Fixture, engine: Arc<TestEngine>, source: Arc<Remote>) -> RunningWorker {
    let config = config(fixture.dir.path(), &[("workers", "2")]);
    RunningWorker::start(config, engine, source).unwrap()
}

fn keys(engine: &TestEngine) -> ServiceKeys {
    let circuits = engine.circuits();
    ServiceKeys { leaf: circuits.leaf.key_digest, aggregation: circuits.aggregation.key_digest }
}

on_each_database! {
    a_remote_worker_proves,
    what_a_worker_says_is_checked,
    a_lost_witness_is_made_again_for_a_remote_worker,
    a_stopping_worker_hands_back,
}

async fn a_remote_worker_proves(on: Database) {
    let mut fixture = service(on).await;
    let engine = TestEngine::new();
    engine.leaf_failures.store(1, Ordering::SeqCst);
    let worker = worker(&fixture, engine, remote(&fixture).await);
    let jobs = [fixture.submit(chunks("one", 0, 2)).await, fixture.submit(chunks("two", 4, 1)).await];
    for job in &jobs {
        assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
        let proof = fixture.proof_of(&job.id).await.unwrap().proof.unwrap();
        assert!(proof.batches.iter().any(|batch| batch.state_out == job.state_out));
    }
    worker.shutdown().await;
    fixture.service.shutdown().await;
}

async fn what_a_worker_says_is_checked(on: Database) {
    let mut fixture = service(on).await;
    let job = fixture.submit(nth(1)).await;
    let (source, engine) = (remote(&fixture).await, TestEngine::new());
    let both = [TaskKind::Leaf, TaskKind::Aggregate];
    let other = source.lease("other", &both, &keys(&TestEngine::with_keys(2))).await.unwrap_err();
    assert!(matches!(&other, SourceError::Refused(text) if text.contains("other leaf keys")), "{other}");
    assert_eq!(source.leasable(&both).await.unwrap(), 1);
    let assignment = source.lease("liar", &both, &keys(&engine)).await.unwrap().unwrap();
    let lease = assignment.lease.clone();
    assert!(source.lease("second", &both, &keys(&engine)).await.unwrap().is_none());

    // A proof that doesn't hold, one of another circuit's, and none at all.
    let record = |proof_digest| ProofRecord {
        input_digest: [1; 32],
        stage: TaskKind::Leaf,
        proof_digest,
        circuit: "leaf".to_owned(),
        key_digest: [1; 32],
        srs_digest: [1; 32],
        seconds: 1.0,
        peak_memory_bytes: 1,
        hardware: "test".to_owned(),
    };
    let witness = source.read(FileKind::Witness, &lease.witness.unwrap()).await.unwrap();
    let witness = serde_json::from_slice(&witness).unwrap();
    engine.wrong_leaves.store(1, Ordering::SeqCst);
    let wrong = serde_json::to_vec(&engine.prove_leaf(&witness).unwrap()).unwrap();
    for content in [wrong, b"{}".to_vec()] {
        let digest = source.write(FileKind::Proof, content).await.unwrap();
        let done = Outcome::Done { record: Box::new(record(digest)), reused: false };
        let refused = source.finish(&lease, &done).await.unwrap_err();
        assert!(matches!(refused, SourceError::Refused(_)), "{refused}");
    }
    let done = Outcome::Done { record: Box::new(record([7; 32])), reused: false };
    let refused = source.finish(&lease, &done).await.unwrap_err();
    assert!(matches!(refused, SourceError::FileLost(_)), "{refused}");
    assert_eq!(fixture.job(&job.id).await.state(), JobState::Proving);

    // The lease still is the worker's, until it is over.
    source.extend(&lease).await.unwrap();
    let store = open_store(fixture.dir.path()).await;
    store.hand_back(&lease, 0, "the test says so").await.unwrap();
    assert!(matches!(source.extend(&lease).await, Err(SourceError::LeaseLost { .. })));
    assert!(matches!(source.finish(&lease, &done).await, Err(SourceError::LeaseLost { .. })));
    let worker = worker(&fixture, TestEngine::new(), source);
    assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    worker.shutdown().await;
    fixture.service.shutdown().await;
}

async fn a_lost_witness_is_made_again_for_a_remote_worker(on: Database) {
    let mut fixture = service(on).await;
    let job = fixture.submit(nth(1)).await;
    for entry in std::fs::read_dir(fixture.dir.path().join("data/witnesses")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let worker = worker(&fixture, TestEngine::new(), remote(&fixture).await);
    assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    worker.shutdown().await;
    fixture.service.shutdown().await;
}

async fn a_stopping_worker_hands_back(on: Database) {
    let mut fixture = service(on).await;
    let engine = TestEngine::new();
    engine.leaf_gate.close();
    let hanging = worker(&fixture, Arc::clone(&engine), remote(&fixture).await);
    let job = fixture.submit(nth(1)).await;
    fixture.wait_for(&job.id, JobState::Proving).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    hanging.shutdown().await;
    let next = worker(&fixture, TestEngine::new(), remote(&fixture).await);
    let events = fixture.watch(&job.id, 0).await;
    assert!(events.iter().any(|event| event.message.contains("the worker stops")));
    assert_eq!(events.last().unwrap().state(), JobState::Ready);
    engine.leaf_gate.open();
    next.shutdown().await;
    fixture.service.shutdown().await;
}
