//! The service's settings.
//!
//! Each setting comes from the first of these that names it: the command line, the environment
//! (`TENON_` and the name in capitals), the TOML file (flat, one key a setting), the default. All
//! are checked together, and everything wrong is reported at once.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::settlement::Finality;

/// Prefix of the environment variables that carry settings.
pub const ENV_PREFIX: &str = "TENON_";

/// A validated set of settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory of the database, the witnesses and the proofs.
    pub data_dir: PathBuf,
    /// The database; none for a file of SQLite in the data directory.
    pub database_url: Option<Secret>,
    /// Where witnesses, proofs, checkpoints and the archive are; none for the data directory.
    pub object_store: Option<ObjectStoreAddress>,
    /// Directory of set-up files and proving keys.
    pub keys_dir: PathBuf,
    /// Address of the gRPC listener. Port 0 takes a free one.
    pub grpc_listen: SocketAddr,
    /// Address of the listener for metrics and health. Port 0 takes a free one.
    pub http_listen: SocketAddr,
    /// Allows listening on addresses other than the loopback ones although nothing authenticates callers, or they are
    /// not encrypted.
    pub allow_unauthenticated_public: bool,
    /// Certificate and key of both listeners; unencrypted without.
    pub tls: Option<TlsFiles>,
    /// File of the tokens that callers need; none for no tokens.
    pub tokens_file: Option<PathBuf>,
    /// Name of the leaf circuit's size class.
    pub size_class: String,
    /// Leaf proofs per aggregation.
    pub aggregation_leaves: usize,
    /// Age of the oldest proven batch at which an aggregation starts although it isn't full.
    pub aggregation_max_age: Duration,
    /// Proofs made at the same time.
    pub workers: usize,
    /// Threads of each worker's pool.
    pub threads_per_worker: usize,
    /// Time after which a task without a heartbeat goes to another worker.
    pub lease: Duration,
    /// Time between heartbeats, at most two thirds of the lease.
    pub heartbeat: Duration,
    /// Time that one task may run before it counts as failed.
    pub task_deadline: Duration,
    /// Failures of one task that fail its job.
    pub max_attempts: u32,
    /// Time before a failed task is tried again; doubled after each failure.
    pub retry_delay: Duration,
    /// Memory in bytes that the proofs in work may take together; 0 for no limit.
    pub memory_limit_bytes: u64,
    /// Batches without an aggregate proof beyond which submissions are refused.
    pub max_queued_batches: u32,
    /// Size limit of a request in bytes.
    pub max_message_bytes: usize,
    /// Connections open at the same time, for each listener.
    pub max_connections: usize,
    /// Requests handled at the same time.
    pub max_concurrent_requests: usize,
    /// Submissions and proofs to verify that are in memory at the same time.
    pub max_concurrent_submissions: usize,
    /// Requests that each caller may make a second; 0 for no limit.
    pub requests_per_second: u32,
    /// Submissions and proofs to verify that each caller may send a second; 0 for no limit.
    pub submissions_per_second: u32,
    /// Time after which a request (other than a watch) is given up.
    pub request_timeout: Duration,
    /// Batches between two checkpoints of the account state.
    pub checkpoint_interval: u64,
    /// Time that tasks in work get to finish at shutdown before they are handed back.
    pub shutdown_grace: Duration,
    /// Chain of the rollup contract.
    pub chain_id: u64,
    /// Address of the rollup contract.
    pub rollup_address: [u8; 20],
    /// File of the accounts that the log starts from; none for the empty state.
    pub genesis: Option<PathBuf>,
    /// File of the state that an empty log continues, as `tenon rebuild` writes it; none to begin with genesis.
    pub from_snapshot: Option<PathBuf>,
    /// The L1 that the service follows; none for one that doesn't.
    pub l1: Option<L1Settings>,
    /// Time from a batch's acceptance to its aggregate proof that 95 % should keep to.
    pub proof_latency_target: Duration,
    /// Age of a batch without an aggregate proof at which operators should look.
    pub oldest_batch_limit: Duration,
    /// Time behind the final head of L1 at which operators should look.
    pub l1_lag_limit: Duration,
    /// Form of the log.
    pub log_format: LogFormat,
    /// Filter of the log, such as `info` or `tenon_prover=debug`.
    pub log_filter: String,
    /// Address of an OpenTelemetry collector that takes spans; none to export none.
    pub otlp_endpoint: Option<String>,
}

