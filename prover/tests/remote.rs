//! Workers that reach their service over gRPC alone.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    fs,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use common::*;
use tempfile::TempDir;
use tenon_proto::{
    client::{Client, Connect},
    v1::{self, JobState},
};
use tenon_prover::{
    api_tokens::{Scope, TokenFile},
    engine::{Engine, LeafProof},
    jobs::{JobError, Lease, ProofRecord, TaskKind},
    store::{ServiceKeys, TaskStore, files::FileKind},
    worker::{
        process::RunningWorker,
        remote::Remote,
        source::{Lost, Outcome, Source, SourceError},
    },
};
use tokio::time::sleep;
use tonic::Code;

const BOTH: [TaskKind; 2] = [TaskKind::Leaf, TaskKind::Aggregate];

/// A service that leaves proving to others.
async fn service(on: Database) -> Fixture {
    Fixture::on(on, &[("workers", "0")]).await
}

fn address(fixture: &Fixture) -> Connect {
    Client::to(format!("http://{}", fixture.service.grpc_addr))
}

async fn remote(fixture: &Fixture) -> Arc<Remote> {
    Arc::new(Remote::connect(address(fixture)).await.unwrap())
}

fn worker(fixture: &Fixture, engine: Arc<TestEngine>, source: Arc<Remote>) -> RunningWorker {
    let config = config(fixture.dir.path(), &[("workers", "2")]);
    RunningWorker::start(config, engine, source).unwrap()
}

fn keys(engine: &TestEngine) -> ServiceKeys {
    let circuits = engine.circuits();
    ServiceKeys { leaf: circuits.leaf.key_digest, aggregation: circuits.aggregation.key_digest }
}

/// What a worker says of this proof.
fn done(proof: Option<Vec<u8>>) -> Outcome {
    let record = ProofRecord {
        input_digest: [1; 32],
        stage: TaskKind::Leaf,
        proof_digest: [2; 32],
        circuit: "another".to_owned(),
        key_digest: [3; 32],
        srs_digest: [4; 32],
        seconds: f64::MAX,
        peak_memory_bytes: 1,
        hardware: "h".repeat(10_000),
    };
    Outcome::Done { record: Box::new(record), proof }
}

async fn leaf_proof(source: &Remote, engine: &TestEngine, lease: &Lease) -> Vec<u8> {
    let witness = source.read(lease, FileKind::Witness, &lease.witness.unwrap()).await.unwrap();
    serde_json::to_vec(&engine.prove_leaf(&serde_json::from_slice(&witness).unwrap()).unwrap()).unwrap()
}

