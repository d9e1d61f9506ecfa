//! The servers behind the primaries: what each says of itself, and the term that meta gives it.

use std::collections::HashMap;

use parking_lot::Mutex;
use scrip_shard_config::PrimaryId;

use super::failure::Failed;
use super::meta::transaction::Transaction;
use super::pool::Pool;
use super::sql;
use crate::store::{Server, StoreError};

/// What meta said last of each primary. Only ever a shortcut: the fence decides on the primary itself, and whoever is
/// fenced asks meta anew.
#[derive(Debug, Default)]
pub(super) struct Terms {
    known: Mutex<HashMap<PrimaryId, Server>>,
}

impl Terms {
    /// The server with this identity, from memory if it is there.
    pub(super) async fn remembered(
        &self,
        meta: &Pool,
        primary: PrimaryId,
        identity: &str,
    ) -> Result<Server, StoreError> {
        let known = self.known.lock().get(&primary).filter(|server| server.identity == identity).cloned();
        match known {
            Some(server) => Ok(server),
            None => self.asked(meta, primary, identity).await,
        }
    }

    /// The server with this identity, as meta has it now; meta raises the term if it had another one. Only for what a
    /// new connection says. Cancelled, the
    /// term is raised or not, and the next call finds out.
    pub(super) async fn asked(&self, meta: &Pool, primary: PrimaryId, identity: &str) -> Result<Server, StoreError> {
        let term = match term(meta, primary).await? {
            Some((known, term)) if known == identity => term,
            Some(_) => raise(meta, primary, identity).await?,
            None => return Err(unregistered(primary)),
        };
        let server = Server { identity: identity.to_owned(), term };
        self.known.lock().insert(primary, server.clone());
        Ok(server)
    }

    /// The server with this identity, as meta has it now; `None`: meta has another one. Raises nothing: a connection
    /// that is not new may lead to a server that was replaced.
    pub(super) async fn confirmed(
        &self,
        meta: &Pool,
        primary: PrimaryId,
        identity: &str,
    ) -> Result<Option<Server>, StoreError> {
        let Some((known, term)) = term(meta, primary).await? else { return Err(unregistered(primary)) };
        if known != identity {
            return Ok(None);
        }
        let server = Server { identity: known, term };
        self.known.lock().insert(primary, server.clone());
        Ok(Some(server))
    }

    /// Like [`Terms::asked`], for `migrate`: a primary that meta does not know is registered.
    pub(super) async fn registered(
        &self,
        meta: &Pool,
        primary: PrimaryId,
        identity: &str,
    ) -> Result<Server, StoreError> {
        let mut transaction = Transaction::begin(meta).await?;
        let inserted = transaction.insert_new(sql::TERM_INSERT, (primary.0, identity)).await;
        transaction.end(inserted).await?;
        self.asked(meta, primary, identity).await
    }

    /// Forgets a server that a fence did not accept.
    pub(super) fn doubt(&self, primary: PrimaryId, server: &Server) {
        let mut known = self.known.lock();
        if known.get(&primary) == Some(server) {
            known.remove(&primary);
        }
    }
}

fn unregistered(primary: PrimaryId) -> StoreError {
    StoreError::Refused(format!("primary {primary} is not registered in meta; run `scrip-proxy migrate`"))
}

async fn term(meta: &Pool, primary: PrimaryId) -> Result<Option<(String, u32)>, StoreError> {
    let target = meta.target();
    let mut lease = meta.lease().await?;
    let rows = lease.session.rows(sql::TERM, (primary.0,), target.limits().control).await;
    let rows: Vec<(String, u32)> = rows.map_err(|failed: Failed| failed.not_applied(&target.whom()))?;
    lease.keep();
    Ok(rows.into_iter().next())
}

/// One transaction with the row locked, so that two proxies that meet the new server raise the term once.
async fn raise(meta: &Pool, primary: PrimaryId, identity: &str) -> Result<u32, StoreError> {
    let mut transaction = Transaction::begin(meta).await?;
    let term = raise_in(&mut transaction, primary, identity).await;
    transaction.end(term).await
}

async fn raise_in(transaction: &mut Transaction, primary: PrimaryId, identity: &str) -> Result<u32, StoreError> {
    let rows: Vec<(String, u32)> = transaction.rows(sql::TERM_LOCKED, (primary.0,)).await?;
    let (known, term) = rows.into_iter().next().ok_or_else(|| unregistered(primary))?;
    if known == identity {
        return Ok(term);
    }
    transaction.run(sql::TERM_RAISE, (identity, primary.0)).await?;
    tracing::warn!(%primary, was = known, is = identity, term = term + 1, "another server is behind the primary");
    Ok(term + 1)
}
