//! Aggregations in the database.

use async_trait::async_trait;
use sqlx::any::AnyRow;
use tenon_circuits::public_inputs::BATCH_PLACES;

use super::{SqlStore, digest, int, name, now_ms, optional, tasks, unsigned, unsigned32};
use crate::{
    jobs::{Aggregation, AggregationState, JobState, ProofRecord, TaskKind, plan::Candidate},
    store::{AggregationStore, LeafInput, StageRecord, StoreError},
};

fn aggregation(row: &AnyRow) -> Result<Aggregation, StoreError> {
    Ok(Aggregation {
        id: unsigned(row, "id")?,
        first_batch: unsigned(row, "first_batch")?,
        last_batch: unsigned(row, "last_batch")?,
        leaves: unsigned32(row, "leaves")?,
        state: name(row, "state", AggregationState::by_name)?,
        created_at_ms: unsigned(row, "created_at_ms")?,
    })
}

#[async_trait]
impl AggregationStore for SqlStore {
    async fn aggregation(&self, id: u64) -> Result<Option<Aggregation>, StoreError> {
        let row = sqlx::query("SELECT * FROM aggregations WHERE id = $1")
            .bind(int(id))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(aggregation).transpose()
    }

    async fn aggregate(
        &self,
        first: u64,
        last: u64,
        capacity: u32,
    ) -> Result<(Aggregation, bool), StoreError> {
        let refuse =
            |reason: &'static str, message: String| StoreError::RunRefused { first, last, reason, message };
        if first == 0 || last < first {
            return Err(refuse("RUN_EMPTY", format!("expected 1 <= first <= last, got {first} and {last}")));
        }
        // A batch has a leaf, so a longer run can't fit.
        let places = u64::from(capacity).min(BATCH_PLACES as u64);
        if last - first >= places {
            return Err(refuse(
                "RUN_TOO_LARGE",
                format!("expected at most {places} batches, got {}", last - first + 1),
            ));
        }
        let mut transaction = self.begin_led().await?;
        let rows = sqlx::query(
            "SELECT batches.number, batches.chunks, batches.aggregation_id, jobs.state FROM batches
             JOIN jobs ON jobs.id = batches.job_id WHERE number BETWEEN $1 AND $2 ORDER BY number",
        )
        .bind(int(first))
        .bind(int(last))
        .fetch_all(&mut *transaction)
        .await?;
        let mut leaves = 0;
        let mut covering = None;
        for (expected, row) in (first..=last).zip(rows.iter().map(Some).chain(std::iter::repeat(None))) {
            let row = row.ok_or(StoreError::BatchUnknown(expected))?;
            leaves += unsigned32(row, "chunks")?;
            covering = covering.or(optional(row, "aggregation_id")?);
            if name(row, "state", JobState::by_name)? == JobState::Failed {
                return Err(refuse("JOB_FAILED", format!("the job of batch {expected} failed")));
            }
        }
        if let Some(id) = covering {
            let row = sqlx::query("SELECT * FROM aggregations WHERE id = $1")
                .bind(int(id))
                .fetch_one(&mut *transaction)
                .await?;
            let existing = aggregation(&row)?;
            if (existing.first_batch, existing.last_batch) == (first, last) {
                return Ok((existing, true));
            }
            return Err(refuse(
                "ALREADY_AGGREGATED",
                format!(
                    "aggregation {id} covers batches {} to {}",
                    existing.first_batch, existing.last_batch
                ),
            ));
        }
        if leaves > capacity {
            return Err(refuse(
                "RUN_TOO_LARGE",
                format!("expected at most {capacity} leaf proofs, got {leaves}"),
            ));
        }
        let row = sqlx::query(
            "INSERT INTO aggregations (first_batch, last_batch, leaves, state, created_at_ms)
             VALUES ($1, $2, $3, 'pending', $4) RETURNING *",
        )
        .bind(int(first))
        .bind(int(last))
        .bind(i64::from(leaves))
        .bind(now_ms())
        .fetch_one(&mut *transaction)
        .await?;
        let created = aggregation(&row)?;
        sqlx::query("UPDATE batches SET aggregation_id = $1 WHERE number BETWEEN $2 AND $3")
            .bind(int(created.id))
            .bind(int(first))
            .bind(int(last))
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE jobs SET aggregation_id = $1 WHERE id IN
             (SELECT job_id FROM batches WHERE number BETWEEN $2 AND $3)",
        )
        .bind(int(created.id))
        .bind(int(first))
        .bind(int(last))
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO tasks (kind, state, aggregation_id, batch_number, rank_ms)
             SELECT 'aggregate', 'blocked', $1, $2, COALESCE(MIN(tasks.rank_ms), 0) FROM tasks
             JOIN batches ON batches.job_id = tasks.job_id WHERE batches.number BETWEEN $3 AND $4",
        )
        .bind(int(created.id))
        .bind(int(first))
        .bind(int(first))
        .bind(int(last))
        .execute(&mut *transaction)
        .await?;
        tasks::unblock(&mut transaction).await?;
        transaction.commit().await?;
        Ok((created, false))
    }

    async fn candidates(&self) -> Result<Vec<Candidate>, StoreError> {
        // From the first batch on that no aggregation covers.
        let rows = sqlx::query(
            "SELECT batches.number, batches.chunks, batches.aggregation_id, batches.proven_at_ms, jobs.state
             FROM batches JOIN jobs ON jobs.id = batches.job_id
             WHERE number >= (SELECT MIN(number) FROM batches WHERE aggregation_id IS NULL) ORDER BY number",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Candidate {
                    number: unsigned(row, "number")?,
                    leaves: unsigned32(row, "chunks")?,
                    state: name(row, "state", JobState::by_name)?,
                    covered: optional(row, "aggregation_id")?.is_some(),
                    proven_at_ms: optional(row, "proven_at_ms")?,
                })
            })
            .collect()
    }

    async fn leaf_inputs(&self, id: u64) -> Result<Vec<LeafInput>, StoreError> {
        let rows = sqlx::query(
            "SELECT tasks.id, tasks.input_digest, results.proof_digest FROM aggregations
             JOIN batches ON batches.number BETWEEN aggregations.first_batch AND aggregations.last_batch
             JOIN tasks ON tasks.job_id = batches.job_id AND tasks.kind = 'leaf'
             LEFT JOIN results ON results.input_digest = tasks.input_digest
             WHERE aggregations.id = $1 ORDER BY batches.number, tasks.chunk",
        )
        .bind(int(id))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(LeafInput {
                    task: unsigned(row, "id")?,
                    input_digest: super::optional_digest(row, "input_digest")?.unwrap_or_default(),
                    proof_digest: super::optional_digest(row, "proof_digest")?.unwrap_or_default(),
                })
            })
            .collect()
    }

    async fn aggregate_record(&self, id: u64) -> Result<Option<ProofRecord>, StoreError> {
        let row = sqlx::query(
            "SELECT results.* FROM tasks JOIN results ON results.input_digest = tasks.input_digest
             WHERE tasks.aggregation_id = $1 AND tasks.state = 'done'",
        )
        .bind(int(id))
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(tasks::record).transpose()
    }

    async fn stages(&self, first: u64, last: u64) -> Result<Vec<StageRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT tasks.kind, tasks.chunk, tasks.starts, tasks.reused, results.* FROM tasks
             JOIN results ON results.input_digest = tasks.input_digest
             WHERE tasks.state = 'done' AND (
                 tasks.job_id IN (SELECT job_id FROM batches WHERE number BETWEEN $1 AND $2)
                 OR tasks.aggregation_id IN (SELECT aggregation_id FROM batches WHERE number BETWEEN $3 AND $4))
             ORDER BY tasks.kind = 'aggregate', tasks.batch_number, tasks.chunk",
        )
        .bind(int(first))
        .bind(int(last))
        .bind(int(first))
        .bind(int(last))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                let kind = name(row, "kind", TaskKind::by_name)?;
                Ok(StageRecord {
                    chunk: (kind == TaskKind::Leaf).then(|| unsigned32(row, "chunk")).transpose()?,
                    attempts: unsigned32(row, "starts")?,
                    reused: unsigned(row, "reused")? != 0,
                    proof: tasks::record(row)?,
                })
            })
            .collect()
    }

    async fn redo_aggregate(&self, id: u64) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query(
            "UPDATE tasks SET state = 'blocked', failures = 0, not_before_ms = 0
             WHERE aggregation_id = $1 AND state = 'done' RETURNING input_digest",
        )
        .bind(int(id))
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some(row) = row {
            sqlx::query("DELETE FROM results WHERE input_digest = $1")
                .bind(digest(&row, "input_digest")?.as_slice())
                .execute(&mut *transaction)
                .await?;
            sqlx::query("UPDATE aggregations SET state = 'pending' WHERE id = $1")
                .bind(int(id))
                .execute(&mut *transaction)
                .await?;
            tasks::unblock(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
