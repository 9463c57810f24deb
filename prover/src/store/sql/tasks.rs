//! Tasks, leases and results in the database.

use async_trait::async_trait;
use sqlx::{AnyConnection, Row, any::AnyRow};

use super::{
    SqlStore, digest, find_job, int,
    leasing::{leased, take_back},
    move_job, name, now_ms, unsigned, unsigned32,
};
use crate::{
    jobs::{Digest, Job, JobError, JobState, Lease, ProofRecord, TaskKind},
    store::{Failure, LostWitness, StoreError, TaskCounts, TaskStore},
};

pub(super) fn record(row: &AnyRow) -> Result<ProofRecord, StoreError> {
    Ok(ProofRecord {
        input_digest: digest(row, "input_digest")?,
        stage: name(row, "stage", TaskKind::by_name)?,
        proof_digest: digest(row, "proof_digest")?,
        circuit: row.try_get("circuit")?,
        key_digest: digest(row, "key_digest")?,
        srs_digest: digest(row, "srs_digest")?,
        seconds: row.try_get("seconds")?,
        peak_memory_bytes: unsigned(row, "peak_memory_bytes")?,
        hardware: row.try_get("hardware")?,
    })
}

/// Lets aggregations go whose leaf proofs are all there, and holds those that lost one.
pub(super) async fn unblock(connection: &mut AnyConnection) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE tasks SET state = CASE WHEN EXISTS (
             SELECT 1 FROM aggregations
             JOIN batches ON batches.number BETWEEN aggregations.first_batch AND aggregations.last_batch
             JOIN tasks AS leaves ON leaves.job_id = batches.job_id
             WHERE aggregations.id = tasks.aggregation_id AND leaves.state <> 'done'
         ) THEN 'blocked' ELSE 'pending' END
         WHERE kind = 'aggregate' AND state IN ('blocked', 'pending')",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Has one leaf proof made again.
async fn reopen_leaf(connection: &mut AnyConnection, task: u64) -> Result<(), StoreError> {
    let job_id: Option<String> = sqlx::query_scalar(
        "UPDATE tasks SET state = 'pending', not_before_ms = 0 WHERE id = $1 AND kind = 'leaf' AND state = 'done'
         RETURNING job_id",
    )
    .bind(int(task))
    .fetch_optional(&mut *connection)
    .await?
    .flatten();
    let Some(job_id) = job_id else { return Ok(()) };
    let job = find_job(connection, &job_id).await?;
    // A finished job stays finished: only its proof is made again.
    if !job.state.is_open() && job.state != JobState::Failed {
        return Ok(());
    }
    sqlx::query("UPDATE jobs SET leaves_done = CASE WHEN leaves_done > 0 THEN leaves_done - 1 ELSE 0 END WHERE id = $1")
        .bind(&job_id)
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE batches SET proven_at_ms = NULL WHERE job_id = $1")
        .bind(&job_id)
        .execute(&mut *connection)
        .await?;
    if job.state.is_open() {
        move_job(connection, &job_id, JobState::Proving, "a leaf proof is made again", None).await?;
    }
    Ok(())
}

/// The lease's task when it still is the worker's.
async fn check_lease(connection: &mut AnyConnection, lease: &Lease) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT 1 FROM tasks WHERE id = $1 AND state = 'leased' AND fence = $2")
        .bind(int(lease.task))
        .bind(int(lease.fence))
        .fetch_optional(connection)
        .await?;
    row.map(|_| ()).ok_or(StoreError::LeaseLost { task: lease.task, fence: lease.fence })
}

/// The jobs that a task belongs to.
pub(super) async fn jobs_of(connection: &mut AnyConnection, lease: &Lease) -> Result<Vec<Job>, StoreError> {
    let rows = match lease.kind {
        TaskKind::Leaf => {
            sqlx::query("SELECT * FROM jobs WHERE id = $1").bind(&lease.job_id).fetch_all(connection).await?
        }
        TaskKind::Aggregate => {
            sqlx::query("SELECT * FROM jobs WHERE aggregation_id = $1 ORDER BY batch_number")
                .bind(lease.aggregation.map(int))
                .fetch_all(connection)
                .await?
        }
    };
    rows.iter().map(super::job).collect()
}

pub(super) async fn set_aggregation(
    connection: &mut AnyConnection,
    lease: &Lease,
    state: &'static str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE aggregations SET state = $1 WHERE id = $2")
        .bind(state)
        .bind(lease.aggregation.map(int))
        .execute(connection)
        .await?;
    Ok(())
}

