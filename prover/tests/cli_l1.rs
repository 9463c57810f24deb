//! What users do on L1 without the operator's service: the program against a node with the real contracts, and a
//! takeover on both chains.

#![allow(clippy::unwrap_used, clippy::panic)]

mod l1_common;

use std::sync::{Arc, atomic::Ordering};

use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::SolCall,
};
use l1_common::{
    Anvil,
    rollup::{World, recipient, send},
    users::{HashEngine, User, ask, commit_garbage, coordinates, token_code, waiting},
};
use serde_json::{Value, json};
use tenon_circuits::rollup::{ChunkCapacity, State};
use tenon_contracts::bindings::IRollup;
use tenon_prover::{
    engine::Engine,
    l1::{Chain, L1Key, LocalNode, Message, rollup::RollupContract},
    settlement::{
        Finality,
        rebuild::{Rebuilt, Sources, rebuild},
    },
    user::{
        Sender, UserError, claims,
        claims::ClaimStatus,
        queue,
        takeover::{self, Start},
    },
};

const DAY: u64 = 86_400;
/// The second development key of anvil.
const STRANGER: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

async fn world(anvil: &Anvil) -> World {
    World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await
}

async fn pass(anvil: &Anvil, seconds: u64) {
    anvil.request("evm_increaseTime", json!([seconds])).await;
    anvil.mine(1).await;
}

fn statuses(report: &Value) -> Vec<&str> {
    let withdrawals = report["plan"]["withdrawals"].as_array().unwrap();
    withdrawals.iter().map(|withdrawal| withdrawal["status"].as_str().unwrap()).collect()
}

async fn rebuilt(chain: &dyn Chain, rollup: Address) -> Rebuilt {
    let sources = Sources {
        chain,
        rollup,
        first_block: 0,
        genesis: State::new(),
        archives: Vec::new(),
        use_snapshots: false,
    };
    rebuild(sources, |_, _| {}).await.unwrap()
}

