//! The gRPC interface of the Tenon prover: messages, server, and a [client](client::Client).

pub mod client;

/// Package `tenon.prover.v1`.
#[allow(clippy::unwrap_used, missing_docs)]
pub mod v1 {
    tonic::include_proto!("tenon.prover.v1");
}

/// The compiled `.proto` files (a `google.protobuf.FileDescriptorSet`), for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The `domain` of every `google.rpc.ErrorInfo` the service sends.
pub const ERROR_DOMAIN: &str = "tenon.prover.v1";
