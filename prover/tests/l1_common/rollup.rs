//! The real contracts with a verifier that takes a hash of the public inputs for their proof, and a log of batches
//! that were really executed, without a prover.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use alloy::{
    primitives::{Address, U256, keccak256},
    sol_types::SolCall,
};
use tempfile::TempDir;
use tenon_circuits::{
    public_inputs::BatchPublicInputs,
    rollup::{
        AmountCode, Batch, FeeCode, Fr, L1Operation, NO_ACCOUNT, PrivateKey, Recipient, Signature, State,
        Transaction, execute, field, transition::ChunkCapacity,
    },
};
use tenon_contracts::{
    artifacts::{VERIFIER_BATCH_PLACES, VERIFIER_SOURCE},
    bindings::{IRollup, IVerifier},
    deployment::{Deployment, Parameters},
    generator::{GeneratedVerifier, Shape},
};
use tenon_prover::{
    engine::AggregateProof,
    executor::summary,
    jobs::{JobState, ProofRecord, TaskKind},
    l1::{At, Bid, Chain, Inclusion, L1Key, Message, Unsigned, rollup, to_word},
    settlement::{
        Archive, FeePolicy, Finality, Follower, Outbox, Parts, Published, SettlementError, Settler, Step,
        outbox::Sent, publish,
    },
    store::{
        BatchLog, JobStore, L1Store, NewBatch, Store, TaskStore,
        files::{FileKind, Files},
        sql::SqlStore,
    },
};

/// Batches that a proof has places for.
const PLACES: u8 = 2;

/// Runtime code of a verifier that accepts `keccak256(number of public inputs | public inputs)` as their proof.
fn verifier_code() -> Vec<u8> {
    let word = |value: u8| vec![0x60, value, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3];
    let selector = |selector: [u8; 4], target: u8| {
        let mut code = vec![0x80, 0x63];
        code.extend(selector);
        code.extend([0x14, 0x60, target, 0x57]);
        code
    };
    // POP; size = 32 * (CALLDATALOAD(0x44) + 1); CALLDATACOPY(0, 0x44, size); KECCAK256(0, size);
    // CALLDATALOAD(size + 0x64); EQ; return it.
    let check = "5060443560051b6020018060445f37805f209060640135145f5260205ff3";
    let check = hex::decode(check).unwrap();
    let start = [0x5f, 0x35, 0x60, 0xe0, 0x1c];
    let places = start.len() + 2 * 10 + check.len();
    let development = places + 1 + word(PLACES).len();
    let mut code = start.to_vec();
    code.extend(selector(IVerifier::batchPlacesCall::SELECTOR, places as u8));
    code.extend(selector(IVerifier::developmentSrsCall::SELECTOR, development as u8));
    code.extend(check);
    code.push(0x5b);
    code.extend(word(PLACES));
    code.push(0x5b);
    code.extend(word(1));
    code
}

/// The proof that this verifier takes.
pub fn proof_of(batches: &[BatchPublicInputs]) -> Vec<u8> {
    let count = usize::from(PLACES) * 10;
    let mut values: Vec<U256> =
        batches.iter().flat_map(|batch| batch.to_array()).map(|v| to_word(&v)).collect();
    values.resize(count, U256::ZERO);
    values.insert(0, U256::from(count));
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes::<32>()).collect();
    keccak256(bytes).to_vec()
}