#[tokio::test]
async fn a_user_deposits_exits_and_claims() {
    let anvil = Anvil::start(&[]).await;
    let mut world = world(&anvil).await;
    let (chain, operator) = (Arc::clone(&world.chain), world.operator.clone());
    let user = User::new(&anvil.url, world.rollup);
    let key = user.write_key("wallet.json", 1);

    // Nothing is sent by a dry run, or where something is wrong.
    let deposit = ["deposit", "--token", "ETH", "--amount", "1000", "--key-file", "wallet.json"];
    let report = user.json(&[&deposit[..], &["--dry-run"]].concat()).await;
    assert_eq!((&report["dry_run"], &report["plan"]["amount"]), (&json!(true), &json!("1000")));
    assert_eq!(report["plan"]["owner"], operator.address().to_string());
    assert!(report["done"].is_null());
    let text = user.run(&[&deposit[..], &["--dry-run"]].concat()).await;
    assert!(text.stdout.contains("1000 wei") && text.stdout.contains("nothing was sent"), "{text:?}");
    let unknown = ["deposit", "--token", "9", "--amount", "1", "--key-file", "wallet.json"];
    user.run(&unknown).await.refused(&["expected a token with an id below 1, got 9"]);
    let off_curve = ["deposit", "--token", "0", "--amount", "1", "--public-key", "0x01,0x02"];
    assert_eq!(user.run(&off_curve).await.code, 2);
    let much = ["deposit", "--token", "0", "--amount", &u128::MAX.to_string(), "--key-file", "wallet.json"];
    user.run(&much).await.refused(&["expected at least", "got"]);
    let elsewhere = User::new(&anvil.url, Address::repeat_byte(7));
    elsewhere.write_key("wallet.json", 1);
    elsewhere.run(&deposit).await.refused(&["--rollup"]);
    assert_eq!(waiting(&*chain, world.rollup).await, 0);

    let report = user.json(&deposit).await;
    assert_eq!(report["done"]["operation"], 0);
    let deadline = report["done"]["deadline"].as_u64().unwrap();
    let latest = chain.block(tenon_prover::l1::At::Latest).await.unwrap().unwrap();
    assert_eq!(deadline, latest.timestamp + 7 * DAY);

    // A token, whose allowance has to go through 0.
    let create = Message { from: operator.address(), data: token_code().into(), ..Message::default() };
    let token = send(&*chain, &operator, &create).await.created.unwrap();
    let address = token.to_string();
    let report = user.json(&["tokens", "--register", &address]).await;
    assert_eq!(report["done"]["id"], 1);
    let twice = user.run(&["tokens", "--register", &address]).await;
    assert!(twice.code == 1 && twice.stderr.contains("TokenAlreadyRegistered"), "{twice:?}");
    let tokens = user.json(&["tokens"]).await;
    assert_eq!(tokens, json!([{ "id": 0, "address": null }, { "id": 1, "address": address }]));
    let approve =
        tenon_prover::user::tokens::IErc20::approveCall { spender: world.rollup, amount: U256::from(3) };
    let data = approve.abi_encode().into();
    let message = Message { from: operator.address(), to: Some(token), data, ..Message::default() };
    send(&*chain, &operator, &message).await;
    let public = coordinates(&key);
    let owner = Address::repeat_byte(2).to_string();
    let tokens = ["deposit", "--token", "1", "--amount", "50", "--public-key", &public, "--owner", &owner];
    let report = user.json(&tokens).await;
    assert_eq!(report["plan"]["approvals"], json!(["0", "50"]));
    assert_eq!(report["done"]["transactions"].as_array().unwrap().len(), 3);

    let report = user.json(&["exit", "--account", "0"]).await;
    assert_eq!(report["done"]["operation"], 2);
    assert_eq!(report["plan"]["fee_wei"], "1000000000000000");
    let text = user.run(&["exit", "--account", "1"]).await;
    assert!(text.stdout.contains("tenon takeover") && text.stdout.contains("tenon escape"), "{text:?}");
    user.run(&["exit", "--account", &u32::MAX.to_string()]).await.refused(&["never used"]);

    // Account 0 leaves; the exit of account 1, which is another owner's, does nothing.
    world.deposit(5, 10_000).await;
    world.accept(Vec::new()).await;
    let withdrawals = (0..3).map(|nonce| world.withdraw((2, 5), nonce, 100 + nonce)).collect();
    world.accept(withdrawals).await;
    world.prove(1, 2).await;
    world.settle().await;
    let five = Address::repeat_byte(5).to_string();
    let report = user.json(&["claim"]).await;
    assert_eq!(statuses(&report), ["waiting"]);
    assert_eq!(report["done"]["claimed"], json!([]));
    let other = user.json(&["claim", "--owner", &owner]).await;
    assert!(statuses(&other).is_empty());

    pass(&anvil, 3 * 3600).await;
    let report = user.json(&["claim", "--dry-run"]).await;
    assert_eq!(statuses(&report), ["ready"]);
    let report = user.json(&["claim"]).await;
    assert_eq!(report["plan"]["withdrawals"][0]["amount"], "1000");
    assert_eq!(report["done"]["claimed"][0]["batch"], 1);
    assert!(statuses(&user.json(&["claim"]).await).is_empty());
    let refused = user.run(&["claim", "--owner", &five, "--recipient", &owner]).await;
    refused.refused(&["expected the key of the owner"]);
    let report = user.json(&["claim", "--owner", &five]).await;
    assert_eq!(report["done"]["claimed"].as_array().unwrap().len(), 3);
    assert_eq!(chain.balance(Address::repeat_byte(5)).await.unwrap(), U256::from(303));
}

