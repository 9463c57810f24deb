//! Witnesses and proofs in an S3-compatible store: moto's server, from PyPI.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use alloy::primitives::B256;
use common::*;
use tenon_circuits::rollup::field;
use tenon_proto::v1::JobState;
use tenon_prover::{
    settlement::Archive,
    store::{
        L1Store,
        files::{FileError, FileKind, Files},
        place::Place,
    },
};
use tokio::{runtime::Handle, task::spawn_blocking};

const VERSION: &str = "5.2.5";
const BUCKET: &str = "tenon-test";
const ADDRESS: &str = "s3://tenon-test/rollup/1";
const ENDPOINT: &str = "AWS_ENDPOINT";
/// The store wants some signature for what is there already, and checks none.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, \
                             SignedHeaders=host, Signature=0";

/// Longest wait for the store's start.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The store.
struct Moto {
    program: PathBuf,
    port: u16,
    child: Child,
}

impl Moto {
    fn start() -> Self {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        let program = PROGRAM.get_or_init(install).clone();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Self::spawn(&program, port);
        Self { program, port, child }
    }

    fn spawn(program: &Path, port: u16) -> Child {
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while put(port, &format!("/{BUCKET}"), "") != 200 {
            assert!(started.elapsed() < START_LIMIT, "moto didn't start");
            thread::sleep(Duration::from_millis(100));
        }
        child
    }

    /// It loses everything, as it keeps nothing on disk.
    fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::spawn(&self.program, self.port);
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Its program, in a virtual environment of the tests' own.
fn install() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("moto-{VERSION}"));
    let program = directory.join("bin/moto_server");
    if !program.is_file() {
        let run = |program: &Path, args: &[&str]| {
            let done = Command::new(program).args(args).output();
            let done = done.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        run(Path::new("python3"), &["-m", "venv", &directory.display().to_string()]);
        let package = format!("moto[s3]=={VERSION}");
        run(&directory.join("bin/pip"), &["install", "--quiet", &package, "flask", "flask-cors"]);
    }
    program
}

/// A PUT; gives the status, or 0 where nothing answers.
fn put(port: u16, path: &str, content: &str) -> u16 {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return 0 };
    let length = content.len();
    let request = format!(
        "PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {AUTHORIZATION}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{content}"
    );
    let mut reply = String::new();
    if stream.write_all(request.as_bytes()).is_err() || stream.read_to_string(&mut reply).is_err() {
        return 0;
    }
    reply.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// Runs the tests below in a process that has the credentials in its environment, as a service has them.
fn in_environment(port: u16, test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(ENDPOINT, format!("http://127.0.0.1:{port}"))
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .spawn()
        .unwrap()
}

#[test]
fn files_in_a_bucket_are_checked_against_their_names() {
    let moto = Moto::start();
    assert!(in_environment(moto.port, "files").wait().unwrap().success());
}

#[test]
fn the_archive_is_in_the_bucket() {
    let moto = Moto::start();
    assert!(in_environment(moto.port, "archive").wait().unwrap().success());
}

#[test]
fn a_store_that_is_slow_and_one_that_lost_everything() {
    let mut moto = Moto::start();
    let mut child = in_environment(moto.port, "batches");
    // The batches take longer than this.
    for round in 0..4 {
        thread::sleep(Duration::from_millis(700));
        if round % 2 == 0 {
            moto.restart();
        } else {
            let signal = |name: &str| {
                let sent = Command::new("kill").args([name, &moto.child.id().to_string()]).status();
                assert!(sent.unwrap().success());
            };
            signal("-STOP");
            thread::sleep(Duration::from_millis(500));
            signal("-CONT");
        }
    }
    assert!(child.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests"]
async fn files() {
    let Ok(endpoint) = std::env::var(ENDPOINT) else { return };
    let port = endpoint.rsplit(':').next().unwrap().parse().unwrap();
    let files = Files::at(Place::bucket(ADDRESS, Handle::current()).unwrap()).unwrap();
    spawn_blocking(move || {
        let digest = files.write(FileKind::Proof, &"content").unwrap();
        assert_eq!(files.write(FileKind::Proof, &"content").unwrap(), digest);
        assert_eq!(files.read::<String>(FileKind::Proof, &digest).unwrap(), "content");
        let lost = files.read::<String>(FileKind::Witness, &digest).unwrap_err();
        assert!(lost.is_lost(), "{lost}");
        let path = format!("/{BUCKET}/rollup/1/proofs/{}.json", hex::encode(digest));
        assert_eq!(put(port, &path, "\"cantent\""), 200);
        let damaged = files.read::<String>(FileKind::Proof, &digest).unwrap_err();
        assert!(matches!(damaged, FileError::Damaged { .. }), "{damaged}");
        // Writing again makes it good.
        files.write(FileKind::Proof, &"content").unwrap();
        assert_eq!(files.read::<String>(FileKind::Proof, &digest).unwrap(), "content");
        let nowhere = Place::bucket("s3://no-such-bucket", Handle::current());
        assert!(Files::at(nowhere.unwrap()).unwrap().write(FileKind::Proof, &"content").is_err());
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests"]
async fn batches() {
    if std::env::var(ENDPOINT).is_err() {
        return;
    }
    let mut fixture = Fixture::start(&[("object_store", ADDRESS)]).await;
    let started = Instant::now();
    let mut number = 0;
    while started.elapsed() < Duration::from_secs(5) || number < 3 {
        // A witness that can't be stored now refuses the batch as a whole.
        if fixture.client.submit_batch(nth(number + 1)).await.is_ok() {
            number += 1;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for number in 1..=number {
        let job = fixture.submit(nth(number)).await;
        let events = watch_within(&mut fixture.client, &job.id, 0, Duration::from_secs(60)).await;
        assert_eq!(events.last().unwrap().state(), JobState::Ready);
    }
    assert!(!fixture.dir.path().join("data/proofs").exists());
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests"]
async fn archive() {
    if std::env::var(ENDPOINT).is_err() {
        return;
    }
    let mut fixture = Fixture::start(&[("object_store", ADDRESS), ("checkpoint_interval", "1")]).await;
    let job = fixture.submit(nth(1)).await;
    assert!(!fixture.dir.path().join("data/archive").exists());
    let store = open_store(fixture.dir.path()).await;
    let published = store.publication(1).await.unwrap().unwrap();
    let hashes: Vec<B256> = published.blob_hashes.iter().map(B256::from).collect();
    let archive = Archive::at(Place::bucket(&format!("{ADDRESS}/archive"), Handle::current()).unwrap());
    spawn_blocking(move || {
        assert_eq!(archive.blobs(&hashes).unwrap().versioned_hashes(), hashes);
        archive.l1_words(&published.l1_hash.into()).unwrap();
        let state = field::from_bytes(&job.state_out.try_into().unwrap()).unwrap();
        assert_eq!(archive.snapshot(1, &state).unwrap().unwrap().batch, 1);
        let missing = archive.blobs(&[B256::ZERO]).unwrap_err();
        assert!(missing.is_lost() && missing.to_string().contains("s3://tenon-test"), "{missing}");
    })
    .await
    .unwrap();
    fixture.service.shutdown().await;
}
