//! The Tenon prover service: takes batches of signed transactions over gRPC, executes them, proves
//! them and aggregates the proofs.
//!
//! Data goes one way: request, conversion, executor (state, witness), store, worker (proof), store,
//! aggregation. [`builder::Service::start`] puts the parts together.

pub mod api_tokens;
pub mod backup;
pub mod builder;
pub mod circuit_engine;
pub mod config;
pub mod convert;
mod core;
pub mod engine;
pub mod executor;
mod grpc;
mod http;
mod https;
pub mod jobs;
pub mod l1;
mod listener;
pub mod settlement;
pub mod store;
pub mod telemetry;
pub mod user;
pub mod worker;

pub use builder::{RunningService, Service, StartError};
pub use config::{Config, ConfigError};
