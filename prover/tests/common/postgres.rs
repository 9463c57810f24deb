//! PostgreSQL clusters that live as long as a test: Debian's package, in a temporary directory, as a user without
//! rights.

use std::{
    fs::{self, Permissions},
    io::Write as _,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection};

/// `nobody`: the server refuses to run as root.
const UNPRIVILEGED: u32 = 65_534;

/// Longest wait for a cluster.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Runs the server until standard input ends, which it does with the process that holds its other end.
const KEEPER: &str = r#"
"$1/postgres" -D "$2/data" -p "$3" >"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -INT $server
wait $server
[ "$4" = keep ] || rm -rf "$2"
"#;

/// A cluster.
pub struct Cluster {
    programs: PathBuf,
    directory: PathBuf,
    port: u16,
    keeper: Option<Child>,
}

impl Cluster {
    /// Makes and starts a cluster that listens on the loopback interface.
    pub fn start() -> Self {
        Self::start_on("127.0.0.1")
    }

    /// Makes and starts a cluster that listens on these addresses.
    pub fn start_on(addresses: &str) -> Self {
        let programs = programs();
        let directory = tempfile::tempdir().unwrap().keep();
        if is_root() {
            std::os::unix::fs::chown(&directory, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
        }
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
        let made = command(&programs.join("initdb"), &directory)
            .args(["--username=tenon", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(directory.join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let settings = format!(
            "listen_addresses = '{addresses}'\nunix_socket_directories = ''\nfsync = off\nmax_connections = 200\n"
        );
        fs::write(directory.join("data/postgresql.auto.conf"), settings).unwrap();
        let access = "host all all 0.0.0.0/0 trust\n";
        fs::write(directory.join("data/pg_hba.conf"), access).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut cluster = Self { programs, directory, port, keeper: None };
        cluster.resume();
        cluster
    }

    /// Starts the server of a stopped cluster.
    pub fn resume(&mut self) {
        let mut keeper = command(Path::new("/bin/sh"), &self.directory);
        keeper.args(["-c", KEEPER, "keeper"]).arg(&self.programs).arg(&self.directory);
        keeper.arg(self.port.to_string()).arg("remove");
        self.keeper = Some(keeper.stdin(Stdio::piped()).spawn().unwrap());
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() || !self.answers() {
            let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            assert!(started.elapsed() < START_LIMIT, "PostgreSQL didn't start: {log}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        let ready = command(&self.programs.join("pg_isready"), &self.directory)
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status();
        ready.is_ok_and(|status| status.success())
    }

    /// Stops the server at once, as a crash does.
    pub fn crash(&mut self) {
        let stopped = command(&self.programs.join("pg_ctl"), &self.directory)
            .args(["stop", "-m", "immediate", "-D"])
            .arg(self.directory.join("data"))
            .output()
            .unwrap();
        assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
        // The keeper would remove the directory at its end.
        if let Some(mut keeper) = self.keeper.take() {
            keeper.kill().unwrap();
            keeper.wait().unwrap();
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `pg_dump` writes of a database.
    pub fn dump(&self, url: &str) -> Vec<u8> {
        let dumped = command(&self.programs.join("pg_dump"), &self.directory).arg(url).output().unwrap();
        assert!(dumped.status.success(), "pg_dump: {}", String::from_utf8_lossy(&dumped.stderr));
        dumped.stdout
    }

    /// The URL of a new database with what `pg_dump` wrote.
    pub fn restore(&self, dump: &[u8]) -> String {
        let url = self.new_database();
        let mut restored = command(&self.programs.join("psql"), &self.directory)
            .args(["--quiet", "--set=ON_ERROR_STOP=1", &url])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        restored.stdin.take().unwrap().write_all(dump).unwrap();
        assert!(restored.wait().unwrap().success());
        url
    }

    /// The URL of a new database.
    pub fn new_database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let server = format!("postgres://tenon@127.0.0.1:{}", self.port);
        let (url, statement) = (format!("{server}/postgres"), format!("CREATE DATABASE {name}"));
        // A runtime of its own, whatever the caller runs in.
        let made = thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let mut connection = PgConnection::connect(&url).await.unwrap();
                sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            });
        });
        made.join().unwrap();
        format!("{server}/{name}")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The keeper's input ends with the child.
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The URL of a new database in this process's cluster.
pub fn new_database() -> String {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start).new_database()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|self_| {
        use std::os::unix::fs::MetadataExt;
        self_.uid() == 0
    })
}

fn command(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory);
    if is_root() {
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    }
    command
}

/// Where the server's programs are. A machine without them gets Debian's package, if that is possible.
fn programs() -> PathBuf {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    let find = || {
        install();
        installed()
            .expect("PostgreSQL isn't installed: these tests need its server (Debian's package postgresql)")
    };
    PROGRAMS.get_or_init(|| installed().unwrap_or_else(find)).clone()
}

fn installed() -> Option<PathBuf> {
    let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    packaged
        .map(|entry| entry.path().join("bin"))
        .chain(std::env::split_paths(&on_path))
        .find(|path| path.join("initdb").is_file() && path.join("postgres").is_file())
}

/// Asks the system's package manager; what becomes of it shows when the programs are looked for again.
fn install() {
    if !is_root() {
        return;
    }
    for arguments in
        [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends", "postgresql"]]
    {
        let _ = Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments).status();
    }
}
