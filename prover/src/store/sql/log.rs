//! The log of batches in the database.

use async_trait::async_trait;
use sqlx::{AnyConnection, Row, any::AnyRow};
use tenon_circuits::rollup::ChunkCapacity;

use super::{
    SqlStore, digest, find_job, int, job, move_job, now_ms, optional, summary, unsigned, unsigned32,
};
use crate::{
    jobs::{BatchSummary, Digest, Job, JobError, JobState, PRIORITY_STEP_MS},
    store::{BatchLog, LogStart, LoggedBatch, NewBatch, StoreError},
};

fn logged(row: &AnyRow) -> Result<LoggedBatch, StoreError> {
    Ok(LoggedBatch {
        summary: summary(row, "number")?,
        payload: row.try_get("payload")?,
        chunk_capacity: ChunkCapacity {
            slots: size(row, "chunk_slots")?,
            opens: size(row, "chunk_opens")?,
            l1_words: size(row, "chunk_l1_words")?,
            accounts: limit(row, "chunk_accounts")?,
            nodes: limit(row, "chunk_nodes")?,
        },
        job_id: row.try_get("job_id")?,
        aggregation: optional(row, "aggregation_id")?,
    })
}

/// A limit, where the database's largest number stands for none.
fn limit(row: &AnyRow, column: &'static str) -> Result<usize, StoreError> {
    let limit = size(row, column)?;
    Ok(if limit as u64 == i64::MAX.unsigned_abs() { usize::MAX } else { limit })
}

/// Where a batch's tasks stand among others: the lower, the earlier. Priority is a head start, so the order of two
/// batches never changes, and however many urgent ones come, a batch gets its turn.
fn rank_ms(accepted_ms: i64, priority: u32) -> i64 {
    accepted_ms.saturating_sub(int(u64::from(priority).saturating_mul(PRIORITY_STEP_MS)))
}

fn size(row: &AnyRow, column: &'static str) -> Result<usize, StoreError> {
    let number = unsigned(row, column)?;
    usize::try_from(number).map_err(|_| StoreError::Corrupt { what: column, found: number.to_string() })
}

/// The number of the last batch, or of the one before the log's first.
async fn last_number(connection: &mut AnyConnection) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT COALESCE((SELECT MAX(number) FROM batches), (SELECT number FROM log_start), 0) AS number",
    )
    .fetch_one(connection)
    .await?;
    unsigned(&row, "number")
}

fn log_start(row: &AnyRow) -> Result<LogStart, StoreError> {
    Ok(LogStart {
        number: unsigned(row, "number")?,
        timestamp: unsigned32(row, "timestamp")?,
        state: digest(row, "state")?,
        queue_end: unsigned(row, "queue_end")?,
    })
}

#[async_trait]
impl BatchLog for SqlStore {
    async fn bind(&self, identity: &[(&str, String)]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for (name, value) in identity {
            let found: Option<String> = sqlx::query_scalar("SELECT value FROM identity WHERE name = $1")
                .bind(*name)
                .fetch_optional(&mut *transaction)
                .await?;
            match found {
                Some(expected) if expected == *value => {}
                Some(expected) => {
                    return Err(StoreError::Foreign {
                        name: (*name).to_owned(),
                        expected,
                        actual: value.clone(),
                    });
                }
                None => {
                    sqlx::query("INSERT INTO identity (name, value) VALUES ($1, $2)")
                        .bind(*name)
                        .bind(value)
                        .execute(&mut *transaction)
                        .await?;
                }
            }
        }
        Ok(transaction.commit().await?)
    }

    async fn log_start(&self) -> Result<Option<LogStart>, StoreError> {
        let row = sqlx::query("SELECT * FROM log_start").fetch_optional(&self.readers).await?;
        row.as_ref().map(log_start).transpose()
    }

