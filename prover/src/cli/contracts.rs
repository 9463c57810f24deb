//! `tenon contracts`: the contracts on L1.

use std::{
    fs,
    path::{Path, PathBuf},
};

use alloy::primitives::{Address, U256};
use clap::{Args, Subcommand};
use serde::Serialize;
use tenon_circuits::{
    halo2::SrsSource,
    rollup::{Fr, PROTOCOL_VERSION, State, field},
};
use tenon_contracts::{
    artifacts::{ARTIFACTS, SOURCES, VERIFIER_JSON, VERIFIER_SOURCE},
    deployment::{DEFAULT_CLAIM_DELAY, DEFAULT_EXIT_FEE, DataMode, Parameters, verifying_key_init_code},
};
use tenon_prover::{
    executor::genesis_state,
    l1::{self, Chain, DEVELOPMENT_CHAINS, L1Key, Node, Sender},
};

use super::{
    failure::{Blame, Failure, Outcome},
    output, preflight,
    progress::Progress,
    settings::{KeysOnly, Settings},
};

/// Exports or deploys the contracts.
#[derive(Debug, Subcommand)]
pub enum Contracts {
    /// Writes sources, ABIs, code and the verifying key, for deploying with other tools.
    Export(Export),
    /// Deploys verifier and rollup.
    Deploy(Deploy),
}

impl Contracts {
    /// Runs it.
    pub async fn run(self) -> Outcome {
        match self {
            Self::Export(command) => command.run().await,
            Self::Deploy(command) => command.run().await,
        }
    }
}

/// Writes the contracts for the keys that the settings name.
#[derive(Debug, Args)]
pub struct Export {
    /// Directory to write to, made where missing. Files of an earlier export are replaced.
    directory: PathBuf,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings<KeysOnly>,
}

/// What a deployer has to know besides code and ABIs.
#[derive(Debug, Serialize)]
struct ExportReport {
    protocol_version: &'static str,
    size_class: String,
    aggregation_leaves: usize,
    key_digest: String,
    srs_source: SrsSource,
    srs_digest: String,
    /// Whether `artifacts/Verifier.json` is there: it is for the usual number of leaves, others need a compiler.
    compiled_verifier: bool,
    verifying_key_bytes: usize,
    /// Keccak-256 of the verifying key.
    verifying_key_hash: String,
    /// Data of the transaction that creates the contract whose code is the verifying key.
    verifying_key_init_code: String,
    verifier_constructor: [&'static str; 2],
    files: Vec<String>,
}

impl Export {
    async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        let progress = Progress::new(self.json);
        let aggregates = preflight::verifier(&config, &progress).await?;
        let info = aggregates.info();
        let verifier = l1::verifier(&aggregates).or_work("verifier contract")?;
        let init_code = verifying_key_init_code(&verifier.verifying_key).or_work("verifying key")?;
        let compiled_verifier = verifier.solidity == VERIFIER_SOURCE;

        let mut files: Vec<(String, &[u8])> = vec![
            ("src/generated/Verifier.sol".to_owned(), verifier.solidity.as_bytes()),
            ("verifying-key.bin".to_owned(), &verifier.verifying_key),
        ];
        files.extend(SOURCES.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes())));
        files
            .extend(ARTIFACTS.iter().map(|(name, json)| (format!("artifacts/{name}.json"), json.as_bytes())));
        let artifact = "artifacts/Verifier.json";
        if compiled_verifier {
            files.push((artifact.to_owned(), VERIFIER_JSON.as_bytes()));
        } else {
            // One of an earlier export would be for another verifier.
            remove(&self.directory.join(artifact))?;
        }
        for (name, content) in &files {
            write(&self.directory.join(name), content)?;
        }
        let description = "deployment.json";
        let report = ExportReport {
            protocol_version: PROTOCOL_VERSION,
            size_class: config.size_class,
            aggregation_leaves: config.aggregation_leaves,
            key_digest: hex::encode(info.digest),
            srs_source: info.srs_source,
            srs_digest: hex::encode(info.srs_digest),
            compiled_verifier,
            verifying_key_bytes: verifier.verifying_key.len(),
            verifying_key_hash: output::hex(l1::verifying_key_hash(&verifier)),
            verifying_key_init_code: output::hex(&init_code),
            verifier_constructor: ["address verifyingKey", "bytes32 verifyingKeyHash"],
            files: files.iter().map(|(name, _)| name.clone()).chain([description.to_owned()]).collect(),
        };
        let text = serde_json::to_string_pretty(&report).map_err(Failure::work)? + "\n";
        write(&self.directory.join(description), text.as_bytes())?;

        if self.json {
            return output::json(&report);
        }
        for file in &report.files {
            output::line(self.directory.join(file).display().to_string())?;
        }
        output::line(format!("verifying key hash {}", report.verifying_key_hash))?;
        if !compiled_verifier {
            output::line(format!(
                "no {artifact}: compile src/generated/Verifier.sol, which is for {} leaves per aggregation",
                report.aggregation_leaves
            ))?;
        }
        Ok(())
    }
}

