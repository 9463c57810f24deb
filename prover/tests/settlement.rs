//! Following, committing and settling on the real contracts, with every step taken by a service that was just
//! restarted; and rebuilding the state from L1 afterwards.

#![allow(clippy::unwrap_used, clippy::panic)]

mod l1_common;

use std::{sync::Arc, time::Duration};

use alloy::primitives::U256;
use l1_common::{Anvil, rollup::World};
use serde_json::json;
use tenon_circuits::rollup::{State, field, snapshot::Snapshot};
use tenon_prover::{
    jobs::JobState,
    l1::{At, L1Key, LocalNode},
    settlement::{
        Archive, Finality, SettlementError, Step,
        rebuild::{RebuildError, Rebuilt, Sources, rebuild},
    },
    store::{L1Store, l1::Purpose},
};

async fn local() -> Arc<LocalNode> {
    let chain = LocalNode::new();
    chain.fund(L1Key::development().unwrap().address(), U256::from(10).pow(U256::from(18)));
    Arc::new(chain)
}

/// Two settled runs of batches with deposits, transfers and a withdrawal.
async fn history(world: &mut World) {
    world.deposit(1, 1000).await;
    world.deposit(2, 500).await;
    assert_eq!(world.accept(Vec::new()).await, 1);
    let transactions = vec![world.transfer((0, 1), (1, 2), 0, 100), world.withdraw((1, 2), 0, 50)];
    world.accept(transactions).await;
    world.prove(1, 2).await;
    world.settle().await;
    world.deposit(3, 70).await;
    let transactions = vec![world.transfer((1, 2), (0, 1), 1, 7)];
    world.accept(transactions).await;
    world.prove(3, 3).await;
    world.settle().await;
}