#[async_trait]
impl TaskStore for SqlStore {
    async fn recover(&self, leaf_keys: &Digest) -> Result<u64, StoreError> {
        let mut transaction = self.begin_led().await?;
        let returned = take_back(&mut transaction, None).await?;
        // A clock that was set back while the service was down keeps no task waiting.
        sqlx::query("UPDATE tasks SET not_before_ms = 0 WHERE state = 'pending'")
            .execute(&mut *transaction)
            .await?;
        let rows = sqlx::query(
            "SELECT tasks.id FROM tasks JOIN jobs ON jobs.id = tasks.job_id
             WHERE tasks.kind = 'leaf' AND tasks.state = 'done' AND tasks.key_digest <> $1
             AND jobs.state IN ('accepted', 'proving', 'aggregating', 'failed')",
        )
        .bind(leaf_keys.as_slice())
        .fetch_all(&mut *transaction)
        .await?;
        for row in &rows {
            reopen_leaf(&mut transaction, unsigned(row, "id")?).await?;
        }
        unblock(&mut transaction).await?;
        transaction.commit().await?;
        Ok(returned + rows.len() as u64)
    }

    async fn lease(
        &self,
        owner: &str,
        kinds: &[TaskKind],
        lease_ms: u64,
    ) -> Result<Option<Lease>, StoreError> {
        if kinds.is_empty() {
            return Ok(None);
        }
        self.take(owner, kinds, lease_ms).await
    }

    async fn lease_of(&self, task: u64, fence: u64) -> Result<(Lease, String), StoreError> {
        let row = sqlx::query("SELECT * FROM tasks WHERE id = $1 AND state = 'leased' AND fence = $2")
            .bind(int(task))
            .bind(int(fence))
            .fetch_optional(&self.readers)
            .await?;
        let row = row.ok_or(StoreError::LeaseLost { task, fence })?;
        Ok((leased(&row)?, row.try_get("lease_owner")?))
    }

    async fn extend(&self, lease: &Lease, lease_ms: u64) -> Result<(), StoreError> {
        let mut connection = self.writer.acquire().await?;
        let until = self.clock_ms(&mut connection).await?.saturating_add(int(lease_ms));
        let result = sqlx::query(
            "UPDATE tasks SET lease_until_ms = $1 WHERE id = $2 AND state = 'leased' AND fence = $3",
        )
        .bind(until)
        .bind(int(lease.task))
        .bind(int(lease.fence))
        .execute(&mut *connection)
        .await?;
        if result.rows_affected() == 0 {
            return Err(StoreError::LeaseLost { task: lease.task, fence: lease.fence });
        }
        Ok(())
    }

