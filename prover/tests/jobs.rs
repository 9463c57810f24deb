//! Idempotency, watching, cancelling, aggregation, failures, leases, damaged files and overload.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{fs, sync::atomic::Ordering, time::Duration};

use common::*;
use tenon_proto::v1::{self, AggregationState, JobState};
use tenon_prover::{
    jobs::{JobError, ProofRecord, TaskKind},
    store::{StoreError, TaskStore},
};
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;
use tonic::Code;

on_each_database! {
    a_key_is_one_job,
    the_same_batch_sent_at_once_is_entered_once,
    watchers_miss_nothing,
    cancelling_rolls_the_state_back,
    cancelling_a_batch_in_an_aggregation_frees_the_others,
    batches_aggregate_by_count_and_on_request,
    failures_are_retried_and_then_final,
    a_failed_aggregation_restarts_with_one_of_its_jobs,
    a_failed_batch_can_be_cancelled_with_its_successors,
    resubmission_reuses_proofs,
    damaged_proofs_are_made_again,
    lost_witnesses_are_made_again_from_the_log,
    a_proof_that_cannot_be_stored_is_tried_again,
    a_full_disk_is_waited_out,
    tasks_have_a_deadline_and_late_results_are_dropped,
    overload_is_refused_with_a_hint,
    concurrent_requests_have_a_limit,
    leases_end_and_fences_keep_late_workers_out,
}

async fn a_key_is_one_job(on: Database) {
    let mut fixture = Fixture::on(on, &[]).await;
    let job = fixture.submit(nth(1)).await;
    let again = fixture.client.submit_batch(nth(1)).await.unwrap().into_inner();
    assert!(again.existing && again.job.unwrap().id == job.id);
    fixture.finish(&job.id).await;
    let again = fixture.client.submit_batch(nth(1)).await.unwrap().into_inner();
    assert!(again.existing && again.job.unwrap().state() == JobState::Ready);
    let mut other = nth(1);
    other.fee_accounts.push(5);
    let status = fixture.refuse(other).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "IDEMPOTENCY_KEY_TAKEN"));
    assert_eq!(fixture.status().await.last_batch, 1);
    fixture.service.shutdown().await;
}

async fn the_same_batch_sent_at_once_is_entered_once(on: Database) {
    let mut fixture = Fixture::on(on, &[]).await;
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let mut client = fixture.client.clone();
            tokio::spawn(async move { client.submit_batch(nth(1)).await.unwrap().into_inner() })
        })
        .collect();
    let mut new = 0;
    for reply in tries {
        new += u32::from(!reply.await.unwrap().existing);
    }
    assert_eq!((new, fixture.status().await.last_batch), (1, 1));
    fixture.service.shutdown().await;
}

async fn watchers_miss_nothing(on: Database) {
    let mut fixture = Fixture::on(on, &[]).await;
    fixture.engine.leaf_gate.close();
    let job = fixture.submit(chunks("one", 0, 2)).await;
    let request = v1::WatchJobRequest { job_id: job.id.clone(), after_sequence: 0 };
    let mut stream = fixture.client.watch_job(request).await.unwrap().into_inner();
    let first = stream.next().await.unwrap().unwrap();
    assert_eq!(first.state(), JobState::Accepted);
    drop(stream);
    fixture.engine.leaf_gate.open();
    let rest = fixture.watch(&job.id, first.sequence).await;
    let all = fixture.watch(&job.id, 0).await;
    let sequences = |events: &[v1::JobEvent]| events.iter().map(|event| event.sequence).collect::<Vec<_>>();
    assert_eq!(sequences(&all[1..]), sequences(&rest));
    assert!(sequences(&all).is_sorted());
    let mut states: Vec<_> = all.iter().map(v1::JobEvent::state).collect();
    states.dedup();
    assert_eq!(states, [JobState::Accepted, JobState::Proving, JobState::Aggregating, JobState::Ready]);
    let percents: Vec<_> = all.iter().map(|event| event.progress.as_ref().unwrap().percent).collect();
    assert!(percents.is_sorted() && percents.last() == Some(&100), "{percents:?}");
    assert!(fixture.watch(&job.id, all.last().unwrap().sequence).await.is_empty());
    fixture.service.shutdown().await;
}

