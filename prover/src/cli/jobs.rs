//! Commands about jobs: `submit`, `status`, `watch`, `cancel`, `proof`.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde_json::{Value, json};
use tenon_circuits::{aggregation::AggregateProof, rollup::json::BatchDocument};
use tenon_proto::v1::{self, JobState};
use tenon_prover::convert;
use tonic::Code;

use super::{
    client::{self, Client, Refusal, Server, refused},
    failure::{Blame, Failure, Outcome},
    output,
    progress::{Progress, Work},
};

/// Tries to take up a broken stream of events before giving up.
const WATCH_TRIES: u32 = 10;

/// Submits a batch: `{domain, timestamp?, fee_accounts, l1_operations?, transactions: [...]}` in JSON, signed.
#[derive(Debug, Args)]
pub struct Submit {
    /// The batch's file, or - for standard input.
    file: PathBuf,
    /// Your name for this batch: submitting it again under the same name gives the same job. By default a digest of
    /// the batch.
    #[arg(long, value_name = "NAME")]
    idempotency_key: Option<String>,
    /// How far its proofs are ahead of other batches', 0 to 100; each step is worth a minute of waiting.
    #[arg(long, value_name = "STEPS", default_value_t = 0)]
    priority: u32,
    /// Follows the job until it ends.
    #[arg(long)]
    watch: bool,
    /// Prints one JSON object: the job as it was accepted.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Submit {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let text = read(&self.file)?;
        let document =
            BatchDocument::from_json(&text).or_request(format!("batch {}", self.file.display()))?;
        let key = self.idempotency_key.unwrap_or_else(|| digest_of(&document));
        let mut client = self.server.connect().await?;
        let reply = match client.submit_batch(client::submission(&document, key, self.priority)).await {
            Ok(reply) => reply.into_inner(),
            Err(status) => {
                let refusal = Refusal::new(&status);
                if self.json {
                    output::json(&json!({ "refused": refusal }))?;
                }
                return Err(refusal.into_failure());
            }
        };
        let job = reply.job.ok_or_else(|| client::malformed("job", "it is missing"))?;
        if self.json {
            let mut value = job_json(&job);
            if let Some(object) = value.as_object_mut() {
                object.insert("existing".to_owned(), reply.existing.into());
            }
            output::json(&value)?;
        } else {
            output::line(format!("job        {}", job.id))?;
            output::line(format!("batch      {}", job.batch_number))?;
            output::line(format!("new state  {}", output::hex(&job.state_out)))?;
            if reply.existing {
                output::line("submitted before under this idempotency key; nothing changed")?;
            }
        }
        if self.watch { follow(client, &job.id, 0, self.json, |_| Ok(())).await } else { Ok(()) }
    }
}

/// Lists the jobs, newest first, or shows one.
#[derive(Debug, Args)]
pub struct Status {
    /// The job's id; all jobs without it.
    job: Option<String>,
    /// Prints JSON: an object for one job, else an object with the service's status and a list of jobs.
    #[arg(long)]
    json: bool,
    /// Jobs listed at most.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    server: Server,
}

impl Status {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let mut client = self.server.connect().await?;
        if let Some(job_id) = self.job {
            let reply = client.get_job(v1::GetJobRequest { job_id }).await.map_err(refused)?.into_inner();
            let job = reply.job.ok_or_else(|| client::malformed("job", "it is missing"))?;
            if self.json {
                let mut value = job_json(&job);
                if let (Some(object), Some(receipt)) = (value.as_object_mut(), &reply.receipt) {
                    object.insert("receipt".to_owned(), receipt_json(receipt));
                }
                return output::json(&value);
            }
            return show_job(&job, reply.receipt.as_ref());
        }
        let status = client.get_status(v1::GetStatusRequest {}).await.map_err(refused)?.into_inner();
        let jobs = list(&mut client, self.limit).await?;
        if self.json {
            let jobs: Vec<_> = jobs.iter().map(job_json).collect();
            return output::json(&json!({ "service": status_json(&status), "jobs": jobs }));
        }
        output::line(format!(
            "batch {}, state {}, {} queued, {} tasks running, {} waiting",
            status.last_batch,
            output::hex(&status.state),
            status.queued_batches,
            status.running_tasks,
            status.pending_tasks
        ))?;
        let rows: Vec<_> = jobs
            .iter()
            .map(|job| {
                [
                    job.id.clone(),
                    job.batch_number.to_string(),
                    job.transactions.to_string(),
                    state_name(job.state),
                    format!("{}%", job.progress.unwrap_or_default().percent),
                    job.error.as_ref().map(|error| error.reason.clone()).unwrap_or_default(),
                ]
            })
            .collect();
        output::line(output::table(["JOB", "BATCH", "TXS", "STATE", "DONE", "ERROR"], &rows).trim_end())
    }
}

