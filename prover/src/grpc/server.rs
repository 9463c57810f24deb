//! The gRPC server: the services behind the guard, on one listener.

use std::{sync::Arc, time::Duration};

use tenon_proto::{
    FILE_DESCRIPTOR_SET,
    v1::{prover_server::ProverServer, worker_service_server::WorkerServiceServer},
};
use tokio::task::JoinHandle;
use tonic::transport::Server;

use super::{ProverService, guard::Guard, workers::Workers};
use crate::{api_tokens::Verifier, core::Core, listener::Incoming, worker::wire};

/// Time without a frame after which a client is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Time that it gets to answer.
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(20);

/// Calls that one connection may have open.
const STREAMS_PER_CONNECTION: u32 = 1024;

/// Bytes of headers that a request may have.
const MAX_HEADER_BYTES: u32 = 16 << 10;

/// Serves gRPC until the core stops.
pub(crate) async fn serve(
    core: &Arc<Core>,
    incoming: Incoming,
    tokens: Option<Arc<Verifier>>,
) -> Result<JoinHandle<()>, tonic_reflection::server::Error> {
    let limit = core.config.max_message_bytes;
    let prover = ProverServer::new(ProverService::new(Arc::clone(core)))
        .max_decoding_message_size(limit)
        .max_encoding_message_size(usize::MAX);
    let workers = WorkerServiceServer::new(Workers::new(Arc::clone(core)))
        .max_decoding_message_size(wire::MAX_MESSAGE_BYTES)
        .max_encoding_message_size(usize::MAX);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ProverServer<ProverService>>().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let router = Server::builder()
        .timeout(core.config.request_timeout)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_ANSWER))
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .layer(Guard::new(core, tokens))
        .add_service(prover)
        .add_service(workers)
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    let mut stopping = core.stopping();
    Ok(tokio::spawn(async move {
        let end = async {
            stopping.wait().await;
            reporter.set_not_serving::<ProverServer<ProverService>>().await;
        };
        if let Err(error) = router.serve_with_incoming_shutdown(incoming, end).await {
            tracing::error!(%error, "the gRPC server stopped");
        }
    }))
}
