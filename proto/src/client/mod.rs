//! A client that does what callers would otherwise do each for themselves: TLS and tokens, waiting where the service
//! asks for it, watching a job across broken connections, all pages of a list, errors with their reasons.

mod connect;
mod error;

use std::time::Duration;

use tonic::{Code, Status, Streaming, service::interceptor::InterceptedService, transport::Channel};

pub use connect::{Bearer, Connect};
pub use error::{Error, Refusal, Violation};

use crate::v1::{
    self, get_proof_request::Subject, prover_client::ProverClient, worker_service_client::WorkerServiceClient,
};

/// The generated client over an authenticated channel.
pub type RawClient = ProverClient<InterceptedService<Channel, Bearer>>;

/// The generated client of the worker service over an authenticated channel.
pub type RawWorkerClient = WorkerServiceClient<InterceptedService<Channel, Bearer>>;

/// Longest pause before another try where the service gives no hint.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Jobs on a page.
const PAGE: u32 = 500;

/// A connection to a service. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    raw: RawClient,
    tries: u32,
}

impl Client {
    /// Prepares a connection to a service such as `http://127.0.0.1:7440` or `https://prover.example:7440`.
    pub fn to(url: impl Into<String>) -> Connect {
        Connect::new(url.into())
    }

    /// A client over a connection that is there already.
    pub fn new(raw: RawClient) -> Self {
        Self { raw, tries: 10 }
    }

    /// Tries of a call that the service can't take at the moment; 10 unless set.
    #[must_use]
    pub fn tries(self, tries: u32) -> Self {
        Self { tries: tries.max(1), ..self }
    }

    /// The generated client, for whatever isn't here.
    pub fn raw(&mut self) -> &mut RawClient {
        &mut self.raw
    }

    /// Submits a batch. Safe to call again with the same idempotency key, and does so itself while the service has no
    /// room. The flag says whether the job was there already.
    ///
    /// # Errors
    /// With everything that is wrong with the batch, or why the service can't be reached.
    pub async fn submit(&mut self, batch: v1::SubmitBatchRequest) -> Result<(v1::Job, bool), Error> {
        let mut tries = Tries::new(self.tries);
        loop {
            match self.raw.submit_batch(batch.clone()).await {
                Ok(reply) => {
                    let reply = reply.into_inner();
                    return Ok((reply.job.ok_or(Error::Missing("job"))?, reply.existing));
                }
                Err(status) => tries.wait(status).await?,
            }
        }
    }

    /// A job, with the receipt of its proofs once it is ready.
    ///
    /// # Errors
    /// When there is no such job or the service can't be reached.
    pub async fn job(&mut self, id: &str) -> Result<(v1::Job, Option<v1::Receipt>), Error> {
        let request = v1::GetJobRequest { job_id: id.to_owned() };
        let reply = self.raw.get_job(request).await?.into_inner();
        Ok((reply.job.ok_or(Error::Missing("job"))?, reply.receipt))
    }

