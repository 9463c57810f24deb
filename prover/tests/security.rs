//! Who gets in, how much they get, and what never gets out.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use common::*;
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tenon_proto::{
    client::{self, Client},
    v1::{self, JobState},
};
use tenon_prover::{
    Service, StartError,
    api_tokens::{Scope, TokenFile},
    telemetry,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};
use tonic::{
    Code, Request,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key in PEM, for a host's name.
fn issue(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

/// A directory with certificates.
struct Files {
    dir: tempfile::TempDir,
    authority: Authority,
}

impl Files {
    fn new() -> Self {
        let files = Self { dir: tempfile::tempdir().unwrap(), authority: authority("service's authority") };
        files.put("ca.pem", &files.authority.pem());
        files.serve_certificate();
        files
    }

    fn serve_certificate(&self) {
        let (certificate, key) = issue(&self.authority, "localhost");
        self.put("cert.pem", &certificate);
        self.put("key.pem", &key);
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    /// The settings of TLS, with others.
    fn tls<'a>(&'a self, more: &[(&'a str, String)]) -> Vec<(&'a str, String)> {
        let tls = [("tls_cert_file", self.path("cert.pem")), ("tls_key_file", self.path("key.pem"))];
        tls.into_iter().chain(more.iter().cloned()).collect()
    }
}

async fn start(dir: &Path, settings: &[(&str, String)]) -> Result<tenon_prover::RunningService, StartError> {
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Service::start(config(dir, &settings), TestEngine::new()).await
}

async fn channel(url: &str) -> Channel {
    Endpoint::from_shared(url.to_owned()).unwrap().connect().await.unwrap()
}

fn code(error: &client::Error) -> Code {
    error.refusal().unwrap_or_else(|| panic!("refused, not {error}")).code
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_mutual_tls() {
    let files = Files::new();
    let clients = authority("clients' authority");
    files.put("clients.pem", &clients.pem());
    let dir = tempfile::tempdir().unwrap();
    let service = start(dir.path(), &files.tls(&[])).await.unwrap();
    let url = format!("https://localhost:{}", service.grpc_addr.port());
    let trusting = || Client::to(&url).certificate_authority(files.read("ca.pem"));
    assert_eq!(trusting().connect().await.unwrap().status().await.unwrap().last_batch, 0);
    // Nobody the client doesn't trust, and nothing unencrypted.
    let other = Client::to(&url).certificate_authority(clients.pem()).connect().await.unwrap_err();
    assert!(other.to_string().contains("UnknownIssuer"), "{other}");
    let wrong_name = trusting().server_name("elsewhere").connect().await.unwrap_err();
    assert!(wrong_name.to_string().contains("not valid for name"), "{wrong_name}");
    Client::to(&url).connect().await.unwrap_err();
    let plain = format!("http://{}", service.grpc_addr);
    if let Ok(mut client) = Client::to(&plain).connect().await {
        client.tries(1).status().await.unwrap_err();
        client = Client::to(&plain).connect().await.unwrap().tries(1);
        client.status().await.unwrap_err();
    }
    service.shutdown().await;

    let service =
        start(dir.path(), &files.tls(&[("tls_client_ca_file", files.path("clients.pem"))])).await.unwrap();
    let url = format!("https://localhost:{}", service.grpc_addr.port());
    let trusting = || Client::to(&url).certificate_authority(files.read("ca.pem"));
    let (certificate, key) = issue(&clients, "a client");
    trusting().identity(certificate, key).connect().await.unwrap().status().await.unwrap();
    // No certificate, or one that somebody else signed.
    let (certificate, key) = issue(&files.authority, "a stranger");
    for connect in [trusting(), trusting().identity(certificate, key)] {
        if let Ok(client) = connect.connect().await {
            client.tries(1).status().await.unwrap_err();
        }
    }
    service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cant_be_encrypted_is_refused_at_the_start() {
    let files = Files::new();
    let dir = tempfile::tempdir().unwrap();
    let (_, other_key) = issue(&files.authority, "other");
    let other_key = files.put("other.pem", &other_key).display().to_string();
    let missing = files.path("missing.pem");
    let not_pem = files.put("not.pem", "secret words").display().to_string();
    for (cert, key, part) in [
        (files.path("cert.pem"), other_key, "TLS"),
        (missing.clone(), files.path("key.pem"), "missing.pem"),
        (not_pem.clone(), files.path("key.pem"), "certificates in PEM"),
        (files.path("cert.pem"), not_pem, "private key in PEM"),
    ] {
        let settings = [("tls_cert_file", cert), ("tls_key_file", key)];
        let Err(error) = start(dir.path(), &settings).await else { panic!("started") };
        let text = error.to_string();
        assert!(text.contains(part) && !text.contains("secret words"), "{text}");
    }
    let Err(error) = start(dir.path(), &[("tokens_file", missing)]).await else { panic!("started") };
    assert!(error.to_string().contains("missing.pem"), "{error}");
}

/// Calls every method of the service, and gives name and refusal.
async fn call_all(client: &mut Client) -> Vec<(&'static str, Option<Code>)> {
    let raw = client.raw();
    let job_id = "none".to_owned();
    macro_rules! call {
        ($($name:literal: $call:expr;)*) => { vec![$(($name, $call.await.err().map(|status| status.code()))),*] };
    }
    call! {
        "SubmitBatch": raw.submit_batch(v1::SubmitBatchRequest::default());
        "GetJob": raw.get_job(v1::GetJobRequest { job_id: job_id.clone() });
        "ListJobs": raw.list_jobs(v1::ListJobsRequest::default());
        "WatchJob": raw.watch_job(v1::WatchJobRequest { job_id: job_id.clone(), after_sequence: 0 });
        "CancelJob": raw.cancel_job(v1::CancelJobRequest { job_id: job_id.clone(), cascade: false });
        "GetProof": raw.get_proof(v1::GetProofRequest::default());
        "CreateAggregation": raw.create_aggregation(v1::CreateAggregationRequest { first_batch: 1, last_batch: 1 });
        "GetAggregation": raw.get_aggregation(v1::GetAggregationRequest { aggregation_id: 9 });
        "VerifyProof": raw.verify_proof(v1::VerifyProofRequest::default());
        "GetCircuit": raw.get_circuit(v1::GetCircuitRequest {});
        "GetAccount": raw.get_account(v1::GetAccountRequest { index: 0 });
        "GetStatus": raw.get_status(v1::GetStatusRequest {});
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_open_what_their_scopes_say() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = TokenFile::new(dir.path().join("tokens.toml"));
    let token = |scope: Scope| tokens.add(scope.name(), &[scope], None).unwrap();
    let made: Vec<(Scope, String)> = Scope::ALL.map(|scope| (scope, token(scope))).into();
    let path = tokens.path().display().to_string();
    let fixture = Fixture::start_in(dir, TestEngine::new(), &[("tokens_file", &path)]).await;
    let url = format!("http://{}", fixture.service.grpc_addr);
    let needs = |name: &str| match name {
        "SubmitBatch" => Scope::Submit,
        "CancelJob" | "CreateAggregation" => Scope::Admin,
        _ => Scope::Read,
    };
    let denied = [Some(Code::Unauthenticated), Some(Code::PermissionDenied)];
    for (scope, token) in &made {
        let mut client = Client::to(&url).token(token).connect().await.unwrap();
        for (name, code) in call_all(&mut client).await {
            let expected = if needs(name) == *scope { None } else { Some(Code::PermissionDenied) };
            match expected {
                None => assert!(!denied.contains(&code), "{name} with {scope}: {code:?}"),
                expected => assert_eq!(code, expected, "{name} with {scope}"),
            }
        }
    }
    let unknown = format!("tenon_{}", "0".repeat(64));
    for connect in [Client::to(&url), Client::to(&url).token(unknown)] {
        for (name, code) in call_all(&mut connect.connect().await.unwrap()).await {
            assert_eq!(code, Some(Code::Unauthenticated), "{name}");
        }
    }
    // Everybody may ask for health; metrics need a token.
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel(&url).await);
    health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap();
    assert_eq!(fixture.http("/healthz").await.0, 200);
    assert_eq!(fixture.http("/metrics").await.0, 401);
    let reader = &made.iter().find(|(scope, _)| *scope == Scope::Read).unwrap().1;
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let basic = BASE64_STANDARD.encode(format!("me:{reader}"));
    for (header, expected) in
        [(format!("Bearer {reader}"), 200), (format!("Basic {basic}"), 200), ("Basic ???".to_owned(), 401)]
    {
        assert_eq!(get(&fixture, "/metrics", &header).await, expected, "{header}");
    }

    // A revoked token is refused soon, on connections that are open too.
    let mut client = Client::to(&url).token(reader).connect().await.unwrap().tries(1);
    client.status().await.unwrap();
    tokens.revoke("read").unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while client.status().await.is_ok() {
        assert!(Instant::now() < deadline, "the token is still valid");
        sleep(Duration::from_millis(100)).await;
    }
    fixture.service.shutdown().await;
}

async fn get(fixture: &Fixture, path: &str, authorization: &str) -> u16 {
    use tokio::io::AsyncWriteExt as _;
    let mut stream = TcpStream::connect(fixture.service.http_addr).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: {authorization}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_method_is_unimplemented() {
    let fixture = Fixture::start(&[]).await;
    let mut grpc = tonic::client::Grpc::new(channel(&format!("http://{}", fixture.service.grpc_addr)).await);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<v1::GetStatusRequest, v1::GetStatusResponse>::default();
    let path = "/tenon.prover.v1.Prover/DropEverything".parse().unwrap();
    let status = grpc.unary(Request::new(v1::GetStatusRequest {}), path, codec).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unimplemented, "METHOD_UNKNOWN"));
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait() {
    let fixture = Fixture::start(&[("max_connections", "3")]).await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        idle.push(TcpStream::connect(fixture.service.grpc_addr).await.unwrap());
    }
    sleep(Duration::from_millis(100)).await;
    let url = format!("http://{}", fixture.service.grpc_addr);
    let waiting = tokio::spawn(async move { Client::to(url).connect().await?.status().await });
    sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "a fourth connection was served");
    idle.clear();
    waiting.await.unwrap().unwrap();
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_are_counted_until_they_end() {
    let fixture = Fixture::start(&[("max_concurrent_requests", "2")]).await;
    let url = format!("http://{}", fixture.service.grpc_addr);
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel(&url).await);
    let mut open = Vec::new();
    for _ in 0..2 {
        open.push(health.watch(tonic_health::pb::HealthCheckRequest::default()).await.unwrap().into_inner());
    }
    let refused = health.watch(tonic_health::pb::HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "TOO_MANY_REQUESTS"));
    open.clear();
    let deadline = Instant::now() + Duration::from_secs(5);
    while health.watch(tonic_health::pb::HealthCheckRequest::default()).await.is_err() {
        assert!(Instant::now() < deadline, "the places of ended streams are still taken");
        sleep(Duration::from_millis(50)).await;
    }
    fixture.service.shutdown().await;
}

/// The process's resident memory.
fn resident_mib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_submissions_a_second_are_refused_with_flat_memory() {
    const PER_TICK: usize = 10;
    const TICK: Duration = Duration::from_millis(5);
    let fixture = Fixture::start(&[("submissions_per_second", "10"), ("max_queued_batches", "4")]).await;
    fixture.engine.leaf_gate.close();
    let made = request("", &[transfer(0, 1, 0), transfer(0, 1, 1)]);
    let call = |client: &tenon_proto::v1::prover_client::ProverClient<Channel>, number: usize| {
        let mut client = client.clone();
        let idempotency_key = format!("key-{number}");
        let request = v1::SubmitBatchRequest { idempotency_key, ..made.clone() };
        tokio::spawn(async move { client.submit_batch(request).await })
    };
    let flood = async |seconds: u64| {
        let mut calls = Vec::new();
        let mut clock = tokio::time::interval(TICK);
        let ticks = seconds * 1000 / TICK.as_millis() as u64;
        let started = Instant::now();
        for _ in 0..ticks {
            clock.tick().await;
            calls.extend((0..PER_TICK).map(|number| call(&fixture.client, number)));
        }
        let mut refused = 0;
        let count = calls.len();
        for call in calls {
            let Err(status) = call.await.unwrap() else { continue };
            // The payloads conflict with what was accepted first; the others must be refusals for want of room.
            if status.code() == Code::ResourceExhausted {
                refused += 1;
                let wait = status.get_details_retry_info().unwrap().retry_delay.unwrap();
                assert!(wait > Duration::ZERO && wait < Duration::from_secs(60), "{wait:?}");
            }
        }
        (count, refused, count as f64 / started.elapsed().as_secs_f64())
    };
    flood(1).await;
    let before = resident_mib();
    let mut client = fixture.client.clone();
    let watching = tokio::spawn(async move {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let started = Instant::now();
            client.get_status(v1::GetStatusRequest {}).await.unwrap();
            slowest = slowest.max(started.elapsed());
            sleep(Duration::from_millis(100)).await;
        }
        slowest
    });
    let (count, refused, rate) = flood(3).await;
    let slowest = watching.await.unwrap();
    let grown = resident_mib().saturating_sub(before);
    eprintln!(
        "{count} calls, {rate:.0} a second, {refused} refused, {grown} MiB more, slowest status {slowest:?}"
    );
    assert!(rate > 1000.0, "only {rate:.0} calls a second");
    assert!(refused >= count - 100, "{refused} of {count} refused");
    assert!(grown < 32, "{grown} MiB more");
    assert!(slowest < Duration::from_secs(2), "a status took {slowest:?}");
    fixture.engine.leaf_gate.open();
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_submissions_are_held_a_few_at_a_time() {
    let fixture =
        Fixture::start(&[("max_concurrent_submissions", "2"), ("max_message_bytes", "2097152")]).await;
    let mut huge = nth(1);
    huge.domain = vec![0; 1 << 20];
    let mut calls = Vec::new();
    let before = resident_mib();
    for _ in 0..64 {
        let (mut client, huge) = (fixture.client.clone(), huge.clone());
        calls.push(tokio::spawn(async move { client.submit_batch(huge).await }));
    }
    let mut codes = Vec::new();
    for call in calls {
        codes.push(call.await.unwrap().unwrap_err().code());
    }
    // 64 MiB wait with the caller, in this process too.
    assert!(resident_mib().saturating_sub(before) < 160);
    assert!(codes.contains(&Code::InvalidArgument), "{codes:?}");
    assert!(codes.contains(&Code::ResourceExhausted), "{codes:?}");
    let allowed = [Code::InvalidArgument, Code::ResourceExhausted];
    assert!(codes.iter().all(|code| allowed.contains(code)), "{codes:?}");
    fixture.service.shutdown().await;
}

/// Takes the log.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// In a process of its own, since a log is taken for a whole process.
#[test]
fn secrets_are_in_no_log() {
    let run = |name: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--ignored", "--nocapture"])
            .env("TENON_L1_PRIVATE_KEY", "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    };
    run("logging_everything");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by secrets_are_in_no_log"]
async fn logging_everything() {
    let captured = Captured::default();
    let writer = captured.clone();
    tracing_subscriber::fmt()
        .with_env_filter(telemetry::log_filter("trace"))
        .with_writer(move || writer.clone())
        .json()
        .init();
    let files = Files::new();
    let dir = tempfile::tempdir().unwrap();
    let tokens = TokenFile::new(dir.path().join("tokens.toml"));
    let token = tokens.add("all", &Scope::ALL, None).unwrap();
    let wrong = format!("tenon_{}", "ab".repeat(32));
    let settings = files.tls(&[("tokens_file", tokens.path().display().to_string())]);
    let service = start(dir.path(), &settings).await.unwrap();
    let url = format!("https://localhost:{}", service.grpc_addr.port());
    let connect =
        |token: &str| Client::to(&url).certificate_authority(files.read("ca.pem")).token(token).connect();
    let mut client = connect(&token).await.unwrap();
    let batch = nth(1);
    let (job, _) = client.submit(batch.clone()).await.unwrap();
    assert_eq!(client.finished(&job.id).await.unwrap().state(), JobState::Ready);
    client.proof(&job.id).await.unwrap();
    client.account(0).await.unwrap();
    assert_eq!(
        code(&client.submit(request("bad", &[transfer(0, 1, 9)])).await.unwrap_err()),
        Code::InvalidArgument
    );
    assert_eq!(code(&connect(&wrong).await.unwrap().status().await.unwrap_err()), Code::Unauthenticated);
    service.shutdown().await;
    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    // What an operator looks for is there.
    for expected in ["caller refused", &job.id, "\"batch\":1", "\"caller\":\"all\""] {
        assert!(log.contains(expected), "{expected} isn't in the log");
    }
    let signature = batch.transactions[0].signature.clone().unwrap();
    let key_lines = files.read("key.pem");
    let key_line = key_lines.lines().nth(1).unwrap();
    let hash = tokens.read().unwrap().remove(0).sha256;
    let witness = batch.transactions[0].encode_to_vec();
    for (what, secret) in [
        ("the token", token.as_str()),
        ("the wrong token", &wrong),
        ("the token's bits", &token[6..40]),
        ("the token's hash", &hash),
        ("the TLS key", key_line),
        ("the L1 key", "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
        ("a signature", &hex::encode(&signature.r8x)),
        ("a signature's bytes", &format!("{:?}", &signature.s[..8]).replace(['[', ']'], "")),
        ("a transaction's bytes", &format!("{:?}", &witness[..16]).replace(['[', ']'], "")),
    ] {
        assert!(!log.contains(secret), "{what} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_up() {
    let files = Files::new();
    let dir = tempfile::tempdir().unwrap();
    let service = start(dir.path(), &files.tls(&[])).await.unwrap();
    let url = format!("https://localhost:{}", service.grpc_addr.port());
    let new = authority("a new authority");
    let (certificate, key) = issue(&new, "localhost");
    files.put("key.pem", &key);
    files.put("cert.pem", &certificate);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Ok(mut client) = Client::to(&url).certificate_authority(new.pem()).connect().await {
            client.status().await.unwrap();
            break;
        }
        assert!(Instant::now() < deadline, "the old certificate is still shown");
        sleep(Duration::from_millis(500)).await;
    }
    service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_for_ever_over_a_request_to_the_page_is_sent_away() {
    let fixture = Fixture::start(&[("max_connections", "1")]).await;
    let mut slow = TcpStream::connect(fixture.service.http_addr).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: test\r\n").await.unwrap();
    let (mut reading, mut writing) = slow.into_split();
    let dribble = tokio::spawn(async move {
        while writing.write_all(b"X: y\r\n").await.is_ok() {
            sleep(Duration::from_millis(300)).await;
        }
    });
    // It has the only place; the next caller gets it in the end.
    let started = std::time::Instant::now();
    let (status, _) = tokio::time::timeout(Duration::from_secs(25), fixture.http("/healthz")).await.unwrap();
    assert_eq!(status, 200);
    assert!(started.elapsed() > Duration::from_secs(5), "the place was free");
    let mut reply = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), reading.read_to_end(&mut reply)).await;
    assert!(ended.is_ok(), "the connection is open still");
    assert!(!String::from_utf8_lossy(&reply).contains("200 OK"), "an unfinished request was answered");
    dribble.abort();
    fixture.service.shutdown().await;
}
