//! All settings with their defaults and meanings, as the references and `--help` show them.

/// A setting's name, default and meaning.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name, as in the TOML file and in [`Config`](super::Config).
    pub name: &'static str,
    /// Its value where nothing names it; empty for a value that depends on the machine.
    pub default: &'static str,
    /// What it sets.
    pub help: &'static str,
}

macro_rules! settings {
    ($($name:literal = $default:literal, $help:literal;)*) => {
        /// All settings, in the order of [`Config`](super::Config).
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
    "aggregation_leaves" = "4", "leaf proofs per aggregation, 2 to 16";
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

/// Whether there is such a setting.
pub(super) fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name)
}
