//! What a request passes before anything of it is read: who calls, whether they may, and whether there is room.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{
    Code, Status,
    body::Body,
    codegen::http::{HeaderMap, Request, Response, header::AUTHORIZATION},
};
use tower::{Layer, Service};
use tracing::{Instrument as _, debug, debug_span, warn};

use super::{
    errors::{refusal, retry_later},
    methods::{Class, Method},
};
use crate::{
    api_tokens::{Denied, Verifier},
    core::Core,
    listener::Peer,
};

/// Callers whose rate is remembered.
const MAX_CALLERS: usize = 10_000;

/// Calls of workers that are handled at the same time.
const WORKER_CALLS: usize = 64;

/// Seconds of calls that a caller may make at once.
const BURST_SECONDS: f64 = 2.0;

/// Who sent a request, for the services behind the guard: the token's name, the certificate's fingerprint or the
/// address.
#[derive(Clone, Debug)]
pub(super) struct Caller(pub String);

/// How often each caller may call.
struct Rate {
    per_second: f64,
    left: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Rate {
    /// 0 means any number.
    fn new(per_second: u32) -> Self {
        Self { per_second: per_second.into(), left: Mutex::default() }
    }

    /// Counts a call, or says how long to wait.
    fn take(&self, caller: &str, now: Instant) -> Result<(), Duration> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let full = (self.per_second * BURST_SECONDS).max(1.0);
        let refilled = |(left, since): (f64, Instant)| {
            (left + now.saturating_duration_since(since).as_secs_f64() * self.per_second).min(full)
        };
        let mut callers = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= MAX_CALLERS && !callers.contains_key(caller) {
            // Whoever has waited long enough is as good as unknown.
            callers.retain(|_, entry| refilled(*entry) < full);
            if callers.len() >= MAX_CALLERS {
                return Err(Duration::from_secs(1));
            }
        }
        let left = refilled(*callers.get(caller).unwrap_or(&(full, now)));
        let (taken, wait) = if left >= 1.0 {
            (left - 1.0, Ok(()))
        } else {
            (left, Err(Duration::from_secs_f64((1.0 - left) / self.per_second)))
        };
        callers.insert(caller.to_owned(), (taken, now));
        wait
    }
}

struct Limits {
    core: Arc<Core>,
    tokens: Option<Arc<Verifier>>,
    requests: Arc<Semaphore>,
    submissions: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    workers: Arc<Semaphore>,
    request_rate: Rate,
    submission_rate: Rate,
}

/// Places that a request takes while it is handled.
type Places = Vec<OwnedSemaphorePermit>;

impl Limits {
    fn admit(&self, method: &'static Method, caller: &str) -> Result<Places, Status> {
        if self.core.is_stopping() && method.scope.is_some() {
            return Err(refusal(Code::Unavailable, "STOPPING", "the service is stopping"));
        }
        let now = Instant::now();
        let mut waited = self.request_rate.take(caller, now);
        if method.class == Class::Submission && waited.is_ok() {
            waited = self.submission_rate.take(caller, now);
        }
        waited.map_err(|wait| {
            let message = format!("{caller} calls more often than it may; try again in {wait:.1?}");
            retry_later(Code::ResourceExhausted, "RATE_LIMITED", message, wait)
        })?;
        let place = |places: &Arc<Semaphore>, what: &str, limit: usize| {
            Arc::clone(places).try_acquire_owned().map_err(|_| {
                let message = format!("{limit} {what} are being handled");
                retry_later(Code::ResourceExhausted, "TOO_MANY_REQUESTS", message, Duration::from_secs(1))
            })
        };
        let config = &self.core.config;
        match method.class {
            // Streams have places of their own, taken where they are opened.
            Class::Stream if method.path.contains(".Prover/") => Ok(Vec::new()),
            Class::Stream => Ok(vec![place(&self.streams, "streams", config.max_concurrent_requests)?]),
            Class::Worker => Ok(vec![place(&self.workers, "calls of workers", WORKER_CALLS)?]),
            Class::Request => Ok(vec![place(&self.requests, "requests", config.max_concurrent_requests)?]),
            Class::Submission => Ok(vec![
                place(&self.requests, "requests", config.max_concurrent_requests)?,
                place(&self.submissions, "submissions", config.max_concurrent_submissions)?,
            ]),
        }
    }

