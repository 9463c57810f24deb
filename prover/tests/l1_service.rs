//! A service on a real node and the real contracts, from a deposit on L1 to its settled batch, without anybody's
//! submission; then with one, across a restart. Proofs alone are a test's.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod l1_common;

use std::{path::Path, sync::Arc, time::Duration};

use common::{TestEngine, config, connect, http, reason};
use l1_common::{
    Anvil,
    rollup::{World, proof_of, recipient},
};
use tenon_circuits::{
    rollup::{State, field},
    witness::ChunkWitness,
};
use tenon_prover::{
    RunningService, Service, StartError, convert,
    engine::{AggregateProof, Circuits, Engine, EngineError, LeafProof},
    l1::rollup::Standing,
    settlement::{
        Archive, Finality,
        rebuild::{Sources, rebuild},
    },
};
use tokio::time::{Instant, sleep};

const DEADLINE: Duration = Duration::from_secs(120);

/// Makes aggregate proofs that the test's verifier contract takes.
struct ContractEngine(Arc<TestEngine>);

impl Engine for ContractEngine {
    fn circuits(&self) -> &Circuits {
        self.0.circuits()
    }

    fn check(&self, witness: &ChunkWitness) -> Result<(), EngineError> {
        self.0.check(witness)
    }

    fn prove_leaf(&self, witness: &ChunkWitness) -> Result<LeafProof, EngineError> {
        self.0.prove_leaf(witness)
    }

    fn verify_leaf(&self, proof: &LeafProof) -> Result<(), EngineError> {
        self.0.verify_leaf(proof)
    }

    fn prove_aggregate(&self, leaves: &[LeafProof]) -> Result<AggregateProof, EngineError> {
        let batches = self.0.prove_aggregate(leaves)?.batches;
        Ok(AggregateProof { proof: proof_of(&batches), batches })
    }

    fn verify_aggregate(&self, proof: &AggregateProof) -> Result<(), EngineError> {
        if proof.proof == proof_of(&proof.batches) {
            return Ok(());
        }
        Err(EngineError::Invalid("wrong hash".to_owned()))
    }
}

async fn start(
    dir: &Path,
    world: &World,
    url: &str,
    more: &[(&str, &str)],
) -> Result<RunningService, StartError> {
    let key = dir.join("l1.key");
    std::fs::write(&key, "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\n").unwrap();
    let (rollup, key) = (world.rollup.to_string(), key.display().to_string());
    let mut settings = vec![
        ("genesis", ""),
        ("l1_url", url),
        ("l1_key_file", &key),
        ("l1_poll", "50ms"),
        // Longer than any deadline is away: operations never wait for a submission.
        ("l1_deadline_margin", "300h"),
        ("rollup_address", &rollup),
        ("checkpoint_interval", "1"),
    ];
    settings.extend(more);
    let engine = Arc::new(ContractEngine(TestEngine::new()));
    Service::start(config(dir, &settings), engine).await
}

