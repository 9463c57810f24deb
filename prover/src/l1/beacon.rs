//! Blobs from a beacon node's HTTP interface, which keeps them for about 18 days.

use std::time::Duration;

use alloy::{eips::eip4844::Blob, primitives::B256};
use serde::{Deserialize, de::DeserializeOwned};

use super::{L1Error, chain::Block, http::NodeAddress};

/// Time that the node gets for one answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// A beacon node.
#[derive(Clone, Debug)]
pub struct BeaconApi {
    address: NodeAddress,
    client: reqwest::Client,
}

#[derive(Debug, Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Debug, Deserialize)]
struct Genesis {
    genesis_time: String,
}

#[derive(Debug, Deserialize)]
struct Spec {
    #[serde(rename = "SECONDS_PER_SLOT")]
    seconds_per_slot: String,
}

impl BeaconApi {
    /// The beacon node at `url`. Nothing is sent yet.
    ///
    /// # Errors
    /// When the URL isn't one.
    pub fn new(url: &str) -> Result<Self, L1Error> {
        let address = NodeAddress::parse(url)?;
        Ok(Self { client: address.client(REQUEST_TIMEOUT)?, address })
    }

    /// The blobs of a block among these; those that the node has dropped are missing.
    ///
    /// # Errors
    /// When the node can't be reached or doesn't answer as a beacon node does.
    pub async fn blobs(&self, block: &Block, hashes: &[B256]) -> Result<Vec<Blob>, L1Error> {
        let id = self.block_id(block).await?;
        let hashes: Vec<_> = hashes.iter().map(ToString::to_string).collect();
        let path = format!("eth/v1/beacon/blobs/{id}?versioned_hashes={}", hashes.join(","));
        Ok(self.get::<Vec<Blob>>(&path).await?.unwrap_or_default())
    }

    /// The slot of a block; its number at a development node without slots.
    async fn block_id(&self, block: &Block) -> Result<u64, L1Error> {
        let Some(spec) = self.get::<Spec>("eth/v1/config/spec").await? else { return Ok(block.number) };
        let genesis: Option<Genesis> = self.get("eth/v1/beacon/genesis").await?;
        let seconds = |text: &str| text.parse::<u64>().ok();
        let slot = genesis.and_then(|genesis| {
            let since = block.timestamp.checked_sub(seconds(&genesis.genesis_time)?)?;
            since.checked_div(seconds(&spec.seconds_per_slot)?)
        });
        slot.ok_or_else(|| self.address.failed(&format!("no slot for the time {}", block.timestamp)))
    }

    /// What the node answers; none where it has nothing.
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, L1Error> {
        let unusable = |error: reqwest::Error| self.address.unreachable(&error.without_url());
        let base = self.address.url().as_str().trim_end_matches('/');
        let url = format!("{base}/{path}");
        let answer = self.client.get(url).send().await.map_err(unusable)?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = answer.error_for_status().map_err(unusable)?;
        let text = answer.text().await.map_err(unusable)?;
        let answer: Answer<T> = serde_json::from_str(&text)
            .map_err(|error| self.address.failed(&format!("{path}: unexpected answer: {error}")))?;
        Ok(Some(answer.data))
    }
}
