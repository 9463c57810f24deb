//! The whole protocol on one small batch, pinned: words, messages, signatures, published data, commitments.
//!
//! `BLESS=1` rewrites `testdata/batch.json`; a change there is a change of the protocol.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;

use std::{fs, path::Path};

use native_support::{batch, genesis, sign, test_domain, transfer};
use serde_json::{Value, json};
use tenon_circuits::{
    public_inputs::batch_input,
    rollup::{
        Address, Fr, State, domain, execute, field, pubdata,
        tree::{Tree, empty_hashes},
    },
};

const CHUNK_CAPACITY: usize = 3;

fn hex(value: Fr) -> String {
    field::to_hex(&value)
}

fn document() -> Value {
    let state = genesis();
    let batch = batch(vec![
        sign(&state, transfer(0, 1, 7, 0, 500, 10)),
        sign(&state, transfer(4, 5, 9, 0, 76_000, 1000)),
        sign(&state, transfer(1, 1, 7, 0, 50_000, 20)),
        sign(&state, transfer(3, 2, 7, 0, 33, 0)),
    ]);
    let execution = execute(&state, test_domain(), &batch, CHUNK_CAPACITY).unwrap();
    let transactions: Vec<Value> = batch
        .transactions
        .iter()
        .map(|transaction| {
            let receiver = state.account(transaction.to).unwrap();
            json!({
                "transaction": transaction,
                "word": hex(transaction.word()),
                "message": hex(transaction.message(test_domain(), &receiver.recipient())),
                "record": hex(transaction.record()),
            })
        })
        .collect();
    let chunks: Vec<Value> = execution
        .chunks
        .iter()
        .map(|chunk| {
            json!({
                "da_words": chunk.da_words().into_iter().map(hex).collect::<Vec<_>>(),
                "public_inputs": chunk.public_inputs(),
            })
        })
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
        "state_in": hex(execution.state_in),
        "transactions": transactions,
        "chunk_capacity": CHUNK_CAPACITY,
        "chunks": chunks,
        "commit": hex(execution.commit),
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
