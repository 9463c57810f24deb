//! Every decoder against damaged input: none may fall over, and what one accepts it must give back the same.
//!
//! Inputs are made from valid ones by a seeded generator, so a failure is found again; it names its input. By default
//! each decoder gets a few seconds at most; `TENON_FUZZ_SECONDS` sets another time, and another seed with each second.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use common::*;
use prost::Message;
use rand::{Rng as _, RngCore as _, SeedableRng as _, rngs::StdRng};
use tenon_circuits::{
    aggregation::AggregateProof,
    halo2::{LeafProof, Srs},
    public_inputs::LeafPublicInputs,
    rollup::{
        Fr, State,
        json::{BatchDocument, Genesis, KeyFile},
        replay::replay,
        snapshot::Snapshot,
        words::parse_l1_stream,
    },
    witness::ChunkWitness,
};
use tenon_prover::{Config, api_tokens, convert, l1::L1Key};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{sleep, timeout},
};

/// Inputs that each decoder gets at least in its time.
const INPUTS: u64 = 20_000;

const DEFAULT_SECONDS: u64 = 3;

/// Changes bytes so that some of the structure stays.
fn mutate(rng: &mut StdRng, valid: &[u8]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for _ in 0..rng.gen_range(1..=6) {
        let place = rng.gen_range(0..=bytes.len());
        let length = rng.gen_range(0..=16).min(bytes.len() - place);
        match rng.gen_range(0..8) {
            0 if place < bytes.len() => bytes[place] ^= 1 << rng.gen_range(0..8),
            1 if place < bytes.len() => {
                bytes[place] = *[0, 1, 0x7f, 0x80, 0xff, b'0', b'"', b'-'].get(rng.gen_range(0..8)).unwrap()
            }
            2 => bytes.truncate(place),
            3 => drop(bytes.drain(place..place + length)),
            4 => {
                let copied = bytes[place..place + length].to_vec();
                let to = rng.gen_range(0..=bytes.len());
                bytes.splice(to..to, copied);
            }
            5 => {
                let mut noise = vec![0; length];
                rng.fill_bytes(&mut noise);
                bytes.splice(place..place, noise);
            }
            6 => {
                let digits =
                    ["0", "1", "18446744073709551616", "-1", "1e9", "null", "[]", "{}", "\u{0}", "0x"];
                let text = digits[rng.gen_range(0..digits.len())].as_bytes().to_vec();
                bytes.splice(place..place + length, text);
            }
            _ => bytes.extend_from_slice(&valid[..length.min(valid.len())]),
        }
    }
    bytes
}

