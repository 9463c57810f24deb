//! The whole protocol on one small batch, pinned: words, messages, signatures, published data, commitments.
//!
//! `BLESS=1` rewrites `testdata/batch.json`; a change there is a change of the protocol.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;

use std::{fs, path::Path};

use native_support::{
    account, batch, checks::check_execution, deposit, forced_exit, genesis, key, open, sign, test_domain,
    transfer, withdraw,
};
use serde_json::{Value, json};
use tenon_circuits::{
    public_inputs::batch_input,
    rollup::{
        Account, Address, Batch, ChunkCapacity, Fr, L1Item, L1Operation, NO_ACCOUNT, PublicKey, Recipient,
        State, Withdrawal, domain,
        evaluation::{Evaluations, PointInputs, points},
        execute, field, pubdata,
        tree::{Tree, empty_hashes},
    },
};

const CHUNK_CAPACITY: ChunkCapacity = ChunkCapacity::of_words(5, 1, 20);

fn hex(value: Fr) -> String {
    field::to_hex(&value)
}

fn hexes(values: &[Fr]) -> Vec<String> {
    values.iter().copied().map(hex).collect()
}

/// The versioned hashes of blobs that the points are drawn from; any bytes will do here.
const BLOB_HASHES: [[u8; 32]; 2] = [[0x01; 32], [0x02; 32]];

/// Every kind of operation and transaction, and a payment to an account that the batch opens.
fn every_kind(state: &State) -> Batch {
    let first = account(61, 7, 0).recipient();
    let second = account(62, 9, 0).recipient();
    let transactions = vec![
        sign(state, transfer(0, 1, 7, 0, 500, 10)),
        sign(state, transfer(4, 5, 9, 0, 76_000, 1000)),
        sign(state, withdraw(1, 7, 0, 50_000, 20)),
        sign(state, open(2, 0, 0, 9, second)),
        transfer(0, 6, 7, 1, 33, 0).signed(&key(1), test_domain(), &first),
        transfer(6, 6, 7, 0, 1_000_000_000_000_000, 1).signed(&key(61), test_domain(), &first),
        sign(state, open(0, 2, 1, 7, first)),
    ];
    let l1_operations = vec![
        deposit(61, 7, 1_000_000_000_000_001, NO_ACCOUNT),
        deposit(2, 7, 40, 1),
        deposit(2, 9, 41, 1),
        forced_exit(3, 4),
        forced_exit(0, 2),
    ];
    Batch { l1_operations, ..batch(transactions) }
}