    async fn complete(&self, lease: &Lease, proof: ProofRecord, reused: bool) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        check_lease(&mut transaction, lease).await?;
        sqlx::query(
            "INSERT INTO results (input_digest, stage, proof_digest, circuit, key_digest, srs_digest,
             seconds, peak_memory_bytes, hardware, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (input_digest) DO UPDATE SET proof_digest = excluded.proof_digest,
             circuit = excluded.circuit, key_digest = excluded.key_digest, srs_digest = excluded.srs_digest,
             seconds = excluded.seconds, peak_memory_bytes = excluded.peak_memory_bytes,
             hardware = excluded.hardware, created_at_ms = excluded.created_at_ms",
        )
        .bind(proof.input_digest.as_slice())
        .bind(proof.stage.name())
        .bind(proof.proof_digest.as_slice())
        .bind(&proof.circuit)
        .bind(proof.key_digest.as_slice())
        .bind(proof.srs_digest.as_slice())
        .bind(proof.seconds)
        .bind(int(proof.peak_memory_bytes))
        .bind(&proof.hardware)
        .bind(now_ms())
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "UPDATE tasks SET state = 'done', losses = 0, lease_owner = NULL, input_digest = $1, key_digest = $2, reused = $3,
             error = NULL WHERE id = $4",
        )
        .bind(proof.input_digest.as_slice())
        .bind(proof.key_digest.as_slice())
        .bind(i64::from(reused))
        .bind(int(lease.task))
        .execute(&mut *transaction)
        .await?;
        let jobs = jobs_of(&mut transaction, lease).await?;
        match lease.kind {
            TaskKind::Leaf => {
                for job in jobs {
                    sqlx::query(
                        "UPDATE jobs SET leaves_done =
                         (SELECT COUNT(*) FROM tasks WHERE job_id = jobs.id AND state = 'done') WHERE id = $1",
                    )
                    .bind(&job.id)
                    .execute(&mut *transaction)
                    .await?;
                    let done = find_job(&mut transaction, &job.id).await?.leaves_done;
                    let all = done == job.batch.chunks;
                    if all {
                        sqlx::query("UPDATE batches SET proven_at_ms = $1 WHERE job_id = $2")
                            .bind(now_ms())
                            .bind(&job.id)
                            .execute(&mut *transaction)
                            .await?;
                    }
                    if job.state.is_open() {
                        let state = if all { JobState::Aggregating } else { JobState::Proving };
                        let message = format!("leaf proof {done} of {} made", job.batch.chunks);
                        move_job(&mut transaction, &job.id, state, &message, None).await?;
                    }
                }
                unblock(&mut transaction).await?;
            }
            TaskKind::Aggregate => {
                set_aggregation(&mut transaction, lease, "ready").await?;
                for job in jobs.iter().filter(|job| job.state.is_open()) {
                    move_job(&mut transaction, &job.id, JobState::Ready, "aggregate proof made", None)
                        .await?;
                }
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn fail(
        &self,
        lease: &Lease,
        error: &JobError,
        max_attempts: u32,
        delay_ms: u64,
    ) -> Result<Failure, StoreError> {
        let mut transaction = self.begin().await?;
        check_lease(&mut transaction, lease).await?;
        let row = sqlx::query(
            "UPDATE tasks SET failures = failures + 1, losses = 0, lease_owner = NULL, error = $1 WHERE id = $2
             RETURNING failures",
        )
        .bind(&error.message)
        .bind(int(lease.task))
        .fetch_one(&mut *transaction)
        .await?;
        let failures = unsigned32(&row, "failures")?;
        let jobs = jobs_of(&mut transaction, lease).await?;
        let outcome = if failures >= max_attempts { Failure::Final } else { Failure::Retried };
        let state = if outcome == Failure::Final { "failed" } else { "pending" };
        let delay = delay_ms.saturating_mul(1 << failures.saturating_sub(1).min(16));
        let now = self.clock_ms(&mut transaction).await?;
        sqlx::query("UPDATE tasks SET state = $1, not_before_ms = $2 WHERE id = $3")
            .bind(state)
            .bind(now.saturating_add(int(delay)))
            .bind(int(lease.task))
            .execute(&mut *transaction)
            .await?;
        if lease.kind == TaskKind::Aggregate {
            set_aggregation(&mut transaction, lease, state).await?;
        }
        for job in jobs.iter().filter(|job| job.state.is_open()) {
            let message =
                format!("{} failed ({failures} of {max_attempts}): {}", describe(lease), error.message);
            let (state, error) = match outcome {
                Failure::Final => (JobState::Failed, Some(error)),
                Failure::Retried => (job.state, None),
            };
            move_job(&mut transaction, &job.id, state, &message, error).await?;
        }
        transaction.commit().await?;
        Ok(outcome)
    }

    async fn hand_back(&self, lease: &Lease, delay_ms: u64, note: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        check_lease(&mut transaction, lease).await?;
        let now = self.clock_ms(&mut transaction).await?;
        sqlx::query("UPDATE tasks SET state = 'pending', losses = 0, lease_owner = NULL, not_before_ms = $1, error = $2 WHERE id = $3")
            .bind(now.saturating_add(int(delay_ms)))
            .bind(note)
            .bind(int(lease.task))
            .execute(&mut *transaction)
            .await?;
        if lease.kind == TaskKind::Aggregate {
            set_aggregation(&mut transaction, lease, "pending").await?;
        }
        for job in jobs_of(&mut transaction, lease).await?.iter().filter(|job| job.state.is_open()) {
            let message = format!("{} handed back: {note}", describe(lease));
            move_job(&mut transaction, &job.id, job.state, &message, None).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn expire(&self) -> Result<u64, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let now = self.clock_ms(&mut connection).await?;
        let found = sqlx::query(
            "SELECT 1 FROM tasks WHERE state = 'leased' AND lease_until_ms < $1
             AND lease_owner NOT LIKE 'service/%' LIMIT 1",
        )
        .bind(now)
        .fetch_optional(&mut *connection)
        .await?;
        drop(connection);
        if found.is_none() {
            return Ok(0);
        }
        let mut transaction = self.begin().await?;
        let returned = take_back(&mut transaction, Some(now)).await?;
        transaction.commit().await?;
        Ok(returned)
    }

    async fn overdue(&self, deadline_ms: u64) -> Result<Vec<Lease>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let now = self.clock_ms(&mut connection).await?;
        let rows = sqlx::query("SELECT * FROM tasks WHERE state = 'leased' AND leased_at_ms < $1")
            .bind(now.saturating_sub(int(deadline_ms)))
            .fetch_all(&mut *connection)
            .await?;
        rows.iter().map(leased).collect()
    }

    async fn leasable(&self, kinds: &[TaskKind]) -> Result<u64, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let now = self.clock_ms(&mut connection).await?;
        let row = sqlx::query(
            "SELECT COUNT(*) AS count FROM tasks LEFT JOIN jobs ON jobs.id = tasks.job_id
             WHERE tasks.state = 'pending' AND (jobs.state IS NULL OR jobs.state <> 'failed')
             AND tasks.not_before_ms <= $1
             AND (($2 AND tasks.kind = 'leaf') OR ($3 AND tasks.kind = 'aggregate'))",
        )
        .bind(now)
        .bind(kinds.contains(&TaskKind::Leaf))
        .bind(kinds.contains(&TaskKind::Aggregate))
        .fetch_one(&mut *connection)
        .await?;
        unsigned(&row, "count")
    }

    async fn lose_witness(&self, task: u64) -> Result<(), StoreError> {
        sqlx::query("UPDATE tasks SET state = 'lost' WHERE id = $1 AND state = 'pending' AND kind = 'leaf'")
            .bind(int(task))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn lost_witnesses(&self) -> Result<Vec<LostWitness>, StoreError> {
        let rows = sqlx::query("SELECT * FROM tasks WHERE state = 'lost' ORDER BY batch_number, chunk")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(LostWitness {
                    task: unsigned(row, "id")?,
                    batch: unsigned(row, "batch_number")?,
                    chunk: unsigned32(row, "chunk")?,
                    digest: digest(row, "witness_digest")?,
                })
            })
            .collect()
    }

    async fn restore_witness(&self, task: u64, error: Option<&JobError>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let state = if error.is_none() { "pending" } else { "failed" };
        let job_id: Option<String> = sqlx::query_scalar(
            "UPDATE tasks SET state = $1, not_before_ms = 0 WHERE id = $2 AND state = 'lost' RETURNING job_id",
        )
        .bind(state)
        .bind(int(task))
        .fetch_optional(&mut *transaction)
        .await?;
        if let (Some(job_id), Some(error)) = (job_id, error) {
            move_job(&mut transaction, &job_id, JobState::Failed, &error.message, Some(error)).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn result(&self, input: &Digest) -> Result<Option<ProofRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM results WHERE input_digest = $1")
            .bind(input.as_slice())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(record).transpose()
    }

    async fn forget_result(&self, input: &Digest) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM results WHERE input_digest = $1")
            .bind(input.as_slice())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn redo_leaf(&self, task: u64) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        reopen_leaf(&mut transaction, task).await?;
        unblock(&mut transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn task_counts(&self) -> Result<TaskCounts, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) FILTER (WHERE state IN ('pending', 'blocked', 'lost')) AS pending,
             COUNT(*) FILTER (WHERE state = 'leased') AS leased FROM tasks
             WHERE state IN ('pending', 'blocked', 'lost', 'leased')",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(TaskCounts { pending: unsigned(&row, "pending")?, leased: unsigned(&row, "leased")? })
    }

    async fn mean_seconds(&self, kind: TaskKind) -> Result<Option<f64>, StoreError> {
        let row = sqlx::query(
            "SELECT AVG(seconds) AS mean FROM
             (SELECT seconds FROM results WHERE stage = $1 ORDER BY created_at_ms DESC LIMIT 16) AS latest",
        )
        .bind(kind.name())
        .fetch_one(&self.readers)
        .await?;
        Ok(row.try_get("mean")?)
    }
}

/// The task for people.
pub(super) fn describe(lease: &Lease) -> String {
    match lease.kind {
        TaskKind::Leaf => format!("the proof of chunk {} of batch {}", lease.chunk, lease.batch_number),
        TaskKind::Aggregate => format!("aggregation {}", lease.aggregation.unwrap_or_default()),
    }
}