/// Where several machines find the same files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectStoreAddress {
    /// A directory that they share.
    Directory(PathBuf),
    /// A bucket of an S3-compatible store, `s3://BUCKET/PREFIX`.
    Bucket(String),
}

/// A value that isn't shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a value.
    #[must_use]
    pub fn new(value: &str) -> Self {
        Self(value.to_owned())
    }

    /// The value.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Files of what encrypts connections, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and the root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Certificates of those who sign clients' certificates; clients need none without.
    pub client_ca: Option<PathBuf>,
}

/// How the service follows L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L1Settings {
    /// The node's JSON-RPC interface; it may have a key in it.
    pub url: Secret,
    /// A beacon node's interface, for blobs; the node's where absent.
    pub beacon_url: Option<Secret>,
    /// File with the key that commits and settles.
    pub key_file: Option<PathBuf>,
    /// When a block counts as final; by the chain where absent.
    pub finality: Option<Finality>,
    /// The first block that can have the contract's events.
    pub first_block: u64,
    /// Time between two looks.
    pub poll: Duration,
    /// Time before an operation's deadline at which a batch of operations alone is made.
    pub deadline_margin: Duration,
    /// Time after which a stuck transaction is replaced.
    pub resend_after: Duration,
    /// The most that is paid for a unit of gas, in wei.
    pub max_price_wei: u128,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Built in.
    Default,
    /// The TOML file.
    File(PathBuf),
    /// This environment variable.
    Environment(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// One thing wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The setting.
    pub setting: String,
    /// Where its value came from.
    pub source: Source,
    /// What is wrong, with the value found and the values allowed.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.setting, self.source, self.message)
    }
}

/// The settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("settings file {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file isn't TOML.
    #[error("settings file {path} is not valid TOML: {error}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
    /// Settings with values that aren't allowed.
    #[error("{}", list(.0))]
    Invalid(Vec<Violation>),
}

fn list(violations: &[Violation]) -> String {
    let mut text = String::from(if violations.len() == 1 { "invalid setting:" } else { "invalid settings:" });
    for violation in violations {
        text.push_str(&format!("\n  {violation}"));
    }
    text
}

/// A setting's name, default and meaning.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name, as in the TOML file and in [`Config`].
    pub name: &'static str,
    /// Its value where nothing names it; empty for a value that depends on the machine.
    pub default: &'static str,
    /// What it sets.
    pub help: &'static str,
}

macro_rules! settings {
    ($($name:literal = $default:literal, $help:literal;)*) => {
        /// All settings, in the order of [`Config`].
        pub const SETTINGS: &[Setting] = &[$(Setting { name: $name, default: $default, help: $help }),*];
    };
}

