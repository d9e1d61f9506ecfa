//! The model stores as a proxy sees them: the store traits of the pipeline, over the wires of the simulation.

mod bulk;
mod cache;
mod exchange;
mod meta;
mod patrol;
mod record;
mod stock;
mod writer;

pub use self::writer::ModelWriter;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use scrip_proxy::store::{Server, StoreError};
use scrip_shard_config::PrimaryId;
use tokio::time::timeout;

use super::process::Process;
use super::wire::{CallKind, Lost, call};
use super::world::{Backend, Sim, World};

/// Time limits of a proxy's calls: those that it has by default.
pub mod limits {
    use std::time::Duration;

    /// A deduction.
    pub const DEDUCT: Duration = Duration::from_millis(150);
    /// Any other call to a shard.
    pub const SHARD: Duration = Duration::from_millis(500);
    /// The template cache.
    pub const CACHE: Duration = Duration::from_millis(100);
    /// Connecting to a primary.
    pub const CONNECT: Duration = Duration::from_secs(2);
    /// A batch.
    pub const RECORD: Duration = Duration::from_secs(5);
    /// A read of a primary.
    pub const READ: Duration = Duration::from_secs(4);
    /// Ledgers and meta.
    pub const CONTROL: Duration = Duration::from_secs(5);
}

/// All stores, as one proxy reaches them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ModelStores {
    sim: Sim,
    process: Arc<Process>,
    terms: Arc<Mutex<BTreeMap<PrimaryId, Server>>>,
}

fn unreachable(what: &str) -> StoreError {
    StoreError::Unreachable(what.to_owned())
}

/// Of something that only reads.
fn of_read(lost: Lost) -> StoreError {
    match lost {
        Lost::NotSent => unreachable("no connection"),
        Lost::Never | Lost::Unknown => unreachable("no answer"),
    }
}

/// Of something that may have been carried out.
fn of_write(lost: Lost) -> StoreError {
    match lost {
        Lost::NotSent => unreachable("no connection"),
        Lost::Never | Lost::Unknown => StoreError::Unknown("no answer".to_owned()),
    }
}

impl ModelStores {
    /// The stores as this process reaches them.
    pub fn new(sim: Sim, process: Arc<Process>) -> Self {
        Self { sim, process, terms: Arc::default() }
    }

    /// A call that is carried out at one instant.
    async fn at_once<T: Send + 'static>(
        &self,
        what: (Backend, CallKind),
        limit: Duration,
        life: Option<u32>,
        serve: impl FnOnce(&mut World) -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let serve = |sim: Sim, _| async move { Some(serve(&mut sim.world())) };
        call(&self.sim, &self.process, what, limit, life, serve).await
    }

    fn known(&self, primary: PrimaryId, server: Option<Server>) -> Result<Server, StoreError> {
        let server = server.ok_or_else(|| StoreError::Refused(format!("primary {primary} is not registered")))?;
        self.terms.lock().insert(primary, server.clone());
        Ok(server)
    }

    async fn term(&self, primary: PrimaryId) -> Result<Option<Server>, StoreError> {
        let read = move |world: &mut World| world.meta.primaries.get(&primary).cloned();
        self.at_once((Backend::Meta, CallKind::MetaRead), limits::CONTROL, None, read).await.map_err(of_read)
    }

    /// Only for what a new connection says: raises the term if meta has another server.
    async fn asked(&self, primary: PrimaryId, identity: &str) -> Result<Server, StoreError> {
        let found = self.term(primary).await?;
        if found.as_ref().is_some_and(|server| server.identity == identity) {
            return self.known(primary, found);
        }
        let identity = identity.to_owned();
        let raise = move |world: &mut World| {
            let server = world.meta.raise_term(primary, &identity);
            world.note(format_args!("meta: primary {primary} is {server:?}"));
            server
        };
        let raised = self.at_once((Backend::Meta, CallKind::Term), limits::CONTROL, None, raise).await;
        self.known(primary, raised.map_err(of_write)?)
    }

    /// `None`: meta has another server behind the primary.
    async fn confirmed(&self, primary: PrimaryId, identity: &str) -> Result<Option<Server>, StoreError> {
        let found = self.term(primary).await?;
        match found {
            Some(server) if server.identity != identity => Ok(None),
            found => self.known(primary, found).map(Some),
        }
    }

    /// The server that a new connection leads to; while meta does not answer, what is remembered has to do.
    async fn server_of_new(&self, primary: PrimaryId, identity: &str) -> Result<Server, StoreError> {
        match timeout(limits::CONNECT, self.asked(primary, identity)).await {
            Err(_) | Ok(Err(StoreError::Unreachable(_) | StoreError::Unknown(_))) => {
                let known = self.terms.lock().get(&primary).filter(|server| server.identity == identity).cloned();
                match known {
                    Some(server) => Ok(server),
                    None => self.asked(primary, identity).await,
                }
            }
            Ok(answer) => answer,
        }
    }

    fn doubt(&self, primary: PrimaryId, server: &Server) {
        let mut terms = self.terms.lock();
        if terms.get(&primary) == Some(server) {
            terms.remove(&primary);
        }
    }
}
