//! Connections for the gRPC and the HTTP server: counted, and encrypted where the settings name a certificate.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
    server::TlsStream,
};
use tonic::transport::server::Connected;
use tracing::{debug, error, info};

use crate::config::TlsFiles;

/// Time that a client gets for the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections that are open and not taken by the server yet.
const BACKLOG: usize = 64;

/// Time between two looks at the certificate's files.
const RECHECK: Duration = Duration::from_secs(10);

/// Pause after an error of the listener, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Certificates or keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file isn't what it should be.
    #[error("{path}: expected {expected}: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// Why it isn't.
        message: String,
    },
    /// Certificate and key don't go together, or not with what the library supports.
    #[error("TLS: {0}")]
    Refused(String),
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let malformed = |message: String| TlsError::Malformed {
        path: path.to_owned(),
        expected: "certificates in PEM",
        message,
    };
    let text = fs::read(path).map_err(|error| TlsError::File { path: path.to_owned(), error })?;
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| malformed(error.to_string()))?;
    if found.is_empty() { Err(malformed("there are none".to_owned())) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = fs::read(path).map_err(|error| TlsError::File { path: path.to_owned(), error })?;
    // The parser's error never quotes the file.
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| TlsError::Malformed {
        path: path.to_owned(),
        expected: "a private key in PEM",
        message: error.to_string(),
    })
}

fn server_config(files: &TlsFiles, protocol: &[u8]) -> Result<ServerConfig, TlsError> {
    let refused = |error: &dyn std::error::Error| TlsError::Refused(error.to_string());
    // Named, since another library in the process may bring another provider.
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| refused(&error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| refused(&error))?)
        }
    };
    let config = builder.with_single_cert(certificates(&files.certificate)?, private_key(&files.key)?);
    let mut config = config.map_err(|error| refused(&error))?;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

/// Whoever encrypts: with the files' certificate, read again when they change.
pub(crate) struct Tls {
    files: TlsFiles,
    protocol: &'static [u8],
    current: Mutex<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    stamps: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl Tls {
    /// Reads the files. `protocol` is what is spoken inside: `h2` or `http/1.1`.
    pub fn open(files: &TlsFiles, protocol: &'static [u8]) -> Result<Self, TlsError> {
        let stamps = stamps(files);
        let config = Arc::new(server_config(files, protocol)?);
        let current = Mutex::new(Current { config, stamps, looked: Instant::now() });
        Ok(Self { files: files.clone(), protocol, current })
    }

    fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= RECHECK {
            current.looked = Instant::now();
            let stamps = stamps(&self.files);
            if stamps != current.stamps {
                match server_config(&self.files, self.protocol) {
                    Ok(config) => {
                        info!(certificate = %self.files.certificate.display(), "certificate read again");
                        current.config = Arc::new(config);
                    }
                    Err(error) => error!(%error, "the new certificate can't be used; the old one stays"),
                }
                current.stamps = stamps;
            }
        }
        Arc::clone(&current.config)
    }
}

fn stamps(files: &TlsFiles) -> Vec<Option<SystemTime>> {
    [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()]
        .into_iter()
        .flatten()
        .map(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
        .collect()
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// The address.
    pub address: SocketAddr,
    /// SHA-256 of the client's certificate, where it showed one.
    pub certificate: Option<[u8; 32]>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// An open connection. It takes one of the places until it is dropped.
pub(crate) struct Connection {
    stream: Stream,
    peer: Peer,
    _place: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

macro_rules! on_stream {
    ($self:ident, $stream:ident => $call:expr) => {
        match &mut $self.get_mut().stream {
            Stream::Plain(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Stream::Tls(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_stream!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_stream!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => stream.poll_shutdown(context))
    }
}

/// The connections of a listener, as they come.
pub(crate) struct Incoming {
    connections: mpsc::Receiver<Connection>,
}

impl Incoming {
    /// Accepts connections, `places` at the same time; others wait in the kernel's queue.
    pub fn start(listener: TcpListener, tls: Option<Tls>, places: usize) -> Self {
        let (sender, connections) = mpsc::channel(BACKLOG);
        tokio::spawn(accept(listener, tls.map(Arc::new), places, sender));
        Self { connections }
    }

    /// The next connection; `None` never comes while the listener works.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Connection>> {
        self.connections.poll_recv(context)
    }
}

impl tokio_stream::Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_next(context).map(|connection| connection.map(Ok))
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    places: usize,
    sender: mpsc::Sender<Connection>,
) {
    let places = Arc::new(Semaphore::new(places));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = sender.closed() => return,
            next = next => next,
        };
        let Ok(place) = place else { return };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "a connection wasn't accepted");
                sleep(PAUSE).await;
                continue;
            }
        };
        // Small replies shouldn't wait for more.
        let _ = stream.set_nodelay(true);
        let sender = sender.clone();
        let tls = tls.clone();
        tokio::spawn(async move {
            let (stream, certificate) = match tls {
                None => (Stream::Plain(stream), None),
                Some(tls) => match timeout(HANDSHAKE, TlsAcceptor::from(tls.config()).accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                        let certificate = shown.map(|certificate| Sha256::digest(certificate).into());
                        (Stream::Tls(Box::new(stream)), certificate)
                    }
                    Ok(Err(error)) => return debug!(%address, %error, "no TLS with a client"),
                    Err(_) => return debug!(%address, "a client didn't finish the handshake"),
                },
            };
            let connection = Connection { stream, peer: Peer { address, certificate }, _place: place };
            // Without a receiver the server has ended.
            let _ = sender.send(connection).await;
        });
    }
}
