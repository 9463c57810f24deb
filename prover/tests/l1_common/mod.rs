//! A development node in a process of its own.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::panic)]

pub mod rollup;
pub mod users;

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use alloy::providers::Provider;
use serde_json::{Value, json};
use tenon_prover::l1::{Chain, Node};

const DEADLINE: Duration = Duration::from_secs(60);

/// The Foundry node, from the contracts' npm packages.
pub fn anvil_program() -> PathBuf {
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verifier-contracts");
    let program = contracts.join("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
    if !program.is_file() {
        let installed = Command::new("npm")
            .args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&contracts)
            .status()
            .expect("this test needs Node.js (20 or later) with npm: `npm` isn't there");
        assert!(installed.success(), "npm could not install the contracts' packages");
    }
    program
}

/// A running anvil, ended with the value.
pub struct Anvil {
    process: Child,
    pub url: String,
    pub node: Node,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Anvil {
    pub async fn start(arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(anvil_program())
            .args(["--silent", "--host", "127.0.0.1", "--port", &port.to_string()])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let anvil = Self { process, node: Node::new(&url, None).unwrap(), url };
        let started = Instant::now();
        while anvil.node.chain_id().await.is_err() {
            assert!(started.elapsed() < DEADLINE, "anvil doesn't answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anvil
    }

    /// Has it do something that only development nodes do.
    pub async fn request(&self, method: &'static str, parameters: Value) -> Value {
        self.node.provider().client().request(method, parameters).await.unwrap()
    }

    pub async fn mine(&self, blocks: u64) {
        self.request("anvil_mine", json!([blocks])).await;
    }

    /// Replaces the newest blocks by as many empty ones.
    pub async fn reorg(&self, depth: u64) {
        self.request("anvil_reorg", json!([depth, []])).await;
    }
}