async fn cancelling_rolls_the_state_back(on: Database) {
    let mut fixture = Fixture::on(on, &[]).await;
    fixture.engine.leaf_gate.close();
    let first = fixture.submit(nth(1)).await;
    let second = fixture.submit(nth(2)).await;
    let third = fixture.submit(nth(3)).await;
    let cancel = |job: &v1::Job, cascade| v1::CancelJobRequest { job_id: job.id.clone(), cascade };
    let status = fixture.client.cancel_job(cancel(&second, false)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "HAS_SUCCESSORS"));
    assert_eq!(fixture.status().await.last_batch, 3);

    let cancelled = fixture.client.cancel_job(cancel(&second, true)).await.unwrap().into_inner().cancelled;
    let ids: Vec<_> = cancelled.iter().map(|job| job.id.clone()).collect();
    assert_eq!(ids, [second.id.clone(), third.id.clone()]);
    assert!(cancelled.iter().all(|job| job.state() == JobState::Cancelled));
    let status = fixture.status().await;
    assert_eq!((status.last_batch, &status.state), (1, &first.state_out));
    assert_eq!(fixture.account(0).await.account.unwrap().nonce, 1);
    // Final states never change.
    let status = fixture.client.cancel_job(cancel(&second, true)).await.unwrap_err();
    assert_eq!(reason(&status), "JOB_FINAL");

    // The key starts a new job with the same content.
    let again = fixture.submit(nth(2)).await;
    assert_ne!(again.id, second.id);
    assert_eq!((again.batch_number, &again.state_in), (2, &second.state_in));
    fixture.engine.leaf_gate.open();
    assert_eq!(fixture.finish(&again.id).await, JobState::Ready);
    assert_eq!(fixture.finish(&first.id).await, JobState::Ready);
    assert_eq!(fixture.finish(&third.id).await, JobState::Cancelled);
    let status = fixture.client.cancel_job(cancel(&again, true)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "JOB_FINAL"));
    assert_eq!(reason(&fixture.proof_of(&third.id).await.unwrap_err()), "JOB_CANCELLED");
    fixture.service.shutdown().await;
}

async fn cancelling_a_batch_in_an_aggregation_frees_the_others(on: Database) {
    let mut fixture = Fixture::on(on, &[("aggregation_max_age", "1h")]).await;
    fixture.engine.aggregate_gate.close();
    let first = fixture.submit(nth(1)).await;
    let second = fixture.submit(nth(2)).await;
    let wait = async {
        while fixture.job(&second.id).await.aggregation_id.is_none() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), wait).await.unwrap();
    let aggregation_id = fixture.job(&second.id).await.aggregation_id.unwrap();
    let cancel = v1::CancelJobRequest { job_id: second.id.clone(), cascade: false };
    fixture.client.cancel_job(cancel).await.unwrap();
    let request = v1::GetAggregationRequest { aggregation_id };
    let aggregation =
        fixture.client.get_aggregation(request).await.unwrap().into_inner().aggregation.unwrap();
    assert_eq!(aggregation.state(), AggregationState::Cancelled);
    fixture.engine.aggregate_gate.open();
    let replacement = fixture.submit(request_of(2)).await;
    assert_eq!(fixture.finish(&first.id).await, JobState::Ready);
    assert_eq!(fixture.finish(&replacement.id).await, JobState::Ready);
    let proof = fixture.proof_of(&first.id).await.unwrap().proof.unwrap();
    assert_eq!(proof.batches.len(), 2);
    assert_eq!(proof.batches[1].state_out, replacement.state_out);
    fixture.service.shutdown().await;
}

