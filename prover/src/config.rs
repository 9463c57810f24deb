//! The service's settings.
//!
//! Each setting comes from the first of these that names it: the command line, the environment
//! (`TENON_` and the name in capitals), the TOML file (flat, one key a setting), the default. All
//! are checked together, and everything wrong is reported at once.

mod reader;
mod settings;

use std::{
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::settlement::Finality;
use reader::Reader;
use settings::is_setting;

pub use settings::{SETTINGS, Setting};

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

#[cfg(test)]
mod tests;
