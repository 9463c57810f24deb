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
    /// Accounts from `first_index` on.
    pages: Arc<Vec<Arc<Vec<Account>>>>,
    first_index: u32,
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
        let next_index = check(accounts)?;
        let leaves: Vec<Fr> = accounts.par_iter().map(Account::leaf).collect();
        Ok(Self { next_index, tree: Tree::from_leaves(&leaves), first_index: 0, pages: paged(accounts) })
    }

    /// A state whose accounts start at an index other than 0, with nothing before them: how a test comes by a tree
    /// that is nearly full. No rollup has such a state, and neither snapshots nor JSON keep it.
    ///
    /// # Errors
    /// As [`State::from_accounts`].
    pub fn sparse(first_index: u32, accounts: &[Account]) -> Result<Self, StateError> {
        let too_many = StateError::TooManyAccounts { count: accounts.len() };
        let next_index = check(accounts)?.checked_add(first_index).ok_or(too_many)?;
        let mut tree = Tree::new();
        for (index, account) in (first_index..next_index).zip(accounts) {
            tree.set(index, account.leaf());
        }
        Ok(Self { pages: paged(accounts), first_index, next_index, tree })
    }

    /// The account at `index`, when there is one.
    pub fn account(&self, index: u32) -> Option<&Account> {
        let index = index.checked_sub(self.first_index)? as usize;
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
        let before = *self.account(index)?;
        let siblings = self.tree.path(index);
        let position = index.checked_sub(self.first_index)? as usize;
        let page = Arc::make_mut(&mut self.pages).get_mut(position / PAGE)?;
        *Arc::make_mut(page).get_mut(position % PAGE)? = after;
        self.tree.set(index, after.leaf());
        Some(AccountAccess { index, exists_before: true, before, exists_after: true, after, siblings })
    }

    /// Opens an account at the next index and returns the change with its path: from the same account without
    /// money, which doesn't exist. `None`, and nothing done, when the tree is full.
    pub fn open(&mut self, account: Account) -> Option<AccountAccess> {
        let index = self.next_index;
        if index == NO_ACCOUNT {
            return None;
        }
        let pages = Arc::make_mut(&mut self.pages);
        match pages.last_mut().filter(|page| page.len() < PAGE) {
            Some(page) => Arc::make_mut(page).push(account),
            None => pages.push(Arc::new(vec![account])),
        }
        self.next_index += 1;
        let siblings = self.tree.path(index);
        self.tree.set(index, account.leaf());
        let before = Account { balance: 0, nonce: 0, ..account };
        let (exists_before, exists_after) = (false, true);
        Some(AccountAccess { index, exists_before, before, exists_after, after: account, siblings })
    }

    /// An access that changes nothing: to the account at `index`, or where there is none to the empty leaf, with
    /// `filler` as its content.
    pub fn look(&self, index: u32, filler: Account) -> AccountAccess {
        let account = self.account(index);
        let exists = account.is_some();
        let content = account.copied().unwrap_or(filler);
        AccountAccess {
            index,
            exists_before: exists,
            before: content,
            exists_after: exists,
            after: content,
            siblings: self.tree.path(index),
        }
    }
}

/// Their number, when accounts can be a state.
fn check(accounts: &[Account]) -> Result<u32, StateError> {
    for (index, account) in accounts.iter().enumerate() {
        if account.owner.is_zero() {
            return Err(StateError::OwnerZero { index });
        }
        if account.nonce > NONCE_LIMIT {
            return Err(StateError::NonceTooLarge { index, nonce: account.nonce });
        }
    }
    u32::try_from(accounts.len()).map_err(|_| StateError::TooManyAccounts { count: accounts.len() })
}

fn paged(accounts: &[Account]) -> Arc<Vec<Arc<Vec<Account>>>> {
    Arc::new(accounts.chunks(PAGE).map(|page| Arc::new(page.to_vec())).collect())
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
