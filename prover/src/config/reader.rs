//! From values in text to a [`Config`], with everything that is wrong with them.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{
    Config, ConfigError, L1Settings, LogFormat, ObjectStoreAddress, SETTINGS, Secret, Source, TlsFiles,
    Violation, settings::is_setting,
};

/// Values and what was wrong with them so far.
pub(super) struct Reader {
    pub(super) values: BTreeMap<String, (Source, String)>,
    violations: Vec<Violation>,
}

impl Reader {
    pub(super) fn new() -> Self {
        let values = SETTINGS
            .iter()
            .map(|setting| (setting.name.to_owned(), (Source::Default, setting.default.to_owned())))
            .collect();
        Self { values, violations: Vec::new() }
    }

    pub(super) fn violation(&mut self, setting: &str, source: Source, message: String) {
        self.violations.push(Violation { setting: setting.to_owned(), source, message });
    }

    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
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

    pub(super) fn finish(mut self) -> Result<Config, ConfigError> {
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
