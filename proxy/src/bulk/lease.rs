//! The lease of a slice. It saves work and decides nothing: see the parent module.

use std::time::Duration;

use scrip_protocol::v1::BulkJobState;
use tokio::time::Instant;

use super::runner::Runner;
use crate::claim::Attempt;
use crate::flow::Purpose;
use crate::store::bulk::{BulkStore, Lease, SliceKey};

/// How long a lease lasts: at most so long nobody works on a slice whose holder died.
const LEASE: Duration = Duration::from_secs(8);
/// How often it is renewed, and the state of the job is looked at.
pub(super) const RENEW_EVERY: Duration = Duration::from_secs(1);
/// The time that a claim is given. With [`MARGIN`] well below [`LEASE`].
const PATIENCE: Duration = Duration::from_secs(3);
/// What lies between the last deadline of a claim and the end of the lease.
const MARGIN: Duration = Duration::from_secs(1);

/// A slice that this proxy holds, or held.
pub(super) struct Holding<'a, B> {
    runner: &'a Runner<B>,
    key: SliceKey,
    lease: Option<Lease>,
    /// When the lease ends, at the earliest.
    until: Instant,
    /// When it was last renewed, or tried to be.
    renewed: Instant,
}

impl<'a, B: BulkStore> Holding<'a, B> {
    pub(super) fn new(runner: &'a Runner<B>, key: SliceKey) -> Self {
        let now = Instant::now();
        Self { runner, key, lease: None, until: now, renewed: now }
    }

    /// The lease; `None`: there is none.
    pub(super) fn lease(&self) -> Option<Lease> {
        self.lease
    }

    /// Takes the lease or renews it. While meta does not answer the lease lasts as long as it was given.
    pub(super) async fn renew(&mut self) {
        self.renewed = Instant::now();
        match self.runner.store.lease(self.key, self.runner.owner, LEASE).await {
            Ok(lease) => {
                self.lease = lease;
                self.until = self.renewed + LEASE;
            }
            Err(error) => {
                tracing::debug!(%error, "the lease of a bulk job was not renewed");
                if Instant::now() >= self.until {
                    self.lease = None;
                }
            }
        }
    }

    pub(super) async fn renew_if_due(&mut self) {
        if self.renewed.elapsed() >= RENEW_EVERY {
            self.renew().await;
        }
    }

    /// What is to be done with pending entries; `None`: nothing, or not by us.
    pub(super) fn purpose(&self) -> Option<Purpose> {
        match self.lease?.job.state {
            // Not even the first send is said to be the first: a crash may lie behind it.
            BulkJobState::Running => Some(Purpose::Claim(Attempt::Unsure)),
            BulkJobState::Cancelling => Some(Purpose::Ask),
            BulkJobState::Unspecified
            | BulkJobState::Uploading
            | BulkJobState::Starting
            | BulkJobState::Paused
            | BulkJobState::Cancelled
            | BulkJobState::Finished => None,
        }
    }

    /// There is time for one more claim.
    pub(super) fn has_time(&self, now: Instant) -> bool {
        now + PATIENCE + MARGIN <= self.until
    }

    /// The deadline of a claim that is sent now: within the lease, also when this process was frozen since it looked.
    pub(super) fn deadline(&self) -> Instant {
        (Instant::now() + PATIENCE).min(self.until.checked_sub(MARGIN).unwrap_or(self.until))
    }

    /// Gives the lease back.
    pub(super) async fn release(self) {
        if self.lease.is_some()
            && let Err(error) = self.runner.store.release(self.key, self.runner.owner).await
        {
            tracing::debug!(%error, "a lease of a bulk job was not given back; it runs out");
        }
    }
}
