//! Pays from one account to another through a running service: signs a transfer, submits it, waits for its proof and
//! shows the balance.
//!
//! ```text
//! cargo run --release --example pay -- http://127.0.0.1:7440 WALLET.json FROM TO TOKEN AMOUNT
//! ```

use std::{env, error::Error, fs};

use tenon_circuits::rollup::{
    AmountCode, Fr, PrivateKey, PublicKey, Recipient, Signature, Transaction, field, json::KeyFile,
    transaction::KIND_TRANSFER,
};
use tenon_proto::{client::Client, v1};
use tenon_prover::convert;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, wallet, from, to, token, amount] = &arguments[..] else {
        return Err("expected URL WALLET FROM TO TOKEN AMOUNT".into());
    };
    let mut connect = Client::to(url);
    if let Ok(token) = env::var("TENON_TOKEN") {
        connect = connect.token(token);
    }
    let mut client = connect.connect().await?;
    let key = KeyFile::from_json(&fs::read_to_string(wallet)?)?.key;
    let transfer =
        Transfer { from: from.parse()?, to: to.parse()?, token: token.parse()?, amount: amount.parse()? };
    println!("{}", pay(&mut client, &key, transfer).await?);
    Ok(())
}

/// What is paid.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// The paying account.
    pub from: u32,
    /// The receiving account.
    pub to: u32,
    /// Their token.
    pub token: u32,
    /// What is paid, in the token's smallest unit, and without a fee.
    pub amount: u64,
}

/// Pays, and tells what came of it.
///
/// # Errors
/// When the service refuses or can't prove.
pub async fn pay(
    client: &mut Client,
    key: &PrivateKey,
    transfer: Transfer,
) -> Result<String, Box<dyn Error>> {
    let domain = element(&client.status().await?.domain)?;
    let sender = client.account(transfer.from).await?.account.ok_or("no account")?;
    let receiver = client.account(transfer.to).await?.account.ok_or("no account")?;
    let recipient = Recipient { key: public_key(&receiver)?, owner: owner(&receiver)? };
    let unsigned = Transaction {
        kind: KIND_TRANSFER,
        from: transfer.from,
        to: transfer.to,
        token: transfer.token,
        nonce: sender.nonce,
        amount: AmountCode::encode(transfer.amount.into())?,
        fee: Default::default(),
        valid_until: u32::MAX,
        opens: None,
        signature: Signature {
            r8x: Fr::default(),
            r8y: Fr::default(),
            s: field::bigint_from_bytes(&[0; 32]),
        },
    };
    let signed = unsigned.signed(key, domain, &recipient);
    let (job, _) = client
        .submit(v1::SubmitBatchRequest {
            // Sending the same payment again gives the same job.
            idempotency_key: format!("{}-{}", transfer.from, sender.nonce),
            domain: convert::element_bytes(&domain),
            transactions: vec![convert::transaction_message(&signed)],
            ..Default::default()
        })
        .await?;
    let job = client.finished(&job.id).await?;
    if let Some(error) = job.error {
        return Err(format!("{}: {}", error.reason, error.message).into());
    }
    let balance = client.account(transfer.from).await?.account.ok_or("no account")?.balance;
    Ok(format!("batch {} is {:?}; account {} has {balance} left", job.batch_number, job.state, transfer.from))
}

fn element(bytes: &[u8]) -> Result<Fr, Box<dyn Error>> {
    Ok(field::from_bytes(bytes.try_into()?)?)
}

fn public_key(account: &v1::Account) -> Result<PublicKey, Box<dyn Error>> {
    let key = account.key.as_ref().ok_or("no key")?;
    Ok(PublicKey { x: element(&key.x)?, y: element(&key.y)? })
}

fn owner(account: &v1::Account) -> Result<tenon_circuits::rollup::Address, Box<dyn Error>> {
    Ok(tenon_circuits::rollup::Address(account.owner.as_slice().try_into()?))
}
