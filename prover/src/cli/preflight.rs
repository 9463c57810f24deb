//! Checks of the machine that take no time: what `serve` looks at before it starts, and `doctor` first.

use std::{
    fs,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use serde::Serialize;
use tenon_circuits::{
    aggregation::AggregationVerifier,
    halo2::{KeyStore, SrsSource, needed_files},
    rollup::field,
};
use tenon_prover::{
    Config,
    circuit_engine::{CircuitEngine, aggregate_memory_bytes, size_class},
    executor::genesis_state,
    store::DataDirLock,
};

use super::{
    failure::{Blame, Failure, Outcome},
    output,
    progress::Progress,
};

/// Free space below which the data directory is in danger, and below which work can't start.
const LOW_SPACE_BYTES: u64 = 5 << 30;
const LEAST_SPACE_BYTES: u64 = 1 << 30;

/// Free space that set-up strings and keys take, for each leaf of an aggregation: measured, rounded up.
const KEY_BYTES_PER_LEAF: u64 = 512 << 20;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Works, but look at it.
    Warn,
    /// The service can't work like this.
    Fail,
}

impl Status {
    /// In text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it ended.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Check {
    /// As it should be.
    pub fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, found: found.into(), advice: None }
    }

    /// Works, but look at it.
    pub fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, status: Status::Warn, found: found.into(), advice: Some(advice.into()) }
    }

    /// The service can't work like this.
    pub fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, status: Status::Fail, found: found.into(), advice: Some(advice.into()) }
    }
}

/// All quick checks of a service with these settings. Nothing is made or left behind, except that a data directory
/// that exists gets its lock file.
pub fn checks(config: &Config) -> Vec<Check> {
    vec![
        environment(),
        keys(config),
        data_dir(&config.data_dir),
        space(config),
        memory(config),
        threads(config),
        port("gRPC port", "grpc_listen", config.grpc_listen),
        port("HTTP port", "http_listen", config.http_listen),
        genesis(config),
        rollup(config),
    ]
}

/// The files of the settings' keys that aren't there yet; none when the size class is unknown.
pub fn missing_keys(config: &Config) -> Vec<PathBuf> {
    let Ok(class) = size_class(&config.size_class) else { return Vec::new() };
    let files = needed_files(&config.keys_dir, class, config.aggregation_leaves);
    files.into_iter().filter(|path| !path.is_file()).collect()
}

fn environment() -> Check {
    let name = "environment";
    match std::env::var_os("MAX_DEGREE") {
        None => Check::ok(name, "MAX_DEGREE is not set"),
        Some(value) => Check::fail(
            name,
            format!("MAX_DEGREE is set to {value:?}, which changes the circuits"),
            "unset MAX_DEGREE",
        ),
    }
}

fn keys(config: &Config) -> Check {
    let name = "keys";
    if let Err(error) = size_class(&config.size_class) {
        return Check::fail(name, error.to_string(), "choose one of these with --size-class");
    }
    let directory = config.keys_dir.display();
    let missing = missing_keys(config);
    if missing.is_empty() {
        return Check::ok(name, format!("all files of size class {} are in {directory}", config.size_class));
    }
    if let Err(error) = writable(&config.keys_dir) {
        return Check::fail(
            name,
            format!("{} file(s) are missing and {directory} is not writable: {error}", missing.len()),
            "make it writable, or name the directory of the keys with --keys-dir",
        );
    }
    Check::warn(
        name,
        format!("{} of the files of size class {} are not in {directory}", missing.len(), config.size_class),
        "run `tenon keys setup`, or let the first start make them, which takes minutes",
    )
}

fn data_dir(path: &Path) -> Check {
    let name = "data directory";
    let tried = if path.is_dir() {
        DataDirLock::take(path).map(drop).map_err(|error| error.to_string())
    } else {
        writable(path).map_err(|error| format!("{} is not writable: {error}", path.display()))
    };
    match tried {
        Ok(()) => Check::ok(name, format!("{} is writable and nobody holds it", path.display())),
        Err(error) => Check::fail(
            name,
            error,
            "stop the other process, change the permissions, or name another directory with --data-dir",
        ),
    }
}

/// The directory itself, or the next one above it that exists.
fn existing(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/")).to_owned()
}

