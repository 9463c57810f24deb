//! L1 operations, withdrawals and opens through the service, and the queue of a service that follows its L1.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::*;
use tenon_circuits::rollup::{Address, ChunkCapacity, L1Operation, Recipient, State, Transaction, field};
use tenon_proto::v1::{self, JobState};
use tenon_prover::{
    convert,
    executor::{Executor, L1Ties, Limits, OperationQueue, Position, QueueError, Submission, SubmitError},
    settlement::Archive,
    store::{BatchLog, L1Store, LogStart, StoreError, files::Files, sql::SqlStore},
};

on_each_database! {
    a_log_begins_where_it_is_told_once,
}

async fn a_log_begins_where_it_is_told_once(on: Database) {
    let dir = on.directory();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    let store = Arc::new(open_store(dir.path()).await);
    assert_eq!((store.log_start().await.unwrap(), store.next_operation().await.unwrap()), (None, 0));
    let state = State::from_accounts(&(0..ACCOUNTS).map(account).collect::<Vec<_>>()).unwrap();
    let commitment = field::to_bytes(&state.commitment());
    let start = LogStart { number: 7, timestamp: 50, state: commitment, queue_end: 30 };
    store.begin_log(&start).await.unwrap();
    store.begin_log(&start).await.unwrap();
    assert_eq!((store.log_start().await.unwrap(), store.next_operation().await.unwrap()), (Some(start), 30));
    let other = store.begin_log(&LogStart { number: 8, ..start }).await.unwrap_err();
    assert!(matches!(other, StoreError::LogBegun { expected: 8, actual: 7 }), "{other}");

    let files = Arc::new(Files::open(dir.path()).unwrap());
    let origin = Position { number: 7, timestamp: 50, state };
    let ties = L1Ties { queue: None, archive: Arc::new(Archive::new(&dir.path().join("archive"))) };
    let limits = Limits {
        chunk_capacity: CAPACITY,
        chunks: 2,
        l1_operations: 6,
        queued_batches: 10,
        checkpoint_interval: 100,
    };
    let again = async || {
        let (store, origin, ties) = (Arc::clone(&store) as _, origin.clone(), ties.clone());
        let files = Arc::clone(&files);
        Executor::start(TestEngine::new(), store, files, rollup_domain(), origin, ties, limits).await.unwrap()
    };
    let executor = again().await;
    let (job, _) = executor.submit(submission("first", vec![transfer(0, 1, 0)])).await.unwrap();
    assert_eq!(job.batch.number, 8);
    assert_eq!(store.next_operation().await.unwrap(), 30);
    assert_eq!(again().await.position().number, 8);
    executor.cancel(&job.id, false).await.unwrap();
    assert_eq!((executor.position().number, again().await.position().number), (7, 7));
}

fn with_operations(
    key: &str,
    operations: &[L1Operation],
    transactions: &[Transaction],
) -> v1::SubmitBatchRequest {
    let l1_operations = operations.iter().map(convert::l1_operation_message).collect();
    v1::SubmitBatchRequest { l1_operations, ..request(key, transactions) }
}

