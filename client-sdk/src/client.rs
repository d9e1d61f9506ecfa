//! The client: what a service holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::TryRng;
use rand::rngs::SysRng;
use scrip_protocol::v1::Code;
use scrip_protocol::v1::request::Operation as Wire;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::{Call, Operation};
use crate::config::ClientConfig;
use crate::coupon::Claim;
use crate::delivery::Sink;
use crate::error::{ConnectError, ProxyFailure};
use crate::failure::Failure;
use crate::link::{Status, session};
use crate::reply::Outcome;
use crate::shared::{Shared, sweep};
use crate::writes::Reads;

mod bulk;
mod coupons;
mod exchange;
mod health;
mod orders;
mod packs;
mod quotes;
mod templates;

pub use bulk::{Bulk, BulkResults};
pub use coupons::CouponPages;
pub use exchange::{Codes, ExportedCodes};
pub use health::{ConnectionHealth, ConnectionState};

/// No deadline is longer.
const DEADLINE_MAX: Duration = Duration::from_secs(60);

/// A client of all proxies of one deployment. Cloning is cheap, and clones share connections. When the last clone is dropped the
/// connections are closed and its tasks end.
///
/// Dropping the future of an operation does not take a request back: what was written may still take effect. Ask for it with its
/// request id.
#[derive(Debug, Clone)]
pub struct Client {
    handle: Arc<Handle>,
    deadline: Option<Duration>,
    max_staleness: Option<Duration>,
}

/// Ends the tasks with the last clone.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
        self.stop.cancel();
    }
}

impl Client {
    /// Connects to the proxies and returns as soon as one of them serves; the others follow in the background.
    ///
    /// Cancelling closes what was connected.
    ///
    /// # Errors
    /// [`ConnectError::Config`] lists everything that is wrong with the configuration; [`ConnectError::Refused`] comes as soon as
    /// every proxy has refused this client; [`ConnectError::Unreachable`] when `connect_deadline` is over.
    pub async fn connect(config: ClientConfig) -> Result<Self, ConnectError> {
        config.check()?;
        let runtime = runtime::Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
        let limit = config.connect_deadline;
        let client = Self::start(config, &runtime);
        match timeout(limit, client.first_connection()).await {
            Ok(Ok(())) => Ok(client),
            Ok(Err(refusals)) => Err(ConnectError::Refused(refusals)),
            Err(_) => Err(ConnectError::Unreachable(client.failures(limit))),
        }
    }

    fn start(config: ClientConfig, runtime: &runtime::Handle) -> Self {
        let seed = SysRng.try_next_u64().unwrap_or_default();
        let shared = Arc::new(Shared::new(config, seed, Instant::now()));
        let handle = Handle { shared, stop: CancellationToken::new(), tasks: TaskTracker::new() };
        for index in 0..handle.shared.links().len() {
            handle.tasks.spawn_on(keep_connected(Arc::clone(&handle.shared), index, handle.stop.clone()), runtime);
        }
        let (shared, stop) = (Arc::clone(&handle.shared), handle.stop.clone());
        handle.tasks.spawn_on(async move { stop.run_until_cancelled(sweep::run(&shared)).await }, runtime);
        handle.tasks.close();
        Self { handle: Arc::new(handle), deadline: None, max_staleness: None }
    }

    /// The same client with another deadline over all attempts, for every operation.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// The same client, whose reads of coupons and templates (listings, counts, [`get_coupon`](Self::get_coupon),
    /// [`find_coupon`](Self::find_coupon), [`get_template`](Self::get_template)) replicas may serve that are so stale: what was
    /// acknowledged longer ago is there. At most ten minutes; zero: the primary, as without it.
    ///
    /// What this client and its clones have written is always there: after a write of a user, reads of that user ask for what is
    /// fresher than the write. What other clients have written may be missing for as long as `max_staleness`.
    #[must_use]
    pub fn with_max_staleness(&self, max_staleness: Duration) -> Self {
        Self { max_staleness: Some(max_staleness), ..self.clone() }
    }

    /// The staleness that a read may ask for, in milliseconds.
    fn staleness_ms(&self, reads: Reads) -> u32 {
        self.max_staleness.map_or(0, |max| self.shared().writes.bound_ms(reads, max, Instant::now()))
    }

    /// Closes all connections, also for every clone, and waits until all tasks have ended. What is in flight ends as unknown.
    pub async fn close(self) {
        self.handle.shared.close();
        self.handle.stop.cancel();
        self.handle.tasks.wait().await;
    }

    async fn first_connection(&self) -> Result<(), Vec<ProxyFailure>> {
        let shared = self.shared();
        let mut changes = shared.changes();
        loop {
            if shared.links().iter().any(|link| link.is_ready()) {
                return Ok(());
            }
            if let Some(refusals) = shared.refusals() {
                return Err(refusals);
            }
            // The sender lives as long as `shared`.
            drop(changes.changed().await);
        }
    }

    fn failures(&self, limit: Duration) -> Vec<ProxyFailure> {
        let per_proxy = self.shared().links().iter().take(self.shared().config.proxies.len());
        let failure = |link: &crate::link::Link| match link.status() {
            Status::Down(failure) | Status::Refused(failure) => failure,
            Status::Connecting | Status::Ready | Status::Draining { .. } => {
                let detail = format!("no answer within {limit:?}");
                ProxyFailure { proxy: link.address.clone(), code: None, detail }
            }
        };
        per_proxy.map(failure).collect()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    pub(crate) fn deadline_of(&self, claim: &Claim) -> Duration {
        claim.deadline.unwrap_or_else(|| self.deadline()).min(DEADLINE_MAX)
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline.unwrap_or(self.shared().config.deadline).min(DEADLINE_MAX)
    }

    async fn ask(&self, operation: Wire) -> Outcome {
        self.outcome(Operation::Other(Box::new(operation)), self.deadline()).await
    }

    async fn ask_admin(&self, operation: Wire) -> Outcome {
        let deadline = self.deadline.unwrap_or(self.shared().config.admin_deadline);
        self.outcome(Operation::Other(Box::new(operation)), deadline).await
    }

    /// Cancelling abandons the call: it is not sent if it still waits, and not sent again, but what was written may take effect.
    async fn outcome(&self, operation: Operation, deadline: Duration) -> Outcome {
        let now = Instant::now();
        let (sender, receiver) = oneshot::channel();
        self.shared().send(Call::new(operation, now + deadline.min(DEADLINE_MAX), Sink::One(sender)), now);
        let gone = |_| Err(Failure::local(Code::OutcomeUnknown, "the runtime that drives this client has ended"));
        receiver.await.unwrap_or_else(gone)
    }
}

async fn keep_connected(shared: Arc<Shared>, index: usize, stop: CancellationToken) {
    let Some(link) = shared.links().get(index) else { return };
    // Wherever the session is stopped, its connection is closed and its calls are still in the lane.
    stop.run_until_cancelled(session::run(&shared, link)).await;
    let detail = "this client is closed".to_owned();
    shared.close_link(link, Status::Down(ProxyFailure { proxy: link.address.clone(), code: None, detail }));
}
