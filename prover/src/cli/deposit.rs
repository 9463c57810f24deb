//! `tenon deposit`: money from L1 into the rollup.

use std::{fs, path::PathBuf};

use alloy::primitives::{Address, U256};
use clap::{ArgGroup, Args};
use serde::Serialize;
use tenon_circuits::rollup::{self, NO_ACCOUNT, PublicKey, Recipient, field, json::KeyFile};
use tenon_prover::user::queue::{self, Deposit, DepositPlan, Queued};

use super::{
    access::{self, Access, Connection, Transaction, amount, blame, time},
    failure::{Blame, Failure, Outcome},
};

/// Deposits ether or a token from L1, into an account or a new one.
///
/// The deposit waits in the contract's queue until the operator, or after the deadline anybody, consumes it.
#[derive(Debug, Args)]
#[command(name = "deposit", group = ArgGroup::new("key").required(true).multiple(false).args(["key_file", "public_key"]))]
pub struct DepositCommand {
    #[command(flatten)]
    access: Access,
    /// The token: its id, or ETH.
    #[arg(long, value_name = "ID|ETH", value_parser = token)]
    token: u32,
    /// How much, in the token's smallest unit (wei for ether).
    #[arg(long, value_name = "AMOUNT")]
    amount: u128,
    /// Key file of the account's key, as `tenon wallet new` makes it.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The account's public key, its two coordinates in hexadecimal.
    #[arg(long, value_name = "X,Y", value_parser = public_key)]
    public_key: Option<PublicKey>,
    /// The L1 address that may withdraw; the one that pays, without it.
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Address>,
    /// Index of the account to credit, whose token, key and owner have to be those given; a new one without it.
    #[arg(long, value_name = "ACCOUNT")]
    to: Option<u32>,
}

fn token(text: &str) -> Result<u32, String> {
    if text.eq_ignore_ascii_case("eth") {
        return Ok(0);
    }
    text.parse().map_err(|_| format!("expected ETH or a token's id, found {text:?}"))
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    let (x, y) =
        text.split_once(',').ok_or_else(|| "expected two coordinates with a comma between".to_owned())?;
    let coordinate = |text: &str| field::from_hex(text.trim()).map_err(|error| error.to_string());
    Ok(PublicKey { x: coordinate(x)?, y: coordinate(y)? })
}

#[derive(Debug, Serialize)]
struct Plan {
    from: String,
    token: u32,
    token_address: Option<String>,
    amount: String,
    public_key: [String; 2],
    owner: String,
    to: Option<u32>,
    approvals: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Done {
    operation: u64,
    deadline: u32,
    amount: String,
    transactions: Vec<Transaction>,
}

impl DepositCommand {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let key = self.key()?;
        if !key.point().is_on_curve() {
            return Err(Failure::request_text(
                "--public-key: expected a point of Baby Jubjub, found another: nothing could sign for the account",
            ));
        }
        let amount = self.amount;
        if amount == 0 {
            return Err(Failure::request_text("--amount: expected at least 1, found 0"));
        }
        let connection = self.access.connect(None).await?;
        let (contract, sender) = (connection.contract(), connection.sender()?);
        let owner = self.owner.unwrap_or(sender.address());
        if owner.is_zero() {
            return Err(Failure::request_text("--owner: expected an address that isn't zero"));
        }
        let recipient = Recipient { key, owner: rollup::Address(owner.into_array()) };
        let deposit = Deposit { token: self.token, amount, recipient, to: self.to.unwrap_or(NO_ACCOUNT) };
        let plan = queue::plan_deposit(&contract, sender.address(), deposit).await.map_err(blame)?;
        let report = self.plan(sender.address(), owner, &plan);
        if !self.access.confirm(&report, &self.plan_lines(&report))? {
            return Ok(());
        }
        let queued = queue::deposit(&contract, &sender, &plan).await.map_err(blame)?;
        self.done(&connection, &report, &queued).await
    }

    fn key(&self) -> Outcome<PublicKey> {
        let Some(path) = &self.key_file else {
            return self
                .public_key
                .ok_or_else(|| Failure::request_text("expected --key-file or --public-key"));
        };
        let name = format!("key file {}", path.display());
        let text = fs::read_to_string(path).or_request(&name)?;
        Ok(KeyFile::from_json(&text).or_request(name)?.key.public_key())
    }

    fn plan(&self, from: Address, owner: Address, plan: &DepositPlan) -> Plan {
        let key = plan.deposit.recipient.key;
        Plan {
            from: from.to_string(),
            token: self.token,
            token_address: plan.token.map(|address| address.to_string()),
            amount: self.amount.to_string(),
            public_key: [&key.x, &key.y].map(field::to_hex),
            owner: owner.to_string(),
            to: self.to,
            approvals: plan.approvals.iter().map(ToString::to_string).collect(),
        }
    }

    fn plan_lines(&self, plan: &Plan) -> Vec<String> {
        let mut lines = vec![
            format!("deposits {} from {}", amount(self.token, U256::from(self.amount)), plan.from),
            match self.to {
                Some(index) => format!(
                    "into account {index}, if it holds that token and has the key and owner below; else it comes \
                     back as a withdrawal to the owner"
                ),
                None => "into a new account".to_owned(),
            },
            format!("key   {}\n      {}", plan.public_key[0], plan.public_key[1]),
            format!("owner {}", plan.owner),
        ];
        if let Some(address) = &plan.token_address {
            lines.push(match plan.approvals.len() {
                0 => format!("token {address}, which the contract may take already"),
                count => format!(
                    "token {address}, which the contract is allowed to take first ({count} transactions)"
                ),
            });
        }
        lines
    }

    async fn done(&self, connection: &Connection, plan: &Plan, queued: &Queued) -> Outcome {
        let now = connection.now().await?;
        let transactions: Vec<Transaction> = queued.transactions.iter().map(Transaction::from).collect();
        let mut lines: Vec<String> =
            transactions.iter().map(|transaction| format!("sent {}", transaction.text())).collect();
        if queued.amount != self.amount {
            lines.push(format!("the contract received {}", amount(self.token, U256::from(queued.amount))));
        }
        lines.extend(after(queued, now));
        let done = Done {
            operation: queued.position,
            deadline: queued.deadline,
            amount: queued.amount.to_string(),
            transactions,
        };
        self.access.report(plan, &done, &lines)
    }
}

/// What the user can count on, and can do, once an operation is queued.
pub fn after(queued: &Queued, now: u64) -> Vec<String> {
    vec![
        format!("operation {} of the queue", queued.position),
        format!("to be consumed by {}", access::time(queued.deadline.into(), now)),
        "after that, anybody can settle in the operator's place: tenon takeover".to_owned(),
        format!(
            "from {} on, anybody can freeze the contract, and accounts leave by themselves: tenon escape --freeze",
            time(queued.freeze_from(), now)
        ),
    ]
}
