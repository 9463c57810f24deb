//! `tenon escape`: leaving a frozen contract.

use alloy::primitives::{Address, U256};
use clap::Args;
use serde::Serialize;
use tenon_contracts::bindings::IExits;
use tenon_prover::{
    settlement::rebuild::Rebuilt,
    user::{
        UserError,
        escape::{self, EscapeStatus, Refund},
    },
};

use super::{
    access::{Access, Connection, History, Transaction, amount, blame},
    failure::{Failure, Outcome},
};

/// Pays an owner's accounts on L1 once the contract is frozen, each by its path in the last final state, which is
/// rebuilt from L1 and from archives that need no trust.
#[derive(Debug, Args)]
pub struct Escape {
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    history: History,
    /// Index of an account; all accounts of the owner without it.
    #[arg(long, value_name = "INDEX")]
    account: Option<u32>,
    /// Whose accounts; those of the account that pays, without it. Anybody may send the owner's escape.
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Address>,
    /// Who is paid, if not the owner. The account that pays has to be the owner's then.
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<Address>,
    /// Freezes the contract first, for ever, where that is allowed: when an operation is 7 days past its deadline.
    #[arg(long)]
    freeze: bool,
    /// Also takes back the owner's deposits that no final batch has consumed.
    #[arg(long)]
    refund: bool,
}

#[derive(Debug, Serialize)]
struct Plan {
    owner: String,
    recipient: String,
    batch: u64,
    freeze: bool,
    accounts: Vec<AccountEntry>,
    refunds: Vec<RefundEntry>,
    /// Deposits that could be taken back with `--refund`.
    refundable: usize,
}

#[derive(Debug, Serialize)]
struct AccountEntry {
    index: u32,
    token: u32,
    balance: String,
}

#[derive(Debug, Serialize)]
struct RefundEntry {
    operation: u64,
    token: u32,
    amount: String,
}

#[derive(Debug, Default, Serialize)]
struct Done {
    frozen: Option<Transaction>,
    /// When escapes open, where they aren't open yet.
    opens_at: Option<u64>,
    escaped: Vec<Paid>,
    refunded: Vec<Paid>,
    failed: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Paid {
    /// Index of the account, or place of the operation.
    number: u64,
    transaction: Transaction,
}

/// What there is to take.
struct Found {
    accounts: Vec<IExits::Account>,
    refunds: Vec<Refund>,
}

impl Escape {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let connection = self.access.connect(self.history.beacon.as_deref()).await?;
        let owner = connection.owner(self.owner)?;
        let recipient = self.recipient.unwrap_or(owner);
        if recipient != owner && connection.sender()?.address() != owner {
            return Err(Failure::request_text(format!(
                "--recipient: expected the key of the owner {owner}, who alone may name one, found that of {}",
                connection.sender()?.address()
            )));
        }
        let status = escape::status(&connection.contract()).await.map_err(blame)?;
        let freeze = self.check(&connection, status).await?;
        let rebuilt = self.history.rebuild(&connection.contract(), &[], true, self.access.json).await?;
        let (found, refundable) = self.find(&connection, &rebuilt, owner).await?;
        let plan = plan(owner, recipient, &rebuilt, freeze, &found, refundable);
        let lines = self.plan_lines(&plan, &found);
        if !self.access.confirm(&plan, &lines)? {
            return Ok(());
        }
        self.act(&connection, &plan, &found, recipient).await
    }

    /// Whether to freeze first; an error where nobody can leave now.
    async fn check(&self, connection: &Connection, status: EscapeStatus) -> Outcome<bool> {
        let actual = connection.now().await?;
        let too_early =
            |what, earliest| blame(UserError::TooEarly { what, earliest: U256::from(earliest), actual });
        match status {
            EscapeStatus::Open => Ok(false),
            EscapeStatus::Freezable if self.freeze => Ok(true),
            EscapeStatus::Freezable => Err(Failure::request_text(
                "the contract isn't frozen, but anybody may freeze it, for ever: expected --freeze to do so",
            )),
            EscapeStatus::Live { from: Some(from) } => Err(too_early(
                "the contract isn't frozen, and may only be if the queue's first operation stays unconsumed",
                from,
            )),
            EscapeStatus::Live { from: None } => Err(blame(UserError::NotFrozen)),
            EscapeStatus::Opens(opens) => Err(too_early("escapes aren't open yet", opens)),
            EscapeStatus::Contradicted(number) => Err(blame(UserError::Contradicted(number))),
        }
    }

