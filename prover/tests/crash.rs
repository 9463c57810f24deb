//! Processes that die at every stage, restarts, and directories that can't be used.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::*;
use tenon_proto::v1::{self, JobState, prover_client::ProverClient};
use tenon_prover::{Service, StartError, store::LockError};
use tonic::transport::Channel;

const CHILD: &str = "TENON_TEST_CHILD";
const STAGE: &str = "TENON_TEST_STAGE";

/// A service in a process of its own.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    /// Starts a service that hangs in `stage`.
    fn start(dir: &Path, stage: &str) -> Self {
        let address = dir.join("address");
        let _ = fs::remove_file(&address);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_process", "--ignored", "--nocapture"])
            .env(CHILD, dir)
            .env(STAGE, stage)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        let address = loop {
            match fs::read_to_string(&address) {
                Ok(text) if text.ends_with('\n') => break text.trim().to_owned(),
                _ => assert!(started.elapsed() < Duration::from_secs(20), "the child didn't start"),
            }
            thread::sleep(Duration::from_millis(10));
        };
        Self { child, address }
    }

    async fn client(&self) -> ProverClient<Channel> {
        connect_to(&self.address).await
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other process of these tests, which start it by name.
#[test]
#[ignore = "started by the other tests"]
fn child_process() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let dir = PathBuf::from(dir);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let engine = TestEngine::new();
        match std::env::var(STAGE).unwrap().as_str() {
            "leaf" => engine.leaf_gate.close(),
            "aggregate" => engine.aggregate_gate.close(),
            _ => {}
        }
        let service = Service::start(config(&dir, &[("checkpoint_interval", "2")]), engine).await.unwrap();
        fs::write(dir.join("address.tmp"), format!("{}\n", service.grpc_addr)).unwrap();
        fs::rename(dir.join("address.tmp"), dir.join("address")).unwrap();
        std::future::pending::<()>().await;
        service.shutdown().await;
    });
}

async fn state_of(client: &mut ProverClient<Channel>, id: &str) -> JobState {
    let request = v1::GetJobRequest { job_id: id.to_owned() };
    client.get_job(request).await.unwrap().into_inner().job.unwrap().state()
}

async fn submit(client: &mut ProverClient<Channel>, request: v1::SubmitBatchRequest) -> v1::Job {
    client.submit_batch(request).await.unwrap().into_inner().job.unwrap()
}

