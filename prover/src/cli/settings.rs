//! Settings on the command line: one flag for each setting that a command uses, from the same list that the TOML file
//! and the environment use.

use std::{collections::HashSet, env, marker::PhantomData, path::PathBuf};

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};
use tenon_prover::config::{Config, ENV_PREFIX, SETTINGS};

use super::failure::{Failure, Outcome};

/// The settings that a command has flags for.
pub trait Names {
    /// Whether the command has a flag for this setting.
    fn includes(name: &str) -> bool;
}

/// All settings.
#[derive(Clone, Copy, Debug)]
pub struct All;

impl Names for All {
    fn includes(_: &str) -> bool {
        true
    }
}

/// Those that say which keys are used and where they are.
#[derive(Clone, Copy, Debug)]
pub struct KeysOnly;

impl Names for KeysOnly {
    fn includes(name: &str) -> bool {
        matches!(name, "keys_dir" | "size_class" | "aggregation_leaves")
    }
}

/// Those of a service that a command starts for itself.
#[derive(Clone, Copy, Debug)]
pub struct InProcess;

impl Names for InProcess {
    fn includes(name: &str) -> bool {
        !matches!(name, "chain_id" | "rollup_address" | "genesis" | "from_snapshot")
    }
}

/// Settings given on the command line.
#[derive(Clone, Debug)]
pub struct Settings<N> {
    file: Option<PathBuf>,
    values: Vec<(String, String)>,
    names: PhantomData<N>,
}

impl<N> Settings<N> {
    /// The settings of file, environment and command line.
    pub fn load(&self) -> Outcome<Config> {
        self.load_with([])
    }

    /// The same, with defaults of the command's own.
    pub fn load_with<'a>(&self, defaults: impl IntoIterator<Item = (&'a str, String)>) -> Outcome<Config> {
        let mut named: HashSet<String> = self.values.iter().map(|(name, _)| name.clone()).collect();
        let environment: Vec<(String, String)> = env::vars().collect();
        named.extend(
            environment.iter().filter_map(|(name, _)| Some(name.strip_prefix(ENV_PREFIX)?.to_lowercase())),
        );
        if let Some(path) = &self.file
            && let Ok(text) = std::fs::read_to_string(path)
            && let Ok(table) = text.parse::<toml::Table>()
        {
            named.extend(table.keys().cloned());
        }
        let defaults = defaults.into_iter().filter(|(name, _)| !named.contains(*name));
        let mut flags = self.values.clone();
        flags.extend(defaults.map(|(name, value)| (name.to_owned(), value)));
        Config::load(self.file.as_deref(), environment, flags).map_err(Failure::request)
    }
}

const FILE: &str = "config";
const HEADING: &str = "Settings (also in the TOML file, and in the environment as TENON_<NAME>)";

impl<N: Names> Args for Settings<N> {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(FILE)
            .long(FILE)
            .env("TENON_CONFIG")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("TOML file of settings")
            .help_heading(HEADING);
        let settings = SETTINGS.iter().filter(|setting| N::includes(setting.name)).map(|setting| {
            let help = match setting.default {
                "" => setting.help.to_owned(),
                default => format!("{} [default: {default}]", setting.help),
            };
            Arg::new(setting.name)
                .long(setting.name.replace('_', "-"))
                .value_name("VALUE")
                .allow_hyphen_values(true)
                .help(help)
                .help_heading(HEADING)
        });
        command.arg(file).args(settings)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<N: Names> FromArgMatches for Settings<N> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = SETTINGS.iter().filter(|setting| N::includes(setting.name)).filter_map(|setting| {
            let value = matches.get_one::<String>(setting.name)?;
            Some((setting.name.to_owned(), value.clone()))
        });
        Ok(Self {
            file: matches.get_one::<PathBuf>(FILE).cloned(),
            values: given.collect(),
            names: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