async fn list(client: &mut Client, limit: usize) -> Outcome<Vec<v1::Job>> {
    let mut jobs: Vec<v1::Job> = Vec::new();
    let mut page_token = String::new();
    while jobs.len() < limit {
        let page_size = u32::try_from((limit - jobs.len()).min(500)).unwrap_or(500);
        let request = v1::ListJobsRequest { page_size, page_token, states: Vec::new() };
        let page = client.list_jobs(request).await.map_err(refused)?.into_inner();
        jobs.extend(page.jobs);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    jobs.truncate(limit);
    Ok(jobs)
}

/// Follows a job until it is ready, settled, failed or cancelled.
#[derive(Debug, Args)]
pub struct Watch {
    /// The job's id.
    job: String,
    /// Prints each event as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Leaves out the events up to this sequence number.
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    after: u64,
    #[command(flatten)]
    server: Server,
}

impl Watch {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let client = self.server.connect().await?;
        follow(client, &self.job, self.after, self.json, |event| {
            if !self.json {
                return Ok(());
            }
            let text = serde_json::to_string(&event_json(event)).map_err(Failure::work)?;
            output::line(text)
        })
        .await
    }
}

/// Shows a job's events to its last one; fails when the job did.
async fn follow(
    client: Client,
    job_id: &str,
    after: u64,
    quiet: bool,
    mut each: impl FnMut(&v1::JobEvent) -> Outcome,
) -> Outcome {
    let progress = Progress::new(quiet);
    let work = progress.percentage(&format!("job {job_id}"));
    let last = watch(client, job_id, after, |event| {
        show(&work, event);
        each(event)
    })
    .await?;
    work.done(&state_name(last.state));
    match last.error {
        None => Ok(()),
        Some(error) => Err(Failure::work_text(format!(
            "job {job_id} is {}: {} ({})",
            state_name(last.state),
            error.message,
            error.reason
        ))),
    }
}

