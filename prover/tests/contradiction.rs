//! Two accepted proofs contradict each other: what a rebuild, claims and the service make of it, before and after a
//! third proof decides for the second outcome.

#![allow(clippy::unwrap_used, clippy::panic)]

mod l1_common;

use std::sync::Arc;

use alloy::{
    primitives::{Address, B256, U256},
    sol_types::{SolCall, SolValue},
};
use l1_common::{
    Anvil,
    rollup::{World, proof_of, recipient},
};
use serde_json::json;
use tenon_circuits::rollup::{Batch, Execution, Fr, State, evaluation::Evaluations, execute, field};
use tenon_contracts::{
    bindings::{IRollup, ISettlement},
    blob::Blobs,
    calldata,
};
use tenon_prover::{
    l1::{
        At, Node,
        rollup::{self, RollupContract, SettledBatch},
        to_word,
    },
    settlement::{
        Archive, Finality, Published, SettlementError, publish,
        rebuild::{RebuildError, Rebuilt, Sources, rebuild},
    },
    user::{
        Sender,
        claims::{self, Claim, ClaimStatus},
    },
};

/// Who gets the money in the false outcome.
const THIEF: [u8; 20] = [0xee; 20];
const CLAIM_DELAY: u64 = 3 * 3_600;
/// The kind of upgrade that sets the proof policy.
const POLICY: u8 = 0;

/// A batch executed, or said to be.
struct Told {
    batch: Batch,
    execution: Execution,
    blobs: Blobs,
    queue: (u64, u64),
}

impl Told {
    fn new(world: &World, batch: Batch, execution: Execution, queue: (u64, u64)) -> Self {
        let archive = Archive::new(&world.archive_dir());
        let l1_words = execution.l1_words.clone();
        let Published { mut execution, blobs, .. } = publish(&archive, &batch, execution, queue.0).unwrap();
        let points = execution.public_inputs.points;
        execution.public_inputs.evaluations =
            Evaluations::default().absorb(&points, &execution.da_words, &l1_words);
        execution.public_inputs.state_out = execution.state_out;
        Self { batch, execution, blobs, queue }
    }

    fn proof(&self) -> Vec<u8> {
        proof_of(&[self.execution.public_inputs])
    }

    fn settled(&self) -> SettledBatch {
        SettledBatch {
            number: self.batch.number,
            timestamp: self.batch.timestamp,
            state_out: self.execution.state_out,
            commit: self.execution.commit,
            l1_words: self.execution.l1_words.clone(),
            blob_hashes: self.blobs.versioned_hashes(),
        }
    }

    fn proven(&self) -> ISettlement::Batch {
        let openings = self.blobs.open(self.execution.public_inputs.points.z_d).unwrap();
        ISettlement::Batch {
            timestamp: self.batch.timestamp,
            stateOut: to_word(&self.execution.state_out),
            commit: to_word(&self.execution.commit),
            dataHash: calldata::data_hash(&self.blobs.versioned_hashes()),
            l1Words: self.execution.l1_words.iter().map(to_word).collect(),
            opening: calldata::blob_opening(&openings),
        }
    }

    fn input(&self) -> ISettlement::Input {
        ISettlement::Input {
            version: 1,
            number: self.batch.number,
            timestamp: self.batch.timestamp,
            stateIn: to_word(&self.execution.state_in),
            data: calldata::data_hash(&self.blobs.versioned_hashes()),
            queueStart: self.queue.0,
            queueEnd: self.queue.1,
        }
    }
}

struct Stage {
    anvil: Anvil,
    world: World,
}

