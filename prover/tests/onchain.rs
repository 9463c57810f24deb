//! The whole path with real proofs: `tenon demo` against anvil, from deposits over gRPC, leaf proofs, aggregation and
//! settlement with blobs to a claim, and without the operator to a freeze and an escape.

#![allow(clippy::unwrap_used, clippy::panic)]

mod l1_common;

use std::{path::Path, process::Command, time::Duration};

use l1_common::Anvil;
use serde_json::Value;
use tokio::time::timeout;

/// Two leaf proofs and an aggregation, with keys to make, on a slow, shared machine.
const DEADLINE: Duration = Duration::from_secs(2400);

#[tokio::test(flavor = "multi_thread")]
async fn a_users_life_with_real_proofs_on_anvil() {
    let anvil = Anvil::start(&[]).await;
    let keys_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys");
    let data_dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenon"));
    command
        .args(["demo", "--json", "--size-class", "small", "--l1", &anvil.url])
        .arg("--keys-dir")
        .arg(&keys_dir)
        .arg("--data-dir")
        .arg(data_dir.path());
    let mut command = tokio::process::Command::from(command);
    let output = timeout(DEADLINE, command.kill_on_drop(true).output())
        .await
        .expect("the demonstration ends")
        .unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{errors}");

    let summary: Value = serde_json::from_str(&text).unwrap();
    // Two transfers, an open and a withdrawal; four deposits.
    assert_eq!(summary["transactions"], 4, "{text}");
    assert_eq!(summary["l1_operations"], 4, "{text}");
    assert_eq!(summary["batches"], 2, "{text}");
    assert_eq!(summary["chunks"], 2, "{text}");
    assert_eq!(summary["claimed_wei"], (3 * 10_u128.pow(18)).to_string(), "{text}");
    let state = summary["state_root"].as_str().unwrap();
    assert!(state.starts_with("0x") && state.len() == 66, "{text}");
    assert_eq!(summary["l1_state_root"], state, "{text}");
    assert_eq!(summary["rebuilt_state_root"], state, "{text}");
    // Bob deposited 10 ether; what he paid and got since is thousandths.
    let escaped: u128 = summary["escaped_wei"].as_str().unwrap().parse().unwrap();
    assert!((99 * 10_u128.pow(17)..=101 * 10_u128.pow(17)).contains(&escaped), "{text}");
    assert!(data_dir.path().read_dir().unwrap().next().is_none(), "the run's data is removed");
}
