//! The store in SQL: one file of SQLite, or a PostgreSQL database that several processes share. Both run the same
//! statements; they differ in their tables' types and in how transactions keep out of each other's way.

mod aggregations;
mod figures;
mod jobs;
mod l1;
mod lead;
mod leasing;
mod log;
mod tasks;

use std::{
    path::Path,
    str::FromStr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use sqlx::{
    Any, AnyConnection, AnyPool, Connection as _, Row, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions, AnyRow, install_default_drivers},
};

use super::{Store, StoreError};
use lead::Charge;

use crate::jobs::{BatchSummary, Digest, Event, Job, JobError, JobState};

/// Connections of SQLite that only read.
const SQLITE_READERS: u32 = 4;

/// Connections of a process to PostgreSQL.
const POSTGRES_CONNECTIONS: u32 = 8;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Names the lock that transactions over more than one row take in PostgreSQL.
const GRAPH_LOCK: i64 = 0x7465_6e6f_6e00;

/// Settings of a connection to PostgreSQL. A process that hangs in the middle of a transaction holds everybody up for
/// three seconds, which is longer than any takes from one statement to the next; one whose machine is gone or cut off
/// loses its locks, the lead among them, in 25 seconds.
const SESSION: &str = "SET idle_in_transaction_session_timeout = '3s'; SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET tcp_user_timeout = '25s'";

/// The databases that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// Write-ahead log, full synchronisation, one writing connection.
    Sqlite,
    /// One lock for transactions over more than one row: they are short, and see each other's results.
    Postgres,
}

/// The store in a database.
#[derive(Debug)]
pub struct SqlStore {
    dialect: Dialect,
    writer: AnyPool,
    readers: AnyPool,
    charge: Charge,
    /// When the store was opened: in Unix milliseconds, and by the clock that nobody sets.
    opened: (i64, Instant),
}

impl SqlStore {
    /// Opens a file of SQLite, which is made where missing, and brings its tables up to date.
    ///
    /// # Errors
    /// When the file can't be opened or isn't the service's.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        install_default_drivers();
        let url = sqlite_url(path);
        let options = AnyConnectOptions::from_str(&url)?;
        let writer = AnyPoolOptions::new()
            .max_connections(1)
            // A full disk ends a transaction behind the driver's back, which then couldn't begin another one.
            .after_release(|connection, _| {
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
                    sqlx::query("PRAGMA synchronous = FULL").execute(&mut *connection).await?;
                    sqlx::query("PRAGMA busy_timeout = 10000").execute(connection).await?;
                    Ok(())
                })
            })
            .connect_with(options.clone())
            .await?;
        sqlx::migrate!("./migrations/sqlite").run(&writer).await?;
        let readers = AnyPoolOptions::new()
            .max_connections(SQLITE_READERS)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::query("PRAGMA query_only = ON").execute(&mut *connection).await?;
                    sqlx::query("PRAGMA busy_timeout = 10000").execute(connection).await?;
                    Ok(())
                })
            })
            .connect_with(options)
            .await?;
        Ok(Self { dialect: Dialect::Sqlite, writer, readers, charge: Charge::default(), opened: opened() })
    }

    /// Opens a PostgreSQL database and brings its tables up to date.
    ///
    /// # Errors
    /// When it can't be reached or isn't the service's.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let store = Self::join(url).await?;
        let mut migrations = sqlx::migrate!("./migrations/postgres");
        // Later versions add to the tables, so that this one still works beside them.
        migrations.set_ignore_missing(true).run(&store.writer).await?;
        Ok(store)
    }

    /// Opens a PostgreSQL database that a service keeps up to date.
    ///
    /// # Errors
    /// When it can't be reached.
    pub async fn join(url: &str) -> Result<Self, StoreError> {
        install_default_drivers();
        let pool = AnyPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(CONNECT_TIMEOUT)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(SESSION).execute(connection).await?;
                    Ok(())
                })
            })
            .connect_with(AnyConnectOptions::from_str(url)?)
            .await?;
        Ok(Self {
            dialect: Dialect::Postgres,
            writer: pool.clone(),
            readers: pool,
            charge: Charge::default(),
            opened: opened(),
        })
    }

    /// Unix milliseconds by the clock that leases and retries are measured with, whatever becomes of the machine's time:
    /// with SQLite it goes on from the store's opening, and with PostgreSQL it is the database's, which all machines
    /// share.
    async fn clock_ms(&self, connection: &mut AnyConnection) -> Result<i64, StoreError> {
        match self.dialect {
            Dialect::Sqlite => {
                let (start, since) = self.opened;
                let elapsed = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
                Ok(start.saturating_add(elapsed))
            }
            Dialect::Postgres => {
                let sql = "SELECT CAST(EXTRACT(EPOCH FROM CLOCK_TIMESTAMP()) * 1000 AS BIGINT)";
                Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
            }
        }
    }

    /// A transaction that sees and changes several rows: one at a time.
    async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        let statement = match self.dialect {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        };
        let mut transaction = self.writer.begin_with(statement).await?;
        if self.dialect == Dialect::Postgres {
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(GRAPH_LOCK)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction)
    }
}

