//! What the commands of users have in common: the contract on L1, the key that pays, and asking before anything is sent.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy::primitives::{Address, U256};
use chrono::DateTime;
use clap::Args;
use serde::Serialize;
use tenon_prover::{
    executor::genesis_state,
    l1::{At, Chain, DEVELOPMENT_CHAINS, Inclusion, KEY_VARIABLE, L1Key, Node, rollup::RollupContract},
    settlement::{
        Archive,
        rebuild::{Rebuilt, Sources, rebuild},
    },
    store::place::Place,
    user::{self, Sender, UserError},
};
use tokio::runtime::Handle;

use super::{
    failure::{Blame, Failure, Outcome},
    output,
    progress::Progress,
};

/// The contract on L1 and the key that pays.
#[derive(Debug, Args)]
pub struct Access {
    /// JSON-RPC address of an L1 node, such as <http://127.0.0.1:8545>.
    #[arg(long, value_name = "URL")]
    l1: String,
    /// The rollup contract.
    #[arg(long, value_name = "ADDRESS")]
    rollup: Address,
    /// File with the hex private key that pays on L1. Without it the environment's TENON_L1_PRIVATE_KEY; on a
    /// development chain, without that too, the first development key of anvil.
    #[arg(long, value_name = "FILE")]
    l1_key_file: Option<PathBuf>,
    /// Says what would be done, and does nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Doesn't ask before it sends anything. Without a terminal nothing is asked anyway.
    #[arg(long)]
    yes: bool,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// A connection to the contract.
#[derive(Debug)]
pub struct Connection {
    node: Arc<Node>,
    rollup: Address,
    /// The chain's id.
    pub chain_id: u64,
    key: Option<L1Key>,
}

impl Access {
    /// Connects, and checks that the contract is there.
    pub async fn connect(&self, beacon: Option<&str>) -> Outcome<Connection> {
        let source = if self.l1_key_file.is_some() { "--l1-key-file" } else { KEY_VARIABLE };
        let key = L1Key::named(self.l1_key_file.as_deref()).or_request(source)?;
        let node = Node::new(&self.l1, beacon).or_request("--l1")?;
        let chain_id = node.chain_id().await.or_work("--l1")?;
        let key = match key {
            None if DEVELOPMENT_CHAINS.contains(&chain_id) => {
                Some(L1Key::development().or_work("development key")?)
            }
            key => key,
        };
        let contract = RollupContract { chain: &node, address: self.rollup };
        user::require_rollup(&contract).await.or_request("--rollup")?;
        Ok(Connection { node: Arc::new(node), rollup: self.rollup, chain_id, key })
    }

    /// Shows the plan and asks whether to go on. `false` where nothing is to be done.
    pub fn confirm(&self, plan: &impl Serialize, lines: &[String]) -> Outcome<bool> {
        if self.dry_run && self.json {
            output::json(&serde_json::json!({ "dry_run": true, "plan": plan }))?;
            return Ok(false);
        }
        for line in lines {
            if self.json { note(line) } else { output::line(line)? }
        }
        if self.dry_run {
            output::line("nothing was sent")?;
            return Ok(false);
        }
        let (input, answers) = (io::stdin(), io::stderr());
        if self.yes || !input.is_terminal() || !answers.is_terminal() {
            return Ok(true);
        }
        // A question that can't be asked is answered by the input's end.
        let _ = write!(answers.lock(), "go on? [y/N] ").and_then(|()| answers.lock().flush());
        let mut answer = String::new();
        input.lock().read_line(&mut answer).or_work("standard input")?;
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(true);
        }
        Err(Failure::request_text("nothing was sent"))
    }

    /// Shows what was done.
    pub fn report(&self, plan: &impl Serialize, done: &impl Serialize, lines: &[String]) -> Outcome {
        if self.json {
            return output::json(&serde_json::json!({ "dry_run": false, "plan": plan, "done": done }));
        }
        for line in lines {
            output::line(line)?;
        }
        Ok(())
    }
}

/// A line for people where standard output is for programs.
fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

impl Connection {
    /// The contract.
    pub fn contract(&self) -> RollupContract<'_> {
        RollupContract { chain: &*self.node, address: self.rollup }
    }

    /// The account that pays.
    pub fn sender(&self) -> Outcome<Sender<'_>> {
        let key = self.key.as_ref().ok_or_else(|| {
            Failure::request_text(format!(
                "--l1-key-file or {KEY_VARIABLE}: expected a key on chain {}, found none",
                self.chain_id
            ))
        })?;
        Ok(Sender { chain: &*self.node, key })
    }

    /// The address given, or that of the account that pays.
    pub fn owner(&self, given: Option<Address>) -> Outcome<Address> {
        match given {
            Some(owner) => Ok(owner),
            None => Ok(self.sender()?.address()),
        }
    }

    /// The time of the chain's newest block.
    pub async fn now(&self) -> Outcome<u64> {
        let block = self.node.block(At::Latest).await.or_work("--l1")?;
        Ok(block.map_or(0, |block| block.timestamp))
    }
}

