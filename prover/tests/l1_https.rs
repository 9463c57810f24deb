//! L1 nodes behind TLS: the program against a node whose certificate is signed by an authority of the test's.

#![allow(clippy::unwrap_used, clippy::panic)]

mod l1_common;

use std::sync::Arc;

use l1_common::{Anvil, rollup::World, users::User};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tenon_circuits::rollup::field;
use tenon_prover::settlement::Finality;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// Takes TLS off the connections to a node. Gives its port and the certificate of who signed its own, in PEM.
async fn tls_before(node: &str) -> (u16, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let node = node.strip_prefix("http://").unwrap().to_owned();
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            let (acceptor, node) = (acceptor.clone(), node.clone());
            tokio::spawn(async move {
                let Ok(mut connection) = acceptor.accept(connection).await else { return };
                let mut node = TcpStream::connect(node).await.unwrap();
                let _ = copy_bidirectional(&mut connection, &mut node).await;
            });
        }
    });
    (port, authority.pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_reached_by_tls_and_only_with_a_certificate_that_is_trusted() {
    let anvil = Anvil::start(&[]).await;
    let mut world = World::new(Arc::new(anvil.node.clone()), Finality::Confirmations(0)).await;
    let (port, authority) = tls_before(&anvil.url).await;
    let mut user = User::new(&format!("https://localhost:{port}"), world.rollup);
    user.write_key("wallet.json", 1);
    let deposit = ["deposit", "--token", "ETH", "--amount", "1000", "--key-file", "wallet.json"];

    let run = user.run(&deposit).await;
    assert_ne!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("UnknownIssuer") || run.stderr.contains("certificate"), "{run:?}");
    std::fs::write(user.path("ca.pem"), authority).unwrap();
    user.trusted = Some(user.path("ca.pem"));
    // The certificate is one for another name.
    let mut elsewhere = User::new(&format!("https://127.0.0.1:{port}"), world.rollup);
    elsewhere.trusted = user.trusted.clone();
    elsewhere.write_key("wallet.json", 1);
    let run = elsewhere.run(&deposit).await;
    assert!(run.code != 0 && run.stderr.contains("not valid for name"), "{run:?}");

    assert_eq!(user.json(&deposit).await["done"]["operation"], json!(0));
    world.accept(Vec::new()).await;
    world.prove(1, 1).await;
    world.settle().await;
    let report = user.json(&["rebuild"]).await;
    assert_eq!((&report["batch"], &report["blobs_from_chain"]), (&json!(1), &json!(1)));
    assert_eq!(report["state"], field::to_hex(&world.state.commitment()));
}
