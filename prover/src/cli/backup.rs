//! `tenon backup`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tenon_prover::backup::{BackupError, backup};

use super::{
    failure::{Failure, Outcome},
    output,
};

/// Copies the log of batches and the archive of blobs, which can't be made again, while the service runs. The copy is a
/// data directory that a service starts from; a copy from an earlier time is brought up to date.
#[derive(Debug, Args)]
pub struct BackupCommand {
    /// Where to.
    target: PathBuf,
    /// The service's data directory.
    #[arg(long, env = "TENON_DATA_DIR", value_name = "DIR", default_value = ".tenon/data")]
    data_dir: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

impl BackupCommand {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let done = backup(&self.data_dir, &self.target).await.map_err(|error| match error {
            BackupError::Missing(_) | BackupError::InUse(_) => Failure::request(error),
            error => Failure::work(error),
        })?;
        if self.json {
            return output::json(
                &json!({ "batches": done.batches, "copied": done.copied, "kept": done.kept }),
            );
        }
        output::line(format!(
            "{} batches; {} files of the archive copied, {} were there",
            done.batches, done.copied, done.kept
        ))
    }
}