/// Gives damaged forms of the valid inputs to `decode`, which says whether it took them. Every valid one must be taken.
fn fuzz(name: &str, valid: &[Vec<u8>], decode: impl Fn(&[u8]) -> bool) {
    let seconds = env::var("TENON_FUZZ_SECONDS").ok().and_then(|text| text.parse::<u64>().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(DEFAULT_SECONDS));
    for input in valid {
        assert!(decode(input), "{name} refuses what is valid: {}", String::from_utf8_lossy(input));
    }
    let (mut taken, mut refused) = (0_u64, 0_u64);
    for seed in 0.. {
        if Instant::now() > end || (seconds.is_none() && seed == INPUTS) {
            break;
        }
        let mut rng = StdRng::seed_from_u64(seed);
        let chosen = rng.gen_range(0..valid.len());
        let input = mutate(&mut rng, &valid[chosen]);
        match catch_unwind(AssertUnwindSafe(|| decode(&input))) {
            Ok(true) => taken += 1,
            Ok(false) => refused += 1,
            Err(_) => panic!("{name} fell over at seed {seed}: {}", hex::encode(&input)),
        }
    }
    eprintln!("{name}: {taken} taken, {refused} refused");
    assert!(refused > 0, "{name} takes everything");
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn batch() -> BatchDocument {
    BatchDocument {
        domain: rollup_domain(),
        timestamp: Some(1_700_000_000),
        fee_accounts: vec![4, 5],
        l1_operations: vec![deposit(9, 500)],
        transactions: vec![transfer(0, 1, 0), sign(withdrawal(1, 0, 50, 1)), sign(opening(2, 0, 10))],
    }
}

fn leaf() -> LeafProof {
    let witness = witness();
    LeafProof { public_inputs: witness.public_inputs(), proof: (0..96).collect() }
}

fn witness() -> ChunkWitness {
    use tenon_circuits::rollup::{Batch, execute};
    let state = State::from_accounts(&(0..ACCOUNTS).map(account).collect::<Vec<_>>()).unwrap();
    let document = batch();
    let batch = Batch {
        number: 1,
        timestamp: 1_700_000_000,
        fee_accounts: document.fee_accounts,
        l1_operations: document.l1_operations,
        transactions: document.transactions,
    };
    execute(&state, rollup_domain(), &batch, CAPACITY).unwrap().chunks.remove(0)
}

fn aggregate() -> AggregateProof {
    let inputs: Vec<LeafPublicInputs> = vec![leaf().public_inputs];
    AggregateProof {
        batches: tenon_circuits::aggregation::batches(&inputs).unwrap(),
        proof: (0..128).collect(),
    }
}

#[test]
fn messages() {
    let mut with_operations = request("key", &batch().transactions);
    with_operations.l1_operations = batch().l1_operations.iter().map(convert::l1_operation_message).collect();
    let valid = [nth(1).encode_to_vec(), with_operations.encode_to_vec()];
    fuzz("SubmitBatchRequest", &valid, |bytes| {
        let Ok(request) = tenon_proto::v1::SubmitBatchRequest::decode(bytes) else { return false };
        let submission = convert::submission(request.clone());
        if !submission.violations.is_empty() {
            return false;
        }
        // What has nothing wrong with it is exactly what was sent.
        let again: Vec<_> = submission.transactions.iter().map(convert::transaction_message).collect();
        assert_eq!(again, request.transactions);
        let again: Vec<_> = submission.l1_operations.iter().map(convert::l1_operation_message).collect();
        assert_eq!(again, request.l1_operations);
        true
    });
    let valid = [convert::aggregate_proof(&aggregate()).encode_to_vec()];
    fuzz("AggregateProof message", &valid, |bytes| {
        let Ok(message) = tenon_proto::v1::AggregateProof::decode(bytes) else { return false };
        let Ok(proof) = convert::aggregate_proof_from(&message) else { return false };
        assert_eq!(convert::aggregate_proof(&proof), message);
        true
    });
}

#[test]
fn documents() {
    fuzz("batch", &[batch().to_json().into_bytes()], |bytes| {
        let Some(Ok(document)) = text(bytes).map(BatchDocument::from_json) else { return false };
        assert_eq!(BatchDocument::from_json(&document.to_json()).unwrap(), document);
        true
    });
    let genesis = Genesis { accounts: (0..ACCOUNTS).map(account).collect() };
    fuzz("genesis", &[genesis.to_json().into_bytes()], |bytes| {
        let Some(Ok(genesis)) = text(bytes).map(Genesis::from_json) else { return false };
        let _ = State::from_accounts(&genesis.accounts);
        true
    });
    let key_file = KeyFile { key: key(3) }.to_json();
    let seed = hex::encode(key_seed(3));
    fuzz("wallet key file", &[key_file.into_bytes()], |bytes| match text(bytes).map(KeyFile::from_json) {
        Some(Err(error)) => {
            assert!(!error.to_string().contains(&seed), "the seed is in an error: {error}");
            false
        }
        Some(Ok(_)) => true,
        None => false,
    });
    fuzz("L1 key", &[format!("0x{}", "11".repeat(32)).into_bytes()], |bytes| {
        text(bytes).map(L1Key::from_hex).is_some_and(|key| key.is_ok())
    });
}

fn key_seed(index: u32) -> [u8; 32] {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&index.to_le_bytes());
    seed
}

