//! `tenon doctor`: everything that the service needs, looked at before it is needed.

use clap::Args;
use serde::Serialize;
use tenon_circuits::{
    halo2::{Content, KeyStore, SrsSource, stored_files},
    rollup::{self, field},
};
use tenon_prover::{
    Config,
    circuit_engine::size_class,
    executor::genesis_state,
    l1::{self, Chain, L1Error, Node, Position, rollup::RollupContract},
};

use super::{
    failure::{Failure, Outcome},
    output,
    preflight::{self, Check, Status},
    progress::Progress,
    settings::{All, Settings},
};

/// Checks everything that the service needs on this machine, and its contract on L1.
///
/// Exit code 1 when a check fails.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The chain's JSON-RPC interface, such as `http://127.0.0.1:8545`: look at the chain and, with
    /// `--rollup-address`, at the contract too.
    #[arg(long, value_name = "URL")]
    l1: Option<String>,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings<All>,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    healthy: bool,
    checks: &'a [Check],
}

impl Doctor {
    /// Runs the checks.
    pub async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        let progress = Progress::new(self.json);
        let mut checks = preflight::checks(&config);
        let work = progress.work("keys");
        work.update(None, "checking digests");
        checks.extend(key_files(&config));
        drop(work);
        if let Some(url) = &self.l1 {
            let work = progress.work("L1");
            work.update(None, url);
            checks.extend(chain(&config, url).await);
        }

        let failed = checks.iter().filter(|check| check.status == Status::Fail).count();
        if self.json {
            output::json(&Report { healthy: failed == 0, checks: &checks })?;
        } else {
            print(&checks)?;
        }
        if failed == 0 {
            return Ok(());
        }
        Err(Failure::work_text(format!("{failed} of {} checks failed", checks.len())))
    }
}

fn print(checks: &[Check]) -> Outcome {
    for check in checks {
        output::line(format!("{:4}  {:18} {}", check.status.as_str(), check.name, check.found))?;
        if let Some(advice) = &check.advice {
            output::line(format!("{:24} -> {advice}", ""))?;
        }
    }
    Ok(())
}

/// Digests of all stored files, and where the set-up comes from.
fn key_files(config: &Config) -> Option<Check> {
    let name = "key files";
    let files = match stored_files(&config.keys_dir) {
        Ok(files) if files.is_empty() => return None,
        Ok(files) => files,
        Err(error) => return Some(Check::fail(name, error.to_string(), "make the directory readable")),
    };
    let errors: Vec<_> =
        files.iter().filter_map(|file| Some(file.content.as_ref().err()?.to_string())).collect();
    let development = files.iter().any(|file| match &file.content {
        Ok(Content::Keys(info) | Content::VerifyingKey(info)) => info.srs_source == SrsSource::Development,
        Ok(Content::Srs { source, .. }) => *source == SrsSource::Development,
        _ => false,
    });
    Some(if !errors.is_empty() {
        Check::fail(name, errors.join("; "), "delete what is unusable and run `tenon keys setup`")
    } else if development {
        Check::warn(name, output::INSECURE_SETUP, "use keys of an imported set-up for anything of value")
    } else {
        Check::ok(name, format!("{} files with the digests that they should have", files.len()))
    })
}

/// The chain, and the contract on it.
async fn chain(config: &Config, url: &str) -> Vec<Check> {
    let name = "L1";
    let connected = match Node::new(url, None) {
        Ok(chain) => chain.chain_id().await.map(|chain_id| (chain, chain_id)),
        Err(error) => Err(error),
    };
    let (chain, chain_id) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            return vec![Check::fail(name, error.to_string(), "see that a node answers at this URL")];
        }
    };
    let mut checks = vec![if chain_id == config.chain_id {
        Check::ok(name, format!("{url} answers for chain {chain_id}"))
    } else {
        Check::fail(
            name,
            format!("chain id: expected {}, found {chain_id}", config.chain_id),
            "name the chain with --chain-id, or another node with --l1",
        )
    }];
    if config.rollup_address != [0; 20] {
        checks.extend(contract(config, &chain).await);
    }
    checks
}

async fn contract(config: &Config, chain: &Node) -> Vec<Check> {
    let name = "contract";
    let contract = RollupContract { chain, address: config.rollup_address.into() };
    match l1::position(&contract).await {
        Ok(position) => {
            vec![domain(config, &position), settled(config, &position), verifying_key(config, &position)]
        }
        Err(error @ L1Error::Unreachable { .. }) => {
            vec![Check::fail(name, error.to_string(), "see that the node stays reachable")]
        }
        Err(error) => vec![Check::fail(
            name,
            format!("no rollup answers at {}: {error}", output::hex(config.rollup_address)),
            "name the contract with --rollup-address, or deploy one with `tenon contracts deploy`",
        )],
    }
}

fn domain(config: &Config, position: &Position) -> Check {
    let name = "domain";
    let expected = rollup::domain(config.chain_id, rollup::Address(config.rollup_address));
    if position.domain == expected {
        return Check::ok(name, field::to_hex(&expected));
    }
    Check::fail(
        name,
        format!(
            "expected {}, the contract has {}",
            field::to_hex(&expected),
            field::to_hex(&position.domain)
        ),
        "the contract is of another protocol version or chain: check --chain-id and --rollup-address",
    )
}

/// Where the contract stands; before its first batch, whether its genesis state is ours.
fn settled(config: &Config, position: &Position) -> Check {
    let name = "contract's state";
    let state = field::to_hex(&position.state);
    if position.last_batch > 0 {
        return Check::ok(name, format!("{state} after batch {}", position.last_batch));
    }
    match genesis_state(config.genesis.as_deref()) {
        Ok(genesis) if genesis.commitment() == position.state => {
            Check::ok(name, format!("{state}, that of the genesis file"))
        }
        Ok(genesis) => Check::fail(
            name,
            format!("expected the genesis state {}, found {state}", field::to_hex(&genesis.commitment())),
            "name the genesis file that the contract was deployed with, with --genesis",
        ),
        Err(error) => Check::fail(name, error.to_string(), "correct the genesis file"),
    }
}

/// Whether the contract's verifier takes proofs under the keys of this machine.
fn verifying_key(config: &Config, position: &Position) -> Check {
    let name = "verifying key";
    let found = position.verifying_key_hash;
    if !preflight::missing_keys(config).is_empty() {
        return Check::warn(
            name,
            format!("the contract's is {found}, and there are no keys here to compare it with"),
            "run `tenon keys setup` first",
        );
    }
    match own_verifying_key(config) {
        Ok((own, source)) if own == found => Check::ok(name, format!("{own}, set-up {source}")),
        Ok((own, _)) => Check::fail(
            name,
            format!("expected {own}, the contract's verifier takes {found}"),
            "use the keys that the contract was deployed for (--keys-dir, --size-class, --aggregation-leaves), \
             or deploy it anew",
        ),
        Err(error) => Check::fail(name, error, "delete what is unusable and run `tenon keys setup`"),
    }
}

/// The hash of the verifying key of this machine's keys, which are there, and where their set-up comes from.
fn own_verifying_key(config: &Config) -> Result<(alloy::primitives::B256, SrsSource), String> {
    let class = size_class(&config.size_class).map_err(|error| error.to_string())?;
    let store = KeyStore::open(&config.keys_dir).map_err(|error| error.to_string())?;
    let aggregates =
        store.aggregation_verifier(class, config.aggregation_leaves).map_err(|error| error.to_string())?;
    let verifier = l1::verifier(&aggregates).map_err(|error| error.to_string())?;
    Ok((l1::verifying_key_hash(&verifier), aggregates.info().srs_source))
}
