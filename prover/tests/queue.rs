//! In what order tasks go to workers, and what becomes of those that workers are lost with.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use common::*;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, any::install_default_drivers};
use tenon_proto::v1::{self, JobState};
use tenon_prover::{
    jobs::{Lease, MAX_PRIORITY, PRIORITY_STEP_MS, ProofRecord, TaskKind},
    store::{MAX_LOST_WORKERS, TaskStore, sql::SqlStore},
};
use tokio::time::{sleep, timeout};

const LEAF: [TaskKind; 1] = [TaskKind::Leaf];
const AGGREGATE: [TaskKind; 1] = [TaskKind::Aggregate];
const BOTH: [TaskKind; 2] = [TaskKind::Leaf, TaskKind::Aggregate];
const LEASE_MS: u64 = 60_000;

on_each_database! {
    urgent_batches_are_proven_first,
    nothing_is_overtaken_for_ever,
    an_aggregation_is_as_urgent_as_its_batches,
    kinds_of_task_dont_wait_for_each_other,
    a_priority_out_of_range_is_refused,
    a_priority_is_no_part_of_the_payload,
    a_task_that_workers_are_lost_with_fails_in_the_end,
    workers_that_survive_count_again_from_the_start,
    an_aggregation_that_workers_are_lost_with_fails_with_its_batches,
    scheduling_costs_little,
}

/// Batches in the queue that scheduling is measured with.
const QUEUE: u64 = 200;

/// What a task may cost beside its proof: 1 % of the shortest one, a leaf of the small size class on two cores.
const COST_LIMIT: Duration = Duration::from_millis(40);

/// A service that leaves proving to the test.
async fn service(on: Database) -> (Fixture, SqlStore) {
    let fixture = Fixture::on(on, &[("workers", "0"), ("aggregation_max_age", "1h")]).await;
    let store = open_store(fixture.dir.path()).await;
    (fixture, store)
}

fn urgent(number: u64, priority: u32) -> v1::SubmitBatchRequest {
    v1::SubmitBatchRequest { priority, ..nth(number) }
}

async fn lease(store: &SqlStore, kinds: &[TaskKind]) -> Option<Lease> {
    store.lease("test", kinds, LEASE_MS).await.unwrap()
}

/// The batches of all tasks that can be leased, in their order.
async fn order(store: &SqlStore, kinds: &[TaskKind]) -> Vec<u64> {
    let mut batches = Vec::new();
    while let Some(lease) = lease(store, kinds).await {
        batches.push(lease.batch_number);
    }
    batches
}

