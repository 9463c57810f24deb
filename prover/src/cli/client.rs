//! The service's gRPC interface, from the caller's side.

use std::{env, fs, path::PathBuf};

use clap::Args;
use serde::Serialize;
use tenon_circuits::{
    halo2::LeafProof,
    public_inputs::LeafPublicInputs,
    rollup::{
        Account, Address, Fr, PublicKey,
        evaluation::{self, Evaluations, Points},
        field::{self, FieldError},
        json::BatchDocument,
    },
};
use tenon_proto::{client, v1};
use tenon_prover::convert;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{
    failure::{Blame, Failure, Outcome},
    output,
};

/// A client of the service.
pub type Client = client::RawClient;

/// Bytes of error details asked for: every rejection of a large batch fits.
const MAX_ERROR_BYTES: u32 = 262_144;

/// Which service a command talks to, and how.
#[derive(Clone, Debug, Args)]
pub struct Server {
    /// The service's gRPC address; https:// for one that encrypts.
    #[arg(long, env = "TENON_SERVER", value_name = "URL", default_value = "http://127.0.0.1:7440")]
    server: String,
    /// File with the token to show. Without it the environment's TENON_TOKEN, if there is one.
    #[arg(long, env = "TENON_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates in PEM of those who sign the service's certificate.
    #[arg(long, env = "TENON_SERVER_CA_FILE", value_name = "FILE")]
    server_ca: Option<PathBuf>,
    /// Certificate in PEM to show to the service.
    #[arg(long, env = "TENON_CLIENT_CERT_FILE", value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Private key of that certificate in PEM.
    #[arg(long, env = "TENON_CLIENT_KEY_FILE", value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
}

/// The variable that may hold the token.
const TOKEN_VARIABLE: &str = "TENON_TOKEN";

impl Server {
    /// Connects.
    pub async fn connect(&self) -> Outcome<Client> {
        self.prepare()?.connect_raw().await.map_err(unconnected)
    }

    /// A connection to be made.
    pub fn prepare(&self) -> Outcome<client::Connect> {
        let read = |path: &Option<PathBuf>| {
            let read = |path: &PathBuf| fs::read_to_string(path).or_request(path.display().to_string());
            path.as_ref().map(read).transpose()
        };
        let mut connect = client::Client::to(&self.server);
        if let Some(token) = read(&self.token_file)?.or_else(|| env::var(TOKEN_VARIABLE).ok()) {
            connect = connect.token(token);
        }
        if let Some(authority) = read(&self.server_ca)? {
            connect = connect.certificate_authority(authority);
        }
        if let Some((certificate, key)) = read(&self.client_cert)?.zip(read(&self.client_key)?) {
            connect = connect.identity(certificate, key);
        }
        Ok(connect)
    }
}

/// Connects to a service of the same process.
pub async fn connect(url: &str) -> Outcome<Client> {
    client::Client::to(url).connect_raw().await.map_err(unconnected)
}

fn unconnected(error: client::Error) -> Failure {
    match error {
        client::Error::Connect { .. } => {
            Failure::work_text(format!("{error}; is `tenon serve` running there?"))
        }
        error => Failure::request(error),
    }
}

/// One thing wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Position of the transaction in the batch, where it is about one.
    pub transaction: Option<usize>,
    /// Path of the field.
    pub field: String,
    /// Stable code.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// Why the service refused a request.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// The gRPC code's name.
    pub code: String,
    /// Stable code.
    pub reason: String,
    /// For people.
    pub message: String,
    /// Everything that is wrong.
    pub rejections: Vec<Rejection>,
    /// How many more rejections didn't fit the reply.
    pub omitted: u64,
    /// The request was wrong, as against a service in trouble.
    #[serde(skip)]
    request: bool,
}

impl Refusal {
    /// Reads an error.
    pub fn new(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let rejections = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        let rejections = rejections.iter().map(|violation| Rejection {
            transaction: transaction_index(&violation.field),
            field: violation.field.clone(),
            reason: violation.reason.clone(),
            message: violation.description.clone(),
        });
        let request = matches!(
            status.code(),
            Code::InvalidArgument
                | Code::NotFound
                | Code::AlreadyExists
                | Code::FailedPrecondition
                | Code::OutOfRange
                | Code::PermissionDenied
                | Code::Unauthenticated
                | Code::Unimplemented
        );
        Self {
            code: format!("{:?}", status.code()),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            message: status.message().to_owned(),
            rejections: rejections.collect(),
            omitted: info
                .and_then(|info| info.metadata.get("omitted"))
                .and_then(|count| count.parse().ok())
                .unwrap_or(0),
            request,
        }
    }

