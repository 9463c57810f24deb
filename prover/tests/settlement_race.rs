//! Two servers over one database, and one of them loses the lead while its transaction is on the way to L1.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[path = "l1_common/engine.rs"]
mod engine;
mod l1_common;

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{DATABASE_URL, TestEngine, config, connect, postgres, watch_within};
use engine::ContractEngine;
use l1_common::{
    Anvil,
    rollup::{World, key_file},
};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tenon_proto::v1::{self, JobState};
use tenon_prover::{RunningService, Service, convert, settlement::Finality};
use tokio::time::sleep;

/// Longest wait.
const LIMIT: Duration = Duration::from_secs(120);

/// The lock of the server in charge.
const LEAD_LOCK: i64 = 0x7465_6e6f_6e01;

/// Times that the lead is taken from a server.
const ROUNDS: u64 = 4;

async fn start(dir: &Path, shared: &Path, world: &World, url: &str) -> RunningService {
    let (rollup, key) = (world.rollup.to_string(), key_file(dir));
    let shared = shared.display().to_string();
    let settings = [
        ("genesis", ""),
        ("l1_url", url),
        ("l1_key_file", &key),
        ("l1_poll", "50ms"),
        ("l1_deadline_margin", "300h"),
        ("rollup_address", &rollup),
        ("object_store", &shared),
    ];
    Service::start(config(dir, &settings), Arc::new(ContractEngine(TestEngine::new()))).await.unwrap()
}

/// Ends the connection by which a server is in charge.
async fn depose(database: &mut PgConnection) {
    let ended: Vec<bool> = sqlx::query_scalar(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
         AND (classid::bigint << 32 | objid::bigint) = $1
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .bind(LEAD_LOCK)
    .fetch_all(&mut *database)
    .await
    .unwrap();
    assert_eq!(ended, [true]);
}

async fn epoch(database: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT epoch FROM service").fetch_one(database).await.unwrap()
}

async fn on_the_way(database: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM l1_transactions WHERE state = 'open'")
        .fetch_one(database)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_of_two_servers_settles() {
    // Slow enough that transactions wait for their block.
    let anvil = Anvil::start(&["--block-time", "1"]).await;
    let world = World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await;
    world.deposit(1, 1000).await;
    let shared = tempfile::tempdir().unwrap();
    let url = postgres::new_database();
    let directory = || {
        let dir: TempDir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(DATABASE_URL), &url).unwrap();
        dir
    };
    let mut dir = directory();
    let mut leader = start(dir.path(), shared.path(), &world, &anvil.url).await;
    let mut database = PgConnection::connect(&url).await.unwrap();
    let domain = convert::element_bytes(&world.domain);
    let mut jobs = Vec::new();
    let started = Instant::now();
    while world.standing().await.finalized < 1 {
        assert!(started.elapsed() < LIMIT, "the deposit is never settled");
        sleep(Duration::from_millis(50)).await;
    }
    for round in 0..ROUNDS {
        let next_dir = directory();
        let before = epoch(&mut database).await;
        let (next, ()) = tokio::join!(start(next_dir.path(), shared.path(), &world, &anvil.url), async {
            let mut client = connect(&leader).await;
            let transfer = world.transfer((0, 1), (0, 1), round, 1);
            let request = common::request(&format!("transfer-{round}"), &[transfer]);
            let request =
                v1::SubmitBatchRequest { domain: domain.clone(), fee_accounts: Vec::new(), ..request };
            jobs.push(client.submit_batch(request).await.unwrap().into_inner().job.unwrap());
            while on_the_way(&mut database).await == 0 {
                assert!(started.elapsed() < LIMIT, "nothing is sent");
                sleep(Duration::from_millis(5)).await;
            }
            // The one in charge may be quicker to take the lock again.
            while epoch(&mut database).await == before {
                depose(&mut database).await;
                sleep(Duration::from_millis(300)).await;
            }
        });
        leader.ended().await;
        leader.shutdown().await;
        (leader, dir) = (next, next_dir);
    }
    let mut client = connect(&leader).await;
    for job in &jobs {
        let events = watch_within(&mut client, &job.id, 0, LIMIT).await;
        assert_eq!(events.last().unwrap().state(), JobState::Settled, "batch {}", job.batch_number);
        assert_eq!(events.iter().filter(|event| event.state() == JobState::Settled).count(), 1);
    }
    let standing = world.standing().await;
    assert_eq!(standing.finalized, 1 + ROUNDS);
    assert_eq!(convert::element_bytes(&standing.state), jobs.last().unwrap().state_out);
    // Each batch was committed once and proven once, and nothing was sent in vain.
    let sent: Vec<(String, i64, i64, String)> = sqlx::query_as(
        "SELECT purpose, first_batch, last_batch, state FROM l1_transactions ORDER BY first_batch, purpose",
    )
    .fetch_all(&mut database)
    .await
    .unwrap();
    assert!(sent.iter().all(|(_, _, _, state)| state == "done" || state == "included"), "{sent:?}");
    for purpose in ["commit", "prove"] {
        for batch in 1..=1 + i64::try_from(ROUNDS).unwrap() {
            let about = |(found, first, last, _): &&(String, i64, i64, String)| {
                found == purpose && (*first..=*last).contains(&batch)
            };
            assert_eq!(sent.iter().filter(about).count(), 1, "{purpose} of batch {batch}: {sent:?}");
        }
    }
    drop(client);
    leader.shutdown().await;
    drop(dir);
}