/// Writes a file in the directory, or the next one above it that exists, and removes it.
fn writable(path: &Path) -> io::Result<()> {
    let probe = existing(path).join(format!(".tenon-check-{}", std::process::id()));
    fs::File::create_new(&probe)?;
    fs::remove_file(&probe)
}

fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(existing(path))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

fn space(config: &Config) -> Check {
    let name = "free space";
    let advice = "free some, or name directories on another disk with --data-dir and --keys-dir";
    let measured = free_bytes(&config.data_dir).and_then(|data| Ok((data, free_bytes(&config.keys_dir)?)));
    let (data, keys) = match measured {
        Ok(measured) => measured,
        Err(error) => return Check::warn(name, format!("can't be told: {error}"), advice),
    };
    let keys_needed = match missing_keys(config).is_empty() {
        true => 0,
        false => KEY_BYTES_PER_LEAF.saturating_mul(config.aggregation_leaves as u64),
    };
    let found = format!(
        "{} for data (expected {}), {} for keys (expected {})",
        output::bytes(data),
        output::bytes(LOW_SPACE_BYTES),
        output::bytes(keys),
        output::bytes(keys_needed)
    );
    if data < LEAST_SPACE_BYTES || keys < keys_needed {
        Check::fail(name, found, advice)
    } else if data < LOW_SPACE_BYTES {
        Check::warn(name, found, advice)
    } else {
        Check::ok(name, found)
    }
}

/// What the machine has for this process, and what of it is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Memory {
    total: u64,
    available: u64,
}

impl Memory {
    /// From the text of `/proc/meminfo`, and the limit of the control group where it has one.
    fn parse(meminfo: &str, limit: Option<u64>) -> Option<Self> {
        let value = |name: &str| {
            let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            kibibytes.checked_mul(1024)
        };
        let limit = limit.unwrap_or(u64::MAX);
        Some(Self { total: value("MemTotal")?.min(limit), available: value("MemAvailable")?.min(limit) })
    }

    fn read() -> Option<Self> {
        let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
        let limit = limit.and_then(|text| text.trim().parse().ok());
        Self::parse(&fs::read_to_string("/proc/meminfo").ok()?, limit)
    }
}

fn memory(config: &Config) -> Check {
    let name = "memory";
    let one = aggregate_memory_bytes(config.aggregation_leaves);
    let Some(memory) = Memory::read() else {
        return Check::warn(
            name,
            "can't be told on this system",
            format!("see that there are {} for proofs", output::bytes(one)),
        );
    };
    let limit = match config.memory_limit_bytes {
        0 => u64::MAX,
        limit => limit.max(one),
    };
    let needed = one.saturating_mul(config.workers as u64).min(limit);
    let found = format!(
        "{} of {} free, {} worker(s) take up to {}",
        output::bytes(memory.available),
        output::bytes(memory.total),
        config.workers,
        output::bytes(needed)
    );
    if memory.total < one {
        Check::fail(name, found, "use a machine with more memory: one aggregation doesn't fit this one")
    } else if memory.available < needed {
        Check::warn(name, found, "stop other programs, or set --workers lower or --memory-limit-bytes")
    } else {
        Check::ok(name, found)
    }
}

fn threads(config: &Config) -> Check {
    let name = "processors";
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = config.workers.saturating_mul(config.threads_per_worker);
    let found =
        format!("{cores} for {} worker(s) of {} thread(s)", config.workers, config.threads_per_worker);
    if threads > cores {
        Check::warn(
            name,
            found,
            "set --workers or --threads-per-worker lower: more threads than cores only wait",
        )
    } else {
        Check::ok(name, found)
    }
}

fn port(name: &'static str, setting: &str, address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(name, format!("{address} is free")),
        Err(error) => {
            let found = match error.kind() {
                ErrorKind::AddrInUse => format!("{address} is in use by another process"),
                _ => format!("{address}: {error}"),
            };
            let flag = setting.replace('_', "-");
            Check::fail(name, found, format!("stop what is there, or choose another address with --{flag}"))
        }
    }
}