#[tokio::test]
async fn accounts_and_deposits_leave_a_frozen_contract() {
    let anvil = Anvil::start(&[]).await;
    let mut world = world(&anvil).await;
    let (chain, rollup) = (Arc::clone(&world.chain), world.rollup);
    let user = User::new(&anvil.url, rollup);
    for (seed, amount) in [(1, 1000), (2, 600), (1, 30)] {
        world.deposit(seed, amount).await;
    }
    world.accept(Vec::new()).await;
    world.prove(1, 1).await;
    world.settle().await;
    let [one, two, three] = [1, 2, 3].map(Address::repeat_byte);
    let owned = |owner: Address| ["--owner".to_owned(), owner.to_string()];
    let escape = |owner: Address, more: &[&str]| {
        let mut arguments = vec!["escape".to_owned()];
        arguments.extend(owned(owner));
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        arguments
    };
    let run = async |owner: Address, more: &[&str]| {
        let arguments = escape(owner, more);
        user.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    run(one, &["--freeze"]).await.refused(&["the contract isn't frozen"]);
    world.deposit(3, 77).await;
    pass(&anvil, 14 * DAY - 60).await;
    run(one, &["--freeze"]).await.refused(&["expected a time from"]);
    pass(&anvil, 120).await;
    run(one, &[]).await.refused(&["expected --freeze"]);
    assert!(!world.standing().await.frozen);

    let report = run(one, &["--freeze", "--dry-run", "--json"]).await.json();
    assert_eq!((&report["plan"]["freeze"], &report["plan"]["batch"]), (&json!(true), &json!(1)));
    assert!(!world.standing().await.frozen);
    let report = run(one, &["--freeze", "--json"]).await.json();
    assert!(world.standing().await.frozen);
    assert!(report["done"]["frozen"].is_object());
    assert_eq!(report["done"]["escaped"].as_array().unwrap().len(), 2);
    assert_eq!(chain.balance(one).await.unwrap(), U256::from(1030));
    let report = run(one, &["--json"]).await.json();
    assert_eq!(report["plan"]["accounts"], json!([]));

    // From an archive that needs no trust, and only what is one's own.
    run(one, &["--account", "1"]).await.refused(&["account 1: expected one that", &two.to_string()]);
    run(one, &["--account", "9"]).await.refused(&["got no account"]);
    let archive = world.archive_dir().display().to_string();
    let report = run(two, &["--account", "1", "--archive", &archive, "--json"]).await.json();
    assert_eq!(report["done"]["escaped"][0]["number"], 1);
    assert_eq!(chain.balance(two).await.unwrap(), U256::from(600));

    let report = run(three, &["--json"]).await.json();
    assert_eq!((&report["plan"]["refundable"], &report["plan"]["refunds"]), (&json!(1), &json!([])));
    let report = run(three, &["--refund", "--json"]).await.json();
    assert_eq!(report["done"]["refunded"][0]["number"], 3);
    assert_eq!(chain.balance(three).await.unwrap(), U256::from(77));
    let report = run(three, &["--refund", "--json"]).await.json();
    assert_eq!(report["plan"]["refundable"], 0);
    run(one, &["--recipient", &two.to_string()]).await.refused(&["expected the key of the owner"]);
    user.run(&["takeover", "--data-dir", "takeover"]).await.refused(&["frozen"]);
}

/// The operator commits garbage and is gone; time passes, and somebody else settles what waits.
async fn takes_over(world: &mut World, stranger: &L1Key, wait: impl AsyncFn(u64)) {
    let (chain, address) = (Arc::clone(&world.chain), world.rollup);
    let contract = RollupContract { chain: &*chain, address };
    let operator = Sender { chain: &*chain, key: &world.operator.clone() };
    // An account that the operator's key owns, so that it can be asked to leave.
    let owner = tenon_circuits::rollup::Address(operator.address().into_array());
    let mine = tenon_circuits::rollup::Recipient { owner, ..recipient(1) };
    let deposit = queue::Deposit { token: 0, amount: 1000, recipient: mine, to: u32::MAX };
    let plan = queue::plan_deposit(&contract, operator.address(), deposit).await.unwrap();
    queue::deposit(&contract, &operator, &plan).await.unwrap();
    world.accept(Vec::new()).await;
    world.prove(1, 1).await;
    world.settle().await;
    let exit = queue::exit(&contract, &operator, 0).await.unwrap();
    assert_eq!(exit.position, 1);
    for seed in 2..7 {
        world.deposit(seed, 10 * u64::from(seed)).await;
    }
    commit_garbage(&*chain, operator.key, address, 2).await;
    let refused = takeover::check(&contract, None).await.unwrap_err();
    assert!(matches!(refused, UserError::NotOpen), "{refused}");
    wait(7 * DAY + 60).await;
    world.deposit(7, 5).await;
    takeover::check(&contract, None).await.unwrap();

    let directory = tempfile::tempdir().unwrap();
    let capacity = ChunkCapacity::of_words(4, 4, 24);
    let found = rebuilt(&*chain, address).await;
    assert_eq!((found.number, found.consumed, found.waiting.len()), (1, 1, 7));
    let path = directory.path();
    let few = Start { contract, capacity, leaves: 1, directory: path };
    let refused = takeover::plan(few, &found).await.unwrap_err();
    assert!(
        matches!(refused, UserError::TooManyOperations { operations: 6, chunks: 2, leaves: 1 }),
        "{refused}"
    );
    let start = Start { leaves: 2, ..few };
    let plan = takeover::plan(start, &found).await.unwrap();
    // The six that are overdue, and one more that needs no further chunk.
    assert_eq!((plan.demanded, plan.batch.l1_operations.len(), plan.execution.chunks.len()), (6, 7, 2));
    assert_eq!((plan.batch.number, plan.queue_start, plan.discarded, plan.resumed), (2, 1, 1, false));

    let engine = Arc::new(HashEngine::new());
    let made = |engine: &HashEngine| {
        (engine.leaves_made.load(Ordering::SeqCst), engine.aggregates_made.load(Ordering::SeqCst))
    };
    let proven = takeover::prove(Arc::clone(&engine) as Arc<dyn Engine>, &plan, path, |_, _, _| {});
    let proof = proven.await.unwrap();
    assert_eq!(made(&engine), (2, 1));
    // Another run goes on where this one was.
    std::fs::remove_file(path.join("aggregate.json")).unwrap();
    std::fs::write(path.join("leaf-0.json"), "damaged").unwrap();
    let again = takeover::plan(start, &found).await.unwrap();
    assert!(again.resumed && again.batch == plan.batch);
    let proven = takeover::prove(Arc::clone(&engine) as Arc<dyn Engine>, &again, path, |_, _, _| {});
    assert_eq!(proven.await.unwrap().batches, proof.batches);
    assert_eq!(made(&engine), (3, 2));

    let sender = Sender { chain: &*chain, key: stranger };
    let mut wrong = proof.clone();
    wrong.proof[0] ^= 1;
    let refused = takeover::settle(&contract, &sender, &plan, &wrong).await.unwrap_err();
    assert!(refused.to_string().contains("ProofNotAccepted"), "{refused}");
    takeover::settle(&contract, &sender, &again, &proof).await.unwrap();
    let standing = contract.standing().await.unwrap();
    assert_eq!((standing.finalized, standing.committed, standing.open), (2, 2, false));
    assert_eq!(standing.state, plan.execution.state_out);
    assert_eq!(waiting(&*chain, address).await, 0);

    let late = takeover::plan(start, &found).await.unwrap_err();
    assert!(matches!(late, UserError::Settled { expected: 1, actual: 2 }), "{late}");

    // What was settled is on L1 for everybody, and the exit is paid.
    let found = rebuilt(&*chain, address).await;
    assert_eq!(found.state.commitment(), standing.state);
    let balances: Vec<u128> = found.state.accounts().map(|account| account.balance).collect();
    assert_eq!(balances, [0, 20, 30, 40, 50, 60, 5]);
    wait(3 * 3600).await;
    let claims = claims::find(&contract, operator.address(), 0).await.unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].withdrawal.amount, claims[0].status), (1000, ClaimStatus::Ready));
    claims::claim(&contract, &sender, &claims[0], operator.address()).await.unwrap();
    assert!(ask(&*chain, address, IRollup::isClaimedCall { number: 2, index: 0 }).await);
}

#[tokio::test]
async fn a_stranger_takes_over_on_the_local_chain() {
    let chain = Arc::new(LocalNode::new());
    let stranger = L1Key::from_hex(STRANGER).unwrap();
    for key in [&L1Key::development().unwrap(), &stranger] {
        chain.fund(key.address(), U256::from(10).pow(U256::from(18)));
    }
    let mut world = World::new(Arc::clone(&chain) as Arc<dyn Chain>, Finality::Confirmations(0)).await;
    let wait = async |seconds| {
        chain.advance(seconds);
        // Nothing but a transaction makes a block.
        let sender = Sender { chain: &*chain, key: &stranger };
        let message = sender.message(sender.address(), U256::ZERO, Bytes::new());
        sender.send("waiting", &message, None).await.unwrap();
    };
    takes_over(&mut world, &stranger, wait).await;
}

#[tokio::test]
async fn a_stranger_takes_over_on_a_node() {
    let anvil = Anvil::start(&[]).await;
    let mut world = world(&anvil).await;
    let stranger = L1Key::from_hex(STRANGER).unwrap();
    takes_over(&mut world, &stranger, async |seconds| pass(&anvil, seconds).await).await;
}
