//! `tenon exit`: a forced exit, which the operator can't refuse.

use clap::Args;
use serde::Serialize;
use tenon_prover::user::queue;

use super::{
    access::{Access, Transaction, amount, blame},
    deposit::after,
    failure::{Failure, Outcome},
};

/// Requests on L1 that an account's whole balance is withdrawn to its owner, who has to be the one that pays.
#[derive(Debug, Args)]
pub struct Exit {
    #[command(flatten)]
    access: Access,
    /// Index of the account.
    #[arg(long, value_name = "INDEX")]
    account: u32,
}

#[derive(Debug, Serialize)]
struct Plan {
    owner: String,
    account: u32,
    fee_wei: String,
}

#[derive(Debug, Serialize)]
struct Done {
    operation: u64,
    deadline: u32,
    freeze_from: u64,
    transaction: Option<Transaction>,
}

impl Exit {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        if self.account == u32::MAX {
            return Err(Failure::request_text(format!(
                "--account: expected an index below {}, which is never used",
                u32::MAX
            )));
        }
        let connection = self.access.connect(None).await?;
        let (contract, sender) = (connection.contract(), connection.sender()?);
        let fee = queue::exit_fee(&contract).await.map_err(blame)?;
        let plan =
            Plan { owner: sender.address().to_string(), account: self.account, fee_wei: fee.to_string() };
        let lines = [
            format!("requests the exit of account {}, for a fee of {}", self.account, amount(0, fee)),
            format!(
                "its whole balance is withdrawn to its owner, if that is {}; else nothing happens, and the fee is gone",
                plan.owner
            ),
        ];
        if !self.access.confirm(&plan, &lines)? {
            return Ok(());
        }
        let queued = queue::exit(&contract, &sender, self.account).await.map_err(blame)?;
        let transaction = queued.transactions.last().map(Transaction::from);
        let mut lines: Vec<String> =
            transaction.iter().map(|transaction| format!("sent {}", transaction.text())).collect();
        lines.extend(after(&queued, connection.now().await?));
        lines.push(
            "once it is final, the withdrawal is claimed after the claim delay: tenon claim".to_owned(),
        );
        let done = Done {
            operation: queued.position,
            deadline: queued.deadline,
            freeze_from: queued.freeze_from(),
            transaction,
        };
        self.access.report(&plan, &done, &lines)
    }
}
