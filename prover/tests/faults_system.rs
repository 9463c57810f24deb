//! What the systems below do to the service: a network that is cut, a clock that jumps, memory and disks that run out.
//! After each of these every accepted batch is proven, once, into the state that was promised. Where a test isn't
//! allowed what it needs, it does the next best thing and says so.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use common::{
    postgres::Cluster,
    processes::{Process, Role},
    *,
};
use tenon_proto::v1::{self, JobState, prover_client::ProverClient};
use tokio::time::sleep;
use tonic::transport::Channel;

/// Longest wait for a job, a process or a line in a log.
const LIMIT: Duration = Duration::from_secs(120);

/// Memory that a process gets which takes too much.
const MEMORY_BYTES: u64 = 256 << 20;

/// Size of a store that fills up.
const STORE_BYTES: usize = 8 << 20;

/// Of a process that the kernel ends, and of one that finds no memory.
const SIGKILL: i32 = 9;
const SIGABRT: i32 = 6;

type Client = ProverClient<Channel>;

/// The other processes of these tests, which start them by name.
#[test]
#[ignore = "started by the other tests"]
fn child_process() {
    common::processes::child();
}

/// Runs a program; whether it succeeds.
fn run(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

async fn submit(client: &mut Client, number: u64) -> v1::Job {
    client.submit_batch(nth(number)).await.unwrap().into_inner().job.unwrap()
}

async fn reaches(client: &mut Client, id: &str, state: JobState) {
    let started = Instant::now();
    loop {
        let request = v1::GetJobRequest { job_id: id.to_owned() };
        if client.get_job(request).await.unwrap().into_inner().job.unwrap().state() == state {
            return;
        }
        assert!(started.elapsed() < LIMIT, "job {id} is never {state:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for a text in a process's log.
async fn says(dir: &Path, process: &str, text: &str) {
    let started = Instant::now();
    while !fs::read_to_string(dir.join(format!("{process}.log"))).unwrap().contains(text) {
        assert!(started.elapsed() < LIMIT, "{process} never says {text:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// All batches are there, proven into the states that were promised; gives the events of all.
async fn sound(client: &mut Client, batches: u64) -> Vec<v1::JobEvent> {
    let list = v1::ListJobsRequest { page_size: 500, ..Default::default() };
    let mut jobs = client.list_jobs(list).await.unwrap().into_inner().jobs;
    jobs.sort_by_key(|job| job.batch_number);
    assert!(jobs.iter().map(|job| job.batch_number).eq(1..=batches), "{jobs:?}");
    let status = client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
    let mut state = status.genesis_state;
    let mut all = Vec::new();
    for job in jobs {
        let events = watch_within(client, &job.id, 0, LIMIT).await;
        assert_eq!(events.last().unwrap().state(), JobState::Ready, "batch {}", job.batch_number);
        assert_eq!(events.iter().filter(|event| event.state() == JobState::Ready).count(), 1);
        assert_eq!(job.state_in, state, "batch {}", job.batch_number);
        state = job.state_out;
        let subject = Some(v1::get_proof_request::Subject::BatchNumber(job.batch_number));
        let request = v1::GetProofRequest { subject, with_leaf_proofs: false };
        let proof = client.get_proof(request).await.unwrap().into_inner().proof.unwrap();
        assert_eq!(proof.batches.iter().filter(|batch| batch.state_out == state).count(), 1);
        all.extend(events);
    }
    assert_eq!((status.last_batch, status.state), (batches, state));
    all
}

/// A network namespace with a way to this one, cut and mended at will.
struct Network {
    name: String,
    /// This side's address.
    address: String,
}

impl Network {
    /// `None` where it isn't allowed.
    fn new() -> Option<Self> {
        let number = std::process::id();
        let (name, host, guest) = (format!("tenon-{number}"), format!("tn{number}h"), format!("tn{number}g"));
        let (third, fourth) = (number / 64 % 256, number % 64 * 4);
        let [address, other] = [1, 2].map(|last| format!("10.213.{third}.{}", fourth + last));
        if !run("ip", &["netns", "add", &name]) {
            return None;
        }
        let network = Self { name, address };
        let name = &network.name;
        let inside = |arguments: &[&str]| run("ip", &[&["-n", name.as_str()], arguments].concat());
        let made = run("ip", &["link", "add", &host, "type", "veth", "peer", "name", &guest, "netns", name])
            && run("ip", &["address", "add", &format!("{}/30", network.address), "dev", &host])
            && run("ip", &["link", "set", &host, "up"])
            && inside(&["address", "add", &format!("{other}/30"), "dev", &guest])
            && inside(&["link", "set", "lo", "up"])
            && inside(&["link", "set", &guest, "up"]);
        made.then_some(network)
    }

    fn set(&self, state: &str) {
        let guest = format!("tn{}g", std::process::id());
        assert!(run("ip", &["-n", &self.name, "link", "set", &guest, state]));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Its end of the way goes with it, and the other end with that.
        run("ip", &["netns", "delete", &self.name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cut_off_by_the_network_is_replaced_and_refused() {
    let network = Network::new();
    let listens =
        network.as_ref().map_or("127.0.0.1".to_owned(), |found| format!("127.0.0.1,{}", found.address));
    let cluster = Cluster::start_on(&listens);
    let dir = tempfile::tempdir().unwrap();
    let mut url = cluster.new_database();
    if let Some(network) = &network {
        url = url.replace("127.0.0.1", &network.address);
    }
    fs::write(dir.path().join(DATABASE_URL), url).unwrap();
    let server = Process::start(dir.path(), Role::server("server"));
    let mut client = server.client().await;
    let role = Role::worker("far", "leaf");
    let far = match &network {
        Some(network) => Process::spawn_by(&["ip", "netns", "exec", &network.name], &[], dir.path(), role),
        None => {
            println!("network namespaces aren't allowed here: the worker is stopped instead of cut off");
            Process::spawn(dir.path(), role)
        }
    };
    far.wait();
    let job = submit(&mut client, 1).await;
    reaches(&mut client, &job.id, JobState::Proving).await;
    match &network {
        Some(network) => network.set("down"),
        None => far.signal("STOP"),
    }
    // It makes its proof, and can't bring it.
    far.go_on();
    let near = Process::start(dir.path(), Role::worker("near", "none"));
    let events = sound(&mut client, 1).await;
    assert!(events.iter().any(|event| event.message.contains("was lost")), "{events:?}");
    match &network {
        Some(network) => network.set("up"),
        None => far.signal("CONT"),
    }
    says(dir.path(), "far", "is over").await;
    near.terminate();
    // It is a worker as before.
    submit(&mut client, 2).await;
    sound(&mut client, 2).await;
    far.terminate();
    server.terminate();
}

/// Debian's library that changes what a process takes for the time. A machine without it gets it, if that is possible.
fn faketime() -> Option<PathBuf> {
    let find = || {
        let directories = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime"];
        directories.iter().map(|path| Path::new(path).join("libfaketimeMT.so.1")).find(|path| path.is_file())
    };
    find().or_else(|| {
        run("apt-get", &["install", "-y", "-qq", "--no-install-recommends", "faketime"]);
        find()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_jump_lose_and_hold_up_nothing() {
    let Some(library) = faketime() else {
        println!("libfaketime isn't there and can't be installed: the clock isn't moved");
        return;
    };
    for database in [Database::Postgres, Database::Sqlite] {
        let dir = database.directory();
        let file = dir.path().join("clock");
        let set = |offset: &str| {
            let new = dir.path().join("clock.new");
            fs::write(&new, format!("{offset}\n")).unwrap();
            fs::rename(new, &file).unwrap();
        };
        set("+0");
        let (library, file) = (library.display().to_string(), file.display().to_string());
        let variables = [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", &file),
            ("FAKETIME_NO_CACHE", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        let roles = match database {
            Database::Postgres => vec![Role::server("server"), Role::worker("worker", "none")],
            Database::Sqlite => vec![Role::alone("server")],
        };
        let mut processes = Vec::new();
        for role in roles {
            let process = Process::spawn_by(&[], &variables, dir.path(), role);
            process.wait();
            processes.push(process);
        }
        let mut client = processes[0].client().await;
        let mut times = Vec::new();
        for (number, offset) in (1..).zip(["+0", "+3d", "-3d", "+1h", "+0"]) {
            set(offset);
            let job = submit(&mut client, number).await;
            times.push(job.created_at_ms);
            sleep(Duration::from_millis(200)).await;
        }
        let events = sound(&mut client, 5).await;
        // The clock did jump, and no lease ended of it.
        assert!(times[1] > times[0] + 86_400_000 && times[2] + 86_400_000 < times[0], "{times:?}");
        assert!(!events.iter().any(|event| event.message.contains("was lost")), "{events:?}");
        for process in processes.into_iter().rev() {
            process.terminate();
        }
    }
}

/// A limit on a process's memory.
enum MemoryLimit {
    /// A control group: the kernel ends the process.
    Group(PathBuf),
    /// The process's own: it ends itself.
    AddressSpace,
}

impl MemoryLimit {
    fn new() -> Self {
        let name = format!("tenon-{}", std::process::id());
        let trees = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        for (tree, setting) in trees {
            let group = Path::new(tree).join(&name);
            if fs::create_dir(&group).is_ok() {
                if fs::write(group.join(setting), MEMORY_BYTES.to_string()).is_ok() {
                    return Self::Group(group);
                }
                let _ = fs::remove_dir(&group);
            }
        }
        println!("control groups aren't allowed here: the worker's address space is limited instead");
        Self::AddressSpace
    }

    fn apply(&self, process: &Process) {
        let id = process.id().to_string();
        match self {
            Self::Group(group) => fs::write(group.join("cgroup.procs"), id).unwrap(),
            // Above what it has already: threads and the like.
            Self::AddressSpace => {
                let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
                let line = status.lines().find(|line| line.starts_with("VmSize:")).unwrap();
                let taken: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
                let limit = taken * 1024 + MEMORY_BYTES;
                assert!(run("prlimit", &["--pid", &id, &format!("--as={limit}")]));
            }
        }
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        if let Self::Group(group) = self {
            let _ = fs::remove_dir(group);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_memory_is_ended_and_replaced() {
    let dir = Database::Postgres.directory();
    let server = Process::start(dir.path(), Role::server("server"));
    let mut client = server.client().await;
    let mut hungry = Process::start(dir.path(), Role::worker("hungry", "hunger"));
    let limit = MemoryLimit::new();
    limit.apply(&hungry);
    submit(&mut client, 1).await;
    let ended = hungry.died();
    let expected = if matches!(limit, MemoryLimit::Group(_)) { SIGKILL } else { SIGABRT };
    assert_eq!(ended.signal(), Some(expected), "{ended:?}");
    let worker = Process::start(dir.path(), Role::worker("worker", "none"));
    let events = sound(&mut client, 1).await;
    assert_eq!(events.iter().filter(|event| event.message.contains("was lost")).count(), 1);
    worker.terminate();
    server.terminate();
}

/// A small file system at a path, filled and emptied at will.
struct Disk(PathBuf);

impl Disk {
    /// `None` where it isn't allowed.
    fn mount(path: PathBuf) -> Option<Self> {
        fs::create_dir_all(&path).unwrap();
        let size = format!("size={STORE_BYTES}");
        let place = path.display().to_string();
        run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", &place]).then_some(Self(path))
    }

    fn fill(&self) {
        let written = fs::write(self.0.join("filler"), vec![0; STORE_BYTES * 2]);
        assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l", &self.0.display().to_string()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_batches_and_loses_none() {
    for (database, place) in [(Database::Postgres, "files"), (Database::Sqlite, "server")] {
        let dir = database.directory();
        let Some(disk) = Disk::mount(dir.path().join(place)) else {
            println!(
                "mounting isn't allowed here: no store is filled; a full device is in the tests of jobs"
            );
            return;
        };
        let (server, worker) = match database {
            Database::Postgres => {
                let server = Process::start(dir.path(), Role::server("server"));
                (server, Some(Process::start(dir.path(), Role::worker("worker", "leaf"))))
            }
            Database::Sqlite => (Process::start(dir.path(), Role::alone("server")), None),
        };
        let mut client = server.client().await;
        let job = submit(&mut client, 1).await;
        if worker.is_some() {
            reaches(&mut client, &job.id, JobState::Proving).await;
        }
        disk.fill();
        // The proof in work can't be stored, and no further batch is accepted; nothing falls over.
        if let Some(worker) = &worker {
            worker.go_on();
            says(dir.path(), "worker", "no space left on the device").await;
        }
        let refused = client.submit_batch(nth(2)).await.unwrap_err();
        assert_eq!(reason(&refused), "STORAGE_UNAVAILABLE", "{refused:?}");
        assert_eq!(client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner().last_batch, 1);
        disk.empty();
        submit(&mut client, 2).await;
        sound(&mut client, 2).await;
        for process in worker.into_iter().chain([server]) {
            process.terminate();
        }
    }
}
