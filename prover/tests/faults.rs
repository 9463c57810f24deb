//! What goes wrong when several machines prove: processes that die, hang, come back late, a database and a store that
//! go away, crowds. After each of these every accepted batch is proven, once, into the state that was promised.
//!
//! `TENON_FAULTS=full` takes more rounds, batches and watchers.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    collections::{HashMap, hash_map::Entry},
    fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use common::{
    postgres::Cluster,
    processes::{HEARTBEAT, Process, Role},
    *,
};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tenon_proto::v1::{self, JobState, prover_client::ProverClient};
use tenon_prover::store::{JobStore, MAX_LOST_WORKERS, TaskStore};
use tokio::time::sleep;
use tokio_stream::StreamExt;
use tonic::transport::Channel;

/// Longest wait for a job.
const JOB_LIMIT: Duration = Duration::from_secs(120);

/// Longest time that a process which hangs in a transaction holds up others.
const HUNG_TRANSACTION_LIMIT: Duration = Duration::from_secs(6);

/// The lock of the store's longer transactions.
const GRAPH_LOCK: i64 = 0x7465_6e6f_6e00;

/// Watchers of one job.
const WATCHERS: usize = 200;

/// Batches that are more than a queue usually has: in the short form, and in the full one.
const CROWD: [u64; 2] = [40, 10_000];

/// Cancellations that race completion.
const RACES: [u64; 2] = [8, 200];

/// Of the short form or the full one.
fn extent(choices: [u64; 2]) -> u64 {
    choices[usize::from(std::env::var("TENON_FAULTS").is_ok_and(|form| form == "full"))]
}

type Client = ProverClient<Channel>;

/// The other processes of these tests, which start them by name.
#[test]
#[ignore = "started by the other tests"]
fn child_process() {
    common::processes::child();
}

fn unix_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

async fn submit(client: &mut Client, number: u64) -> v1::Job {
    client.submit_batch(nth(number)).await.unwrap().into_inner().job.unwrap()
}

async fn job(client: &mut Client, id: &str) -> v1::Job {
    let request = v1::GetJobRequest { job_id: id.to_owned() };
    client.get_job(request).await.unwrap().into_inner().job.unwrap()
}