/// Another batch 2.
fn request_of(number: u64) -> v1::SubmitBatchRequest {
    request(&format!("other-{number}"), &[transfer(2, 3, 0)])
}

async fn batches_aggregate_by_count_and_on_request(on: Database) {
    let mut fixture = Fixture::on(on, &[("aggregation_max_age", "1h")]).await;
    let mut jobs = Vec::new();
    for number in 1..=3 {
        jobs.push(fixture.submit(nth(number)).await);
    }
    for job in &jobs[..2] {
        assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    }
    assert_eq!(fixture.proof_of(&jobs[0].id).await.unwrap().proof.unwrap().batches.len(), 2);
    fixture.wait_for(&jobs[2].id, JobState::Aggregating).await;
    let status = fixture.proof_of(&jobs[2].id).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "PROOF_NOT_READY"));

    for (first_batch, last_batch, expected) in [
        (0, 1, "RUN_EMPTY"),
        (3, 2, "RUN_EMPTY"),
        (1, 3, "RUN_TOO_LARGE"),
        (2, 3, "ALREADY_AGGREGATED"),
        (3, 4, "BATCH_UNKNOWN"),
    ] {
        let request = v1::CreateAggregationRequest { first_batch, last_batch };
        let status = fixture.client.create_aggregation(request).await.unwrap_err();
        assert_eq!(reason(&status), expected, "{first_batch} {last_batch}");
    }
    let request = v1::CreateAggregationRequest { first_batch: 3, last_batch: 3 };
    let reply = fixture.client.create_aggregation(request).await.unwrap().into_inner();
    assert!(!reply.existing);
    assert!(fixture.client.create_aggregation(request).await.unwrap().into_inner().existing);
    assert_eq!(fixture.finish(&jobs[2].id).await, JobState::Ready);
    let subject = v1::get_proof_request::Subject::AggregationId(reply.aggregation.unwrap().id);
    let request = v1::GetProofRequest { subject: Some(subject), with_leaf_proofs: false };
    let proof = fixture.client.get_proof(request).await.unwrap().into_inner().proof.unwrap();
    assert_eq!(proof.batches[0].state_out, jobs[2].state_out);
    fixture.service.shutdown().await;
}

async fn failures_are_retried_and_then_final(on: Database) {
    let mut fixture = Fixture::on(on, &[("aggregation_max_age", "1h")]).await;
    fixture.engine.leaf_failures.store(1, Ordering::SeqCst);
    fixture.engine.panics.store(1, Ordering::SeqCst);
    let first = fixture.submit(nth(1)).await;
    fixture.wait_for(&first.id, JobState::Aggregating).await;
    assert_eq!(fixture.metric("tenon_task_retries_total{why=\"failed\"}").await, 2.0);

    fixture.engine.wrong_leaves.store(3, Ordering::SeqCst);
    let second = fixture.submit(nth(2)).await;
    assert_eq!(fixture.finish(&second.id).await, JobState::Failed);
    let error = fixture.job(&second.id).await.error.unwrap();
    assert_eq!(error.reason, "PROOF_INVALID");
    let request = v1::CreateAggregationRequest { first_batch: 1, last_batch: 2 };
    assert_eq!(reason(&fixture.client.create_aggregation(request).await.unwrap_err()), "JOB_FAILED");

    // Successors are proven meanwhile.
    let third = fixture.submit(nth(3)).await;
    fixture.wait_for(&third.id, JobState::Aggregating).await;
    // The key of a failed job restarts it.
    let restarted = fixture.client.submit_batch(nth(2)).await.unwrap().into_inner();
    assert!(!restarted.existing && restarted.job.unwrap().id == second.id);
    assert_eq!(fixture.finish(&second.id).await, JobState::Ready);
    fixture.service.shutdown().await;
}

