//! Figures for the page and the metrics, from the database.

use async_trait::async_trait;
use sqlx::Row;

use super::{SqlStore, name, unsigned, unsigned32};
use crate::{
    jobs::TaskKind,
    store::{
        StoreError,
        figures::{FigureStore, GasUsed, TaskInWork},
        l1::Purpose,
    },
};

#[async_trait]
impl FigureStore for SqlStore {
    async fn gas_used(&self) -> Result<Vec<GasUsed>, StoreError> {
        let rows = sqlx::query(
            "SELECT purpose, COUNT(*) AS transactions, CAST(SUM(gas_used) AS BIGINT) AS gas FROM l1_transactions
             WHERE gas_used IS NOT NULL GROUP BY purpose ORDER BY purpose",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(GasUsed {
                    purpose: name(row, "purpose", Purpose::by_name)?,
                    transactions: unsigned(row, "transactions")?,
                    gas: unsigned(row, "gas")?,
                })
            })
            .collect()
    }

    async fn in_work(&self, limit: u32) -> Result<Vec<TaskInWork>, StoreError> {
        let rows = sqlx::query(
            "SELECT lease_owner, kind, batch_number, chunk, starts FROM tasks
             WHERE state = 'leased' AND lease_owner IS NOT NULL ORDER BY id LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(TaskInWork {
                    worker: row.try_get("lease_owner")?,
                    kind: name(row, "kind", TaskKind::by_name)?,
                    batch_number: unsigned(row, "batch_number")?,
                    chunk: unsigned32(row, "chunk")?,
                    attempt: unsigned32(row, "starts")?,
                })
            })
            .collect()
    }
}
