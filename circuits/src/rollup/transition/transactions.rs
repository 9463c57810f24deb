//! Transactions: all checks of each kind, and their effects.

use super::{
    ReasonCode, Rejection, Run,
    chunks::Need,
    signatures::{self, Checked},
};
use crate::{
    rollup::{
        Account, NO_ACCOUNT, NONCE_LIMIT, Recipient, Transaction,
        float::FloatError,
        pubdata,
        transaction::{KIND_OPEN, KIND_TRANSFER, KIND_WITHDRAW},
    },
    witness::TransactionWitness,
};

/// What a transaction does, when nothing is wrong with it.
struct Plan {
    /// The sender, its nonce raised, amount and fee debited.
    debited: Account,
    /// What follows.
    then: Then,
    fee: u128,
}

/// What follows the debit.
enum Then {
    /// This account takes the place of the receiver, which may be the sender.
    Put(Account),
    /// The amount leaves the rollup.
    Leave,
    /// This account is opened.
    Open(Account),
}

/// What is wrong with one transaction.
struct Refusals {
    index: usize,
    list: Vec<Rejection>,
}

impl Refusals {
    fn add(&mut self, field: &str, reason: ReasonCode, message: String) {
        self.list.push(Rejection::of_transaction(self.index, field, reason, message));
    }

    fn value(&mut self, field: &str, value: Result<u128, FloatError>) -> Option<u128> {
        value
            .map_err(|error| {
                let reason = match error {
                    FloatError::NotCanonical { .. } => ReasonCode::FloatNotCanonical,
                    _ => ReasonCode::FloatOutOfRange,
                };
                self.add(field, reason, error.to_string());
            })
            .ok()
    }
}