/// Where the rollup's history is.
#[derive(Debug, Args)]
pub struct History {
    /// HTTP address of a beacon node that still has the blobs; the L1 node is asked without it.
    #[arg(long, value_name = "URL")]
    pub beacon: Option<String>,
    /// Directory or bucket (s3://BUCKET/PREFIX) with blobs, and perhaps snapshots, that anybody has kept; may be given
    /// several times. What it holds is checked against L1.
    #[arg(long = "archive", value_name = "PLACE")]
    archives: Vec<String>,
    /// The block in which the contract was deployed, to save time.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    from_block: u64,
    /// The accounts that a demonstration starts with; every other rollup starts empty.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

impl History {
    fn archives(&self, more: &[PathBuf]) -> Outcome<Vec<Archive>> {
        let mut archives = Vec::with_capacity(self.archives.len() + more.len());
        for place in &self.archives {
            archives.push(if place.starts_with("s3://") {
                Archive::at(Place::bucket(place, Handle::current()).or_request("--archive")?)
            } else {
                Archive::new(Path::new(place))
            });
        }
        archives.extend(more.iter().map(|path| Archive::new(path)));
        Ok(archives)
    }

    /// Rebuilds the last final state, with `more` archives; from a snapshot in one of them only where that is wanted.
    pub async fn rebuild(
        &self,
        contract: &RollupContract<'_>,
        more: &[PathBuf],
        use_snapshots: bool,
        quiet: bool,
    ) -> Outcome<Rebuilt> {
        let genesis = genesis_state(self.genesis.as_deref()).or_request("--genesis")?;
        let progress = Progress::new(quiet);
        let work = progress.percentage("batches");
        let sources = Sources {
            chain: contract.chain,
            rollup: contract.address,
            first_block: self.from_block,
            genesis,
            archives: self.archives(more)?,
            use_snapshots,
        };
        let rebuilt = rebuild(sources, |done, count| {
            let percent = u32::try_from(100 * done / count.max(1)).unwrap_or(100);
            work.update(Some(percent), &format!("{done} of {count}"));
        })
        .await
        .or_work("rebuilding the state")?;
        work.done("rebuilt");
        Ok(rebuilt)
    }
}

/// Says whose fault a user's error is.
pub fn blame(error: UserError) -> Failure {
    match error {
        UserError::NotARollup { .. }
        | UserError::TokenUnknown { .. }
        | UserError::Funds { .. }
        | UserError::TooEarly { .. }
        | UserError::QueueEmpty(_)
        | UserError::NotFrozen
        | UserError::Frozen
        | UserError::Contradicted(_)
        | UserError::NotOpen
        | UserError::NotOwned { .. }
        | UserError::TooManyOperations { .. }
        | UserError::Committee
        | UserError::OtherKeys { .. }
        | UserError::ProofKinds(_) => Failure::request(error),
        _ => Failure::work(error),
    }
}

/// A transaction for reports.
#[derive(Clone, Debug, Serialize)]
pub struct Transaction {
    /// Its hash.
    pub hash: String,
    block: u64,
    gas_used: u64,
    cost_wei: String,
}

impl From<&Inclusion> for Transaction {
    fn from(inclusion: &Inclusion) -> Self {
        Self {
            hash: inclusion.transaction.to_string(),
            block: inclusion.block,
            gas_used: inclusion.gas_used,
            cost_wei: inclusion.cost_wei.to_string(),
        }
    }
}

impl Transaction {
    /// The transaction in words.
    pub fn text(&self) -> String {
        format!("{} in block {}, {} gas", self.hash, self.block, output::grouped(self.gas_used))
    }
}

/// An amount with its token, ether's in ether too.
pub fn amount(token: u32, amount: U256) -> String {
    if token != user::tokens::ETHER {
        return format!("{amount} of token {token}");
    }
    let (whole, rest) = amount.div_rem(U256::from(10).pow(U256::from(18)));
    let fraction = format!("{rest:0>18}");
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        format!("{amount} wei ({whole} ETH)")
    } else {
        format!("{amount} wei ({whole}.{fraction} ETH)")
    }
}

/// A time in Unix seconds, and how far it is from another.
pub fn time(seconds: u64, now: u64) -> String {
    let date = date(seconds);
    match seconds.checked_sub(now) {
        Some(0) => format!("{date}, now"),
        Some(ahead) => format!("{date}, in {}", duration(ahead)),
        None => format!("{date}, {} ago", duration(now - seconds)),
    }
}

fn duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds % 86_400 / 3_600, seconds % 3_600 / 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A date in the Gregorian calendar, UTC.
fn date(seconds: u64) -> String {
    let date = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    date.map_or_else(|| seconds.to_string(), |date| date.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times_for_people() {
        assert_eq!(amount(0, U256::from(1_500_000_000_000_000_000_u64)), "1500000000000000000 wei (1.5 ETH)");
        assert_eq!(amount(0, U256::from(7)), "7 wei (0.000000000000000007 ETH)");
        assert_eq!(amount(3, U256::from(7)), "7 of token 3");
        assert_eq!(time(0, 0), "1970-01-01 00:00:00 UTC, now");
        assert_eq!(time(951_782_400, 951_782_400 - 90_000), "2000-02-29 00:00:00 UTC, in 1 d 1 h");
        assert_eq!(time(1_767_225_599, 1_767_225_600), "2025-12-31 23:59:59 UTC, 1 s ago");
    }
}
