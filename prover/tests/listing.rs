//! Listing many jobs.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    fs,
    time::{Duration, Instant},
};

use common::*;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tenon_proto::v1::{self, JobState};

/// Jobs in the list.
const JOBS: usize = 10_000;

/// Jobs of a page.
const PAGE: u32 = 100;

/// Longest time for a page, with two cores.
const PAGE_LIMIT: Duration = Duration::from_millis(50);

/// Tries of a page, because the machine may be busy with something else.
const TRIES: usize = 5;

/// Copies of job 1, as if they had been submitted and finished.
const COPIES: &str = "WITH RECURSIVE numbers (number) AS (
        SELECT 2 UNION ALL SELECT number + 1 FROM numbers WHERE number < $1)
    INSERT INTO jobs (id, idempotency_key, payload_digest, state, batch_number, timestamp, l1_operations, transactions,
        chunks, state_in, state_out, commitment, z_d, y_d, z_l, y_l, leaves_done, created_at_ms, updated_at_ms,
        last_sequence)
    SELECT CAST(number AS TEXT), CAST(number AS TEXT), payload_digest, state, number, timestamp, l1_operations,
        transactions, chunks, state_in, state_out, commitment, z_d, y_d, z_l, y_l, leaves_done, created_at_ms,
        updated_at_ms, last_sequence
    FROM jobs CROSS JOIN numbers WHERE position = 1";

on_each_database! {
    ten_thousand_jobs_are_listed_by_page,
}

async fn ten_thousand_jobs_are_listed_by_page(on: Database) {
    let mut fixture = Fixture::on(on, &[]).await;
    let job = fixture.submit(nth(1)).await;
    assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    match fs::read_to_string(fixture.dir.path().join(DATABASE_URL)) {
        Ok(url) => {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            sqlx::query(COPIES).bind(JOBS as i32).execute(&mut connection).await.unwrap();
        }
        Err(_) => {
            let path = fixture.dir.path().join("data/tenon.db");
            let mut connection = SqliteConnection::connect(&path.display().to_string()).await.unwrap();
            sqlx::query(COPIES).bind(JOBS as i32).execute(&mut connection).await.unwrap();
        }
    }
    let mut token = String::new();
    let (mut seen, mut slowest) = (0, Duration::ZERO);
    loop {
        let request = v1::ListJobsRequest { page_size: PAGE, page_token: token, ..Default::default() };
        let mut best = Duration::MAX;
        let mut reply = v1::ListJobsResponse::default();
        for _ in 0..TRIES {
            let started = Instant::now();
            reply = fixture.client.list_jobs(request.clone()).await.unwrap().into_inner();
            best = best.min(started.elapsed());
            if best < PAGE_LIMIT {
                break;
            }
        }
        slowest = slowest.max(best);
        seen += reply.jobs.len();
        token = reply.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, JOBS);
    println!("slowest page of {PAGE} of {JOBS} jobs on {on:?}: {slowest:?}");
    assert!(slowest < PAGE_LIMIT, "{slowest:?}");
    fixture.service.shutdown().await;
}
