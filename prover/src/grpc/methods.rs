//! What each method needs of its caller, and what it costs the service. A method that isn't here is refused.

use crate::api_tokens::Scope;

/// What limits the number of calls that are handled at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Brings a payload that is held in memory until it is stored.
    Submission,
    /// Reads or changes something small.
    Request,
    /// Comes from a worker: however many others call, proofs get through.
    Worker,
    /// Stays open.
    Stream,
}

/// A method.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method {
    /// The path of its requests.
    pub path: &'static str,
    /// What the caller's token must have; `None` for what everybody may ask.
    pub scope: Option<Scope>,
    /// What it costs.
    pub class: Class,
}

impl Method {
    /// The method of a path.
    pub fn of(path: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.path == path)
    }

    /// Its name without the package.
    pub fn name(&self) -> &'static str {
        self.path.rsplit_once('/').map_or(self.path, |(_, name)| name)
    }
}

const fn method(path: &'static str, scope: Option<Scope>, class: Class) -> Method {
    Method { path, scope, class }
}

/// All methods.
pub(super) const METHODS: &[Method] = &[
    method("/tenon.prover.v1.Prover/SubmitBatch", Some(Scope::Submit), Class::Submission),
    method("/tenon.prover.v1.Prover/GetJob", Some(Scope::Read), Class::Request),
    method("/tenon.prover.v1.Prover/ListJobs", Some(Scope::Read), Class::Request),
    method("/tenon.prover.v1.Prover/WatchJob", Some(Scope::Read), Class::Stream),
    method("/tenon.prover.v1.Prover/CancelJob", Some(Scope::Admin), Class::Request),
    method("/tenon.prover.v1.Prover/GetProof", Some(Scope::Read), Class::Request),
    method("/tenon.prover.v1.Prover/CreateAggregation", Some(Scope::Admin), Class::Request),
    method("/tenon.prover.v1.Prover/GetAggregation", Some(Scope::Read), Class::Request),
    method("/tenon.prover.v1.Prover/VerifyProof", Some(Scope::Read), Class::Submission),
    method("/tenon.prover.v1.Prover/GetCircuit", Some(Scope::Read), Class::Request),
    method("/tenon.prover.v1.Prover/GetAccount", Some(Scope::Read), Class::Request),
    method("/tenon.prover.v1.Prover/GetStatus", Some(Scope::Read), Class::Request),
    method("/tenon.prover.v1.WorkerService/LeaseTask", Some(Scope::Worker), Class::Worker),
    method("/tenon.prover.v1.WorkerService/CountTasks", Some(Scope::Worker), Class::Worker),
    method("/tenon.prover.v1.WorkerService/ExtendLease", Some(Scope::Worker), Class::Worker),
    method("/tenon.prover.v1.WorkerService/DownloadInput", Some(Scope::Worker), Class::Stream),
    method("/tenon.prover.v1.WorkerService/FindResult", Some(Scope::Worker), Class::Worker),
    method("/tenon.prover.v1.WorkerService/CompleteTask", Some(Scope::Worker), Class::Worker),
    method("/tenon.prover.v1.WorkerService/FailTask", Some(Scope::Worker), Class::Worker),
    method("/tenon.prover.v1.WorkerService/HandBackTask", Some(Scope::Worker), Class::Worker),
    method("/grpc.health.v1.Health/Check", None, Class::Request),
    method("/grpc.health.v1.Health/Watch", None, Class::Stream),
    method("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Some(Scope::Read), Class::Stream),
    method(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        Some(Scope::Read),
        Class::Stream,
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn every_method_of_every_service_is_in_the_table() {
        let sets = [
            tenon_proto::FILE_DESCRIPTOR_SET,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let mut served = BTreeSet::new();
        for set in sets {
            for file in FileDescriptorSet::decode(set).unwrap().file {
                for service in &file.service {
                    let full = format!("/{}.{}/", file.package(), service.name());
                    served.extend(service.method.iter().map(|method| format!("{full}{}", method.name())));
                }
            }
        }
        let listed: BTreeSet<String> = METHODS.iter().map(|method| method.path.to_owned()).collect();
        assert_eq!(listed.len(), METHODS.len(), "a method is listed twice");
        assert_eq!(listed, served);
    }

    #[test]
    fn only_health_is_open_and_whatever_changes_something_needs_more_than_reading() {
        for method in METHODS {
            assert_eq!(method.scope.is_none(), method.path.starts_with("/grpc.health."), "{method:?}");
            let reads = ["Get", "List", "Watch", "Verify", "Check", "ServerReflection"];
            let reads = reads.iter().any(|word| method.name().starts_with(word));
            assert_eq!(reads, matches!(method.scope, None | Some(Scope::Read)), "{method:?}");
        }
    }
}
