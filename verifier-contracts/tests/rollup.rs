//! The rollup in a real EVM with real blobs, and real proofs of a small circuit that exposes any public inputs: what
//! the contract makes of a batch is what the native side makes of it.

#![allow(clippy::panic)]

mod common;

use alloy::{
    primitives::{Address, B256, Log, U256, keccak256},
    sol_types::{SolCall, SolEvent, SolValue},
};
use ark_ff::Field;
use common::{FINAL_PUBLIC_INPUTS, SmallCircuit};
use halo2_proofs::halo2curves::bn256::Fr as CircuitFr;
use tenon_circuits::{
    public_inputs::{BatchPublicInputs, batch_input},
    rollup::{
        Account, Address as NativeAddress, Fr, PublicKey, State,
        evaluation::{Evaluations, PointInputs, points},
        field,
    },
};
use tenon_contracts::{
    bindings::{IExits, IRollup, ISettlement},
    blob::Blobs,
    calldata,
    deployment::{DEFAULT_CLAIM_DELAY, Deployment, Parameters},
    evm::{EvmError, LOCAL_CHAIN_ID, LocalChain, Message, Receipt},
};

const OPERATOR: Address = Address::repeat_byte(0x11);
const ALICE: Address = Address::repeat_byte(0xa1);
const NOW: u64 = 1_800_000_000;
const GENESIS: u64 = 42;
const ETHER: u64 = 1_000_000_000_000_000_000;

/// The deployed contracts.
struct Rollup {
    chain: LocalChain,
    address: Address,
    circuit: SmallCircuit,
    domain: Fr,
}

/// A batch: its public inputs, and what the contract takes for it.
struct Batch {
    inputs: BatchPublicInputs,
    header: ISettlement::Header,
    batch: ISettlement::Batch,
    blob_hashes: Vec<B256>,
}

fn word(value: &Fr) -> U256 {
    U256::from_be_bytes(field::to_bytes(value))
}

fn element(value: U256) -> Fr {
    field::from_bytes(&value.to_be_bytes()).expect("below r")
}

fn circuit_element(value: &Fr) -> CircuitFr {
    common::to_fr(word(value)).expect("below r")
}

impl Rollup {
    fn new() -> Self {
        Self::with_genesis(U256::from(GENESIS))
    }

    fn with_genesis(genesis_state: U256) -> Self {
        let circuit = SmallCircuit::last();
        let parameters = Parameters::demonstration(OPERATOR, genesis_state);
        let plan = Deployment::plan(OPERATOR, 0, &circuit.generate(), &parameters).expect("plan");
        let mut chain = LocalChain::new(LOCAL_CHAIN_ID, NOW);
        for creation in plan.creations() {
            let receipt = chain.transact(OPERATOR, None, creation.init_code.clone()).expect(creation.name);
            assert_eq!(receipt.created, Some(creation.address), "{}", creation.name);
        }
        chain.fund(ALICE, U256::from(ETHER) * U256::from(100));
        let domain = element(plan.domain(LOCAL_CHAIN_ID));
        Self { chain, address: plan.rollup.address, circuit, domain }
    }

    fn read<C: SolCall>(&self, call: C) -> C::Return {
        let receipt = self.chain.call(OPERATOR, self.address, call.abi_encode().into()).expect("a view");
        C::abi_decode_returns(&receipt.output).expect("an answer")
    }

    fn send(
        &mut self,
        from: Address,
        value: U256,
        data: Vec<u8>,
        blobs: &[B256],
    ) -> Result<Receipt, EvmError> {
        self.chain.execute(&Message {
            from,
            to: Some(self.address),
            value,
            data: data.into(),
            blob_hashes: blobs.to_vec(),
        })
    }