/// The URL of a file, whatever its name.
fn sqlite_url(path: &Path) -> String {
    let mut url = String::from("sqlite://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                url.push(char::from(*byte))
            }
            other => url.push_str(&format!("%{other:02x}")),
        }
    }
    url.push_str("?mode=rwc");
    url
}

#[async_trait]
impl Store for SqlStore {
    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    async fn close(&self) {
        self.charge.release().await;
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn opened() -> (i64, Instant) {
    (now_ms(), Instant::now())
}

/// Unix milliseconds by the machine's clock.
fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// An unsigned number as the database stores it; none that the service makes reaches 2^63.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &AnyRow, column: &'static str) -> Result<u64, StoreError> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| StoreError::Corrupt { what: column, found: number.to_string() })
}

fn unsigned32(row: &AnyRow, column: &'static str) -> Result<u32, StoreError> {
    let number: i64 = row.try_get(column)?;
    u32::try_from(number).map_err(|_| StoreError::Corrupt { what: column, found: number.to_string() })
}

fn optional(row: &AnyRow, column: &'static str) -> Result<Option<u64>, StoreError> {
    let number: Option<i64> = row.try_get(column)?;
    Ok(number.and_then(|number| u64::try_from(number).ok()))
}

fn digest(row: &AnyRow, column: &'static str) -> Result<Digest, StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    Digest::try_from(bytes.as_slice())
        .map_err(|_| StoreError::Corrupt { what: column, found: hex::encode(&bytes) })
}

fn optional_digest(row: &AnyRow, column: &'static str) -> Result<Option<Digest>, StoreError> {
    let bytes: Option<Vec<u8>> = row.try_get(column)?;
    bytes
        .map(|bytes| {
            Digest::try_from(bytes.as_slice())
                .map_err(|_| StoreError::Corrupt { what: column, found: hex::encode(&bytes) })
        })
        .transpose()
}

fn name<T>(row: &AnyRow, column: &'static str, by_name: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let text: String = row.try_get(column)?;
    by_name(&text).ok_or(StoreError::Corrupt { what: column, found: text })
}

fn error(row: &AnyRow) -> Result<Option<JobError>, StoreError> {
    let reason: Option<String> = row.try_get("error_reason")?;
    let message: Option<String> = row.try_get("error_message")?;
    Ok(reason.map(|reason| JobError { reason, message: message.unwrap_or_default() }))
}

fn summary(row: &AnyRow, number: &'static str) -> Result<BatchSummary, StoreError> {
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

fn job(row: &AnyRow) -> Result<Job, StoreError> {
    Ok(Job {
        position: unsigned(row, "position")?,
        id: row.try_get("id")?,
        idempotency_key: row.try_get("idempotency_key")?,
        payload_digest: digest(row, "payload_digest")?,
        state: name(row, "state", JobState::by_name)?,
        batch: summary(row, "batch_number")?,
        leaves_done: unsigned32(row, "leaves_done")?,
        priority: unsigned32(row, "priority")?,
        aggregation: optional(row, "aggregation_id")?,
        error: error(row)?,
        created_at_ms: unsigned(row, "created_at_ms")?,
        updated_at_ms: unsigned(row, "updated_at_ms")?,
        last_sequence: unsigned(row, "last_sequence")?,
    })
}

fn event(row: &AnyRow) -> Result<Event, StoreError> {
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
async fn find_job(connection: &mut AnyConnection, id: &str) -> Result<Job, StoreError> {
    let row = sqlx::query("SELECT * FROM jobs WHERE id = $1").bind(id).fetch_optional(connection).await?;
    row.as_ref().map(job).transpose()?.ok_or_else(|| StoreError::JobUnknown(id.to_owned()))
}

/// Moves a job to `state` with an event that says why. The row's other columns are as they are.
async fn move_job(
    connection: &mut AnyConnection,
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
         SELECT id, $1, $2, leaves_done, chunks, $3, $4, $5 FROM jobs WHERE id = $6 RETURNING sequence",
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
        "UPDATE jobs SET state = $1, error_reason = $2, error_message = $3, updated_at_ms = $4, last_sequence = $5
         WHERE id = $6",
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
