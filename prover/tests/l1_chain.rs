//! Both chains behind one interface: the one within the process and a node.

#![allow(clippy::unwrap_used, clippy::panic)]

mod l1_common;

use alloy::primitives::{Address, B256, Bytes, U256};
use l1_common::Anvil;
use tenon_circuits::rollup::Fr;
use tenon_contracts::blob::Blobs;
use tenon_prover::l1::{
    At, Bid, Chain, Inclusion, L1Error, L1Key, LocalNode, Message, SignedTransaction, Unsigned,
};

/// Creates a contract that emits the hash of its transaction's first blob.
const CREATION: &str = "61000b80600a3d393df3";
const RUNTIME: &str = "5f495f52600160205fa100";
/// Creates a contract that reverts.
const REVERTING: &str = "61000480600a3d393df35f5ffd00";

async fn sign(chain: &dyn Chain, key: &L1Key, message: &Message, blobs: Option<&Blobs>) -> SignedTransaction {
    let prices = chain.prices().await.unwrap();
    let bid =
        Bid { gas: prices.base * 2 + prices.priority, priority: prices.priority, blob: prices.blob * 2 };
    key.sign(Unsigned {
        chain_id: chain.chain_id().await.unwrap(),
        nonce: chain.nonce(key.address()).await.unwrap(),
        gas_limit: 500_000,
        bid,
        message,
        sidecar: blobs.map(|blobs| blobs.sidecar().unwrap()),
    })
    .unwrap()
}

async fn send(chain: &dyn Chain, key: &L1Key, message: &Message, blobs: Option<&Blobs>) -> Inclusion {
    let transaction = sign(chain, key, message, blobs).await;
    chain.send("testing", &transaction).await.unwrap();
    // Once more changes nothing; the node may be about to put it in a block.
    match chain.send("testing", &transaction).await {
        Ok(()) | Err(L1Error::NonceUsed { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    for _ in 0..100 {
        if let Some(inclusion) = chain.inclusion(transaction.hash).await.unwrap() {
            assert_eq!(inclusion.transaction, transaction.hash);
            return inclusion;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the transaction is in no block");
}

async fn does_what_a_chain_does(chain: &dyn Chain, key: &L1Key) {
    assert_eq!(chain.chain_id().await.unwrap(), 31337);
    let from = key.address();
    let create =
        |code: String| Message { from, data: hex::decode(code).unwrap().into(), ..Message::default() };
    let deployed = send(chain, key, &create(format!("{CREATION}{RUNTIME}")), None).await;
    let contract = deployed.created.unwrap();
    assert!(deployed.success && deployed.gas_used > 21_000);
    assert!(chain.logs(contract, 0, deployed.block).await.unwrap().is_empty());

    let words: Vec<Fr> = (1..5000u64).map(Fr::from).collect();
    let blobs = Blobs::from_words(&words).unwrap();
    let hashes = blobs.versioned_hashes();
    let message = Message { from, to: Some(contract), blob_hashes: hashes.clone(), ..Message::default() };
    chain.call("calling", &message).await.unwrap();
    chain.simulate("simulating", &message).await.unwrap();
    assert!(chain.estimate_gas("estimating", &message).await.unwrap() > 21_000);
    let included = send(chain, key, &message, Some(&blobs)).await;
    assert!(included.success);
    let block = chain.block(At::Number(included.block)).await.unwrap().unwrap();
    assert_eq!(block.hash, included.block_hash);
    let latest = chain.block(At::Latest).await.unwrap().unwrap();
    assert!(latest.number >= block.number);
    assert!(chain.block(At::Finalized).await.unwrap().is_some());
    assert!(chain.block(At::Number(latest.number + 1)).await.unwrap().is_none());

    let logs = chain.logs(contract, 0, included.block).await.unwrap();
    assert_eq!(logs.len(), 1);
    assert_eq!(logs[0].inner.data.data[..], hashes[0][..]);
    assert_eq!(logs[0].transaction_hash, Some(included.transaction));
    assert_eq!(logs[0].block_number, Some(included.block));
    assert!(chain.logs(contract, 0, included.block - 1).await.unwrap().is_empty());
    assert_eq!(chain.blobs(&block, &hashes).await.unwrap(), blobs.blobs());
    assert!(chain.blobs(&block, &[B256::repeat_byte(1)]).await.unwrap().is_empty());

    let other = Address::repeat_byte(9);
    let value = U256::from(3);
    send(chain, key, &Message { from, to: Some(other), value, ..Message::default() }, None).await;
    assert_eq!(chain.balance(other).await.unwrap(), value);

    let reverting = send(chain, key, &create(REVERTING.to_owned()), None).await.created.unwrap();
    let message = Message { from, to: Some(reverting), ..Message::default() };
    let refused = chain.call("calling", &message).await.unwrap_err();
    assert!(matches!(refused, L1Error::Reverted { .. }), "{refused}");
    let refused = chain.simulate("simulating", &message).await.unwrap_err();
    assert!(matches!(refused, L1Error::Reverted { .. }), "{refused}");
    let refused = chain.estimate_gas("estimating", &message).await.unwrap_err();
    assert!(matches!(refused, L1Error::Reverted { .. }), "{refused}");
    let nonce = chain.nonce(from).await.unwrap();
    let failed = send(chain, key, &message, None).await;
    assert!(!failed.success);
    assert_eq!(chain.nonce(from).await.unwrap(), nonce + 1);

    let late = SignedTransaction { raw: Bytes::new(), ..sign(chain, key, &message, None).await };
    assert!(chain.send("testing", &late).await.is_err());
    let used = Unsigned {
        chain_id: 31337,
        nonce: 0,
        gas_limit: 100_000,
        bid: Bid { gas: 1 << 40, priority: 1, blob: 0 },
        message: &Message { from, to: Some(other), ..Message::default() },
        sidecar: None,
    };
    let refused = chain.send("testing", &key.sign(used).unwrap()).await.unwrap_err();
    assert!(matches!(refused, L1Error::NonceUsed { .. }), "{refused}");
}

#[tokio::test]
async fn the_chain_in_memory() {
    let chain = LocalNode::new();
    let key = L1Key::development().unwrap();
    chain.fund(key.address(), U256::from(1000));
    does_what_a_chain_does(&chain, &key).await;
}

#[tokio::test]
async fn a_node() {
    let anvil = Anvil::start(&[]).await;
    does_what_a_chain_does(&anvil.node, &L1Key::development().unwrap()).await;
}

#[tokio::test]
async fn a_node_that_is_not_there() {
    let node = tenon_prover::l1::Node::new("http://127.0.0.1:1", None).unwrap();
    let error = node.chain_id().await.unwrap_err();
    assert!(matches!(error, L1Error::Unreachable { .. }), "{error}");
    assert!(tenon_prover::l1::Node::new("somewhere", None).is_err());
}