    /// The caller's name: the token's, the certificate's fingerprint or the address.
    fn caller(&self, method: &'static Method, request: &Request<Body>) -> Result<String, Status> {
        if let (Some(tokens), Some(scope)) = (&self.tokens, method.scope) {
            return match tokens.verify(bearer(request.headers()), scope) {
                Ok(token) => Ok(token.name.clone()),
                Err(denied @ Denied::Scope(_)) => {
                    Err(refusal(Code::PermissionDenied, "SCOPE_MISSING", denied.to_string()))
                }
                Err(denied @ Denied::Missing) => {
                    Err(refusal(Code::Unauthenticated, "TOKEN_MISSING", denied.to_string()))
                }
                Err(denied @ Denied::Unknown) => {
                    Err(refusal(Code::Unauthenticated, "TOKEN_UNKNOWN", denied.to_string()))
                }
            };
        }
        let peer = request.extensions().get::<Peer>();
        Ok(peer.map_or_else(String::new, |peer| match peer.certificate {
            Some(digest) => format!("certificate {}", hex::encode(digest.get(..8).unwrap_or_default())),
            None => peer.address.ip().to_string(),
        }))
    }

    fn check(&self, request: &Request<Body>) -> Result<(&'static Method, String, Places), Status> {
        let method = Method::of(request.uri().path()).ok_or_else(|| {
            refusal(Code::Unimplemented, "METHOD_UNKNOWN", "the service doesn't have this method")
        })?;
        let caller = self.caller(method, request)?;
        let places = self.admit(method, &caller)?;
        Ok((method, caller, places))
    }
}

/// The token of an `authorization` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Puts the checks in front of all services.
#[derive(Clone)]
pub(crate) struct Guard(Arc<Limits>);

impl Guard {
    /// The checks that the settings ask for.
    pub fn new(core: &Arc<Core>, tokens: Option<Arc<Verifier>>) -> Self {
        let config = &core.config;
        Self(Arc::new(Limits {
            tokens,
            requests: Arc::new(Semaphore::new(config.max_concurrent_requests)),
            submissions: Arc::new(Semaphore::new(config.max_concurrent_submissions)),
            streams: Arc::new(Semaphore::new(config.max_concurrent_requests)),
            workers: Arc::new(Semaphore::new(WORKER_CALLS)),
            request_rate: Rate::new(config.requests_per_second),
            submission_rate: Rate::new(config.submissions_per_second),
            core: Arc::clone(core),
        }))
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, limits: Arc::clone(&self.0) }
    }
}

/// A service behind the checks.
#[derive(Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
    limits: Arc<Limits>,
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let limits = Arc::clone(&self.limits);
        let checked = limits.check(&request);
        // Nothing behind this needs the token, so nothing there can let it out.
        request.headers_mut().remove(AUTHORIZATION);
        match checked {
            Err(status) => {
                let path = request.uri().path().to_owned();
                let code = status.code();
                if matches!(code, Code::Unauthenticated | Code::PermissionDenied) {
                    let address = request.extensions().get::<Peer>().map(|peer| peer.address.to_string());
                    warn!(path, address, message = status.message(), "caller refused");
                }
                let method = Method::of(&path).map_or("unknown", Method::name);
                limits.core.metrics.count_request(method, code);
                let status = limits.core.metrics.count_refusal(status);
                Box::pin(async move { Ok(status.into_http()) })
            }
            Ok((method, caller, places)) => {
                request.extensions_mut().insert(Caller(caller.clone()));
                let handled = self.inner.call(request);
                let span = debug_span!("request", method = method.name(), caller);
                let handled = async move {
                    let started = Instant::now();
                    let reply = handled.await?;
                    // A stream's code comes at its end, in its trailers.
                    let code =
                        Status::from_header_map(reply.headers()).map_or(Code::Ok, |status| status.code());
                    limits.core.metrics.count_request(method.name(), code);
                    debug!(?code, ms = started.elapsed().as_millis(), "handled");
                    if method.class == Class::Stream {
                        // A stream keeps its place until its last frame.
                        return Ok(reply.map(|body| {
                            Body::new(body.map_frame(move |frame| {
                                let _held = &places;
                                frame
                            }))
                        }));
                    }
                    drop(places);
                    Ok(reply)
                };
                Box::pin(handled.instrument(span))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_get_their_rate_and_no_more() {
        let rate = Rate::new(10);
        let start = Instant::now();
        for _ in 0..20 {
            rate.take("a", start).unwrap();
        }
        let wait = rate.take("a", start).unwrap_err();
        assert!((0.09..0.11).contains(&wait.as_secs_f64()), "{wait:?}");
        rate.take("b", start).unwrap();
        let later = start + Duration::from_secs(1);
        for _ in 0..10 {
            rate.take("a", later).unwrap();
        }
        rate.take("a", later).unwrap_err();
        assert!((0..100_000).all(|_| Rate::new(0).take("a", start).is_ok()));
    }

    #[test]
    fn many_callers_take_bounded_memory() {
        let rate = Rate::new(10);
        let start = Instant::now();
        let refused =
            (0..MAX_CALLERS * 3).filter(|number| rate.take(&number.to_string(), start).is_err()).count();
        assert_eq!(refused, MAX_CALLERS * 2);
        rate.take("late", start + Duration::from_secs(3)).unwrap();
        assert_eq!(rate.left.lock().unwrap().len(), 1);
    }
}