async fn wait_for(client: &mut ProverClient<Channel>, id: &str, state: JobState) {
    let started = Instant::now();
    while state_of(client, id).await != state {
        assert!(started.elapsed() < Duration::from_secs(20), "job {id} never {state:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

on_each_database! {
    killed_at_every_stage_and_restarted,
    killed_at_any_moment,
    an_orderly_stop_hands_tasks_back,
    proofs_of_other_keys_are_made_again,
    state_survives_a_damaged_checkpoint,
    a_directory_has_one_process,
    a_directory_belongs_to_one_rollup,
}

async fn killed_at_every_stage_and_restarted(on: Database) {
    let dir = on.directory();
    let process = Process::start(dir.path(), "leaf");
    let mut client = process.client().await;
    let mut jobs = vec![];
    for number in 1..=3 {
        jobs.push(submit(&mut client, nth(number)).await);
    }
    wait_for(&mut client, &jobs[0].id, JobState::Proving).await;
    let seen = jobs[0].last_sequence;
    process.kill();

    let process = Process::start(dir.path(), "aggregate");
    let mut client = process.client().await;
    let status = client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.last_batch, &status.state), (3, &jobs[2].state_out));
    for job in &jobs {
        wait_for(&mut client, &job.id, JobState::Aggregating).await;
    }
    let again = client.submit_batch(nth(2)).await.unwrap().into_inner();
    assert!(again.existing && again.job.unwrap().id == jobs[1].id);
    jobs.push(submit(&mut client, nth(4)).await);
    process.kill();

    let process = Process::start(dir.path(), "none");
    let mut client = process.client().await;
    for job in &jobs {
        let events = watch(&mut client, &job.id, 0).await;
        assert_eq!(events.last().unwrap().state(), JobState::Ready);
    }
    let rest = watch(&mut client, &jobs[0].id, seen).await;
    assert_eq!(rest.len() + 1, watch(&mut client, &jobs[0].id, 0).await.len());
    let account = client.get_account(v1::GetAccountRequest { index: 0 }).await.unwrap().into_inner();
    assert_eq!(account.account.unwrap().nonce, 4);
    process.kill();

    // Finished work is there after a kill too.
    let process = Process::start(dir.path(), "leaf");
    let mut client = process.client().await;
    let request = v1::GetProofRequest {
        subject: Some(v1::get_proof_request::Subject::BatchNumber(4)),
        with_leaf_proofs: true,
    };
    let proof = client.get_proof(request).await.unwrap().into_inner().proof.unwrap();
    assert_eq!(proof.batches.last().unwrap().state_out, jobs[3].state_out);
    process.kill();
}

async fn killed_at_any_moment(on: Database) {
    let dir = on.directory();
    let mut number = 0;
    const ROUNDS: u64 = 12;
    for round in 0..ROUNDS {
        let process = Process::start(dir.path(), "none");
        let mut client = process.client().await;
        let sender = {
            let mut client = client.clone();
            tokio::spawn(async move {
                // Until the process dies, or the round's batches are in.
                for next in number + 1..=number + 3 {
                    if client.submit_batch(nth(next)).await.is_err() {
                        return;
                    }
                }
            })
        };
        // The first batch of a process waits for the blobs' set-up to be read.
        tokio::time::sleep(Duration::from_millis(300 * round)).await;
        if round < ROUNDS - 1 {
            process.kill();
            sender.await.unwrap();
        } else {
            // However slow the machine is, something is in at the end.
            sender.await.unwrap();
            process.kill();
        }
        let _ = client.get_status(v1::GetStatusRequest {}).await;

        let process = Process::start(dir.path(), "leaf");
        let mut client = process.client().await;
        let status = client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
        assert!((number..=number + 3).contains(&status.last_batch));
        number = status.last_batch;
        process.kill();
    }
    let process = Process::start(dir.path(), "none");
    let mut client = process.client().await;
    let list = v1::ListJobsRequest { page_size: 500, ..Default::default() };
    let jobs = client.list_jobs(list).await.unwrap().into_inner().jobs;
    assert_eq!(jobs.len() as u64, number);
    assert!(number > 0);
    for job in jobs {
        assert_eq!(watch(&mut client, &job.id, 0).await.last().unwrap().state(), JobState::Ready);
    }
    process.kill();
}

async fn an_orderly_stop_hands_tasks_back(on: Database) {
    let mut fixture = Fixture::on(on, &[]).await;
    fixture.engine.leaf_gate.close();
    let job = fixture.submit(nth(1)).await;
    fixture.wait_for(&job.id, JobState::Proving).await;
    let hanging = fixture.engine.clone();
    let mut fixture = fixture.restart(TestEngine::new(), &[]).await;
    let events = fixture.watch(&job.id, 0).await;
    assert!(events.iter().any(|event| event.message.contains("the worker stops")));
    assert_eq!(events.last().unwrap().state(), JobState::Ready);
    let leaf = &fixture.proof_of(&job.id).await.unwrap().receipt.unwrap().stages[0];
    assert_eq!(leaf.attempts, 2);
    hanging.leaf_gate.open();
    fixture.service.shutdown().await;
}

async fn proofs_of_other_keys_are_made_again(on: Database) {
    let mut fixture = Fixture::on(on, &[("aggregation_max_age", "1h")]).await;
    let job = fixture.submit(nth(1)).await;
    fixture.wait_for(&job.id, JobState::Aggregating).await;
    let mut fixture = fixture.restart(TestEngine::with_keys(2), &[]).await;
    assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    let stages = fixture.proof_of(&job.id).await.unwrap().receipt.unwrap().stages;
    assert_eq!(stages[0].key_digest, [33; 32]);
    fixture.service.shutdown().await;
}

async fn state_survives_a_damaged_checkpoint(on: Database) {
    let more = [("checkpoint_interval", "1")];
    let mut fixture = Fixture::on(on, &more).await;
    let mut last = None;
    for number in 1..=3 {
        last = Some(fixture.submit(nth(number)).await);
    }
    let checkpoints = fixture.dir.path().join("data/checkpoints");
    assert_eq!(fs::read_dir(&checkpoints).unwrap().count(), 3);
    for entry in fs::read_dir(&checkpoints).unwrap() {
        fs::write(entry.unwrap().path(), "[]").unwrap();
    }
    let mut fixture = fixture.restart(TestEngine::new(), &more).await;
    assert_eq!(fixture.status().await.state, last.unwrap().state_out);
    fixture.service.shutdown().await;
}

async fn a_directory_has_one_process(on: Database) {
    let fixture = Fixture::on(on, &[]).await;
    let error = Service::start(config(fixture.dir.path(), &[]), TestEngine::new()).await.err().unwrap();
    assert!(matches!(error, StartError::DataDir(LockError::Held { .. })), "{error}");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    let fixture = fixture.restart(TestEngine::new(), &[]).await;
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_directories_and_ports_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("blocked");
    fs::write(&blocked, "a file").unwrap();
    let data = blocked.join("data").display().to_string();
    let config_of = |more: &[(&str, &str)]| config(dir.path(), more);
    let error = Service::start(config_of(&[("data_dir", &data)]), TestEngine::new()).await.err().unwrap();
    assert!(error.to_string().contains("not writable"), "{error}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for setting in ["grpc_listen", "http_listen"] {
        let config = config_of(&[(setting, &address)]);
        let error = Service::start(config, TestEngine::new()).await.err().unwrap().to_string();
        assert!(error.contains(setting) && error.contains("in use"), "{error}");
    }

    let missing = dir.path().join("missing.json").display().to_string();
    let error = Service::start(config_of(&[("genesis", &missing)]), TestEngine::new()).await.err().unwrap();
    assert!(error.to_string().contains("missing.json"), "{error}");
}

async fn a_directory_belongs_to_one_rollup(on: Database) {
    let fixture = Fixture::on(on, &[]).await;
    let Fixture { dir, service, .. } = fixture;
    service.shutdown().await;
    let other = config(dir.path(), &[("chain_id", "5")]);
    let error = Service::start(other, TestEngine::new()).await.err().unwrap().to_string();
    assert!(error.contains("chain id 31337") && error.contains('5'), "{error}");
    let other = config(dir.path(), &[("genesis", "")]);
    let error = Service::start(other, TestEngine::new()).await.err().unwrap().to_string();
    assert!(error.contains("genesis state"), "{error}");
}
