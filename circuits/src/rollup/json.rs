//! Documents that people and wallets exchange as JSON.