    /// A batch with any data on top of a state.
    fn batch(&self, number: u64, state_in: Fr, da_words: usize, l1_words: &[U256]) -> Batch {
        let timestamp = u32::try_from(self.chain.timestamp()).expect("until 2106");
        let da_words: Vec<Fr> = (1..=da_words as u64).map(|i| Fr::from(i * 0x1234_5678 + number)).collect();
        let blobs = Blobs::from_words(&da_words).expect("blobs");
        let blob_hashes = blobs.versioned_hashes();
        let l1_words_in_field: Vec<Fr> = l1_words.iter().map(|word| element(*word)).collect();
        let (state_out, commit) = (Fr::from(1000 + number), Fr::from(2000 + number));
        let hashes: Vec<[u8; 32]> = blob_hashes.iter().map(|hash| hash.0).collect();
        let points = points(&PointInputs {
            domain: self.domain,
            batch: batch_input(number, timestamp),
            state_in,
            state_out,
            commit,
            l1_words: &l1_words_in_field,
            blob_hashes: &hashes,
        });
        let evaluations = Evaluations::default().absorb(&points, &da_words, &l1_words_in_field);
        let openings = blobs.open(points.z_d).expect("openings");
        Batch {
            inputs: BatchPublicInputs {
                domain: self.domain,
                batch: batch_input(number, timestamp),
                state_in,
                state_out,
                commit,
                points,
                evaluations,
            },
            header: ISettlement::Header {
                timestamp,
                stateOut: word(&state_out),
                commit: word(&commit),
                l1Hash: calldata::l1_hash(l1_words),
                attestation: calldata::blob_count(u8::try_from(blob_hashes.len()).expect("6 at most")),
            },
            batch: ISettlement::Batch {
                timestamp,
                stateOut: word(&state_out),
                commit: word(&commit),
                dataHash: calldata::data_hash(&blob_hashes),
                l1Words: l1_words.to_vec(),
                opening: calldata::blob_opening(&openings),
            },
            blob_hashes,
        }
    }

    fn prove(&self, batches: &[&Batch]) -> Vec<u8> {
        let mut values = vec![CircuitFr::zero(); FINAL_PUBLIC_INPUTS];
        for (place, batch) in values.chunks_mut(10).zip(batches) {
            place.copy_from_slice(&batch.inputs.to_array().map(|value| circuit_element(&value)));
        }
        self.circuit.prove(&values, 5).proof
    }

    fn settle(&mut self, first: u64, batches: &[&Batch], proof: &[u8]) -> Result<Receipt, EvmError> {
        let made: Vec<_> = batches.iter().map(|batch| batch.batch.clone()).collect();
        let attestations: Vec<_> = batches.iter().map(|batch| batch.header.attestation.clone()).collect();
        let hashes: Vec<_> = batches.iter().flat_map(|batch| batch.blob_hashes.clone()).collect();
        let data = calldata::commit_and_prove(first, &made, &attestations, proof);
        self.send(OPERATOR, U256::ZERO, data.to_vec(), &hashes)
    }
}

fn event<E: SolEvent>(logs: &[Log]) -> E {
    logs.iter().find_map(|log| E::decode_log(log).ok()).expect("the event").data
}

fn deposit(rollup: &mut Rollup, amount: u64) -> Vec<U256> {
    let (ax, ay) = (Fr::from(-1), Fr::from(-2));
    let call = IRollup::depositCall {
        token: 0,
        amount: U256::from(amount),
        ax: word(&ax),
        ay: word(&ay),
        owner: ALICE,
        to: u32::MAX,
    };
    rollup.send(ALICE, U256::from(amount), call.abi_encode(), &[]).expect("a deposit");
    let low = (U256::from(1) << 248) - U256::from(1);
    let [ax, ay] = [word(&ax), word(&ay)];
    let owner = U256::from_be_slice(ALICE.as_slice());
    vec![
        U256::from(1) | U256::from(u32::MAX) << 40 | U256::from(amount) << 72,
        owner << 32 | (ax >> 248) << 192 | (ay >> 248) << 198,
        ax & low,
        ay & low,
    ]
}

fn withdrawal(amount: u64) -> Vec<U256> {
    vec![U256::from(3) | U256::from_be_slice(ALICE.as_slice()) << 40, U256::from(amount)]
}