on_each_database! {
    a_remote_worker_proves,
    what_a_worker_says_is_checked,
    a_lease_is_its_callers,
    lost_files_are_made_again_for_a_remote_worker,
    files_that_are_there_are_not_made_again,
    a_proof_that_is_there_is_taken,
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
    let other = source.lease("other", &BOTH, &keys(&TestEngine::with_keys(2))).await.unwrap_err();
    assert!(matches!(&other, SourceError::Refused(text) if text.contains("other leaf keys")), "{other}");
    for name in ["", "a b", "ä", &"n".repeat(129)] {
        let refused = source.lease(name, &BOTH, &keys(&engine)).await.unwrap_err();
        assert!(matches!(refused, SourceError::Refused(_)), "{name}: {refused}");
    }
    assert_eq!(source.leasable(&BOTH).await.unwrap(), 1);
    let lease = source.lease("liar", &BOTH, &keys(&engine)).await.unwrap().unwrap().lease;
    assert!(source.lease("second", &BOTH, &keys(&engine)).await.unwrap().is_none());

    // A proof that doesn't hold, one of another chunk, none at all, a huge one, and one that nobody made before.
    engine.wrong_leaves.store(1, Ordering::SeqCst);
    let wrong = leaf_proof(&source, &engine, &lease).await;
    let right = leaf_proof(&source, &engine, &lease).await;
    let mut other: LeafProof = serde_json::from_slice(&right).unwrap();
    other.public_inputs.batch += other.public_inputs.batch;
    other.proof = seal("leaf", &other.public_inputs);
    engine.verify_leaf(&other).unwrap();
    let other = serde_json::to_vec(&other).unwrap();
    let mut huge = right.clone();
    huge.resize((1 << 20) + 1, b' ');
    for content in [wrong, other, b"{}".to_vec(), huge] {
        let refused = source.finish(&lease, &done(Some(content))).await.unwrap_err();
        assert!(matches!(refused, SourceError::Refused(_)), "{refused}");
    }
    let refused = source.finish(&lease, &done(None)).await.unwrap_err();
    assert!(matches!(refused, SourceError::FileLost(_)), "{refused}");
    let stored = fs::read_dir(fixture.dir.path().join("data/proofs")).unwrap().count();
    assert_eq!(stored, 0, "a refused proof is stored");
    let odd = JobError { reason: "not a code".to_owned(), message: String::new() };
    let refused = source.finish(&lease, &Outcome::Failed(odd)).await.unwrap_err();
    assert!(matches!(refused, SourceError::Refused(_)), "{refused}");
    let refused = source.read(&lease, FileKind::Proof, &[7; 32]).await.unwrap_err();
    assert!(matches!(&refused, SourceError::Refused(text) if text.contains("the task takes")), "{refused}");
    assert_eq!(fixture.job(&job.id).await.state(), JobState::Proving);

    // The lease still is the worker's, until it is over.
    source.extend(&lease).await.unwrap();
    let store = open_store(fixture.dir.path()).await;
    store.hand_back(&lease, 0, "the test says so").await.unwrap();
    let over = |refused: Result<_, SourceError>| {
        assert!(matches!(refused, Err(SourceError::LeaseLost { .. })));
    };
    over(source.extend(&lease).await);
    over(source.finish(&lease, &done(Some(right.clone()))).await.map(|_| ()));
    over(source.read(&lease, FileKind::Witness, &lease.witness.unwrap()).await.map(|_| ()));
    over(source.result(&lease, &[1; 32]).await.map(|_| ()));

    // Of a proof that holds, the service writes down itself what it is.
    let lease = source.lease("honest", &BOTH, &keys(&engine)).await.unwrap().unwrap().lease;
    source.finish(&lease, &done(Some(right))).await.unwrap();
    over(source.extend(&lease).await);
    let worker = worker(&fixture, TestEngine::new(), source);
    assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    let stages = fixture.proof_of(&job.id).await.unwrap().receipt.unwrap().stages;
    let leaf = &stages[0];
    assert_eq!((leaf.circuit.as_str(), leaf.attempts), ("leaf", 2));
    assert!(leaf.seconds <= 86_400.0 && leaf.hardware.len() == 4096, "{leaf:?}");
    worker.shutdown().await;
    fixture.service.shutdown().await;
}

/// A service that asks for tokens, and its directory.
async fn guarded(on: Database) -> (Fixture, Vec<String>) {
    let dir: TempDir = on.directory();
    let file = TokenFile::new(dir.path().join("tokens.toml"));
    let tokens = [("one", Scope::Worker), ("two", Scope::Worker), ("client", Scope::Submit)]
        .map(|(name, scope)| file.add(name, &[scope], None).unwrap());
    let path = file.path().display().to_string();
    let fixture =
        Fixture::start_in(dir, TestEngine::new(), &[("workers", "0"), ("tokens_file", &path)]).await;
    (fixture, tokens.into_iter().collect())
}

