//! The program as a user runs it, a token, an operator that commits garbage, and a prover that proves nothing.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use alloy::{
    primitives::{Address, B256, U256},
    sol_types::SolCall,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_circuits::{
    aggregation::batches,
    rollup::{Fr, PublicKey, field, json::KeyFile},
    witness::ChunkWitness,
};
use tenon_contracts::{bindings::IRollup, blob::Blobs, calldata, evm::Message};
use tenon_prover::{
    engine::{AggregateProof, CircuitInfo, Circuits, Engine, EngineError, LeafProof, SizeClassInfo},
    l1::{Chain, L1Key, rollup},
    user::Sender,
};
use tokio::task::spawn_blocking;

use super::rollup::proof_of;

/// A token that anybody may use and whose first owner has everything.
const TOKEN: &str = "
contract Token {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    constructor() { balanceOf[msg.sender] = 1_000_000; }
    // Like some well-known ones: returns nothing, and an allowance changes from and to 0 only.
    function approve(address spender, uint256 amount) external {
        require(amount == 0 || allowance[msg.sender][spender] == 0, 'from 0');
        allowance[msg.sender][spender] = amount;
    }
    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }
    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}";

/// Creation code of the token, by the contracts' own compiler.
pub fn token_code() -> Vec<u8> {
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verifier-contracts");
    let input = json!({
        "language": "Solidity",
        "sources": { "Token.sol": { "content": format!("pragma solidity ^0.8.30;{TOKEN}") } },
        "settings": { "outputSelection": { "*": { "*": ["evm.bytecode.object"] } } },
    });
    let mut compiler = Command::new("node")
        .args(["solc.mjs", "--standard-json"])
        .current_dir(contracts)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs Node.js");
    std::io::Write::write_all(&mut compiler.stdin.take().unwrap(), input.to_string().as_bytes()).unwrap();
    let output = compiler.wait_with_output().unwrap();
    let output: Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = &output["contracts"]["Token.sol"]["Token"]["evm"]["bytecode"]["object"];
    hex::decode(code.as_str().unwrap_or_else(|| panic!("{output}"))).unwrap()
}

/// What a run of the program gave.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The JSON of a run that did its work.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// Asserts that the request was refused, with an error that has all these parts.
    pub fn refused(&self, parts: &[&str]) {
        assert_eq!(self.code, 2, "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in {}", self.stderr);
        }
    }
}

/// A user with the program, a directory, and nothing of an operator's.
pub struct User {
    pub dir: TempDir,
    url: String,
    rollup: Address,
    /// File of the certificates that the user's machine trusts.
    pub trusted: Option<PathBuf>,
}

impl User {
    pub fn new(url: &str, rollup: Address) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), url: url.to_owned(), rollup, trusted: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a command on the contract.
    pub async fn run(&self, arguments: &[&str]) -> Run {
        let rollup = self.rollup.to_string();
        let mut all: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        all.extend(["--l1".to_owned(), self.url.clone(), "--rollup".to_owned(), rollup]);
        self.run_with(all).await
    }

    /// The JSON report of a command on the contract.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).await.json()
    }

    async fn run_with(&self, arguments: Vec<String>) -> Run {
        let directory = self.dir.path().to_owned();
        let trusted = self.trusted.clone().map(|file| ("SSL_CERT_FILE", file));
        let run = move || {
            let output = Command::new(env!("CARGO_BIN_EXE_tenon"))
                .current_dir(directory)
                .env_clear()
                .envs(trusted)
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            let code = output.status.code().unwrap();
            Run { code, stdout: text(output.stdout), stderr: text(output.stderr) }
        };
        spawn_blocking(run).await.unwrap()
    }

    /// A new key file of a key.
    pub fn write_key(&self, name: &str, seed: u8) -> PublicKey {
        let key = super::rollup::user(seed);
        std::fs::write(self.path(name), KeyFile { key: key.clone() }.to_json()).unwrap();
        key.public_key()
    }

    pub fn write_l1_key(&self, name: &str, hex: &str) -> L1Key {
        std::fs::write(self.path(name), hex).unwrap();
        L1Key::from_hex(hex).unwrap()
    }
}

