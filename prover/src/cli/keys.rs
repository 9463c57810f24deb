//! `tenon keys`: making and showing proving keys.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Subcommand};
use serde::Serialize;
use tenon_circuits::{
    KeySet, aggregation,
    halo2::{Content, KeyError, KeyInfo, KeyStore, Srs, SrsSource, StoredFile, stored_files},
};
use tenon_prover::circuit_engine::size_class;

use super::{
    failure::{Blame, Failure, Outcome},
    output,
    progress::Progress,
    settings::{KeysOnly, Settings},
};

/// Makes or shows proving keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Makes what is missing: set-up strings, leaf keys, aggregation keys. Takes minutes the first time.
    Setup(Setup),
    /// Takes the set-up strings from a ceremony's file instead of making insecure ones.
    ImportPtau(ImportPtau),
    /// Shows the keys that are stored, each checked against its digest.
    Show(Show),
}

impl Keys {
    /// Runs it.
    pub async fn run(self) -> Outcome {
        match self {
            Self::Setup(command) => command.run().await,
            Self::ImportPtau(command) => command.run().await,
            Self::Show(command) => command.run(),
        }
    }
}

/// Makes the keys that the settings name.
#[derive(Debug, Args)]
pub struct Setup {
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings<KeysOnly>,
}

#[derive(Debug, Serialize)]
struct SetupReport<'a> {
    directory: &'a Path,
    keys: [&'a KeyInfo; 2],
    insecure_setup: bool,
}

impl Setup {
    async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        let progress = Arc::new(Progress::new(self.json));
        let class = size_class(&config.size_class).or_request("settings")?;
        let leaves = config.aggregation_leaves;
        let directory = config.keys_dir.clone();
        let making = Arc::clone(&progress);
        let keys = tokio::task::spawn_blocking(move || -> Result<KeySet, KeyError> {
            let store = KeyStore::open(&directory)?;
            for k in [class.k, aggregation::k(leaves)] {
                step(&making, &format!("set-up string k = {k}"), || store.srs(k), describe_srs)?;
            }
            let name = format!("leaf keys, {}", class.name);
            let leaf = step(&making, &name, || store.leaf(class), |keys| describe_keys(keys.info()))?;
            let name = format!("aggregation keys, {leaves} leaves");
            let make = || store.aggregation(class, leaves);
            let aggregation = step(&making, &name, make, |keys| describe_keys(keys.info()))?;
            Ok(KeySet { leaf, aggregation })
        })
        .await
        .or_work("keys")?
        .or_work("keys")?;

        let infos = [keys.leaf.info(), keys.aggregation.info()];
        let insecure_setup = infos.iter().any(|info| info.srs_source == SrsSource::Development);
        if insecure_setup {
            progress.note(output::INSECURE_SETUP);
        }
        if self.json {
            return output::json(&SetupReport { directory: &config.keys_dir, keys: infos, insecure_setup });
        }
        output::line(output::table(KEY_HEADINGS, &infos.map(key_row)).trim_end())?;
        output::line(format!("in {}", config.keys_dir.display()))
    }
}

/// Takes the set-up strings that the settings' circuits need from a file of powers of tau, as snarkjs writes it
/// (`.ptau`) and prepared for phase 2. Every point is checked; whether somebody knows the secret can't be.
#[derive(Debug, Args)]
pub struct ImportPtau {
    /// The file. Its transcript should be verified with the tools of its ceremony first.
    file: PathBuf,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings<KeysOnly>,
}

#[derive(Debug, Serialize)]
struct ImportReport<'a> {
    directory: &'a Path,
    set_up_strings: Vec<SrsView>,
}

impl ImportPtau {
    async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        let progress = Arc::new(Progress::new(self.json));
        let class = size_class(&config.size_class).or_request("settings")?;
        let (directory, file) = (config.keys_dir.clone(), self.file);
        let importing = Arc::clone(&progress);
        let strings = tokio::task::spawn_blocking(move || -> Result<Vec<SrsView>, KeyError> {
            let store = KeyStore::open(&directory)?;
            // The largest first: a file that is too small for it changes nothing.
            let sizes = BTreeSet::from([class.k, aggregation::k(config.aggregation_leaves)]);
            let import = |k: u32| {
                let name = format!("set-up string k = {k}");
                let import = || Srs::import(store.directory(), &file, k).map(Arc::new);
                let srs = step(&importing, &name, import, describe_srs)?;
                Ok(SrsView { k, source: srs.source(), digest: hex::encode(srs.digest()) })
            };
            sizes.into_iter().rev().map(import).collect()
        })
        .await
        .or_work("set-up strings")?
        .or_request("import")?;
        if self.json {
            return output::json(&ImportReport { directory: &config.keys_dir, set_up_strings: strings });
        }
        for string in strings {
            output::line(format!("k = {}, {}, digest {}", string.k, string.source, string.digest))?;
        }
        output::line(format!("in {}; `tenon keys setup` makes keys under them", config.keys_dir.display()))
    }
}

