//! Jobs and events in the database.

use async_trait::async_trait;
use sqlx::Row;

use super::{SqlStore, event, find_job, int, job, move_job, name, tasks, unsigned};
use crate::{
    jobs::{Event, Job, JobState},
    store::{JobStore, StoreError},
};

#[async_trait]
impl JobStore for SqlStore {
    async fn job(&self, id: &str) -> Result<Option<Job>, StoreError> {
        let row =
            sqlx::query("SELECT * FROM jobs WHERE id = $1").bind(id).fetch_optional(&self.readers).await?;
        row.as_ref().map(job).transpose()
    }

    async fn job_by_key(&self, key: &str) -> Result<Option<Job>, StoreError> {
        let row = sqlx::query("SELECT * FROM jobs WHERE idempotency_key = $1 ORDER BY position DESC LIMIT 1")
            .bind(key)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(job).transpose()
    }

    async fn jobs(
        &self,
        before: Option<u64>,
        states: &[JobState],
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        // As many names as there are states, so that one statement serves every choice.
        let mut names: Vec<&str> = states.iter().map(|state| state.name()).collect();
        if names.is_empty() {
            names.extend(JobState::ALL.iter().map(|state| state.name()));
        }
        let mut query = sqlx::query(
            "SELECT * FROM jobs WHERE position < $1 AND state IN ($2, $3, $4, $5, $6, $7, $8, $9)
             ORDER BY position DESC LIMIT $10",
        )
        .bind(before.map_or(i64::MAX, int));
        for name in names.iter().cycle().take(JobState::ALL.len()) {
            query = query.bind(*name);
        }
        let rows = query.bind(i64::from(limit)).fetch_all(&self.readers).await?;
        rows.iter().map(job).collect()
    }

    async fn events(&self, job_id: &str, after: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM events WHERE job_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
        )
        .bind(job_id)
        .bind(int(after))
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(event).collect()
    }

    async fn restart(&self, job_id: &str) -> Result<Job, StoreError> {
        let mut transaction = self.begin_led().await?;
        let target = find_job(&mut transaction, job_id).await?;
        if target.state != JobState::Failed {
            return Ok(target);
        }
        // The jobs that failed with the aggregation start with it.
        let rows = sqlx::query(
            "SELECT * FROM jobs WHERE state = 'failed' AND (id = $1 OR aggregation_id IN
             (SELECT id FROM aggregations WHERE id = $2 AND state = 'failed'))",
        )
        .bind(job_id)
        .bind(target.aggregation.map(int))
        .fetch_all(&mut *transaction)
        .await?;
        sqlx::query("UPDATE tasks SET state = 'blocked', failures = 0, losses = 0, not_before_ms = 0 WHERE aggregation_id = $1 AND state = 'failed'")
            .bind(target.aggregation.map(int))
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE aggregations SET state = 'pending' WHERE id = $1 AND state = 'failed'")
            .bind(target.aggregation.map(int))
            .execute(&mut *transaction)
            .await?;
        for restarted in rows.iter().map(job).collect::<Result<Vec<_>, _>>()? {
            sqlx::query(
                "UPDATE tasks SET state = 'pending', failures = 0, losses = 0, not_before_ms = 0
                 WHERE job_id = $1 AND state = 'failed'",
            )
            .bind(&restarted.id)
            .execute(&mut *transaction)
            .await?;
            let state = if restarted.leaves_done == restarted.batch.chunks {
                JobState::Aggregating
            } else if restarted.leaves_done > 0 {
                JobState::Proving
            } else {
                JobState::Accepted
            };
            move_job(&mut transaction, &restarted.id, state, "restarted", None).await?;
        }
        tasks::unblock(&mut transaction).await?;
        let job = find_job(&mut transaction, job_id).await?;
        transaction.commit().await?;
        Ok(job)
    }

    async fn job_counts(&self) -> Result<Vec<(JobState, u64)>, StoreError> {
        let rows = sqlx::query("SELECT state, COUNT(*) AS count FROM jobs GROUP BY state")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| Ok((name(row, "state", JobState::by_name)?, unsigned(row, "count")?))).collect()
    }

    async fn oldest_open_ms(&self) -> Result<Option<u64>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(created_at_ms) AS oldest FROM jobs WHERE state IN ('accepted', 'proving', 'aggregating', 'failed')",
        )
        .fetch_one(&self.readers)
        .await?;
        let oldest: Option<i64> = row.try_get("oldest")?;
        Ok(oldest.and_then(|oldest| u64::try_from(oldest).ok()))
    }
}
