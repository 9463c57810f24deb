//! The people of a demonstration: their keys, and the transactions that they sign.

use alloy::primitives::Address as L1Address;
use rand::rngs::OsRng;
use tenon_circuits::rollup::{
    Address, AmountCode, FeeCode, Fr, PrivateKey, Recipient, Signature, Transaction,
    json::BatchDocument,
    transaction::{KIND_OPEN, KIND_TRANSFER, KIND_WITHDRAW},
};
use tenon_prover::l1::L1Key;

/// Ether, the only token here.
pub const TOKEN: u32 = 0;
/// The account that takes the fees.
pub const FEE_ACCOUNT: u32 = 0;
/// What each transfer pays: a thousandth of an ether, and its fee.
const AMOUNT: u128 = 10_u128.pow(15);
const FEE: u128 = 2 * 10_u128.pow(12);

/// Somebody with an account on each layer.
#[derive(Debug)]
pub struct User {
    /// What they are called.
    pub name: &'static str,
    /// Their account on L1.
    pub l1: L1Key,
    key: PrivateKey,
    nonce: u64,
    /// What each of their transfers pays.
    pays: u128,
}

impl User {
    /// A user with this account on L1 and a new key.
    pub fn new(name: &'static str, l1: L1Key) -> Self {
        Self { name, l1, key: PrivateKey::generate(&mut OsRng), nonce: 0, pays: AMOUNT }
    }

    /// Their address on L1.
    pub fn address(&self) -> L1Address {
        self.l1.address()
    }

    /// Key and owner of their account.
    pub fn recipient(&self) -> Recipient {
        Recipient { key: self.key.public_key(), owner: Address(self.address().into_array()) }
    }
}

/// Everybody, by account: the first takes the fees.
#[derive(Debug)]
pub struct Users {
    users: Vec<User>,
    domain: Fr,
    turn: usize,
}

impl Users {
    /// The users at accounts 0, 1 and so on.
    pub fn new(users: Vec<User>, domain: Fr) -> Self {
        Self { users, domain, turn: 0 }
    }

    /// A user, by account.
    pub fn get(&self, account: u32) -> Option<&User> {
        self.users.get(account as usize)
    }

    /// A batch of these transactions.
    pub fn batch(&self, transactions: Vec<Transaction>) -> BatchDocument {
        BatchDocument {
            domain: self.domain,
            timestamp: None,
            fee_accounts: vec![FEE_ACCOUNT],
            l1_operations: Vec::new(),
            transactions,
        }
    }

    /// The next transfer: each user but the first pays the next one, in turn.
    pub fn transfer(&mut self) -> Option<Transaction> {
        let payers = self.users.len() - 1;
        let (from, to) = (1 + self.turn % payers, 1 + (self.turn + 1) % payers);
        self.turn += 1;
        let recipient = self.users.get(to)?.recipient();
        let unsigned = unsigned(KIND_TRANSFER, from as u32, to as u32, self.users.get(from)?.pays);
        self.sign(unsigned, recipient)
    }

    /// A user's account opens one for a newcomer, who becomes the last user. Having nothing but what others pay, the
    /// newcomer pays half of that on.
    pub fn open(&mut self, from: u32, newcomer: User) -> Option<Transaction> {
        let recipient = newcomer.recipient();
        let unsigned = Transaction { opens: Some(recipient), ..unsigned(KIND_OPEN, from, 0, 0) };
        let signed = self.sign(unsigned, recipient);
        self.users.push(User { pays: AMOUNT / 2, ..newcomer });
        signed
    }

    /// A withdrawal to L1.
    pub fn withdraw(&mut self, from: u32, amount: u128) -> Option<Transaction> {
        let recipient = self.get(from)?.recipient();
        self.sign(unsigned(KIND_WITHDRAW, from, 0, amount), recipient)
    }

    fn sign(&mut self, unsigned: Transaction, recipient: Recipient) -> Option<Transaction> {
        let domain = self.domain;
        let sender = self.users.get_mut(unsigned.from as usize)?;
        let numbered = Transaction { nonce: sender.nonce, ..unsigned };
        sender.nonce += 1;
        Some(numbered.signed(&sender.key, domain, &recipient))
    }
}

fn unsigned(kind: u8, from: u32, to: u32, amount: u128) -> Transaction {
    Transaction {
        kind,
        from,
        to,
        token: TOKEN,
        nonce: 0,
        amount: AmountCode::encode_floor(amount),
        fee: FeeCode::encode_floor(FEE),
        valid_until: u32::MAX,
        opens: None,
        signature: Signature::default(),
    }
}

#[cfg(test)]
mod tests {
    use tenon_circuits::rollup::{Batch, L1Operation, NO_ACCOUNT, State, execute};

    use super::*;

    #[test]
    fn everybody_can_pay_in_turn_for_as_long_as_any_class_holds() {
        let people: Vec<User> =
            ["operator", "Alice", "Bob", "Carol"].map(|name| User::new(name, L1Key::random())).into();
        let deposit = |user: &User| L1Operation::Deposit {
            token: TOKEN,
            amount: 10 * 10_u128.pow(18),
            recipient: user.recipient(),
            to: NO_ACCOUNT,
        };
        let l1_operations = people.iter().map(deposit).collect();
        let mut users = Users::new(people, Fr::from(7));
        let mut transactions: Vec<_> =
            users.open(1, User::new("Dave", L1Key::random())).into_iter().collect();
        transactions.extend((0..300).filter_map(|_| users.transfer()));
        transactions.extend(users.withdraw(3, 3 * 10_u128.pow(18)));
        assert_eq!(transactions.len(), 302);
        let fee_accounts = vec![FEE_ACCOUNT];
        let batch = Batch { number: 1, timestamp: 1, fee_accounts, l1_operations, transactions };
        let execution = execute(&State::new(), Fr::from(7), &batch, 400).unwrap();
        assert_eq!((execution.state.next_index(), execution.withdrawals.len()), (5, 1));
    }
}
