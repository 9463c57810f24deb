//! Jobs and events in SQLite.

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::{SqliteStore, event, find_job, int, job, move_job, name, tasks, unsigned};
use crate::{
    jobs::{Event, Job, JobState},
    store::{JobStore, StoreError},
};

#[async_trait]
impl JobStore for SqliteStore {
    async fn job(&self, id: &str) -> Result<Option<Job>, StoreError> {
        let row =
            sqlx::query("SELECT * FROM jobs WHERE id = ?").bind(id).fetch_optional(&self.readers).await?;
        row.as_ref().map(job).transpose()
    }

    async fn job_by_key(&self, key: &str) -> Result<Option<Job>, StoreError> {
        let row = sqlx::query("SELECT * FROM jobs WHERE idempotency_key = ? ORDER BY position DESC LIMIT 1")
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
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM jobs WHERE position < ");
        query.push_bind(before.map_or(i64::MAX, int));
        if !states.is_empty() {
            query.push(" AND state IN (");
            let mut list = query.separated(", ");
            for state in states {
                list.push_bind(state.name());
            }
            query.push(")");
        }
        query.push(" ORDER BY position DESC LIMIT ").push_bind(limit);
        let rows = query.build().fetch_all(&self.readers).await?;
        rows.iter().map(job).collect()
    }

    async fn events(&self, job_id: &str, after: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM events WHERE job_id = ? AND sequence > ? ORDER BY sequence LIMIT ?")
                .bind(job_id)
                .bind(int(after))
                .bind(limit)
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(event).collect()
    }

    async fn restart(&self, job_id: &str) -> Result<Job, StoreError> {
        let mut transaction = self.begin().await?;
        let target = find_job(&mut transaction, job_id).await?;
        if target.state != JobState::Failed {
            return Ok(target);
        }
        // The jobs that failed with the aggregation start with it.
        let rows = sqlx::query(
            "SELECT * FROM jobs WHERE state = 'failed' AND (id = ? OR aggregation_id IN
             (SELECT id FROM aggregations WHERE id = ? AND state = 'failed'))",
        )
        .bind(job_id)
        .bind(target.aggregation.map(int))
        .fetch_all(&mut *transaction)
        .await?;
        sqlx::query("UPDATE tasks SET state = 'blocked', failures = 0, not_before_ms = 0 WHERE aggregation_id = ? AND state = 'failed'")
            .bind(target.aggregation.map(int))
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE aggregations SET state = 'pending' WHERE id = ? AND state = 'failed'")
            .bind(target.aggregation.map(int))
            .execute(&mut *transaction)
            .await?;
        for restarted in rows.iter().map(job).collect::<Result<Vec<_>, _>>()? {
            sqlx::query(
                "UPDATE tasks SET state = 'pending', failures = 0, not_before_ms = 0
                 WHERE job_id = ? AND state = 'failed'",
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