settings! {
    "data_dir" = ".tenon/data", "directory of the database, witnesses and proofs";
    "database_url" = "", "PostgreSQL database, such as postgres://tenon@db.example/tenon, empty for SQLite in data_dir";
    "object_store" = "", "where witnesses, proofs, checkpoints and the archive are: s3://BUCKET/PREFIX, or a directory that machines share; empty for data_dir";
    "keys_dir" = ".tenon/keys", "directory of set-up files and proving keys";
    "grpc_listen" = "127.0.0.1:7440", "address of the gRPC listener";
    "http_listen" = "127.0.0.1:7441", "address of the listener for page, metrics and health";
    "allow_unauthenticated_public" = "false", "listen beyond the loopback addresses although callers aren't authenticated or not encrypted";
    "tls_cert_file" = "", "certificate chain in PEM for both listeners, empty for none; read again when it changes";
    "tls_key_file" = "", "private key of the certificate in PEM";
    "tls_client_ca_file" = "", "certificates in PEM of those who sign clients' certificates, empty to ask clients for none";
    "tokens_file" = "", "file of the tokens that callers need (see tenon api-tokens), empty to need none; read again when it changes";
    "size_class" = "medium", "size class of the leaf circuit: small, medium or large";
    "aggregation_leaves" = "2", "leaf proofs per aggregation, 2 to 16";
    "aggregation_max_age" = "60s", "age of the oldest proven batch at which an unfilled aggregation starts";
    "workers" = "", "proofs made at the same time, 0 for a service that leaves them to other machines";
    "threads_per_worker" = "", "threads of each worker";
    "lease" = "18s", "time after which a task without a heartbeat goes to another worker";
    "heartbeat" = "10s", "time between heartbeats, at most two thirds of the lease";
    "task_deadline" = "1h", "time that one task may run before it counts as failed";
    "max_attempts" = "3", "failures of one task that fail its job";
    "retry_delay" = "1s", "time before a failed task is tried again, doubled after each failure";
    "memory_limit_bytes" = "0", "memory that the proofs in work may take together, 0 for no limit";
    "max_queued_batches" = "256", "batches without an aggregate proof beyond which submissions are refused";
    "max_message_bytes" = "4194304", "size limit of a request";
    "max_connections" = "1024", "connections open at the same time, for each listener";
    "max_concurrent_requests" = "256", "requests handled at the same time";
    "max_concurrent_submissions" = "16", "submissions and proofs to verify in memory at the same time";
    "requests_per_second" = "1000", "requests that each caller may make a second, 0 for no limit";
    "submissions_per_second" = "100", "submissions and proofs to verify that each caller may send a second, 0 for no limit";
    "request_timeout" = "30s", "time after which a request other than a watch is given up";
    "checkpoint_interval" = "64", "batches between two checkpoints of the account state";
    "shutdown_grace" = "5s", "time that tasks in work get to finish at shutdown";
    "chain_id" = "31337", "chain of the rollup contract";
    "rollup_address" = "0x0000000000000000000000000000000000000000", "address of the rollup contract";
    "genesis" = "", "file of the accounts that the log starts from";
    "from_snapshot" = "", "file that tenon rebuild wrote, for an empty log to go on from the last final batch on L1";
    "l1_url" = "", "JSON-RPC address of the L1 node to follow and settle on, http:// or https://, empty to do neither";
    "l1_beacon_url" = "", "HTTP or HTTPS address of a beacon node for blobs, empty to ask the L1 node";
    "l1_key_file" = "", "file with the hex private key that commits and settles, empty for TENON_L1_PRIVATE_KEY";
    "l1_finality" = "", "when L1 is final: finalized, or a number of confirmations; empty for finalized, 0 on development chains";
    "l1_first_block" = "0", "block in which the rollup contract was deployed";
    "l1_poll" = "2s", "time between two looks at L1";
    "l1_deadline_margin" = "144h", "time before an operation's deadline, 7 days after it was queued, at which a batch of operations alone is made";
    "l1_resend_after" = "3m", "time after which a stuck transaction is replaced by one that pays more";
    "l1_max_gas_price_gwei" = "500", "the most that is paid for a unit of gas";
    "proof_latency_target" = "15m", "time from acceptance to aggregate proof that the page and the alerts compare with";
    "oldest_batch_limit" = "1h", "age of a batch without aggregate proof that the page and the alerts compare with";
    "l1_lag_limit" = "10m", "time behind the final head of L1 that the page and the alerts compare with";
    "log_format" = "text", "form of the log: text or json";
    "log_filter" = "info", "filter of the log, such as info or tenon_prover=debug";
    "otlp_endpoint" = "", "address of an OpenTelemetry collector (OTLP over gRPC) that takes spans, such as http://127.0.0.1:4317; empty for none";
}

