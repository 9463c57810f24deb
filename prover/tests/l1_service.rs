//! A service on a real node and the real contracts, from a deposit on L1 to its settled batch, without anybody's
//! submission; then with one, across a restart. Proofs alone are a test's.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[path = "l1_common/engine.rs"]
mod engine;
mod l1_common;

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use common::{TestEngine, config, connect, http, reason};
use engine::ContractEngine;
use l1_common::{
    Anvil,
    rollup::{World, key_file, recipient},
};
use tenon_circuits::rollup::{Fr, State, Transaction, field, snapshot::Snapshot};
use tenon_prover::{
    RunningService, Service, StartError, convert,
    l1::rollup::Standing,
    settlement::{
        Archive, Finality,
        rebuild::{Sources, rebuild},
    },
};
use tokio::time::{Instant, sleep};

const DEADLINE: Duration = Duration::from_secs(120);

async fn start(
    dir: &Path,
    world: &World,
    url: &str,
    more: &[(&str, &str)],
) -> Result<RunningService, StartError> {
    start_with(TestEngine::new(), dir, world, url, more).await
}

async fn start_with(
    engine: Arc<TestEngine>,
    dir: &Path,
    world: &World,
    url: &str,
    more: &[(&str, &str)],
) -> Result<RunningService, StartError> {
    let (rollup, key) = (world.rollup.to_string(), key_file(dir));
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
    Service::start(config(dir, &settings), Arc::new(ContractEngine(engine))).await
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
    let request = submission(&world, "transfer", &[world.transfer((0, 1), (0, 1), 0, 5)]);
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

/// What `tenon rebuild` writes.
fn rebuild_to(file: &Path, world: &World, url: &str) {
    let rollup = world.rollup.to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_tenon"))
        .args(["rebuild", "--l1", url, "--rollup", &rollup, "--output"])
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn submission(world: &World, key: &str, transactions: &[Transaction]) -> tenon_proto::v1::SubmitBatchRequest {
    let domain = convert::element_bytes(&world.domain);
    let request = common::request(key, transactions);
    tenon_proto::v1::SubmitBatchRequest { domain, fee_accounts: Vec::new(), ..request }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_lost_everything_goes_on_from_what_l1_has() {
    let anvil = Anvil::start(&[]).await;
    let world = World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await;
    let files = tempfile::tempdir().unwrap();
    let [first, second, third, forged] =
        ["first", "second", "third", "forged"].map(|name| files.path().join(name));
    let dir = tempfile::tempdir().unwrap();
    let engine = TestEngine::new();
    let service = start_with(Arc::clone(&engine), dir.path(), &world, &anvil.url, &[]).await.unwrap();
    world.deposit(1, 1000).await;
    finalized(&world, 1).await;
    rebuild_to(&first, &world, &anvil.url);
    let mut client = connect(&service).await;
    let transfer = world.transfer((0, 1), (0, 1), 0, 5);
    client.submit_batch(submission(&world, "transfer", &[transfer])).await.unwrap();
    let standing = finalized(&world, 2).await;
    // The third is promised and never proven.
    engine.leaf_gate.close();
    world.deposit(2, 500).await;
    let started = Instant::now();
    while world.standing().await.committed < 3 {
        assert!(started.elapsed() < DEADLINE, "batch 3 is never committed");
        sleep(Duration::from_millis(50)).await;
    }
    drop(client);
    tokio::spawn(async move {
        // Once the service is stopping, which would wait for a proof in work.
        sleep(Duration::from_millis(500)).await;
        engine.leaf_gate.open();
    });
    service.shutdown().await;
    assert_eq!(world.standing().await.finalized, 2);
    dir.close().unwrap();

    // A log that doesn't know what is final can't go on, and neither can one that begins elsewhere.
    let dir = tempfile::tempdir().unwrap();
    let refused = async |file: Option<&Path>, more: &[(&str, &str)], says: &str| {
        let file = file.map(|file| file.display().to_string());
        let mut settings: Vec<_> = file.iter().map(|file| ("from_snapshot", file.as_str())).collect();
        settings.extend(more);
        match start(dir.path(), &world, &anvil.url, &settings).await {
            Ok(_) => panic!("expected {says:?}, found a service that started"),
            Err(error) => assert!(error.to_string().contains(says), "expected {says:?}, found {error}"),
        }
    };
    rebuild_to(&second, &world, &anvil.url);
    refused(None, &[], "up to 2, and the log ends with batch 0").await;
    refused(Some(&second), &[("l1_finality", "1000")], "isn't final by l1_finality yet").await;
    refused(Some(&first), &[], "which is 2, got one of batch 1").await;
    refused(Some(&second), &[("l1_url", "")], "set l1_url").await;
    refused(Some(&third), &[], "third: No such file").await;
    std::fs::write(&forged, "TENONSNP").unwrap();
    refused(Some(&forged), &[], "expected 88 bytes, got 8").await;
    let (domain, state) = (world.domain, State::new());
    std::fs::write(&forged, Snapshot { domain, batch: 2, state: state.clone() }.to_bytes()).unwrap();
    refused(Some(&forged), &[], "expected a snapshot with the state").await;
    std::fs::write(&forged, Snapshot { domain: Fr::from(1), batch: 2, state }.to_bytes()).unwrap();
    refused(Some(&forged), &[], "expected a snapshot of the rollup with the domain").await;

    // The deposit of the lost batch is in the queue still, and its commit is taken back.
    let from = second.display().to_string();
    let service = start(dir.path(), &world, &anvil.url, &[("from_snapshot", &from)]).await.unwrap();
    let mut client = connect(&service).await;
    let status = client.get_status(tenon_proto::v1::GetStatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.genesis_state, convert::element_bytes(&standing.state));
    finalized(&world, 3).await;
    let transfer = world.transfer((1, 2), (0, 1), 0, 7);
    client.submit_batch(submission(&world, "back", &[transfer])).await.unwrap();
    let standing = finalized(&world, 4).await;
    for (index, balance) in [(0, 1007_u128), (1, 493)] {
        let request = tenon_proto::v1::GetAccountRequest { index };
        let found = client.get_account(request).await.unwrap().into_inner();
        assert_eq!(found.account.unwrap().balance, balance.to_string());
        assert_eq!(found.state, convert::element_bytes(&standing.state));
    }
    drop(client);
    service.shutdown().await;

    // It starts again with the file, which is the same, and without; from another, or without its first state, it doesn't.
    for more in [&[("from_snapshot", from.as_str())][..], &[]] {
        let service = start(dir.path(), &world, &anvil.url, more).await.unwrap();
        let mut client = connect(&service).await;
        let status = client.get_status(tenon_proto::v1::GetStatusRequest {}).await.unwrap().into_inner();
        assert_eq!((status.last_batch, status.state), (4, convert::element_bytes(&standing.state)));
        drop(client);
        service.shutdown().await;
    }
    rebuild_to(&third, &world, &anvil.url);
    refused(Some(&third), &[], "got one that begins after batch 2").await;
    std::fs::remove_dir_all(dir.path().join("data/archive/snapshots")).unwrap();
    refused(None, &[], "the log begins after batch 2, and the state after it isn't in").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_archive_lost_is_made_again_from_the_log() {
    let anvil = Anvil::start(&[]).await;
    let world = World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await;
    let dir = tempfile::tempdir().unwrap();
    let engine = TestEngine::new();
    engine.leaf_gate.close();
    let service = start_with(Arc::clone(&engine), dir.path(), &world, &anvil.url, &[]).await.unwrap();
    world.deposit(1, 1000).await;
    let started = Instant::now();
    while world.standing().await.committed < 1 {
        assert!(started.elapsed() < DEADLINE, "batch 1 is never committed");
        sleep(Duration::from_millis(50)).await;
    }
    std::fs::remove_dir_all(dir.path().join("data/archive")).unwrap();
    engine.leaf_gate.open();
    finalized(&world, 1).await;
    service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_a_reorg_took_from_a_logged_batch_raise_an_alarm() {
    let anvil = Anvil::start(&[]).await;
    let world = World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await;
    let dir = tempfile::tempdir().unwrap();
    // It only follows: nothing is ever refused.
    let service = start(dir.path(), &world, &anvil.url, &[("l1_key_file", "")]).await.unwrap();
    let metric = async |line: &str| http(&service, "/metrics").await.1.contains(line);
    let started = Instant::now();
    world.deposit(1, 1000).await;
    while connect_status(&service).await.last_batch < 1 {
        assert!(started.elapsed() < DEADLINE, "the deposit is in no batch");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(metric("tenon_l1_operations_gone 0").await);
    anvil.reorg(1).await;
    while !metric("tenon_l1_operations_gone 1").await {
        assert!(started.elapsed() < DEADLINE, "nobody says that the operation is gone");
        sleep(Duration::from_millis(50)).await;
    }
    // The same deposit again is as good as the first one.
    world.deposit(1, 1000).await;
    while !metric("tenon_l1_operations_gone 0").await {
        assert!(started.elapsed() < DEADLINE, "the alarm doesn't end");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(metric("tenon_l1_halted 0").await);
    service.shutdown().await;
}

async fn connect_status(service: &RunningService) -> tenon_proto::v1::GetStatusResponse {
    let request = tenon_proto::v1::GetStatusRequest {};
    connect(service).await.get_status(request).await.unwrap().into_inner()
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