fn write(path: &Path, content: &[u8]) -> Outcome {
    let writing = format!("writing {}", path.display());
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).or_work(&writing)?;
    }
    fs::write(path, content).or_work(writing)
}

fn remove(path: &Path) -> Outcome {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).or_work(format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Deploys the contracts for the keys that the settings name.
#[derive(Debug, Args)]
pub struct Deploy {
    /// The chain's JSON-RPC interface, such as `http://127.0.0.1:8545`.
    #[arg(long, value_name = "URL")]
    l1: String,
    /// File with the hex key that pays; on a development chain, the first development key of anvil without it.
    #[arg(long, value_name = "FILE")]
    l1_key_file: Option<PathBuf>,
    /// Accounts that the rollup starts with, as for `tenon serve`: a demonstration, for development chains only.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Names operators and queues upgrades, which wait 30 days; on a development chain the paying account without it.
    #[arg(long, value_name = "ADDRESS")]
    governor: Option<Address>,
    /// May pause commits and deposits for 48 hours; on a development chain the paying account without it.
    #[arg(long, value_name = "ADDRESS")]
    guardian: Option<Address>,
    /// May end a pause and veto an upgrade; neither governor nor guardian. On a development chain nobody without it.
    #[arg(long, value_name = "ADDRESS")]
    council: Option<Address>,
    /// May commit and prove; several times for several. The paying account without it.
    #[arg(long = "operator", value_name = "ADDRESS")]
    operators: Vec<Address>,
    /// Seconds from a batch's finalization until its withdrawals can be claimed.
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_CLAIM_DELAY)]
    claim_delay: u64,
    /// What a forced exit costs, in wei.
    #[arg(long, value_name = "WEI", default_value_t = DEFAULT_EXIT_FEE)]
    exit_fee: u64,
    /// A member of the committee that keeps the data, instead of blobs; several times for several.
    #[arg(long = "committee-member", value_name = "ADDRESS", requires = "committee_threshold")]
    committee: Vec<Address>,
    /// How many members have to sign: at least 6.
    #[arg(long, value_name = "COUNT", requires = "committee")]
    committee_threshold: Option<u64>,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings<KeysOnly>,
}

#[derive(Debug, Serialize)]
struct DeployReport {
    chain: String,
    chain_id: u64,
    sender: String,
    verifying_key: String,
    verifier: String,
    rollup: String,
    domain: String,
    genesis_state: String,
    verifying_key_hash: String,
    /// The block in which the rollup came to be.
    first_block: u64,
    gas_used: u64,
    srs_source: SrsSource,
}

impl Deploy {
    async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        let genesis = match &self.genesis {
            Some(path) => Some(genesis_state(Some(path)).or_request("--genesis")?.commitment()),
            None => None,
        };
        let (chain, key, chain_id) = connect(&self.l1, self.l1_key_file.as_deref()).await?;
        let sender = Sender { chain: &chain, key: &key };
        let parameters = self.parameters(genesis, chain_id, sender.address())?;
        let progress = Progress::new(self.json);
        let aggregates = preflight::verifier(&config, &progress).await?;
        let srs_source = aggregates.info().srs_source;
        refuse_insecure_chain(srs_source == SrsSource::Development, chain_id)?;
        let verifier = l1::verifier(&aggregates).or_work("verifier contract")?;
        let work = progress.work("contracts");
        work.update(None, &format!("deploying to {}", chain.name()));
        let deployed =
            l1::deploy(&sender, &verifier, &parameters).await.or_work("deploying the contracts")?;
        work.done("deployed");
        let genesis_state = match parameters.genesis_state {
            Some(state) => output::hex(state.to_be_bytes::<32>()),
            None => field::to_hex(&State::new().commitment()),
        };

