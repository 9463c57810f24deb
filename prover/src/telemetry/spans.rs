//! OpenTelemetry: what is done for a job is one trace, on whatever machine, and the trace's id is the job's. So nothing
//! has to be handed from process to process, and whoever has a job's id finds its trace.

use opentelemetry::{
    Context,
    trace::{
        SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
    },
};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tonic::transport::ClientTlsConfig;
use tracing::{Span, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// What the service calls itself.
const NAME: &str = "tenon";

/// The only code whose spans and events are exported: others' could have headers in them, and so tokens.
const TARGET: &str = "tenon_prover";

/// Exports spans to the collector at `endpoint`. Needs a tokio runtime.
pub(super) fn provider(endpoint: &str) -> Result<SdkTracerProvider, ExporterBuildError> {
    let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
    if endpoint.starts_with("https://") {
        exporter = exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
    }
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter.build()?)
        .with_resource(Resource::builder().with_service_name(NAME).build())
        .build())
}

/// Gives spans to the exporter.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(NAME))
        .with_location(false)
        .with_threads(false)
        .with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO))
}

/// Makes a span part of a job's trace. It must be new.
pub(crate) fn of_job(span: Span, job_id: &str) -> Span {
    if let Some(context) = context(job_id) {
        // Without an exporter there is nobody to take it.
        let _ = span.set_parent(context);
    }
    span
}

/// The trace of a job: its id is the job's, and its root has the first half of it.
fn context(job_id: &str) -> Option<Context> {
    let trace: [u8; 16] = hex::decode(job_id).ok()?.try_into().ok()?;
    let root = *trace.first_chunk::<8>()?;
    let (trace, root) = (TraceId::from_bytes(trace), SpanId::from_bytes(root));
    let parent = SpanContext::new(trace, root, TraceFlags::SAMPLED, true, TraceState::default());
    Some(Context::new().with_remote_span_context(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ids_of_jobs_are_traces() {
        let id = "00112233445566778899aabbccddeeff";
        let found = context(id).unwrap().span().span_context().clone();
        assert_eq!((found.trace_id().to_string(), found.span_id().to_string()), (id.into(), id[..16].into()));
        assert!(found.is_valid() && found.is_sampled());
        for other in ["", "xyz", &id[2..]] {
            assert!(context(other).is_none());
        }
    }
}