impl Stage {
    fn sender(&self) -> Sender<'_> {
        Sender { chain: &*self.world.chain, key: &self.world.operator }
    }

    fn contract(&self) -> RollupContract<'_> {
        RollupContract { chain: &*self.world.chain, address: self.world.rollup }
    }

    async fn call(&self, call: impl SolCall) {
        let message = self.sender().message(self.world.rollup, U256::ZERO, call.abi_encode().into());
        self.sender().send("calling", &message, None).await.unwrap();
    }

    /// A batch of everything that waits in the queue, executed on a state.
    async fn execute(&self, state: &State, number: u64, start: u64) -> Told {
        let follower = self.world.follower();
        follower.sync().await.unwrap();
        self.told(state, number, start, follower.next_operations(100).await.unwrap().len()).await
    }

    async fn told(&self, state: &State, number: u64, start: u64, count: usize) -> Told {
        let queued = self.world.follower().next_operations(100).await.unwrap();
        let l1_operations: Vec<_> = queued
            .into_iter()
            .filter(|queued| queued.position >= start)
            .take(count)
            .map(|queued| queued.operation)
            .collect();
        let end = start + l1_operations.len() as u64;
        let transactions = match number {
            1 => vec![self.world.withdraw((0, 1), 0, 300)],
            _ => Vec::new(),
        };
        let latest = self.world.chain.block(At::Latest).await.unwrap().unwrap();
        let timestamp = latest.timestamp as u32;
        let batch = Batch { number, timestamp, fee_accounts: Vec::new(), l1_operations, transactions };
        let execution = execute(state, self.world.domain, &batch, 8).unwrap();
        Told::new(&self.world, batch, execution, (start, end))
    }

    async fn settle(&self, told: &Told) -> ISettlement::Outcome {
        let openings = told.blobs.open(told.execution.public_inputs.points.z_d).unwrap();
        let call = rollup::commit_and_prove(told.batch.number, &[(told.settled(), openings)], &told.proof());
        let message = tenon_prover::l1::Message {
            blob_hashes: told.blobs.versioned_hashes(),
            ..self.sender().message(self.world.rollup, U256::ZERO, call)
        };
        let sidecar = told.blobs.sidecar().unwrap();
        let inclusion = self.sender().send("settling", &message, Some(sidecar)).await.unwrap();
        let logs = self.world.chain.logs(self.world.rollup, inclusion.block, inclusion.block).await.unwrap();
        let finalized = logs.iter().find_map(|log| log.log_decode::<IRollup::BatchFinalized>().ok());
        finalized.unwrap().inner.data.outcome
    }

    async fn rebuilt(&self) -> Result<Rebuilt, RebuildError> {
        let sources = Sources {
            chain: &*self.world.chain,
            rollup: self.world.rollup,
            first_block: 0,
            genesis: State::new(),
            archives: vec![Archive::new(&self.world.archive_dir())],
            use_snapshots: true,
        };
        rebuild(sources, |_, _| {}).await
    }

    async fn claims(&self, owner: [u8; 20]) -> Vec<Claim> {
        claims::find(&self.contract(), Address::from(owner), 0).await.unwrap()
    }

    /// The same verifier under a new version, at once, by governor and council.
    async fn renew_policy(&self) {
        let kinds = self.contract().read(IRollup::policyCall { version: 1 }).await.unwrap().kinds;
        let data = kinds.abi_encode();
        let (kind, salt) = (POLICY, B256::ZERO);
        self.call(IRollup::queueUpgradeCall { kind, data: data.clone().into(), salt }).await;
        let council = self.contract().read(IRollup::rolesCall {}).await.unwrap().council.to_string();
        self.anvil.request("anvil_impersonateAccount", json!([council])).await;
        self.anvil.request("anvil_setBalance", json!([council, "0xde0b6b3a7640000"])).await;
        let execute = IRollup::executeUpgradeCall { kind, data: data.into(), salt }.abi_encode();
        let to = self.world.rollup.to_string();
        let data = format!("0x{}", hex::encode(execute));
        self.anvil.request("eth_sendTransaction", json!([{ "from": council, "to": to, "data": data }])).await;
        self.anvil.mine(1).await;
        assert_eq!(self.contract().read(IRollup::policyVersionCall {}).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn the_second_outcome_of_a_contradiction_holds_once_it_is_resolved() {
    let anvil = Anvil::start(&[]).await;
    let chain = Arc::new(Node::new(&anvil.url, None).unwrap());
    let world = World::new(chain, Finality::Confirmations(0)).await;
    let stage = Stage { anvil, world };
    let owner = recipient(1).owner.0;
    stage.world.deposit(1, 1000).await;

    // The true outcome pays 300 to the owner; the false one, proven first, pays it to somebody else.
    let told = stage.execute(&State::new(), 1, 0).await;
    let mut lie = told.execution.clone();
    let place = lie.l1_words.len() - 2;
    let owner_at = Fr::from(1_u64 << 40);
    let paid_to = |address: &[u8; 20]| {
        let mut bytes = [0; 32];
        bytes[12..].copy_from_slice(address);
        field::from_bytes(&bytes).unwrap()
    };
    lie.l1_words[place] += owner_at * (paid_to(&THIEF) - paid_to(&owner));
    lie.state_out = Fr::from(666);
    let lie = Told::new(&stage.world, told.batch.clone(), lie, told.queue);
    let outcome = stage.settle(&lie).await;
    stage.world.deposit(2, 50).await;
    stage.world.follower().sync().await.unwrap();
    let mut successor = stage.told(&told.execution.state, 2, 1, 1).await;
    successor.execution.state_in = Fr::from(666);
    successor.execution.public_inputs.state_in = Fr::from(666);
    let execution = successor.execution;
    let successor = Told::new(&stage.world, successor.batch, execution, successor.queue);
    stage.settle(&successor).await;
    assert!(matches!(stage.rebuilt().await, Err(RebuildError::State { number: 1, .. })));
    assert_eq!(stage.claims(THIEF).await.len(), 1);
    assert!(stage.claims(owner).await.is_empty());

    // Somebody shows the other proof.
    let (input, proofs) = (told.input(), vec![told.proof().into()]);
    let shown = IRollup::contradictCall {
        input: input.clone(),
        outcome: outcome.clone(),
        batch: told.proven(),
        proofs: proofs.clone(),
    };
    stage.call(shown).await;
    assert!(stage.claims(THIEF).await.iter().all(|claim| claim.status == ClaimStatus::Contradicted));
    assert!(stage.world.standing().await.frozen);

    // Newer verifiers decide for it.
    stage.renew_policy().await;
    stage.call(IRollup::resolveCall { input, outcome, batch: told.proven(), proofs }).await;
    let standing = stage.world.standing().await;
    assert_eq!((standing.finalized, standing.state), (1, told.execution.state_out));
    assert!(stage.claims(THIEF).await.is_empty());
    let claims = stage.claims(owner).await;
    let [claim] = claims.as_slice() else { panic!("{claims:?}") };
    assert!(matches!(claim.status, ClaimStatus::From(_)), "{:?}", claim.status);
    assert_eq!((claim.withdrawal.amount, claim.withdrawal.number), (300, 1));

    // The data that both outcomes were proven from leads to the true one, and its successor is void.
    let rebuilt = stage.rebuilt().await.unwrap();
    assert_eq!((rebuilt.number, rebuilt.consumed, rebuilt.waiting.len()), (1, 1, 1));
    assert_eq!(rebuilt.state.commitment(), told.execution.state_out);
    match stage.world.follower().sync().await {
        Err(SettlementError::Voided { number: 2, .. }) => {}
        other => panic!("expected a word about the void batch, got {other:?}"),
    }

    // The rollup goes on from there.
    let next = stage.told(&rebuilt.state, 2, 1, 1).await;
    stage.settle(&next).await;
    let rebuilt = stage.rebuilt().await.unwrap();
    assert_eq!((rebuilt.number, rebuilt.consumed, rebuilt.waiting.len()), (2, 2, 0));
    assert_eq!(rebuilt.state.commitment(), next.execution.state_out);
    stage.anvil.request("evm_increaseTime", json!([CLAIM_DELAY])).await;
    stage.anvil.mine(1).await;
    let claims = stage.claims(owner).await;
    assert_eq!(claims[0].status, ClaimStatus::Ready);
    claims::claim(&stage.contract(), &stage.sender(), &claims[0], Address::repeat_byte(7)).await.unwrap_err();
    let paid = stage.contract().read(IRollup::isClaimedCall { number: 1, index: 0 }).await.unwrap();
    assert!(!paid, "only the owner names another recipient");
    claims::claim(&stage.contract(), &stage.sender(), &claims[0], Address::from(owner)).await.unwrap();
    assert_eq!(stage.claims(owner).await[0].status, ClaimStatus::Paid);
}