    async fn find(
        &self,
        connection: &Connection,
        rebuilt: &Rebuilt,
        owner: Address,
    ) -> Outcome<(Found, usize)> {
        let contract = connection.contract();
        let accounts =
            escape::accounts(&contract, &rebuilt.state, owner, self.account).await.map_err(blame)?;
        let refunds =
            escape::refunds(&contract, rebuilt.consumed, &rebuilt.waiting, owner).await.map_err(blame)?;
        let refundable = refunds.len();
        let refunds = if self.refund { refunds } else { Vec::new() };
        Ok((Found { accounts, refunds }, refundable))
    }

    fn plan_lines(&self, plan: &Plan, found: &Found) -> Vec<String> {
        let mut lines = Vec::new();
        if plan.freeze {
            lines.push("freezes the contract, for ever: nothing settles any more".to_owned());
        }
        lines.push(format!(
            "pays {} accounts of {} in the state after batch {} to {}",
            plan.accounts.len(),
            plan.owner,
            plan.batch,
            plan.recipient
        ));
        for account in &found.accounts {
            lines.push(format!("account {}: {}", account.index, amount(account.token, account.balance)));
        }
        for refund in &found.refunds {
            let deposit = &refund.deposit;
            let paid = amount(deposit.token, U256::from(deposit.amount));
            lines.push(format!("deposit in operation {}: {paid} back", refund.operation));
        }
        if !self.refund && plan.refundable > 0 {
            lines.push(format!("{} deposits can be taken back too: --refund", plan.refundable));
        }
        lines
    }

    async fn act(&self, connection: &Connection, plan: &Plan, found: &Found, recipient: Address) -> Outcome {
        let (contract, sender) = (connection.contract(), connection.sender()?);
        let (mut done, mut lines) = (Done::default(), Vec::new());
        if plan.freeze {
            let frozen = escape::freeze(&contract, &sender).await.map_err(blame)?;
            let transaction = Transaction::from(&frozen);
            lines.push(format!("frozen: {}", transaction.text()));
            done.frozen = Some(transaction);
        }
        if let EscapeStatus::Opens(opens) = escape::status(&contract).await.map_err(blame)? {
            let now = connection.now().await?;
            lines.push(format!("escapes open at {}: run it again then", super::access::time(opens, now)));
            done.opens_at = Some(opens);
            return self.access.report(plan, &done, &lines);
        }
        for account in &found.accounts {
            match escape::escape(&contract, &sender, account, recipient).await {
                Ok(inclusion) => {
                    let transaction = Transaction::from(&inclusion);
                    lines.push(format!("paid account {}: {}", account.index, transaction.text()));
                    done.escaped.push(Paid { number: account.index.into(), transaction });
                }
                // One that can't be paid keeps none of the others.
                Err(error) => done.failed.push(error.to_string()),
            }
        }
        for refund in &found.refunds {
            match escape::refund(&contract, &sender, refund, recipient).await {
                Ok(inclusion) => {
                    let transaction = Transaction::from(&inclusion);
                    lines.push(format!("paid operation {} back: {}", refund.operation, transaction.text()));
                    done.refunded.push(Paid { number: refund.operation, transaction });
                }
                Err(error) => done.failed.push(error.to_string()),
            }
        }
        self.access.report(plan, &done, &lines)?;
        if done.failed.is_empty() { Ok(()) } else { Err(Failure::work_text(done.failed.join("\n  "))) }
    }
}

fn plan(
    owner: Address,
    recipient: Address,
    rebuilt: &Rebuilt,
    freeze: bool,
    found: &Found,
    refundable: usize,
) -> Plan {
    let account = |account: &IExits::Account| AccountEntry {
        index: account.index,
        token: account.token,
        balance: account.balance.to_string(),
    };
    let refund = |refund: &Refund| RefundEntry {
        operation: refund.operation,
        token: refund.deposit.token,
        amount: refund.deposit.amount.to_string(),
    };
    Plan {
        owner: owner.to_string(),
        recipient: recipient.to_string(),
        batch: rebuilt.number,
        freeze,
        accounts: found.accounts.iter().map(account).collect(),
        refunds: found.refunds.iter().map(refund).collect(),
        refundable,
    }
}
