//! The page for people, and the figures behind it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use common::*;
use serde_json::Value;
use tenon_proto::v1::JobState;
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};

async fn figures(fixture: &Fixture) -> Value {
    let (status, reply) = fixture.http("/status.json").await;
    assert_eq!(status, 200, "{reply}");
    serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// The figures once they say what is wanted.
async fn figures_with(fixture: &Fixture, wanted: impl Fn(&Value) -> bool) -> Value {
    let look = async {
        loop {
            let found = figures(fixture).await;
            if wanted(&found) {
                return found;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(20), look).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_figures_are_latency_age_and_lag() {
    let mut fixture = Fixture::start(&[("proof_latency_target", "1ms"), ("oldest_batch_limit", "1h")]).await;
    let empty = figures(&fixture).await;
    assert_eq!(empty["headline"]["proof_latency"]["seconds"], Value::Null);
    assert_eq!(empty["headline"]["proof_latency"]["ok"], true);
    assert_eq!(empty["l1"], Value::Null);
    assert_eq!(empty["service"]["srs_source"], "development");

    for number in 1..=3 {
        let job = fixture.submit(nth(number)).await;
        assert_eq!(fixture.finish(&job.id).await, JobState::Ready);
    }
    let proven = figures_with(&fixture, |found| found["latencies"].as_array().unwrap().len() == 3).await;
    let headline = &proven["headline"];
    assert_eq!(headline["proof_latency"]["ok"], false, "nothing is proven in a millisecond");
    assert!(headline["latest_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(headline["oldest_batch"]["seconds"], Value::Null);
    assert_eq!(proven["batches"][0]["number"], 3);
    assert_eq!(proven["batches"][0]["state"], "ready");
    assert_eq!(proven["batches"][0]["seconds"], headline["latest_seconds"]);
    assert_eq!(proven["service"]["last_batch"], 3);
    assert_eq!(fixture.metric("tenon_batch_seconds_count").await, 3.0);
    assert!(fixture.metric("tenon_proof_latency_target_seconds").await < 0.01);

    // A batch that waits has an age, one that failed a reason.
    fixture.engine.leaf_gate.close();
    let job = fixture.submit(nth(4)).await;
    let waiting = figures_with(&fixture, |found| found["queue"]["running_tasks"] == 1).await;
    assert!(waiting["headline"]["oldest_batch"]["seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!(waiting["headline"]["oldest_batch"]["ok"], true);
    assert_eq!(waiting["queue"]["queued_batches"], 1);
    let in_work = &waiting["workers"]["in_work"][0];
    assert_eq!((in_work["kind"].as_str(), in_work["batch"].as_u64()), (Some("leaf"), Some(4)));
    fixture.engine.leaf_failures.store(3, std::sync::atomic::Ordering::SeqCst);
    fixture.engine.leaf_gate.open();
    assert_eq!(fixture.finish(&job.id).await, JobState::Failed);
    let failed = figures(&fixture).await;
    assert_eq!(failed["queue"]["failed_jobs"], 1);
    assert!(failed["batches"][0]["error"].as_str().unwrap().contains("PROOF_FAILED"), "{failed}");

    let (_, page) = fixture.http("/").await;
    assert!(page.contains("default-src 'none'") && page.contains("nosniff"), "{page}");
    fixture.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_service_knows_earlier_latencies_and_counts_none_twice() {
    let mut fixture = Fixture::start(&[]).await;
    let job = fixture.submit(nth(1)).await;
    fixture.finish(&job.id).await;
    let before = figures_with(&fixture, |found| found["latencies"].as_array().unwrap().len() == 1).await;
    let engine = fixture.engine.clone();
    let fixture = fixture.restart(engine, &[]).await;
    let after = figures_with(&fixture, |found| found["latencies"].as_array().unwrap().len() == 1).await;
    assert_eq!(before["latencies"], after["latencies"]);
    assert_eq!(fixture.metric("tenon_batch_seconds_count").await, 0.0);
    fixture.service.shutdown().await;
}

/// Runs the browser on a page. `None` where there is none and none is required.
fn browse(directory: &Path, url: &str, more: &[&str]) -> Option<String> {
    let output = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--virtual-time-budget=4000", "--window-size=1200,1500"])
        .arg(format!("--user-data-dir={}", directory.join("browser").display()))
        .args(more)
        .arg(url)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) if std::env::var_os("CI").is_some() => panic!("chromium: {error}"),
        Err(error) => {
            eprintln!("the page isn't shown in a browser: chromium: {error}");
            None
        }
    }
}

/// With `TENON_SCREENSHOT` a picture is kept there, for people to look at.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_the_page() {
    let mut fixture = Fixture::start(&[("workers", "1"), ("aggregation_max_age", "100ms")]).await;
    for number in 1..=12 {
        let job = fixture.submit(nth(number)).await;
        fixture.finish(&job.id).await;
    }
    fixture.engine.leaf_gate.close();
    fixture.submit(nth(13)).await;
    fixture.submit(nth(14)).await;
    figures_with(&fixture, |found| found["latencies"].as_array().unwrap().len() == 12).await;
    let url = format!("http://{}/", fixture.service.http_addr);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let picture = path.join("page.png");
    let shown = spawn_blocking(move || {
        let dom = browse(&path, &url, &["--dump-dom"])?;
        browse(&path, &url, &[&format!("--screenshot={}", path.join("page.png").display())])?;
        Some(dom)
    })
    .await
    .unwrap();
    if let Some(dom) = shown {
        assert!(dom.contains("data-shown=\"yes\"") && !dom.contains("no figures"), "{dom}");
        for part in ["<svg", "batch 12: ", "proving", "development set-up", "every batch has its proof"] {
            // The last batches wait, so the oldest one has an age.
            assert_eq!(dom.contains(part), part != "every batch has its proof", "{part}: {dom}");
        }
        assert!(fs::metadata(&picture).unwrap().len() > 10_000);
        if let Some(kept) = std::env::var_os("TENON_SCREENSHOT") {
            fs::copy(&picture, kept).unwrap();
        }
    }
    fixture.engine.leaf_gate.open();
    fixture.service.shutdown().await;
}