impl Config {
    /// Puts the settings together.
    ///
    /// `environment` is usually `std::env::vars()`; variables that name no setting are left alone.
    /// `flags` are pairs of setting and value from the command line.
    ///
    /// # Errors
    /// When the file can't be read, or with everything that is wrong with the values.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new();
        if let Some(path) = file {
            reader.add_file(path)?;
        }
        for (name, value) in environment {
            let Some(setting) = name.strip_prefix(ENV_PREFIX).map(str::to_ascii_lowercase) else { continue };
            if is_setting(&setting) {
                reader.values.insert(setting, (Source::Environment(name), value));
            }
        }
        for (setting, value) in flags {
            if is_setting(&setting) {
                reader.values.insert(setting, (Source::Flag, value));
            } else {
                reader.violation(&setting, Source::Flag, "no such setting".into());
            }
        }
        reader.finish()
    }

    /// The defaults, with these settings changed.
    ///
    /// # Errors
    /// With everything that is wrong with the values.
    pub fn with<'a>(settings: impl IntoIterator<Item = (&'a str, String)>) -> Result<Self, ConfigError> {
        Self::load(None, [], settings.into_iter().map(|(name, value)| (name.to_owned(), value)))
    }
}

fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name)
}

struct Reader {
    values: BTreeMap<String, (Source, String)>,
    violations: Vec<Violation>,
}

impl Reader {
    fn new() -> Self {
        let values = SETTINGS
            .iter()
            .map(|setting| (setting.name.to_owned(), (Source::Default, setting.default.to_owned())))
            .collect();
        Self { values, violations: Vec::new() }
    }

    fn violation(&mut self, setting: &str, source: Source, message: String) {
        self.violations.push(Violation { setting: setting.to_owned(), source, message });
    }

    fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let table: toml::Table = text
            .parse()
            .map_err(|error| ConfigError::Parse { path: path.to_owned(), error: Box::new(error) })?;
        for (name, value) in table {
            let source = Source::File(path.to_owned());
            let value = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                other => {
                    let message =
                        format!("expected a string, an integer or a boolean, found {}", other.type_str());
                    self.violation(&name, source, message);
                    continue;
                }
            };
            if is_setting(&name) {
                self.values.insert(name, (source, value));
            } else {
                self.violation(&name, source, "no such setting".into());
            }
        }
        Ok(())
    }

    fn get<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let (source, value) = self.values.get(name).cloned()?;
        match parse(value.trim()) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.violation(name, source, format!("expected {expected}, found {value:?}"));
                None
            }
        }
    }

    fn number(&mut self, name: &str, min: u64, max: u64) -> Option<u64> {
        self.get(name, |text| match text.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(format!("an integer from {min} to {max}")),
        })
    }

    fn number_or(&mut self, name: &str, default: u64, min: u64, max: u64) -> Option<u64> {
        if self.values.get(name).is_some_and(|(_, value)| value.is_empty()) {
            return Some(default);
        }
        self.number(name, min, max)
    }

    fn duration(&mut self, name: &str, min: Duration, max: Duration) -> Option<Duration> {
        self.get(name, |text| match parse_duration(text) {
            Some(duration) if (min..=max).contains(&duration) => Ok(duration),
            _ => Err(format!("a time from {min:?} to {max:?} with its unit (ms, s, m, h)")),
        })
    }

    fn path(&mut self, name: &str) -> Option<PathBuf> {
        self.get(
            name,
            |text| {
                if text.is_empty() { Err("a path".to_owned()) } else { Ok(PathBuf::from(text)) }
            },
        )
    }

    fn database_url(&mut self) -> Option<Option<Secret>> {
        // The value found isn't shown: it may hold a password.
        let (source, value) = self.values.get("database_url").cloned()?;
        let value = value.trim();
        if value.is_empty() {
            return Some(None);
        }
        if ["postgres://", "postgresql://"].iter().any(|scheme| value.starts_with(scheme)) {
            return Some(Some(Secret::new(value)));
        }
        let message = "expected a URL that starts with postgres://, or nothing for SQLite".to_owned();
        self.violation("database_url", source, message);
        None
    }

    fn address(&mut self, name: &str) -> Option<SocketAddr> {
        self.get(name, |text| {
            text.parse().map_err(|_| "an IP address and port such as 127.0.0.1:7440".to_owned())
        })
    }

    fn boolean(&mut self, name: &str) -> Option<bool> {
        self.get(name, |text| text.parse().map_err(|_| "true or false".to_owned()))
    }

    fn finish(mut self) -> Result<Config, ConfigError> {
        let config = self.read();
        if let Some(config) = &config {
            self.check_together(config);
        }
        match config {
            Some(config) if self.violations.is_empty() => Ok(config),
            _ => Err(ConfigError::Invalid(self.violations)),
        }
    }

    fn read(&mut self) -> Option<Config> {
        const MS: Duration = Duration::from_millis(1);
        const DAY: Duration = Duration::from_secs(86_400);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let workers = self.number_or("workers", if cores <= 4 { 1 } else { cores as u64 / 4 }, 0, 1024);
        let share = cores as u64 / workers.unwrap_or(1).max(1);
        // Every setting is read before the first missing one ends the function.
        let data_dir = self.path("data_dir");
        let database_url = self.database_url();
        let object_store = self.get("object_store", |text| match text {
            "" => Ok(None),
            _ if text.starts_with("s3://") => Ok(Some(ObjectStoreAddress::Bucket(text.to_owned()))),
            _ if text.contains("://") => Err("s3://BUCKET/PREFIX or a directory".to_owned()),
            _ => Ok(Some(ObjectStoreAddress::Directory(PathBuf::from(text)))),
        });
        let keys_dir = self.path("keys_dir");
        let grpc_listen = self.address("grpc_listen");
        let http_listen = self.address("http_listen");
        let allow_unauthenticated_public = self.boolean("allow_unauthenticated_public");
        let tls = self.tls();
        let tokens_file = self.file("tokens_file");
        let size_class = self.get("size_class", |text| {
            if text.is_empty() { Err("a size class".to_owned()) } else { Ok(text.to_owned()) }
        });
        let aggregation_leaves = self.number("aggregation_leaves", 2, 16);
        let aggregation_max_age = self.duration("aggregation_max_age", Duration::ZERO, 365 * DAY);
        let threads_per_worker = self.number_or("threads_per_worker", share.max(1), 1, 1024);
        let lease = self.duration("lease", 30 * MS, DAY);
        let heartbeat = self.duration("heartbeat", 10 * MS, DAY);
        let task_deadline = self.duration("task_deadline", MS, 365 * DAY);
        let max_attempts = self.number("max_attempts", 1, 100);
        let retry_delay = self.duration("retry_delay", Duration::ZERO, DAY);
        let memory_limit_bytes = self.number("memory_limit_bytes", 0, u64::MAX);
        let max_queued_batches = self.number("max_queued_batches", 1, 1_000_000);
        let max_message_bytes = self.number("max_message_bytes", 1024, 1 << 30);
        let max_connections = self.number("max_connections", 1, 1_000_000);
        let max_concurrent_requests = self.number("max_concurrent_requests", 1, 1_000_000);
        let max_concurrent_submissions = self.number("max_concurrent_submissions", 1, 1_000_000);
        let requests_per_second = self.number("requests_per_second", 0, 1_000_000);
        let submissions_per_second = self.number("submissions_per_second", 0, 1_000_000);
        let request_timeout = self.duration("request_timeout", MS, DAY);
        let checkpoint_interval = self.number("checkpoint_interval", 1, 1_000_000);
        let shutdown_grace = self.duration("shutdown_grace", Duration::ZERO, DAY);
        let chain_id = self.number("chain_id", 1, u64::MAX);
        let rollup_address = self.get("rollup_address", |text| {
            parse_l1_address(text).ok_or_else(|| "an L1 address: 0x and 40 hex digits".to_owned())
        });
        let genesis = self.get("genesis", |text| Ok((!text.is_empty()).then(|| PathBuf::from(text))));
        let from_snapshot = self.file("from_snapshot");
        let l1 = self.l1();
        let proof_latency_target = self.duration("proof_latency_target", MS, 365 * DAY);
        let oldest_batch_limit = self.duration("oldest_batch_limit", MS, 365 * DAY);
        let l1_lag_limit = self.duration("l1_lag_limit", MS, 365 * DAY);
        let log_format = self.get("log_format", |text| match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("text or json".to_owned()),
        });
        let log_filter = self.get("log_filter", |text| {
            text.parse::<tracing_subscriber::EnvFilter>()
                .map(|_| text.to_owned())
                .map_err(|error| format!("a log filter ({error})"))
        });
        let otlp_endpoint = self.get("otlp_endpoint", |text| match text {
            "" => Ok(None),
            _ if text.starts_with("http://") || text.starts_with("https://") => Ok(Some(text.to_owned())),
            _ => Err("a URL that starts with http:// or https://".to_owned()),
        });
        Some(Config {
            data_dir: data_dir?,
            database_url: database_url?,
            object_store: object_store?,
            keys_dir: keys_dir?,
            grpc_listen: grpc_listen?,
            http_listen: http_listen?,
            allow_unauthenticated_public: allow_unauthenticated_public?,
            tls: tls?,
            tokens_file: tokens_file?,
            size_class: size_class?,
            aggregation_leaves: usize::try_from(aggregation_leaves?).ok()?,
            aggregation_max_age: aggregation_max_age?,
            workers: usize::try_from(workers?).ok()?,
            threads_per_worker: usize::try_from(threads_per_worker?).ok()?,
            lease: lease?,
            heartbeat: heartbeat?,
            task_deadline: task_deadline?,
            max_attempts: u32::try_from(max_attempts?).ok()?,
            retry_delay: retry_delay?,
            memory_limit_bytes: memory_limit_bytes?,
            max_queued_batches: u32::try_from(max_queued_batches?).ok()?,
            max_message_bytes: usize::try_from(max_message_bytes?).ok()?,
            max_connections: usize::try_from(max_connections?).ok()?,
            max_concurrent_requests: usize::try_from(max_concurrent_requests?).ok()?,
            max_concurrent_submissions: usize::try_from(max_concurrent_submissions?).ok()?,
            requests_per_second: u32::try_from(requests_per_second?).ok()?,
            submissions_per_second: u32::try_from(submissions_per_second?).ok()?,
            request_timeout: request_timeout?,
            checkpoint_interval: checkpoint_interval?,
            shutdown_grace: shutdown_grace?,
            chain_id: chain_id?,
            rollup_address: rollup_address?,
            genesis: genesis?,
            from_snapshot: from_snapshot?,
            l1: l1?,
            proof_latency_target: proof_latency_target?,
            oldest_batch_limit: oldest_batch_limit?,
            l1_lag_limit: l1_lag_limit?,
            log_format: log_format?,
            log_filter: log_filter?,
            otlp_endpoint: otlp_endpoint?,
        })
    }

    /// A file that may be left out.
    fn file(&mut self, name: &str) -> Option<Option<PathBuf>> {
        self.get(name, |text| Ok((!text.is_empty()).then(|| PathBuf::from(text))))
    }

    fn tls(&mut self) -> Option<Option<TlsFiles>> {
        let certificate = self.file("tls_cert_file")?;
        let key = self.file("tls_key_file")?;
        let client_ca = self.file("tls_client_ca_file")?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => return Some(Some(TlsFiles { certificate, key, client_ca })),
            (None, None) if client_ca.is_none() => return Some(None),
            (None, _) => {
                let message =
                    "expected the certificate that goes with the other TLS files, found none".to_owned();
                self.violation("tls_cert_file", self.source("tls_cert_file"), message);
            }
            (Some(_), None) => {
                let message = "expected the certificate's private key, found none".to_owned();
                self.violation("tls_key_file", self.source("tls_key_file"), message);
            }
        }
        None
    }

    fn l1(&mut self) -> Option<Option<L1Settings>> {
        let optional = |text: &str| Ok((!text.is_empty()).then(|| Secret::new(text)));
        let url = self.get("l1_url", optional);
        let beacon_url = self.get("l1_beacon_url", optional);
        let key_file = self.get("l1_key_file", |text| Ok((!text.is_empty()).then(|| PathBuf::from(text))));
        let finality = self.get("l1_finality", |text| match text {
            "" => Ok(None),
            _ => text.parse().map(Some),
        });
        let first_block = self.number("l1_first_block", 0, u64::MAX);
        let poll = self.duration("l1_poll", Duration::from_millis(10), Duration::from_secs(3600));
        let deadline_margin =
            self.duration("l1_deadline_margin", Duration::ZERO, Duration::from_secs(30 * 86_400));
        let resend_after =
            self.duration("l1_resend_after", Duration::from_secs(1), Duration::from_secs(86_400));
        let gwei = self.number("l1_max_gas_price_gwei", 1, 1_000_000);
        let Some(url) = url? else { return Some(None) };
        Some(Some(L1Settings {
            url,
            beacon_url: beacon_url?,
            key_file: key_file?,
            finality: finality?,
            first_block: first_block?,
            poll: poll?,
            deadline_margin: deadline_margin?,
            resend_after: resend_after?,
            max_price_wei: u128::from(gwei?) * 1_000_000_000,
        }))
    }

    fn source(&self, name: &str) -> Source {
        self.values.get(name).map_or(Source::Default, |(source, _)| source.clone())
    }

    fn check_together(&mut self, config: &Config) {
        if config.heartbeat * 3 > config.lease * 2 {
            let message = format!(
                "expected at most two thirds of the lease ({:?}), found {:?}",
                config.lease, config.heartbeat
            );
            self.violation("heartbeat", self.source("heartbeat"), message);
        }
        for (name, address) in [("grpc_listen", config.grpc_listen), ("http_listen", config.http_listen)] {
            if address.ip().is_loopback() || config.allow_unauthenticated_public {
                continue;
            }
            let lack = match &config.tls {
                Some(tls) if tls.client_ca.is_some() || config.tokens_file.is_some() => continue,
                Some(_) => "nothing authenticates callers: set tokens_file or tls_client_ca_file",
                None if config.tokens_file.is_some() => "tokens would travel in the clear: set tls_cert_file",
                None => {
                    "nothing authenticates callers: set tls_cert_file with tokens_file or tls_client_ca_file"
                }
            };
            let message = format!(
                "{address} is not a loopback address and {lack}, put a proxy in front, or set \
                 allow_unauthenticated_public = true"
            );
            self.violation(name, self.source(name), message);
        }
        if config.grpc_listen == config.http_listen && config.grpc_listen.port() != 0 {
            let message = format!("{} is the gRPC listener's address", config.http_listen);
            self.violation("http_listen", self.source("http_listen"), message);
        }
    }
}

