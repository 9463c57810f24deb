//! Accounts and transfers to try the prover with.

use rand::rngs::OsRng;
use tenon_circuits::rollup::{
    Account, Address, AmountCode, FeeCode, Fr, PrivateKey, Signature, State, Transaction,
    json::BatchDocument, transaction::KIND_TRANSFER,
};

use super::failure::{Blame, Outcome};

/// Tokens of the workload.
const TOKENS: u32 = 2;
/// What each account has at first: a thousand units of 18 decimals.
const BALANCE: u128 = 1_000 * 10_u128.pow(18);

/// Accounts whose keys are known, and transfers between them.
///
/// The first account of each token takes the fees; the users' accounts follow, the tokens' in turn.
#[derive(Clone, Debug)]
pub struct Workload {
    keys: Vec<PrivateKey>,
    accounts: Vec<Account>,
    state: State,
    users: u32,
    made: u32,
}

impl Workload {
    /// As many users' accounts as asked for, at least 2 of each token, with fresh random keys.
    pub fn new(users: u32) -> Outcome<Self> {
        let users = users.max(2 * TOKENS).next_multiple_of(TOKENS);
        let keys: Vec<_> = (0..TOKENS + users).map(|_| PrivateKey::generate(&mut OsRng)).collect();
        let accounts: Vec<_> = (0..).zip(&keys).map(|(index, key)| account(index, key)).collect();
        let state = State::from_accounts(&accounts).or_work("accounts")?;
        Ok(Self { keys, accounts, state, users: users / TOKENS, made: 0 })
    }

    /// The state that the rollup starts with.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// A signed batch of transfers that follows the ones made before.
    pub fn batch(&mut self, transfers: u32, domain: Fr) -> BatchDocument {
        let transactions = (0..transfers).filter_map(|_| self.transfer(domain)).collect();
        BatchDocument {
            domain,
            timestamp: None,
            fee_accounts: (0..TOKENS).collect(),
            l1_operations: Vec::new(),
            transactions,
        }
    }

    /// The next transfer: each user in turn pays another one.
    fn transfer(&mut self, domain: Fr) -> Option<Transaction> {
        let token = self.made % TOKENS;
        let turn = self.made / TOKENS;
        let user = |number: u32| TOKENS + (number % self.users) * TOKENS + token;
        let (from, to) = (user(turn), user(turn + 1 + turn / self.users % (self.users - 1)));
        self.made += 1;
        let receiver = *self.accounts.get(to as usize)?;
        let sender = self.accounts.get_mut(from as usize)?;
        let unsigned = Transaction {
            kind: KIND_TRANSFER,
            from,
            to,
            token,
            nonce: sender.nonce,
            amount: AmountCode::encode_floor(u128::from(turn + 1) * 10_u128.pow(15)),
            fee: FeeCode::encode_floor(2 * 10_u128.pow(12)),
            valid_until: u32::MAX,
            opens: None,
            signature: Signature::default(),
        };
        sender.nonce += 1;
        Some(unsigned.signed(self.keys.get(from as usize)?, domain, &receiver.recipient()))
    }
}

fn account(index: u32, key: &PrivateKey) -> Account {
    let mut owner = [0x0a; 20];
    owner[16..].copy_from_slice(&index.to_be_bytes());
    Account {
        token: index % TOKENS,
        nonce: 0,
        balance: BALANCE,
        key: key.public_key(),
        owner: Address(owner),
    }
}

#[cfg(test)]
mod tests {
    use tenon_circuits::rollup::execute;

    use super::*;

    #[test]
    fn batches_are_valid_one_after_the_other() {
        let mut workload = Workload::new(16).unwrap();
        let domain = Fr::from(7_u64);
        let mut state = workload.state().clone();
        for number in 1..=3 {
            let batch = workload.batch(70, domain).into_batch(number, 1);
            assert_eq!(batch.transactions.len(), 70);
            state = execute(&state, domain, &batch, 32).unwrap().state;
        }
    }
}
