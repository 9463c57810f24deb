//! The Keccak tree of a batch's withdrawals, as the contract builds it: a leaf is
//! `keccak256(leaf tag | batch | index | token | owner | amount)`, a node `keccak256(node tag | left | right)`, each
//! part 32 bytes. A level with an odd number of nodes is completed by 0.

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolValue,
};
use tenon_circuits::rollup::Withdrawal;

const LEAF_TAG: &str = "tenon.v1.withdrawal.leaf";
const NODE_TAG: &str = "tenon.v1.withdrawal.node";

/// The tree of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalTree {
    /// From the leaves up; the last level is the root, or empty.
    levels: Vec<Vec<B256>>,
}

impl WithdrawalTree {
    /// The tree of a batch's withdrawals.
    #[must_use]
    pub fn new(batch: u64, withdrawals: &[Withdrawal]) -> Self {
        let mut level: Vec<B256> =
            (0..).zip(withdrawals).map(|(index, withdrawal)| leaf(batch, index, withdrawal)).collect();
        let mut levels = Vec::new();
        while level.len() > 1 {
            let parents = level.chunks(2).map(|pair| node(pair.first(), pair.get(1))).collect();
            levels.push(std::mem::replace(&mut level, parents));
        }
        levels.push(level);
        Self { levels }
    }

    /// The root; 0 without withdrawals.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// The siblings from a leaf up.
    #[must_use]
    pub fn path(&self, index: usize) -> Vec<B256> {
        let below_root = self.levels.len().saturating_sub(1);
        let sibling = |(height, level): (usize, &Vec<B256>)| {
            level.get((index >> height) ^ 1).copied().unwrap_or_default()
        };
        self.levels.iter().take(below_root).enumerate().map(sibling).collect()
    }
}

fn leaf(batch: u64, index: u64, withdrawal: &Withdrawal) -> B256 {
    let Withdrawal { token, owner, amount } = withdrawal;
    let owner = Address::from(owner.0);
    let numbers = (U256::from(batch), U256::from(index), U256::from(*token), owner, U256::from(*amount));
    keccak256([keccak256(LEAF_TAG).as_slice(), &numbers.abi_encode()].concat())
}

fn node(left: Option<&B256>, right: Option<&B256>) -> B256 {
    let child = |child: Option<&B256>| child.copied().unwrap_or_default();
    keccak256([keccak256(NODE_TAG), child(left), child(right)].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn withdrawals(count: u8) -> Vec<Withdrawal> {
        let withdrawal = |i| Withdrawal {
            token: u32::from(i),
            owner: tenon_circuits::rollup::Address([i + 1; 20]),
            amount: u128::from(i) + 1,
        };
        (0..count).map(withdrawal).collect()
    }

    #[test]
    fn every_path_leads_to_the_root() {
        assert_eq!(WithdrawalTree::new(7, &[]).root(), B256::ZERO);
        for count in 1..12 {
            let all = withdrawals(count);
            let tree = WithdrawalTree::new(7, &all);
            for (index, withdrawal) in all.iter().enumerate() {
                let mut digest = leaf(7, index as u64, withdrawal);
                let path = tree.path(index);
                assert_eq!(index >> path.len(), 0);
                for (height, sibling) in path.iter().enumerate() {
                    digest = match index >> height & 1 {
                        0 => node(Some(&digest), Some(sibling)),
                        _ => node(Some(sibling), Some(&digest)),
                    };
                }
                assert_eq!(digest, tree.root(), "{index} of {count}");
            }
        }
        let root = |batch, all: &[Withdrawal]| WithdrawalTree::new(batch, all).root();
        let all = withdrawals(3);
        assert_ne!(root(7, &all), root(8, &all));
        assert_ne!(root(7, &all), root(7, &all[..2]));
    }
}
