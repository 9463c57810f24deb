//! Which server is in charge of the database.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{Any, Transaction, pool::PoolConnection};
use tokio::{sync::Mutex, time::sleep};
use tracing::{info, warn};

use super::{Dialect, SqlStore, digest, int};
use crate::{
    jobs::Digest,
    store::{Lead, ServiceKeys, StoreError},
};

/// Names the lock that the server in charge holds in PostgreSQL for as long as its connection lives.
const LEAD_LOCK: i64 = 0x7465_6e6f_6e01;

/// Time between two tries to take charge.
const RETRY: Duration = Duration::from_millis(200);

/// A store's part in the lead.
#[derive(Debug, Default)]
pub(super) struct Charge {
    /// The epoch that began when this store took charge; 0 for one that isn't in charge and isn't checked.
    epoch: AtomicI64,
    /// The connection that holds the lock.
    connection: Mutex<Option<PoolConnection<Any>>>,
}

impl Charge {
    /// Gives the connection up, and the lock with it.
    pub async fn release(&self) {
        if let Some(connection) = self.connection.lock().await.take()
            && let Err(error) = connection.close().await
        {
            warn!(%error, "closing the connection of the server in charge failed");
        }
    }
}

impl SqlStore {
    /// A transaction of the server in charge.
    pub(super) async fn begin_led(&self) -> Result<Transaction<'static, Any>, StoreError> {
        let mut transaction = self.begin().await?;
        let expected = self.charge.epoch.load(Ordering::Acquire);
        if expected != 0 {
            let actual: i64 = sqlx::query_scalar("SELECT epoch FROM service WHERE id = 1")
                .fetch_one(&mut *transaction)
                .await?;
            if actual != expected {
                return Err(StoreError::Deposed { expected, actual });
            }
        }
        Ok(transaction)
    }

    async fn try_lock(&self) -> Result<Option<PoolConnection<Any>>, StoreError> {
        let mut connection = self.writer.acquire().await?;
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LEAD_LOCK)
            .fetch_one(&mut *connection)
            .await?;
        Ok(taken.then_some(connection))
    }
}

#[async_trait]
impl Lead for SqlStore {
    async fn lead(&self, keys: &ServiceKeys) -> Result<(), StoreError> {
        if self.dialect == Dialect::Postgres {
            let mut waits = false;
            let connection = loop {
                if let Some(connection) = self.try_lock().await? {
                    break connection;
                }
                if !waits {
                    info!("another server is in charge of the database; waiting for its end");
                    waits = true;
                }
                sleep(RETRY).await;
            };
            *self.charge.connection.lock().await = Some(connection);
        }
        // What the last server had begun is through, or is refused from here on.
        let mut transaction = self.begin().await?;
        let epoch: i64 = sqlx::query_scalar(
            "UPDATE service SET epoch = epoch + 1, leaf_key = $1, aggregation_key = $2 WHERE id = 1
             RETURNING epoch",
        )
        .bind(keys.leaf.as_slice())
        .bind(keys.aggregation.as_slice())
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        self.charge.epoch.store(epoch, Ordering::Release);
        Ok(())
    }

    async fn keep_lead(&self) -> Result<(), StoreError> {
        if self.dialect == Dialect::Postgres {
            let mut held = self.charge.connection.lock().await;
            let lives = match held.as_mut() {
                Some(connection) => sqlx::query("SELECT 1").execute(&mut **connection).await.is_ok(),
                None => false,
            };
            if !lives {
                *held = None;
                *held = self.try_lock().await?;
            }
        }
        self.begin_led().await?.rollback().await?;
        Ok(())
    }

    async fn service_keys(&self) -> Result<Option<ServiceKeys>, StoreError> {
        let row = sqlx::query("SELECT * FROM service WHERE id = 1 AND epoch > $1")
            .bind(int(0))
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| -> Result<ServiceKeys, StoreError> {
            let key = |column| -> Result<Digest, StoreError> { digest(&row, column) };
            Ok(ServiceKeys { leaf: key("leaf_key")?, aggregation: key("aggregation_key")? })
        })
        .transpose()
    }

    async fn identity(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT value FROM identity WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.readers)
            .await?)
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT COALESCE(MAX(sequence), 0) AS sequence FROM events")
            .fetch_one(&self.readers)
            .await?;
        super::unsigned(&row, "sequence")
    }
}
