//! A service with an engine that proves in no time, and signed batches for it.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::panic)]

pub mod postgres;
pub mod processes;

use std::{
    path::Path,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tenon_circuits::{
    aggregation::batches,
    rollup::{
        Account, Address, AmountCode, ChunkCapacity, FeeCode, Fr, L1Operation, NO_ACCOUNT, PrivateKey,
        Signature, Transaction, domain, field,
        json::Genesis,
        transaction::{KIND_OPEN, KIND_WITHDRAW},
    },
    witness::ChunkWitness,
};
use tenon_proto::v1::{self, JobState, prover_client::ProverClient};
use tenon_prover::{
    Config, RunningService, Service, convert,
    engine::{AggregateProof, CircuitInfo, Circuits, Engine, EngineError, LeafProof, SizeClassInfo},
    store::sql::SqlStore,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_stream::StreamExt;
use tonic::transport::{Channel, Endpoint};
use tonic_types::{ErrorDetails, StatusExt};

pub const CHUNK: usize = 2;
pub const CAPACITY: ChunkCapacity = ChunkCapacity::of_words(CHUNK, 1, 8);
pub const LEAVES: usize = 2;
pub const ACCOUNTS: u32 = 6;
pub const BALANCE: u128 = 1_000_000;
pub const CHAIN_ID: u64 = 31337;

/// Lets threads through while open.
#[derive(Default)]
pub struct Gate {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    pub fn close(&self) {
        *self.closed.lock().unwrap() = true;
    }

    pub fn open(&self) {
        *self.closed.lock().unwrap() = false;
        self.changed.notify_all();
    }

    fn pass(&self) {
        drop(self.changed.wait_while(self.closed.lock().unwrap(), |closed| *closed).unwrap());
    }
}

/// Proves nothing: a proof is a hash of what it says.
pub struct TestEngine {
    circuits: Circuits,
    pub leaf_gate: Gate,
    pub aggregate_gate: Gate,
    pub leaf_failures: AtomicU32,
    pub aggregate_failures: AtomicU32,
    pub panics: AtomicU32,
    pub deaths: AtomicU32,
    pub hunger: AtomicBool,
    pub wrong_leaves: AtomicU32,
    pub reject_checks: AtomicBool,
    pub leaves_made: AtomicU32,
    pub aggregates_made: AtomicU32,
}

impl TestEngine {
    pub fn new() -> Arc<Self> {
        Self::with_keys(1)
    }

    pub fn with_keys(keys: u8) -> Arc<Self> {
        let circuit = |name: &str, number: u8| CircuitInfo {
            name: name.to_owned(),
            k: 10,
            key_digest: [number + keys * 16; 32],
            srs_source: "development".to_owned(),
            srs_digest: [9; 32],
            memory_bytes: 1 << 20,
        };
        let size_class = SizeClassInfo { name: "test".to_owned(), k: 10, capacity: CAPACITY };
        Arc::new(Self {
            circuits: Circuits {
                protocol_version: "tenon.test".to_owned(),
                size_classes: vec![size_class.clone()],
                size_class,
                leaf: circuit("leaf", 1),
                aggregation: circuit("aggregation", 2),
                leaves: LEAVES,
            },
            leaf_gate: Gate::default(),
            aggregate_gate: Gate::default(),
            leaf_failures: AtomicU32::new(0),
            aggregate_failures: AtomicU32::new(0),
            panics: AtomicU32::new(0),
            deaths: AtomicU32::new(0),
            hunger: AtomicBool::new(false),
            wrong_leaves: AtomicU32::new(0),
            reject_checks: AtomicBool::new(false),
            leaves_made: AtomicU32::new(0),
            aggregates_made: AtomicU32::new(0),
        })
    }
}

/// Takes memory until there is none.
fn devour() {
    const PART: usize = 16 << 20;
    const ALL: usize = 4 << 30;
    let mut taken = Vec::new();
    while taken.len() * PART < ALL {
        taken.push(std::hint::black_box(vec![1_u8; PART]));
    }
    panic!("{} bytes are there to be taken", taken.len() * PART);
}

fn take(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}

/// The proof of what it says.
pub fn seal<T: serde::Serialize>(stage: &str, content: &T) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(stage);
    hasher.update(serde_json::to_vec(content).unwrap());
    hasher.finalize().to_vec()
}

impl Engine for TestEngine {
    fn circuits(&self) -> &Circuits {
        &self.circuits
    }

    fn check(&self, _witness: &ChunkWitness) -> Result<(), EngineError> {
        if self.reject_checks.load(Ordering::SeqCst) {
            return Err(EngineError::Rejected("row 7 breaks a constraint".to_owned()));
        }
        Ok(())
    }

    fn prove_leaf(&self, witness: &ChunkWitness) -> Result<LeafProof, EngineError> {
        self.leaf_gate.pass();
        if take(&self.deaths) {
            std::process::abort();
        }
        if self.hunger.load(Ordering::SeqCst) {
            devour();
        }
        if take(&self.panics) {
            panic!("the prover fell over");
        }
        if take(&self.leaf_failures) {
            return Err(EngineError::Failed("out of luck".to_owned()));
        }
        self.leaves_made.fetch_add(1, Ordering::SeqCst);
        let public_inputs = witness.public_inputs();
        let mut proof = seal("leaf", &public_inputs);
        if take(&self.wrong_leaves) {
            proof[0] ^= 1;
        }
        Ok(LeafProof { public_inputs, proof })
    }

    fn verify_leaf(&self, proof: &LeafProof) -> Result<(), EngineError> {
        if proof.proof == seal("leaf", &proof.public_inputs) {
            return Ok(());
        }
        Err(EngineError::Invalid("wrong hash".to_owned()))
    }

    fn prove_aggregate(&self, leaves: &[LeafProof]) -> Result<AggregateProof, EngineError> {
        self.aggregate_gate.pass();
        if take(&self.aggregate_failures) {
            return Err(EngineError::Failed("out of luck".to_owned()));
        }
        self.aggregates_made.fetch_add(1, Ordering::SeqCst);
        for leaf in leaves {
            self.verify_leaf(leaf)?;
        }
        let inputs: Vec<_> = leaves.iter().map(|leaf| leaf.public_inputs).collect();
        let batches = batches(&inputs).map_err(|error| EngineError::Rejected(error.to_string()))?;
        Ok(AggregateProof { proof: seal("aggregate", &batches), batches })
    }

    fn verify_aggregate(&self, proof: &AggregateProof) -> Result<(), EngineError> {
        if proof.proof == seal("aggregate", &proof.batches) {
            return Ok(());
        }
        Err(EngineError::Invalid("wrong hash".to_owned()))
    }
}

pub fn key(index: u32) -> PrivateKey {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&index.to_le_bytes());
    PrivateKey::from_seed(seed)
}

