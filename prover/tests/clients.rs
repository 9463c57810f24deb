//! The client and the examples, in Rust, Python and shell, against a running service.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[allow(dead_code)]
#[path = "../examples/pay.rs"]
mod pay;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use common::*;
use pay::{Transfer, pay};
use tenon_circuits::rollup::json::BatchDocument;
use tenon_proto::{
    client::{Client, Error},
    v1::JobState,
};
use tenon_prover::api_tokens::{Scope, TokenFile};
use tokio::{task::spawn_blocking, time::sleep};
use tonic::Code;

fn url(fixture: &Fixture) -> String {
    format!("http://{}", fixture.service.grpc_addr)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_example_pays() {
    let fixture = Fixture::start(&[]).await;
    let mut client = Client::to(url(&fixture)).connect().await.unwrap();
    let transfer = Transfer { from: 0, to: 1, token: 1, amount: 500 };
    let told = pay(&mut client, &key(0), transfer).await.unwrap();
    assert_eq!(told, format!("batch 1 is 4; account 0 has {} left", BALANCE - 500));
    assert_eq!(client.account(1).await.unwrap().account.unwrap().balance, (BALANCE + 500).to_string());
    let wrong = pay(&mut client, &key(3), transfer).await.unwrap_err();
    assert!(wrong.to_string().contains("transactions[0].signature: SIGNATURE_INVALID"), "{wrong}");
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_waits_for_room_and_outlives_a_restart() {
    let mut fixture = Fixture::start(&[("max_queued_batches", "1"), ("aggregation_max_age", "10ms")]).await;
    fixture.engine.leaf_gate.close();
    let mut client = Client::to(url(&fixture)).connect().await.unwrap();
    let (first, existing) = client.submit(nth(1)).await.unwrap();
    assert!(!existing && client.submit(nth(1)).await.unwrap().1);
    let refused = client.clone().tries(1).submit(nth(2)).await.unwrap_err();
    let refusal = refused.refusal().unwrap();
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::ResourceExhausted, "QUEUE_FULL"));
    assert!(refusal.retry_after.unwrap() > Duration::ZERO);
    let mut waiting = client.clone();
    let second = tokio::spawn(async move { waiting.submit(nth(2)).await });
    sleep(Duration::from_millis(300)).await;
    assert!(!second.is_finished());

    // The service restarts on the same port while a job is watched: every event comes once, in order.
    let mut watch = client.watch(&first.id, 0);
    let mut sequences = vec![watch.next().await.unwrap().unwrap().sequence];
    let address = fixture.service.grpc_addr.to_string();
    let engine = fixture.engine.clone();
    engine.leaf_gate.open();
    fixture = fixture.restart(engine, &[("grpc_listen", &address), ("max_queued_batches", "4")]).await;
    let mut last = None;
    while let Some(event) = watch.next().await.unwrap() {
        sequences.push(event.sequence);
        last = Some(event.state());
    }
    assert_eq!(last, Some(JobState::Ready));
    assert!(sequences.is_sorted_by(|earlier, later| earlier < later), "{sequences:?}");
    let second = second.await.unwrap().unwrap().0;
    assert_eq!(client.finished(&second.id).await.unwrap().state(), JobState::Ready);
    assert_eq!(client.proof(&second.id).await.unwrap().proof.unwrap().batches.len(), 1);

    let all = client.jobs(&[], 100).await.unwrap();
    assert_eq!(all.iter().map(|job| job.batch_number).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(client.jobs(&[JobState::Failed], 100).await.unwrap().len(), 0);
    assert_eq!(client.jobs(&[], 1).await.unwrap().len(), 1);
    let unknown = client.job("nothing-like-it").await.unwrap_err();
    assert_eq!(unknown.refusal().unwrap().reason, "JOB_UNKNOWN");
    fixture.service.shutdown().await;
}

#[tokio::test]
async fn a_connection_that_cant_be_made_says_why() {
    let setup = |error| matches!(error, Error::Setup(_));
    assert!(setup(Client::to("not a url").connect().await.unwrap_err()));
    assert!(setup(Client::to("https://127.0.0.1:1").connect().await.unwrap_err()));
    let clear = Client::to("http://prover.invalid:1").token("tenon_0").connect().await.unwrap_err();
    assert!(clear.to_string().contains("in the clear") && !clear.to_string().contains("tenon_0"), "{clear}");
    let nobody = Client::to("http://127.0.0.1:1").connect().await.unwrap_err();
    assert!(matches!(nobody, Error::Connect { .. }), "{nobody}");
    let secret = format!("{:?}", Client::to("http://127.0.0.1:1").token("tenon_0"));
    assert!(!secret.contains("tenon_0"), "{secret}");
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/examples")
}

/// A Python with the examples' packages, made once. `None` where there is no Python and none is required.
fn python() -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = home.join("bin/python");
    let requirements = examples().join("python/requirements.txt");
    let stamp = home.join("requirements.txt");
    if fs::read(&stamp).ok() == fs::read(&requirements).ok() {
        return Some(python);
    }
    let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home).output();
    match made {
        Ok(made) => assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr)),
        Err(error) if std::env::var_os("CI").is_some() => panic!("python3: {error}"),
        Err(error) => {
            eprintln!("the Python and shell examples aren't run: python3: {error}");
            return None;
        }
    }
    let installed = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "-r"])
        .arg(&requirements)
        .output()
        .unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    fs::copy(requirements, stamp).unwrap();
    Some(python)
}

