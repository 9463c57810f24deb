//! Connecting to a service.

use std::{fmt, time::Duration};

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::{Client, Error, RawClient, RawWorkerClient};
use crate::v1::{prover_client::ProverClient, worker_service_client::WorkerServiceClient};

/// Bytes of headers that the client takes: the details of a large refused batch in base64, and some more.
const MAX_HEADER_BYTES: u32 = 1 << 20;

/// Bytes of a reply that the client takes: proofs with their leaves.
const MAX_REPLY_BYTES: usize = 64 << 20;

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// Adds the token to each request.
#[derive(Clone, Default)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Bearer(a token)" } else { "Bearer(none)" })
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A connection to be made.
#[derive(Clone)]
#[must_use = "a connection is made by connect()"]
pub struct Connect {
    url: String,
    token: Option<String>,
    authority: Option<String>,
    identity: Option<(String, String)>,
    server_name: Option<String>,
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Connect {
    pub(super) fn new(url: String) -> Self {
        Self { url, token: None, authority: None, identity: None, server_name: None }
    }

    /// The token to show.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Certificates in PEM of those who sign the service's certificate. Needed for https: the client trusts nobody else.
    pub fn certificate_authority(mut self, pem: impl Into<String>) -> Self {
        self.authority = Some(pem.into());
        self
    }

    /// Certificate and private key in PEM that the client shows, for mutual TLS.
    pub fn identity(mut self, certificate: impl Into<String>, key: impl Into<String>) -> Self {
        self.identity = Some((certificate.into(), key.into()));
        self
    }

    /// The name in the service's certificate, where it isn't the URL's.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// When what was given can't be used or nothing answers.
    pub async fn connect(self) -> Result<Client, Error> {
        Ok(Client::new(self.connect_raw().await?))
    }

    /// Connects, for the generated client.
    ///
    /// # Errors
    /// As [`Connect::connect`].
    pub async fn connect_raw(self) -> Result<RawClient, Error> {
        let (channel, bearer) = self.channel().await?;
        Ok(ProverClient::with_interceptor(channel, bearer).max_decoding_message_size(MAX_REPLY_BYTES))
    }

    /// Connects, for the generated client of the worker service.
    ///
    /// # Errors
    /// As [`Connect::connect`].
    pub async fn connect_worker(self) -> Result<RawWorkerClient, Error> {
        let (channel, bearer) = self.channel().await?;
        Ok(WorkerServiceClient::with_interceptor(channel, bearer).max_decoding_message_size(MAX_REPLY_BYTES))
    }

    async fn channel(self) -> Result<(Channel, Bearer), Error> {
        let url = self.url;
        let mut endpoint = Endpoint::from_shared(url.clone()).map_err(|error| {
            Error::Setup(format!("server {url}: not a URL such as http://127.0.0.1:7440: {error}"))
        })?;
        let encrypted = url.starts_with("https://");
        if encrypted {
            let Some(authority) = self.authority else {
                return Err(Error::Setup(format!(
                    "server {url}: https needs the certificate of who signs its own"
                )));
            };
            let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
            if let Some((certificate, key)) = self.identity {
                tls = tls.identity(Identity::from_pem(certificate, key));
            }
            if let Some(name) = self.server_name {
                tls = tls.domain_name(name);
            }
            endpoint = endpoint
                .tls_config(tls)
                .map_err(|error| Error::Setup(format!("server {url}: TLS: {}", causes(&error))))?;
        }
        let token = self.token.as_deref().map(|token| bearer(token.trim())).transpose()?;
        let is_local = endpoint.uri().host().is_some_and(is_loopback);
        if token.is_some() && !encrypted && !is_local {
            return Err(Error::Setup(format!("server {url}: a token would travel in the clear; use https")));
        }
        let channel = endpoint
            .connect_timeout(CONNECT)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .connect()
            .await
            .map_err(|error| Error::Connect { url, message: causes(&error) })?;
        Ok((channel, Bearer(token)))
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn bearer(token: &str) -> Result<MetadataValue<Ascii>, Error> {
    let mut value: MetadataValue<Ascii> = format!("Bearer {token}")
        .parse()
        .map_err(|_| Error::Setup("the token has characters that no token has".to_owned()))?;
    // Keeps it out of logs and of the header compression's table.
    value.set_sensitive(true);
    Ok(value)
}

/// An error with what caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}
