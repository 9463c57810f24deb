//! Servers and workers in processes of their own, over one database and one directory of files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tenon_proto::v1::prover_client::ProverClient;
use tenon_prover::{
    Service,
    worker::process::{RunningWorker, shared_source},
};
use tonic::transport::Channel;

use super::{TestEngine, config, connect_to};

/// Name of the test that runs the other process; each test file that starts some has it.
const CHILD_TEST: &str = "child_process";
const DIR: &str = "TENON_TEST_DIR";
const ROLE: &str = "TENON_TEST_ROLE";
const NAME: &str = "TENON_TEST_NAME";
const STAGE: &str = "TENON_TEST_STAGE";
const KEYS: &str = "TENON_TEST_KEYS";

/// Longest wait for a process.
const LIMIT: Duration = Duration::from_secs(60);

/// Heartbeat and lease of the processes.
pub const HEARTBEAT: Duration = Duration::from_millis(2000);
const LEASE: &str = "3200ms";

/// What a process does and where it hangs.
#[derive(Clone, Copy)]
pub struct Role {
    /// `server`, with no worker of its own, `alone`, a server with one and SQLite, or `worker`.
    pub role: &'static str,
    /// Its name among the test's processes.
    pub name: &'static str,
    /// `leaf` or `aggregate` to hang there, until [`Process::go_on`], `die` to die of the first leaf, `hunger` to take
    /// all the memory that it gets for it, anything else for neither.
    pub stage: &'static str,
    /// The version of its keys.
    pub keys: u8,
}

impl Role {
    /// A server.
    pub fn server(name: &'static str) -> Self {
        Self { role: "server", name, stage: "none", keys: 1 }
    }

    /// A server that proves itself, on SQLite.
    pub fn alone(name: &'static str) -> Self {
        Self { role: "alone", name, stage: "none", keys: 1 }
    }

    /// A worker that hangs in this stage.
    pub fn worker(name: &'static str, stage: &'static str) -> Self {
        Self { role: "worker", name, stage, keys: 1 }
    }

    /// The same with other keys.
    pub fn with_keys(self, keys: u8) -> Self {
        Self { keys, ..self }
    }
}

/// A process.
pub struct Process {
    child: Child,
    address: PathBuf,
}

impl Process {
    /// Starts a process and waits until it serves, or works.
    pub fn start(dir: &Path, role: Role) -> Self {
        let process = Self::spawn(dir, role);
        process.wait();
        process
    }

    /// Starts a process.
    pub fn spawn(dir: &Path, role: Role) -> Self {
        Self::spawn_by(&[], &[], dir, role)
    }

    /// Starts a process through a program such as `ip netns exec` with its arguments, with more variables.
    pub fn spawn_by(program: &[&str], variables: &[(&str, &str)], dir: &Path, role: Role) -> Self {
        let address = dir.join(format!("{}.address", role.name));
        let _ = fs::remove_file(&address);
        let log = fs::File::create(dir.join(format!("{}.log", role.name))).unwrap();
        let this = std::env::current_exe().unwrap();
        let mut command = match program {
            [] => Command::new(this),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(this);
                command
            }
        };
        let child = command
            .args(["--exact", CHILD_TEST, "--ignored", "--nocapture"])
            .envs(variables.iter().copied())
            .env(DIR, dir)
            .env(ROLE, role.role)
            .env(NAME, role.name)
            .env(STAGE, role.stage)
            .env(KEYS, role.keys.to_string())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address }
    }

    /// Whether it serves, or works.
    pub fn is_up(&self) -> bool {
        fs::read_to_string(&self.address).is_ok_and(|text| text.ends_with('\n'))
    }

    /// Waits until it serves, or works.
    pub fn wait(&self) {
        let started = Instant::now();
        while !self.is_up() {
            assert!(started.elapsed() < LIMIT, "{} never", self.address.display());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// A client of a server.
    pub async fn client(&self) -> ProverClient<Channel> {
        connect_to(fs::read_to_string(&self.address).unwrap().trim()).await
    }

    /// Sends a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and an orderly end.
    pub fn terminate(mut self) {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success());
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lets a process go on that hangs in its stage.
    pub fn go_on(&self) {
        fs::write(self.address.with_extension("go"), "").unwrap();
    }

    /// Waits for the end of a process that dies by itself, and says how it ended.
    pub fn died(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < LIMIT, "{} lives", self.address.display());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the other process does: the body of the ignored test `child_process`.
pub fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = PathBuf::from(dir);
    let variable = |name: &str| std::env::var(name).unwrap();
    let name = variable(NAME);
    let engine = TestEngine::with_keys(variable(KEYS).parse().unwrap());
    match variable(STAGE).as_str() {
        "leaf" => engine.leaf_gate.close(),
        "aggregate" => engine.aggregate_gate.close(),
        "die" => engine.deaths.store(1, std::sync::atomic::Ordering::SeqCst),
        "hunger" => engine.hunger.store(true, std::sync::atomic::Ordering::SeqCst),
        _ => {}
    }
    let go = dir.join(format!("{name}.go"));
    let _ = fs::remove_file(&go);
    let hanging = Arc::clone(&engine);
    thread::spawn(move || {
        while !go.exists() {
            thread::sleep(Duration::from_millis(10));
        }
        hanging.leaf_gate.open();
        hanging.aggregate_gate.open();
    });
    let (data, files) = (dir.join(&name).display().to_string(), dir.join("files").display().to_string());
    let heartbeat = format!("{}ms", HEARTBEAT.as_millis());
    let (server, alone) = (variable(ROLE) != "worker", variable(ROLE) == "alone");
    let workers = if server && !alone { "0" } else { "1" };
    let mut settings = vec![
        ("data_dir", data.as_str()),
        ("workers", workers),
        ("heartbeat", &heartbeat),
        ("lease", LEASE),
        ("max_queued_batches", "100000"),
        ("log_filter", "tenon_prover=info"),
    ];
    if !alone {
        settings.push(("object_store", &files));
    }
    let config = config(&dir, &settings);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _export = tenon_prover::telemetry::init_logging(&config).unwrap();
    runtime.block_on(async {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        let tell = |text: String| {
            let path = dir.join(format!("{name}.tmp"));
            fs::write(&path, format!("{text}\n")).unwrap();
            fs::rename(path, dir.join(format!("{name}.address"))).unwrap();
        };
        if server {
            let service = Service::start(config, engine).await.unwrap();
            tell(service.grpc_addr.to_string());
            terminate.recv().await;
            service.shutdown().await;
        } else {
            let source = shared_source(&config).await.unwrap();
            let worker = RunningWorker::start(config, engine, source).unwrap();
            tell("working".to_owned());
            terminate.recv().await;
            worker.shutdown().await;
        }
    });
    // A thread may hang in a gate.
    std::process::exit(0);
}
