//! The JSON documents: what they accept, and errors that say where, what was expected and what was there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;

use native_support::{account, deposit, forced_exit, genesis, key, open, sign, test_domain, transfer};
use proptest::prelude::*;
use serde_json::{Value, json};
use tenon_circuits::rollup::{
    AmountCode, FeeCode, NO_ACCOUNT, field,
    json::{BatchDocument, Genesis, JsonError, KeyFile},
};

fn document() -> BatchDocument {
    let state = genesis();
    BatchDocument {
        domain: test_domain(),
        timestamp: Some(1_700_000_000),
        fee_accounts: vec![3],
        l1_operations: vec![deposit(61, 7, u128::MAX, NO_ACCOUNT), forced_exit(3, 4)],
        transactions: vec![
            sign(&state, transfer(0, 1, 7, 0, 500, 10)),
            sign(&state, transfer(1, 0, 7, 0, 5 * 10u128.pow(20), 0)),
            sign(&state, open(0, 1, 3, 9, account(61, 0, 0).recipient())),
        ],
    }
}

fn value(document: &BatchDocument) -> Value {
    serde_json::from_str(&document.to_json()).unwrap()
}

/// The error for the document with one value replaced.
fn error_with(pointer: &str, replacement: Value) -> String {
    let mut value = value(&document());
    *value.pointer_mut(pointer).unwrap() = replacement;
    BatchDocument::from_json(&value.to_string()).unwrap_err().to_string()
}

#[test]
fn batches_go_there_and_back() {
    let document = document();
    assert_eq!(BatchDocument::from_json(&document.to_json()), Ok(document.clone()));
    let without = BatchDocument { timestamp: None, ..document.clone() };
    assert!(!without.to_json().contains("timestamp"));
    assert_eq!(BatchDocument::from_json(&without.to_json()), Ok(without.clone()));
    assert_eq!(without.clone().into_batch(4, 17).timestamp, 17);
    let plain = BatchDocument { l1_operations: vec![], ..without };
    assert!(!plain.to_json().contains("l1_operations"));
    assert_eq!(BatchDocument::from_json(&plain.to_json()), Ok(plain));
    let batch = document.clone().into_batch(4, 17);
    assert_eq!(batch.l1_operations, document.l1_operations);
    assert_eq!(batch.transactions, document.transactions);
    assert_eq!((batch.number, batch.timestamp), (4, 1_700_000_000));
}

#[test]
fn integers_are_numbers_or_strings() {
    let mut value = value(&document());
    let transaction = &mut value["transactions"][0];
    transaction["nonce"] = json!(0);
    transaction["amount"] = json!(500);
    transaction["fee"] = json!("10");
    assert_eq!(BatchDocument::from_json(&value.to_string()), Ok(document()));
}

#[test]
fn errors_say_where_and_what() {
    let cases = [
        (
            "/transactions/1/fee",
            json!(65536),
            "transactions[1].fee: expected an integer from 0 to 2^16 - 1, as a decimal string, got 65536",
        ),
        (
            "/transactions/1/nonce",
            json!("-1"),
            "transactions[1].nonce: expected a decimal integer without leading zeros, got \"-1\"",
        ),
        (
            "/transactions/1/nonce",
            json!(-1),
            "transactions[1].nonce: expected an integer from 0 to 2^64 - 1, as a decimal string, got -1",
        ),
        (
            "/transactions/0/from",
            json!(4_294_967_296u64),
            "transactions[0].from: expected a number from 0 to 2^32 - 1, got 4294967296",
        ),
        (
            "/transactions/0/from",
            json!("1"),
            "transactions[0].from: expected a number from 0 to 2^32 - 1, got the string \"1\"",
        ),
        (
            "/transactions/0/kind",
            json!(256),
            "transactions[0].kind: expected a number from 0 to 2^8 - 1, got 256",
        ),
        (
            "/transactions/0/token",
            json!(1.5),
            "transactions[0].token: expected a number from 0 to 2^32 - 1, got 1.5",
        ),
        ("/transactions/0/signature", json!(null), "transactions[0].signature: expected an object, got null"),
        (
            "/transactions/0/signature/r8x",
            json!("12"),
            "transactions[0].signature.r8x: expected hex starting with 0x, got \"12\"",
        ),
        (
            "/transactions/0/signature/s",
            json!(5),
            "transactions[0].signature.s: expected an integer as a decimal string, got 5",
        ),
        ("/transactions/0", json!([]), "transactions[0]: expected an object, got a list of 0"),
        ("/transactions", json!({}), "transactions: expected a list, got an object"),
        ("/fee_accounts", json!(true), "fee_accounts: expected a list, got true"),
        ("/fee_accounts/0", json!(null), "fee_accounts[0]: expected a number from 0 to 2^32 - 1, got null"),
        (
            "/timestamp",
            json!("now"),
            "timestamp: expected a number from 0 to 2^32 - 1, got the string \"now\"",
        ),
        (
            "/transactions/2/opens/owner",
            json!("0x12"),
            "transactions[2].opens.owner: expected 40 hex digits after 0x, got 2",
        ),
        ("/transactions/2/opens", json!([]), "transactions[2].opens: expected an object, got a list of 0"),
        ("/l1_operations", json!({}), "l1_operations: expected a list, got an object"),
        ("/l1_operations/0", json!({}), "l1_operations[0]: expected the name \"type\", got none"),
        (
            "/l1_operations/0/type",
            json!("mint"),
            "l1_operations[0].type: expected deposit or forced_exit, got the string \"mint\"",
        ),
        (
            "/l1_operations/0/amount",
            json!("340282366920938463463374607431768211456"),
            "l1_operations[0].amount: expected an integer below 2^128, got \
             340282366920938463463374607431768211456",
        ),
        (
            "/l1_operations/1/index",
            json!("3"),
            "l1_operations[1].index: expected a number from 0 to 2^32 - 1, got the string \"3\"",
        ),
        (
            "/l1_operations/1/type",
            json!("deposit"),
            "l1_operations[1]: expected only the names type, token, amount, recipient, to, got \"index\"",
        ),
        ("/domain", json!("0x12"), "domain: expected 64 hex digits after 0x, got 2"),
        ("", json!(3), "document: expected an object, got 3"),
    ];
    for (pointer, replacement, expected) in cases {
        assert_eq!(error_with(pointer, replacement), expected);
    }
    let not_reduced = format!("0x{}", "f".repeat(64));
    assert!(error_with("/domain", json!(not_reduced)).contains("below the field's order r"));
}