async fn a_failed_aggregation_restarts_with_one_of_its_jobs(on: Database) {
    let mut fixture = Fixture::on(on, &[("max_attempts", "2")]).await;
    fixture.engine.aggregate_failures.store(2, Ordering::SeqCst);
    fixture.engine.leaf_gate.close();
    let first = fixture.submit(nth(1)).await;
    let second = fixture.submit(nth(2)).await;
    let run = v1::CreateAggregationRequest { first_batch: 1, last_batch: 2 };
    fixture.client.create_aggregation(run).await.unwrap();
    fixture.engine.leaf_gate.open();
    assert_eq!(fixture.finish(&first.id).await, JobState::Failed);
    assert_eq!(fixture.job(&second.id).await.error.unwrap().reason, "PROOF_FAILED");
    fixture.submit(nth(2)).await;
    fixture.wait_for(&first.id, JobState::Ready).await;
    fixture.wait_for(&second.id, JobState::Ready).await;
    assert_eq!(fixture.engine.leaves_made.load(Ordering::SeqCst), 2);
    fixture.service.shutdown().await;
}

async fn a_failed_batch_can_be_cancelled_with_its_successors(on: Database) {
    let mut fixture = Fixture::on(on, &[("max_attempts", "1")]).await;
    fixture.engine.leaf_failures.store(1, Ordering::SeqCst);
    let first = fixture.submit(nth(1)).await;
    assert_eq!(fixture.finish(&first.id).await, JobState::Failed);
    let second = fixture.submit(nth(2)).await;
    assert_eq!(fixture.finish(&second.id).await, JobState::Ready);
    let cancel = v1::CancelJobRequest { job_id: first.id.clone(), cascade: true };
    assert_eq!(fixture.client.cancel_job(cancel).await.unwrap().into_inner().cancelled.len(), 2);
    let status = fixture.status().await;
    assert_eq!((status.last_batch, status.state), (0, status.genesis_state));
    fixture.service.shutdown().await;
}

async fn resubmission_reuses_proofs(on: Database) {
    let mut fixture = Fixture::on(on, &[("aggregation_max_age", "1h")]).await;
    let mut fixed = nth(1);
    fixed.timestamp = Some(1_700_000_000);
    let job = fixture.submit(fixed.clone()).await;
    fixture.wait_for(&job.id, JobState::Aggregating).await;
    let cancel = v1::CancelJobRequest { job_id: job.id, cascade: false };
    fixture.client.cancel_job(cancel).await.unwrap();
    let job = fixture.submit(fixed).await;
    fixture.wait_for(&job.id, JobState::Aggregating).await;
    assert_eq!(fixture.engine.leaves_made.load(Ordering::SeqCst), 1);
    assert_eq!(fixture.metric("tenon_proofs_reused_total{stage=\"leaf\"}").await, 1.0);
    fixture.service.shutdown().await;
}

async fn damaged_proofs_are_made_again(on: Database) {
    let mut fixture = Fixture::on(on, &[]).await;
    fixture.engine.aggregate_gate.close();
    let job = fixture.submit(nth(1)).await;
    fixture.wait_for(&job.id, JobState::Aggregating).await;
    let proofs = fixture.dir.path().join("data").join("proofs");
    damage(&proofs);
    // The aggregation that is running has its leaves already; a failure makes it read them again.
    fixture.engine.aggregate_failures.store(1, Ordering::SeqCst);
    fixture.engine.aggregate_gate.open();
    assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    assert_eq!(fixture.engine.leaves_made.load(Ordering::SeqCst), 2);

    damage(&proofs);
    let status = fixture.proof_of(&job.id).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "PROOF_LOST"));
    assert!(details(&status).retry_info().unwrap().retry_delay.is_some());
    let mut tries = 0;
    let proof = loop {
        match fixture.proof_of(&job.id).await {
            Ok(proof) => break proof,
            Err(status) => assert!(
                ["PROOF_LOST", "PROOF_NOT_READY"].contains(&reason(&status).as_str()) && tries < 500,
                "{status}"
            ),
        }
        tries += 1;
        sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(proof.proof.unwrap().batches[0].state_out, job.state_out);
    assert_eq!(fixture.job(&job.id).await.state(), JobState::Ready);
    fixture.service.shutdown().await;
}

