//! Spans at a collector, by OTLP over gRPC: all that is done for a job, from its submission to L1, in one trace.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod l1_common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{config, connect};
use l1_common::{
    Anvil,
    rollup::{World, key_file},
    users::HashEngine,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    trace::v1::Span,
};
use tenon_proto::v1;
use tenon_prover::{Service, convert, settlement::Finality, telemetry};
use tokio::{net::TcpListener, time::Instant};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

const DEADLINE: Duration = Duration::from_secs(120);

/// Takes spans, as a collector does.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Server::builder().add_service(TraceServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.0.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_one_trace_from_its_submission_to_l1() {
    let collector = Collector::default();
    let anvil = Anvil::start(&[]).await;
    let world = World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await;
    let dir = tempfile::tempdir().unwrap();
    let config = config(
        dir.path(),
        &[
            ("genesis", ""),
            ("l1_url", &anvil.url),
            ("l1_key_file", &key_file(dir.path())),
            ("l1_poll", "50ms"),
            ("l1_deadline_margin", "300h"),
            ("rollup_address", &world.rollup.to_string()),
            // One proof for both batches.
            ("aggregation_max_age", "1h"),
            ("otlp_endpoint", &collector.start().await),
        ],
    );
    let export = telemetry::init_logging(&config).unwrap();
    let service = Service::start(config, Arc::new(HashEngine::new())).await.unwrap();
    let mut client = connect(&service).await;
    world.deposit(1, 1000).await;
    let started = Instant::now();
    while world.standing().await.committed < 1 {
        assert!(started.elapsed() < DEADLINE, "the deposit is never committed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let request = v1::SubmitBatchRequest {
        domain: convert::element_bytes(&world.domain),
        fee_accounts: Vec::new(),
        ..common::request("transfer", &[world.transfer((0, 1), (0, 1), 0, 5)])
    };
    client.submit_batch(request).await.unwrap();
    let jobs = loop {
        let jobs = client.list_jobs(v1::ListJobsRequest::default()).await.unwrap().into_inner().jobs;
        if jobs.iter().all(|job| job.state() == v1::JobState::Settled) {
            break jobs;
        }
        assert!(started.elapsed() < DEADLINE, "{jobs:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    drop(client);
    service.shutdown().await;
    export.end().await;

    let spans = collector.spans();
    assert_eq!(jobs.len(), 2);
    for job in jobs {
        let trace = hex::decode(&job.id).unwrap();
        let own: Vec<&Span> = spans.iter().filter(|span| span.trace_id == trace).collect();
        for (name, kind) in [
            ("submit", None),
            ("task", Some("leaf")),
            ("task", Some("aggregate")),
            ("commit", None),
            ("settle", None),
            ("settled", None),
        ] {
            let is_it = |span: &&&Span| span.name == name && attribute(span, "kind").as_deref() == kind;
            let Some(span) = own.iter().find(is_it) else {
                panic!("no {name} ({kind:?}) in {:?}", own.iter().map(|span| &span.name).collect::<Vec<_>>())
            };
            assert_eq!(attribute(span, "job").as_ref(), Some(&job.id), "{name}");
            let batch: u64 = attribute(span, "batch").unwrap().parse().unwrap();
            assert!(batch == job.batch_number || kind == Some("aggregate") && batch == 1, "{name}: {batch}");
            assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
            assert_eq!(span.parent_span_id, trace[..8]);
        }
        let task = own.iter().find(|span| attribute(span, "kind").as_deref() == Some("leaf")).unwrap();
        let told: Vec<_> = task.events.iter().map(|event| event.name.as_str()).collect();
        assert_eq!(told, ["task started", "proof stored"]);
    }
}
