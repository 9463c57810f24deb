//! `tenon api-tokens`: what callers of the service show.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use tenon_prover::api_tokens::{ApiToken, Scope, TokenError, TokenFile};

use super::{
    failure::{Failure, Outcome},
    output,
};

/// Makes, lists and revokes the tokens that callers of the service need.
#[derive(Debug, Subcommand)]
pub enum ApiTokens {
    /// Makes a token and prints it, once.
    New(New),
    /// Lists the tokens by name.
    List(List),
    /// Revokes a token; a running service refuses it within two seconds.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
struct File {
    /// The file of tokens, as in the service's setting tokens_file.
    #[arg(long, env = "TENON_TOKENS_FILE", value_name = "FILE", default_value = "tokens.toml")]
    tokens_file: PathBuf,
}

/// Makes a token.
#[derive(Debug, Args)]
pub struct New {
    /// Its name, for logs and for revoking it.
    name: String,
    /// What it lets its owner do: submit, read, admin or worker; several with commas.
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', required = true)]
    scope: Vec<Scope>,
    /// Days until it ends; never without.
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: File,
}

/// Lists tokens.
#[derive(Debug, Args)]
pub struct List {
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: File,
}

/// Revokes a token.
#[derive(Debug, Args)]
pub struct Revoke {
    /// Its name.
    name: String,
    #[command(flatten)]
    file: File,
}

impl ApiTokens {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        match self {
            Self::New(command) => command.run(),
            Self::List(command) => command.run(),
            Self::Revoke(command) => {
                TokenFile::new(command.file.tokens_file).revoke(&command.name).map_err(failed)?;
                output::line(format!("{} is revoked", command.name))
            }
        }
    }
}

impl New {
    fn run(self) -> Outcome {
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let expires = self.days.map(|days| now + u64::from(days) * 86_400);
        let file = TokenFile::new(self.file.tokens_file);
        let token = file.add(&self.name, &self.scope, expires).map_err(failed)?;
        if self.json {
            return output::json(&json!({ "name": self.name, "token": token, "expires": expires }));
        }
        output::line(token)
    }
}

impl List {
    fn run(self) -> Outcome {
        let tokens = TokenFile::new(self.file.tokens_file).read().map_err(failed)?;
        let scopes = |token: &ApiToken| token.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>();
        if self.json {
            let tokens: Vec<_> = tokens
                .iter()
                .map(|token| {
                    json!({
                        "name": token.name,
                        "scopes": scopes(token),
                        "created": token.created,
                        "expires": token.expires,
                    })
                })
                .collect();
            return output::json(&json!({ "tokens": tokens }));
        }
        let rows: Vec<_> = tokens
            .iter()
            .map(|token| {
                let expires = token.expires.map_or_else(|| "never".to_owned(), |seconds| seconds.to_string());
                [token.name.clone(), scopes(token).join(","), token.created.to_string(), expires]
            })
            .collect();
        output::line(output::table(["NAME", "SCOPES", "CREATED", "EXPIRES"], &rows).trim_end())
    }
}

fn failed(error: TokenError) -> Failure {
    match error {
        TokenError::File { .. } => Failure::work(error),
        error => Failure::request(error),
    }
}