/// Accounts 0 to 4 hold token 1, the last one token 2.
pub fn account(index: u32) -> Account {
    Account {
        token: if index + 1 == ACCOUNTS { 2 } else { 1 },
        nonce: 0,
        balance: BALANCE,
        key: key(index).public_key(),
        owner: Address([index as u8 + 1; 20]),
    }
}

pub fn rollup_domain() -> Fr {
    domain(CHAIN_ID, Address([0; 20]))
}

pub fn unsigned(from: u32, to: u32, nonce: u64, amount: u64, fee: u16) -> Transaction {
    Transaction {
        kind: 1,
        from,
        to,
        token: 1,
        nonce,
        amount: AmountCode(amount),
        fee: FeeCode(fee),
        valid_until: u32::MAX,
        opens: None,
        signature: Signature {
            r8x: Fr::default(),
            r8y: Fr::default(),
            s: field::bigint_from_bytes(&[0; 32]),
        },
    }
}

/// A withdrawal that isn't signed yet.
pub fn withdrawal(from: u32, nonce: u64, amount: u64, fee: u16) -> Transaction {
    Transaction { kind: KIND_WITHDRAW, ..unsigned(from, 0, nonce, amount, fee) }
}

/// The opening of an account for a test key, not signed yet.
pub fn opening(from: u32, nonce: u64, number: u32) -> Transaction {
    let opens = Some(account(number).recipient());
    Transaction { kind: KIND_OPEN, opens, ..unsigned(from, 0, nonce, 0, 1) }
}

/// A deposit that opens an account for a test key.
pub fn deposit(number: u32, amount: u128) -> L1Operation {
    L1Operation::Deposit { token: 1, amount, recipient: account(number).recipient(), to: NO_ACCOUNT }
}

pub fn sign(transaction: Transaction) -> Transaction {
    sign_for(transaction, rollup_domain())
}