/// Sends a message and waits for its block, which somebody has to make.
pub async fn send(chain: &dyn Chain, key: &L1Key, message: &Message) -> Inclusion {
    let prices = chain.prices().await.unwrap();
    let bid = Bid { gas: prices.base * 2 + prices.priority, priority: prices.priority, blob: 0 };
    let unsigned = Unsigned {
        chain_id: chain.chain_id().await.unwrap(),
        nonce: chain.nonce(key.address()).await.unwrap(),
        gas_limit: 15_000_000,
        bid,
        message,
        sidecar: None,
    };
    let signed = key.sign(unsigned).unwrap();
    chain.send("testing", &signed).await.unwrap();
    for _ in 0..200 {
        if let Some(inclusion) = chain.inclusion(signed.hash).await.unwrap() {
            assert!(inclusion.success, "{message:?}");
            return inclusion;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the transaction is in no block");
}

/// Deploys the contracts, which start from the empty state.
pub async fn deploy(chain: &dyn Chain, operator: &L1Key) -> Address {
    let from = operator.address();
    let generated = GeneratedVerifier {
        shape: Shape {
            batch_places: VERIFIER_BATCH_PLACES,
            points: 0,
            scalars: 0,
            verifying_key_length: 1,
            digest: alloy::primitives::B256::ZERO,
        },
        solidity: VERIFIER_SOURCE.to_owned(),
        verifying_key: vec![1],
    };
    let parameters = Parameters { genesis_state: None, ..Parameters::demonstration(from, U256::ZERO) };
    let nonce = chain.nonce(from).await.unwrap();
    let mut plan = Deployment::plan(from, nonce, &generated, &parameters).unwrap();
    let code = verifier_code();
    let mut creation = vec![0x61, 0, code.len() as u8, 0x80, 0x60, 0x0a, 0x3d, 0x39, 0x3d, 0xf3];
    creation.extend(code);
    plan.verifier.init_code = creation.into();
    for creation in plan.creations() {
        let message = Message { from, data: creation.init_code.clone(), ..Message::default() };
        assert_eq!(
            send(chain, operator, &message).await.created,
            Some(creation.address),
            "{}",
            creation.name
        );
    }
    plan.rollup.address
}

/// The key of an account that a deposit opens.
pub fn user(seed: u8) -> PrivateKey {
    PrivateKey::from_seed([seed; 32])
}

pub fn recipient(seed: u8) -> Recipient {
    Recipient { key: user(seed).public_key(), owner: tenon_circuits::rollup::Address([seed; 20]) }
}

/// A rollup on a chain, and a service's data without the service.
pub struct World {
    pub chain: Arc<dyn Chain>,
    pub operator: L1Key,
    pub rollup: Address,
    pub domain: Fr,
    pub dir: TempDir,
    pub store: Arc<SqlStore>,
    pub state: State,
    /// The states after each batch of the log, genesis first.
    pub states: Vec<State>,
    pub proofs: Vec<BatchPublicInputs>,
    pub finality: Finality,
    pub resend_after: Duration,
}

/// A file in a directory with the operator's key.
pub fn key_file(dir: &Path) -> String {
    let path = dir.join("l1.key");
    fs::write(&path, "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\n").unwrap();
    path.display().to_string()
}

impl World {
    pub async fn new(chain: Arc<dyn Chain>, finality: Finality) -> Self {
        let operator = L1Key::development().unwrap();
        let rollup = deploy(&*chain, &operator).await;
        let domain = rollup::domain(chain.chain_id().await.unwrap(), rollup).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::open(&dir.path().join("tenon.db")).await.unwrap());
        Self {
            chain,
            operator,
            rollup,
            domain,
            dir,
            store,
            state: State::new(),
            states: vec![State::new()],
            proofs: Vec::new(),
            finality,
            resend_after: Duration::from_secs(3600),
        }
    }

    pub fn archive_dir(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    fn archive(&self) -> Arc<Archive> {
        Arc::new(Archive::new(&self.archive_dir()))
    }

    pub fn follower(&self) -> Follower {
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        Follower::new(Arc::clone(&self.chain), store, self.rollup, 0, self.finality)
    }

    /// A settler that remembers nothing, as after a restart.
    pub fn settler(&self) -> Settler {
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        let policy = FeePolicy { resend_after: self.resend_after, max_price_wei: 1 << 60 };
        let (chain, key) = (Arc::clone(&self.chain), self.operator.clone());
        Settler::new(Parts {
            chain: Arc::clone(&self.chain),
            store: Arc::clone(&store),
            files: Arc::new(Files::open(self.dir.path()).unwrap()),
            archive: self.archive(),
            follower: self.follower(),
            outbox: Outbox::new(chain, store, key, 31337, policy),
            rollup: self.rollup,
        })
    }

    /// One step of a service that was just restarted.
    pub async fn step(&self) -> Result<Step, SettlementError> {
        self.settler().step().await
    }

    /// Steps until nothing is to be done.
    pub async fn settle(&self) {
        self.step_until(|step| step == Step::Idle).await;
    }

    /// Steps until something is sent.
    pub async fn send_next(&self) -> Sent {
        match self.step_until(|step| step != Step::Waiting).await {
            Step::Sent(sent) => sent,
            other => panic!("expected something sent, found {other:?}"),
        }
    }

    async fn step_until(&self, wanted: impl Fn(Step) -> bool) -> Step {
        let mut steps = Vec::new();
        for _ in 0..100 {
            let step = match self.step().await {
                Ok(step) => step,
                // As the service does: a node that is busy is asked again.
                Err(error) if error.is_passing() => Step::Waiting,
                Err(error) => panic!("{error}"),
            };
            steps.push(step);
            if wanted(step) {
                return step;
            }
            if step == Step::Waiting {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        let outgoing = self.store.outgoing().await.unwrap();
        let outgoing: Vec<_> =
            outgoing.iter().map(|outgoing| (outgoing.purpose, outgoing.nonce, outgoing.state)).collect();
        panic!("only {steps:?}, {outgoing:?}, {:?}", self.standing().await);
    }

    pub async fn deposit(&self, seed: u8, amount: u64) -> Inclusion {
        let recipient = recipient(seed);
        let call = IRollup::depositCall {
            token: 0,
            amount: U256::from(amount),
            ax: to_word(&recipient.key.x),
            ay: to_word(&recipient.key.y),
            owner: Address::from(recipient.owner.0),
            to: NO_ACCOUNT,
        };
        let message = Message {
            from: self.operator.address(),
            to: Some(self.rollup),
            value: U256::from(amount),
            data: call.abi_encode().into(),
            ..Message::default()
        };
        send(&*self.chain, &self.operator, &message).await
    }

    /// Executes a batch of everything that waits in the queue and of transactions, and enters it in the log.
    pub async fn accept(&mut self, transactions: Vec<Transaction>) -> u64 {
        let follower = self.follower();
        follower.sync().await.unwrap();
        let queued = follower.next_operations(100).await.unwrap();
        let queue_start = self.store.next_operation().await.unwrap();
        let l1_operations: Vec<L1Operation> = queued.into_iter().map(|queued| queued.operation).collect();
        let number = self.states.len() as u64;
        let latest = self.chain.block(At::Latest).await.unwrap().unwrap();
        let batch = Batch {
            number,
            timestamp: latest.timestamp as u32,
            fee_accounts: Vec::new(),
            l1_operations,
            transactions,
        };
        let capacity = ChunkCapacity::of_words(8, 8, 64);
        let execution = execute(&self.state, self.domain, &batch, capacity).unwrap();
        let published = publish(&self.archive(), &batch, execution, queue_start).unwrap();
        let Published { execution, publication, .. } = published;
        let summary = summary(&batch, &execution);
        let new = NewBatch {
            job_id: hex::encode(summary.commit),
            idempotency_key: format!("key-{number}"),
            payload_digest: [0; 32],
            summary: summary.clone(),
            payload: serde_json::to_string(&batch).unwrap(),
            chunk_capacity: capacity,
            witnesses: vec![[number as u8; 32]],
            publication,
            priority: 0,
        };
        self.store.accept(new).await.unwrap();
        self.state = execution.state.clone();
        self.states.push(execution.state);
        self.proofs.push(execution.public_inputs);
        number
    }

    /// Takes the last batch out of the log.
    pub async fn cancel_last(&mut self) {
        let number = self.states.len() as u64 - 1;
        let job = self.store.batch(number).await.unwrap().unwrap().job_id;
        self.store.cancel(&job, true).await.unwrap();
        self.states.pop();
        self.proofs.pop();
        self.state = self.states.last().unwrap().clone();
    }

    /// Does what workers do for a run of batches, one leaf each.
    pub async fn prove(&self, first: u64, last: u64) {
        let leaves = self.complete(TaskKind::Leaf, first, last, |number| [number as u8; 32]).await;
        assert_eq!(leaves, last - first + 1);
        let files = Files::open(self.dir.path()).unwrap();
        let batches = self.proofs[first as usize - 1..last as usize].to_vec();
        let proof = AggregateProof { proof: proof_of(&batches), batches };
        let digest = files.write(FileKind::Proof, &proof).unwrap();
        tenon_prover::store::AggregationStore::aggregate(&*self.store, first, last, 2).await.unwrap();
        assert_eq!(self.complete(TaskKind::Aggregate, first, last, |_| digest).await, 1);
    }

    async fn complete(&self, kind: TaskKind, first: u64, last: u64, proof: impl Fn(u64) -> [u8; 32]) -> u64 {
        let mut done = 0;
        while let Some(lease) = self.store.lease("tester", &[kind], 60_000).await.unwrap() {
            assert!((first..=last).contains(&lease.batch_number));
            let digest = proof(lease.batch_number);
            let record = ProofRecord {
                input_digest: keccak256([&digest[..], kind.name().as_bytes()].concat()).0,
                stage: kind,
                proof_digest: digest,
                circuit: "test".to_owned(),
                key_digest: [0; 32],
                srs_digest: [0; 32],
                seconds: 0.0,
                peak_memory_bytes: 0,
                hardware: String::new(),
            };
            self.store.complete(&lease, record, false).await.unwrap();
            done += 1;
            if done > last - first {
                break;
            }
        }
        done
    }

    pub async fn job_state(&self, number: u64) -> JobState {
        let job = self.store.batch(number).await.unwrap().unwrap().job_id;
        self.store.job(&job).await.unwrap().unwrap().state
    }

    pub async fn standing(&self) -> rollup::Standing {
        rollup::RollupContract { chain: &*self.chain, address: self.rollup }.standing().await.unwrap()
    }

    /// A signed transfer between accounts of [`user`]s.
    pub fn transfer(&self, from: (u32, u8), to: (u32, u8), nonce: u64, amount: u64) -> Transaction {
        let unsigned = Transaction {
            kind: 1,
            from: from.0,
            to: to.0,
            token: 0,
            nonce,
            amount: AmountCode(amount),
            fee: FeeCode(0),
            valid_until: u32::MAX,
            opens: None,
            signature: Signature {
                r8x: Fr::default(),
                r8y: Fr::default(),
                s: field::bigint_from_bytes(&[0; 32]),
            },
        };
        unsigned.signed(&user(from.1), self.domain, &recipient(to.1))
    }

    /// A signed withdrawal.
    pub fn withdraw(&self, from: (u32, u8), nonce: u64, amount: u64) -> Transaction {
        let transfer = self.transfer(from, (0, from.1), nonce, amount);
        Transaction { kind: 2, to: 0, ..transfer }.signed(&user(from.1), self.domain, &recipient(from.1))
    }
}
