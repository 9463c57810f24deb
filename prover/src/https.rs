//! Whom connections that go out trust: one place for everything that speaks TLS to others.

use hyper_rustls::ConfigBuilderExt as _;
use tokio_rustls::rustls::{self, ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier, crypto::ring};

/// Connections can't be encrypted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// The library refuses its settings.
    #[error("TLS: {0}")]
    Library(#[from] rustls::Error),
    /// There are no certificates to trust.
    #[error("the machine's trusted certificates (or those of SSL_CERT_FILE): {0}")]
    Roots(std::io::Error),
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
    Ok(builder.with_safe_default_protocol_versions()?)
}

/// Trusts the certificates that the machine trusts, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR` in the environment.
///
/// # Errors
/// When there are none.
pub(crate) fn trusting_the_machine() -> Result<ClientConfig, TlsError> {
    Ok(builder()?.with_native_roots().map_err(TlsError::Roots)?.with_no_client_auth())
}

/// Trusts these certificates.
///
/// # Errors
/// When the library refuses.
pub(crate) fn trusting(roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    Ok(builder()?.with_root_certificates(roots).with_no_client_auth())
}
