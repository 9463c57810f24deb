//! `tenon wallet withdraw` and `open`: one transaction, signed without a service.

use std::path::PathBuf;

use clap::Args;
use tenon_circuits::rollup::{
    Account, Address, Fr, PrivateKey, PublicKey, Recipient, Signature, Transaction,
    json::BatchDocument,
    transaction::{KIND_OPEN, KIND_WITHDRAW},
};

use super::{Accounts, address, amount_code, check, element, fee_code, read_key, write_batch};
use crate::cli::{
    client::Server,
    failure::{Failure, Outcome},
};

/// What both transactions have.
#[derive(Debug, Args)]
pub struct Payment {
    /// Key file of the sending account.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Index of the sending account.
    #[arg(long, value_name = "ACCOUNT")]
    from: u32,
    /// The sending account's nonce.
    #[arg(long)]
    nonce: u64,
    /// The fee, in the smallest unit of the sending account's token.
    #[arg(long, allow_negative_numbers = true)]
    fee: u128,
    /// The last batch time with which the transaction is valid, in Unix seconds. [default: no limit]
    #[arg(long, value_name = "SECONDS")]
    valid_until: Option<u32>,
    /// The rollup's domain, as `tenon contracts deploy` prints it.
    #[arg(long, value_name = "HEX", value_parser = element)]
    domain: Fr,
    /// An account that takes fees; one for each token. Needed where there is a fee.
    #[arg(long, value_name = "ACCOUNT")]
    fee_account: Vec<u32>,
    /// Write the batch here; standard output without it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Payment {
    /// The transaction, without what only its kind has.
    fn transaction(&self, kind: u8, token: u32) -> Outcome<Transaction> {
        Ok(Transaction {
            kind,
            from: self.from,
            to: 0,
            token,
            nonce: self.nonce,
            amount: amount_code(0)?,
            fee: fee_code(self.fee)?,
            valid_until: self.valid_until.unwrap_or(u32::MAX),
            opens: None,
            signature: Signature::default(),
        })
    }

    /// Signs the transaction and writes it as a batch.
    fn finish(&self, key: &PrivateKey, transaction: Transaction, recipient: &Recipient) -> Outcome {
        check(0, &transaction)?;
        let document = BatchDocument {
            domain: self.domain,
            timestamp: None,
            fee_accounts: self.fee_account.clone(),
            l1_operations: Vec::new(),
            transactions: vec![transaction.signed(key, self.domain, recipient)],
        };
        write_batch(&document, self.out.as_deref())
    }
}

/// Signs a withdrawal: the amount goes to the account's owner on L1, who claims it there once the batch is settled.
///
/// The signature covers the account's owner, who comes from the service, or from `--owner`.
#[derive(Debug, Args)]
pub struct Withdraw {
    #[command(flatten)]
    payment: Payment,
    /// The account's token.
    #[arg(long)]
    token: u32,
    /// What is withdrawn, in the token's smallest unit; not 0.
    #[arg(long, allow_negative_numbers = true)]
    amount: u128,
    /// The account's owner on L1, for signing without a service.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    owner: Option<Address>,
    #[command(flatten)]
    server: Server,
}

impl Withdraw {
    pub(super) async fn run(self) -> Outcome {
        let key = read_key(&self.payment.key)?;
        let transaction = Transaction {
            amount: amount_code(self.amount)?,
            ..self.payment.transaction(KIND_WITHDRAW, self.token)?
        };
        let recipient = match self.owner {
            Some(owner) => Recipient { key: key.public_key(), owner },
            None => {
                let keys = [key.clone()];
                let mut accounts = Accounts::of_service(&self.server).await?;
                accounts.signer(&keys, self.payment.from).await?;
                accounts.account(self.payment.from).await.map(|account: Account| account.recipient())?
            }
        };
        self.payment.finish(&key, transaction, &recipient)
    }
}

/// Signs the opening of an account for a key and an owner, in any token. It gets the next free index, which is known
/// once the batch is accepted.
#[derive(Debug, Args)]
pub struct Open {
    #[command(flatten)]
    payment: Payment,
    /// The new account's token.
    #[arg(long)]
    token: u32,
    /// The new account's owner on L1, who can withdraw from it.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    new_owner: Address,
    /// First coordinate of the new account's key. [default: the key that signs]
    #[arg(long, value_name = "HEX", value_parser = element, requires = "new_key_y")]
    new_key_x: Option<Fr>,
    /// Second coordinate of the new account's key.
    #[arg(long, value_name = "HEX", value_parser = element, requires = "new_key_x")]
    new_key_y: Option<Fr>,
}

impl Open {
    pub(super) fn run(self) -> Outcome {
        let key = read_key(&self.payment.key)?;
        let new_key = match (self.new_key_x, self.new_key_y) {
            (Some(x), Some(y)) => PublicKey { x, y },
            _ => key.public_key(),
        };
        if !new_key.point().is_on_curve() {
            return Err(Failure::request_text(
                "--new-key-x, --new-key-y: expected a key on the curve, which can sign, found another point",
            ));
        }
        let recipient = Recipient { key: new_key, owner: self.new_owner };
        let transaction =
            Transaction { opens: Some(recipient), ..self.payment.transaction(KIND_OPEN, self.token)? };
        self.payment.finish(&key, transaction, &recipient)
    }
}

/// Refuses what no rollup accepts, so that it is never signed.
pub(super) fn check_kind(transaction: &Transaction) -> Result<(), (&'static str, String)> {
    let Transaction { kind, to, amount, opens, .. } = transaction;
    if *to != 0 {
        return Err(("to", format!("expected 0 for kind {kind}, found {to}")));
    }
    match (*kind == KIND_OPEN, opens) {
        (true, _) if amount.0 != 0 => Err(("amount", format!("expected 0 for an open, found {}", amount.0))),
        (true, None) => Err(("opens", "expected the new account's key and owner, found none".to_owned())),
        (true, Some(opens)) if opens.owner.is_zero() => {
            Err(("opens.owner", "expected an address that isn't 0, found 0".to_owned()))
        }
        (false, Some(_)) => Err(("opens", format!("expected none for kind {kind}, found an account"))),
        (false, None) if amount.0 == 0 => {
            Err(("amount", "expected a withdrawal of at least 1, found 0".to_owned()))
        }
        _ => Ok(()),
    }
}