/// Flips a bit in every file.
fn damage(directory: &std::path::Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let mut content = fs::read(&path).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs::write(&path, content).unwrap();
    }
}

async fn lost_witnesses_are_made_again_from_the_log(on: Database) {
    let mut fixture = Fixture::on(on, &[]).await;
    fixture.engine.leaf_gate.close();
    let first = fixture.submit(nth(1)).await;
    let second = fixture.submit(nth(2)).await;
    let third = fixture.submit(nth(3)).await;
    let witnesses = fixture.dir.path().join("data").join("witnesses");
    // The two workers hold the first two witnesses in memory.
    for entry in fs::read_dir(&witnesses).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    fixture.engine.leaf_gate.open();
    for job in [&first, &second, &third] {
        assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    }
    fixture.service.shutdown().await;
}

async fn a_proof_that_cannot_be_stored_is_tried_again(on: Database) {
    let mut fixture = Fixture::on(on, &[]).await;
    fixture.engine.leaf_gate.close();
    let job = fixture.submit(nth(1)).await;
    let proofs = fixture.dir.path().join("data").join("proofs");
    fs::remove_dir(&proofs).unwrap();
    fs::write(&proofs, "in the way").unwrap();
    fixture.engine.leaf_gate.open();
    let wait = async {
        // More often than failures are allowed.
        while fixture.metric("tenon_task_retries_total{why=\"handed_back\"}").await < 5.0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), wait).await.unwrap();
    assert_eq!(fixture.job(&job.id).await.state(), JobState::Proving);
    fs::remove_file(&proofs).unwrap();
    fs::create_dir(&proofs).unwrap();
    let events = fixture.watch(&job.id, 0).await;
    assert_eq!(events.last().unwrap().state(), JobState::Ready);
    assert!(events.iter().any(|event| event.message.contains("its result couldn't be stored: writing ")));
    fixture.service.shutdown().await;
}

#[cfg(target_os = "linux")]
async fn a_full_disk_is_waited_out(on: Database) {
    let mut fixture = Fixture::on(on, &[]).await;
    fixture.engine.leaf_gate.close();
    let job = fixture.submit(nth(1)).await;
    // The next unfinished files are on a device that is always full, however often each proof is offered.
    let proofs = fixture.dir.path().join("data").join("proofs");
    for number in 0..22 {
        std::os::unix::fs::symlink("/dev/full", proofs.join(format!("{number}.tmp"))).unwrap();
    }
    fixture.engine.leaf_gate.open();
    let events = fixture.watch(&job.id, 0).await;
    assert_eq!(events.last().unwrap().state(), JobState::Ready);
    // More often than failures are allowed.
    let waited = events.iter().filter(|event| event.message.contains("no space left on the device")).count();
    assert!(waited >= 4, "{waited}");
    fixture.service.shutdown().await;
}

async fn tasks_have_a_deadline_and_late_results_are_dropped(on: Database) {
    let more = [("task_deadline", "100ms"), ("max_attempts", "1"), ("heartbeat", "20ms")];
    let mut fixture = Fixture::on(on, &more).await;
    fixture.engine.leaf_gate.close();
    let job = fixture.submit(nth(1)).await;
    assert_eq!(fixture.finish(&job.id).await, JobState::Failed);
    assert_eq!(fixture.job(&job.id).await.error.unwrap().reason, "DEADLINE_EXCEEDED");
    fixture.engine.leaf_gate.open();
    let wait = async {
        while fixture.metric("tenon_late_results_total").await < 1.0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), wait).await.unwrap();
    assert_eq!(fixture.job(&job.id).await.state(), JobState::Failed);
    fixture.submit(nth(1)).await;
    fixture.wait_for(&job.id, JobState::Ready).await;
    fixture.service.shutdown().await;
}

