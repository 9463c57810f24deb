//! The rollup's state: accounts in index order with their tree.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

use super::{Account, Fr, NO_ACCOUNT, NONCE_LIMIT, poseidon, tree::Tree};
use crate::witness::AccountAccess;

/// Accounts that are copied together when a clone of the state changes one of them.
const PAGE: usize = 64;

/// Accounts that can't be a state; the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StateError {
    /// An account without owner.
    #[error("account {index}: expected an owner that isn't the zero address")]
    OwnerZero {
        /// The account.
        index: usize,
    },
    /// A nonce out of range.
    #[error("account {index}: expected a nonce of at most {NONCE_LIMIT}, got {nonce}")]
    NonceTooLarge {
        /// The account.
        index: usize,
        /// Its nonce.
        nonce: u64,
    },
    /// More accounts than indices.
    #[error("expected at most {NO_ACCOUNT} accounts, got {count}")]
    TooManyAccounts {
        /// How many.
        count: usize,
    },
}

/// Accounts and their tree. A clone is cheap and independent.
#[derive(Clone, Debug, Default)]
pub struct State {
    pages: Arc<Vec<Arc<Vec<Account>>>>,
    next_index: u32,
    tree: Tree,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.commitment() == other.commitment()
    }
}

impl Eq for State {}

impl State {
    /// The state without accounts.
    pub fn new() -> Self {
        Self::default()
    }

    /// The state of these accounts, at indices from 0 on.
    ///
    /// # Errors
    /// When an account has no owner or its nonce is out of range, or there are too many.
    pub fn from_accounts(accounts: &[Account]) -> Result<Self, StateError> {
        let too_many = || StateError::TooManyAccounts { count: accounts.len() };
        let next_index = u32::try_from(accounts.len()).map_err(|_| too_many())?;
        for (index, account) in accounts.iter().enumerate() {
            if account.owner.is_zero() {
                return Err(StateError::OwnerZero { index });
            }
            if account.nonce > NONCE_LIMIT {
                return Err(StateError::NonceTooLarge { index, nonce: account.nonce });
            }
        }
        let leaves: Vec<Fr> = accounts.par_iter().map(Account::leaf).collect();
        let pages = accounts.chunks(PAGE).map(|page| Arc::new(page.to_vec())).collect();
        Ok(Self { pages: Arc::new(pages), next_index, tree: Tree::from_leaves(&leaves) })
    }

    /// The account at `index`, when there is one.
    pub fn account(&self, index: u32) -> Option<&Account> {
        let index = index as usize;
        self.pages.get(index / PAGE)?.get(index % PAGE)
    }

    /// All accounts, in index order.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.pages.iter().flat_map(|page| page.iter())
    }

    /// The number of accounts, which is the next one's index.
    pub fn next_index(&self) -> u32 {
        self.next_index
    }

    /// The account tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The account tree's root.
    pub fn root(&self) -> Fr {
        self.tree.root()
    }

    /// What L1 stores: `H_2(root, next_index)`.
    pub fn commitment(&self) -> Fr {
        commitment(self.root(), self.next_index)
    }

    /// Replaces an account's content and returns the change with its path; `None`, and nothing done, when there
    /// is no such account.
    pub fn update(&mut self, index: u32, after: Account) -> Option<AccountAccess> {
        let position = index as usize;
        let before = *self.account(index)?;
        let siblings = self.tree.path(index);
        let page = Arc::make_mut(&mut self.pages).get_mut(position / PAGE)?;
        *Arc::make_mut(page).get_mut(position % PAGE)? = after;
        self.tree.set(index, after.leaf());
        Some(AccountAccess { index, exists_before: true, before, exists_after: true, after, siblings })
    }
}

/// `H_2(root, next_index)`.
pub fn commitment(root: Fr, next_index: u32) -> Fr {
    poseidon::hash_2([root, Fr::from(next_index)])
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.accounts())
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let accounts = Vec::<Account>::deserialize(deserializer)?;
        Self::from_accounts(&accounts).map_err(D::Error::custom)
    }
}
