//! The rollup on L1, in the database.

use async_trait::async_trait;
use sqlx::{AnyConnection, Row, any::AnyRow};

use super::{SqlStore, digest, int, move_job, name, now_ms, unsigned, unsigned32};
use crate::{
    jobs::{Digest, JobState},
    store::{
        StoreError,
        l1::{
            Charge, FinalBatch, L1Store, Mark, NewTransaction, Outgoing, Publication, Purpose,
            QueuedOperation, TransactionState,
        },
    },
};

/// Marks kept to find the last common block after a reorg.
const MARKS: u32 = 256;

fn publication(row: &AnyRow) -> Result<Publication, StoreError> {
    let hashes: Vec<u8> = row.try_get("blob_hashes")?;
    let (blob_hashes, rest) = hashes.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(StoreError::Corrupt { what: "blob_hashes", found: hex::encode(&hashes) });
    }
    Ok(Publication {
        queue_start: unsigned(row, "queue_start")?,
        queue_end: unsigned(row, "queue_end")?,
        blob_hashes: blob_hashes.to_vec(),
        l1_hash: digest(row, "l1_hash")?,
    })
}

fn operation(row: &AnyRow) -> Result<QueuedOperation, StoreError> {
    let text: String = row.try_get("operation")?;
    let operation = serde_json::from_str(&text)
        .map_err(|error| StoreError::Corrupt { what: "operation", found: format!("{text}: {error}") })?;
    Ok(QueuedOperation {
        position: unsigned(row, "position")?,
        operation,
        deadline: unsigned32(row, "deadline")?,
        block: unsigned(row, "block")?,
    })
}

/// Enters what a batch publishes, inside the transaction that enters the batch.
pub(super) async fn insert_publication(
    connection: &mut AnyConnection,
    number: u64,
    publication: &Publication,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO publications (number, queue_start, queue_end, blob_hashes, l1_hash) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(int(number))
    .bind(int(publication.queue_start))
    .bind(int(publication.queue_end))
    .bind(publication.blob_hashes.as_flattened())
    .bind(publication.l1_hash.as_slice())
    .execute(connection)
    .await?;
    Ok(())
}

#[async_trait]
impl L1Store for SqlStore {
    async fn publication(&self, number: u64) -> Result<Option<Publication>, StoreError> {
        let row = sqlx::query("SELECT * FROM publications WHERE number = $1")
            .bind(int(number))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(publication).transpose()
    }

    async fn next_operation(&self) -> Result<u64, StoreError> {
        let row = sqlx::query(
            "SELECT COALESCE((SELECT MAX(queue_end) FROM publications), (SELECT queue_end FROM log_start), 0)
             AS queue_end",
        )
        .fetch_one(&self.readers)
        .await?;
        unsigned(&row, "queue_end")
    }

    async fn operations(&self, first: u64, limit: u32) -> Result<Vec<QueuedOperation>, StoreError> {
        let rows = sqlx::query("SELECT * FROM l1_operations WHERE position >= $1 ORDER BY position LIMIT $2")
            .bind(int(first))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(operation).collect()
    }