impl Run<'_> {
    /// Executes a transaction, or notes everything that is wrong with it and leaves the state as it is.
    pub(super) fn transaction(
        &mut self,
        index: usize,
        transaction: &Transaction,
        signature: Option<Checked>,
    ) {
        // The slot comes first: where it starts a chunk, the fees of the one before are credited.
        let other = match transaction.kind {
            KIND_WITHDRAW => transaction.from,
            KIND_OPEN => self.state.next_index(),
            _ => transaction.to,
        };
        self.reserve(Need {
            accounts: [transaction.from, other],
            opens: usize::from(transaction.kind == KIND_OPEN),
            l1_words: if transaction.kind == KIND_WITHDRAW { pubdata::WITHDRAWAL_WORDS } else { 0 },
        });
        match self.plan(index, transaction, signature) {
            Ok(plan) => self.apply(index, transaction, plan),
            Err(rejections) => self.rejections.extend(rejections),
        }
    }

    fn apply(&mut self, index: usize, transaction: &Transaction, plan: Plan) {
        let Plan { debited, then, fee } = plan;
        let sender = self.state.update(transaction.from, debited);
        let receiver = match then {
            Then::Put(account) => self.state.update(transaction.to, account),
            Then::Leave => self.state.update(transaction.from, debited),
            Then::Open(account) => self.state.open(account),
        };
        // Both are there: the plan was made from them.
        if let Some((sender, receiver)) = sender.zip(receiver) {
            self.chunk.transactions.push(TransactionWitness { transaction: *transaction, sender, receiver });
            self.collect_fee(index, debited.token, fee);
        }
    }

    fn plan(
        &self,
        index: usize,
        transaction: &Transaction,
        signature: Option<Checked>,
    ) -> Result<Plan, Vec<Rejection>> {
        let mut refusals = Refusals { index, list: Vec::new() };
        let Transaction { kind, from, to, .. } = *transaction;
        if !matches!(kind, KIND_TRANSFER | KIND_WITHDRAW | KIND_OPEN) {
            let message = format!("expected {KIND_TRANSFER}, {KIND_WITHDRAW} or {KIND_OPEN}, got {kind}");
            refusals.add("kind", ReasonCode::KindUnknown, message);
        }
        if self.batch.timestamp > transaction.valid_until {
            let message = format!(
                "expected at least the batch's timestamp {}, got {}",
                self.batch.timestamp, transaction.valid_until
            );
            refusals.add("valid_until", ReasonCode::Expired, message);
        }
        let amount = refusals.value("amount", transaction.amount.value());
        let fee = refusals.value("fee", transaction.fee.value());
        check_fields(&mut refusals, transaction);

        let sender = self.state.account(from).copied();
        let token = transaction.token;
        self.check_party(&mut refusals, "from", from, sender, (kind != KIND_OPEN).then_some(token));
        let receiver = (kind != KIND_WITHDRAW && kind != KIND_OPEN).then(|| {
            let receiver = self.state.account(to).copied();
            self.check_party(&mut refusals, "to", to, receiver, Some(token));
            receiver
        });
        if kind == KIND_OPEN && self.state.next_index() == NO_ACCOUNT {
            let message = format!("expected an index below {NO_ACCOUNT} for the new account, got none");
            refusals.add("opens", ReasonCode::TreeFull, message);
        }
        let Some(sender) = sender else { return Err(refusals.list) };
        if transaction.nonce != sender.nonce {
            let message = format!("expected {}, got {}", sender.nonce, transaction.nonce);
            refusals.add("nonce", ReasonCode::NonceMismatch, message);
        }
        if sender.nonce >= NONCE_LIMIT {
            let message = format!("expected a nonce below {NONCE_LIMIT}, got {}", sender.nonce);
            refusals.add("nonce", ReasonCode::NonceExhausted, message);
        }
        let plan = amount.zip(fee).and_then(|(amount, fee)| {
            let left = amount.checked_add(fee).and_then(|total| sender.balance.checked_sub(total));
            let Some(left) = left else {
                let message =
                    format!("expected at most the balance {}, got {amount} + {fee}", sender.balance);
                refusals.add("amount", ReasonCode::BalanceInsufficient, message);
                return None;
            };
            let debited = Account { nonce: sender.nonce.saturating_add(1), balance: left, ..sender };
            let then = match kind {
                KIND_WITHDRAW => Then::Leave,
                KIND_OPEN => {
                    let Recipient { key, owner } = transaction.opens?;
                    Then::Open(Account { token, nonce: 0, balance: 0, key, owner })
                }
                _ => {
                    let receiver = if to == from { debited } else { receiver.flatten()? };
                    let Some(balance) = receiver.balance.checked_add(amount) else {
                        let message =
                            format!("expected a balance below 2^128, got {} + {amount}", receiver.balance);
                        refusals.add("amount", ReasonCode::BalanceOverflow, message);
                        return None;
                    };
                    Then::Put(Account { balance, ..receiver })
                }
            };
            Some(Plan { debited, then, fee })
        });
        let recipient_of = |index| Some(self.state.account(index)?.recipient());
        let error = transaction.message_recipient(recipient_of).and_then(|recipient| {
            signatures::error(self.domain, transaction, sender.key, recipient, signature)
        });
        if let Some(error) = error {
            let message = format!("expected a signature by the key of account {from}: {error}");
            refusals.add("signature", ReasonCode::SignatureInvalid, message);
        }
        plan.filter(|_| refusals.list.is_empty()).ok_or(refusals.list)
    }

    /// Checks that an account exists and holds the token, where it must be a certain one.
    fn check_party(
        &self,
        refusals: &mut Refusals,
        field: &str,
        index: u32,
        account: Option<Account>,
        token: Option<u32>,
    ) {
        match (account, token) {
            (None, _) => refusals.add(field, ReasonCode::AccountUnknown, self.unknown_account(index)),
            (Some(account), Some(token)) if account.token != token => {
                let message =
                    format!("expected token {token}, got token {} in account {index}", account.token);
                refusals.add(field, ReasonCode::TokenMismatch, message);
            }
            _ => {}
        }
    }
}

/// Checks the fields that only some kinds use.
fn check_fields(refusals: &mut Refusals, transaction: &Transaction) {
    let Transaction { kind, to, amount, opens, .. } = *transaction;
    let unused = ReasonCode::FieldNotUsed;
    if matches!(kind, KIND_WITHDRAW | KIND_OPEN) && to != 0 {
        refusals.add("to", unused, format!("expected 0 for kind {kind}, got {to}"));
    }
    if kind == KIND_WITHDRAW && amount.0 == 0 {
        let message = "expected a withdrawal of at least 1, got 0".to_owned();
        refusals.add("amount", ReasonCode::AmountZero, message);
    }
    if kind == KIND_OPEN && amount.0 != 0 {
        refusals.add("amount", unused, format!("expected 0 for kind {kind}, got {}", amount.0));
    }
    match (kind == KIND_OPEN, opens) {
        (true, None) => {
            let message = "expected the new account's key and owner, got none".to_owned();
            refusals.add("opens", ReasonCode::OpensMissing, message);
        }
        (true, Some(Recipient { owner, .. })) if owner.is_zero() => {
            let message = "expected an owner that isn't the zero address".to_owned();
            refusals.add("opens.owner", ReasonCode::OwnerZero, message);
        }
        (false, Some(_)) => {
            refusals.add("opens", unused, format!("expected none for kind {kind}, got an account"));
        }
        _ => {}
    }
}