/// Runs a program to its end: whether it did its work, and everything that it wrote.
async fn run(mut command: Command) -> (bool, String) {
    let output = spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_and_shell_examples_work() {
    let Some(python) = spawn_blocking(python).await.unwrap() else { return };
    let dir = tempfile::tempdir().unwrap();
    let tokens = TokenFile::new(dir.path().join("tokens.toml"));
    let token = tokens.add("examples", &[Scope::Submit, Scope::Read], None).unwrap();
    let batch = dir.path().join("batch.json");
    let document = |nonce: u64| BatchDocument {
        domain: rollup_domain(),
        timestamp: None,
        fee_accounts: vec![4],
        l1_operations: Vec::new(),
        transactions: vec![transfer(0, 1, nonce), sign(opening(1, nonce, 9))],
    };
    fs::write(&batch, document(0).to_json()).unwrap();
    let wrong = dir.path().join("wrong.json");
    fs::write(&wrong, document(7).to_json()).unwrap();
    let path = tokens.path().display().to_string();
    let fixture = Fixture::start_in(dir, TestEngine::new(), &[("tokens_file", &path)]).await;
    let address = fixture.service.grpc_addr.to_string();
    let example = |file: &str, arguments: &[&str]| {
        let mut command = Command::new(&python);
        command
            .arg(examples().join(file))
            .args(arguments)
            .env("TENON_SERVER", &address)
            .env("TENON_TOKEN", &token);
        command
    };
    let (done, told) = run(example("python/submit.py", &[&batch.display().to_string()])).await;
    assert!(done && told.contains("JOB_STATE_READY") && told.contains("for 1 batches"), "{told}");
    let (done, told) = run(example("python/submit.py", &[&wrong.display().to_string()])).await;
    assert!(!done && told.contains("INVALID_ARGUMENT"), "{told}");

    let (done, told) = run(example("shell/call.py", &["Prover/GetStatus"])).await;
    assert!(done && told.contains("\"last_batch\": \"1\""), "{told}");
    let (done, told) = run(example("shell/call.py", &["Prover/Nothing"])).await;
    assert!(!done && told.contains("Prover/Nothing"), "{told}");
    let (done, told) = run(example("shell/call.py", &["--token", "wrong", "Prover/GetStatus"])).await;
    assert!(!done, "{told}");
    let mut watch = Command::new("bash");
    watch.arg(examples().join("shell/watch.sh"));
    watch.env("PYTHON", &python).env("TENON_SERVER", &address).env("TENON_TOKEN", &token);
    let (done, told) = run(watch).await;
    assert!(done && told.starts_with("batch 1, ") && told.ends_with("JOB_STATE_READY\n"), "{told}");
    fixture.service.shutdown().await;
}