/// Waits until so many tasks are leased.
async fn leased(dir: &TempDir, tasks: u64) {
    let store = open_store(dir.path()).await;
    let started = Instant::now();
    while store.task_counts().await.unwrap().leased < tasks {
        assert!(started.elapsed() < JOB_LIMIT, "nothing was leased");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a job is in a state, as when a worker has said that it proves the job's batch.
async fn reaches(client: &mut Client, id: &str, state: JobState) {
    let started = Instant::now();
    while job(client, id).await.state() != state {
        assert!(started.elapsed() < JOB_LIMIT, "job {id} is never {state:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// All batches of the log are proven, once each, into the states that were promised; nothing is left over.
async fn sound(dir: &TempDir, client: &mut Client, batches: u64) {
    let mut state = client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner().genesis_state;
    let store = open_store(dir.path()).await;
    let mut jobs = HashMap::new();
    let mut before = None;
    loop {
        let page = store.jobs(before, &[], 500).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.position);
        for job in page.into_iter().filter(|job| job.state.name() != "cancelled") {
            assert!(jobs.insert(job.batch.number, job).is_none(), "a batch has two jobs");
        }
    }
    assert_eq!(jobs.len() as u64, batches);
    let mut proofs: HashMap<u64, Vec<v1::BatchPublicInputs>> = HashMap::new();
    for number in 1..=batches {
        let id = jobs[&number].id.clone();
        let events = watch_within(client, &id, 0, JOB_LIMIT).await;
        assert_eq!(events.last().unwrap().state(), JobState::Ready, "batch {number}");
        assert!(events.iter().map(|event| event.sequence).is_sorted());
        assert_eq!(events.iter().filter(|event| event.state() == JobState::Ready).count(), 1);
        let job = job(client, &id).await;
        assert_eq!((job.batch_number, &job.state_in), (number, &state));
        state = job.state_out;
        let aggregation = job.aggregation_id.unwrap();
        if let Entry::Vacant(place) = proofs.entry(aggregation) {
            let subject = Some(v1::get_proof_request::Subject::AggregationId(aggregation));
            let request = v1::GetProofRequest { subject, with_leaf_proofs: false };
            let proof = client.get_proof(request).await.unwrap().into_inner().proof.unwrap();
            place.insert(proof.batches);
        }
        let holds = |batch: &&v1::BatchPublicInputs| batch.state_out == state;
        assert_eq!(proofs.values().flatten().filter(holds).count(), 1, "proofs of batch {number}");
    }
    let status = client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.last_batch, status.state), (batches, state));
    let left = store.task_counts().await.unwrap();
    assert_eq!((left.pending, left.leased), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_replaced_at_every_stage() {
    let dir = Database::Postgres.directory();
    let server = Process::start(dir.path(), Role::server("server"));
    let mut client = server.client().await;
    let mut number = 0;
    for stage in ["leaf", "aggregate"] {
        let doomed = Process::start(dir.path(), Role::worker("doomed", stage));
        number += 1;
        let job = submit(&mut client, number).await;
        let wanted = if stage == "leaf" { JobState::Proving } else { JobState::Aggregating };
        reaches(&mut client, &job.id, wanted).await;
        leased(&dir, 1).await;
        // The next one is there already; it takes the task over.
        let next = Process::start(dir.path(), Role::worker("next", "none"));
        let killed = unix_ms();
        doomed.kill();
        let events = watch_within(&mut client, &job.id, 0, JOB_LIMIT).await;
        let made = format!("{stage} proof");
        let made = events.iter().find(|event| event.message.starts_with(&made)).unwrap();
        let replaced = Duration::from_millis(made.time_ms - killed);
        println!("killed in stage {stage}, replaced after {replaced:?}");
        assert!(replaced <= 2 * HEARTBEAT, "replaced after {replaced:?}");
        next.terminate();
    }
    let last = Process::start(dir.path(), Role::worker("last", "none"));
    sound(&dir, &mut client, number).await;
    last.terminate();
    server.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_of_its_task_is_replaced() {
    let dir = Database::Postgres.directory();
    let server = Process::start(dir.path(), Role::server("server"));
    let mut client = server.client().await;
    submit(&mut client, 1).await;
    // As when the kernel ends a process that takes too much memory.
    let mut dying = Process::spawn(dir.path(), Role::worker("dying", "die"));
    dying.died();
    let _worker = Process::start(dir.path(), Role::worker("worker", "none"));
    sound(&dir, &mut client, 1).await;
    server.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_kills_every_worker_fails_its_job_and_can_be_restarted() {
    let dir = Database::Postgres.directory();
    let server = Process::start(dir.path(), Role::server("server"));
    let mut client = server.client().await;
    let job = submit(&mut client, 1).await;
    for _ in 0..MAX_LOST_WORKERS {
        Process::spawn(dir.path(), Role::worker("dying", "die")).died();
    }
    let events = watch_within(&mut client, &job.id, 0, JOB_LIMIT).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Failed);
    let error = last.error.as_ref().unwrap();
    assert_eq!(error.reason, "WORKERS_LOST");
    assert!(error.message.contains("memory"), "{}", error.message);
    let lost = events.iter().filter(|event| event.message.contains("was lost")).count();
    assert_eq!(lost, MAX_LOST_WORKERS as usize);
    // With what it needs, the same batch is proven.
    submit(&mut client, 1).await;
    let worker = Process::start(dir.path(), Role::worker("worker", "none"));
    let job = client.get_job(v1::GetJobRequest { job_id: job.id }).await.unwrap().into_inner().job.unwrap();
    let events = watch_within(&mut client, &job.id, last.sequence, JOB_LIMIT).await;
    assert_eq!(events.last().unwrap().state(), JobState::Ready);
    worker.terminate();
    server.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_replaced_while_workers_go_on() {
    let dir = Database::Postgres.directory();
    let mut server = Process::start(dir.path(), Role::server("server"));
    let _workers = [("one", "none"), ("two", "none")]
        .map(|(name, stage)| Process::start(dir.path(), Role::worker(name, stage)));
    for number in 1..=5 {
        let mut client = server.client().await;
        submit(&mut client, number).await;
        server.kill();
        let started = Instant::now();
        server = Process::start(dir.path(), Role::server("server"));
        println!("serving again after {:?}", started.elapsed());
    }
    sound(&dir, &mut server.client().await, 5).await;
    server.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_worker_comes_back_late() {
    let dir = Database::Postgres.directory();
    let server = Process::start(dir.path(), Role::server("server"));
    let mut client = server.client().await;
    let late = Process::start(dir.path(), Role::worker("late", "none"));
    // It is cut off from everything, wherever it is, for longer than a lease.
    submit(&mut client, 1).await;
    late.signal("STOP");
    submit(&mut client, 2).await;
    let other = Process::start(dir.path(), Role::worker("other", "none"));
    sound(&dir, &mut client, 2).await;
    late.signal("CONT");
    submit(&mut client, 3).await;
    other.terminate();
    sound(&dir, &mut client, 3).await;
    late.terminate();
    server.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cut_off_in_its_task_is_refused() {
    let dir = Database::Postgres.directory();
    let server = Process::start(dir.path(), Role::server("server"));
    let mut client = server.client().await;
    let hanging = Process::start(dir.path(), Role::worker("hanging", "leaf"));
    let job = submit(&mut client, 1).await;
    reaches(&mut client, &job.id, JobState::Proving).await;
    hanging.signal("STOP");
    let other = Process::start(dir.path(), Role::worker("other", "none"));
    assert_eq!(
        watch_within(&mut client, &job.id, 0, JOB_LIMIT).await.last().unwrap().state(),
        JobState::Ready
    );
    // Back again it notices that the task isn't its own any more.
    hanging.signal("CONT");
    let started = Instant::now();
    while !fs::read_to_string(dir.path().join("hanging.log")).unwrap().contains("lease is over") {
        assert!(started.elapsed() < JOB_LIMIT, "the late worker noticed nothing");
        sleep(Duration::from_millis(20)).await;
    }
    hanging.kill();
    sound(&dir, &mut client, 1).await;
    other.terminate();
    server.terminate();
}

/// Takes the lock of the store's longer transactions, as a slow process does.
async fn hold_the_store(dir: &TempDir) -> PgConnection {
    let url = fs::read_to_string(dir.path().join(DATABASE_URL)).unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query("SELECT pg_advisory_lock($1)").bind(GRAPH_LOCK).execute(&mut connection).await.unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stopped_in_the_middle_of_leasing_holds_nobody_up() {
    let dir = Database::Postgres.directory();
    let server = Process::start(dir.path(), Role::server("server"));
    let mut client = server.client().await;
    let job = submit(&mut client, 1).await;
    let held = hold_the_store(&dir).await;
    let hanging = Process::start(dir.path(), Role::worker("hanging", "none"));
    sleep(Duration::from_secs(1)).await;
    hanging.signal("STOP");
    held.close().await.unwrap();
    // The database ends the transaction that the worker is in the middle of; meanwhile everybody else waits for it.
    let stopped = Instant::now();
    submit(&mut client, 2).await;
    println!("the next batch accepted after {:?}", stopped.elapsed());
    assert!(stopped.elapsed() < HUNG_TRANSACTION_LIMIT, "after {:?}", stopped.elapsed());
    let other = Process::start(dir.path(), Role::worker("other", "none"));
    sound(&dir, &mut client, 2).await;
    hanging.signal("CONT");
    // What it had begun came to nothing: no task was its own.
    let stages = client.get_job(v1::GetJobRequest { job_id: job.id }).await.unwrap().into_inner();
    assert_eq!(stages.receipt.unwrap().stages[0].attempts, 1);
    submit(&mut client, 3).await;
    other.terminate();
    sound(&dir, &mut client, 3).await;
    hanging.terminate();
    server.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_database_is_waited_for() {
    let mut cluster = Cluster::start();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(DATABASE_URL), cluster.new_database()).unwrap();
    let server = Process::start(dir.path(), Role::server("server"));
    let mut client = server.client().await;
    let worker = Process::start(dir.path(), Role::worker("worker", "none"));
    for number in 1..=3 {
        submit(&mut client, number).await;
        cluster.crash();
        sleep(Duration::from_millis(300)).await;
        assert!(client.submit_batch(nth(number + 1)).await.is_err());
        cluster.resume();
        // The same server goes on.
        let started = Instant::now();
        while client.get_status(v1::GetStatusRequest {}).await.is_err() {
            assert!(started.elapsed() < JOB_LIMIT, "the server never found its database again");
            sleep(Duration::from_millis(50)).await;
        }
    }
    sound(&dir, &mut client, 3).await;
    worker.terminate();
    server.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_and_damaged_is_waited_for_and_made_good() {
    let dir = Database::Postgres.directory();
    let server = Process::start(dir.path(), Role::server("server"));
    let mut client = server.client().await;
    let worker = Process::start(dir.path(), Role::worker("worker", "none"));
    worker.signal("STOP");
    for number in 1..=3 {
        submit(&mut client, number).await;
    }
    let (files, away) = (dir.path().join("files"), dir.path().join("away"));
    fs::rename(&files, &away).unwrap();
    fs::write(&files, "in the way").unwrap();
    worker.signal("CONT");
    // One witness is gone and one damaged; both are made again from the log.
    let mut witnesses = fs::read_dir(away.join("witnesses")).unwrap().map(|entry| entry.unwrap().path());
    fs::remove_file(witnesses.next().unwrap()).unwrap();
    fs::write(witnesses.next().unwrap(), "{}").unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(client.submit_batch(nth(4)).await.is_err());
    fs::remove_file(&files).unwrap();
    fs::rename(&away, &files).unwrap();
    sound(&dir, &mut client, 3).await;
    worker.terminate();
    server.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_races_completion() {
    let dir = Database::Postgres.directory();
    let server = Process::start(dir.path(), Role::server("server"));
    let mut client = server.client().await;
    let worker = Process::start(dir.path(), Role::worker("worker", "none"));
    let mut last = 0;
    for round in 0..extent(RACES) {
        let job = client
            .submit_batch(request(&format!("race-{round}"), &[transfer(0, 1, last)]))
            .await
            .unwrap()
            .into_inner()
            .job
            .unwrap();
        sleep(Duration::from_millis(round * 37 % 300)).await;
        let cancel = v1::CancelJobRequest { job_id: job.id.clone(), cascade: true };
        match client.cancel_job(cancel).await {
            Ok(_) => assert_eq!(self::job(&mut client, &job.id).await.state(), JobState::Cancelled),
            Err(status) => {
                assert_eq!(reason(&status), "JOB_FINAL");
                assert_eq!(self::job(&mut client, &job.id).await.state(), JobState::Ready);
                last += 1;
            }
        }
        let status = client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
        assert_eq!(status.last_batch, last);
    }
    sound(&dir, &mut client, last).await;
    worker.terminate();
    server.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_jobs_duplicates_and_watchers() {
    let dir = Database::Postgres.directory();
    let server = Process::start(dir.path(), Role::server("server"));
    let mut client = server.client().await;
    let crowd = extent(CROWD);
    let first = submit(&mut client, 1).await;
    let mut watchers = Vec::new();
    for number in 0..WATCHERS {
        let request = v1::WatchJobRequest { job_id: first.id.clone(), after_sequence: 0 };
        let mut stream = client.watch_job(request).await.unwrap().into_inner();
        watchers.push(tokio::spawn(async move {
            let mut sequences = Vec::new();
            while let Some(event) = stream.next().await {
                sequences.push(event.unwrap().sequence);
                // Some go away, some are slow.
                match number % 8 {
                    0 => return Vec::new(),
                    1 => sleep(Duration::from_millis(100)).await,
                    _ => {}
                }
            }
            sequences
        }));
    }
    let workers = ["one", "two"].map(|name| Process::start(dir.path(), Role::worker(name, "none")));
    for number in 2..=crowd {
        let (mut one, mut two) = (client.clone(), client.clone());
        let (sent, again) = tokio::join!(one.submit_batch(nth(number)), two.submit_batch(nth(number)));
        let existing = [sent.unwrap(), again.unwrap()].map(|reply| u8::from(reply.into_inner().existing));
        assert_eq!(existing.iter().sum::<u8>(), 1, "batch {number} was entered twice or never");
    }
    sound(&dir, &mut client, crowd).await;
    let all: Vec<u64> =
        watch_within(&mut client, &first.id, 0, JOB_LIMIT).await.iter().map(|event| event.sequence).collect();
    for (number, watcher) in watchers.into_iter().enumerate() {
        let seen = watcher.await.unwrap();
        assert!(number % 8 == 0 || seen == all, "watcher {number} saw {seen:?} of {all:?}");
    }
    for worker in workers {
        worker.terminate();
    }
    server.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_upgrade_changes_keys_without_a_loss() {
    let dir = Database::Postgres.directory();
    let old = Process::start(dir.path(), Role::server("old"));
    let mut client = old.client().await;
    let worker = Process::start(dir.path(), Role::worker("old-worker", "leaf"));
    let first = submit(&mut client, 1).await;
    reaches(&mut client, &first.id, JobState::Proving).await;
    let before = job(&mut client, &first.id).await.last_sequence;
    // A worker that is told to end hands its task back.
    worker.terminate();
    assert!(job(&mut client, &first.id).await.last_sequence > before);
    let old_worker = Process::start(dir.path(), Role::worker("old-worker", "none"));
    submit(&mut client, 2).await;

    // The new server waits until the old one ends.
    let new = Process::spawn(dir.path(), Role::server("new").with_keys(2));
    sleep(Duration::from_secs(1)).await;
    assert!(!new.is_up());
    submit(&mut client, 3).await;
    old.terminate();
    new.wait();
    let mut client = new.client().await;
    submit(&mut client, 4).await;
    let new_worker = Process::start(dir.path(), Role::worker("new-worker", "none").with_keys(2));
    sound(&dir, &mut client, 4).await;
    let log = fs::read_to_string(dir.path().join("old-worker.log")).unwrap();
    assert!(log.contains("other leaf keys"), "{log}");
    old_worker.terminate();
    new_worker.terminate();
    new.terminate();
}