/// Does one step, with its name and result as progress.
fn step<T>(
    progress: &Progress,
    name: &str,
    make: impl FnOnce() -> Result<T, KeyError>,
    describe: impl FnOnce(&T) -> String,
) -> Result<T, KeyError> {
    let work = progress.work(name);
    work.update(None, "reading or making");
    let made = make()?;
    work.done(&describe(&made));
    Ok(made)
}

fn describe_srs(srs: &Arc<Srs>) -> String {
    format!("{}, digest {}", srs.source(), short(&srs.digest()))
}

fn describe_keys(info: &KeyInfo) -> String {
    format!("k = {}, digest {}", info.k, short(&info.digest))
}

/// The first bytes of a digest, enough to tell two apart.
fn short(digest: &[u8]) -> String {
    hex::encode(digest.get(..8).unwrap_or(digest))
}

const KEY_HEADINGS: [&str; 7] = ["keys", "class", "k", "digest", "set-up string", "its digest", "protocol"];

fn key_row(info: &KeyInfo) -> [String; 7] {
    [
        info.name.clone(),
        info.class.clone(),
        info.k.to_string(),
        hex::encode(info.digest),
        info.srs_source.to_string(),
        short(&info.srs_digest),
        info.protocol_version.clone(),
    ]
}

/// Shows the keys that are stored.
#[derive(Debug, Args)]
pub struct Show {
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings<KeysOnly>,
}

#[derive(Debug, Serialize)]
struct SrsView {
    k: u32,
    source: SrsSource,
    digest: String,
}

#[derive(Debug, Serialize)]
struct FileView {
    file: String,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<KeyInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verifying_key: Option<KeyInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_up_string: Option<SrsView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl FileView {
    fn new(stored: &StoredFile) -> Self {
        let file = stored.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut view = Self {
            file,
            bytes: stored.bytes,
            keys: None,
            verifying_key: None,
            set_up_string: None,
            error: None,
        };
        match &stored.content {
            Ok(Content::Keys(info)) => view.keys = Some(info.clone()),
            Ok(Content::VerifyingKey(info)) => view.verifying_key = Some(info.clone()),
            Ok(Content::Srs { k, source, digest }) => {
                view.set_up_string = Some(SrsView { k: *k, source: *source, digest: hex::encode(digest) });
            }
            Ok(Content::EmptyProof) => {}
            Err(error) => view.error = Some(error.to_string()),
        }
        view
    }
}

#[derive(Debug, Serialize)]
struct ShowReport<'a> {
    directory: &'a Path,
    files: &'a [FileView],
    insecure_setup: bool,
}

impl Show {
    fn run(self) -> Outcome {
        let config = self.settings.load()?;
        let directory = &config.keys_dir;
        let stored = stored_files(directory).or_work(format!("{}", directory.display()))?;
        let files: Vec<FileView> = stored.iter().map(FileView::new).collect();
        let insecure_setup = files.iter().any(|file| {
            let strings = file.set_up_string.as_ref().map(|string| string.source);
            let keys = file.keys.as_ref().or(file.verifying_key.as_ref()).map(|info| info.srs_source);
            strings.or(keys) == Some(SrsSource::Development)
        });
        if self.json {
            output::json(&ShowReport { directory, files: &files, insecure_setup })?;
        } else {
            print_files(directory, &files, insecure_setup)?;
        }
        let damaged: Vec<_> = files.iter().filter_map(|file| file.error.as_deref()).collect();
        if damaged.is_empty() { Ok(()) } else { Err(Failure::work_text(damaged.join("\n"))) }
    }
}

fn print_files(directory: &Path, files: &[FileView], insecure_setup: bool) -> Outcome {
    if files.is_empty() {
        let directory = directory.display();
        return output::line(format!("no keys in {directory}; `tenon keys setup` makes them"));
    }
    let keys: Vec<_> = files.iter().filter_map(|file| file.keys.as_ref().map(key_row)).collect();
    if !keys.is_empty() {
        output::line(output::table(KEY_HEADINGS, &keys))?;
    }
    let rows: Vec<_> = files
        .iter()
        .map(|file| {
            let content = match file {
                FileView { keys: Some(info), .. } => format!("{} keys, {}", info.name, info.class),
                FileView { verifying_key: Some(info), .. } => {
                    format!("{} verifying key, {}", info.name, info.class)
                }
                FileView { set_up_string: Some(string), .. } => {
                    format!("{} set-up string {}", string.source, string.digest)
                }
                FileView { error: Some(_), .. } => "UNUSABLE".to_owned(),
                _ => "proof of an empty chunk".to_owned(),
            };
            [file.file.clone(), output::bytes(file.bytes), content]
        })
        .collect();
    output::line(output::table(["file", "size", "content"], &rows).trim_end())?;
    if insecure_setup { output::line(output::INSECURE_SETUP) } else { Ok(()) }
}
