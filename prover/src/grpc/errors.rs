//! How the service's errors go over gRPC: the only place that knows both.

use std::{collections::HashMap, time::Duration};

use tenon_proto::ERROR_DOMAIN;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use tracing::error;

use crate::{
    executor::{CancelError, RebuildError, SubmitError, Violation},
    settlement::ArchiveError,
    store::StoreError,
};

/// Bytes of details where the caller sets no limit: fits the smallest usual header limit, 8 KiB,
/// after base64.
const DEFAULT_DETAIL_BYTES: usize = 6000;

/// Bytes of details at most.
const MAX_DETAIL_BYTES: usize = 256 * 1024;

/// Bytes of a violation beside its strings.
const VIOLATION_OVERHEAD: usize = 16;

/// A status with a stable reason.
pub(super) fn refusal(code: Code, reason: &str, message: impl Into<String>) -> Status {
    Status::with_error_details(
        code,
        message,
        ErrorDetails::with_error_info(reason, ERROR_DOMAIN, HashMap::new()),
    )
}

/// A status with a stable reason and a time to wait before the next try.
pub(super) fn retry_later(code: Code, reason: &str, message: impl Into<String>, after: Duration) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, HashMap::new());
    details.set_retry_info(Some(after));
    Status::with_error_details(code, message, details)
}

/// INVALID_ARGUMENT with everything that is wrong, as far as it fits `max_bytes` (0 for the default).
pub(super) fn invalid(reason: &str, violations: &[Violation], max_bytes: u32) -> Status {
    let budget = match usize::try_from(max_bytes) {
        Ok(0) => DEFAULT_DETAIL_BYTES,
        Ok(bytes) => bytes.min(MAX_DETAIL_BYTES),
        Err(_) => MAX_DETAIL_BYTES,
    };
    // The message and the other details take a part too; descriptions go before whole violations do.
    let budget = budget.saturating_sub(budget / 8);
    let size = |violation: &Violation, with_description: bool| {
        let description = if with_description { violation.message.len() } else { 0 };
        VIOLATION_OVERHEAD + violation.field.len() + violation.reason.len() + description
    };
    let described = violations.iter().map(|violation| size(violation, true)).sum::<usize>() <= budget;
    let mut used = 0;
    let mut fitting = Vec::new();
    for violation in violations {
        used += size(violation, described);
        if used > budget {
            break;
        }
        let description = if described { violation.message.clone() } else { String::new() };
        fitting.push(FieldViolation {
            field: violation.field.clone(),
            description,
            reason: violation.reason.clone(),
            localized_message: None,
        });
    }
    let omitted = violations.len() - fitting.len();
    let metadata = HashMap::from([
        ("violations".to_owned(), violations.len().to_string()),
        ("omitted".to_owned(), omitted.to_string()),
    ]);
    let message = match violations {
        [] => "invalid request".to_owned(),
        [only] => format!("{}: {}", only.field, only.message),
        [first, ..] => {
            format!("{} violations, the first: {}: {}", violations.len(), first.field, first.message)
        }
    };
    let mut details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, metadata);
    details.set_bad_request(fitting);
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// One wrong field.
pub(super) fn invalid_field(field: &str, reason: &str, message: impl Into<String>) -> Status {
    let violation = Violation { field: field.to_owned(), reason: reason.to_owned(), message: message.into() };
    invalid(reason, &[violation], 0)
}

/// The service's own trouble; the details stay in its log.
pub(super) fn internal(error: &dyn std::error::Error) -> Status {
    error!(%error, "request failed");
    refusal(Code::Internal, "INTERNAL", "the service failed; its log says why")
}

pub(super) fn from_store(error: StoreError) -> Status {
    let message = error.to_string();
    match error {
        StoreError::JobUnknown(_) => refusal(Code::NotFound, "JOB_UNKNOWN", message),
        StoreError::BatchUnknown(_) => refusal(Code::NotFound, "BATCH_UNKNOWN", message),
        StoreError::JobFinal { .. } => refusal(Code::FailedPrecondition, "JOB_FINAL", message),
        StoreError::HasSuccessors { .. } => refusal(Code::FailedPrecondition, "HAS_SUCCESSORS", message),
        StoreError::RunRefused { reason, .. } => {
            let code = match reason {
                "RUN_EMPTY" | "RUN_TOO_LARGE" => Code::InvalidArgument,
                _ => Code::FailedPrecondition,
            };
            refusal(code, reason, message)
        }
        error @ StoreError::Database(_) => {
            error!(%error, "the database failed");
            retry_later(
                Code::Unavailable,
                "STORAGE_UNAVAILABLE",
                "the service's database failed; its log says why",
                Duration::from_secs(1),
            )
        }
        error => internal(&error),
    }
}

pub(super) fn from_cancel(error: CancelError) -> Status {
    match error {
        CancelError::Store(error) => from_store(error),
        CancelError::Rebuild(error) => from_rebuild(error),
    }
}

fn from_rebuild(error: RebuildError) -> Status {
    match error {
        RebuildError::Store(error) => from_store(error),
        error @ RebuildError::Damaged { .. } => internal(&error),
    }
}

/// `retry_after` is the time in which the queue is expected to move.
pub(super) fn from_submit(error: SubmitError, max_error_bytes: u32, retry_after: Duration) -> Status {
    let message = error.to_string();
    match error {
        SubmitError::Invalid(violations) => invalid("BATCH_INVALID", &violations, max_error_bytes),
        SubmitError::KeyTaken { .. } => refusal(Code::AlreadyExists, "IDEMPOTENCY_KEY_TAKEN", message),
        SubmitError::QueueFull { .. } => {
            retry_later(Code::ResourceExhausted, "QUEUE_FULL", message, retry_after)
        }
        SubmitError::Unprovable { .. } => {
            error!(message, "an executed batch doesn't pass the trace checker");
            refusal(Code::Internal, "BATCH_UNPROVABLE", message)
        }
        SubmitError::Store(error) => from_store(error),
        SubmitError::File(_) | SubmitError::Archive(ArchiveError::File { .. }) => {
            error!(message, "storing a batch failed");
            retry_later(
                Code::Unavailable,
                "STORAGE_UNAVAILABLE",
                "the service couldn't store the batch; its log says why",
                Duration::from_secs(1),
            )
        }
        SubmitError::Queue(error) => {
            error!(%error, "a batch is refused because the queue of L1 operations is unknown");
            retry_later(Code::Unavailable, "L1_UNAVAILABLE", message, retry_after)
        }
        error @ (SubmitError::Interrupted(_) | SubmitError::Archive(_)) => internal(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(count: usize) -> Vec<Violation> {
        (0..count)
            .map(|index| Violation {
                field: format!("transactions[{index}].nonce"),
                reason: "NONCE_MISMATCH".to_owned(),
                message: "expected 4, got 17".to_owned(),
            })
            .collect()
    }

    #[test]
    fn details_fit_their_limit() {
        for (count, limit, kept) in [(10, 0, 10), (200, 0, 99), (200, 65_536, 200)] {
            let status = invalid("BATCH_INVALID", &violations(count), limit);
            let bytes = usize::try_from(limit).unwrap().max(DEFAULT_DETAIL_BYTES);
            assert!(status.details().len() <= bytes, "{} > {bytes}", status.details().len());
            let details = status.get_error_details();
            let found = details.bad_request().unwrap().field_violations.len();
            assert!(found >= kept, "{count} {limit}: {found}");
            let omitted = &details.error_info().unwrap().metadata["omitted"];
            assert_eq!(*omitted, (count - found).to_string());
        }
    }
}