    async fn begin_log(&self, start: &LogStart) -> Result<(), StoreError> {
        let mut transaction = self.begin_led().await?;
        let row = sqlx::query("SELECT * FROM log_start").fetch_optional(&mut *transaction).await?;
        let found = row.as_ref().map(log_start).transpose()?;
        let batches: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM batches").fetch_one(&mut *transaction).await?;
        match found {
            Some(found) if found == *start => return Ok(()),
            None if batches == 0 => {}
            _ => {
                let actual = found.map_or(0, |found| found.number);
                return Err(StoreError::LogBegun { expected: start.number, actual });
            }
        }
        sqlx::query(
            "INSERT INTO log_start (id, number, timestamp, state, queue_end) VALUES (1, $1, $2, $3, $4)",
        )
        .bind(int(start.number))
        .bind(i64::from(start.timestamp))
        .bind(start.state.as_slice())
        .bind(int(start.queue_end))
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    async fn last_batch(&self) -> Result<Option<BatchSummary>, StoreError> {
        let row = sqlx::query("SELECT * FROM batches ORDER BY number DESC LIMIT 1")
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(|row| summary(row, "number")).transpose()
    }

    async fn batch(&self, number: u64) -> Result<Option<LoggedBatch>, StoreError> {
        let row = sqlx::query("SELECT * FROM batches WHERE number = $1")
            .bind(int(number))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(logged).transpose()
    }

    async fn batches(&self, first: u64, limit: u32) -> Result<Vec<LoggedBatch>, StoreError> {
        let rows = sqlx::query("SELECT * FROM batches WHERE number >= $1 ORDER BY number LIMIT $2")
            .bind(int(first))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(logged).collect()
    }

    async fn accept(&self, batch: NewBatch) -> Result<Job, StoreError> {
        let mut transaction = self.begin_led().await?;
        let expected = last_number(&mut transaction).await? + 1;
        let summary = &batch.summary;
        if summary.number != expected {
            return Err(StoreError::OutOfOrder { expected, actual: summary.number });
        }
        let now = now_ms();
        sqlx::query(
            "INSERT INTO jobs (id, idempotency_key, payload_digest, state, batch_number, timestamp, l1_operations,
             transactions, chunks, state_in, state_out, commitment, z_d, y_d, z_l, y_l, created_at_ms, updated_at_ms,
             priority)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        )
        .bind(&batch.job_id)
        .bind(&batch.idempotency_key)
        .bind(batch.payload_digest.as_slice())
        .bind(JobState::Accepted.name())
        .bind(int(summary.number))
        .bind(i64::from(summary.timestamp))
        .bind(i64::from(summary.l1_operations))
        .bind(i64::from(summary.transactions))
        .bind(i64::from(summary.chunks))
        .bind(summary.state_in.as_slice())
        .bind(summary.state_out.as_slice())
        .bind(summary.commit.as_slice())
        .bind(summary.z_d.as_slice())
        .bind(summary.y_d.as_slice())
        .bind(summary.z_l.as_slice())
        .bind(summary.y_l.as_slice())
        .bind(now)
        .bind(now)
        .bind(i64::from(batch.priority))
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO batches (number, timestamp, payload, chunk_slots, chunk_opens, chunk_l1_words, chunks,
             l1_operations, transactions, state_in, state_out, commitment, z_d, y_d, z_l, y_l, job_id,
             chunk_accounts, chunk_nodes)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        )
        .bind(int(summary.number))
        .bind(i64::from(summary.timestamp))
        .bind(&batch.payload)
        .bind(int(batch.chunk_capacity.slots as u64))
        .bind(int(batch.chunk_capacity.opens as u64))
        .bind(int(batch.chunk_capacity.l1_words as u64))
        .bind(i64::from(summary.chunks))
        .bind(i64::from(summary.l1_operations))
        .bind(i64::from(summary.transactions))
        .bind(summary.state_in.as_slice())
        .bind(summary.state_out.as_slice())
        .bind(summary.commit.as_slice())
        .bind(summary.z_d.as_slice())
        .bind(summary.y_d.as_slice())
        .bind(summary.z_l.as_slice())
        .bind(summary.y_l.as_slice())
        .bind(&batch.job_id)
        .bind(int(batch.chunk_capacity.accounts as u64))
        .bind(int(batch.chunk_capacity.nodes as u64))
        .execute(&mut *transaction)
        .await?;
        let rank_ms = rank_ms(now, batch.priority);
        for (chunk, witness) in (0u32..).zip(&batch.witnesses) {
            sqlx::query(
                "INSERT INTO tasks (kind, state, job_id, batch_number, chunk, witness_digest, rank_ms)
                 VALUES ('leaf', 'pending', $1, $2, $3, $4, $5)",
            )
            .bind(&batch.job_id)
            .bind(int(summary.number))
            .bind(i64::from(chunk))
            .bind(witness.as_slice())
            .bind(rank_ms)
            .execute(&mut *transaction)
            .await?;
        }
        super::l1::insert_publication(&mut transaction, summary.number, &batch.publication).await?;
        let message = format!("batch {} accepted", summary.number);
        move_job(&mut transaction, &batch.job_id, JobState::Accepted, &message, None).await?;
        let job = find_job(&mut transaction, &batch.job_id).await?;
        transaction.commit().await?;
        Ok(job)
    }

    async fn cancel(&self, job_id: &str, cascade: bool) -> Result<Vec<Job>, StoreError> {
        let mut transaction = self.begin_led().await?;
        let target = find_job(&mut transaction, job_id).await?;
        let refuse = |job: &Job| StoreError::JobFinal {
            id: job.id.clone(),
            batch: job.batch.number,
            state: job.state,
        };
        if !target.state.is_open() && target.state != JobState::Failed {
            return Err(refuse(&target));
        }
        let first = int(target.batch.number);
        let rows = sqlx::query(
            "SELECT jobs.* FROM batches JOIN jobs ON jobs.id = batches.job_id
             WHERE batches.number >= $1 ORDER BY batches.number",
        )
        .bind(first)
        .fetch_all(&mut *transaction)
        .await?;
        let affected = rows.iter().map(job).collect::<Result<Vec<_>, _>>()?;
        let successors = affected.len().saturating_sub(1) as u64;
        if successors > 0 && !cascade {
            return Err(StoreError::HasSuccessors { batch: target.batch.number, successors });
        }
        // A successor's finished proof can't be settled without this batch and goes with it, but
        // nothing takes back what was sent to L1.
        if let Some(job) =
            affected.iter().find(|job| matches!(job.state, JobState::Settling | JobState::Settled))
        {
            return Err(refuse(job));
        }

        sqlx::query(
            "UPDATE tasks SET state = 'cancelled' WHERE aggregation_id IN
             (SELECT id FROM aggregations WHERE last_batch >= $1 AND state <> 'cancelled')",
        )
        .bind(first)
        .execute(&mut *transaction)
        .await?;
        for table in [
            "UPDATE jobs SET aggregation_id = NULL WHERE aggregation_id IN
             (SELECT id FROM aggregations WHERE last_batch >= $1 AND state <> 'cancelled')",
            "UPDATE batches SET aggregation_id = NULL WHERE aggregation_id IN
             (SELECT id FROM aggregations WHERE last_batch >= $1 AND state <> 'cancelled')",
        ] {
            sqlx::query(table).bind(first).execute(&mut *transaction).await?;
        }
        sqlx::query("UPDATE aggregations SET state = 'cancelled' WHERE last_batch >= $1")
            .bind(first)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE tasks SET state = 'cancelled'
             WHERE job_id IN (SELECT job_id FROM batches WHERE number >= $1)",
        )
        .bind(first)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM checkpoints WHERE batch_number >= $1")
            .bind(first)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM batches WHERE number >= $1").bind(first).execute(&mut *transaction).await?;
        for job in &affected {
            let message = if job.id == target.id {
                "cancelled on request".to_owned()
            } else {
                format!("cancelled with batch {}", target.batch.number)
            };
            let error = JobError { reason: "CANCELLED".to_owned(), message: message.clone() };
            move_job(&mut transaction, &job.id, JobState::Cancelled, &message, Some(&error)).await?;
        }
        let mut cancelled = Vec::with_capacity(affected.len());
        for job in &affected {
            cancelled.push(find_job(&mut transaction, &job.id).await?);
        }
        transaction.commit().await?;
        Ok(cancelled)
    }

    async fn add_checkpoint(&self, batch: u64, file: Digest) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO checkpoints (batch_number, file_digest) VALUES ($1, $2)
             ON CONFLICT (batch_number) DO UPDATE SET file_digest = excluded.file_digest",
        )
        .bind(int(batch))
        .bind(file.as_slice())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn checkpoints(&self, batch: u64) -> Result<Vec<(u64, Digest)>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM checkpoints WHERE batch_number <= $1 ORDER BY batch_number DESC")
                .bind(int(batch))
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(|row| Ok((unsigned(row, "batch_number")?, digest(row, "file_digest")?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::MAX_PRIORITY;

    #[test]
    fn priority_is_worth_a_wait_and_no_more() {
        let (step, at) = (int(PRIORITY_STEP_MS), 1_700_000_000_000);
        for priority in 0..=MAX_PRIORITY {
            let head_start = i64::from(priority) * step;
            assert!(rank_ms(at + head_start - 1, priority) < rank_ms(at, 0));
            assert!(rank_ms(at + head_start + 1, priority) > rank_ms(at, 0));
        }
        // Whatever came a whole range of priorities later comes later.
        let range = i64::from(MAX_PRIORITY) * step;
        assert!(rank_ms(at + range + 1, MAX_PRIORITY) > rank_ms(at, 0));
    }
}