/// Both coordinates as `--public-key` takes them.
pub fn coordinates(key: &PublicKey) -> String {
    format!("{},{}", field::to_hex(&key.x), field::to_hex(&key.y))
}

/// Commits a batch that nobody can prove: a state of no accounts' and data that says nothing.
pub async fn commit_garbage(chain: &dyn Chain, operator: &L1Key, rollup: Address, number: u64) {
    let sender = Sender { chain, key: operator };
    let blobs = Blobs::from_words(&[Fr::from(13), Fr::from(666)]).unwrap();
    let latest = chain.block(tenon_prover::l1::At::Latest).await.unwrap().unwrap();
    let header = tenon_contracts::bindings::ISettlement::Header {
        timestamp: latest.timestamp as u32,
        stateOut: U256::from(666),
        commit: U256::from(7),
        l1Hash: B256::repeat_byte(9),
        attestation: calldata::blob_count(1),
    };
    let message = Message {
        blob_hashes: blobs.versioned_hashes(),
        ..sender.message(rollup, U256::ZERO, calldata::commit(number, &[header]))
    };
    sender.send("committing garbage", &message, Some(blobs.sidecar().unwrap())).await.unwrap();
    let contract = rollup::RollupContract { chain, address: rollup };
    assert_eq!(contract.standing().await.unwrap().committed, number);
}

/// What the contract answers.
pub async fn ask<C: SolCall>(chain: &dyn Chain, rollup: Address, call: C) -> C::Return {
    rollup::RollupContract { chain, address: rollup }.read(call).await.unwrap()
}

/// Operations that no final batch has consumed.
pub async fn waiting(chain: &dyn Chain, rollup: Address) -> u64 {
    let tail = ask(chain, rollup, IRollup::queueTailCall {}).await;
    tail - ask(chain, rollup, IRollup::queueHeadCall {}).await
}

/// Proves nothing: makes what the test verifier takes.
pub struct HashEngine {
    circuits: Circuits,
    pub leaves_made: AtomicU32,
    pub aggregates_made: AtomicU32,
}

impl HashEngine {
    pub fn new() -> Self {
        let circuit = |name: &str| CircuitInfo {
            name: name.to_owned(),
            k: 10,
            key_digest: [1; 32],
            srs_source: "development".to_owned(),
            srs_digest: [9; 32],
            memory_bytes: 1 << 20,
        };
        let size_class = SizeClassInfo { name: "test".to_owned(), k: 10, capacity: 4.into() };
        Self {
            circuits: Circuits {
                protocol_version: "tenon.test".to_owned(),
                size_classes: vec![size_class.clone()],
                size_class,
                leaf: circuit("leaf"),
                aggregation: circuit("aggregation"),
                leaves: 2,
            },
            leaves_made: AtomicU32::new(0),
            aggregates_made: AtomicU32::new(0),
        }
    }
}

impl Engine for HashEngine {
    fn circuits(&self) -> &Circuits {
        &self.circuits
    }

    fn check(&self, _witness: &ChunkWitness) -> Result<(), EngineError> {
        Ok(())
    }

    fn prove_leaf(&self, witness: &ChunkWitness) -> Result<LeafProof, EngineError> {
        self.leaves_made.fetch_add(1, Ordering::SeqCst);
        Ok(LeafProof { public_inputs: witness.public_inputs(), proof: vec![1] })
    }

    fn verify_leaf(&self, proof: &LeafProof) -> Result<(), EngineError> {
        if proof.proof == [1] { Ok(()) } else { Err(EngineError::Invalid("another byte".to_owned())) }
    }

    fn prove_aggregate(&self, leaves: &[LeafProof]) -> Result<AggregateProof, EngineError> {
        self.aggregates_made.fetch_add(1, Ordering::SeqCst);
        let inputs: Vec<_> = leaves.iter().map(|leaf| leaf.public_inputs).collect();
        let batches = batches(&inputs).map_err(|error| EngineError::Rejected(error.to_string()))?;
        Ok(AggregateProof { proof: proof_of(&batches), batches })
    }

    fn verify_aggregate(&self, proof: &AggregateProof) -> Result<(), EngineError> {
        if proof.proof == proof_of(&proof.batches) {
            return Ok(());
        }
        Err(EngineError::Invalid("another hash".to_owned()))
    }
}
