//! The program itself against a running service: submitting, following, cancelling, fetching proofs, and everything
//! that a service or a demonstration refuses before it starts.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    fs,
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use common::*;
use serde_json::Value;
use tempfile::tempdir;
use tenon_circuits::{
    aggregation::AggregateProof,
    halo2::LeafProof,
    rollup::{AmountCode, Fr, Signature, Transaction, field, json::BatchDocument},
};
use tenon_prover::store::DataDirLock;
use tokio::task::spawn_blocking;

/// Runs the program in a directory, with nothing in its environment.
fn tenon(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tenon"))
        .current_dir(directory)
        .env_clear()
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The standard output of a run that did its work.
fn done(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Asserts that a run failed with this exit code, and that its error has all these parts.
fn failed(output: &Output, code: i32, parts: &[&str]) {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
}

/// A service and the program that talks to it.
struct Caller {
    fixture: Fixture,
    url: String,
}

impl Caller {
    async fn start(more: &[(&str, &str)]) -> Self {
        let fixture = Fixture::start(more).await;
        let url = format!("http://{}", fixture.service.grpc_addr);
        Self { fixture, url }
    }

    fn directory(&self) -> PathBuf {
        self.fixture.dir.path().to_owned()
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let (directory, url) = (self.directory(), self.url.clone());
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let run = move || {
            let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
            all.extend(["--server", &url]);
            tenon(&directory, &all)
        };
        spawn_blocking(run).await.unwrap()
    }

    fn write(&self, name: &str, transactions: Vec<Transaction>) -> BatchDocument {
        let document = document(transactions);
        fs::write(self.directory().join(name), document.to_json()).unwrap();
        document
    }

    /// The state and the number of the last batch.
    async fn position(&self) -> (String, u64) {
        let status = json(&self.run(&["status", "--json"]).await);
        let service = &status["service"];
        (service["state"].as_str().unwrap().to_owned(), service["last_batch"].as_u64().unwrap())
    }
}

fn document(transactions: Vec<Transaction>) -> BatchDocument {
    BatchDocument {
        domain: rollup_domain(),
        timestamp: None,
        fee_accounts: vec![4],
        l1_operations: Vec::new(),
        transactions,
    }
}

#[tokio::test]
async fn a_batch_goes_all_the_way() {
    let caller = Caller::start(&[]).await;
    caller.write("batch.json", vec![transfer(0, 1, 0), transfer(0, 2, 1), transfer(1, 2, 0)]);

    let submitted = caller.run(&["submit", "batch.json", "--json", "--watch"]).await;
    done(&submitted);
    let job = json(&submitted);
    let id = job["id"].as_str().unwrap();
    assert_eq!((job["batch_number"].as_u64(), job["transactions"].as_u64()), (Some(1), Some(3)));
    assert_eq!(job["existing"], false);

    let again = caller.run(&["submit", "batch.json"]).await;
    let again = done(&again);
    assert!(again.contains(id) && again.contains("submitted before"), "{again}");

    let status = json(&caller.run(&["status", id, "--json"]).await);
    assert_eq!(status["state"], "ready");
    assert_eq!(status["receipt"].as_array().unwrap().len(), 3, "two leaf proofs and one aggregate");
    let shown = done(&caller.run(&["status", id]).await);
    assert!(shown.contains("ready, 100%") && shown.contains("aggregate"), "{shown}");
    let listed = done(&caller.run(&["status"]).await);
    assert!(listed.contains(id) && listed.contains("ready"), "{listed}");

    let events = done(&caller.run(&["watch", id, "--json"]).await);
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.last().unwrap()["state"], "ready");
    let seen = events[0]["sequence"].to_string();
    let rest = done(&caller.run(&["watch", id, "--json", "--after", &seen]).await);
    assert_eq!(rest.lines().count(), events.len() - 1);

    let fetched = caller.run(&["proof", id, "--out", "proof.json", "--leaves", "leaves", "--json"]).await;
    done(&fetched);
    assert_eq!(json(&fetched)["batches"], 1);
    let read = |name: &str| fs::read_to_string(caller.directory().join(name)).unwrap();
    let proof: AggregateProof = serde_json::from_str(&read("proof.json")).unwrap();
    assert_eq!(field::to_hex(&proof.batches[0].state_out), job["state_out"].as_str().unwrap());
    let leaf: LeafProof = serde_json::from_str(&read("leaves/leaf-1.json")).unwrap();
    assert_eq!(leaf.public_inputs.state_in, proof.batches[0].state_in);
    assert!(caller.directory().join("leaves/leaf-2.json").is_file());

    failed(&caller.run(&["cancel", id]).await, 2, &["JOB_FINAL"]);
}

#[tokio::test]
async fn a_batch_from_standard_input() {
    let caller = Caller::start(&[]).await;
    let (directory, url) = (caller.directory(), caller.url.clone());
    let output = spawn_blocking(move || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tenon"))
            .current_dir(directory)
            .env_clear()
            .args(["submit", "-", "--json", "--server", &url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let text = document(vec![transfer(0, 1, 0)]).to_json();
        program.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        program.wait_with_output().unwrap()
    })
    .await
    .unwrap();
    done(&output);
    assert_eq!(json(&output)["state"], "accepted");
}

#[tokio::test]
async fn batches_are_cancelled_with_their_successors() {
    let caller = Caller::start(&[]).await;
    caller.fixture.engine.leaf_gate.close();
    let before = caller.position().await;
    let mut ids = Vec::new();
    for nonce in 0..2 {
        caller.write("batch.json", vec![transfer(0, 1, nonce)]);
        let job = json(&caller.run(&["submit", "batch.json", "--json"]).await);
        ids.push(job["id"].as_str().unwrap().to_owned());
    }
    failed(&caller.run(&["cancel", &ids[0]]).await, 2, &["HAS_SUCCESSORS"]);
    let cancelled = json(&caller.run(&["cancel", &ids[0], "--cascade", "--json"]).await);
    assert_eq!(cancelled["cancelled"].as_array().unwrap().len(), 2);
    assert_eq!(caller.position().await, before);
    failed(&caller.run(&["watch", &ids[1]]).await, 1, &["cancelled"]);
    failed(&caller.run(&["proof", &ids[1]]).await, 2, &[]);
    caller.fixture.engine.leaf_gate.open();
}

#[tokio::test]
async fn everything_wrong_with_a_batch_is_reported_and_changes_nothing() {
    let caller = Caller::start(&[]).await;
    let before = caller.position().await;
    let canonical = unsigned(0, 1, 0, 10, 1);
    let wrong = |change: &dyn Fn(&mut Transaction)| {
        let mut transaction = canonical;
        change(&mut transaction);
        transaction
    };
    let forged = Signature { s: field::bigint_from_bytes(&[1; 32]), ..sign(canonical).signature };
    let cases: [(&str, &str, Transaction); 8] = [
        ("SIGNATURE_INVALID", "signature", Transaction { signature: forged, ..canonical }),
        ("NONCE_MISMATCH", "nonce", sign(wrong(&|transaction| transaction.nonce = 7))),
        ("BALANCE_INSUFFICIENT", "amount", sign(unsigned(0, 1, 0, 2_000_000, 1))),
        ("ACCOUNT_UNKNOWN", "to", sign(wrong(&|transaction| transaction.to = 99))),
        ("TOKEN_MISMATCH", "to", sign(wrong(&|transaction| transaction.to = ACCOUNTS - 1))),
        (
            "FLOAT_NOT_CANONICAL",
            "amount",
            sign(wrong(&|transaction| transaction.amount = AmountCode(1 << 35))),
        ),
        ("EXPIRED", "valid_until", sign(wrong(&|transaction| transaction.valid_until = 1))),
        ("KIND_UNKNOWN", "kind", sign(wrong(&|transaction| transaction.kind = 9))),
    ];
    for (reason, field, transaction) in &cases {
        caller.write("batch.json", vec![*transaction]);
        let output = caller.run(&["submit", "batch.json", "--json"]).await;
        failed(&output, 2, &[reason, &format!("transactions[0].{field}")]);
        let refusal = json(&output);
        let rejections = refusal["refused"]["rejections"].as_array().unwrap();
        let found = rejections
            .iter()
            .any(|rejection| rejection["reason"] == *reason && rejection["transaction"] == 0);
        assert!(found, "{reason}: {refusal}");
    }
    let all: Vec<Transaction> = cases.iter().map(|(_, _, transaction)| *transaction).collect();
    for count in [3, 4] {
        caller.write("batch.json", all.iter().copied().skip(count - 3).take(4).collect());
        let output = caller.run(&["submit", "batch.json"]).await;
        failed(&output, 2, &["transactions[0].", "transactions[3]."]);
    }
    caller.write("batch.json", Vec::new());
    failed(&caller.run(&["submit", "batch.json"]).await, 2, &["BATCH_EMPTY"]);
    caller.write("batch.json", (0..5).map(|nonce| transfer(0, 1, nonce)).collect());
    failed(&caller.run(&["submit", "batch.json"]).await, 2, &["BATCH_TOO_LARGE"]);
    let other = BatchDocument { domain: Fr::from(5_u64), ..document(vec![transfer(0, 1, 0)]) };
    fs::write(caller.directory().join("batch.json"), other.to_json()).unwrap();
    failed(&caller.run(&["submit", "batch.json"]).await, 2, &["DOMAIN_MISMATCH"]);
    assert_eq!(caller.position().await, before);
}

#[tokio::test]
async fn requests_that_make_no_sense() {
    let caller = Caller::start(&[]).await;
    let good = caller.write("good.json", vec![transfer(0, 1, 0)]).to_json();
    let documents = [
        ("{\"domain\": ", "not valid JSON"),
        ("[]", "expected an object"),
        (&good.replace("\"fee\"", "\"fees\""), "fees"),
        (&good.replace("\"from\": 0", "\"from\": -1"), "transactions[0].from"),
        (&good.replacen("0x", "0xzz", 1), "expected"),
    ];
    for (text, part) in documents {
        fs::write(caller.directory().join("batch.json"), text).unwrap();
        failed(&caller.run(&["submit", "batch.json"]).await, 2, &["batch.json", part]);
    }
    failed(&caller.run(&["submit", "missing.json"]).await, 2, &["missing.json"]);
    for command in ["status", "watch", "cancel", "proof"] {
        failed(&caller.run(&[command, "nothing-like-it"]).await, 2, &["JOB_UNKNOWN"]);
    }
    let key = ["--idempotency-key", "mine"];
    done(&caller.run(&["submit", "good.json", key[0], key[1]]).await);
    caller.write("other.json", vec![transfer(1, 0, 0)]);
    failed(&caller.run(&["submit", "other.json", key[0], key[1]]).await, 2, &["IDEMPOTENCY_KEY_TAKEN"]);

    let directory = caller.directory();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    failed(&tenon(&directory, &["status", "--server", &url]), 1, &["no service at"]);
    failed(&tenon(&directory, &["status", "--server", "not a url"]), 2, &["not a URL"]);
}

#[test]
fn a_service_refuses_to_start_before_long_work() {
    let directory = tempdir().unwrap();
    let path = directory.path();
    write_genesis(&path.join("genesis.json"));
    let serve = |more: &[&str]| {
        let mut arguments = vec![
            "serve",
            "--size-class",
            "small",
            "--genesis",
            "genesis.json",
            "--keys-dir",
            "keys",
            "--grpc-listen",
            "127.0.0.1:0",
            "--http-listen",
            "127.0.0.1:0",
        ];
        arguments.extend(more);
        // The program refuses flags given twice.
        tenon(path, &last_of_each(&arguments))
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    failed(&serve(&["--grpc-listen", &address]), 1, &[&address, "in use"]);
    failed(&serve(&["--http-listen", &address]), 1, &[&address, "in use"]);

    let held = DataDirLock::take(&path.join("held")).unwrap();
    let own = std::process::id().to_string();
    failed(&serve(&["--data-dir", "held"]), 1, &["held by another process", &own]);
    drop(held);
    fs::write(path.join("file"), "").unwrap();
    failed(&serve(&["--data-dir", "file/data"]), 1, &["file/data"]);

    fs::write(path.join("broken.json"), "{\"accounts\": [{}]}").unwrap();
    failed(&serve(&["--genesis", "broken.json"]), 1, &["broken.json", "accounts[0]"]);
    failed(&serve(&["--size-class", "huge"]), 1, &["small, medium, large", "huge"]);
    failed(
        &serve(&["--grpc-listen", "nowhere", "--max-attempts", "0"]),
        2,
        &["grpc_listen", "nowhere", "max_attempts"],
    );
    failed(&serve(&["--config", "missing.toml"]), 2, &["missing.toml"]);
    assert!(!path.join("keys").exists(), "keys were made");
}

#[test]
fn a_ceremonys_file_that_is_too_small_changes_nothing() {
    let directory = tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../circuits/testdata/ptau/small.ptau");
    let file = file.display().to_string();
    let import = ["keys", "import-ptau", &file, "--size-class", "small", "--keys-dir", "keys"];
    failed(&tenon(directory.path(), &import), 2, &["small.ptau", "found 2^5"]);
    failed(&tenon(directory.path(), &["keys", "import-ptau", "missing.ptau"]), 2, &["missing.ptau"]);
    assert_eq!(fs::read_dir(directory.path().join("keys")).unwrap().count(), 0);
}

/// The arguments, of flags with values only the last of each.
fn last_of_each<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut result: Vec<&str> = vec![arguments[0]];
    for pair in arguments[1..].chunks(2) {
        match result.iter().position(|argument| *argument == pair[0]) {
            Some(place) => result[place + 1] = pair[1],
            None => result.extend(pair),
        }
    }
    result
}

#[test]
fn a_demonstration_refuses_what_cant_fit() {
    let directory = tempdir().unwrap();
    let demo = |arguments: &[&str]| {
        tenon(directory.path(), &[&["demo", "--size-class", "small"], arguments].concat())
    };
    failed(&demo(&["--transfers", "21"]), 2, &["at most 20", "got 21"]);
    failed(&demo(&["--transfers", "2", "--l1", "http://127.0.0.1:9"]), 1, &["127.0.0.1:9"]);
    failed(&demo(&["--transfers", "2", "--l1", "nonsense"]), 2, &["nonsense"]);
    failed(&demo(&["--l1-key-file", "key"]), 2, &["--l1"]);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "something was made");
}

#[tokio::test]
async fn tokens_are_made_shown_once_and_revoked() {
    let dir = tempdir().unwrap();
    let path = dir.path().to_owned();
    let make = |name: &str, scope: &str| {
        let made =
            tenon(&path, &["api-tokens", "new", name, "--scope", scope, "--tokens-file", "tokens.toml"]);
        done(&made).trim().to_owned()
    };
    let reader = make("reader", "read,submit");
    make("boss", "admin");
    let file = path.join("tokens.toml").display().to_string();
    let fixture = Fixture::start_in(dir, TestEngine::new(), &[("tokens_file", &file)]).await;
    let url = format!("http://{}", fixture.service.grpc_addr);
    let status = |token: &str| {
        fs::write(path.join("token"), token).unwrap();
        let (path, url) = (path.clone(), url.clone());
        spawn_blocking(move || tenon(&path, &["status", "--server", &url, "--token-file", "token"]))
    };
    done(&status(&format!("{reader}\n")).await.unwrap());
    failed(&status("tenon_0").await.unwrap(), 2, &["TOKEN_UNKNOWN"]);

    let listed = tenon(&path, &["api-tokens", "list", "--json"]);
    let listed = done(&listed);
    assert!(listed.contains("reader") && !listed.contains(&reader), "{listed}");
    failed(&tenon(&path, &["api-tokens", "new", "reader", "--scope", "read"]), 2, &["reader"]);
    failed(&tenon(&path, &["api-tokens", "new", "other", "--scope", "everything"]), 2, &["everything"]);
    failed(&tenon(&path, &["api-tokens", "revoke", "nobody"]), 2, &["nobody"]);
    done(&tenon(&path, &["api-tokens", "revoke", "reader"]));
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    failed(&status(&reader).await.unwrap(), 2, &["TOKEN_UNKNOWN"]);
    failed(
        &tenon(&path, &["status", "--server", "http://prover.invalid:1", "--token-file", "token"]),
        2,
        &["clear"],
    );
    fixture.service.shutdown().await;
}
