//! A few connections to one primary, for everything but the record lanes.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::dial::Target;
use super::schema::Part;
use super::session::Session;
use crate::store::StoreError;

/// Nothing here is so urgent that a connection is used without asking whether it lives, but for uses in a row.
const SILENCE_MAX: Duration = Duration::from_millis(2);

/// The connections to one primary. A primary that hangs holds up those who ask for it, and nobody else.
#[derive(Debug)]
pub(super) struct Pool {
    target: Target,
    part: Part,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Session>>>,
}

/// A connection on loan. It goes back with [`Lease::keep`]; dropped, it is closed, because it may be in the middle of
/// an answer or of a transaction.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) session: Session,
    idle: Arc<Mutex<Vec<Session>>>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(target: Target, part: Part) -> Pool {
        let permits = Arc::new(Semaphore::new(target.limits().connections));
        Pool { target, part, permits, idle: Arc::default() }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// A connection that was alive a moment ago. Cancelled, it leaves nothing behind.
    pub(super) async fn lease(&self) -> Result<Lease, StoreError> {
        let limit = self.target.limits().connect;
        let Ok(Ok(permit)) = timeout(limit, Arc::clone(&self.permits).acquire_owned()).await else {
            let count = self.target.limits().connections;
            let text = format!("{}: all {count} connections are busy", self.target.whom());
            return Err(StoreError::Unreachable(text));
        };
        let session = match self.living().await {
            Some(session) => session,
            None => self.target.dial(self.part).await?,
        };
        Ok(Lease { session, idle: Arc::clone(&self.idle), _permit: permit })
    }

    /// Closes the connections that nobody uses: they may lead to a server that was replaced.
    pub(super) fn forget_idle(&self) {
        self.idle.lock().clear();
    }

    async fn living(&self) -> Option<Session> {
        loop {
            // Taken out in a statement of its own: the lock must not be held while the server is asked.
            let session = self.idle.lock().pop()?;
            if let Some(session) = session.alive(SILENCE_MAX, self.target.limits().connect).await {
                return Some(session);
            }
        }
    }
}

impl Lease {
    /// Gives the connection back. Only when nothing of it is under way.
    pub(super) fn keep(self) {
        self.idle.lock().push(self.session);
    }

    /// Gives the connection back after an error that the server answered with, once the transaction is undone.
    pub(super) async fn roll_back(self, limit: Duration) {
        if let Some(session) = self.session.rolled_back(limit).await {
            self.idle.lock().push(session);
        }
    }
}