#[test]
fn names_are_exact() {
    let mut unknown = value(&document());
    unknown["transactions"][0]["tip"] = json!(1);
    let error = BatchDocument::from_json(&unknown.to_string()).unwrap_err();
    assert!(
        matches!(&error, JsonError::Unknown { path, name, .. } if path == "transactions[0]" && name == "tip")
    );
    let mut missing = value(&document());
    missing["transactions"][1]["signature"].as_object_mut().unwrap().remove("r8y");
    let error = BatchDocument::from_json(&missing.to_string()).unwrap_err();
    assert_eq!(
        error,
        JsonError::Missing { path: "transactions[1].signature".to_owned(), name: "r8y".to_owned() }
    );
    let repeated = r#"{"domain": "0x1", "domain": "0x1", "fee_accounts": [], "transactions": []}"#;
    let error = BatchDocument::from_json(repeated).unwrap_err().to_string();
    assert!(error.contains("the name \"domain\" is repeated"), "{error}");
    for text in ["", "{", "[1,", "{}x", "nul", "\u{0}"] {
        assert!(matches!(BatchDocument::from_json(text), Err(JsonError::Syntax { .. })), "{text:?}");
    }
    assert!(matches!(BatchDocument::from_json(&"[".repeat(100_000)), Err(JsonError::Syntax { .. })));
}

#[test]
fn genesis_files() {
    let genesis = Genesis { accounts: vec![account(1, 7, u128::MAX), account(2, 9, 0)] };
    assert_eq!(Genesis::from_json(&genesis.to_json()), Ok(genesis.clone()));
    assert_eq!(genesis.state().unwrap().next_index(), 2);
    assert_eq!(Genesis::from_json(r#"{"accounts": []}"#), Ok(Genesis::default()));
    let ownerless =
        genesis.to_json().replace(&genesis.accounts[1].owner.to_string(), &format!("0x{}", "0".repeat(40)));
    let error = Genesis::from_json(&ownerless).unwrap().state().unwrap_err();
    assert_eq!(error.to_string(), "accounts: account 1: expected an owner that isn't the zero address");
    let too_rich =
        genesis.to_json().replace(&u128::MAX.to_string(), "340282366920938463463374607431768211456");
    let error = Genesis::from_json(&too_rich).unwrap_err().to_string();
    assert!(error.starts_with("accounts[0].balance: expected an integer below 2^128"), "{error}");
}

#[test]
fn key_files() {
    let file = KeyFile { key: key(5) };
    assert_eq!(KeyFile::from_json(&file.to_json()), Ok(file.clone()));
    let other = field::to_hex(&key(6).public_key().x);
    let mixed = file.to_json().replace(&field::to_hex(&key(5).public_key().x), &other);
    assert!(matches!(KeyFile::from_json(&mixed), Err(JsonError::KeyMismatch { .. })));
    let seed = hex::encode(key(5).seed());
    let broken = file.to_json().replace(&seed, &format!("{seed}00"));
    let error = KeyFile::from_json(&broken).unwrap_err().to_string();
    assert!(!error.contains(&seed), "the error must not show the seed");
    assert!(!format!("{file:?}").contains(&seed));
}

proptest! {
    #[test]
    fn any_transaction_goes_there_and_back(
        numbers in any::<(u8, u32, u32, u32, u64, u64, u16, u32)>(),
        s in any::<[u8; 32]>(),
    ) {
        let mut document = document();
        let transaction = &mut document.transactions[0];
        let (kind, from, to, token, nonce, amount, fee, valid_until) = numbers;
        (transaction.kind, transaction.from, transaction.to, transaction.token) = (kind, from, to, token);
        (transaction.nonce, transaction.valid_until) = (nonce, valid_until);
        (transaction.amount, transaction.fee) = (AmountCode(amount), FeeCode(fee));
        transaction.signature.s = field::bigint_from_bytes(&s);
        let text = serde_json::to_string(&document.transactions).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<_>>(&text).ok(), Some(document.transactions.clone()));
        prop_assert_eq!(BatchDocument::from_json(&document.to_json()), Ok(document));
    }

    #[test]
    fn decoders_survive_anything(text in "[\\[\\]{}\",:0-9a-z ]{0,60}") {
        let _ = BatchDocument::from_json(&text);
        let _ = Genesis::from_json(&text);
        let _ = KeyFile::from_json(&text);
    }
}
