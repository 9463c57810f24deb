//! Every RPC and every refusal that goes over gRPC.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::*;
use tenon_circuits::rollup::{Account, Address, AmountCode, FeeCode, Fr, PublicKey, State, field, tree};
use tenon_proto::v1::{self, JobState};
use tonic::Code;

fn pairs<'a>(expected: &[(&'a str, &'a str)]) -> Vec<(String, String)> {
    expected.iter().map(|(field, reason)| ((*field).to_owned(), (*reason).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_becomes_a_proof() {
    let mut fixture = Fixture::start(&[]).await;
    let job = fixture.submit(chunks("one", 0, 2)).await;
    assert_eq!((job.batch_number, job.transactions, job.chunks), (1, 4, 2));
    assert_eq!(fixture.finish(&job.id).await, JobState::Ready);

    let reply =
        fixture.client.get_job(v1::GetJobRequest { job_id: job.id.clone() }).await.unwrap().into_inner();
    let stages = reply.receipt.unwrap().stages;
    let names: Vec<_> = stages.iter().map(|stage| (stage.stage.as_str(), stage.chunk)).collect();
    assert_eq!(names, [("leaf", Some(0)), ("leaf", Some(1)), ("aggregate", None)]);
    assert!(stages.iter().all(|stage| stage.attempts == 1 && !stage.reused && !stage.hardware.is_empty()));
    assert_eq!(reply.job.unwrap().progress.unwrap().percent, 100);

    let proof = fixture.proof_of(&job.id).await.unwrap();
    let batches = proof.proof.clone().unwrap().batches;
    assert_eq!(batches.len(), 1);
    assert_eq!(
        (&batches[0].state_in, &batches[0].state_out, &batches[0].commit),
        (&job.state_in, &job.state_out, &job.commit)
    );
    assert_eq!(proof.leaf_proofs.len(), 2);
    assert_eq!(
        proof.leaf_proofs[0].public_inputs.as_ref().unwrap().state_out,
        proof.leaf_proofs[1].public_inputs.as_ref().unwrap().state_in
    );

    let verify = v1::VerifyProofRequest { proof: proof.proof.clone() };
    assert!(fixture.client.verify_proof(verify).await.unwrap().into_inner().valid);
    let mut forged = proof.proof.unwrap();
    forged.batches[0].state_out = forged.batches[0].state_in.clone();
    let verdict = fixture.client.verify_proof(v1::VerifyProofRequest { proof: Some(forged) }).await.unwrap();
    assert!(!verdict.get_ref().valid && !verdict.get_ref().reason.is_empty());
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_wrong_comes_in_one_reply() {
    let mut fixture = Fixture::start(&[]).await;
    let before = fixture.status().await;
    let mut wrong_signature = transfer(0, 1, 0);
    wrong_signature.amount = AmountCode(11);
    let not_canonical = unsigned(1, 2, 0, 1 | 1 << 35, 1);
    let mut other_token = unsigned(2, 5, 0, 10, 1);
    other_token.token = 1;
    let mut expired = unsigned(3, 1, 0, 10, 1);
    expired.valid_until = 1;
    let status = fixture
        .refuse(request("wrong", &[wrong_signature, sign(not_canonical), sign(other_token), sign(expired)]))
        .await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "BATCH_INVALID"));
    assert_eq!(
        violations(&status),
        pairs(&[
            ("transactions[0].signature", "SIGNATURE_INVALID"),
            ("transactions[1].amount", "FLOAT_NOT_CANONICAL"),
            ("transactions[2].to", "TOKEN_MISMATCH"),
            ("transactions[3].valid_until", "EXPIRED"),
        ])
    );

    let mut unknown = unsigned(0, 77, 0, 10, 1);
    unknown = sign(unknown);
    let overdraft = sign(unsigned(1, 2, 0, 2_000_000, 1));
    let wrong_nonce = transfer(2, 1, 5);
    let status = fixture.refuse(request("wrong", &[unknown, overdraft, wrong_nonce])).await;
    assert_eq!(
        violations(&status),
        pairs(&[
            ("transactions[0].to", "ACCOUNT_UNKNOWN"),
            ("transactions[1].amount", "BALANCE_INSUFFICIENT"),
            ("transactions[2].nonce", "NONCE_MISMATCH"),
        ])
    );

    let mut no_fee_account = request("wrong", &[transfer(0, 1, 0)]);
    no_fee_account.fee_accounts.clear();
    assert_eq!(
        violations(&fixture.refuse(no_fee_account).await),
        pairs(&[("transactions[0].fee", "FEE_ACCOUNT_MISSING")])
    );

    assert_eq!(
        violations(&fixture.refuse(request("wrong", &[])).await),
        pairs(&[("transactions", "BATCH_EMPTY")])
    );
    let after = fixture.status().await;
    assert_eq!((before.state, before.last_batch), (after.state, after.last_batch));
    let jobs = fixture.client.list_jobs(v1::ListJobsRequest::default()).await.unwrap().into_inner();
    assert!(jobs.jobs.is_empty());
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_encodings_are_listed_with_the_rest() {
    let mut fixture = Fixture::start(&[]).await;
    let mut bad = request("key with space", &[transfer(0, 1, 3), transfer(2, 1, 0), transfer(3, 1, 0)]);
    bad.timestamp = Some(u32::MAX);
    bad.transactions[0].kind = 256;
    bad.transactions[1].fee = 1 << 16;
    bad.transactions[1].signature.as_mut().unwrap().r8x = vec![0xff; 32];
    bad.transactions[2].signature.as_mut().unwrap().s.pop();
    let mut found = violations(&fixture.refuse(bad).await);
    found.sort();
    assert_eq!(
        found,
        pairs(&[
            ("idempotency_key", "IDEMPOTENCY_KEY_INVALID"),
            ("timestamp", "TIMESTAMP_IN_FUTURE"),
            ("transactions[0].kind", "KIND_UNKNOWN"),
            ("transactions[0].nonce", "NONCE_MISMATCH"),
            ("transactions[0].signature", "SIGNATURE_INVALID"),
            ("transactions[1].fee", "FLOAT_OUT_OF_RANGE"),
            ("transactions[1].signature.r8x", "FIELD_ELEMENT_INVALID"),
            ("transactions[2].signature.s", "LENGTH_INVALID"),
        ])
    );
    let mut unsigned = request("key", &[transfer(0, 1, 0)]);
    unsigned.transactions[0].signature = None;
    assert_eq!(
        violations(&fixture.refuse(unsigned).await),
        pairs(&[("transactions[0].signature", "SIGNATURE_MISSING")])
    );
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_domain_is_refused() {
    let mut fixture = Fixture::start(&[]).await;
    let mut other = request("other", &[transfer(0, 1, 0)]);
    other.domain = vec![0; 32];
    let found = violations(&fixture.refuse(other.clone()).await);
    assert!(found.contains(&("domain".to_owned(), "DOMAIN_MISMATCH".to_owned())), "{found:?}");
    other.domain = vec![1; 31];
    assert_eq!(violations(&fixture.refuse(other).await), pairs(&[("domain", "FIELD_ELEMENT_INVALID")]));
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_and_times_have_limits() {
    let mut fixture = Fixture::start(&[("max_message_bytes", "4096")]).await;
    let status = fixture.refuse(chunks("large", 0, LEAVES + 1)).await;
    assert_eq!(violations(&status), pairs(&[("transactions", "BATCH_TOO_LARGE")]));

    let huge = chunks("huge", 0, 40);
    assert_eq!(fixture.refuse(huge).await.code(), Code::OutOfRange);

    let mut first = nth(1);
    first.timestamp = Some(1_700_000_000);
    fixture.submit(first).await;
    let mut earlier = nth(2);
    earlier.timestamp = Some(1_699_999_999);
    assert_eq!(violations(&fixture.refuse(earlier).await), pairs(&[("timestamp", "TIMESTAMP_TOO_EARLY")]));
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_fit_the_limit_the_client_names() {
    let mut fixture = Fixture::start(&[]).await;
    let mut bad = chunks("many", 0, 2);
    for transaction in &mut bad.transactions {
        transaction.valid_until = 0;
        transaction.nonce = 99;
        transaction.to = 99;
        transaction.fee = u32::from(FeeCode(u16::MAX).0);
        transaction.amount = u64::MAX;
        transaction.kind = 7;
    }
    bad.max_error_bytes = 400;
    let few = fixture.refuse(bad.clone()).await;
    let omitted: usize = details(&few).error_info().unwrap().metadata["omitted"].parse().unwrap();
    bad.max_error_bytes = 100_000;
    let all = violations(&fixture.refuse(bad).await);
    assert!(omitted > 0 && all.len() == omitted + violations(&few).len());
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unprovable_batches_are_not_accepted() {
    let mut fixture = Fixture::start(&[]).await;
    fixture.engine.reject_checks.store(true, std::sync::atomic::Ordering::SeqCst);
    let status = fixture.refuse(nth(1)).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Internal, "BATCH_UNPROVABLE"));
    assert_eq!(fixture.status().await.last_batch, 0);
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_are_not_found() {
    let mut fixture = Fixture::start(&[]).await;
    let id = "0123".to_owned();
    let status = fixture.client.get_job(v1::GetJobRequest { job_id: id.clone() }).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "JOB_UNKNOWN"));
    let cancel = v1::CancelJobRequest { job_id: id.clone(), cascade: false };
    assert_eq!(reason(&fixture.client.cancel_job(cancel).await.unwrap_err()), "JOB_UNKNOWN");
    let watch = v1::WatchJobRequest { job_id: id.clone(), after_sequence: 0 };
    assert_eq!(reason(&fixture.client.watch_job(watch).await.unwrap_err()), "JOB_UNKNOWN");
    assert_eq!(reason(&fixture.proof_of(&id).await.unwrap_err()), "JOB_UNKNOWN");
    for (subject, expected) in [
        (None, "SUBJECT_MISSING"),
        (Some(v1::get_proof_request::Subject::AggregationId(5)), "AGGREGATION_UNKNOWN"),
        (Some(v1::get_proof_request::Subject::BatchNumber(5)), "BATCH_UNKNOWN"),
    ] {
        let request = v1::GetProofRequest { subject, with_leaf_proofs: false };
        assert_eq!(reason(&fixture.client.get_proof(request).await.unwrap_err()), expected);
    }
    let aggregation = v1::GetAggregationRequest { aggregation_id: 5 };
    assert_eq!(
        reason(&fixture.client.get_aggregation(aggregation).await.unwrap_err()),
        "AGGREGATION_UNKNOWN"
    );
    let status = fixture.client.get_account(v1::GetAccountRequest { index: ACCOUNTS }).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "ACCOUNT_UNKNOWN"));
    let verify = fixture.client.verify_proof(v1::VerifyProofRequest { proof: None }).await.unwrap_err();
    assert_eq!(reason(&verify), "PROOF_MISSING");
    let malformed = v1::AggregateProof {
        batches: vec![v1::BatchPublicInputs { domain: vec![1], ..Default::default() }],
        proof: Vec::new(),
    };
    let verify = fixture.client.verify_proof(v1::VerifyProofRequest { proof: Some(malformed) }).await;
    let status = verify.unwrap_err();
    assert_eq!((status.code(), violations(&status).len()), (Code::InvalidArgument, 10));
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_protobuf_is_refused() {
    let mut fixture = Fixture::start(&[]).await;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", fixture.service.grpc_addr))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut raw = tonic::client::Grpc::new(channel);
    raw.ready().await.unwrap();
    // The message of another RPC: field 1 is a number here and a message there.
    let codec = tonic_prost::ProstCodec::<v1::GetAccountRequest, v1::VerifyProofResponse>::default();
    let path = "/tenon.prover.v1.Prover/VerifyProof".parse().unwrap();
    let request = tonic::Request::new(v1::GetAccountRequest { index: 7 });
    let status = raw.unary(request, path, codec).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("wire type"), "{}", status.message());
    assert_eq!(fixture.status().await.last_batch, 0);
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_come_with_their_path() {
    let mut fixture = Fixture::start(&[]).await;
    let job = fixture.submit(nth(1)).await;
    let reply = fixture.account(0).await;
    let account = reply.account.unwrap();
    assert_eq!((account.nonce, account.balance.as_str()), (1, "999989"));
    assert_eq!((&reply.state, reply.batch_number, reply.next_index), (&job.state_out, 1, ACCOUNTS));
    let element = |bytes: &[u8]| field::from_bytes(bytes.try_into().unwrap()).unwrap();
    let path: Vec<[Fr; 3]> = reply
        .path
        .iter()
        .map(|level| std::array::from_fn(|sibling| element(&level.siblings[sibling])))
        .collect();
    let path: [[Fr; 3]; 16] = path.try_into().unwrap();
    let key = account.key.unwrap();
    let leaf = Account {
        token: account.token,
        nonce: account.nonce,
        balance: account.balance.parse().unwrap(),
        key: PublicKey { x: element(&key.x), y: element(&key.y) },
        owner: Address(account.owner.try_into().unwrap()),
    }
    .leaf();
    assert_eq!(element(&reply.leaf), leaf);
    assert_eq!(tree::root_of_path(0, leaf, &path), element(&reply.root));
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn circuits_and_status_are_told() {
    let mut fixture = Fixture::start(&[]).await;
    let circuit = fixture.client.get_circuit(v1::GetCircuitRequest {}).await.unwrap().into_inner();
    assert_eq!((circuit.leaves, circuit.max_transactions), (LEAVES as u32, (LEAVES * CHUNK) as u32));
    assert_eq!(circuit.leaf.unwrap().srs_source, "development");
    let class = &circuit.size_classes[0];
    assert!(class.active);
    let capacity = [class.slots, class.opens, class.l1_words].map(|size| size as usize);
    assert_eq!(capacity, [CAPACITY.slots, CAPACITY.opens, CAPACITY.l1_words]);
    let status = fixture.status().await;
    let genesis = State::from_accounts(&(0..ACCOUNTS).map(account).collect::<Vec<_>>()).unwrap();
    assert_eq!(status.genesis_state, field::to_bytes(&genesis.commitment()));
    assert_eq!(status.domain, field::to_bytes(&rollup_domain()));
    assert_eq!((status.chain_id, status.accounts, status.workers), (CHAIN_ID, ACCOUNTS, 2));
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_in_pages() {
    let mut fixture = Fixture::start(&[]).await;
    for number in 1..=5 {
        fixture.submit(nth(number)).await;
    }
    let mut numbers = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListJobsRequest { page_size: 2, page_token, states: Vec::new() };
        let page = fixture.client.list_jobs(request).await.unwrap().into_inner();
        numbers.extend(page.jobs.iter().map(|job| job.batch_number));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
    let cancelled = v1::ListJobsRequest { states: vec![JobState::Cancelled.into()], ..Default::default() };
    assert!(fixture.client.list_jobs(cancelled).await.unwrap().into_inner().jobs.is_empty());
    for (request, expected) in [
        (v1::ListJobsRequest { page_size: 501, ..Default::default() }, "PAGE_SIZE_INVALID"),
        (v1::ListJobsRequest { page_token: "x".to_owned(), ..Default::default() }, "PAGE_TOKEN_INVALID"),
        (v1::ListJobsRequest { states: vec![99], ..Default::default() }, "JOB_STATE_INVALID"),
    ] {
        assert_eq!(reason(&fixture.client.list_jobs(request).await.unwrap_err()), expected);
    }
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_reflection_and_http_answer() {
    let mut fixture = Fixture::start(&[]).await;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", fixture.service.grpc_addr))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    for service in ["", "tenon.prover.v1.Prover"] {
        let request = tonic_health::pb::HealthCheckRequest { service: service.to_owned() };
        assert_eq!(health.check(request).await.unwrap().into_inner().status, 1);
    }
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut stream =
        reflection.server_reflection_info(tokio_stream::iter([request])).await.unwrap().into_inner();
    let reply = stream.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = reply else { panic!("{reply:?}") };
    assert!(list.service.iter().any(|service| service.name == "tenon.prover.v1.Prover"));

    let job = fixture.submit(nth(1)).await;
    fixture.finish(&job.id).await;
    assert_eq!(fixture.http("/healthz").await.0, 200);
    assert_eq!(fixture.http("/readyz").await.0, 200);
    assert_eq!(fixture.http("/elsewhere").await.0, 404);
    assert_eq!(fixture.metric("tenon_jobs{state=\"ready\"}").await, 1.0);
    assert_eq!(fixture.metric("tenon_queued_batches").await, 0.0);
    assert_eq!(fixture.metric("tenon_batches_accepted_total").await, 1.0);
    let (_, metrics) = fixture.http("/metrics").await;
    for name in [
        "tenon_proof_seconds_count{circuit=\"leaf\",stage=\"leaf\"} 1",
        "tenon_proof_seconds_count{circuit=\"aggregation\",stage=\"aggregate\"} 1",
        "tenon_aggregation_leaves_sum{circuit=\"aggregation\"} 1",
        "tenon_oldest_batch_age_seconds 0",
        "tenon_peak_memory_bytes{stage=\"leaf\"}",
        "tenon_tasks{state=\"leased\"} 0",
    ] {
        assert!(metrics.contains(name), "{name} not in {metrics}");
    }
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_are_honoured_and_the_batch_is_kept() {
    let mut fixture = Fixture::start(&[]).await;
    let mut late = tonic::Request::new(nth(1));
    late.set_timeout(Duration::from_nanos(1));
    let status = fixture.client.submit_batch(late).await.unwrap_err();
    assert!(matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded), "{status}");
    // Whether or not the first try got through, the key gives one batch.
    let job = fixture.submit(nth(1)).await;
    assert_eq!((job.batch_number, fixture.finish(&job.id).await), (1, JobState::Ready));
    fixture.service.shutdown().await;
}
