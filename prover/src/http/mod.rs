//! Metrics, health and the page for people over HTTP.

mod observer;
mod page;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::task::JoinHandle;

use crate::{
    api_tokens::{Scope, Verifier},
    core::Core,
    grpc::bearer,
    listener::Incoming,
};
use observer::Observer;

/// Serves HTTP until the core stops.
pub(crate) fn serve(core: &Arc<Core>, incoming: Incoming, tokens: Option<Arc<Verifier>>) -> JoinHandle<()> {
    let observer = Observer::new(core);
    tokio::spawn(observer.clone().run());
    let router = router(observer, tokens);
    let mut stopping = core.stopping();
    tokio::spawn(async move {
        let end = async move { stopping.wait().await };
        if let Err(error) = axum::serve(incoming, router).with_graceful_shutdown(end).await {
            tracing::error!(%error, "the HTTP server stopped");
        }
    })
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
