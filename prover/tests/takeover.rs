//! The way out with real proofs: the operator commits garbage and is gone, time passes, and somebody else settles what
//! waits in the contract's queue, with nothing but the program and a node.

#![allow(clippy::unwrap_used, clippy::panic)]

mod l1_common;

use std::path::Path;

use alloy::primitives::{Address, U256};
use l1_common::{
    Anvil,
    users::{User, commit_garbage, waiting},
};
use serde_json::json;
use tenon_circuits::{
    halo2::{KeyStore, leaf::SizeClass},
    rollup::{State, field},
};
use tenon_contracts::deployment::Parameters;
use tenon_prover::{
    l1::{self, Chain, L1Key, rollup::RollupContract},
    settlement::rebuild::{Sources, rebuild},
    user::Sender,
};

/// Leaf proofs of an aggregation.
const LEAVES: usize = 2;
const DAY: u64 = 86_400;
/// The second development key of anvil.
const STRANGER: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

/// Deploys the contracts for the keys in a directory, which are made where they are missing.
async fn deploy(chain: &dyn Chain, operator: &L1Key, keys_dir: &Path) -> Address {
    let store = KeyStore::open(keys_dir).unwrap();
    let aggregates = store.aggregation_verifier(SizeClass::SMALL, LEAVES).unwrap();
    let verifier = l1::verifier(&aggregates).unwrap();
    let sender = Sender { chain, key: operator };
    let demonstration = Parameters::demonstration(sender.address(), U256::ZERO);
    let parameters = Parameters { genesis_state: None, ..demonstration };
    l1::deployment::deploy(&sender, &verifier, &parameters).await.unwrap().rollup
}

async fn pass(anvil: &Anvil, seconds: u64) {
    anvil.request("evm_increaseTime", json!([seconds])).await;
    anvil.mine(1).await;
}

/// Deposits and a forced exit wait, the operator commits what nobody can prove, and a stranger's takeover settles.
async fn settles_without_the_operator(keys_dir: &Path) {
    let anvil = Anvil::start(&[]).await;
    let chain: &dyn Chain = &anvil.node;
    let operator = L1Key::development().unwrap();
    let rollup = deploy(chain, &operator, keys_dir).await;
    let contract = RollupContract { chain, address: rollup };
    let user = User::new(&anvil.url, rollup);
    user.write_key("wallet.json", 1);
    user.write_l1_key("stranger.key", STRANGER);
    for amount in ["1000", "500"] {
        user.json(&["deposit", "--token", "ETH", "--amount", amount, "--key-file", "wallet.json"]).await;
    }
    assert_eq!(user.json(&["exit", "--account", "0"]).await["done"]["operation"], 2);
    commit_garbage(chain, &operator, rollup, 1).await;

    let keys = keys_dir.display().to_string();
    let leaves = LEAVES.to_string();
    let takeover = [
        "takeover",
        "--data-dir",
        "takeover",
        "--l1-key-file",
        "stranger.key",
        "--keys-dir",
        &keys,
        "--size-class",
        SizeClass::SMALL.name,
        "--aggregation-leaves",
        &leaves,
    ];
    user.run(&takeover).await.refused(&["the contract isn't open"]);
    pass(&anvil, 7 * DAY + 60).await;
    let report = user.json(&[&takeover[..], &["--dry-run"]].concat()).await;
    let plan = &report["plan"];
    assert_eq!((&plan["operations"], &plan["demanded"]), (&json!(3), &json!(3)));
    assert_eq!((&plan["batch"], &plan["discarded_batches"]), (&json!(1), &json!(1)));
    assert_eq!(contract.standing().await.unwrap().finalized, 0);

    let report = user.json(&takeover).await;
    println!("{report:#}");
    let standing = contract.standing().await.unwrap();
    assert_eq!((standing.finalized, standing.committed, standing.open), (1, 1, false));
    assert_eq!(report["done"]["state"], field::to_hex(&standing.state));
    assert_eq!(waiting(chain, rollup).await, 0);
    let sources = Sources {
        chain,
        rollup,
        first_block: 0,
        genesis: State::new(),
        archives: Vec::new(),
        use_snapshots: false,
    };
    let rebuilt = rebuild(sources, |_, _| {}).await.unwrap();
    let balances: Vec<u128> = rebuilt.state.accounts().map(|account| account.balance).collect();
    assert_eq!(balances, [0, 500]);

    // The exit is paid, and nobody has to take over now.
    user.run(&takeover).await.refused(&["the contract isn't open"]);
    pass(&anvil, 3 * 3600).await;
    let report = user.json(&["claim"]).await;
    assert_eq!(report["plan"]["withdrawals"][0]["amount"], "1000");
    assert_eq!(report["done"]["claimed"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_settles_with_real_proofs_when_the_operator_is_gone() {
    settles_without_the_operator(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys")).await;
}