#[test]
fn settles_real_blobs_and_proofs() {
    let mut rollup = Rollup::new();
    let genesis = Fr::from(GENESIS);
    assert_eq!(rollup.read(IRollup::stateCall {}), word(&genesis));
    assert_eq!(rollup.read(IRollup::domainCall {}), word(&rollup.domain));

    let queued = deposit(&mut rollup, ETHER);
    let words = [queued, withdrawal(ETHER / 2)].concat();
    let first = rollup.batch(1, genesis, 100, &words);
    let second = rollup.batch(2, first.inputs.state_out, 5000, &[]);
    assert_eq!(second.blob_hashes.len(), 2);
    let proof = rollup.prove(&[&first, &second]);

    // The same proof for other data.
    let other = rollup.batch(2, first.inputs.state_out, 5001, &[]);
    rollup.settle(1, &[&first, &other], &proof).expect_err("another blob");
    let receipt = rollup.settle(1, &[&first, &second], &proof).expect("settled");
    println!("settling two batches, three blobs, six L1 words: {} gas", receipt.gas_used);
    assert_eq!(rollup.read(IRollup::stateCall {}), word(&second.inputs.state_out));
    assert_eq!(rollup.read(IRollup::queueHeadCall {}), 1);
    rollup.settle(1, &[&first, &second], &proof).expect_err("a replay");

    let finalized: IRollup::BatchFinalized = event(&receipt.logs);
    assert_eq!((finalized.number, finalized.queueEnd), (1, 1));
    let claim = IRollup::claimCall {
        withdrawal: IExits::Withdrawal {
            number: 1,
            index: 0,
            token: 0,
            owner: ALICE,
            amount: u128::from(ETHER / 2),
        },
        outcome: finalized.outcome,
        path: vec![],
        recipient: ALICE,
    };
    rollup.send(OPERATOR, U256::ZERO, claim.abi_encode(), &[]).expect_err("too early");
    let before = rollup.chain.balance(ALICE);
    rollup.chain.set_timestamp(NOW + DEFAULT_CLAIM_DELAY);
    rollup.send(OPERATOR, U256::ZERO, claim.abi_encode(), &[]).expect("claimed");
    assert_eq!(rollup.chain.balance(ALICE) - before, U256::from(ETHER / 2));
    rollup.send(OPERATOR, U256::ZERO, claim.abi_encode(), &[]).expect_err("twice");
}

/// Issue 3's reach, on whole transactions: settling one batch with one blob, less checking its proof.
#[test]
fn settling_is_cheap() {
    let mut rollup = Rollup::new();
    let genesis = Fr::from(GENESIS);
    let first = rollup.batch(1, genesis, 4096, &[]);
    let proof = rollup.prove(&[&first]);
    rollup.settle(1, &[&first], &proof).expect("settled");
    let policy = rollup.read(IRollup::policyCall { version: 1 });

    let one = rollup.batch(2, first.inputs.state_out, 4096, &[]);
    let two = rollup.batch(3, one.inputs.state_out, 4096, &[]);
    let mut used = [0; 2];
    for (count, gas) in used.iter_mut().enumerate() {
        let batches = &[&one, &two][..=count];
        let proof = rollup.prove(batches);
        let chain = rollup.chain.clone();
        *gas = rollup.settle(2, batches, &proof).expect("settled").gas_used;
        rollup.chain = chain;
        if count == 0 {
            let mut values: Vec<U256> = one.inputs.to_array().iter().map(word).collect();
            values.resize(FINAL_PUBLIC_INPUTS, U256::ZERO);
            let call = calldata::verify(&values, &proof);
            let check = rollup.chain.call(OPERATOR, policy.kinds[0].verifier, call).expect("valid").gas_used;
            println!("settling one batch with one blob: {gas} gas, checking its proof alone {check}");
            assert!(*gas - check <= 120_000, "{gas} - {check}");
        }
    }
    println!("a further batch with one blob: {} gas", used[1] - used[0]);
    assert!(used[1] - used[0] <= 95_000, "{used:?}");
}

