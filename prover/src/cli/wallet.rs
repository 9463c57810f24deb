//! `tenon wallet`: keys and signatures.

mod kinds;

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};
use tenon_circuits::rollup::{
    Account, Address, AmountCode, FeeCode, Fr, NONCE_LIMIT, PrivateKey, PublicKey, Signature, Transaction,
    field::{self, FieldError},
    float::FloatError,
    json::{BatchDocument, KeyFile},
    transaction::{KIND_OPEN, KIND_TRANSFER, KIND_WITHDRAW},
};
use tenon_proto::v1;

use super::{
    client::{self, Client, Server},
    failure::{Blame, Failure, Outcome},
    jobs, output,
};

/// Permissions of a key file: its owner reads and writes.
const KEY_FILE_MODE: u32 = 0o600;

/// Makes wallet keys, signs transactions.
#[derive(Debug, Subcommand)]
pub enum Wallet {
    /// Makes a key of random bytes and writes it to a new file that only its owner can read.
    New(New),
    /// Signs a transfer, or the unsigned transactions of a batch, and writes the batch as `tenon submit` takes it.
    Sign(Box<Sign>),
    /// Signs a withdrawal to the account's owner on L1.
    Withdraw(Box<kinds::Withdraw>),
    /// Signs the opening of an account.
    Open(Box<kinds::Open>),
}

impl Wallet {
    /// Runs it.
    pub async fn run(self) -> Outcome {
        match self {
            Self::New(command) => command.run(),
            Self::Sign(command) => command.run().await,
            Self::Withdraw(command) => command.run().await,
            Self::Open(command) => command.run(),
        }
    }
}

/// Makes a key.
#[derive(Debug, Args)]
pub struct New {
    /// The key file; it must not exist.
    file: PathBuf,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl New {
    fn run(self) -> Outcome {
        let key = PrivateKey::generate(&mut rand::rngs::OsRng);
        let public = key.public_key();
        self.write(&KeyFile { key }.to_json())?;
        let [x, y] = [&public.x, &public.y].map(field::to_hex);
        if self.json {
            return output::json(&json!({ "file": self.file, "public_key": { "x": x, "y": y } }));
        }
        output::line(format!("{}: keep it secret, it is the key itself", self.file.display()))?;
        output::line(format!("public key x {x}\n           y {y}"))
    }

    fn write(&self, text: &str) -> Outcome {
        let name = self.file.display();
        let created = OpenOptions::new().write(true).create_new(true).mode(KEY_FILE_MODE).open(&self.file);
        let mut file = match created {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Failure::request_text(format!(
                    "{name}: expected no such file, found one; keys are never overwritten, choose another name"
                )));
            }
            created => created.or_work(format!("creating {name}"))?,
        };
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        if written.is_err() {
            // Half a key is of no use; the error that matters is the one below.
            let _ = fs::remove_file(&self.file);
        }
        written.or_work(format!("writing {name}"))
    }
}