fn document() -> Value {
    let state = genesis();
    let batch = every_kind(&state);
    let execution = execute(&state, test_domain(), &batch, CHUNK_CAPACITY).unwrap();
    check_execution(&state, &execution);
    let points = points(&PointInputs {
        domain: test_domain(),
        batch: execution.public_inputs.batch,
        state_in: execution.state_in,
        state_out: execution.state_out,
        commit: execution.commit,
        l1_words: &execution.l1_words,
        blob_hashes: &BLOB_HASHES,
    });
    let execution = execution.with_points(points);
    let recipient_of = |index| execution.state.account(index).map(Account::recipient);
    let operations: Vec<Value> = batch
        .l1_operations
        .iter()
        .map(|operation| {
            json!({ "operation": operation, "words": hexes(&L1Item::Operation(*operation).words()) })
        })
        .collect();
    let transactions: Vec<Value> = batch
        .transactions
        .iter()
        .map(|transaction| {
            let recipient = transaction.message_recipient(recipient_of).unwrap();
            json!({
                "transaction": transaction,
                "word": hex(transaction.word()),
                "message": hex(transaction.message(test_domain(), &recipient)),
                "record": hex(transaction.record()),
            })
        })
        .collect();
    let chunks: Vec<Value> = execution
        .chunks
        .iter()
        .map(|chunk| {
            json!({
                "l1_operations": chunk.operations.len(),
                "transactions": chunk.transactions.len(),
                "da_words": hexes(&chunk.da_words()),
                "l1_words": hexes(&chunk.l1_words()),
                "public_inputs": chunk.public_inputs(),
                "public_input_array": hexes(&chunk.public_inputs().to_array()),
            })
        })
        .collect();
    let withdrawals: Vec<Value> = execution
        .withdrawals
        .iter()
        .map(|paid| json!({ "token": paid.token, "owner": paid.owner, "amount": paid.amount.to_string() }))
        .collect();
    let accounts: Vec<Value> = state
        .accounts()
        .map(
            |account| json!({ "account": account, "meta": hex(account.meta()), "leaf": hex(account.leaf()) }),
        )
        .collect();
    json!({
        "domain": hex(test_domain()),
        "empty_root": hex(Tree::new().root()),
        "empty_state": hex(State::new().commitment()),
        "accounts": accounts,
        "number": batch.number.to_string(),
        "timestamp": batch.timestamp,
        "fee_accounts": batch.fee_accounts,
        "state_in": hex(execution.state_in),
        "l1_operations": operations,
        "transactions": transactions,
        "chunk_capacity": CHUNK_CAPACITY,
        "chunks": chunks,
        "withdrawals": withdrawals,
        "commit": hex(execution.commit),
        "blob_hashes": BLOB_HASHES.map(|hash| format!("0x{}", hex::encode(hash))),
        "public_inputs": execution.public_inputs,
        "public_input_array": hexes(&execution.public_inputs.to_array()),
        "state_out": hex(execution.state_out),
        "accounts_out": execution.state,
    })
}

#[test]
fn the_batch_is_as_pinned() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/batch.json");
    let actual = document();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{actual:#}\n")).unwrap();
    }
    let expected: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&actual[name], value, "{name} differs from testdata/batch.json");
    }
    assert_eq!(actual, expected);
}

/// `value` as the sum of (part, position) pairs, with plain integer arithmetic.
fn packed(parts: &[(u128, u32)]) -> Fr {
    let sum: num_bigint::BigUint =
        parts.iter().map(|(part, position)| num_bigint::BigUint::from(*part) << *position).sum();
    field::from_decimal(&sum.to_string()).unwrap()
}

#[test]
fn packings_are_the_protocols() {
    let transaction = transfer(0x0102_0304, 0x0506_0708, 0x090a_0b0c, 0x0d_0e0f_1011, 77, 88);
    let (amount, fee) = (u128::from(transaction.amount.0), u128::from(transaction.fee.0));
    let word = packed(&[
        (1, 0),
        (0x0102_0304, 8),
        (0x0506_0708, 40),
        (0x090a_0b0c, 72),
        (0x0d_0e0f_1011, 104),
        (amount, 144),
        (fee, 184),
        (2_000_000_000, 200),
    ]);
    assert_eq!(transaction.word(), word);
    let record = [(1, 0), (0x0102_0304, 4), (0x0506_0708, 36), (amount, 68), (fee, 108)];
    assert_eq!(transaction.record(), packed(&record));
    let second = record.map(|(part, position)| (part, position + 124));
    assert_eq!(
        pubdata::record_words(&[transaction; 3]),
        [packed(&[record, second].concat()), packed(&record)]
    );
    assert_eq!(
        pubdata::batch_header(u64::MAX, u32::MAX - 1),
        packed(&[(1, 0), (u128::from(u64::MAX), 8), (u128::from(u32::MAX - 1), 72)])
    );
    assert_eq!(
        pubdata::chunk_header(3, 65535, [1, 2, u32::MAX, u32::MAX]),
        packed(&[(2, 0), (3, 8), (65535, 24), (1, 40), (2, 72), (0xffff_ffff, 104), (0xffff_ffff, 136)])
    );
    assert_eq!(batch_input(u64::MAX, 5), packed(&[(u128::from(u64::MAX), 0), (5, 64)]));
    assert_eq!(genesis().account(4).unwrap().meta(), Fr::from(9u64));
}

