//! `tenon claim`: withdrawals are paid on L1.

use alloy::primitives::Address;
use clap::Args;
use serde::Serialize;
use tenon_prover::user::claims::{self, Claim, ClaimStatus};

use super::{
    access::{Access, Connection, Transaction, amount, blame, time},
    failure::{Failure, Outcome},
};

/// Claims all withdrawals of an owner that can be claimed, and says when the others can be. They are found on L1 alone.
#[derive(Debug, Args)]
pub struct ClaimCommand {
    #[command(flatten)]
    access: Access,
    /// Whose withdrawals; those of the account that pays, without it. Anybody may claim for anybody.
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Address>,
    /// Who is paid, if not the owner. The account that pays has to be the owner's then.
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<Address>,
    /// The block in which the contract was deployed, to save time.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    from_block: u64,
}

#[derive(Debug, Serialize)]
struct Entry {
    batch: u64,
    index: u32,
    token: u32,
    amount: String,
    status: &'static str,
    claimable_from: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Plan {
    owner: String,
    recipient: String,
    withdrawals: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Done {
    claimed: Vec<Claimed>,
    failed: Vec<Failed>,
}

#[derive(Debug, Serialize)]
struct Claimed {
    batch: u64,
    index: u32,
    transaction: Transaction,
}

#[derive(Debug, Serialize)]
struct Failed {
    batch: u64,
    index: u32,
    error: String,
}

impl Entry {
    fn of(claim: &Claim) -> Self {
        let (status, claimable_from) = match claim.status {
            ClaimStatus::Paid => ("paid", None),
            ClaimStatus::Ready => ("ready", None),
            ClaimStatus::From(from) => ("waiting", Some(from)),
            ClaimStatus::Contradicted => ("contradicted", None),
        };
        let withdrawal = &claim.withdrawal;
        Self {
            batch: withdrawal.number,
            index: withdrawal.index,
            token: withdrawal.token,
            amount: withdrawal.amount.to_string(),
            status,
            claimable_from,
        }
    }
}

fn line(claim: &Claim, now: u64) -> String {
    let withdrawal = &claim.withdrawal;
    let what = format!(
        "withdrawal {} of batch {}: {}",
        withdrawal.index,
        withdrawal.number,
        amount(withdrawal.token, alloy::primitives::U256::from(withdrawal.amount))
    );
    match claim.status {
        ClaimStatus::Paid => format!("{what}, paid"),
        ClaimStatus::Ready => format!("{what}, to be claimed now"),
        ClaimStatus::From(from) => format!("{what}, can be claimed from {} on", time(from, now)),
        ClaimStatus::Contradicted => {
            format!("{what}, waits until a contradiction between two proofs is resolved")
        }
    }
}

impl ClaimCommand {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let connection = self.access.connect(None).await?;
        let owner = connection.owner(self.owner)?;
        let recipient = self.recipient.unwrap_or(owner);
        if recipient != owner && connection.sender()?.address() != owner {
            return Err(Failure::request_text(format!(
                "--recipient: expected the key of the owner {owner}, who alone may name one, found that of {}",
                connection.sender()?.address()
            )));
        }
        let found = claims::find(&connection.contract(), owner, self.from_block).await.map_err(blame)?;
        let now = connection.now().await?;
        let open: Vec<&Claim> = found.iter().filter(|claim| claim.status != ClaimStatus::Paid).collect();
        let plan = Plan {
            owner: owner.to_string(),
            recipient: recipient.to_string(),
            withdrawals: open.iter().copied().map(Entry::of).collect(),
        };
        let ready: Vec<&Claim> =
            open.iter().copied().filter(|claim| claim.status == ClaimStatus::Ready).collect();
        let mut lines = vec![format!(
            "{} withdrawals of {owner}, {} of them paid; {} to be claimed for {recipient} now",
            found.len(),
            found.len() - open.len(),
            ready.len()
        )];
        lines.extend(open.iter().map(|claim| line(claim, now)));
        if ready.is_empty() && !self.access.dry_run {
            let done = Done { claimed: Vec::new(), failed: Vec::new() };
            return self.access.report(&plan, &done, &lines);
        }
        if !self.access.confirm(&plan, &lines)? {
            return Ok(());
        }
        self.claim(&connection, &plan, &ready, recipient).await
    }

    async fn claim(
        &self,
        connection: &Connection,
        plan: &Plan,
        ready: &[&Claim],
        recipient: Address,
    ) -> Outcome {
        let (contract, sender) = (connection.contract(), connection.sender()?);
        let mut done = Done { claimed: Vec::new(), failed: Vec::new() };
        let mut lines = Vec::new();
        for claim in ready {
            let (batch, index) = (claim.withdrawal.number, claim.withdrawal.index);
            match claims::claim(&contract, &sender, claim, recipient).await {
                Ok(inclusion) => {
                    let transaction = Transaction::from(&inclusion);
                    lines
                        .push(format!("claimed withdrawal {index} of batch {batch}: {}", transaction.text()));
                    done.claimed.push(Claimed { batch, index, transaction });
                }
                // One that can't be paid keeps none of the others.
                Err(error) => done.failed.push(Failed { batch, index, error: error.to_string() }),
            }
        }
        self.access.report(plan, &done, &lines)?;
        let failed: Vec<&str> = done.failed.iter().map(|failed| failed.error.as_str()).collect();
        if failed.is_empty() { Ok(()) } else { Err(Failure::work_text(failed.join("\n  "))) }
    }
}