async fn finalized(world: &World, number: u64) -> Standing {
    let started = Instant::now();
    loop {
        let standing = world.standing().await;
        if standing.finalized >= number {
            return standing;
        }
        assert!(started.elapsed() < DEADLINE, "batch {number} is never final: {standing:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_is_settled_by_the_service_alone() {
    let anvil = Anvil::start(&[]).await;
    let world = World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await;
    let dir = tempfile::tempdir().unwrap();
    let service = start(dir.path(), &world, &anvil.url, &[]).await.unwrap();
    world.deposit(1, 1000).await;
    let standing = finalized(&world, 1).await;
    let mut client = connect(&service).await;
    let request = tenon_proto::v1::GetAccountRequest { index: 0 };
    let account = client.get_account(request).await.unwrap().into_inner();
    assert_eq!(convert::element_bytes(&standing.state), account.state);
    drop(client);
    service.shutdown().await;

    // After a restart, a submitted transaction; operations can't be submitted.
    let service = start(dir.path(), &world, &anvil.url, &[]).await.unwrap();
    let mut client = connect(&service).await;
    let mut request = common::request("transfer", &[world.transfer((0, 1), (0, 1), 0, 5)]);
    request.domain = convert::element_bytes(&world.domain);
    request.fee_accounts.clear();
    let mut explicit = request.clone();
    explicit.l1_operations =
        vec![convert::l1_operation_message(&tenon_circuits::rollup::L1Operation::ForcedExit {
            index: 0,
            owner: recipient(1).owner,
        })];
    explicit.idempotency_key = "explicit".to_owned();
    let refused = client.submit_batch(explicit).await.unwrap_err();
    assert_eq!(reason(&refused), "BATCH_INVALID");
    let job = client.submit_batch(request).await.unwrap().into_inner().job.unwrap();
    let standing = finalized(&world, 2).await;
    assert_eq!(convert::element_bytes(&standing.state), job.state_out);
    let started = Instant::now();
    loop {
        let request = tenon_proto::v1::GetJobRequest { job_id: job.id.clone() };
        let state = client.get_job(request).await.unwrap().into_inner().job.unwrap().state();
        if state == tenon_proto::v1::JobState::Settled {
            break;
        }
        assert!(started.elapsed() < DEADLINE, "the job is {state:?}");
        sleep(Duration::from_millis(50)).await;
    }
    // The page and the metrics say so too.
    let shown = loop {
        let (_, reply) = http(&service, "/status.json").await;
        let found: serde_json::Value = serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap();
        if found["l1"]["final_batch"] == 2 {
            break found;
        }
        assert!(started.elapsed() < DEADLINE, "{found}");
        sleep(Duration::from_millis(200)).await;
    };
    let l1 = &shown["l1"];
    assert_eq!((l1["settles"].as_bool(), l1["reachable"].as_bool()), (Some(true), Some(true)));
    assert_eq!(l1["window_age_seconds"], 0);
    assert_eq!(shown["headline"]["l1_lag"]["ok"], true);
    let proving = l1["gas"].as_array().unwrap().iter().find(|used| used["purpose"] == "prove").unwrap();
    assert!(proving["gas"].as_u64().unwrap() > 21_000, "{proving}");
    let (_, metrics) = http(&service, "/metrics").await;
    for line in ["tenon_l1_reachable 1", "tenon_l1_final_batch 2", "tenon_l1_gas_total{purpose=\"prove\"} "] {
        assert!(metrics.contains(line), "{line} isn't in {metrics}");
    }
    drop(client);
    service.shutdown().await;

    // The service's archive has the blobs and a snapshot.
    let sources = |archives, use_snapshots| Sources {
        chain: &*world.chain,
        rollup: world.rollup,
        first_block: 0,
        genesis: State::new(),
        archives,
        use_snapshots,
    };
    let archive = || vec![Archive::new(&dir.path().join("data").join("archive"))];
    let found = rebuild(sources(archive(), true), |_, _| {}).await.unwrap();
    assert_eq!((found.number, found.from), (2, 2));
    let found = rebuild(sources(archive(), false), |_, _| {}).await.unwrap();
    assert_eq!((found.from, found.archived_blobs, found.chain_blobs), (0, 2, 0));
    assert_eq!(field::to_hex(&found.state.commitment()), field::to_hex(&standing.state));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_another_rollup_does_not_start() {
    let anvil = Anvil::start(&[]).await;
    let world = World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await;
    let dir = tempfile::tempdir().unwrap();
    let refused = start(dir.path(), &world, &anvil.url, &[("chain_id", "1337")]).await.err().unwrap();
    assert!(refused.to_string().contains("1337"), "{refused}");
    let nowhere = [("rollup_address", "0x00000000000000000000000000000000000000aa")];
    assert!(start(dir.path(), &world, &anvil.url, &nowhere).await.is_err());
    assert!(start(dir.path(), &world, "http://127.0.0.1:1", &[]).await.is_err());
}
