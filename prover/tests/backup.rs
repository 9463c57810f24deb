//! The runbook's backup and restore, and a data directory that belongs to another version.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{fs, process::Command, sync::atomic::Ordering};

use common::*;
use serde_json::Value;
use tenon_proto::v1::{self, JobState};
use tenon_prover::{
    Service,
    backup::{Backup, BackupError, backup},
    engine::{Circuits, Engine},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_goes_on_from_a_backup_that_was_made_while_it_ran() {
    let mut fixture = Fixture::start(&[]).await;
    let proven = fixture.submit(nth(1)).await;
    fixture.finish(&proven.id).await;
    let place = tempfile::tempdir().unwrap();
    let (data, target) = (fixture.dir.path().join("data"), place.path().join("data"));
    let first = backup(&data, &target).await.unwrap();
    assert_eq!((first.batches, first.kept), (1, 0));
    assert!(first.copied > 0, "the archive has the first batch's data");

    // Later, with a batch in work; by the command.
    fixture.engine.leaf_gate.close();
    let waiting = fixture.submit(nth(2)).await;
    fixture.wait_for(&waiting.id, JobState::Proving).await;
    let output = Command::new(env!("CARGO_BIN_EXE_tenon"))
        .args(["backup", "--json", "--data-dir"])
        .args([&data, &target])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((told["batches"].as_u64(), told["kept"].as_u64()), (Some(2), Some(first.copied)));
    let state = fixture.status().await.state;
    let account = fixture.account(0).await;

    // The machine is gone; the genesis file is part of the settings.
    fs::copy(fixture.dir.path().join("genesis.json"), place.path().join("genesis.json")).unwrap();
    fixture.engine.leaf_gate.open();
    fixture.service.shutdown().await;
    drop(fixture.dir);
    let engine = TestEngine::new();
    let mut restored = Fixture::start_in(place, engine.clone(), &[]).await;
    assert_eq!(restored.status().await.state, state);
    assert_eq!(restored.account(0).await, account);
    assert_eq!(restored.finish(&waiting.id).await, JobState::Ready);
    // A proof that isn't in the backup is made again when it is asked for.
    let made = engine.leaves_made.load(Ordering::SeqCst);
    let asked = restored.proof_of(&proven.id).await.unwrap_err();
    assert_eq!(reason(&asked), "PROOF_LOST");
    let proof = async {
        loop {
            match restored.proof_of(&proven.id).await {
                Ok(reply) => return reply.proof.unwrap(),
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    };
    let proof = tokio::time::timeout(std::time::Duration::from_secs(20), proof).await.unwrap();
    let request = v1::VerifyProofRequest { proof: Some(proof) };
    assert!(restored.client.verify_proof(request).await.unwrap().into_inner().valid);
    assert!(engine.leaves_made.load(Ordering::SeqCst) > made);
    let job = restored.submit(nth(3)).await;
    assert_eq!((job.batch_number, restored.finish(&job.id).await), (3, JobState::Ready));
    restored.service.shutdown().await;
}

/// As the runbook says: the database by its own tools, the archive beside it.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_goes_on_from_a_dump_of_its_database() {
    let cluster = postgres::Cluster::start();
    let dir = tempfile::tempdir().unwrap();
    let url = cluster.new_database();
    fs::write(dir.path().join(DATABASE_URL), &url).unwrap();
    let mut fixture = Fixture::start_in(dir, TestEngine::new(), &[]).await;
    let proven = fixture.submit(nth(1)).await;
    fixture.finish(&proven.id).await;
    fixture.engine.leaf_gate.close();
    let waiting = fixture.submit(nth(2)).await;
    fixture.wait_for(&waiting.id, JobState::Proving).await;
    let dump = cluster.dump(&url);
    let place = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .arg("-r")
        .arg(fixture.dir.path().join("data/archive"))
        .arg(place.path().join("archive"))
        .status()
        .unwrap();
    assert!(copied.success());
    let state = fixture.status().await.state;
    // Accepted after the dump, and so lost with the machine.
    fixture.submit(nth(3)).await;
    fixture.engine.leaf_gate.open();
    fixture.service.shutdown().await;
    drop(fixture.dir);

    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    fs::rename(place.path().join("archive"), dir.path().join("data/archive")).unwrap();
    fs::write(dir.path().join(DATABASE_URL), cluster.restore(&dump)).unwrap();
    let mut restored = Fixture::start_in(dir, TestEngine::new(), &[]).await;
    let status = restored.status().await;
    assert_eq!((status.last_batch, status.state), (2, state));
    assert_eq!(restored.finish(&waiting.id).await, JobState::Ready);
    let job = restored.submit(nth(3)).await;
    assert_eq!((job.batch_number, restored.finish(&job.id).await), (3, JobState::Ready));
    restored.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_never_overwrites_a_service() {
    let fixture = Fixture::start(&[]).await;
    let data = fixture.dir.path().join("data");
    let other = Fixture::start(&[]).await;
    let taken = other.dir.path().join("data");
    assert!(matches!(backup(&data, &taken).await, Err(BackupError::InUse(_))));
    assert!(matches!(backup(&data, &data).await, Err(BackupError::InUse(_))));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(backup(empty.path(), &data.join("x")).await, Err(BackupError::Missing(_))));
    let target = empty.path().join("target");
    assert_eq!(backup(&data, &target).await.unwrap(), Backup::default());
    other.service.shutdown().await;
    fixture.service.shutdown().await;
}

/// An engine that proves by another protocol version.
struct OtherVersion {
    circuits: Circuits,
    inner: std::sync::Arc<TestEngine>,
}

impl Engine for OtherVersion {
    fn circuits(&self) -> &Circuits {
        &self.circuits
    }

    fn check(
        &self,
        witness: &tenon_circuits::witness::ChunkWitness,
    ) -> Result<(), tenon_prover::engine::EngineError> {
        self.inner.check(witness)
    }

    fn prove_leaf(
        &self,
        witness: &tenon_circuits::witness::ChunkWitness,
    ) -> Result<tenon_prover::engine::LeafProof, tenon_prover::engine::EngineError> {
        self.inner.prove_leaf(witness)
    }

    fn verify_leaf(
        &self,
        proof: &tenon_prover::engine::LeafProof,
    ) -> Result<(), tenon_prover::engine::EngineError> {
        self.inner.verify_leaf(proof)
    }

    fn prove_aggregate(
        &self,
        leaves: &[tenon_prover::engine::LeafProof],
    ) -> Result<tenon_prover::engine::AggregateProof, tenon_prover::engine::EngineError> {
        self.inner.prove_aggregate(leaves)
    }

    fn verify_aggregate(
        &self,
        proof: &tenon_prover::engine::AggregateProof,
    ) -> Result<(), tenon_prover::engine::EngineError> {
        self.inner.verify_aggregate(proof)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_run_side_by_side_and_never_on_one_log() {
    let mut old = Fixture::start(&[]).await;
    let job = old.submit(nth(1)).await;
    old.finish(&job.id).await;
    let inner = TestEngine::with_keys(2);
    let circuits = Circuits { protocol_version: "tenon.next".to_owned(), ..inner.circuits().clone() };
    let next = std::sync::Arc::new(OtherVersion { circuits, inner });

    // Beside it, with a directory of its own.
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(config(dir.path(), &[]), next.clone()).await.unwrap();
    let mut client = connect(&service).await;
    let submitted = client.submit_batch(nth(1)).await.unwrap().into_inner().job.unwrap();
    watch(&mut client, &submitted.id, 0).await;
    let circuit = client.get_circuit(v1::GetCircuitRequest {}).await.unwrap().into_inner();
    assert_eq!(circuit.protocol_version, "tenon.next");
    assert_eq!(old.status().await.protocol_version, "tenon.test");
    service.shutdown().await;

    // On its log, never.
    let Fixture { dir, service, client, .. } = old;
    drop(client);
    service.shutdown().await;
    let Err(error) = Service::start(config(dir.path(), &[]), next).await else { panic!("started") };
    let text = error.to_string();
    assert!(text.contains("tenon.test") && text.contains("tenon.next"), "{text}");
}