async fn a_lease_is_its_callers(on: Database) {
    let (fixture, tokens) = guarded(on).await;
    let mut client = address(&fixture).token(&tokens[2]).connect_raw().await.unwrap();
    client.submit_batch(nth(1)).await.unwrap();
    let engine = TestEngine::new();
    let as_of = |token: &str| Remote::connect(address(&fixture).token(token));
    let (one, two) = (as_of(&tokens[0]).await.unwrap(), as_of(&tokens[1]).await.unwrap());
    let submitter = as_of(&tokens[2]).await.unwrap();
    assert!(matches!(submitter.lease("w", &BOTH, &keys(&engine)).await, Err(SourceError::Refused(_))));
    let lease = one.lease("w", &BOTH, &keys(&engine)).await.unwrap().unwrap().lease;
    let proof = leaf_proof(&one, &engine, &lease).await;
    let back = Outcome::HandedBack { note: "mine".to_owned(), lost: Lost::Witness };
    let failed = Outcome::Failed(JobError { reason: "MINE".to_owned(), message: String::new() });
    for outcome in [done(Some(proof.clone())), back, failed] {
        assert!(matches!(two.finish(&lease, &outcome).await, Err(SourceError::LeaseLost { .. })));
    }
    assert!(matches!(two.extend(&lease).await, Err(SourceError::LeaseLost { .. })));
    let read = two.read(&lease, FileKind::Witness, &lease.witness.unwrap()).await;
    assert!(matches!(read, Err(SourceError::LeaseLost { .. })));
    one.finish(&lease, &done(Some(proof))).await.unwrap();

    // A worker's token does nothing else.
    let mut worker = address(&fixture).token(&tokens[0]).connect_raw().await.unwrap();
    let refused = worker.submit_batch(nth(2)).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "SCOPE_MISSING"));
    fixture.service.shutdown().await;
}

async fn lost_files_are_made_again_for_a_remote_worker(on: Database) {
    let mut fixture = service(on).await;
    let job = fixture.submit(nth(1)).await;
    for entry in fs::read_dir(fixture.dir.path().join("data/witnesses")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let engine = TestEngine::new();
    engine.aggregate_gate.close();
    let hanging = worker(&fixture, Arc::clone(&engine), remote(&fixture).await);
    fixture.wait_for(&job.id, JobState::Aggregating).await;
    let proofs = fixture.dir.path().join("data/proofs");
    for entry in fs::read_dir(proofs).unwrap() {
        fs::write(entry.unwrap().path(), "{}").unwrap();
    }
    hanging.shutdown().await;
    let next = worker(&fixture, TestEngine::new(), remote(&fixture).await);
    assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    engine.aggregate_gate.open();
    next.shutdown().await;
    fixture.service.shutdown().await;
}

async fn files_that_are_there_are_not_made_again(on: Database) {
    let mut fixture = service(on).await;
    fixture.submit(nth(1)).await;
    let (source, engine) = (remote(&fixture).await, TestEngine::new());
    let lease = source.lease("liar", &BOTH, &keys(&engine)).await.unwrap().unwrap().lease;
    let back = Outcome::HandedBack { note: "gone".to_owned(), lost: Lost::Witness };
    source.finish(&lease, &back).await.unwrap();
    let store = open_store(fixture.dir.path()).await;
    assert_eq!(store.lost_witnesses().await.unwrap(), []);
    assert_eq!(store.task_counts().await.unwrap().pending, 1);
    fixture.service.shutdown().await;
}

async fn a_proof_that_is_there_is_taken(on: Database) {
    let mut fixture = service(on).await;
    let job = fixture.submit(nth(1)).await;
    let (source, engine) = (remote(&fixture).await, TestEngine::new());
    let lease = source.lease("first", &BOTH, &keys(&engine)).await.unwrap().unwrap().lease;
    let proof = leaf_proof(&source, &engine, &lease).await;
    source.finish(&lease, &done(Some(proof))).await.unwrap();
    let cancel = v1::CancelJobRequest { job_id: job.id, cascade: false };
    fixture.client.cancel_job(cancel).await.unwrap();
    let again = v1::SubmitBatchRequest {
        idempotency_key: "again".to_owned(),
        timestamp: Some(job.timestamp),
        ..nth(1)
    };
    let job = fixture.submit(again).await;
    let engine = TestEngine::new();
    let worker = worker(&fixture, Arc::clone(&engine), source);
    assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    assert_eq!(engine.leaves_made.load(Ordering::SeqCst), 0);
    assert!(fixture.proof_of(&job.id).await.unwrap().receipt.unwrap().stages[0].reused);
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
    sleep(Duration::from_millis(200)).await;
    hanging.shutdown().await;
    let next = worker(&fixture, TestEngine::new(), remote(&fixture).await);
    let events = fixture.watch(&job.id, 0).await;
    assert!(events.iter().any(|event| event.message.contains("the worker stops")));
    assert_eq!(events.last().unwrap().state(), JobState::Ready);
    engine.leaf_gate.open();
    next.shutdown().await;
    fixture.service.shutdown().await;
}
