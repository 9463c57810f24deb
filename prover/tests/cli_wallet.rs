//! The program itself: keys and signatures of wallets, and how `keys show`, `verify`, `contracts` and `doctor` fail.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use common::*;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tenon_circuits::{
    halo2::Srs,
    rollup::{
        AmountCode, FeeCode, Recipient, Transaction, field,
        json::{BatchDocument, KeyFile},
    },
};
use tenon_prover::store::DataDirLock;

/// Runs the program in a directory, with nothing in its environment.
fn tenon(directory: &Path, arguments: &[&str]) -> Output {
    command(directory, arguments).output().unwrap()
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenon"));
    command.current_dir(directory).env_clear().args(arguments);
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The standard output of a run that did its work.
fn done(output: Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

/// Asserts that a run failed with this exit code, and that its error has all these parts.
fn failed(output: &Output, code: i32, parts: &[&str]) {
    let error = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{error}");
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
}

fn write_key(directory: &Path, index: u32) -> PathBuf {
    let path = directory.join(format!("key-{index}.json"));
    fs::write(&path, KeyFile { key: key(index) }.to_json()).unwrap();
    path
}

/// Flags of a transfer from account 0 to account 1, without the receiver's.
fn transfer_flags(domain: &str) -> Vec<&str> {
    vec![
        "wallet",
        "sign",
        "--key",
        "key-0.json",
        "--from",
        "0",
        "--to",
        "1",
        "--token",
        "1",
        "--nonce",
        "0",
        "--fee",
        "1",
        "--fee-account",
        "4",
        "--domain",
        domain,
    ]
}

fn assert_signed(document: &BatchDocument, index: usize) {
    let transaction = &document.transactions[index];
    let message = transaction.message(document.domain, &account(transaction.to).recipient());
    assert_eq!(key(transaction.from).public_key().verify(message, &transaction.signature), Ok(()));
}

#[test]
fn a_new_key_is_the_owners_and_never_overwritten() {
    let dir = tempdir().unwrap();
    let shown = done(tenon(dir.path(), &["wallet", "new", "alice.json", "--json"]));
    let path = dir.path().join("alice.json");
    let text = fs::read_to_string(&path).unwrap();
    let public = KeyFile::from_json(&text).unwrap().key.public_key();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["public_key"], json!({ "x": field::to_hex(&public.x), "y": field::to_hex(&public.y) }));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let again = tenon(dir.path(), &["wallet", "new", "alice.json"]);
    failed(&again, 2, &["alice.json", "never overwritten"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    failed(&tenon(dir.path(), &["wallet", "new", "none/alice.json"]), 1, &["none/alice.json"]);

    let seed: Value = serde_json::from_str(&text).unwrap();
    let plain = done(tenon(dir.path(), &["wallet", "new", "bob.json"]));
    assert!(!plain.contains(seed["seed"].as_str().unwrap()) && plain.contains("public key"));
}

#[test]
fn a_transfer_is_signed_without_a_service() {
    let dir = tempdir().unwrap();
    write_key(dir.path(), 0);
    let receiver = account(1);
    let [x, y, domain] = [&receiver.key.x, &receiver.key.y, &rollup_domain()].map(field::to_hex);
    let owner = receiver.owner.to_string();
    let mut flags = transfer_flags(&domain);
    flags.extend(["--to-key-x", &x, "--to-key-y", &y, "--to-owner", &owner]);

    let signed = |more: &[&str]| tenon(dir.path(), &[flags.as_slice(), more].concat());
    let text = done(signed(&["--amount", "120000000000000000000"]));
    let document = BatchDocument::from_json(&text).unwrap();
    assert_signed(&document, 0);
    assert_eq!((document.domain, document.fee_accounts.as_slice()), (rollup_domain(), [4].as_slice()));
    let transaction = document.transactions[0];
    assert_eq!(transaction.amount, AmountCode::encode(120_000_000_000_000_000_000).unwrap());
    assert_eq!((transaction.fee, transaction.valid_until), (FeeCode(1), u32::MAX));

    assert_eq!(done(signed(&["--amount", "10", "--valid-until", "7", "--out", "batch.json"])), "");
    let written = fs::read_to_string(dir.path().join("batch.json")).unwrap();
    let document = BatchDocument::from_json(&written).unwrap();
    assert_signed(&document, 0);
    assert_eq!(document.transactions[0].valid_until, 7);

    let inexact = signed(&["--amount", "34359738369"]);
    failed(&inexact, 2, &["--amount", "34359738369", "the nearest below is 34359738367"]);
    failed(&signed(&["--amount", "-1"]), 2, &["amount"]);
    failed(&signed(&["--amount", "1", "--key", "key-0.json"]), 2, &["--key", "found 2"]);
}

#[test]
fn signing_needs_a_whole_transfer_and_good_values() {
    let dir = tempdir().unwrap();
    write_key(dir.path(), 0);
    let domain = field::to_hex(&rollup_domain());
    let run = |more: &[&str]| tenon(dir.path(), &[transfer_flags(&domain).as_slice(), more].concat());
    failed(&run(&[]), 2, &["--amount"]);
    failed(&run(&["--amount", "1", "--to-owner", "0x12"]), 2, &["--to-owner"]);
    let owner = account(1).owner.to_string();
    failed(&run(&["--amount", "1", "--to-owner", &owner]), 2, &["--to-key-x"]);
    failed(&run(&["--amount", "1", "--batch", "batch.json"]), 2, &["--batch"]);
    let unreachable = run(&["--amount", "1", "--server", "http://127.0.0.1:1"]);
    failed(&unreachable, 1, &["no service at http://127.0.0.1:1"]);

    failed(&tenon(dir.path(), &["wallet", "sign", "--key", "key-0.json"]), 2, &["--from", "--batch"]);
    let mut document: Value = serde_json::from_str(&KeyFile { key: key(0) }.to_json()).unwrap();
    document["public_key"] = json!({ "x": field::to_hex(&1.into()), "y": field::to_hex(&2.into()) });
    fs::write(dir.path().join("key-0.json"), document.to_string()).unwrap();
    let error = run(&["--amount", "1"]);
    failed(&error, 2, &["key-0.json", "public_key"]);
    assert!(!stderr(&error).contains(document["seed"].as_str().unwrap()));
}

/// A batch whose transactions lack their signatures.
fn unsigned_batch(transactions: Vec<Transaction>) -> Value {
    let document = BatchDocument {
        domain: rollup_domain(),
        timestamp: None,
        fee_accounts: vec![4],
        l1_operations: Vec::new(),
        transactions,
    };
    let mut value: Value = serde_json::from_str(&document.to_json()).unwrap();
    for transaction in value["transactions"].as_array_mut().unwrap() {
        transaction.as_object_mut().unwrap().remove("signature");
    }
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_two_senders_is_signed_and_accepted() {
    let mut fixture = Fixture::start(&[]).await;
    let dir = tempdir().unwrap();
    write_key(dir.path(), 0);
    write_key(dir.path(), 2);
    let server = format!("http://{}", fixture.service.grpc_addr);
    let run = |batch: &Value, keys: &[&str]| {
        fs::write(dir.path().join("batch.json"), batch.to_string()).unwrap();
        let keys: Vec<_> = keys.iter().flat_map(|key| ["--key", key]).collect();
        let fixed = ["wallet", "sign", "--batch", "batch.json", "--server", &server];
        tenon(dir.path(), &[fixed.as_slice(), &keys].concat())
    };

    let transfers = vec![unsigned(0, 1, 0, 5, 1), unsigned(2, 3, 0, 6, 1)];
    let batch = unsigned_batch(transfers.clone());
    let text = done(run(&batch, &["key-0.json", "key-2.json"]));
    let document = BatchDocument::from_json(&text).unwrap();
    assert_signed(&document, 0);
    assert_signed(&document, 1);
    fixture.submit(request("signed", &document.transactions)).await;

    failed(&run(&batch, &["key-0.json"]), 2, &["--key", "account 2"]);
    failed(&run(&serde_json::from_str(&text).unwrap(), &["key-0.json"]), 2, &["all of them signed"]);
    let unknown = unsigned_batch(vec![unsigned(0, 99, 1, 5, 1)]);
    failed(&run(&unknown, &["key-0.json"]), 2, &["99"]);
    let wrong: [(&str, Value); 5] = [
        ("amount", json!((AmountCode(1).0 | 1 << 35).to_string())),
        ("fee", json!(FeeCode(1).0 | 1 << 11)),
        ("nonce", json!(((1u64 << 40) - 1).to_string())),
        ("kind", json!(4)),
        ("to", json!(3)),
    ];
    for (field, value) in wrong {
        let mut batch = unsigned_batch(transfers.clone());
        if field == "to" {
            // What a transfer needs, a withdrawal must not have.
            batch["transactions"][1]["kind"] = json!(2);
        }
        batch["transactions"][1][field] = value;
        let path = format!("transactions[1].{field}");
        failed(&run(&batch, &["key-0.json", "key-2.json"]), 2, &[&path]);
    }
    let mut batch = unsigned_batch(transfers);
    batch["transactions"][0]["valid"] = json!(1);
    failed(&run(&batch, &["key-0.json"]), 2, &["batch.json", "transactions[0]", "\"valid\""]);
    failed(&run(&json!([1]), &["key-0.json"]), 2, &["batch.json", "expected an object"]);
    fixture.service.shutdown().await;
}

/// The flags that withdrawals and opens have in common, from account 0.
fn payment_flags<'a>(command: &'a str, domain: &'a str) -> Vec<&'a str> {
    let fixed = ["wallet", command, "--key", "key-0.json", "--from", "0", "--token", "1", "--nonce", "0"];
    [&fixed[..], &["--fee", "1", "--fee-account", "4", "--domain", domain]].concat()
}

#[test]
fn withdrawals_and_opens_are_signed_without_a_service() {
    let dir = tempdir().unwrap();
    write_key(dir.path(), 0);
    let domain = field::to_hex(&rollup_domain());
    let run = |command: &str, more: &[&str]| {
        tenon(dir.path(), &[payment_flags(command, &domain).as_slice(), more].concat())
    };
    let verify = |text: &str, recipient: Recipient| {
        let document = BatchDocument::from_json(text).unwrap();
        assert_eq!(document.fee_accounts, [4]);
        let [transaction] = document.transactions[..] else { panic!("one transaction") };
        let message = transaction.message(rollup_domain(), &recipient);
        assert_eq!(key(0).public_key().verify(message, &transaction.signature), Ok(()));
        assert_eq!(transaction.to, 0);
        transaction
    };
    let (sender, opened) = (account(0).recipient(), account(9).recipient());
    let owner = sender.owner.to_string();
    let withdrawn = done(run("withdraw", &["--amount", "50", "--owner", &owner]));
    let transaction = verify(&withdrawn, sender);
    assert_eq!((transaction.kind, transaction.amount, transaction.opens), (2, AmountCode(50), None));
    failed(&run("withdraw", &["--amount", "0", "--owner", &owner]), 2, &["amount", "at least 1"]);
    failed(&run("withdraw", &["--amount", "34359738369", "--owner", &owner]), 2, &["the nearest below"]);
    failed(&run("withdraw", &["--owner", &owner]), 2, &["--amount"]);

    let owner = opened.owner.to_string();
    let [x, y] = [&opened.key.x, &opened.key.y].map(field::to_hex);
    let keyed = ["--new-owner", &owner, "--new-key-x", &x, "--new-key-y", &y];
    assert_eq!(done(run("open", &[&keyed[..], &["--out", "open.json"]].concat())), "");
    let written = fs::read_to_string(dir.path().join("open.json")).unwrap();
    let transaction = verify(&written, opened);
    assert_eq!((transaction.kind, transaction.opens), (3, Some(opened)));
    let own_key = Recipient { key: sender.key, ..opened };
    assert_eq!(verify(&done(run("open", &["--new-owner", &owner])), own_key).opens, Some(own_key));
    failed(&run("open", &["--new-owner", &format!("0x{}", "0".repeat(40))]), 2, &["opens.owner"]);
    failed(&run("open", &["--new-owner", &owner, "--new-key-x", &x]), 2, &["--new-key-y"]);
    failed(
        &run("open", &["--new-owner", &owner, "--new-key-x", &x, "--new-key-y", &x]),
        2,
        &["on the curve"],
    );
    failed(&run("open", &[]), 2, &["--new-owner"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawals_and_opens_are_accepted() {
    let mut fixture = Fixture::start(&[]).await;
    let dir = tempdir().unwrap();
    write_key(dir.path(), 0);
    write_key(dir.path(), 2);
    let domain = field::to_hex(&rollup_domain());
    let server = format!("http://{}", fixture.service.grpc_addr);
    // The owner comes from the service.
    let flags = payment_flags("withdraw", &domain);
    let text = done(tenon(dir.path(), &[&flags[..], &["--amount", "50", "--server", &server]].concat()));
    let document = BatchDocument::from_json(&text).unwrap();
    fixture.submit(request("withdrawn", &document.transactions)).await;
    assert_eq!(fixture.account(0).await.account.unwrap().balance, (BALANCE - 51).to_string());

    // Both kinds, unsigned in a batch, with operations of the queue.
    let mut batch = unsigned_batch(vec![opening(0, 1, 9), withdrawal(2, 0, 7, 1)]);
    let exit = json!({ "type": "forced_exit", "index": 3, "owner": account(3).owner.to_string() });
    batch["l1_operations"] = json!([exit]);
    fs::write(dir.path().join("batch.json"), batch.to_string()).unwrap();
    let sign = ["wallet", "sign", "--batch", "batch.json", "--key", "key-0.json", "--key", "key-2.json"];
    let signed = [&sign[..], &["--server", &server, "--out", "signed.json"]].concat();
    assert_eq!(done(tenon(dir.path(), &signed)), "");
    let submitted = done(tenon(dir.path(), &["submit", "signed.json", "--server", &server, "--json"]));
    let job: Value = serde_json::from_str(&submitted).unwrap();
    assert_eq!((&job["l1_operations"], &job["transactions"]), (&json!(1), &json!(2)));
    assert_eq!(fixture.account(ACCOUNTS).await.account.unwrap().owner, account(9).owner.0);
    assert_eq!(fixture.account(3).await.account.unwrap().balance, "0");
    fixture.service.shutdown().await;
}

#[test]
fn stored_keys_are_shown_without_making_any() {
    let dir = tempdir().unwrap();
    let text = done(tenon(dir.path(), &["keys", "show"]));
    assert!(text.contains("no keys") && text.contains("tenon keys setup"), "{text}");
    assert!(!dir.path().join(".tenon").exists());

    let keys = dir.path().join("keys");
    fs::create_dir(&keys).unwrap();
    let digest = Srs::load_or_create(&keys, 5).unwrap().digest();
    let shown = done(tenon(dir.path(), &["keys", "show", "--keys-dir", "keys", "--json"]));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let string = &shown["files"][0]["set_up_string"];
    assert_eq!(string, &json!({ "k": 5, "source": "development", "digest": hex::encode(digest) }));
    assert_eq!(shown["insecure_setup"], true);
    let text = done(tenon(dir.path(), &["keys", "show", "--keys-dir", "keys"]));
    assert!(text.contains("INSECURE"), "{text}");

    flip_last_byte(&keys.join("srs-5.bin"));
    fs::write(keys.join("leaf-small-k14.key"), "not a key").unwrap();
    let output = tenon(dir.path(), &["keys", "show", "--keys-dir", "keys"]);
    failed(&output, 1, &["srs-5.bin is damaged", "leaf-small-k14.key"]);
    assert!(stdout(&output).contains("UNUSABLE"));
    failed(&tenon(dir.path(), &["keys", "setup", "--size-class", "giant"]), 2, &["giant", "small"]);
}

fn flip_last_byte(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn verify_tells_files_without_a_proof_from_proofs_without_keys() {
    let dir = tempdir().unwrap();
    let verify = |text: Option<&str>| {
        if let Some(text) = text {
            fs::write(dir.path().join("proof.json"), text).unwrap();
        }
        tenon(dir.path(), &["verify", "proof.json", "--size-class", "small"])
    };
    failed(&verify(None), 2, &["proof.json"]);
    failed(&verify(Some("proof")), 2, &["proof.json"]);
    failed(&verify(Some("{}")), 2, &["expected an aggregate proof", "found neither"]);
    failed(&verify(Some("[1]")), 2, &["found neither"]);
    failed(&verify(Some(r#"{"batches": 1, "proof": "0x"}"#)), 2, &["aggregate proof"]);
    failed(&verify(Some(r#"{"batches": [], "proof": "00"}"#)), 2, &["0x"]);
    failed(&verify(Some(r#"{"public_inputs": {}, "proof": "0x"}"#)), 2, &["leaf proof", "domain"]);
    failed(&verify(Some(&" ".repeat(1 << 21))), 2, &["at most"]);

    let missing = verify(Some(r#"{"batches": [], "proof": "0x00"}"#));
    failed(&missing, 1, &["srs-14.bin is missing", "tenon keys setup"]);
    assert!(!dir.path().join(".tenon").exists());
}

#[test]
fn contracts_are_not_deployed_from_bad_input() {
    let dir = tempdir().unwrap();
    let deploy = |more: &[&str]| tenon(dir.path(), &[&["contracts", "deploy"], more].concat());
    failed(&deploy(&["--l1", "http://127.0.0.1:1"]), 1, &["http://127.0.0.1:1"]);
    let flags = ["--l1", "http://127.0.0.1:1", "--genesis", "genesis.json"];
    failed(&deploy(&flags), 2, &["genesis.json"]);
    fs::write(dir.path().join("genesis.json"), r#"{"accounts": [{"token": 1}]}"#).unwrap();
    failed(&deploy(&flags), 2, &["accounts[0]", "key"]);
    write_genesis(&dir.path().join("genesis.json"));
    failed(&deploy(&flags), 1, &["http://127.0.0.1:1"]);
    failed(&deploy(&["--l1", "nowhere", "--genesis", "genesis.json"]), 2, &["nowhere"]);
    fs::write(dir.path().join("l1.key"), "secret").unwrap();
    let error = deploy(&[flags.as_slice(), &["--l1-key-file", "l1.key"]].concat());
    failed(&error, 2, &["expected 32 bytes in hexadecimal"]);
    assert!(!stderr(&error).contains("secret"));
}

/// The exit code of `doctor` on free ports, and its report.
fn diagnose(dir: &TempDir, data_dir: &str, more: &[&str]) -> (Option<i32>, Value) {
    let fixed = ["doctor", "--json", "--size-class", "small", "--data-dir", data_dir, "--keys-dir", "keys"];
    let ports = ["--grpc-listen", "127.0.0.1:0"];
    let output = tenon(dir.path(), &[fixed.as_slice(), &ports, more].concat());
    (output.status.code(), serde_json::from_str(&stdout(&output)).unwrap())
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {report}"))
}

#[test]
fn doctor_leaves_nothing_behind() {
    let dir = tempdir().unwrap();
    write_genesis(&dir.path().join("genesis.json"));
    let (_, report) = diagnose(&dir, "data", &["--http-listen", "127.0.0.1:0", "--genesis", "genesis.json"]);
    for name in ["environment", "data directory", "gRPC port", "HTTP port", "genesis"] {
        assert_eq!(check(&report, name)["status"], "ok", "{report}");
    }
    for name in ["keys", "rollup"] {
        assert_eq!(check(&report, name)["status"], "warn", "{report}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn doctor_finds_what_is_wrong() {
    let dir = tempdir().unwrap();
    let _held = DataDirLock::take(&dir.path().join("data")).unwrap();
    let keys = dir.path().join("keys");
    fs::create_dir(&keys).unwrap();
    Srs::load_or_create(&keys, 5).unwrap();
    flip_last_byte(&keys.join("srs-5.bin"));
    fs::write(dir.path().join("genesis.json"), "{").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();

    let flags = ["--http-listen", &taken, "--genesis", "genesis.json", "--l1", "http://127.0.0.1:1"];
    let (code, report) = diagnose(&dir, "data", &flags);
    assert_eq!(code, Some(1));
    assert_eq!(report["healthy"], false);
    for (name, found) in [
        ("data directory", "held by another process"),
        ("HTTP port", "in use"),
        ("genesis", "genesis.json"),
        ("key files", "srs-5.bin is damaged"),
        ("L1", "http://127.0.0.1:1"),
    ] {
        let check = check(&report, name);
        assert_eq!(check["status"], "fail", "{report}");
        assert!(check["found"].as_str().unwrap().contains(found), "{check}");
        assert!(!check["advice"].as_str().unwrap().is_empty());
    }

    let (code, report) = diagnose(&dir, "genesis.json/data", &flags);
    assert_eq!(code, Some(1));
    assert_eq!(check(&report, "data directory")["status"], "fail");
}

#[test]
fn a_changed_degree_is_refused() {
    let dir = tempdir().unwrap();
    let doctor = command(dir.path(), &["doctor"]).env("MAX_DEGREE", "9").output().unwrap();
    failed(&doctor, 1, &["checks failed"]);
    let text = stdout(&doctor);
    assert!(text.contains("FAIL  environment") && text.contains("-> unset MAX_DEGREE"), "{text}");
    let mut setup = command(dir.path(), &["keys", "setup", "--size-class", "small"]);
    failed(&setup.env("MAX_DEGREE", "9").output().unwrap(), 1, &["MAX_DEGREE"]);
}

#[test]
fn wrong_settings_are_all_reported() {
    let dir = tempdir().unwrap();
    let output = tenon(dir.path(), &["doctor", "--max-attempts", "0", "--chain-id", "x"]);
    failed(&output, 2, &["max_attempts", "chain_id"]);
}
