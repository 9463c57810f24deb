//! `tenon tokens`: the tokens that the contract knows.

use alloy::primitives::Address;
use clap::Args;
use serde::Serialize;
use tenon_prover::user::tokens;

use super::{
    access::{Access, Connection, Transaction, blame},
    failure::Outcome,
    output,
};

/// Shows the tokens that can be deposited, or gives one its id.
#[derive(Debug, Args)]
pub struct Tokens {
    #[command(flatten)]
    access: Access,
    /// Gives an ERC-20 token its id, for ever. Anybody may.
    #[arg(long, value_name = "ADDRESS")]
    register: Option<Address>,
}

#[derive(Debug, Serialize)]
struct Token {
    id: u32,
    /// None for ether.
    address: Option<String>,
}

#[derive(Debug, Serialize)]
struct Plan {
    register: String,
}

#[derive(Debug, Serialize)]
struct Done {
    id: u32,
    transaction: Transaction,
}

impl Tokens {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let connection = self.access.connect(None).await?;
        match self.register {
            Some(token) => self.register(&connection, token).await,
            None => self.list(&connection).await,
        }
    }

    async fn list(&self, connection: &Connection) -> Outcome {
        let addresses = tokens::all(&connection.contract()).await.map_err(blame)?;
        let ether = Token { id: tokens::ETHER, address: None };
        let others =
            (1..).zip(addresses).map(|(id, address)| Token { id, address: Some(address.to_string()) });
        let all: Vec<Token> = std::iter::once(ether).chain(others).collect();
        if self.access.json {
            return output::json(&all);
        }
        for token in all {
            output::line(format!("{:<6} {}", token.id, token.address.unwrap_or_else(|| "ETH".to_owned())))?;
        }
        Ok(())
    }

    async fn register(&self, connection: &Connection, token: Address) -> Outcome {
        let (contract, sender) = (connection.contract(), connection.sender()?);
        let plan = Plan { register: token.to_string() };
        if !self.access.confirm(&plan, &[format!("gives the token {token} its id, for ever")])? {
            return Ok(());
        }
        let (id, inclusion) = tokens::register(&contract, &sender, token).await.map_err(blame)?;
        let done = Done { id, transaction: Transaction::from(&inclusion) };
        let lines = [format!("token {id}: {}", done.transaction.text())];
        self.access.report(&plan, &done, &lines)
    }
}