/// Follows a job to its last event, which is returned; takes up a broken stream where it was.
pub async fn watch(
    mut client: Client,
    job_id: &str,
    mut after_sequence: u64,
    mut each: impl FnMut(&v1::JobEvent) -> Outcome,
) -> Outcome<v1::JobEvent> {
    let mut last = None;
    let mut tries = 0;
    loop {
        let request = v1::WatchJobRequest { job_id: job_id.to_owned(), after_sequence };
        let broken = match client.watch_job(request).await {
            Err(status) => status,
            Ok(stream) => {
                let mut stream = stream.into_inner();
                loop {
                    match stream.message().await {
                        Ok(Some(event)) => {
                            tries = 0;
                            after_sequence = event.sequence;
                            each(&event)?;
                            last = Some(event);
                        }
                        Ok(None) => {
                            return last.ok_or_else(|| client::malformed("events", "there are none"));
                        }
                        Err(status) => break status,
                    }
                }
            }
        };
        tries += 1;
        if broken.code() != Code::Unavailable || tries > WATCH_TRIES {
            return Err(refused(broken));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Shows an event.
pub fn show(work: &Work, event: &v1::JobEvent) {
    let progress = event.progress.unwrap_or_default();
    let mut text = state_name(event.state);
    if progress.leaves > 0 && event.state == i32::from(JobState::Proving) {
        text.push_str(&format!(", {} of {} leaf proofs", progress.leaves_done, progress.leaves));
    }
    if let Some(left) = progress.seconds_left {
        text.push_str(&format!(", about {} left", output::seconds(f64::from(left))));
    }
    work.update(Some(progress.percent), &text);
}

/// Takes a batch that isn't ready yet back out of the log.
#[derive(Debug, Args)]
pub struct Cancel {
    /// The job's id.
    job: String,
    /// Takes the batches after it back too: each starts from the state that the one before leaves.
    #[arg(long)]
    cascade: bool,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Cancel {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let mut client = self.server.connect().await?;
        let request = v1::CancelJobRequest { job_id: self.job, cascade: self.cascade };
        let reply = client.cancel_job(request).await.map_err(refused)?.into_inner();
        if self.json {
            let jobs: Vec<_> = reply.cancelled.iter().map(job_json).collect();
            return output::json(&json!({ "cancelled": jobs }));
        }
        for job in &reply.cancelled {
            output::line(format!("cancelled job {} (batch {})", job.id, job.batch_number))?;
        }
        Ok(())
    }
}

/// Fetches the aggregate proof that covers a job's batch, as `tenon verify` and the contract take it.
#[derive(Debug, Args)]
pub struct Proof {
    /// The job's id.
    job: String,
    /// Writes the proof to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Writes the leaf proofs into this directory too, as leaf-1.json and so on.
    #[arg(long, value_name = "DIR")]
    leaves: Option<PathBuf>,
    /// Prints what was written as one JSON object. Without --out the proof itself is JSON already.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Proof {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let mut client = self.server.connect().await?;
        let (proof, reply) = fetch_proof(&mut client, &self.job, self.leaves.is_some()).await?;
        if let Some(directory) = &self.leaves {
            fs::create_dir_all(directory).or_work(directory.display())?;
            for (number, leaf) in (1..).zip(&reply.leaf_proofs) {
                let text = serde_json::to_string_pretty(&client::leaf_proof(leaf)?).map_err(Failure::work)?;
                write(&directory.join(format!("leaf-{number}.json")), &text)?;
            }
        }
        let text = serde_json::to_string_pretty(&proof).map_err(Failure::work)?;
        let Some(path) = &self.out else { return output::line(text) };
        write(path, &text)?;
        if self.json {
            return output::json(&json!({
                "file": path,
                "proof_bytes": proof.proof.len(),
                "batches": proof.batches.len(),
                "key_digest": output::hex(&reply.key_digest),
            }));
        }
        output::line(format!(
            "{}: {} bytes of proof for {} batch(es)",
            path.display(),
            proof.proof.len(),
            proof.batches.len()
        ))
    }
}

/// The aggregate proof of a job.
pub async fn fetch_proof(
    client: &mut Client,
    job_id: &str,
    with_leaf_proofs: bool,
) -> Outcome<(AggregateProof, v1::GetProofResponse)> {
    let subject = Some(v1::get_proof_request::Subject::JobId(job_id.to_owned()));
    let request = v1::GetProofRequest { subject, with_leaf_proofs };
    let reply = client.get_proof(request).await.map_err(refused)?.into_inner();
    let message = reply.proof.as_ref().ok_or_else(|| client::malformed("proof", "it is missing"))?;
    let proof = convert::aggregate_proof_from(message)
        .map_err(|violations| client::malformed("proof", &format!("{violations:?}")))?;
    Ok((proof, reply))
}

/// A file's text, or that of standard input for `-`.
pub fn read(path: &Path) -> Outcome<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).or_request("standard input")?;
        return Ok(text);
    }
    fs::read_to_string(path).or_request(path.display())
}

/// Writes a file.
pub fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).or_work(path.display())
}

fn digest_of(document: &BatchDocument) -> String {
    use sha2::{Digest, Sha256};
    format!("sha256-{}", hex::encode(Sha256::digest(document.to_json())))
}

/// A state's name in lower case.
pub fn state_name(state: i32) -> String {
    let name = JobState::try_from(state).unwrap_or_default().as_str_name();
    name.strip_prefix("JOB_STATE_").unwrap_or(name).to_lowercase()
}

