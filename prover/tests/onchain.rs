//! The whole path with real proofs: batches over gRPC, leaf proofs, aggregation, and the contracts on two real EVMs,
//! revm and anvil, which settle the same proof and refuse what isn't it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::primitives::{Address, Bytes};
use common::{connect, request, transfer, watch_within, write_genesis};
use tenon_circuits::{
    KeySet,
    aggregation::AggregateProof,
    halo2::{KeyStore, leaf::SizeClass},
};
use tenon_contracts::{
    deployment::{Deployment, Parameters},
    evm::{EvmError, LOCAL_CHAIN_ID, LocalChain},
};
use tenon_proto::v1::{self, JobState};
use tenon_prover::{
    Config, Service,
    circuit_engine::CircuitEngine,
    convert,
    executor::genesis_state,
    l1::{self, L1, RpcL1},
};

const DEADLINE: Duration = Duration::from_secs(60);
/// Two leaf proofs and an aggregation on a slow, shared machine.
const PROVING_DEADLINE: Duration = Duration::from_secs(3600);

/// The Foundry node, from the contracts' npm packages.
fn anvil_program() -> PathBuf {
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
struct Anvil {
    process: Child,
    url: String,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn anvil() -> Anvil {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let process = Command::new(anvil_program())
        .args(["--silent", "--host", "127.0.0.1", "--port", &port.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let anvil = Anvil { process, url: format!("http://127.0.0.1:{port}") };
    let chain = RpcL1::new(&anvil.url, None).unwrap();
    let started = std::time::Instant::now();
    while chain.chain_id().await.is_err() {
        assert!(started.elapsed() < DEADLINE, "anvil doesn't answer");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anvil
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The chain in memory after the same deployment as anvil's.
fn local_chain(plan: &Deployment, sender: Address) -> LocalChain {
    let mut chain = LocalChain::new(LOCAL_CHAIN_ID, now());
    for creation in plan.creations() {
        let receipt = chain.transact(sender, None, creation.init_code.clone()).unwrap();
        assert_eq!(receipt.created, Some(creation.address));
    }
    chain
}

fn settle_call(proof: &AggregateProof) -> Bytes {
    l1::settlement(&proof.batches, &proof.proof)
}

fn assert_reverts(chain: &LocalChain, sender: Address, rollup: Address, data: Bytes, what: &str) {
    match chain.call(sender, rollup, data) {
        Err(EvmError::Reverted { .. }) => {}
        other => panic!("{what}: expected a revert, found {other:?}"),
    }
}

/// Everything on L1 that isn't this proof of these batches is refused.
fn refuses_the_rest(chain: &LocalChain, sender: Address, rollup: Address, proof: &AggregateProof) {
    let good = settle_call(proof);
    for position in (4..good.len()).step_by(97) {
        let mut changed = good.to_vec();
        changed[position] ^= 1;
        assert_reverts(chain, sender, rollup, changed.into(), &format!("a flipped bit in byte {position}"));
    }
    let truncated = good.slice(..good.len() - 32);
    assert_reverts(chain, sender, rollup, truncated, "truncated call data");

    let mut later = proof.clone();
    later.batches.reverse();
    assert_reverts(chain, sender, rollup, settle_call(&later), "batches in another order");
    let mut other = proof.clone();
    other.batches[0].state_out += tenon_circuits::rollup::Fr::from(1);
    assert_reverts(chain, sender, rollup, settle_call(&other), "another state");
    let mut short = proof.clone();
    short.proof.truncate(short.proof.len() - 1);
    assert_reverts(chain, sender, rollup, settle_call(&short), "a shorter proof");
    let mut part = proof.clone();
    part.batches.truncate(1);
    assert_reverts(chain, sender, rollup, settle_call(&part), "a part of the batches");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_over_grpc_are_proven_and_settled_on_two_chains() {
    let keys_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys");
    let store = KeyStore::open(&keys_dir).unwrap();
    let keys = KeySet::load_or_create(&store, SizeClass::SMALL, 2).unwrap();
    let engine = Arc::new(CircuitEngine::new(keys));
    let verifier = l1::verifier(engine.keys().aggregation.verifier()).unwrap();

    let directory = tempfile::tempdir().unwrap();
    let genesis_file = directory.path().join("genesis.json");
    write_genesis(&genesis_file);
    let genesis = genesis_state(Some(&genesis_file)).unwrap().commitment();
    let node = anvil().await;
    let chain = RpcL1::new(&node.url, None).unwrap();
    let parameters = Parameters::demonstration(chain.sender(), l1::to_word(&genesis));
    let plan = Deployment::plan(chain.sender(), 0, &verifier, &parameters).unwrap();
    let deployed = chain.deploy(&verifier, genesis).await.unwrap();
    assert_eq!(deployed.rollup, plan.rollup.address);

    let settings = [
        ("data_dir", directory.path().join("data").display().to_string()),
        ("keys_dir", keys_dir.display().to_string()),
        ("grpc_listen", "127.0.0.1:0".to_owned()),
        ("http_listen", "127.0.0.1:0".to_owned()),
        ("size_class", "small".to_owned()),
        ("chain_id", deployed.chain_id.to_string()),
        ("rollup_address", deployed.rollup.to_string()),
        ("genesis", genesis_file.display().to_string()),
    ];
    let service = Service::start(Config::with(settings).unwrap(), engine).await.unwrap();
    let mut client = connect(&service).await;
    let domain = deployed.domain;
    let mut jobs = Vec::new();
    for (name, nonces) in [("first", 0..3), ("second", 3..5)] {
        let transactions: Vec<_> =
            nonces.map(|nonce| common::sign_for(transfer(0, 1, nonce), domain)).collect();
        let mut submission = request(name, &transactions);
        submission.domain = convert::element_bytes(&domain);
        jobs.push(client.submit_batch(submission).await.unwrap().into_inner().job.unwrap());
    }
    for job in &jobs {
        let events = watch_within(&mut client, &job.id, 0, PROVING_DEADLINE).await;
        assert_eq!(events.last().unwrap().state(), JobState::Ready, "{events:?}");
    }
    let subject = Some(v1::get_proof_request::Subject::JobId(jobs[1].id.clone()));
    let reply =
        client.get_proof(v1::GetProofRequest { subject, with_leaf_proofs: true }).await.unwrap().into_inner();
    let message = reply.proof.unwrap();
    assert_eq!(reply.leaf_proofs.len(), 2);
    let verdict = client.verify_proof(v1::VerifyProofRequest { proof: Some(message.clone()) }).await.unwrap();
    assert!(verdict.into_inner().valid);
    let mut wrong = message.clone();
    wrong.proof[500] ^= 1;
    let verdict = client.verify_proof(v1::VerifyProofRequest { proof: Some(wrong) }).await.unwrap();
    assert!(!verdict.into_inner().valid);
    let proof = convert::aggregate_proof_from(&message).unwrap();
    service.shutdown().await;

    assert_eq!(proof.batches.len(), 2);
    let expected = proof.batches[1].state_out;
    assert_eq!(convert::element_bytes(&expected), jobs[1].state_out);

    let mut local = local_chain(&plan, chain.sender());
    local.set_timestamp(now() + 1);
    refuses_the_rest(&local, chain.sender(), deployed.rollup, &proof);
    let receipt = local.transact(chain.sender(), Some(deployed.rollup), settle_call(&proof)).unwrap();
    assert!(receipt.gas_used < 800_000, "settling took {} gas", receipt.gas_used);
    assert_reverts(&local, chain.sender(), deployed.rollup, settle_call(&proof), "a replay");

    let settled = chain.settle(deployed.rollup, &proof.batches, &proof.proof).await.unwrap();
    assert_eq!(settled.state, expected);
    assert!(settled.gas_used < 800_000, "settling took {} gas on anvil", settled.gas_used);
    let position = chain.position(deployed.rollup).await.unwrap();
    assert_eq!((position.state, position.last_batch), (expected, 2));
    assert!(chain.settle(deployed.rollup, &proof.batches, &proof.proof).await.is_err(), "a replay on anvil");
}