/// Waits for the last final and the last committed batch.
async fn until(world: &World, expected: (u64, u64)) {
    for _ in 0..200 {
        let standing = world.standing().await;
        if (standing.finalized, standing.committed) == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("expected {expected:?}, found {:?}", world.standing().await);
}

/// Checks that batches 1 to `last` are final and nothing is on its way.
async fn is_settled(world: &World, last: u64) {
    // The block of the last transaction may be newer than the events read before it was looked for.
    world.step().await.unwrap();
    let standing = world.standing().await;
    assert_eq!((standing.finalized, standing.committed), (last, last));
    assert_eq!(standing.state, world.state.commitment());
    for number in 1..=last {
        assert_eq!(world.job_state(number).await, JobState::Settled);
    }
    assert!(world.store.outgoing().await.unwrap().is_empty());
}

async fn rebuilt(world: &World, archives: Vec<Archive>, snapshots: bool) -> Result<Rebuilt, RebuildError> {
    let sources = Sources {
        chain: &*world.chain,
        rollup: world.rollup,
        first_block: 0,
        genesis: State::new(),
        archives,
        use_snapshots: snapshots,
    };
    rebuild(sources, |_, _| {}).await
}

#[tokio::test]
async fn batches_are_committed_and_settled_step_by_step() {
    let mut world = World::new(local().await, Finality::Confirmations(0)).await;
    assert_eq!(world.step().await.unwrap(), Step::Idle);
    world.deposit(1, 1000).await;
    world.accept(Vec::new()).await;
    let transfer = world.transfer((0, 1), (0, 1), 0, 5);
    world.accept(vec![transfer]).await;

    // Both commits go in one transaction, before any proof is there.
    let Step::Sent(sent) = world.step().await.unwrap() else { panic!("nothing was committed") };
    assert_eq!((sent.purpose, sent.first_batch, sent.last_batch), (Purpose::Commit, 1, 2));
    assert_eq!(world.step().await.unwrap(), Step::Idle);
    assert_eq!(world.standing().await.committed, 2);
    world.prove(1, 2).await;
    let Step::Sent(sent) = world.step().await.unwrap() else { panic!("nothing was settled") };
    assert_eq!((sent.purpose, sent.first_batch, sent.last_batch), (Purpose::Prove, 1, 2));
    assert_eq!(world.job_state(1).await, JobState::Settling);
    assert_eq!(world.step().await.unwrap(), Step::Idle);
    assert_eq!(world.job_state(2).await, JobState::Settled);
    assert_eq!(world.step().await.unwrap(), Step::Idle);
    is_settled(&world, 2).await;
}

#[tokio::test]
async fn the_state_is_rebuilt_from_l1_alone() {
    let mut world = World::new(local().await, Finality::Confirmations(0)).await;
    history(&mut world).await;
    is_settled(&world, 3).await;
    world.deposit(4, 5).await;

    let found = rebuilt(&world, Vec::new(), true).await.unwrap();
    assert_eq!(found.state, world.state);
    assert_eq!((found.number, found.from, found.transactions, found.consumed), (3, 0, 3, 3));
    assert_eq!((found.waiting.len(), found.chain_blobs, found.archived_blobs), (1, 3, 0));
    let accounts: Vec<_> = found.state.accounts().copied().collect();
    assert_eq!(accounts.iter().map(|account| account.balance).collect::<Vec<_>>(), [907, 543, 70]);

    // From an archive, damaged or not.
    let archive = || vec![Archive::new(&world.archive_dir())];
    let found = rebuilt(&world, archive(), true).await.unwrap();
    assert_eq!((found.state == world.state, found.chain_blobs, found.archived_blobs), (true, 0, 3));
    let blob = std::fs::read_dir(world.archive_dir().join("blobs")).unwrap().next().unwrap().unwrap();
    std::fs::write(blob.path(), vec![0; 131_072]).unwrap();
    let found = rebuilt(&world, archive(), true).await.unwrap();
    assert_eq!((found.state == world.state, found.chain_blobs, found.archived_blobs), (true, 1, 2));

    // From a snapshot; one of another state isn't taken.
    let elsewhere = tempfile::tempdir().unwrap();
    let snapshots = Archive::new(elsewhere.path());
    let snapshot = |batch: u64, state: usize| Snapshot {
        domain: world.domain,
        batch,
        state: world.states[state].clone(),
    };
    snapshots.keep_snapshot(&snapshot(3, 1)).unwrap();
    let found = rebuilt(&world, vec![Archive::new(elsewhere.path())], true).await.unwrap();
    assert_eq!(found.from, 0);
    snapshots.keep_snapshot(&snapshot(2, 2)).unwrap();
    let found = rebuilt(&world, vec![Archive::new(elsewhere.path())], true).await.unwrap();
    assert_eq!((found.state == world.state, found.from, found.chain_blobs), (true, 2, 1));
    let found = rebuilt(&world, vec![snapshots], false).await.unwrap();
    assert_eq!((found.state == world.state, found.from), (true, 0));
}

#[tokio::test]
async fn a_cancelled_batch_is_taken_back_from_l1() {
    let mut world = World::new(local().await, Finality::Confirmations(0)).await;
    world.deposit(1, 1000).await;
    world.accept(Vec::new()).await;
    let transfer = world.transfer((0, 1), (0, 1), 0, 5);
    world.accept(vec![transfer]).await;
    world.settle().await;
    assert_eq!(world.standing().await.committed, 2);
    world.cancel_last().await;
    // The log has nothing in its place: another service's batch is left alone.
    assert_eq!(world.step().await.unwrap(), Step::Idle);
    let transfer = world.transfer((0, 1), (0, 1), 0, 6);
    world.accept(vec![transfer]).await;
    let Step::Sent(sent) = world.step().await.unwrap() else { panic!("nothing was taken back") };
    assert_eq!((sent.purpose, sent.first_batch, sent.last_batch), (Purpose::Revert, 2, 2));
    world.prove(1, 2).await;
    world.settle().await;
    is_settled(&world, 2).await;
    assert_eq!(rebuilt(&world, Vec::new(), true).await.unwrap().state, world.state);
}

#[tokio::test]
async fn a_batch_that_l1_has_otherwise_is_an_error() {
    let mut world = World::new(local().await, Finality::Confirmations(0)).await;
    world.deposit(1, 1000).await;
    world.accept(Vec::new()).await;
    world.prove(1, 1).await;
    world.settle().await;
    // Another service for the same contract, whose first batch is another one.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tenon.db");
    world.store = Arc::new(tenon_prover::store::sql::SqlStore::open(&path).await.unwrap());
    (world.state, world.states, world.proofs) = (State::new(), vec![State::new()], Vec::new());
    world.deposit(2, 1000).await;
    world.accept(Vec::new()).await;
    let error = world.step().await.unwrap_err();
    assert!(matches!(error, SettlementError::Diverged { number: 1, .. }), "{error}");
}

#[tokio::test]
async fn a_node_serves_the_same() {
    let anvil = Anvil::start(&[]).await;
    let mut world = World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await;
    history(&mut world).await;
    is_settled(&world, 3).await;
    let found = rebuilt(&world, Vec::new(), true).await.unwrap();
    assert_eq!((found.state == world.state, found.chain_blobs), (true, 3));

    // The same by the command, in a directory where nothing is.
    let elsewhere = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tenon"));
        let rollup = world.rollup.to_string();
        command.args(["rebuild", "--json", "--l1", &anvil.url, "--rollup", &rollup]);
        command.args(arguments).current_dir(elsewhere.path()).output().unwrap()
    };
    let output = run(&["--output", "state"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["state"], field::to_hex(&world.state.commitment()));
    assert_eq!((&report["batch"], &report["accounts"]), (&json!(3), &json!(3)));
    let snapshot = Snapshot::from_bytes(&std::fs::read(elsewhere.path().join("state")).unwrap()).unwrap();
    assert_eq!((snapshot.domain, snapshot.batch, snapshot.state == world.state), (world.domain, 3, true));
    // Without the deployment's block the queue has a gap.
    let output = run(&["--from-block", "12"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("--from-block"), "{error}");
}

#[tokio::test]
async fn a_stuck_transaction_is_replaced_and_settles_once() {
    let anvil = Anvil::start(&[]).await;
    let mut world = World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await;
    world.deposit(1, 1000).await;
    world.accept(Vec::new()).await;
    world.prove(1, 1).await;
    anvil.request("evm_setAutomine", json!([false])).await;
    let before = world.chain.nonce(world.operator.address()).await.unwrap();
    for expected in [before, before + 1] {
        let first = world.send_next().await.hash;
        // A restart leaves it as it is; when it takes too long it is replaced, each time for more.
        assert_eq!(world.step().await.unwrap(), Step::Waiting);
        world.resend_after = Duration::ZERO;
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(world.step().await.unwrap(), Step::Waiting);
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(world.step().await.unwrap(), Step::Waiting);
        world.resend_after = Duration::from_secs(3600);
        let outgoing = world.store.outgoing().await.unwrap();
        let open: Vec<_> = outgoing.iter().filter(|outgoing| outgoing.nonce == expected).collect();
        assert_eq!((open.len(), open[0].hashes.len()), (1, 3));
        assert_ne!(open[0].hashes[0], first.0);
        anvil.mine(1).await;
        assert_eq!(world.chain.nonce(world.operator.address()).await.unwrap(), expected + 1);
        let included = world.chain.inclusion(open[0].hashes[0].into()).await.unwrap().unwrap();
        assert!(included.success);
    }
    world.settle().await;
    is_settled(&world, 1).await;
    assert_eq!(world.chain.nonce(world.operator.address()).await.unwrap(), before + 2);
}

/// Steps, with blocks in between, until the contract stands there. A node that has just given up a block may answer
/// that it knows a transaction, and drop it then.
async fn recover(world: &World, anvil: &Anvil, expected: (u64, u64)) {
    for _ in 0..20 {
        let standing = world.standing().await;
        if (standing.finalized, standing.committed) == expected {
            return;
        }
        assert_eq!(world.step().await.unwrap(), Step::Waiting);
        anvil.mine(1).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("expected {expected:?}, found {:?}", world.standing().await);
}

async fn height(world: &World) -> u64 {
    world.chain.block(At::Latest).await.unwrap().unwrap().number
}

#[tokio::test]
async fn a_reorg_drops_nothing_for_good() {
    const CONFIRMATIONS: u64 = 50;
    let anvil = Anvil::start(&[]).await;
    let finality = Finality::Confirmations(CONFIRMATIONS);
    let mut world = World::new(Arc::new(anvil.node.clone()), finality).await;
    world.deposit(1, 1000).await;
    // The deposit isn't final yet.
    world.follower().sync().await.unwrap();
    assert!(world.follower().next_operations(10).await.unwrap().is_empty());
    anvil.mine(CONFIRMATIONS).await;
    world.accept(Vec::new()).await;
    world.prove(1, 1).await;
    let before = height(&world).await;
    let commit = world.send_next().await;
    assert_eq!(commit.purpose, Purpose::Commit);
    until(&world, (0, 1)).await;
    anvil.reorg(height(&world).await - before).await;
    until(&world, (0, 0)).await;
    // The same commit comes on the chain again, and no other.
    recover(&world, &anvil, (0, 1)).await;
    assert!(world.chain.inclusion(commit.hash).await.unwrap().is_some());
    let proof = world.send_next().await;
    assert_eq!(proof.purpose, Purpose::Prove);
    until(&world, (1, 1)).await;
    anvil.reorg(height(&world).await - before).await;
    until(&world, (0, 0)).await;
    assert_eq!(world.job_state(1).await, JobState::Settling);
    recover(&world, &anvil, (0, 1)).await;
    recover(&world, &anvil, (1, 1)).await;
    for sent in [commit, proof] {
        assert!(world.chain.inclusion(sent.hash).await.unwrap().is_some());
    }
    world.settle().await;
    // It is settled when the chain is done with it.
    assert_eq!(world.job_state(1).await, JobState::Settling);
    anvil.mine(CONFIRMATIONS).await;
    world.settle().await;
    is_settled(&world, 1).await;
}

#[tokio::test]
async fn a_batch_of_operations_that_a_reorg_took_is_never_committed() {
    let anvil = Anvil::start(&[]).await;
    let mut world = World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await;
    world.deposit(1, 1000).await;
    world.deposit(2, 7).await;
    world.accept(Vec::new()).await;
    anvil.reorg(1).await;
    let gone = |result| matches!(result, Err(SettlementError::OperationGone { number: 1, position: 1 }));
    assert!(gone(world.step().await));
    // Another operation in its place makes nothing better.
    world.deposit(3, 8).await;
    assert!(gone(world.step().await));
    assert_eq!(world.standing().await.committed, 0);
    world.cancel_last().await;
    world.accept(Vec::new()).await;
    world.prove(1, 1).await;
    world.settle().await;
    is_settled(&world, 1).await;
}

#[tokio::test]
async fn events_of_blocks_that_are_gone_are_forgotten() {
    let anvil = Anvil::start(&[]).await;
    let world = World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await;
    let follower = world.follower();
    follower.sync().await.unwrap();
    world.deposit(1, 1000).await;
    follower.sync().await.unwrap();
    assert_eq!(follower.next_operations(10).await.unwrap().len(), 1);
    anvil.reorg(1).await;
    follower.sync().await.unwrap();
    assert!(follower.next_operations(10).await.unwrap().is_empty());
    world.deposit(2, 5).await;
    follower.sync().await.unwrap();
    let queued = follower.next_operations(10).await.unwrap();
    assert_eq!((queued.len(), queued[0].position), (1, 0));
    let deadline = u64::from(queued[0].deadline);
    assert!(follower.is_pressing(deadline, 0).await.unwrap());
    assert!(!follower.is_pressing(deadline - 11, 10).await.unwrap());
}