/// Makes a batch so much older.
async fn age(fixture: &Fixture, batch: u64, ms: u64) {
    install_default_drivers();
    let url = std::fs::read_to_string(fixture.dir.path().join(DATABASE_URL))
        .unwrap_or_else(|_| format!("sqlite://{}", fixture.dir.path().join("data/tenon.db").display()));
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let statement = format!("UPDATE tasks SET rank_ms = rank_ms - {ms} WHERE batch_number = {batch}");
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Leases a task and loses its worker.
async fn lose(store: &SqlStore, kinds: &[TaskKind]) -> Lease {
    let lease = store.lease("lost", kinds, 1).await.unwrap().unwrap();
    sleep(Duration::from_millis(5)).await;
    // The service looks too.
    let _ = store.expire().await.unwrap();
    lease
}

/// Does what workers do for so many leaf tasks.
async fn prove_leaves(store: &SqlStore, tasks: u32) {
    for _ in 0..tasks {
        let lease = lease(store, &LEAF).await.unwrap();
        let record = ProofRecord {
            input_digest: [lease.batch_number as u8; 32],
            stage: TaskKind::Leaf,
            proof_digest: [1; 32],
            circuit: "leaf".to_owned(),
            key_digest: [17; 32],
            srs_digest: [9; 32],
            seconds: 1.0,
            peak_memory_bytes: 1,
            hardware: "test".to_owned(),
        };
        store.complete(&lease, record, false).await.unwrap();
    }
}

async fn wait_for_aggregations(store: &SqlStore, tasks: u64) {
    let wait = async {
        while store.leasable(&AGGREGATE).await.unwrap() < tasks {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), wait).await.unwrap();
}

async fn urgent_batches_are_proven_first(on: Database) {
    let (mut fixture, store) = service(on).await;
    for (number, priority) in [(1, 0), (2, 0), (3, 5), (4, MAX_PRIORITY), (5, 5)] {
        let job = fixture.submit(urgent(number, priority)).await;
        assert_eq!(job.priority, priority);
    }
    assert_eq!(order(&store, &BOTH).await, [4, 3, 5, 1, 2]);
    fixture.service.shutdown().await;
}

async fn nothing_is_overtaken_for_ever(on: Database) {
    let (mut fixture, store) = service(on).await;
    fixture.submit(urgent(1, 0)).await;
    fixture.submit(urgent(2, 0)).await;
    age(&fixture, 2, (u64::from(MAX_PRIORITY) + 1) * PRIORITY_STEP_MS).await;
    for number in 3..=6 {
        fixture.submit(urgent(number, MAX_PRIORITY)).await;
    }
    assert_eq!(order(&store, &BOTH).await, [2, 3, 4, 5, 6, 1]);
    fixture.service.shutdown().await;
}

async fn an_aggregation_is_as_urgent_as_its_batches(on: Database) {
    let (mut fixture, store) = service(on).await;
    for (number, priority) in [(1, 0), (2, 0), (3, 1), (4, 2)] {
        fixture.submit(urgent(number, priority)).await;
    }
    prove_leaves(&store, 4).await;
    // Two leaf proofs each: the service aggregates by itself.
    wait_for_aggregations(&store, 2).await;
    fixture.submit(urgent(5, 0)).await;
    fixture.submit(urgent(6, 3)).await;
    assert_eq!(order(&store, &BOTH).await, [6, 3, 1, 5]);
    fixture.service.shutdown().await;
}

async fn kinds_of_task_dont_wait_for_each_other(on: Database) {
    let (mut fixture, store) = service(on).await;
    fixture.submit(urgent(1, 0)).await;
    // A worker that has no memory for leaves isn't given one, and one that has gets it.
    assert!(lease(&store, &AGGREGATE).await.is_none());
    assert_eq!(order(&store, &LEAF).await, [1]);
    fixture.service.shutdown().await;
}

async fn a_priority_out_of_range_is_refused(on: Database) {
    let (mut fixture, _) = service(on).await;
    let refused = fixture.refuse(urgent(1, MAX_PRIORITY + 1)).await;
    assert_eq!(violations(&refused), [("priority".to_owned(), "PRIORITY_TOO_HIGH".to_owned())]);
    fixture.service.shutdown().await;
}

async fn a_priority_is_no_part_of_the_payload(on: Database) {
    let (mut fixture, _) = service(on).await;
    let job = fixture.submit(urgent(1, 3)).await;
    let again = fixture.submit(urgent(1, 7)).await;
    assert_eq!((again.id, again.priority), (job.id, 3));
    fixture.service.shutdown().await;
}

async fn a_task_that_workers_are_lost_with_fails_in_the_end(on: Database) {
    let (mut fixture, store) = service(on).await;
    let job = fixture.submit(nth(1)).await;
    for _ in 1..MAX_LOST_WORKERS {
        lose(&store, &LEAF).await;
    }
    assert_eq!(fixture.job(&job.id).await.state(), JobState::Proving);
    lose(&store, &LEAF).await;
    fixture.wait_for(&job.id, JobState::Failed).await;
    let failed = fixture.job(&job.id).await.error.unwrap();
    assert_eq!(failed.reason, "WORKERS_LOST");
    assert!(failed.message.contains("memory"), "{}", failed.message);
    assert!(lease(&store, &LEAF).await.is_none());
    // Submitted again it starts again, from nothing.
    fixture.submit(nth(1)).await;
    for _ in 1..MAX_LOST_WORKERS {
        lose(&store, &LEAF).await;
    }
    assert_eq!(fixture.job(&job.id).await.state(), JobState::Proving);
    assert!(lease(&store, &LEAF).await.is_some());
    fixture.service.shutdown().await;
}

async fn workers_that_survive_count_again_from_the_start(on: Database) {
    let (mut fixture, store) = service(on).await;
    let job = fixture.submit(nth(1)).await;
    for _ in 0..3 {
        for _ in 1..MAX_LOST_WORKERS {
            lose(&store, &LEAF).await;
        }
        let survivor = lease(&store, &LEAF).await.unwrap();
        store.hand_back(&survivor, 0, "the worker stops").await.unwrap();
    }
    assert_eq!(fixture.job(&job.id).await.state(), JobState::Proving);
    fixture.service.shutdown().await;
}

async fn an_aggregation_that_workers_are_lost_with_fails_with_its_batches(on: Database) {
    let (mut fixture, store) = service(on).await;
    let jobs = [fixture.submit(nth(1)).await, fixture.submit(nth(2)).await];
    prove_leaves(&store, 2).await;
    wait_for_aggregations(&store, 1).await;
    for _ in 0..MAX_LOST_WORKERS {
        lose(&store, &AGGREGATE).await;
    }
    for job in &jobs {
        fixture.wait_for(&job.id, JobState::Failed).await;
        assert_eq!(fixture.job(&job.id).await.error.unwrap().reason, "WORKERS_LOST");
    }
    // Either starts both again.
    fixture.submit(nth(2)).await;
    for job in &jobs {
        assert_eq!(fixture.job(&job.id).await.state(), JobState::Aggregating);
    }
    assert_eq!(lose(&store, &AGGREGATE).await.batch_number, 1);
    assert_eq!(fixture.job(&jobs[0].id).await.state(), JobState::Aggregating);
    fixture.service.shutdown().await;
}

async fn scheduling_costs_little(on: Database) {
    let mut fixture = Fixture::on(on, &[("workers", "1"), ("max_queued_batches", "1000")]).await;
    fixture.engine.leaf_gate.close();
    let mut last = None;
    for number in 1..=QUEUE {
        last = Some(fixture.submit(nth(number)).await);
    }
    // Proofs take no time here: what is left is leasing, reading, storing and everything that the service does meanwhile.
    let started = Instant::now();
    fixture.engine.leaf_gate.open();
    let events = watch_within(&mut fixture.client, &last.unwrap().id, 0, Duration::from_secs(60)).await;
    let elapsed = started.elapsed();
    assert_eq!(events.last().unwrap().state(), JobState::Ready);
    let proofs = [&fixture.engine.leaves_made, &fixture.engine.aggregates_made]
        .map(|made| made.load(Ordering::SeqCst));
    let tasks: u32 = proofs.iter().sum();
    let each = elapsed / tasks;
    println!("{on:?}: {tasks} tasks in {elapsed:?}, {each:?} each");
    assert!(tasks >= 3 * QUEUE as u32 / 2, "{proofs:?}");
    assert!(each <= COST_LIMIT, "{each:?}");
    fixture.service.shutdown().await;
}