fn exit(index: u32, owner: u32) -> L1Operation {
    L1Operation::ForcedExit { index, owner: account(owner).owner }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(field, reason)| ((*field).to_owned(), (*reason).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_becomes_a_proof() {
    let mut fixture = Fixture::start(&[]).await;
    let operations = [deposit(9, 500)];
    let transactions = [sign(withdrawal(0, 0, 50, 1)), sign(opening(1, 0, 10))];
    let job = fixture.submit(with_operations("all", &operations, &transactions)).await;
    assert_eq!((job.l1_operations, job.transactions, job.chunks), (1, 2, 2));
    assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    let balance = |account: v1::GetAccountResponse| account.account.unwrap().balance;
    assert_eq!(balance(fixture.account(0).await), (BALANCE - 51).to_string());
    let deposited = fixture.account(ACCOUNTS).await;
    assert_eq!(deposited.account.as_ref().unwrap().owner, account(9).owner.0);
    assert_eq!(balance(deposited), "500");
    let opened = fixture.account(ACCOUNTS + 1).await;
    assert_eq!((balance(opened.clone()), opened.next_index), ("0".to_owned(), ACCOUNTS + 2));

    let reply = fixture.proof_of(&job.id).await.unwrap();
    let proof = reply.proof.unwrap();
    let [batch] = &proof.batches[..] else { panic!("one batch") };
    let leaves: Vec<_> = reply.leaf_proofs.into_iter().map(|leaf| leaf.public_inputs.unwrap()).collect();
    let [first, second] = &leaves[..] else { panic!("two chunks") };
    let zero = vec![0; 32];
    assert!(batch.z_d != zero && batch.z_l != zero && batch.z_d != batch.z_l);
    assert!(batch.z_d.starts_with(&[0; 16]) && batch.z_l.starts_with(&[0; 16]));
    assert_eq!((&first.y_d_in, &first.y_l_in), (&zero, &zero));
    assert_eq!((&first.y_d_out, &first.y_l_out), (&second.y_d_in, &second.y_l_in));
    assert_eq!((&second.y_d_out, &second.y_l_out), (&batch.y_d, &batch.y_l));
    assert_eq!((&first.z_d, &second.z_l), (&batch.z_d, &batch.z_l));
    assert_ne!(batch.y_l, zero);
    for change in [
        |batch: &mut v1::BatchPublicInputs| batch.z_d[31] ^= 1,
        |batch: &mut v1::BatchPublicInputs| batch.y_d[31] ^= 1,
        |batch: &mut v1::BatchPublicInputs| batch.z_l[31] ^= 1,
        |batch: &mut v1::BatchPublicInputs| batch.y_l[31] ^= 1,
    ] {
        let mut forged = proof.clone();
        change(&mut forged.batches[0]);
        let request = v1::VerifyProofRequest { proof: Some(forged) };
        assert!(!fixture.client.verify_proof(request).await.unwrap().into_inner().valid);
    }
    let request = v1::VerifyProofRequest { proof: Some(proof) };
    assert!(fixture.client.verify_proof(request).await.unwrap().into_inner().valid);

    // A start from the log finds the same state, and the same points in a witness made again.
    let state = fixture.status().await.state;
    let engine = Arc::clone(&fixture.engine);
    let mut fixture = fixture.restart(engine, &[]).await;
    assert_eq!(fixture.status().await.state, state);
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_alone_are_a_batch() {
    let mut fixture = Fixture::start(&[]).await;
    // Another's account, a mismatch that is refunded, and an exit that pays.
    let L1Operation::Deposit { recipient, .. } = deposit(9, 5) else { panic!("a deposit") };
    let mismatch = L1Operation::Deposit { token: 2, amount: 5, recipient, to: 0 };
    let job = fixture.submit(with_operations("alone", &[exit(0, 1), mismatch, exit(1, 1)], &[])).await;
    assert_eq!((job.l1_operations, job.transactions, job.chunks), (3, 0, 2));
    assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    assert_eq!(fixture.account(0).await.account.unwrap().balance, BALANCE.to_string());
    assert_eq!(fixture.account(1).await.account.unwrap().balance, "0");
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_operations_are_listed() {
    let mut fixture = Fixture::start(&[]).await;
    let ownerless = L1Operation::ForcedExit { index: 0, owner: Address([0; 20]) };
    let refused = fixture.refuse(with_operations("wrong", &[exit(0, 0), ownerless], &[])).await;
    assert_eq!(violations(&refused), pairs(&[("l1_operations[1]", "L1_OPERATION_INVALID")]));

    let mut bad = with_operations("wrong", &[deposit(9, 1), deposit(9, 1), exit(0, 0)], &[]);
    use v1::l1_operation::Operation;
    for (index, operation) in bad.l1_operations.iter_mut().enumerate() {
        match operation.operation.as_mut().unwrap() {
            Operation::Deposit(deposit) if index == 0 => deposit.amount = "1e3".to_owned(),
            Operation::Deposit(deposit) => deposit.recipient.as_mut().unwrap().key = None,
            Operation::ForcedExit(exit) => drop(exit.owner.pop()),
        }
    }
    bad.l1_operations.push(v1::L1Operation { operation: None });
    let mut opens = sign(opening(0, 0, 9));
    opens.opens = Some(Recipient { owner: Address([0; 20]), ..account(9).recipient() });
    bad.transactions.push(convert::transaction_message(&opens));
    let mut found = violations(&fixture.refuse(bad).await);
    found.sort();
    assert_eq!(
        found,
        pairs(&[
            ("l1_operations[0].deposit.amount", "AMOUNT_INVALID"),
            ("l1_operations[1].deposit.recipient.key", "MISSING"),
            ("l1_operations[2].forced_exit.owner", "LENGTH_INVALID"),
            ("l1_operations[3].operation", "MISSING"),
            ("transactions[0].opens.owner", "OWNER_ZERO"),
            ("transactions[0].signature", "SIGNATURE_INVALID"),
        ])
    );
    // Three opens fit the slots of two chunks, but not their room for opens.
    let opens: Vec<_> = (0..3).map(|nonce| sign(opening(0, nonce, 9))).collect();
    let refused = fixture.refuse(request("opens", &opens)).await;
    assert_eq!(violations(&refused), pairs(&[("transactions", "BATCH_TOO_LARGE")]));
    assert_eq!(fixture.status().await.last_batch, 0);
    fixture.service.shutdown().await;
}

/// A queue of a fixed length, and how much of it the log has.
struct TestQueue {
    operations: Vec<L1Operation>,
    consumed: Mutex<usize>,
}

#[async_trait]
impl OperationQueue for TestQueue {
    async fn next(&self, limit: usize) -> Result<Vec<L1Operation>, QueueError> {
        let consumed = *self.consumed.lock().unwrap();
        Ok(self.operations.iter().skip(consumed).take(limit).copied().collect())
    }
}

fn submission(key: &str, transactions: Vec<Transaction>) -> Submission {
    convert::submission(request(key, &transactions))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_follows_its_l1_takes_operations_from_the_queue() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqlStore::open(&dir.path().join("tenon.db")).await.unwrap());
    let files = Arc::new(Files::open(dir.path()).unwrap());
    let queue =
        Arc::new(TestQueue { operations: (0..9).map(|n| deposit(n, 7)).collect(), consumed: Mutex::new(0) });
    let genesis = State::from_accounts(&(0..ACCOUNTS).map(account).collect::<Vec<_>>()).unwrap();
    let limits = Limits {
        chunk_capacity: ChunkCapacity::of_words(4, 1, 8),
        chunks: 2,
        l1_operations: 6,
        queued_batches: 10,
        checkpoint_interval: 100,
    };
    let domain = rollup_domain();
    let origin = Position::genesis(genesis);
    let ties = L1Ties {
        queue: Some(Arc::clone(&queue) as Arc<dyn OperationQueue>),
        archive: Arc::new(Archive::new(&dir.path().join("archive"))),
    };
    let executor =
        Executor::start(TestEngine::new(), Arc::clone(&store) as _, files, domain, origin, ties, limits)
            .await
            .unwrap();

    let mut explicit = submission("explicit", vec![transfer(0, 1, 0)]);
    explicit.l1_operations = vec![deposit(1, 1)];
    let Err(SubmitError::Invalid(found)) = executor.submit(explicit).await else { panic!("refused") };
    assert_eq!(found[0].reason, "L1_OPERATIONS_REFUSED");

    // Six operations don't fit two chunks of 8 words with a transfer; three do.
    let (job, _) = executor.submit(submission("first", vec![transfer(0, 1, 0)])).await.unwrap();
    assert_eq!((job.batch.l1_operations, job.batch.chunks), (3, 2));
    *queue.consumed.lock().unwrap() += 3;
    // Without transactions, they are a batch of their own.
    let (job, _) = executor.submit(submission("second", vec![])).await.unwrap();
    assert_eq!((job.batch.l1_operations, job.batch.transactions), (3, 0));
    *queue.consumed.lock().unwrap() += 3;
    // A batch that fills its chunks leaves the queue for the next one.
    let full: Vec<_> = (1..9).map(|nonce| transfer(0, 1, nonce)).collect();
    let (job, _) = executor.submit(submission("third", full)).await.unwrap();
    assert_eq!((job.batch.l1_operations, job.batch.transactions), (0, 8));
    let (job, _) = executor.submit(submission("fourth", vec![])).await.unwrap();
    assert_eq!(job.batch.l1_operations, 3);
    *queue.consumed.lock().unwrap() += 3;
    let Err(SubmitError::Invalid(found)) = executor.submit(submission("fifth", vec![])).await else {
        panic!("refused")
    };
    assert_eq!(found[0].reason, "BATCH_EMPTY");
    assert_eq!(executor.position().state.next_index(), ACCOUNTS + 9);
    let logged = store.batch(1).await.unwrap().unwrap();
    assert_eq!(logged.chunk_capacity, limits.chunk_capacity);
}
