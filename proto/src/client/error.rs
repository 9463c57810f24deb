//! Why a call failed.

use std::{error::Error as _, fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address or the files of the connection can't be used.
    #[error("{0}")]
    Setup(String),
    /// Nothing answers there.
    #[error("no service at {url}: {message}")]
    Connect {
        /// The address.
        url: String,
        /// Why.
        message: String,
    },
    /// The service refused, or it can't be reached any more.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The reply lacks a field that is always there.
    #[error("the service's reply has no {0}")]
    Missing(&'static str),
}

impl Error {
    /// The refusal, where the service refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(Refusal::new(&status)))
    }
}

/// One thing wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, such as `transactions[3].nonce`.
    pub field: String,
    /// Stable code.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// What the service says when it refuses.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The gRPC code.
    pub code: Code,
    /// Stable code, such as QUEUE_FULL; empty where the error isn't the service's own.
    pub reason: String,
    /// For people.
    pub message: String,
    /// Everything that is wrong with the request.
    pub violations: Vec<Violation>,
    /// Violations that didn't fit the reply.
    pub omitted: u64,
    /// When to try again, where that helps.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads a status with its details.
    pub fn new(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let bad = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        let violations = bad.iter().map(|violation| Violation {
            field: violation.field.clone(),
            reason: violation.reason.clone(),
            message: violation.description.clone(),
        });
        let message = match (status.message(), status.source()) {
            ("", Some(source)) => source.to_string(),
            (message, _) => message.to_owned(),
        };
        Self {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            message,
            violations: violations.collect(),
            omitted: info
                .and_then(|info| info.metadata.get("omitted"))
                .and_then(|count| count.parse().ok())
                .unwrap_or(0),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?} {})", self.message, self.code, self.reason)?;
        for violation in &self.violations {
            write!(f, "\n  {}: {}: {}", violation.field, violation.reason, violation.message)?;
        }
        if self.omitted > 0 {
            write!(f, "\n  and {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
