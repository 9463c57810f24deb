//! Metrics, health and the page for people over HTTP.

mod observer;
mod page;

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::task::{JoinHandle, JoinSet};
use tokio_stream::StreamExt as _;
use tracing::debug;

use crate::{
    api_tokens::{Scope, Verifier},
    core::{Core, Stopping},
    grpc::bearer,
    listener::{Connection, Incoming},
};
use observer::Observer;

/// Time that the headers of a request may take, from the request's first byte or the end of the one before.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// Serves HTTP until the core stops.
pub(crate) fn serve(
    core: &Arc<Core>,
    mut incoming: Incoming,
    tokens: Option<Arc<Verifier>>,
) -> JoinHandle<()> {
    let observer = Observer::new(core);
    tokio::spawn(observer.clone().run());
    let router = router(observer, tokens);
    let mut stopping = core.stopping();
    let core = Arc::clone(core);
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let connection = tokio::select! {
                connection = incoming.next() => connection,
                Some(_) = connections.join_next() => continue,
                () = stopping.wait() => break,
            };
            let Some(Ok(connection)) = connection else { break };
            connections.spawn(answer(connection, router.clone(), core.stopping()));
        }
        while connections.join_next().await.is_some() {}
    })
}

/// Answers the requests of one connection. Whoever takes too long over a request's headers is sent away, so that nobody
/// holds all places with requests that never end.
async fn answer(connection: Connection, router: Router, mut stopping: Stopping) {
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME);
    let served = builder.serve_connection(TokioIo::new(connection), TowerToHyperService::new(router));
    let mut served = pin!(served);
    let done = tokio::select! {
        done = served.as_mut() => done,
        () = stopping.wait() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = done {
        debug!(%error, "a connection ended early");
    }
}

/// The page at `/`, and `/status.json`, `/metrics`, `/healthz` and `/readyz`.
fn router(observer: Observer, tokens: Option<Arc<Verifier>>) -> Router {
    let guarded = Router::new()
        .route("/", get(page::html))
        .route("/page.js", get(page::script))
        .route("/page.css", get(page::style))
        .route("/status.json", get(page::status))
        .route("/metrics", get(metrics));
    let guarded = match tokens {
        Some(tokens) => guarded.layer(from_fn_with_state(tokens, authenticated)),
        None => guarded,
    };
    guarded.route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready)).with_state(observer)
}

/// Lets those in whose token may read: as a bearer token, or as the password that browsers ask for.
async fn authenticated(State(tokens): State<Arc<Verifier>>, request: Request, next: Next) -> Response {
    let password = password(request.headers());
    let token = bearer(request.headers()).or(password.as_deref());
    match tokens.verify(token, Scope::Read) {
        Ok(_) => next.run(request).await,
        Err(denied) => {
            let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"tenon: any name, a token as password\"")];
            (StatusCode::UNAUTHORIZED, ask, format!("{denied}\n")).into_response()
        }
    }
}

fn password(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

async fn ready(State(observer): State<Observer>) -> impl IntoResponse {
    let core = observer.core();
    if core.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    match core.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

async fn metrics(State(observer): State<Observer>) -> impl IntoResponse {
    let text = match observer.refresh().await {
        Ok(()) => observer.core().metrics.encode().map_err(|error| error.to_string()),
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
