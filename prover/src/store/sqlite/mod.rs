//! The store in one SQLite file: write-ahead log, full synchronisation, one writing connection.

mod aggregations;
mod jobs;
mod l1;
mod log;
mod tasks;

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use sqlx::{
    Row, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use super::{Store, StoreError};
use crate::jobs::{BatchSummary, Digest, Event, Job, JobError, JobState};

/// The store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, which is made where missing, and brings its tables up to date.
    ///
    /// # Errors
    /// When the file can't be opened or isn't the service's.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("./migrations").run(&writer).await?;
        let readers =
            SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers })
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Unix milliseconds by the machine's clock.
fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// An unsigned number as SQLite stores it; none that the service makes reaches 2^63.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &SqliteRow, column: &'static str) -> Result<u64, StoreError> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| StoreError::Corrupt { what: column, found: number.to_string() })
}

fn unsigned32(row: &SqliteRow, column: &'static str) -> Result<u32, StoreError> {
    let number: i64 = row.try_get(column)?;
    u32::try_from(number).map_err(|_| StoreError::Corrupt { what: column, found: number.to_string() })
}

fn optional(row: &SqliteRow, column: &'static str) -> Result<Option<u64>, StoreError> {
    let number: Option<i64> = row.try_get(column)?;
    Ok(number.and_then(|number| u64::try_from(number).ok()))
}

fn digest(row: &SqliteRow, column: &'static str) -> Result<Digest, StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    Digest::try_from(bytes.as_slice())
        .map_err(|_| StoreError::Corrupt { what: column, found: hex::encode(&bytes) })
}

fn optional_digest(row: &SqliteRow, column: &'static str) -> Result<Option<Digest>, StoreError> {
    let bytes: Option<Vec<u8>> = row.try_get(column)?;
    bytes
        .map(|bytes| {
            Digest::try_from(bytes.as_slice())
                .map_err(|_| StoreError::Corrupt { what: column, found: hex::encode(&bytes) })
        })
        .transpose()
}

fn name<T>(
    row: &SqliteRow,
    column: &'static str,
    by_name: impl Fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    let text: String = row.try_get(column)?;
    by_name(&text).ok_or(StoreError::Corrupt { what: column, found: text })
}

fn error(row: &SqliteRow) -> Result<Option<JobError>, StoreError> {
    let reason: Option<String> = row.try_get("error_reason")?;
    let message: Option<String> = row.try_get("error_message")?;
    Ok(reason.map(|reason| JobError { reason, message: message.unwrap_or_default() }))
}

fn summary(row: &SqliteRow, number: &'static str) -> Result<BatchSummary, StoreError> {
    Ok(BatchSummary {
        number: unsigned(row, number)?,
        timestamp: unsigned32(row, "timestamp")?,
        l1_operations: unsigned32(row, "l1_operations")?,
        transactions: unsigned32(row, "transactions")?,
        chunks: unsigned32(row, "chunks")?,
        state_in: digest(row, "state_in")?,
        state_out: digest(row, "state_out")?,
        commit: digest(row, "commitment")?,
        z_d: digest(row, "z_d")?,
        y_d: digest(row, "y_d")?,
        z_l: digest(row, "z_l")?,
        y_l: digest(row, "y_l")?,
    })
}

fn job(row: &SqliteRow) -> Result<Job, StoreError> {
    Ok(Job {
        position: unsigned(row, "position")?,
        id: row.try_get("id")?,
        idempotency_key: row.try_get("idempotency_key")?,
        payload_digest: digest(row, "payload_digest")?,
        state: name(row, "state", JobState::by_name)?,
        batch: summary(row, "batch_number")?,
        leaves_done: unsigned32(row, "leaves_done")?,
        aggregation: optional(row, "aggregation_id")?,
        error: error(row)?,
        created_at_ms: unsigned(row, "created_at_ms")?,
        updated_at_ms: unsigned(row, "updated_at_ms")?,
        last_sequence: unsigned(row, "last_sequence")?,
    })
}

fn event(row: &SqliteRow) -> Result<Event, StoreError> {
    Ok(Event {
        sequence: unsigned(row, "sequence")?,
        job_id: row.try_get("job_id")?,
        time_ms: unsigned(row, "time_ms")?,
        state: name(row, "state", JobState::by_name)?,
        leaves_done: unsigned32(row, "leaves_done")?,
        leaves: unsigned32(row, "leaves")?,
        message: row.try_get("message")?,
        error: error(row)?,
    })
}

/// The job, inside a transaction.
async fn find_job(connection: &mut SqliteConnection, id: &str) -> Result<Job, StoreError> {
    let row = sqlx::query("SELECT * FROM jobs WHERE id = ?").bind(id).fetch_optional(connection).await?;
    row.as_ref().map(job).transpose()?.ok_or_else(|| StoreError::JobUnknown(id.to_owned()))
}

/// Moves a job to `state` with an event that says why. The row's other columns are as they are.
async fn move_job(
    connection: &mut SqliteConnection,
    id: &str,
    state: JobState,
    message: &str,
    error: Option<&JobError>,
) -> Result<(), StoreError> {
    let now = now_ms();
    let reason = error.map(|error| error.reason.as_str());
    let text = error.map(|error| error.message.as_str());
    let sequence: i64 = sqlx::query_scalar(
        "INSERT INTO events (job_id, time_ms, state, leaves_done, leaves, message, error_reason, error_message)
         SELECT id, ?, ?, leaves_done, chunks, ?, ?, ? FROM jobs WHERE id = ? RETURNING sequence",
    )
    .bind(now)
    .bind(state.name())
    .bind(message)
    .bind(reason)
    .bind(text)
    .bind(id)
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE jobs SET state = ?, error_reason = ?, error_message = ?, updated_at_ms = ?, last_sequence = ?
         WHERE id = ?",
    )
    .bind(state.name())
    .bind(reason)
    .bind(text)
    .bind(now)
    .bind(sequence)
    .bind(id)
    .execute(connection)
    .await?;
    Ok(())
}
