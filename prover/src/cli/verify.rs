//! `tenon verify`: checking a proof in a file.

use std::{fs::File, io::Read, path::PathBuf};

use clap::Args;
use serde::Serialize;
use tenon_circuits::{
    aggregation::{self, AggregateProof},
    halo2::{
        KeyError, KeyInfo, KeyStore, LeafProof, SrsSource, VerifyError, leaf::SizeClass, needed_to_verify,
    },
    public_inputs::{BatchPublicInputs, LeafPublicInputs},
    rollup::{Fr, field},
};
use tenon_prover::{Config, circuit_engine::size_class};

use super::{
    failure::{Blame, Failure, Outcome},
    output,
    settings::{KeysOnly, Settings},
};

/// Most bytes of a proof file; an aggregation of 16 leaves has some thousand.
const MAX_PROOF_FILE_BYTES: u64 = 1 << 20;

/// Files of [`needed_to_verify`] that leaf proofs are checked with: set-up string and verifying key.
const LEAF_FILES: usize = 2;

/// Checks a leaf proof or an aggregate proof with the keys of this machine.
///
/// Exit codes: 0 the proof is valid, 1 it isn't or couldn't be checked, 2 the file holds no proof.
#[derive(Debug, Args)]
pub struct Verify {
    /// The proof as JSON, as `tenon proof --out` writes it.
    file: PathBuf,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings<KeysOnly>,
}

/// A proof from a file.
#[derive(Debug)]
enum Proof {
    Leaf(Box<LeafProof>),
    Aggregate(AggregateProof),
}

#[derive(Debug, Serialize)]
struct Statement {
    domain: String,
    /// None where the public input is no batch's: such a proof can't be valid.
    number: Option<u64>,
    timestamp: Option<u32>,
    state_in: String,
    state_out: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_in: Option<String>,
    commit: String,
}

#[derive(Debug, Serialize)]
struct Report {
    kind: &'static str,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    proof_bytes: usize,
    keys: KeyInfo,
    statements: Vec<Statement>,
}

impl Verify {
    /// Checks it.
    pub async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        let proof = self.read()?;
        let (verdict, keys) = check(&config, &proof)?;
        let reason = match verdict {
            Ok(()) => None,
            Err(VerifyError::Key(error)) => return Err(error).or_work("keys"),
            Err(error) => Some(error.to_string()),
        };
        let (kind, proof_bytes, statements) = match &proof {
            Proof::Leaf(proof) => ("leaf", proof.proof.len(), vec![Statement::leaf(&proof.public_inputs)]),
            Proof::Aggregate(proof) => {
                ("aggregate", proof.proof.len(), proof.batches.iter().map(Statement::batch).collect())
            }
        };
        let report = Report { kind, valid: reason.is_none(), reason, proof_bytes, keys, statements };
        if self.json {
            output::json(&report)?;
        } else if report.valid {
            report.print()?;
        }
        match report.reason {
            None => Ok(()),
            Some(reason) => Err(Failure::work_text(format!(
                "{}: not a valid {kind} proof under keys {}: {reason}",
                self.file.display(),
                hex::encode(report.keys.digest)
            ))),
        }
    }

    fn read(&self) -> Outcome<Proof> {
        let name = self.file.display().to_string();
        let mut text = String::new();
        File::open(&self.file)
            .and_then(|file| file.take(MAX_PROOF_FILE_BYTES + 1).read_to_string(&mut text))
            .or_request(&name)?;
        if text.len() as u64 > MAX_PROOF_FILE_BYTES {
            return Err(Failure::request_text(format!(
                "{name}: expected a proof of at most {MAX_PROOF_FILE_BYTES} bytes, found a longer file"
            )));
        }
        let value: serde_json::Value = serde_json::from_str(&text).or_request(&name)?;
        if value.get("batches").is_some() {
            let proof = serde_json::from_str(&text).or_request(format!("{name}: aggregate proof"))?;
            Ok(Proof::Aggregate(proof))
        } else if value.get("public_inputs").is_some() {
            let proof = serde_json::from_str(&text).or_request(format!("{name}: leaf proof"))?;
            Ok(Proof::Leaf(Box::new(proof)))
        } else {
            Err(Failure::request_text(format!(
                "{name}: expected an aggregate proof {{batches, proof}} or a leaf proof {{public_inputs, proof}}, \
                 found neither"
            )))
        }
    }
}

