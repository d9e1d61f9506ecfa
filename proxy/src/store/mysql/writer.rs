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
use super::sql::record::{RECORD_ROWS_MAX, RecordPacket, pack_commit, record_commit};
use super::{Backend, Inner, ledger, pack, read, sql, steps};
use crate::store::pack::{NewPack, PackKey, PackRow, PackWriter};
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

    /// One attempt to record these coupons, in a packet whose statement `commit` is its COMMIT.
    async fn send<'a>(
        &mut self,
        coupons: impl Iterator<Item = &'a NewCoupon> + Clone + Send,
        commit: usize,
        write: impl for<'p> FnOnce(&'p mut RecordPacket, &[u8; 16], u64) -> &'p [u8] + Send,
    ) -> Result<(), RecordError> {
        let count = coupons.clone().count();
        if count > RECORD_ROWS_MAX {
            return Err(RecordError::Refused(format!("{count} rows in a batch of at most {RECORD_ROWS_MAX}")));
        }
        let done = self.send_fitting(coupons, commit, write).await;
        if done == Err(RecordError::Fenced) {
            self.doubt();
        }
        done
    }

    async fn send_fitting<'a>(
        &mut self,
        mut coupons: impl Iterator<Item = &'a NewCoupon> + Send,
        commit: usize,
        write: impl for<'p> FnOnce(&'p mut RecordPacket, &[u8; 16], u64) -> &'p [u8] + Send,
    ) -> Result<(), RecordError> {
        let backend = self.inner.backend(self.primary).map_err(RecordError::from)?;
        let (version, limit, whom) = (backend.target.version(), backend.target.limits().record, backend.target.whom());
        let (mut session, server) = self.ready().await.map_err(RecordError::from)?;
        if coupons.any(|row| row.seq > 1 && row.seen_on != self.connections) {
            self.session = Some(session);
            return Err(RecordError::Conflict);
        }
        let text = write(&mut self.packet, &server.fence(), version);
        // Cancelled from here on, the connection is closed and the outcome is unknown.
        let answer = session.packet(text, commit + 1, limit).await;
        self.put_back(session, answer.as_ref().err()).await;
        answer.map(drop).map_err(|failed| failed.of_record(&whom, commit))
    }
}

impl From<StoreError> for RecordError {
    /// Of what happened before a batch was sent: there is no connection that may carry it, be it that the server is of
    /// another primary. Meta may or may not have raised a term; of the batch nothing was sent.
    fn from(error: StoreError) -> RecordError {
        let (StoreError::Unreachable(text) | StoreError::Refused(text) | StoreError::Unknown(text)) = error;
        RecordError::Unreachable(text)
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
        let commit = record_commit(self.inner.tells);
        self.send(batch.iter(), commit, |packet, fence, version| packet.write(batch, fence, version)).await
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

impl PackWriter for MysqlWriter {
    async fn record_packs(&mut self, packs: &[NewPack]) -> Result<(), RecordError> {
        if packs.is_empty() {
            return Ok(());
        }
        let commit = pack_commit(self.inner.tells);
        let coupons = packs.iter().flat_map(|pack| &pack.coupons);
        self.send(coupons, commit, |packet, fence, version| packet.write_packs(packs, fence, version)).await
    }

    async fn packs(&mut self, keys: &[PackKey], lock: bool) -> Result<Vec<PackRow>, StoreError> {
        self.find(keys, lock, sql::pack::packs, pack::packs).await
    }
}
