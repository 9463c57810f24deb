//! Streams of a job's events.

use std::pin::Pin;

use tenon_proto::v1;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Code, Status};

use super::{
    ProverService,
    errors::{from_store, refusal},
};
use crate::{convert, jobs::JobState, store::StoreError};

/// Events sent before the client takes them.
const BUFFER: usize = 16;

/// Events read at a time.
const PAGE: u32 = 100;

/// A stream of events.
pub(crate) type EventStream = Pin<Box<dyn Stream<Item = Result<v1::JobEvent, Status>> + Send>>;

impl ProverService {
    pub(super) async fn watch(
        &self,
        request: v1::WatchJobRequest,
        place: OwnedSemaphorePermit,
    ) -> Result<EventStream, Status> {
        let found = self.core.store.job(&request.job_id).await.map_err(from_store)?;
        if found.is_none() {
            return Err(from_store(StoreError::JobUnknown(request.job_id)));
        }
        let (sender, receiver) = mpsc::channel(BUFFER);
        let service = self.clone();
        tokio::spawn(async move {
            if let Err(status) = service.send_events(&request.job_id, request.after_sequence, &sender).await {
                let _ = sender.send(Err(status)).await;
            }
            drop(place);
        });
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }

    /// Sends events up to the one that ends the job, or until the client goes.
    async fn send_events(
        &self,
        job_id: &str,
        after: u64,
        sender: &mpsc::Sender<Result<v1::JobEvent, Status>>,
    ) -> Result<(), Status> {
        let core = &self.core;
        let mut changes = core.changes.subscribe();
        let mut stopping = core.stopping();
        let mut last = after;
        loop {
            // What changes from here on wakes the wait below.
            changes.borrow_and_update();
            let job = core.store.job(job_id).await.map_err(from_store)?;
            let mut job = job.ok_or_else(|| from_store(StoreError::JobUnknown(job_id.to_owned())))?;
            loop {
                let events = core.store.events(job_id, last, PAGE).await.map_err(from_store)?;
                let Some(newest) = events.last().map(|event| event.sequence) else { break };
                let pace = self.pace().await?;
                for event in &events {
                    last = event.sequence;
                    job.state = event.state;
                    let pace = (event.sequence == newest && newest >= job.last_sequence).then_some(pace);
                    if sender.send(Ok(convert::event(event, pace))).await.is_err() {
                        return Ok(());
                    }
                }
            }
            // A service that settles moves a proven batch on.
            let moves_on = job.state == JobState::Ready && core.l1.as_ref().is_some_and(|l1| l1.settles());
            if job.state.is_resting() && !moves_on && last >= job.last_sequence {
                return Ok(());
            }
            tokio::select! {
                () = stopping.wait() => {
                    return Err(refusal(Code::Unavailable, "STOPPING", "the service is stopping; watch again later"));
                }
                () = sender.closed() => return Ok(()),
                _ = changes.changed() => {}
            }
        }
    }
}