/// Checks a proof with keys that are there already: none are made to check a proof that they can't have made.
fn check(config: &Config, proof: &Proof) -> Outcome<(Result<(), VerifyError>, KeyInfo)> {
    let class = size_class(&config.size_class).or_request("settings")?;
    let files = needed_to_verify(&config.keys_dir, class, config.aggregation_leaves);
    let needed = match proof {
        Proof::Leaf(_) => files.get(..LEAF_FILES).unwrap_or(&files),
        Proof::Aggregate(_) => &files,
    };
    if let Some(missing) = needed.iter().find(|path| !path.is_file()) {
        return Err(Failure::work_text(format!(
            "{} is missing; name the directory of the keys that the proof was made with (--keys-dir, --size-class, \
             --aggregation-leaves), or make keys with `tenon keys setup`",
            missing.display()
        )));
    }
    verdict(config, class, proof).or_work("keys")
}

fn verdict(
    config: &Config,
    class: SizeClass,
    proof: &Proof,
) -> Result<(Result<(), VerifyError>, KeyInfo), KeyError> {
    let store = KeyStore::open(&config.keys_dir)?;
    Ok(match proof {
        Proof::Leaf(proof) => {
            let verifier = store.leaf_verifier(class)?;
            (verifier.verify_leaf_proof(proof), verifier.info().clone())
        }
        Proof::Aggregate(proof) => {
            let verifier = store.aggregation_verifier(class, config.aggregation_leaves)?;
            (aggregation::verify_aggregate(&verifier, proof), verifier.info().clone())
        }
    })
}

/// A batch's number and timestamp in their common public input.
fn number_and_timestamp(batch: &Fr) -> Option<(u64, u32)> {
    let bytes = field::to_bytes(batch);
    let (rest, number) = bytes.split_last_chunk::<8>()?;
    let (rest, timestamp) = rest.split_last_chunk::<4>()?;
    let is_batch = rest.iter().all(|byte| *byte == 0);
    is_batch.then(|| (u64::from_be_bytes(*number), u32::from_be_bytes(*timestamp)))
}

impl Statement {
    fn batch(inputs: &BatchPublicInputs) -> Self {
        let (number, timestamp) = number_and_timestamp(&inputs.batch).unzip();
        Self {
            domain: field::to_hex(&inputs.domain),
            number,
            timestamp,
            state_in: field::to_hex(&inputs.state_in),
            state_out: field::to_hex(&inputs.state_out),
            commit_in: None,
            commit: field::to_hex(&inputs.commit),
        }
    }

    fn leaf(inputs: &LeafPublicInputs) -> Self {
        let (number, timestamp) = number_and_timestamp(&inputs.batch).unzip();
        Self {
            domain: field::to_hex(&inputs.domain),
            number,
            timestamp,
            state_in: field::to_hex(&inputs.state_in),
            state_out: field::to_hex(&inputs.state_out),
            commit_in: Some(field::to_hex(&inputs.commit_in)),
            commit: field::to_hex(&inputs.commit_out),
        }
    }

    fn print(&self) -> Outcome {
        let name = match (self.number, self.timestamp, &self.commit_in) {
            (Some(number), Some(timestamp), None) => format!("batch {number} at {timestamp}"),
            (Some(number), Some(timestamp), Some(_)) => format!("a chunk of batch {number} at {timestamp}"),
            _ => "something that is no batch".to_owned(),
        };
        output::line(name)?;
        let mut rows = vec![
            ["  domain", &self.domain],
            ["  state before", &self.state_in],
            ["  state after", &self.state_out],
        ];
        if let Some(commit) = &self.commit_in {
            rows.push(["  commitment before", commit]);
        }
        rows.push(["  commitment", &self.commit]);
        for [name, value] in rows {
            output::line(format!("{name:20} {value}"))?;
        }
        Ok(())
    }
}

impl Report {
    fn print(&self) -> Outcome {
        output::line(format!("valid {} proof of {} bytes", self.kind, self.proof_bytes))?;
        for statement in &self.statements {
            statement.print()?;
        }
        output::line(format!(
            "under keys {} ({}, {}, k = {})",
            hex::encode(self.keys.digest),
            self.keys.name,
            self.keys.class,
            self.keys.k
        ))?;
        match self.keys.srs_source {
            SrsSource::Development => output::line(output::INSECURE_SETUP),
            SrsSource::Imported => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tenon_circuits::public_inputs::batch_input;

    use super::*;

    #[test]
    fn number_and_timestamp_come_back() {
        assert_eq!(number_and_timestamp(&batch_input(7, 1_700_000_000)), Some((7, 1_700_000_000)));
        assert_eq!(number_and_timestamp(&batch_input(u64::MAX, u32::MAX)), Some((u64::MAX, u32::MAX)));
        assert_eq!(number_and_timestamp(&(batch_input(u64::MAX, u32::MAX) + Fr::from(1u64))), None);
    }
}