#[test]
fn stored_files() {
    fuzz("leaf proof", &[serde_json::to_vec(&leaf()).unwrap()], |bytes| {
        serde_json::from_slice::<LeafProof>(bytes).is_ok()
    });
    fuzz("aggregate proof", &[serde_json::to_vec(&aggregate()).unwrap()], |bytes| {
        serde_json::from_slice::<AggregateProof>(bytes).is_ok()
    });
    fuzz("witness", &[serde_json::to_vec(&witness()).unwrap()], |bytes| {
        let Ok(witness) = serde_json::from_slice::<ChunkWitness>(bytes) else { return false };
        let _ = witness.public_inputs();
        true
    });
    let state = State::from_accounts(&(0..ACCOUNTS).map(account).collect::<Vec<_>>()).unwrap();
    let snapshot = Snapshot { domain: rollup_domain(), batch: 7, state };
    fuzz("snapshot", &[snapshot.to_bytes()], |bytes| {
        let Ok(snapshot) = Snapshot::from_bytes(bytes) else { return false };
        assert_eq!(snapshot.to_bytes(), bytes);
        true
    });
}

#[test]
fn settings_and_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tenon.toml");
    let settings = "workers = 3\nlease = \"90s\"\nl1_url = \"http://127.0.0.1:1\"\nl1_finality = \"3\"\n\
        grpc_listen = \"127.0.0.1:0\"\nrollup_address = \"0x00000000000000000000000000000000000000aa\"\n";
    fuzz("settings", &[settings.as_bytes().to_vec()], |bytes| {
        fs::write(&file, bytes).unwrap();
        match Config::load(Some(&file), [], []) {
            Ok(_) => true,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                false
            }
        }
    });
    let tokens = api_tokens::TokenFile::new(dir.path().join("tokens.toml"));
    tokens.add("first", &api_tokens::Scope::ALL, Some(2_000_000_000)).unwrap();
    tokens.add("second", &[api_tokens::Scope::Read], None).unwrap();
    fuzz("tokens", &[fs::read(tokens.path()).unwrap()], |bytes| {
        text(bytes).map(api_tokens::parse).is_some_and(|tokens| tokens.is_ok())
    });
}

#[test]
fn streams_of_words() {
    let words = |bytes: &[u8]| -> Vec<Fr> {
        bytes
            .chunks(8)
            .map(|word| {
                word.iter().fold(Fr::from(0_u64), |sum, byte| sum * Fr::from(256_u64) + Fr::from(*byte))
            })
            .collect()
    };
    let state = State::from_accounts(&(0..ACCOUNTS).map(account).collect::<Vec<_>>()).unwrap();
    fuzz("streams", &[Vec::new()], |bytes| {
        let words = words(bytes);
        let _ = replay(&state, &words, &[deposit(9, 5)]);
        parse_l1_stream(&words).is_ok()
    });
}

#[test]
fn key_files() {
    let dir = tempfile::tempdir().unwrap();
    Srs::load_or_create(dir.path(), 4).unwrap();
    let path = Srs::path(dir.path(), 4);
    let valid = fs::read(&path).unwrap();
    fuzz("set-up file", std::slice::from_ref(&valid), |bytes| {
        fs::write(&path, bytes).unwrap();
        let read = Srs::load_or_create(dir.path(), 4).is_ok();
        assert!(!read || bytes == valid, "a damaged set-up is taken");
        read
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_survive_noise() {
    let mut fixture = Fixture::start(&[]).await;
    let valid: [&[u8]; 3] = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        b"GET /metrics HTTP/1.1\r\nHost: test\r\nAuthorization: Basic bWU6eA==\r\n\r\n",
        b"POST /tenon.prover.v1.Prover/GetStatus HTTP/1.1\r\nContent-Length: 5\r\n\r\n\x00\x00\x00\x00\x00",
    ];
    for seed in 0..300 {
        let mut rng = StdRng::seed_from_u64(seed);
        let chosen = rng.gen_range(0..valid.len());
        let noise = mutate(&mut rng, valid[chosen]);
        for address in [fixture.service.grpc_addr, fixture.service.http_addr] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // The listener may have closed already.
            let _ = timeout(Duration::from_secs(1), stream.write_all(&noise)).await;
        }
    }
    sleep(Duration::from_millis(100)).await;
    assert_eq!(fixture.status().await.last_batch, 0);
    assert_eq!(fixture.http("/healthz").await.0, 200);
    fixture.service.shutdown().await;
}