fn show_job(job: &v1::Job, receipt: Option<&v1::Receipt>) -> Outcome {
    let progress = job.progress.unwrap_or_default();
    let lines = [
        ("job", job.id.clone()),
        ("key", job.idempotency_key.clone()),
        ("state", format!("{}, {}%", state_name(job.state), progress.percent)),
        ("batch", job.batch_number.to_string()),
        ("timestamp", job.timestamp.to_string()),
        ("transactions", format!("{} in {} chunk(s)", job.transactions, job.chunks)),
        ("L1 operations", job.l1_operations.to_string()),
        ("state in", output::hex(&job.state_in)),
        ("state out", output::hex(&job.state_out)),
        ("commit", output::hex(&job.commit)),
    ];
    for (name, value) in lines {
        output::line(format!("{name:13} {value}"))?;
    }
    if let Some(error) = &job.error {
        output::line(format!("{:13} {}: {}", "error", error.reason, error.message))?;
    }
    for stage in receipt.map(|receipt| receipt.stages.as_slice()).unwrap_or_default() {
        let chunk = stage.chunk.map(|chunk| format!(" {}", chunk + 1)).unwrap_or_default();
        output::line(format!(
            "{:13} {}, peak {}, {} attempt(s){}",
            format!("{}{chunk}", stage.stage),
            output::seconds(stage.seconds),
            output::bytes(stage.peak_memory_bytes),
            stage.attempts,
            if stage.reused { ", reused" } else { "" }
        ))?;
    }
    Ok(())
}

fn progress_json(progress: Option<v1::Progress>) -> Value {
    let progress = progress.unwrap_or_default();
    json!({
        "percent": progress.percent,
        "leaves_done": progress.leaves_done,
        "leaves": progress.leaves,
        "seconds_left": progress.seconds_left,
    })
}

fn error_json(error: Option<&v1::JobError>) -> Value {
    error.map_or(Value::Null, |error| json!({ "reason": error.reason, "message": error.message }))
}

/// A job for programs.
pub fn job_json(job: &v1::Job) -> Value {
    json!({
        "id": job.id,
        "idempotency_key": job.idempotency_key,
        "payload_digest": output::hex(&job.payload_digest),
        "state": state_name(job.state),
        "batch_number": job.batch_number,
        "timestamp": job.timestamp,
        "transactions": job.transactions,
        "l1_operations": job.l1_operations,
        "chunks": job.chunks,
        "priority": job.priority,
        "state_in": output::hex(&job.state_in),
        "state_out": output::hex(&job.state_out),
        "commit": output::hex(&job.commit),
        "progress": progress_json(job.progress),
        "error": error_json(job.error.as_ref()),
        "aggregation_id": job.aggregation_id,
        "created_at_ms": job.created_at_ms,
        "updated_at_ms": job.updated_at_ms,
    })
}

fn event_json(event: &v1::JobEvent) -> Value {
    json!({
        "sequence": event.sequence,
        "job_id": event.job_id,
        "time_ms": event.time_ms,
        "state": state_name(event.state),
        "progress": progress_json(event.progress),
        "message": event.message,
        "error": error_json(event.error.as_ref()),
    })
}

fn receipt_json(receipt: &v1::Receipt) -> Value {
    let stages = receipt.stages.iter().map(|stage| {
        json!({
            "stage": stage.stage,
            "chunk": stage.chunk,
            "circuit": stage.circuit,
            "key_digest": output::hex(&stage.key_digest),
            "srs_digest": output::hex(&stage.srs_digest),
            "input_digest": output::hex(&stage.input_digest),
            "proof_digest": output::hex(&stage.proof_digest),
            "seconds": stage.seconds,
            "peak_memory_bytes": stage.peak_memory_bytes,
            "attempts": stage.attempts,
            "reused": stage.reused,
            "hardware": stage.hardware,
        })
    });
    stages.collect()
}

fn status_json(status: &v1::GetStatusResponse) -> Value {
    json!({
        "version": status.version,
        "protocol_version": status.protocol_version,
        "chain_id": status.chain_id,
        "rollup_address": output::hex(&status.rollup_address),
        "domain": output::hex(&status.domain),
        "last_batch": status.last_batch,
        "state": output::hex(&status.state),
        "accounts": status.accounts,
        "queued_batches": status.queued_batches,
        "max_queued_batches": status.max_queued_batches,
        "pending_tasks": status.pending_tasks,
        "running_tasks": status.running_tasks,
        "workers": status.workers,
        "threads_per_worker": status.threads_per_worker,
        "oldest_batch_age_seconds": status.oldest_batch_age_seconds,
        "uptime_seconds": status.uptime_seconds,
        "peak_memory_bytes": status.peak_memory_bytes,
    })
}