pub fn sign_for(transaction: Transaction, domain: Fr) -> Transaction {
    let recipient_of = |index: u32| Some(account(index.min(ACCOUNTS - 1)).recipient());
    let recipient = transaction.message_recipient(recipient_of).unwrap();
    transaction.signed(&key(transaction.from), domain, &recipient)
}

pub fn transfer(from: u32, to: u32, nonce: u64) -> Transaction {
    sign(unsigned(from, to, nonce, 10, 1))
}

pub fn request(key: &str, transactions: &[Transaction]) -> v1::SubmitBatchRequest {
    v1::SubmitBatchRequest {
        idempotency_key: key.to_owned(),
        domain: convert::element_bytes(&rollup_domain()),
        timestamp: None,
        fee_accounts: vec![4],
        transactions: transactions.iter().map(convert::transaction_message).collect(),
        max_error_bytes: 0,
        l1_operations: Vec::new(),
        priority: 0,
    }
}

/// Batch `number` of a chain of one-chunk batches, when all before were accepted.
pub fn nth(number: u64) -> v1::SubmitBatchRequest {
    request(&format!("batch-{number}"), &[transfer(0, 1, number - 1)])
}

/// A batch of `chunks` chunks, all from account 0.
pub fn chunks(key: &str, first_nonce: u64, chunks: usize) -> v1::SubmitBatchRequest {
    let count = (chunks * CHUNK) as u64;
    let transfers: Vec<_> = (first_nonce..first_nonce + count).map(|nonce| transfer(0, 1, nonce)).collect();
    request(key, &transfers)
}

pub fn write_genesis(path: &Path) {
    let genesis = Genesis { accounts: (0..ACCOUNTS).map(account).collect() };
    std::fs::write(path, genesis.to_json()).unwrap();
}

pub fn config(dir: &Path, more: &[(&str, &str)]) -> Config {
    let genesis = dir.join("genesis.json");
    if !genesis.exists() {
        write_genesis(&genesis);
    }
    let settings = [
        ("data_dir", dir.join("data").display().to_string()),
        ("genesis", genesis.display().to_string()),
        ("grpc_listen", "127.0.0.1:0".to_owned()),
        ("http_listen", "127.0.0.1:0".to_owned()),
        ("aggregation_max_age", "50ms".to_owned()),
        ("workers", "2".to_owned()),
        ("threads_per_worker", "1".to_owned()),
        ("lease", "2s".to_owned()),
        ("heartbeat", "100ms".to_owned()),
        ("retry_delay", "10ms".to_owned()),
        ("shutdown_grace", "200ms".to_owned()),
        ("requests_per_second", "0".to_owned()),
        ("submissions_per_second", "0".to_owned()),
        ("max_concurrent_submissions", "256".to_owned()),
    ];
    let database = std::fs::read_to_string(dir.join(DATABASE_URL)).ok().map(|url| ("database_url", url));
    let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
    Config::with(settings.into_iter().chain(database).chain(more)).unwrap()
}

/// Where a test's service keeps its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file in the data directory.
    Sqlite,
    /// A database of its own in a PostgreSQL cluster that the test's process starts.
    Postgres,
}

impl Database {
    /// A directory for a service on this database.
    pub fn directory(self) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        if self == Self::Postgres {
            std::fs::write(dir.path().join(DATABASE_URL), postgres::new_database()).unwrap();
        }
        dir
    }
}

/// File in a test's directory that holds its database's URL.
pub const DATABASE_URL: &str = "database_url";

/// The database of a test's directory, opened beside its service.
pub async fn open_store(dir: &Path) -> SqlStore {
    match std::fs::read_to_string(dir.join(DATABASE_URL)) {
        Ok(url) => SqlStore::connect(&url).await.unwrap(),
        Err(_) => SqlStore::open(&dir.join("data/tenon.db")).await.unwrap(),
    }
}

/// Makes each of these functions a test on every database.
#[macro_export]
macro_rules! on_each_database {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::common::Database::Sqlite).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::common::Database::Postgres).await;
            })*
        }
    };
}

/// A service in a directory of its own.
pub struct Fixture {
    pub dir: TempDir,
    pub engine: Arc<TestEngine>,
    pub service: RunningService,
    pub client: ProverClient<Channel>,
}

pub async fn connect(service: &RunningService) -> ProverClient<Channel> {
    connect_to(&service.grpc_addr.to_string()).await
}