        let report = DeployReport {
            chain: chain.name(),
            chain_id: deployed.chain_id,
            sender: sender.address().to_string(),
            verifying_key: deployed.verifying_key.to_string(),
            verifier: deployed.verifier.to_string(),
            rollup: deployed.rollup.to_string(),
            domain: field::to_hex(&deployed.domain),
            genesis_state,
            verifying_key_hash: output::hex(l1::verifying_key_hash(&verifier)),
            first_block: deployed.block,
            gas_used: deployed.gas_used,
            srs_source,
        };
        if self.json { output::json(&report) } else { self.print(&report) }
    }

    fn print(&self, report: &DeployReport) -> Outcome {
        let rows = [
            ("verifying key", report.verifying_key.clone()),
            ("verifier", report.verifier.clone()),
            ("rollup", report.rollup.clone()),
            ("chain id", report.chain_id.to_string()),
            ("domain", report.domain.clone()),
            ("genesis state", report.genesis_state.clone()),
            ("verifying key hash", report.verifying_key_hash.clone()),
            ("gas used", output::grouped(report.gas_used)),
            ("set-up", report.srs_source.to_string()),
        ];
        let rows = rows.map(|(name, value)| [name.to_owned(), value]);
        output::line(output::table(["", ""], &rows).trim())?;
        let genesis = self.genesis.as_ref().map(|path| format!(" --genesis {}", path.display()));
        output::line(format!(
            "the service for it: tenon serve --chain-id {} --rollup-address {} --l1-url {} --l1-first-block {}{}",
            report.chain_id,
            report.rollup,
            self.l1,
            report.first_block,
            genesis.unwrap_or_default()
        ))
    }

    /// What the deployer chooses. Nothing of it goes without saying on a chain with real money.
    fn parameters(&self, genesis: Option<Fr>, chain_id: u64, sender: Address) -> Outcome<Parameters> {
        let is_development = DEVELOPMENT_CHAINS.contains(&chain_id);
        let usual = Parameters::of_one(sender);
        let role = |name: &str, given: Option<Address>, usual: Address| match given {
            Some(account) => Ok(account),
            None if is_development => Ok(usual),
            None => Err(Failure::request_text(format!("--{name}: expected on chain {chain_id}, found none"))),
        };
        let genesis_state = match genesis {
            Some(_) if !is_development => {
                return Err(Failure::request_text(format!(
                    "--genesis: expected none on chain {chain_id}: a rollup starts without accounts, but for \
                     demonstrations on development chains"
                )));
            }
            state => state.as_ref().map(l1::to_word),
        };
        let data = match self.committee_threshold {
            Some(threshold) => DataMode::Committee { members: self.committee.clone(), threshold },
            None => DataMode::Blobs,
        };
        Ok(Parameters {
            genesis_state,
            governor: role("governor", self.governor, usual.governor)?,
            guardian: role("guardian", self.guardian, usual.guardian)?,
            council: role("council", self.council, usual.council)?,
            operators: if self.operators.is_empty() { usual.operators } else { self.operators.clone() },
            claim_delay: self.claim_delay,
            exit_fee: U256::from(self.exit_fee),
            data,
        })
    }
}

/// Connects to a chain. Without a key file the first development key of anvil pays, on development chains only.
async fn connect(url: &str, key_file: Option<&Path>) -> Outcome<(Node, L1Key, u64)> {
    let named = key_file.map(L1Key::from_file).transpose().or_request("--l1-key-file")?;
    let chain = Node::new(url, None).or_request("--l1")?;
    let chain_id = chain.chain_id().await.or_work("--l1")?;
    let key = match named {
        Some(key) => key,
        None if DEVELOPMENT_CHAINS.contains(&chain_id) => L1Key::development().or_work("L1 key")?,
        None => {
            return Err(Failure::request_text(format!(
                "--l1-key-file: expected on chain {chain_id}, found none; only the development chains {} can do \
                 without",
                DEVELOPMENT_CHAINS.map(|id| id.to_string()).join(" and ")
            )));
        }
    };
    Ok((chain, key, chain_id))
}

/// Refuses keys of a development set-up on any but the development chains, whose verifier would refuse them.
pub fn refuse_insecure_chain(insecure: bool, chain_id: u64) -> Outcome {
    if insecure && !DEVELOPMENT_CHAINS.contains(&chain_id) {
        return Err(Failure::request_text(format!(
            "the keys have a development set-up, whose verifier refuses chain {chain_id}; use keys of an imported \
             set-up, or one of the chains {}",
            DEVELOPMENT_CHAINS.map(|id| id.to_string()).join(" and ")
        )));
    }
    Ok(())
}