/// Signs a transfer given by flags, or the unsigned transactions of a batch.
///
/// A signature covers the receiving account's key and owner. They come from the service, which must be trusted for
/// that, or from the flags `--to-key-x`, `--to-key-y`, `--to-owner`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(false).args(["from", "batch"]))]
pub struct Sign {
    /// Key file. For a batch of several senders, give several: each transaction is signed with its sender's.
    #[arg(long, required = true, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Index of the sending account.
    #[arg(long, value_name = "ACCOUNT", requires_all = ["to", "token", "nonce", "amount", "fee", "domain"])]
    from: Option<u32>,
    /// The batch as `tenon submit` takes it (amounts and fees as float codes), its transactions without `signature`;
    /// `-` for standard input. Transactions that have one keep it.
    #[arg(long, value_name = "FILE", conflicts_with = "transfer")]
    batch: Option<PathBuf>,
    #[command(flatten)]
    transfer: TransferFlags,
    #[command(flatten)]
    receiver: ReceiverFlags,
    /// Write the batch here; standard output without it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

/// A transfer.
#[derive(Debug, Args)]
#[group(id = "transfer", multiple = true)]
pub struct TransferFlags {
    /// Index of the receiving account.
    #[arg(long, value_name = "ACCOUNT")]
    to: Option<u32>,
    /// The token of both accounts.
    #[arg(long)]
    token: Option<u32>,
    /// The sending account's nonce.
    #[arg(long)]
    nonce: Option<u64>,
    /// What is paid, in the token's smallest unit.
    #[arg(long, allow_negative_numbers = true)]
    amount: Option<u128>,
    /// The fee, in the token's smallest unit.
    #[arg(long, allow_negative_numbers = true)]
    fee: Option<u128>,
    /// The last batch time with which the transfer is valid, in Unix seconds. [default: no limit]
    #[arg(long, value_name = "SECONDS")]
    valid_until: Option<u32>,
    /// The rollup's domain, as `tenon contracts deploy` prints it.
    #[arg(long, value_name = "HEX", value_parser = element)]
    domain: Option<Fr>,
    /// An account that takes fees; one for each token. Needed where there are fees.
    #[arg(long, value_name = "ACCOUNT")]
    fee_account: Vec<u32>,
}

/// The receiving account, for signing without a service.
#[derive(Debug, Args)]
#[group(conflicts_with = "batch")]
pub struct ReceiverFlags {
    /// First coordinate of the receiving account's key.
    #[arg(long, value_name = "HEX", value_parser = element, requires_all = ["to_key_y", "to_owner"])]
    to_key_x: Option<Fr>,
    /// Second coordinate of the receiving account's key.
    #[arg(long, value_name = "HEX", value_parser = element, requires_all = ["to_key_x", "to_owner"])]
    to_key_y: Option<Fr>,
    /// The receiving account's owner on L1.
    #[arg(long, value_name = "ADDRESS", value_parser = address, requires_all = ["to_key_x", "to_key_y"])]
    to_owner: Option<Address>,
}

fn element(text: &str) -> Result<Fr, FieldError> {
    field::from_hex(text)
}

fn address(text: &str) -> Result<Address, FieldError> {
    Address::from_hex(text)
}

impl Sign {
    async fn run(self) -> Outcome {
        let keys = self.key.iter().map(|path| read_key(path)).collect::<Outcome<Vec<_>>>()?;
        let (mut document, unsigned) = match &self.batch {
            Some(path) => read_batch(path)?,
            None => (self.transfer.document(self.from)?, vec![0]),
        };
        let mut accounts = match self.receiver.account() {
            Some(account) => Accounts::Given(account),
            None => Accounts::of_service(&self.server).await?,
        };
        for index in unsigned {
            let Some(transaction) = document.transactions.get_mut(index) else { continue };
            check(index, transaction)?;
            let key = accounts.signer(&keys, transaction.from).await?;
            let recipient = match (transaction.kind, transaction.opens) {
                (KIND_WITHDRAW, _) => accounts.account(transaction.from).await?.recipient(),
                (KIND_OPEN, Some(opens)) => opens,
                _ => accounts.receiver(transaction.to).await?.recipient(),
            };
            *transaction = transaction.signed(key, document.domain, &recipient);
        }
        write_batch(&document, self.out.as_deref())
    }
}

impl TransferFlags {
    /// A batch of this one transfer, not signed yet.
    fn document(&self, from: Option<u32>) -> Outcome<BatchDocument> {
        let (Some(from), Some(to), Some(token), Some(nonce), Some(amount), Some(fee), Some(domain)) =
            (from, self.to, self.token, self.nonce, self.amount, self.fee, self.domain)
        else {
            return Err(Failure::request_text(
                "expected --from, --to, --token, --nonce, --amount, --fee and --domain, found only some of them",
            ));
        };
        let transaction = Transaction {
            kind: KIND_TRANSFER,
            from,
            to,
            token,
            nonce,
            amount: amount_code(amount)?,
            fee: fee_code(fee)?,
            valid_until: self.valid_until.unwrap_or(u32::MAX),
            opens: None,
            signature: Signature::default(),
        };
        Ok(BatchDocument {
            domain,
            timestamp: None,
            fee_accounts: self.fee_account.clone(),
            l1_operations: Vec::new(),
            transactions: vec![transaction],
        })
    }
}

fn write_batch(document: &BatchDocument, out: Option<&Path>) -> Outcome {
    let text = document.to_json();
    let Some(path) = out else { return output::line(text.trim_end()) };
    fs::write(path, text).or_work(format!("writing {}", path.display()))
}

fn amount_code(amount: u128) -> Outcome<AmountCode> {
    AmountCode::encode(amount)
        .map_err(|error| inexact("--amount", error, AmountCode::encode_floor(amount).value()))
}

fn fee_code(fee: u128) -> Outcome<FeeCode> {
    FeeCode::encode(fee).map_err(|error| inexact("--fee", error, FeeCode::encode_floor(fee).value()))
}

/// A value that no code stands for, and the nearest below that one does stand for.
fn inexact(flag: &str, error: FloatError, nearest: Result<u128, FloatError>) -> Failure {
    match nearest {
        Ok(nearest) => Failure::request_text(format!("{flag}: {error}; the nearest below is {nearest}")),
        Err(_) => Failure::request_text(format!("{flag}: {error}")),
    }
}

impl ReceiverFlags {
    fn account(&self) -> Option<Receiver> {
        let key = PublicKey { x: self.to_key_x?, y: self.to_key_y? };
        Some(Receiver { key, owner: self.to_owner? })
    }
}

/// What a signature says of the receiving account.
#[derive(Clone, Copy, Debug)]
struct Receiver {
    key: PublicKey,
    owner: Address,
}

/// Where the accounts that signatures depend on come from.
enum Accounts {
    /// The receiver, from the command line.
    Given(Receiver),
    /// All of them, from the service.
    Service(Client, HashMap<u32, Account>),
}

impl Accounts {
    async fn of_service(server: &Server) -> Outcome<Self> {
        Ok(Self::Service(server.connect().await?, HashMap::new()))
    }