pub async fn connect_to(address: &str) -> ProverClient<Channel> {
    let endpoint =
        Endpoint::from_shared(format!("http://{address}")).unwrap().http2_max_header_list_size(1 << 20);
    ProverClient::new(endpoint.connect().await.unwrap())
}

impl Fixture {
    pub async fn start(more: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), TestEngine::new(), more).await
    }

    /// A service on this database.
    pub async fn on(database: Database, more: &[(&str, &str)]) -> Self {
        Self::start_in(database.directory(), TestEngine::new(), more).await
    }

    pub async fn start_in(dir: TempDir, engine: Arc<TestEngine>, more: &[(&str, &str)]) -> Self {
        let service = Service::start(config(dir.path(), more), Arc::clone(&engine) as _).await.unwrap();
        let client = connect(&service).await;
        Self { dir, engine, service, client }
    }

    /// Stops the service and starts it again in the same directory.
    pub async fn restart(self, engine: Arc<TestEngine>, more: &[(&str, &str)]) -> Self {
        let Self { dir, service, client, .. } = self;
        drop(client);
        service.shutdown().await;
        Self::start_in(dir, engine, more).await
    }

    pub async fn submit(&mut self, request: v1::SubmitBatchRequest) -> v1::Job {
        self.client.submit_batch(request).await.unwrap().into_inner().job.unwrap()
    }

    pub async fn refuse(&mut self, request: v1::SubmitBatchRequest) -> tonic::Status {
        self.client.submit_batch(request).await.unwrap_err()
    }

    pub async fn job(&mut self, id: &str) -> v1::Job {
        let request = v1::GetJobRequest { job_id: id.to_owned() };
        self.client.get_job(request).await.unwrap().into_inner().job.unwrap()
    }

    /// Watches to the end and gives the last state.
    pub async fn finish(&mut self, id: &str) -> JobState {
        self.watch(id, 0).await.last().unwrap().state()
    }

    pub async fn watch(&mut self, id: &str, after: u64) -> Vec<v1::JobEvent> {
        watch(&mut self.client, id, after).await
    }

    pub async fn wait_for(&mut self, id: &str, state: JobState) {
        let wait = async {
            while self.job(id).await.state() != state {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("job {id} never {state:?}"));
    }

    pub async fn status(&mut self) -> v1::GetStatusResponse {
        self.client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner()
    }

    pub async fn account(&mut self, index: u32) -> v1::GetAccountResponse {
        self.client.get_account(v1::GetAccountRequest { index }).await.unwrap().into_inner()
    }

    pub async fn proof_of(&mut self, job_id: &str) -> Result<v1::GetProofResponse, tonic::Status> {
        let request = v1::GetProofRequest {
            subject: Some(v1::get_proof_request::Subject::JobId(job_id.to_owned())),
            with_leaf_proofs: true,
        };
        self.client.get_proof(request).await.map(tonic::Response::into_inner)
    }

    pub async fn http(&self, path: &str) -> (u16, String) {
        http(&self.service, path).await
    }

    /// The value of a metric's line that starts with `name`.
    pub async fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.http("/metrics").await;
        let line =
            text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }
}

/// Status and whole reply of a page.
pub async fn http(service: &RunningService, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(service.http_addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    let status = reply.split(' ').nth(1).unwrap().parse().unwrap();
    (status, reply)
}

/// The events of a job that takes no real proving.
pub async fn watch(client: &mut ProverClient<Channel>, id: &str, after: u64) -> Vec<v1::JobEvent> {
    watch_within(client, id, after, Duration::from_secs(20)).await
}

/// The events of a job, which must end within `limit`.
pub async fn watch_within(
    client: &mut ProverClient<Channel>,
    id: &str,
    after: u64,
    limit: Duration,
) -> Vec<v1::JobEvent> {
    let request = v1::WatchJobRequest { job_id: id.to_owned(), after_sequence: after };
    let mut stream = client.watch_job(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    let collect = async {
        while let Some(event) = stream.next().await {
            events.push(event.unwrap());
        }
    };
    timeout(limit, collect).await.unwrap_or_else(|_| panic!("job {id} never ended"));
    events
}

pub fn reason(status: &tonic::Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

pub fn details(status: &tonic::Status) -> ErrorDetails {
    status.get_error_details()
}

/// Field and reason of every violation.
pub fn violations(status: &tonic::Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let found = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    found.into_iter().map(|violation| (violation.field, violation.reason)).collect()
}