/// A time with its unit: `250ms`, `30s`, `5m` or `1h`.
fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    match unit.trim() {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

/// An L1 address in hex, with `0x` in front.
fn parse_l1_address(text: &str) -> Option<[u8; 20]> {
    hex::decode(text.strip_prefix("0x")?).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(result: Result<Config, ConfigError>) -> Vec<String> {
        match result {
            Err(ConfigError::Invalid(violations)) => violations.into_iter().map(|v| v.setting).collect(),
            other => panic!("expected violations, found {other:?}"),
        }
    }

    #[test]
    fn defaults_are_valid() {
        let config = Config::with([]).unwrap();
        assert!(config.workers >= 1);
        assert!(config.grpc_listen.ip().is_loopback());
    }

    #[test]
    fn layers_are_taken_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tenon.toml");
        fs::write(&file, "workers = 3\nlease = \"90s\"\nmax_attempts = 7\n").unwrap();
        let environment =
            [("TENON_LEASE".to_owned(), "80s".to_owned()), ("TENON_OTHER".to_owned(), "x".to_owned())];
        let config =
            Config::load(Some(&file), environment, [("max_attempts".to_owned(), "9".to_owned())]).unwrap();
        assert_eq!((config.workers, config.lease, config.max_attempts), (3, Duration::from_secs(80), 9));
    }

    #[test]
    fn everything_wrong_is_reported_together() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tenon.toml");
        fs::write(&file, "workers = 2000\nunknown = 1\nlease = []\n").unwrap();
        let environment = [("TENON_GRPC_LISTEN".to_owned(), "nowhere".to_owned())];
        let flags =
            [("rollup_address".to_owned(), "0x12".to_owned()), ("heartbeat".to_owned(), "5".to_owned())];
        let mut found = violations(Config::load(Some(&file), environment, flags));
        found.sort();
        assert_eq!(found, ["grpc_listen", "heartbeat", "lease", "rollup_address", "unknown", "workers"]);
    }

    #[test]
    fn public_listener_must_be_asked_for() {
        let public = ("grpc_listen", "0.0.0.0:7440".to_owned());
        assert_eq!(violations(Config::with([public.clone()])), ["grpc_listen"]);
        Config::with([public, ("allow_unauthenticated_public", "true".to_owned())]).unwrap();
    }

    #[test]
    fn a_database_url_is_never_shown() {
        let hidden = "postgres://tenon:swordfish@db/tenon";
        let config = Config::with([("database_url", hidden.to_owned())]).unwrap();
        assert_eq!(config.database_url.as_ref().map(Secret::reveal), Some(hidden));
        assert!(!format!("{config:?}").contains("swordfish"));
        let error = Config::with([("database_url", "mysql://tenon:swordfish@db".to_owned())]).unwrap_err();
        assert!(!error.to_string().contains("swordfish") && error.to_string().contains("postgres://"));
    }

    #[test]
    fn public_listener_needs_encryption_and_authentication() {
        let file = |name| (name, "file".to_owned());
        let public = ("http_listen", "0.0.0.0:7441".to_owned());
        let [cert, key, ca, tokens] =
            ["tls_cert_file", "tls_key_file", "tls_client_ca_file", "tokens_file"].map(file);
        let with = |more: &[(&'static str, String)]| {
            Config::with([public.clone()].into_iter().chain(more.iter().cloned()))
        };
        assert_eq!(violations(with(std::slice::from_ref(&tokens))), ["http_listen"]);
        assert_eq!(violations(with(&[cert.clone(), key.clone()])), ["http_listen"]);
        with(&[cert.clone(), key.clone(), tokens]).unwrap();
        with(&[cert.clone(), key.clone(), ca.clone()]).unwrap();
        assert_eq!(violations(with(&[cert])), ["tls_key_file"]);
        assert_eq!(violations(with(&[key])), ["tls_cert_file"]);
        assert_eq!(violations(with(&[ca])), ["tls_cert_file"]);
    }

    #[test]
    fn heartbeat_fits_the_lease() {
        assert_eq!(violations(Config::with([("heartbeat", "30s".to_owned())])), ["heartbeat"]);
    }
}
