//! Which task goes to a worker next, and what becomes of those whose worker is lost.

use sqlx::{AnyConnection, Row, any::AnyRow};

use super::{
    Dialect, SqlStore, int, move_job, name, optional, optional_digest,
    tasks::{describe, jobs_of, set_aggregation},
    unsigned, unsigned32,
};
use crate::{
    jobs::{JobError, JobState, Lease, TaskKind},
    store::{MAX_LOST_WORKERS, StoreError},
};

/// The most urgent task: the lowest rank, and of equals aggregates, because they finish batches. Leaves of failed
/// jobs rest.
macro_rules! next_task {
    ($lock:literal) => {
        concat!(
            "SELECT tasks.id FROM tasks LEFT JOIN jobs ON jobs.id = tasks.job_id
             WHERE tasks.state = 'pending' AND (jobs.state IS NULL OR jobs.state <> 'failed')
             AND tasks.not_before_ms <= $1
             AND (($2 AND tasks.kind = 'leaf') OR ($3 AND tasks.kind = 'aggregate'))
             ORDER BY tasks.rank_ms, CASE tasks.kind WHEN 'aggregate' THEN 0 ELSE 1 END, tasks.batch_number,
             tasks.chunk LIMIT 1",
            $lock
        )
    };
}

/// A leased task's row.
pub(super) fn leased(row: &AnyRow) -> Result<Lease, StoreError> {
    Ok(Lease {
        task: unsigned(row, "id")?,
        fence: unsigned(row, "fence")?,
        kind: name(row, "kind", TaskKind::by_name)?,
        attempt: unsigned32(row, "starts")?,
        job_id: row.try_get("job_id")?,
        aggregation: optional(row, "aggregation_id")?,
        batch_number: unsigned(row, "batch_number")?,
        chunk: unsigned32(row, "chunk")?,
        witness: optional_digest(row, "witness_digest")?,
    })
}

impl SqlStore {
    /// Leases the most urgent task of these kinds and says so in its jobs, both or neither: a worker that stops
    /// between the two leaves nothing behind.
    pub(super) async fn take(
        &self,
        owner: &str,
        kinds: &[TaskKind],
        lease_ms: u64,
    ) -> Result<Option<Lease>, StoreError> {
        let query = |sql: &'static str, now: i64| {
            sqlx::query_scalar::<_, i64>(sql)
                .bind(now)
                .bind(kinds.contains(&TaskKind::Leaf))
                .bind(kinds.contains(&TaskKind::Aggregate))
        };
        // Idle workers keep nobody waiting.
        let mut connection = self.readers.acquire().await?;
        let now = self.clock_ms(&mut connection).await?;
        if query(next_task!(""), now).fetch_optional(&mut *connection).await?.is_none() {
            return Ok(None);
        }
        drop(connection);
        let mut transaction = self.begin().await?;
        let now = self.clock_ms(&mut transaction).await?;
        let next = match self.dialect {
            Dialect::Sqlite => next_task!(""),
            Dialect::Postgres => next_task!(" FOR UPDATE OF tasks SKIP LOCKED"),
        };
        let Some(task) = query(next, now).fetch_optional(&mut *transaction).await? else { return Ok(None) };
        let row = sqlx::query(
            "UPDATE tasks SET state = 'leased', fence = fence + 1, starts = starts + 1, lease_owner = $1,
             lease_until_ms = $2, leased_at_ms = $3 WHERE id = $4 RETURNING *",
        )
        .bind(owner)
        .bind(now.saturating_add(int(lease_ms)))
        .bind(now)
        .bind(task)
        .fetch_one(&mut *transaction)
        .await?;
        let lease = leased(&row)?;
        match lease.kind {
            TaskKind::Leaf => {
                for job in jobs_of(&mut transaction, &lease).await? {
                    if job.state == JobState::Accepted {
                        move_job(&mut transaction, &job.id, JobState::Proving, "proving started", None)
                            .await?;
                    }
                }
            }
            TaskKind::Aggregate => {
                set_aggregation(&mut transaction, &lease, "proving").await?;
                for job in jobs_of(&mut transaction, &lease).await? {
                    if job.state == JobState::Aggregating {
                        move_job(&mut transaction, &job.id, job.state, "aggregation started", None).await?;
                    }
                }
            }
        }
        transaction.commit().await?;
        Ok(Some(lease))
    }
}

/// Takes back the leased tasks of the server's own workers, or those of others whose lease ended before this time. A
/// task that took its workers with it too often fails; others go back in the queue. Gives their number.
pub(super) async fn take_back(
    connection: &mut AnyConnection,
    others_before: Option<i64>,
) -> Result<u64, StoreError> {
    let (own, before) = (others_before.is_none(), others_before.unwrap_or(i64::MAX));
    let rows = sqlx::query(
        "UPDATE tasks SET losses = losses + 1, lease_owner = NULL,
         state = CASE WHEN losses + 1 < $1 THEN 'pending' ELSE 'failed' END
         WHERE state = 'leased' AND lease_until_ms < $2 AND (lease_owner LIKE 'service/%') = $3 RETURNING *",
    )
    .bind(i64::from(MAX_LOST_WORKERS))
    .bind(before)
    .bind(own)
    .fetch_all(&mut *connection)
    .await?;
    for row in &rows {
        let lease = leased(row)?;
        let losses = unsigned32(row, "losses")?;
        let error = (losses >= MAX_LOST_WORKERS).then(|| lost_too_often(&lease, losses));
        if lease.kind == TaskKind::Aggregate {
            let state = if error.is_some() { "failed" } else { "pending" };
            set_aggregation(connection, &lease, state).await?;
        }
        for job in jobs_of(connection, &lease).await?.iter().filter(|job| job.state.is_open()) {
            let state = if error.is_some() { JobState::Failed } else { job.state };
            let message =
                format!("the worker on {} was lost ({losses} of {MAX_LOST_WORKERS})", describe(&lease));
            move_job(connection, &job.id, state, &message, error.as_ref()).await?;
        }
    }
    Ok(rows.len() as u64)
}

fn lost_too_often(lease: &Lease, losses: u32) -> JobError {
    JobError {
        reason: "WORKERS_LOST".to_owned(),
        message: format!(
            "{losses} workers in a row were lost while they made {}: mostly the system ends a process that takes too \
             much memory. Look at the workers' logs and the kernel's, give them more memory or set memory_limit_bytes or \
             workers lower, then submit the batch again under its key",
            describe(lease)
        ),
    }
}
