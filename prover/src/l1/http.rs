//! HTTP to nodes: by TLS where the URL says so, with the certificates that the machine trusts.

use std::{error::Error, time::Duration};

use reqwest::{Client, Url};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::L1Error;
use crate::https;

/// Time that a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The address of a node, which may carry a key and is shown without it.
#[derive(Clone)]
pub(super) struct NodeAddress {
    url: Url,
    shown: String,
}

impl std::fmt::Debug for NodeAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl NodeAddress {
    /// # Errors
    /// When it isn't a URL of HTTP.
    pub fn parse(text: &str) -> Result<Self, L1Error> {
        // A key could be in a path, a query or before a host.
        let shown = if text.contains(['/', '?', '@']) { "(hidden)" } else { text };
        let unusable = |reason: String| L1Error::Unreachable { url: shown.to_owned(), reason };
        let url = Url::parse(text)
            .map_err(|error| unusable(format!("not a URL such as http://127.0.0.1:8545: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            let found = url.scheme();
            return Err(unusable(format!(
                "expected a URL that starts with http:// or https://, got {found}://"
            )));
        }
        let shown = url.origin().ascii_serialization();
        Ok(Self { url, shown })
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Without path, user and password.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// A client for it, which gives up after `timeout`.
    ///
    /// # Errors
    /// When the machine trusts no certificates at all and the address needs one.
    pub fn client(&self, timeout: Duration) -> Result<Client, L1Error> {
        let tls = if self.url.scheme() == "https" {
            https::trusting_the_machine()
        } else {
            https::trusting(RootCertStore::empty())
        };
        self.build(tls, timeout).map_err(|error| self.unreachable(&*error))
    }

    fn build(
        &self,
        tls: Result<ClientConfig, https::TlsError>,
        timeout: Duration,
    ) -> Result<Client, Box<dyn Error + Send + Sync>> {
        let builder = Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(timeout);
        Ok(builder.tls_backend_preconfigured(tls?).build()?)
    }

    /// What went wrong with it, and why, without what isn't shown.
    pub fn unreachable(&self, error: &(dyn Error + 'static)) -> L1Error {
        let mut reason = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !reason.ends_with(&text) {
                reason = format!("{reason}: {text}");
            }
            next = cause.source();
        }
        self.failed(&reason)
    }

    /// The same, in words.
    pub fn failed(&self, reason: &str) -> L1Error {
        let full = self.url.as_str();
        let hidden = full.strip_suffix('/').unwrap_or(full);
        let reason =
            if hidden == self.shown { reason.to_owned() } else { reason.replace(hidden, &self.shown) };
        L1Error::Unreachable { url: self.shown.clone(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_address_is_not_shown() {
        let address = NodeAddress::parse("https://user:swordfish@node.example/v3/0123abcd").unwrap();
        assert_eq!(address.shown(), "https://node.example");
        let full = address.url().to_string();
        let error = address.failed(&format!("error sending request for url ({full}): refused"));
        let text = format!("{error} {address:?}");
        assert!(!text.contains("swordfish") && !text.contains("0123abcd"), "{text}");
        assert!(text.contains("refused"), "{text}");
        for wrong in ["ws://node.example", "node.example", ""] {
            assert!(NodeAddress::parse(wrong).is_err(), "{wrong}");
        }
    }
}
