//! How commands fail, and the exit codes that tell it.

use std::{error::Error, fmt::Display, io::Write, process::ExitCode};

/// What a command gives.
pub type Outcome<T = ()> = Result<T, Failure>;

/// A command that failed.
#[derive(Debug)]
pub struct Failure {
    error: anyhow::Error,
    /// The request was wrong, as against work that failed.
    request: bool,
}

impl Failure {
    /// The work failed: exit code 1.
    pub fn work(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), request: false }
    }

    /// The request was wrong: exit code 2.
    pub fn request(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), request: true }
    }

    /// The work failed, in words.
    pub fn work_text(text: impl Display) -> Self {
        Self::work(anyhow::anyhow!("{text}"))
    }

    /// The request was wrong, in words.
    pub fn request_text(text: impl Display) -> Self {
        Self::request(anyhow::anyhow!("{text}"))
    }

    /// The error in words.
    pub fn text(&self) -> String {
        format!("{:#}", self.error)
    }

    /// Writes the error to standard error; returns the exit code.
    pub fn report(&self) -> ExitCode {
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(std::io::stderr(), "error: {}", self.text());
        ExitCode::from(if self.request { 2 } else { 1 })
    }
}

/// Says whose fault an error is.
pub trait Blame<T> {
    /// The work failed.
    fn or_work(self, doing: impl Display) -> Outcome<T>;
    /// The request was wrong.
    fn or_request(self, doing: impl Display) -> Outcome<T>;
}

impl<T, E: Error + Send + Sync + 'static> Blame<T> for Result<T, E> {
    fn or_work(self, doing: impl Display) -> Outcome<T> {
        self.map_err(|error| Failure::work(anyhow::Error::new(error).context(doing.to_string())))
    }

    fn or_request(self, doing: impl Display) -> Outcome<T> {
        self.map_err(|error| Failure::request(anyhow::Error::new(error).context(doing.to_string())))
    }
}