#[test]
fn commits_and_proves_in_two_transactions() {
    let mut rollup = Rollup::new();
    let first = rollup.batch(1, Fr::from(GENESIS), 10, &[]);
    let data = calldata::commit(1, std::slice::from_ref(&first.header)).to_vec();
    let committed = rollup.send(OPERATOR, U256::ZERO, data, &first.blob_hashes).expect("committed");
    let chained: IRollup::BatchChained = event(&committed.logs);
    assert_eq!(chained.previous, B256::ZERO);
    let proof = rollup.prove(&[&first]);
    let data = calldata::prove(1, chained.previous, std::slice::from_ref(&first.batch), &proof).to_vec();
    let proven = rollup.send(OPERATOR, U256::ZERO, data, &[]).expect("proven");
    println!("committing {} gas, proving {} gas", committed.gas_used, proven.gas_used);
    assert_eq!(rollup.read(IRollup::stateCall {}), word(&first.inputs.state_out));
    let finalized: IRollup::BatchFinalized = event(&proven.logs);
    let outcome = (keccak256("tenon.v1.outcome"), finalized.outcome).abi_encode();
    assert_eq!(rollup.read(IRollup::batchHashCall { number: 1 }), keccak256(outcome));
}

#[test]
fn errors_are_described() {
    let mut rollup = Rollup::new();
    let data = IRollup::freezeCall {}.abi_encode();
    let EvmError::Reverted { data, .. } = rollup.send(ALICE, U256::ZERO, data, &[]).expect_err("empty")
    else {
        panic!("a revert");
    };
    assert!(calldata::describe_error(&data).contains("QueueEmpty"));
    let batch = rollup.batch(1, Fr::from(GENESIS), 1, &[]);
    let data = calldata::commit(1, &[batch.header]).to_vec();
    let EvmError::Reverted { data, .. } = rollup.send(OPERATOR, U256::ZERO, data, &[]).expect_err("no blob")
    else {
        panic!("a revert");
    };
    assert!(calldata::describe_error(&data).contains("BlobMissing"));
}

/// The native tree's accounts leave by the contract's path, for at most 1.1 million gas.
#[test]
fn accounts_of_the_native_tree_escape() {
    let account = |index: u64| Account {
        token: 0,
        nonce: (1 << 40) - 1 - index,
        balance: u128::from(ETHER + index),
        key: PublicKey { x: Fr::from(-1) - Fr::from(index), y: Fr::from(index).square() },
        owner: NativeAddress(ALICE.into_array()),
    };
    let state = State::from_accounts(&(0..70).map(account).collect::<Vec<_>>()).expect("a state");
    let mut rollup = Rollup::with_genesis(word(&state.commitment()));
    deposit(&mut rollup, ETHER);
    rollup.chain.set_timestamp(NOW + 14 * 24 * 60 * 60 + 1);
    rollup.send(OPERATOR, U256::ZERO, IRollup::freezeCall {}.abi_encode(), &[]).expect("frozen");
    rollup.chain.fund(rollup.address, U256::from(100) * U256::from(ETHER));
    for index in [0, 37, 69] {
        let leaf = account(u64::from(index));
        let account = IExits::Account {
            index,
            token: leaf.token,
            nonce: U256::from(leaf.nonce),
            balance: U256::from(leaf.balance),
            ax: word(&leaf.key.x),
            ay: word(&leaf.key.y),
            owner: ALICE,
            nextIndex: state.next_index(),
            root: word(&state.root()),
            siblings: state.tree().path(index).map(|siblings| siblings.map(|sibling| word(&sibling))),
        };
        let call = IRollup::escapeCall { account, recipient: ALICE }.abi_encode();
        let before = rollup.chain.balance(ALICE);
        let receipt = rollup.send(OPERATOR, U256::ZERO, call.clone(), &[]).expect("escaped");
        println!("escape of account {index}: {} gas", receipt.gas_used);
        assert!(receipt.gas_used <= 1_100_000, "{} gas", receipt.gas_used);
        assert_eq!(rollup.chain.balance(ALICE) - before, U256::from(leaf.balance));
        rollup.send(OPERATOR, U256::ZERO, call, &[]).expect_err("twice");
    }
}
