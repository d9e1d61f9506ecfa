//! One record lane's own connection.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Row;
use scrip_protocol::{TemplateId, UserId};
use scrip_shard_config::PrimaryId;

use super::failure::Failed;
use super::schema::Part;
use super::session::Session;
use super::sql::keys;
use super::sql::record::{RECORD_ROWS_MAX, RecordPacket, record_commit};
use super::{Backend, Inner, ledger, read, sql, steps};
use crate::store::steps::{CouponKey, CouponLog, NewStep, Spend};
use crate::store::{CouponRow, NewCoupon, RecordError, RecordWriter, Server, StockKey, StoreError};

/// A lane that was silent for so long spends a round trip on asking whether its connection lives.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// A lane's connection to its primary. What is under way holds the connection; if its future is dropped, so is the
/// connection, and nothing is ever sent twice.
#[derive(Debug)]
pub struct MysqlWriter {
    inner: Arc<Inner>,
    primary: PrimaryId,
    lane: u16,
    session: Option<Session>,
    /// Connections made so far, the present one included.
    connections: u64,
    server: Option<Server>,
    doubted: bool,
    packet: RecordPacket,
}

impl MysqlWriter {
    pub(super) fn new(inner: Arc<Inner>, primary: PrimaryId, lane: u16) -> MysqlWriter {
        let packet = RecordPacket::new(inner.tells);
        MysqlWriter { inner, primary, lane, session: None, connections: 0, server: None, doubted: false, packet }
    }

    /// A connection that was alive a moment ago, taken out of its place. Cancelled, it is gone, and nothing was sent.
    async fn take(&mut self) -> Result<Session, StoreError> {
        let limit = self.inner.backend(self.primary)?.target.limits().connect;
        if let Some(session) = self.session.take()
            && let Some(session) = session.alive(SILENCE_MAX, limit).await
        {
            return Ok(session);
        }
        self.dial().await
    }

    async fn dial(&mut self) -> Result<Session, StoreError> {
        tracing::debug!(primary = %self.primary, lane = self.lane, "connecting");
        self.server = None;
        self.connections += 1;
        self.inner.backend(self.primary)?.target.dial(Part::Primary).await
    }

    /// The connection, and the server whose fence it records under. Cancelled, the connection is gone, and nothing was
    /// sent.
    async fn ready(&mut self) -> Result<(Session, Server), StoreError> {
        let mut session = self.take().await?;
        let server = match self.server.take() {
            Some(server) if self.doubted => match self.confirmed(server).await? {
                Some(server) => server,
                None => {
                    session = self.dial().await?;
                    self.inner.server(self.primary, &session.facts().identity).await?
                }
            },
            Some(server) => server,
            None => self.inner.server(self.primary, &session.facts().identity).await?,
        };
        self.doubted = false;
        self.server = Some(server.clone());
        Ok((session, server))
    }

    /// The server as meta has it now; `None`: it is another one, so that this connection may lead to a server that was
    /// replaced. While meta cannot be asked the old term stays: it is the fence that decides.
    async fn confirmed(&self, server: Server) -> Result<Option<Server>, StoreError> {
        match self.inner.terms.confirmed(&self.inner.meta, self.primary, &server.identity).await {
            Err(StoreError::Unreachable(why)) => {
                tracing::debug!(primary = %self.primary, why, "the term could not be confirmed");
                Ok(Some(server))
            }
            answer => answer,
        }
    }

    /// Puts the connection back unless something of it may still be under way.
    async fn put_back(&mut self, session: Session, failed: Option<&Failed>) {
        let Ok(backend) = self.inner.backend(self.primary) else { return };
        self.session = match failed {
            None => Some(session),
            // The server has answered, so it is not at work for us; what it began has to be undone.
            Some(failed) if failed.answered() => session.rolled_back(backend.target.limits().connect).await,
            Some(_) => None,
        };
    }

    /// Asks meta anew for the term before the next batch: a stale one heals itself.
    fn doubt(&mut self) {
        self.doubted = true;
        if let Some(server) = &self.server {
            self.inner.terms.doubt(self.primary, server);
        }
    }

    /// What a query finds for all of these keys, however many, on one connection.
    async fn find<K: Sync, T: Send>(
        &mut self,
        keys: &[K],
        lock: bool,
        text: fn(&[K], bool) -> Vec<u8>,
        off_the_wire: fn(Vec<Row>) -> Result<Vec<T>, Failed>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        let mut connection = None;
        for keys in keys.chunks(keys::KEYS_MAX) {
            let mut session = self.take().await?;
            if *connection.get_or_insert(self.connections) != self.connections {
                return Err(StoreError::Unreachable("the connection was lost during a look-up".to_owned()));
            }
            let Backend { target, .. } = self.inner.backend(self.primary)?;
            let (limit, whom) = (target.limits().read, target.whom());
            let answer = session.packet(&text(keys, lock), 1, limit).await;
            let rows = answer.and_then(|mut sets| off_the_wire(sets.pop().unwrap_or_default()));
            self.put_back(session, rows.as_ref().err()).await;
            found.extend(rows.map_err(|failed| failed.not_applied(&whom))?);
        }
        Ok(found)
    }