fn genesis(config: &Config) -> Check {
    let name = "genesis";
    let Some(path) = &config.genesis else {
        return Check::warn(
            name,
            "no file: the log starts from a state without accounts",
            "name the file that the contracts were deployed with, with --genesis",
        );
    };
    match genesis_state(Some(path)) {
        Ok(state) => Check::ok(
            name,
            format!("{} accounts, state {}", state.next_index(), field::to_hex(&state.commitment())),
        ),
        Err(error) => {
            Check::fail(name, error.to_string(), "correct the file, or name another one with --genesis")
        }
    }
}

fn rollup(config: &Config) -> Check {
    let name = "rollup";
    let address = output::hex(config.rollup_address);
    if config.rollup_address == [0; 20] {
        return Check::warn(
            name,
            "no contract is named, so signatures and proofs are for none",
            "deploy with `tenon contracts deploy` and name the contract with --rollup-address and --chain-id",
        );
    }
    Check::ok(name, format!("{address} on chain {}", config.chain_id))
}

/// Refuses to start a service on a machine where a quick check fails.
pub fn service(config: &Config) -> Outcome {
    let failed: Vec<String> = checks(config)
        .into_iter()
        .filter(|check| check.status == Status::Fail)
        .map(|check| {
            let advice = check.advice.map(|advice| format!("; {advice}")).unwrap_or_default();
            format!("{}: {}{advice}", check.name, check.found)
        })
        .collect();
    if failed.is_empty() { Ok(()) } else { Err(Failure::work_text(failed.join("\n  "))) }
}

/// Opens the keys that the settings name, or makes them, which takes minutes.
pub async fn engine(config: &Config, progress: &Progress) -> Outcome<Arc<CircuitEngine>> {
    let work = progress.work("keys");
    work.update(None, &format!("reading or making those in {}", config.keys_dir.display()));
    let (directory, class, leaves) =
        (config.keys_dir.clone(), config.size_class.clone(), config.aggregation_leaves);
    let engine = tokio::task::spawn_blocking(move || CircuitEngine::open(&directory, &class, leaves))
        .await
        .or_work("keys")?
        .or_work("keys")?;
    work.done(&format!("ready in {}", config.keys_dir.display()));
    if engine.is_insecure() {
        progress.note(output::INSECURE_SETUP);
    }
    Ok(Arc::new(engine))
}

/// Reads what verifies aggregate proofs, without the gigabytes that proving takes besides. Where there are no keys that
/// the settings name, they are made, which takes minutes.
pub async fn verifier(config: &Config, progress: &Progress) -> Outcome<AggregationVerifier> {
    let class = size_class(&config.size_class).or_work("keys")?;
    let (directory, leaves) = (config.keys_dir.clone(), config.aggregation_leaves);
    let work = progress.work("keys");
    work.update(None, &format!("reading or making those in {}", config.keys_dir.display()));
    let read = move || KeyStore::open(&directory)?.aggregation_verifier(class, leaves);
    let verifier = tokio::task::spawn_blocking(read).await.or_work("keys")?.or_work("keys")?;
    work.done(&format!("ready in {}", config.keys_dir.display()));
    if verifier.info().srs_source == SrsSource::Development {
        progress.note(output::INSECURE_SETUP);
    }
    Ok(verifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_the_smaller_of_machine_and_limit() {
        let text = "MemTotal:       24000000 kB\nMemFree:         1000 kB\nMemAvailable:   12000000 kB\n";
        let memory = Memory::parse(text, None).unwrap();
        assert_eq!(memory, Memory { total: 24_000_000 << 10, available: 12_000_000 << 10 });
        let memory = Memory::parse(text, Some(1 << 30)).unwrap();
        assert_eq!(memory, Memory { total: 1 << 30, available: 1 << 30 });
        assert_eq!(Memory::parse("MemTotal: many", None), None);
    }

    #[test]
    fn a_missing_directory_is_looked_for_above() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("a/b");
        assert_eq!(existing(&missing), dir.path());
        writable(&missing).unwrap();
        assert!(free_bytes(&missing).unwrap() > 0);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_taken_port_and_a_held_directory_fail() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let check = port("gRPC port", "grpc_listen", listener.local_addr().unwrap());
        assert_eq!(check.status, Status::Fail);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(data_dir(dir.path()).status, Status::Ok);
        let held = DataDirLock::take(dir.path()).unwrap();
        assert_eq!(data_dir(dir.path()).status, Status::Fail);
        drop(held);
    }
}