    async fn final_batches(&self, first: u64, limit: u32) -> Result<Vec<FinalBatch>, StoreError> {
        let rows = sqlx::query("SELECT * FROM l1_batches WHERE number >= $1 ORDER BY number LIMIT $2")
            .bind(int(first))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(FinalBatch {
                    number: unsigned(row, "number")?,
                    state_out: digest(row, "state_out")?,
                    queue_end: unsigned(row, "queue_end")?,
                    block: unsigned(row, "block")?,
                })
            })
            .collect()
    }

    async fn marks(&self) -> Result<Vec<Mark>, StoreError> {
        let rows = sqlx::query("SELECT * FROM l1_marks ORDER BY block DESC").fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| Ok(Mark { block: unsigned(row, "block")?, hash: digest(row, "hash")? }))
            .collect()
    }

    async fn advance(
        &self,
        mark: Mark,
        operations: &[QueuedOperation],
        batches: &[FinalBatch],
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin_led().await?;
        sqlx::query(
            "INSERT INTO l1_marks (block, hash) VALUES ($1, $2)
             ON CONFLICT (block) DO UPDATE SET hash = excluded.hash",
        )
        .bind(int(mark.block))
        .bind(mark.hash.as_slice())
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "DELETE FROM l1_marks WHERE block NOT IN (SELECT block FROM l1_marks ORDER BY block DESC LIMIT $1)",
        )
        .bind(i64::from(MARKS))
        .execute(&mut *transaction)
        .await?;
        for queued in operations {
            let text = serde_json::to_string(&queued.operation)
                .map_err(|error| StoreError::Corrupt { what: "operation", found: error.to_string() })?;
            sqlx::query(
                "INSERT INTO l1_operations (position, operation, deadline, block) VALUES ($1, $2, $3, $4)",
            )
            .bind(int(queued.position))
            .bind(text)
            .bind(i64::from(queued.deadline))
            .bind(int(queued.block))
            .execute(&mut *transaction)
            .await?;
        }
        for batch in batches {
            sqlx::query(
                "INSERT INTO l1_batches (number, state_out, queue_end, block) VALUES ($1, $2, $3, $4)",
            )
            .bind(int(batch.number))
            .bind(batch.state_out.as_slice())
            .bind(int(batch.queue_end))
            .bind(int(batch.block))
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn rewind(&self, block: Option<u64>) -> Result<(), StoreError> {
        let block = block.map_or(-1, int);
        let mut transaction = self.begin_led().await?;
        for table in [
            "DELETE FROM l1_marks WHERE block > $1",
            "DELETE FROM l1_operations WHERE block > $1",
            "DELETE FROM l1_batches WHERE block > $1",
        ] {
            sqlx::query(table).bind(block).execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn record_transaction(&self, new: NewTransaction) -> Result<u64, StoreError> {
        let mut transaction = self.begin_led().await?;
        let row = sqlx::query(
            "INSERT INTO l1_transactions (purpose, first_batch, last_batch, nonce, state, raw, sent_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        )
        .bind(new.purpose.name())
        .bind(int(new.first_batch))
        .bind(int(new.last_batch))
        .bind(int(new.nonce))
        .bind(TransactionState::Open.name())
        .bind(new.raw)
        .bind(now_ms())
        .fetch_one(&mut *transaction)
        .await?;
        let id = unsigned(&row, "id")?;
        insert_attempt(&mut transaction, id, &new.hash).await?;
        transaction.commit().await?;
        Ok(id)
    }

    async fn record_attempt(&self, id: u64, hash: Digest, raw: Vec<u8>) -> Result<(), StoreError> {
        let mut transaction = self.begin_led().await?;
        insert_attempt(&mut transaction, id, &hash).await?;
        sqlx::query("UPDATE l1_transactions SET raw = $1, sent_at_ms = $2 WHERE id = $3")
            .bind(raw)
            .bind(now_ms())
            .bind(int(id))
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    async fn outgoing(&self) -> Result<Vec<Outgoing>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM l1_transactions WHERE state IN ('open', 'included') ORDER BY nonce, id",
        )
        .fetch_all(&self.readers)
        .await?;
        let mut outgoing = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = unsigned(row, "id")?;
            let attempts =
                sqlx::query("SELECT hash FROM l1_attempts WHERE transaction_id = $1 ORDER BY rowid DESC")
                    .bind(int(id))
                    .fetch_all(&self.readers)
                    .await?;
            outgoing.push(Outgoing {
                id,
                purpose: name(row, "purpose", Purpose::by_name)?,
                first_batch: unsigned(row, "first_batch")?,
                last_batch: unsigned(row, "last_batch")?,
                nonce: unsigned(row, "nonce")?,
                state: name(row, "state", TransactionState::by_name)?,
                hashes: attempts.iter().map(|row| digest(row, "hash")).collect::<Result<_, _>>()?,
                raw: row.try_get::<Option<Vec<u8>>, _>("raw")?.unwrap_or_default(),
                sent_at_ms: unsigned(row, "sent_at_ms")?,
            });
        }
        Ok(outgoing)
    }

    async fn note_transaction(
        &self,
        id: u64,
        state: TransactionState,
        charge: Option<Charge>,
    ) -> Result<(), StoreError> {
        let through = !matches!(state, TransactionState::Open | TransactionState::Included);
        sqlx::query(
            "UPDATE l1_transactions SET state = $1, block = $2, gas_used = $3, cost_wei = $4,
             raw = CASE WHEN $5 THEN NULL ELSE raw END WHERE id = $6",
        )
        .bind(state.name())
        .bind(charge.map(|charge| int(charge.block)))
        .bind(charge.map(|charge| int(charge.gas_used)))
        .bind(charge.map(|charge| charge.cost_wei.to_string()))
        .bind(through)
        .bind(int(id))
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn move_jobs(
        &self,
        first: u64,
        last: u64,
        from: &[JobState],
        to: JobState,
        message: &str,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin_led().await?;
        let rows = sqlx::query(
            "SELECT jobs.id, jobs.state FROM batches JOIN jobs ON jobs.id = batches.job_id
             WHERE number BETWEEN $1 AND $2 ORDER BY number",
        )
        .bind(int(first))
        .bind(int(last))
        .fetch_all(&mut *transaction)
        .await?;
        let mut moved = 0;
        for row in &rows {
            if from.contains(&name(row, "state", JobState::by_name)?) {
                let id: String = row.try_get("id")?;
                move_job(&mut transaction, &id, to, message, None).await?;
                moved += 1;
            }
        }
        transaction.commit().await?;
        Ok(moved)
    }
}

async fn insert_attempt(connection: &mut AnyConnection, id: u64, hash: &Digest) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO l1_attempts (hash, transaction_id) VALUES ($1, $2)")
        .bind(hash.as_slice())
        .bind(int(id))
        .execute(connection)
        .await?;
    Ok(())
}
