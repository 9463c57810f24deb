//! What is written about the service against the service itself: the interface's and the settings' references, which
//! `BLESS=1` writes anew, and alerts, dashboard and runbook.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod documents_support;

use std::{
    collections::BTreeSet,
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::*;
use documents_support::interface;
use serde_json::Value;
use tenon_prover::config::SETTINGS;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares a file with what it should be, or writes it.
fn fresh(path: &str, expected: &str) {
    if env::var_os("BLESS").is_some() {
        fs::write(root().join(path), expected).unwrap();
    }
    let found = fs::read_to_string(root().join(path)).unwrap_or_default();
    assert!(found == expected, "{path} isn't up to date; run the test with BLESS=1");
}

#[test]
fn the_interface_reference_is_fresh() {
    fresh("proto/API.md", &interface(tenon_proto::FILE_DESCRIPTOR_SET));
}

#[test]
fn the_settings_reference_is_fresh() {
    let mut text = String::from(
        "<!-- Written by the test `documents` with BLESS=1 from prover/src/config/settings.rs. -->\n\n# Settings\n\n\
         Each is a flag of `tenon serve` (`--name-with-dashes`), an environment variable (`TENON_` and the name in \
         capitals), and a key\nof the TOML file that `--config` names. The first of these that names it counts. \
         Times have a unit: `ms`, `s`, `m` or `h`.\n\n| setting | default | what it sets |\n|---|---|---|\n",
    );
    for setting in SETTINGS {
        let default = match (setting.name, setting.default) {
            ("workers" | "threads_per_worker", _) => "by the machine's cores".to_owned(),
            (_, "") => "none".to_owned(),
            (_, default) => format!("`{default}`"),
        };
        writeln!(text, "| `{}` | {default} | {} |", setting.name, setting.help.replace('|', "\\|")).unwrap();
    }
    fresh("prover/operations/settings.md", &text);
}

/// Names of metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("tenon_"))
        .map(|word| {
            let word = word.strip_suffix("_bucket").or(word.strip_suffix("_sum")).unwrap_or(word);
            word.strip_suffix("_count").unwrap_or(word).to_owned()
        })
        .collect()
}

/// Every metric of a service that has done everything once, as far as its name shows.
async fn exported() -> BTreeSet<String> {
    let fixture = Fixture::start(&[]).await;
    let (_, text) = fixture.http("/metrics").await;
    fixture.service.shutdown().await;
    // Those with labels only show once something was counted.
    let source = ["prover/src/telemetry.rs", "prover/src/telemetry/metrics.rs"]
        .map(|path| fs::read_to_string(root().join(path)).unwrap_or_default());
    let named = source.join("\n");
    let quoted = named.split('"').filter(|word| word.starts_with("tenon_")).map(str::to_owned);
    metrics_in(&text).into_iter().chain(quoted).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_dashboard_ask_for_what_is_exported() {
    let exported = exported().await;
    for path in ["prover/operations/alerts.yml", "prover/operations/dashboard.json"] {
        let asked = metrics_in(&read(path));
        assert!(asked.len() > 5, "{path}");
        let unknown: Vec<_> = asked.difference(&exported).collect();
        assert!(unknown.is_empty(), "{path} asks for {unknown:?}");
    }
    let dashboard: Value = serde_json::from_str(&read("prover/operations/dashboard.json")).unwrap();
    let titles: Vec<&str> = dashboard["panels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|panel| panel["title"].as_str().unwrap())
        .collect();
    for (title, subject) in titles.iter().zip(["Proof latency", "Oldest batch", "L1 lag"]) {
        assert!(title.starts_with(subject), "{titles:?}");
    }
}

#[test]
fn each_alert_has_a_runbook_entry_and_a_test() {
    let (alerts, runbook) = (read("prover/operations/alerts.yml"), read("prover/operations/runbook.md"));
    let tests = read("prover/operations/alerts_test.yml");
    let names: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 5);
    for name in &names {
        let (_, entry) =
            runbook.split_once(&format!("## {name}\n")).unwrap_or_else(|| panic!("no entry for {name}"));
        let entry = entry.split("\n## ").next().unwrap();
        assert!(entry.trim().len() > 100, "the entry for {name} says nothing");
        assert!(alerts.contains(&format!("runbook.md#{}\"", name.to_lowercase())), "{name} has no link");
        assert!(tests.contains(name), "{name} has no test");
    }
    let entries = runbook.lines().filter_map(|line| line.strip_prefix("## Tenon"));
    for entry in entries {
        assert!(names.contains(&format!("Tenon{entry}").as_str()), "there is no alert Tenon{entry}");
    }
    // Settings that the texts name exist.
    let settings: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    let other = ["why", "job", "batch", "submit", "alerts_test.yml", "pg_dump"];
    for text in [&runbook, &read("prover/operations/tenon.service"), &read("prover/operations/tenon.toml")] {
        for word in text.split('`').skip(1).step_by(2).filter(|word| word.contains('_')) {
            let name = word.split([' ', '=']).next().unwrap();
            let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(
                !plain
                    || settings.contains(name)
                    || other.contains(&name)
                    || ["protocol_version", "tenon_prover"].contains(&name),
                "{name} is no setting"
            );
        }
    }
}

#[test]
fn the_example_settings_are_valid() {
    let config =
        tenon_prover::Config::load(Some(&root().join("prover/operations/tenon.toml")), [], []).unwrap();
    assert!(config.tls.is_some() && config.tokens_file.is_some() && config.l1.is_some());
}

/// Runs a checker where it is installed; where CI is, it has to be.
fn check(program: &str, arguments: &[&str]) {
    match Command::new(program).args(arguments).current_dir(root().join("prover/operations")).output() {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&text));
        }
        Err(error) if env::var_os("CI").is_some() => panic!("{program}: {error}"),
        Err(error) => eprintln!("not checked: {program}: {error}"),
    }
}

#[test]
fn alerts_fire_when_they_should() {
    check("promtool", &["check", "rules", "alerts.yml"]);
    check("promtool", &["test", "rules", "alerts_test.yml"]);
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("tenon.service");
    let text = read("prover/operations/tenon.service");
    let verify = |text: &str| {
        // The program is where a user put it.
        fs::write(&unit, text.replace("/usr/local/bin/tenon", env!("CARGO_BIN_EXE_tenon"))).unwrap();
        Command::new("systemd-analyze").arg("verify").arg(&unit).output()
    };
    let Ok(output) = verify(&text) else {
        eprintln!("the unit isn't checked: there is no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    let wrong = verify(&text.replace("ProtectHome=", "ProtectHme=")).unwrap();
    assert!(!wrong.stderr.is_empty(), "a wrong key isn't noticed");
}
