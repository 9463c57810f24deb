//! Metrics and health over HTTP.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};

use crate::{
    core::{Core, unix_ms},
    jobs::JobState,
    store::StoreError,
};

/// The routes `/metrics`, `/healthz` and `/readyz`.
pub(crate) fn router(core: Arc<Core>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(core)
}

async fn ready(State(core): State<Arc<Core>>) -> impl IntoResponse {
    if core.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    match core.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

async fn metrics(State(core): State<Arc<Core>>) -> impl IntoResponse {
    let text = match refresh(&core).await {
        Ok(()) => core.metrics.encode().map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let content_type = |kind: &'static str| [(header::CONTENT_TYPE, kind)];
    match text {
        Ok(text) => (StatusCode::OK, content_type("text/plain; version=0.0.4"), text),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, content_type("text/plain"), format!("{error}\n").into_bytes())
        }
    }
}

/// Brings the gauges up to date.
async fn refresh(core: &Core) -> Result<(), StoreError> {
    let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let counts = core.store.job_counts().await?;
    let mut queued = 0;
    for state in JobState::ALL {
        let count = counts.iter().find(|(found, _)| found == state).map_or(0, |(_, count)| *count);
        core.metrics.jobs.with_label_values(&[state.name()]).set(gauge(count));
        if state.is_open() {
            queued += count;
        }
    }
    core.metrics.queued_batches.set(gauge(queued));
    let age = core.store.oldest_open_ms().await?.map_or(0, |oldest| unix_ms().saturating_sub(oldest) / 1000);
    core.metrics.oldest_batch_age_seconds.set(gauge(age));
    let tasks = core.store.task_counts().await?;
    core.metrics.tasks.with_label_values(&["pending"]).set(gauge(tasks.pending));
    core.metrics.tasks.with_label_values(&["leased"]).set(gauge(tasks.leased));
    Ok(())
}