    async fn send(&mut self, batch: &[NewCoupon]) -> Result<(), RecordError> {
        let backend = self.inner.backend(self.primary).map_err(RecordError::from)?;
        let (version, limit, whom) = (backend.target.version(), backend.target.limits().record, backend.target.whom());
        let (mut session, server) = self.ready().await.map_err(RecordError::from)?;
        if batch.iter().any(|row| row.seq > 1 && row.seen_on != self.connections) {
            self.session = Some(session);
            return Err(RecordError::Conflict);
        }
        let text = self.packet.write(batch, &server.fence(), version);
        let commit = record_commit(self.inner.tells);
        // Cancelled from here on, the connection is closed and the outcome is unknown.
        let answer = session.packet(text, commit + 1, limit).await;
        self.put_back(session, answer.as_ref().err()).await;
        answer.map(drop).map_err(|failed| failed.of_record(&whom, commit))
    }
}

impl From<StoreError> for RecordError {
    /// Of what happened before a batch was sent.
    fn from(error: StoreError) -> RecordError {
        match error {
            StoreError::Unreachable(text) => RecordError::Unreachable(text),
            StoreError::Refused(text) => RecordError::Refused(text),
            // Meta may or may not have raised a term; of the batch nothing was sent.
            StoreError::Unknown(text) => RecordError::Unreachable(text),
        }
    }
}

impl RecordWriter for MysqlWriter {
    async fn connect(&mut self) -> Result<(), StoreError> {
        let (session, _) = self.ready().await?;
        self.session = Some(session);
        Ok(())
    }

    fn connection(&self) -> u64 {
        self.connections
    }

    async fn record(&mut self, batch: &[NewCoupon]) -> Result<(), RecordError> {
        if batch.is_empty() {
            return Ok(());
        }
        if batch.len() > RECORD_ROWS_MAX {
            return Err(RecordError::Refused(format!("{} rows in a batch of at most {RECORD_ROWS_MAX}", batch.len())));
        }
        let done = self.send(batch).await;
        if done == Err(RecordError::Fenced) {
            self.doubt();
        }
        done
    }

    async fn look_up(&mut self, keys: &[(UserId, TemplateId)], lock: bool) -> Result<Vec<CouponRow>, StoreError> {
        self.find(keys, lock, keys::look_up, read::coupons).await
    }

    async fn logs(&mut self, keys: &[CouponKey], lock: bool) -> Result<Vec<CouponLog>, StoreError> {
        self.find(keys, lock, sql::steps::logs, steps::logs).await
    }

    async fn append(&mut self, steps: &[NewStep], spends: &[Spend]) -> Result<(), RecordError> {
        if steps.is_empty() {
            return Ok(());
        }
        if steps.len() > RECORD_ROWS_MAX {
            return Err(RecordError::Refused(format!("{} steps in a batch of at most {RECORD_ROWS_MAX}", steps.len())));
        }
        let backend = self.inner.backend(self.primary).map_err(RecordError::from)?;
        let (version, limit, whom) = (backend.target.version(), backend.target.limits().record, backend.target.whom());
        let mut session = self.take().await.map_err(RecordError::from)?;
        if steps.iter().any(|step| step.seen_on != self.connections) {
            self.session = Some(session);
            return Err(RecordError::Conflict);
        }
        let (text, commit) = sql::steps::append(steps, spends, version, self.inner.tells);
        // Cancelled from here on, the connection is closed and the outcome is unknown.
        let answer = session.packet(&text, commit + 1, limit).await;
        self.put_back(session, answer.as_ref().err()).await;
        answer.map(drop).map_err(|failed| failed.of_record(&whom, commit))
    }

    async fn epochs(&mut self, keys: &[StockKey]) -> Result<Vec<Option<u64>>, StoreError> {
        let (whom, limit) = {
            let target = &self.inner.backend(self.primary)?.target;
            (target.whom(), target.limits().read)
        };
        let mut epochs = Vec::with_capacity(keys.len());
        for keys in keys.chunks(keys::KEYS_MAX) {
            let (mut session, server) = self.ready().await?;
            let found = ledger::epochs(&mut session, keys, &server.fence(), limit).await;
            self.put_back(session, found.as_ref().err()).await;
            epochs.extend(found.map_err(|failed| failed.not_applied(&whom))?);
        }
        if epochs.contains(&None) {
            self.doubt();
        }
        Ok(epochs)
    }
}
