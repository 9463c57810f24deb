//! The layers, and what is refused.

use std::{fs, time::Duration};

use super::*;

fn violations(result: Result<Config, ConfigError>) -> Vec<String> {
    match result {
        Err(ConfigError::Invalid(violations)) => violations.into_iter().map(|v| v.setting).collect(),
        other => panic!("expected violations, found {other:?}"),
    }
}

#[test]
fn defaults_are_valid() {
    let config = Config::with([]).unwrap();
    assert!(config.workers >= 1);
    assert!(config.grpc_listen.ip().is_loopback());
}

#[test]
fn layers_are_taken_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tenon.toml");
    fs::write(&file, "workers = 3\nlease = \"90s\"\nmax_attempts = 7\n").unwrap();
    let environment =
        [("TENON_LEASE".to_owned(), "80s".to_owned()), ("TENON_OTHER".to_owned(), "x".to_owned())];
    let config =
        Config::load(Some(&file), environment, [("max_attempts".to_owned(), "9".to_owned())]).unwrap();
    assert_eq!((config.workers, config.lease, config.max_attempts), (3, Duration::from_secs(80), 9));
}

#[test]
fn everything_wrong_is_reported_together() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tenon.toml");
    fs::write(&file, "workers = 2000\nunknown = 1\nlease = []\n").unwrap();
    let environment = [("TENON_GRPC_LISTEN".to_owned(), "nowhere".to_owned())];
    let flags = [("rollup_address".to_owned(), "0x12".to_owned()), ("heartbeat".to_owned(), "5".to_owned())];
    let mut found = violations(Config::load(Some(&file), environment, flags));
    found.sort();
    assert_eq!(found, ["grpc_listen", "heartbeat", "lease", "rollup_address", "unknown", "workers"]);
}

#[test]
fn public_listener_must_be_asked_for() {
    let public = ("grpc_listen", "0.0.0.0:7440".to_owned());
    assert_eq!(violations(Config::with([public.clone()])), ["grpc_listen"]);
    Config::with([public, ("allow_unauthenticated_public", "true".to_owned())]).unwrap();
}

#[test]
fn a_database_url_is_never_shown() {
    let hidden = "postgres://tenon:swordfish@db/tenon";
    let config = Config::with([("database_url", hidden.to_owned())]).unwrap();
    assert_eq!(config.database_url.as_ref().map(Secret::reveal), Some(hidden));
    assert!(!format!("{config:?}").contains("swordfish"));
    let error = Config::with([("database_url", "mysql://tenon:swordfish@db".to_owned())]).unwrap_err();
    assert!(!error.to_string().contains("swordfish") && error.to_string().contains("postgres://"));
}

#[test]
fn public_listener_needs_encryption_and_authentication() {
    let file = |name| (name, "file".to_owned());
    let public = ("http_listen", "0.0.0.0:7441".to_owned());
    let [cert, key, ca, tokens] =
        ["tls_cert_file", "tls_key_file", "tls_client_ca_file", "tokens_file"].map(file);
    let with = |more: &[(&'static str, String)]| {
        Config::with([public.clone()].into_iter().chain(more.iter().cloned()))
    };
    assert_eq!(violations(with(std::slice::from_ref(&tokens))), ["http_listen"]);
    assert_eq!(violations(with(&[cert.clone(), key.clone()])), ["http_listen"]);
    with(&[cert.clone(), key.clone(), tokens]).unwrap();
    with(&[cert.clone(), key.clone(), ca.clone()]).unwrap();
    assert_eq!(violations(with(&[cert])), ["tls_key_file"]);
    assert_eq!(violations(with(&[key])), ["tls_cert_file"]);
    assert_eq!(violations(with(&[ca])), ["tls_cert_file"]);
}

#[test]
fn heartbeat_fits_the_lease() {
    assert_eq!(violations(Config::with([("heartbeat", "30s".to_owned())])), ["heartbeat"]);
}