#[test]
fn packings_of_accounts_and_l1_items_are_the_protocols() {
    let owner_number = 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10_u128;
    let mut owner = Address([0; 20]);
    owner.0[4..].copy_from_slice(&owner_number.to_be_bytes());
    // x = 5 * 2^248 + 6, y = 48 * 2^248 + 7.
    let key = PublicKey { x: packed(&[(6, 0), (5, 248)]), y: packed(&[(7, 0), (48, 248)]) };
    let recipient = Recipient { key, owner };
    let account =
        [packed(&[(9, 0), (owner_number, 32), (5, 192), (48, 198)]), packed(&[(6, 0)]), packed(&[(7, 0)])];
    assert_eq!(pubdata::open_words(9, &recipient), account);
    let deposit = L1Operation::Deposit { token: 9, amount: u128::MAX, recipient, to: 0x0a0b_0c0d };
    let first = packed(&[(1, 0), (9, 8), (0x0a0b_0c0d, 40), (u128::MAX, 72)]);
    assert_eq!(L1Item::Operation(deposit).words(), [&[first][..], &account].concat());
    let exit = L1Operation::ForcedExit { index: 0x0a0b_0c0d, owner };
    let exit_word = packed(&[(2, 0), (0x0a0b_0c0d, 8), (owner_number, 40)]);
    assert_eq!(L1Item::Operation(exit).words(), [exit_word]);
    let withdrawal = L1Item::Withdrawal(Withdrawal { token: 9, owner, amount: u128::MAX });
    let words = [packed(&[(3, 0), (9, 8), (owner_number, 40)]), packed(&[(u128::MAX, 0)])];
    assert_eq!(withdrawal.words(), words);
}

#[test]
fn points_and_evaluations_are_those_of_plain_integers() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../testdata/evaluation/vectors.json")).unwrap();
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let element = |name: &str| field::from_hex(vector[name].as_str().unwrap()).unwrap();
        let list = |name: &str| vector[name].as_array().unwrap().iter().map(|item| item.as_str().unwrap());
        let words = |name: &str| list(name).map(|word| field::from_hex(word).unwrap()).collect::<Vec<_>>();
        let blob_hashes: Vec<[u8; 32]> =
            list("blob_hashes").map(|hash| field::bytes_from_hex(hash).unwrap()).collect();
        let (da_words, l1_words) = (words("da_words"), words("l1_words"));
        let number = vector["number"].as_str().unwrap().parse().unwrap();
        let timestamp = u32::try_from(vector["timestamp"].as_u64().unwrap()).unwrap();
        let points = points(&PointInputs {
            domain: element("domain"),
            batch: batch_input(number, timestamp),
            state_in: element("state_in"),
            state_out: element("state_out"),
            commit: element("commit"),
            l1_words: &l1_words,
            blob_hashes: &blob_hashes,
        });
        assert_eq!(serde_json::to_value(points).unwrap(), vector["points"]);
        let evaluations = Evaluations::default().absorb(&points, &da_words, &l1_words);
        assert_eq!(serde_json::to_value(evaluations).unwrap(), vector["evaluations"]);
    }
}

#[test]
fn the_domain_is_solidity_abi_encoding() {
    // keccak256(abi.encode("tenon.v1", uint256(31337), address(0xaa..aa))) >> 8, by ethers' AbiCoder.
    assert_eq!(hex(domain(31337, Address([0xaa; 20]))), EXPECTED_DOMAIN);
}

const EXPECTED_DOMAIN: &str = "0x006f27242f7cdb72bccf5c063b43b0892b73c691351a45e2f033486dbcde9be3";

#[test]
fn empty_subtrees() {
    assert_eq!(empty_hashes()[0], Fr::default());
    // circomlib's well-known H_4(0, 0, 0, 0).
    assert_eq!(
        field::to_decimal(&empty_hashes()[1]),
        "2351654555892372227640888372176282444150254868378439619268573230312091195718"
    );
}