    /// All jobs in these states (in any where empty), newest first, `limit` at most.
    ///
    /// # Errors
    /// When the service can't be reached.
    pub async fn jobs(&mut self, states: &[v1::JobState], limit: usize) -> Result<Vec<v1::Job>, Error> {
        let states: Vec<i32> = states.iter().map(|state| (*state).into()).collect();
        let mut jobs: Vec<v1::Job> = Vec::new();
        let mut page_token = String::new();
        while jobs.len() < limit {
            let page_size = u32::try_from(limit - jobs.len()).unwrap_or(PAGE).min(PAGE);
            let request = v1::ListJobsRequest { page_size, page_token, states: states.clone() };
            let page = self.raw.list_jobs(request).await?.into_inner();
            jobs.extend(page.jobs);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        jobs.truncate(limit);
        Ok(jobs)
    }

    /// The events of a job after the one with this sequence number; 0 for all.
    pub fn watch(&self, job_id: &str, after_sequence: u64) -> Watch {
        Watch {
            client: self.raw.clone(),
            job_id: job_id.to_owned(),
            after_sequence,
            stream: None,
            tries: Tries::new(self.tries),
            allowed: self.tries,
        }
    }

    /// Waits until a job rests: READY (SETTLED where the service settles), FAILED or CANCELLED.
    ///
    /// # Errors
    /// When there is no such job or the service can't be reached.
    pub async fn finished(&mut self, job_id: &str) -> Result<v1::Job, Error> {
        let mut watch = self.watch(job_id, 0);
        while watch.next().await?.is_some() {}
        Ok(self.job(job_id).await?.0)
    }

    /// The aggregate proof that covers a job's batch.
    ///
    /// # Errors
    /// When there is none yet or the service can't be reached.
    pub async fn proof(&mut self, job_id: &str) -> Result<v1::GetProofResponse, Error> {
        let subject = Some(Subject::JobId(job_id.to_owned()));
        let request = v1::GetProofRequest { subject, with_leaf_proofs: false };
        Ok(self.raw.get_proof(request).await?.into_inner())
    }

    /// Takes a batch back out of the log, with its successors where asked to.
    ///
    /// # Errors
    /// When it can't be cancelled or the service can't be reached.
    pub async fn cancel(&mut self, job_id: &str, cascade: bool) -> Result<Vec<v1::Job>, Error> {
        let request = v1::CancelJobRequest { job_id: job_id.to_owned(), cascade };
        Ok(self.raw.cancel_job(request).await?.into_inner().cancelled)
    }

    /// An account with its Merkle path, after the last batch.
    ///
    /// # Errors
    /// When there is no such account or the service can't be reached.
    pub async fn account(&mut self, index: u32) -> Result<v1::GetAccountResponse, Error> {
        Ok(self.raw.get_account(v1::GetAccountRequest { index }).await?.into_inner())
    }

    /// The service's position and load.
    ///
    /// # Errors
    /// When the service can't be reached.
    pub async fn status(&mut self) -> Result<v1::GetStatusResponse, Error> {
        Ok(self.raw.get_status(v1::GetStatusRequest {}).await?.into_inner())
    }
}

/// A job's events as they happen. A broken connection is made again, and no event is lost or given twice.
#[derive(Debug)]
pub struct Watch {
    client: RawClient,
    job_id: String,
    after_sequence: u64,
    stream: Option<Streaming<v1::JobEvent>>,
    tries: Tries,
    allowed: u32,
}

impl Watch {
    /// The next event; `None` after the one that ends the job.
    ///
    /// # Errors
    /// When there is no such job or the service can't be reached again.
    pub async fn next(&mut self) -> Result<Option<v1::JobEvent>, Error> {
        loop {
            let taken = match &mut self.stream {
                Some(stream) => stream.message().await,
                None => {
                    let request = v1::WatchJobRequest {
                        job_id: self.job_id.clone(),
                        after_sequence: self.after_sequence,
                    };
                    match self.client.watch_job(request).await {
                        Ok(stream) => {
                            self.stream = Some(stream.into_inner());
                            continue;
                        }
                        Err(status) => Err(status),
                    }
                }
            };
            match taken {
                Ok(Some(event)) => {
                    self.after_sequence = event.sequence;
                    self.tries = Tries::new(self.allowed);
                    return Ok(Some(event));
                }
                Ok(None) => return Ok(None),
                Err(status) => {
                    self.stream = None;
                    self.tries.wait(status).await?;
                }
            }
        }
    }

    /// Sequence number of the last event given.
    pub fn last_sequence(&self) -> u64 {
        self.after_sequence
    }
}

/// Counts tries, and waits between them as the service asks.
#[derive(Debug)]
struct Tries {
    left: u32,
    pause: Duration,
}

impl Tries {
    fn new(tries: u32) -> Self {
        Self { left: tries.saturating_sub(1), pause: Duration::from_millis(100) }
    }

    /// Waits before another try, or gives the error where another makes no sense.
    async fn wait(&mut self, status: Status) -> Result<(), Error> {
        let passes = matches!(status.code(), Code::Unavailable | Code::ResourceExhausted);
        let refusal = Refusal::new(&status);
        if !passes || self.left == 0 {
            return Err(Error::Refused(Box::new(refusal)));
        }
        self.left -= 1;
        tokio::time::sleep(refusal.retry_after.unwrap_or(self.pause)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
