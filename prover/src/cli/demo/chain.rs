//! The chain of a demonstration, with accounts that have ether, and time that can be moved.

use std::sync::Arc;

use alloy::{
    primitives::{Bytes, U256},
    providers::{DynProvider, Provider},
};
use tenon_prover::{
    l1::{At, Chain, DEVELOPMENT_CHAINS, L1Key, LocalNode, Node},
    user::Sender,
};

use super::super::failure::{Blame, Failure, Outcome};

/// Ether of each account: a hundred.
const FUNDS: u128 = 100 * 10_u128.pow(18);

/// How time is moved.
#[derive(Debug)]
enum Clock {
    Embedded(Arc<LocalNode>),
    /// A development node.
    Node(DynProvider),
}

/// The chain.
#[derive(Debug)]
pub struct DemoChain {
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// Its id.
    pub chain_id: u64,
    /// The account that deploys, commits and settles.
    pub operator: L1Key,
    clock: Clock,
}

impl DemoChain {
    /// An EVM within the process.
    pub async fn embedded() -> Outcome<Self> {
        let node = Arc::new(LocalNode::new());
        let operator = L1Key::development().or_work("L1 key")?;
        node.fund(operator.address(), U256::from(FUNDS) * U256::from(10));
        let chain_id = node.chain_id().await.or_work("embedded chain")?;
        Ok(Self {
            chain: Arc::clone(&node) as Arc<dyn Chain>,
            chain_id,
            operator,
            clock: Clock::Embedded(node),
        })
    }

    /// A development node.
    pub async fn node(url: &str, operator: L1Key) -> Outcome<Self> {
        let node = Node::new(url, None).or_request("--l1")?;
        let provider = node.provider().clone();
        let chain: Arc<dyn Chain> = Arc::new(node);
        let chain_id = chain.chain_id().await.or_work("--l1")?;
        if !DEVELOPMENT_CHAINS.contains(&chain_id) {
            return Err(Failure::request_text(format!(
                "--l1: expected a development node, which lets time be moved, of chain {}, got one of chain {chain_id}",
                DEVELOPMENT_CHAINS.map(|id| id.to_string()).join(" or ")
            )));
        }
        Ok(Self { chain, chain_id, operator, clock: Clock::Node(provider) })
    }

    /// The operator's account.
    pub fn operator(&self) -> Sender<'_> {
        Sender { chain: &*self.chain, key: &self.operator }
    }

    /// A new account with ether.
    pub async fn account(&self) -> Outcome<L1Key> {
        let key = L1Key::random();
        match &self.clock {
            Clock::Embedded(node) => node.fund(key.address(), U256::from(FUNDS)),
            Clock::Node(_) => {
                let funds = self.operator().message(key.address(), U256::from(FUNDS), Bytes::new());
                self.operator().send("giving a user ether", &funds, None).await.or_work("funding")?;
            }
        }
        Ok(key)
    }

    /// Moves the chain's time on.
    pub async fn advance(&self, seconds: u64) -> Outcome {
        match &self.clock {
            Clock::Embedded(node) => {
                node.advance(seconds);
                // Time passes with blocks, and each transaction is one.
                let nothing = self.operator().message(self.operator.address(), U256::ZERO, Bytes::new());
                self.operator().send("making a block", &nothing, None).await.or_work("L1")?;
            }
            Clock::Node(provider) => {
                let moved: Result<serde_json::Value, _> =
                    provider.raw_request("evm_increaseTime".into(), (seconds,)).await;
                moved.or_work("evm_increaseTime")?;
                let mined: Result<serde_json::Value, _> = provider.raw_request("evm_mine".into(), ()).await;
                mined.or_work("evm_mine")?;
            }
        }
        Ok(())
    }

    /// The newest block's time in Unix seconds.
    pub async fn now(&self) -> Outcome<u64> {
        let block = self.chain.block(At::Latest).await.or_work("L1")?;
        Ok(block.map_or(0, |block| block.timestamp))
    }
}