    /// The failure that reports it.
    pub fn into_failure(self) -> Failure {
        let mut text = match (self.rejections.is_empty(), self.reason.as_str()) {
            (true, "") => format!("{} ({})", self.message, self.code),
            (true, reason) => format!("{} ({reason})", self.message),
            (false, _) => format!("the service refused the request; nothing changed ({})", self.reason),
        };
        for rejection in &self.rejections {
            text.push_str(&format!("\n  {}: {}: {}", rejection.field, rejection.reason, rejection.message));
        }
        if self.omitted > 0 {
            text.push_str(&format!("\n  and {} more", self.omitted));
        }
        if self.request { Failure::request_text(text) } else { Failure::work_text(text) }
    }
}

/// A refusal as a failure.
pub fn refused(status: Status) -> Failure {
    Refusal::new(&status).into_failure()
}

/// The index in `transactions[INDEX].field`.
fn transaction_index(field: &str) -> Option<usize> {
    let (index, _) = field.strip_prefix("transactions[")?.split_once(']')?;
    index.parse().ok()
}

/// The request that submits a batch.
pub fn submission(
    document: &BatchDocument,
    idempotency_key: String,
    priority: u32,
) -> v1::SubmitBatchRequest {
    v1::SubmitBatchRequest {
        idempotency_key,
        domain: convert::element_bytes(&document.domain),
        timestamp: document.timestamp,
        fee_accounts: document.fee_accounts.clone(),
        transactions: document.transactions.iter().map(convert::transaction_message).collect(),
        max_error_bytes: MAX_ERROR_BYTES,
        l1_operations: document.l1_operations.iter().map(convert::l1_operation_message).collect(),
        priority,
    }
}

/// The account in a reply.
pub fn account(reply: &v1::GetAccountResponse) -> Outcome<Account> {
    let account = reply.account.as_ref().ok_or_else(|| malformed("account", "it is missing"))?;
    let key = account.key.as_ref().ok_or_else(|| malformed("account.key", "it is missing"))?;
    let balance = account.balance.parse().map_err(|_| malformed("account.balance", &account.balance))?;
    let owner = <[u8; 20]>::try_from(account.owner.as_slice())
        .map_err(|_| malformed("account.owner", &output::hex(&account.owner)))?;
    Ok(Account {
        token: account.token,
        nonce: account.nonce,
        balance,
        key: PublicKey { x: element("account.key.x", &key.x)?, y: element("account.key.y", &key.y)? },
        owner: Address(owner),
    })
}

/// A leaf proof in a reply.
pub fn leaf_proof(reply: &v1::LeafProof) -> Outcome<LeafProof> {
    let inputs =
        reply.public_inputs.as_ref().ok_or_else(|| malformed("public_inputs", "they are missing"))?;
    let da_scalar = |name: &str, bytes: &[u8]| value(name, bytes, evaluation::da_from_bytes);
    let point = |name: &str, bytes: &[u8]| value(name, bytes, evaluation::point_from_bytes);
    let public_inputs = LeafPublicInputs {
        domain: element("domain", &inputs.domain)?,
        batch: element("batch", &inputs.batch)?,
        state_in: element("state_in", &inputs.state_in)?,
        state_out: element("state_out", &inputs.state_out)?,
        commit_in: element("commit_in", &inputs.commit_in)?,
        commit_out: element("commit_out", &inputs.commit_out)?,
        points: Points { z_d: point("z_d", &inputs.z_d)?, z_l: point("z_l", &inputs.z_l)? },
        evaluations_in: Evaluations {
            y_d: da_scalar("y_d_in", &inputs.y_d_in)?,
            y_l: element("y_l_in", &inputs.y_l_in)?,
        },
        evaluations_out: Evaluations {
            y_d: da_scalar("y_d_out", &inputs.y_d_out)?,
            y_l: element("y_l_out", &inputs.y_l_out)?,
        },
    };
    Ok(LeafProof { public_inputs, proof: reply.proof.clone() })
}

/// A field element in a reply.
pub fn element(name: &str, bytes: &[u8]) -> Outcome<Fr> {
    value(name, bytes, field::from_bytes)
}

/// A value of 32 bytes in a reply.
fn value<T>(name: &str, bytes: &[u8], read: impl FnOnce(&[u8; 32]) -> Result<T, FieldError>) -> Outcome<T> {
    let array: Option<[u8; 32]> = bytes.try_into().ok();
    array.and_then(|bytes| read(&bytes).ok()).ok_or_else(|| malformed(name, &output::hex(bytes)))
}

/// A reply that isn't as the interface says.
pub fn malformed(name: &str, value: &str) -> Failure {
    Failure::work_text(format!("the service's reply makes no sense: {name}: {value}"))
}