    /// The key that signs for an account.
    async fn signer<'k>(&mut self, keys: &'k [PrivateKey], from: u32) -> Outcome<&'k PrivateKey> {
        match self {
            Self::Given(_) => match keys {
                [key] => Ok(key),
                _ => Err(Failure::request_text(format!(
                    "--key: expected one key file for one transfer, found {}",
                    keys.len()
                ))),
            },
            Self::Service(..) => {
                let expected = self.account(from).await?.key;
                keys.iter().find(|key| key.public_key() == expected).ok_or_else(|| {
                    let show =
                        |key: &PublicKey| format!("({}, {})", field::to_hex(&key.x), field::to_hex(&key.y));
                    let found: Vec<_> = keys.iter().map(|key| show(&key.public_key())).collect();
                    Failure::request_text(format!(
                        "--key: expected the key of account {from}, {}, found {}",
                        show(&expected),
                        found.join(", ")
                    ))
                })
            }
        }
    }

    /// The receiving account, as far as signatures depend on it.
    async fn receiver(&mut self, to: u32) -> Outcome<Account> {
        match self {
            Self::Given(Receiver { key, owner }) => {
                Ok(Account { token: 0, nonce: 0, balance: 0, key: *key, owner: *owner })
            }
            Self::Service(..) => self.account(to).await,
        }
    }

    async fn account(&mut self, index: u32) -> Outcome<Account> {
        let Self::Service(client, known) = self else {
            return Err(Failure::work_text(format!("account {index} isn't known without a service")));
        };
        if let Some(account) = known.get(&index) {
            return Ok(*account);
        }
        let request = v1::GetAccountRequest { index };
        let reply = client.get_account(request).await.map_err(client::refused)?.into_inner();
        let account = client::account(&reply)?;
        known.insert(index, account);
        Ok(account)
    }
}

fn read_key(path: &Path) -> Outcome<PrivateKey> {
    let text = fs::read_to_string(path).or_request(format!("key file {}", path.display()))?;
    Ok(KeyFile::from_json(&text).or_request(format!("key file {}", path.display()))?.key)
}

/// Reads a batch, and which of its transactions lack a signature.
fn read_batch(path: &Path) -> Outcome<(BatchDocument, Vec<usize>)> {
    let name = path.display().to_string();
    let text = jobs::read(path)?;
    let mut value: Value = serde_json::from_str(&text).or_request(&name)?;
    let mut unsigned = Vec::new();
    let transactions = value.get_mut("transactions").and_then(Value::as_array_mut);
    for (index, transaction) in transactions.into_iter().flatten().enumerate() {
        let Some(transaction) = transaction.as_object_mut() else { continue };
        if transaction.get("signature").is_none_or(Value::is_null) {
            let zero = field::to_hex(&Fr::from(0u64));
            transaction.insert("signature".to_owned(), json!({ "r8x": zero, "r8y": zero, "s": "0" }));
            unsigned.push(index);
        }
    }
    let document = BatchDocument::from_json(&value.to_string()).or_request(&name)?;
    if unsigned.is_empty() {
        return Err(Failure::request_text(format!(
            "{name}: expected transactions without signature, found {} and all of them signed",
            document.transactions.len()
        )));
    }
    Ok((document, unsigned))
}

/// Refuses what no rollup accepts, so that it is never signed.
fn check(index: usize, transaction: &Transaction) -> Outcome {
    let refuse = |field: &str, text: String| {
        Err(Failure::request_text(format!("transactions[{index}].{field}: {text}")))
    };
    let kind_is_fine = match transaction.kind {
        KIND_TRANSFER if transaction.opens.is_some() => {
            Err(("opens", "expected none for a transfer, found an account".to_owned()))
        }
        KIND_TRANSFER => Ok(()),
        KIND_WITHDRAW | KIND_OPEN => kinds::check_kind(transaction),
        kind => Err((
            "kind",
            format!(
                "expected {KIND_TRANSFER} (transfer), {KIND_WITHDRAW} (withdraw) or {KIND_OPEN} (open), found {kind}"
            ),
        )),
    };
    if let Err((field, text)) = kind_is_fine {
        return refuse(field, text);
    }
    if transaction.nonce >= NONCE_LIMIT {
        return refuse("nonce", format!("expected less than {NONCE_LIMIT}, found {}", transaction.nonce));
    }
    if let Err(error) = transaction.amount.value() {
        return refuse("amount", error.to_string());
    }
    match transaction.fee.value() {
        Err(error) => refuse("fee", error.to_string()),
        Ok(_) => Ok(()),
    }
}