async fn overload_is_refused_with_a_hint(on: Database) {
    let mut fixture = Fixture::on(on, &[("max_queued_batches", "2")]).await;
    fixture.engine.leaf_gate.close();
    let first = fixture.submit(nth(1)).await;
    fixture.submit(nth(2)).await;
    let status = fixture.refuse(nth(3)).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "QUEUE_FULL"));
    assert!(details(&status).retry_info().unwrap().retry_delay.is_some());
    // What is known is still answered.
    assert_eq!(fixture.submit(nth(1)).await.id, first.id);
    assert_eq!(fixture.metric("tenon_requests_refused_total{reason=\"QUEUE_FULL\"}").await, 1.0);
    fixture.engine.leaf_gate.open();
    fixture.finish(&first.id).await;
    fixture.submit(nth(3)).await;
    fixture.service.shutdown().await;
}

async fn concurrent_requests_have_a_limit(on: Database) {
    let mut fixture = Fixture::on(on, &[("max_concurrent_requests", "1")]).await;
    fixture.engine.leaf_gate.close();
    let job = fixture.submit(nth(1)).await;
    let request = v1::WatchJobRequest { job_id: job.id.clone(), after_sequence: 0 };
    let stream = fixture.client.watch_job(request.clone()).await.unwrap();
    let status = fixture.client.watch_job(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "TOO_MANY_REQUESTS"));
    // Watchers don't take the places of other requests.
    assert_eq!(fixture.job(&job.id).await.id, job.id);
    drop(stream);
    fixture.engine.leaf_gate.open();
    fixture.wait_for(&job.id, JobState::Ready).await;
    fixture.service.shutdown().await;
}

async fn leases_end_and_fences_keep_late_workers_out(on: Database) {
    let mut fixture = Fixture::on(on, &[("workers", "1")]).await;
    fixture.engine.leaf_gate.close();
    fixture.submit(chunks("one", 0, 2)).await;
    sleep(Duration::from_millis(100)).await;
    // The service's one worker has chunk 0; chunk 1 is this test's.
    let store = open_store(fixture.dir.path()).await;
    let both = [TaskKind::Leaf, TaskKind::Aggregate];
    let late = store.lease("late", &both, 1).await.unwrap().unwrap();
    assert_eq!((late.chunk, late.attempt, late.batch_number), (1, 1, 1));
    assert!(store.lease("other", &[TaskKind::Aggregate], 1000).await.unwrap().is_none());
    let wait = async {
        // The service's scheduler takes the task back without counting a failure.
        while store.task_counts().await.unwrap().pending == 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), wait).await.unwrap();
    let next = store.lease("next", &both, 60_000).await.unwrap().unwrap();
    assert_eq!((next.task, next.attempt, next.fence), (late.task, 2, late.fence + 1));
    let record = ProofRecord {
        input_digest: [1; 32],
        stage: TaskKind::Leaf,
        proof_digest: [2; 32],
        circuit: "leaf".to_owned(),
        key_digest: [17; 32],
        srs_digest: [9; 32],
        seconds: 1.0,
        peak_memory_bytes: 1,
        hardware: "test".to_owned(),
    };
    let error = JobError { reason: "PROOF_FAILED".to_owned(), message: "late".to_owned() };
    let is_lost = |result: Result<(), StoreError>| matches!(result, Err(StoreError::LeaseLost { .. }));
    assert!(is_lost(store.complete(&late, record.clone(), false).await));
    assert!(is_lost(store.extend(&late, 1000).await));
    assert!(is_lost(store.hand_back(&late, 0, "late").await));
    assert!(is_lost(store.fail(&late, &error, 1, 0).await.map(|_| ())));
    store.extend(&next, 60_000).await.unwrap();
    store.hand_back(&next, 0, "done with it").await.unwrap();
    fixture.engine.leaf_gate.open();
    let jobs = fixture.client.list_jobs(v1::ListJobsRequest::default()).await.unwrap().into_inner().jobs;
    assert_eq!(fixture.finish(&jobs[0].id).await, JobState::Ready);
    fixture.service.shutdown().await;
}
