//! One connection to one server, set up and checked.

use std::fmt;
use std::time::{Duration, Instant};

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Params, Row};
use tokio::time::timeout;

use super::facts::ServerFacts;
use super::failure::Failed;
use super::sql;

/// A connection whose session is set up. It holds no transaction between two calls, or is dropped.
///
/// The driver never sends anything twice: `Conn` has no reconnect, and we do not use its pool.
pub(super) struct Session {
    conn: Conn,
    facts: ServerFacts,
    last_used: Instant,
}

// Not derived: the Debug of `Conn` prints its options, password included.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("identity", &self.facts.identity).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(conn: Conn, facts: ServerFacts) -> Session {
        Session { conn, facts, last_used: Instant::now() }
    }

    /// Who is at the other end. A connection never changes its server, so this stays true while it lives.
    pub(super) fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    /// Runs a packet of so many statements; the rows of each. Cancelled midway, the caller must drop the session: it
    /// may be in the middle of an answer or of a transaction.
    pub(super) async fn packet(
        &mut self,
        text: &[u8],
        statements: usize,
        limit: Duration,
    ) -> Result<Vec<Vec<Row>>, Failed> {
        let answer = timeout(limit, walk(&mut self.conn, text, statements)).await;
        self.last_used = Instant::now();
        answer.unwrap_or(Err(Failed::TimedOut(limit)))
    }

    /// Runs one statement with parameters; its rows. As for cancellation, see [`Session::packet`].
    pub(super) async fn rows<R: FromRow + Send + 'static>(
        &mut self,
        text: &'static str,
        params: impl Into<Params> + Send,
        limit: Duration,
    ) -> Result<Vec<R>, Failed> {
        let params = params.into();
        let answer = timeout(limit, rows(&mut self.conn, text, params)).await;
        self.last_used = Instant::now();
        answer.unwrap_or(Err(Failed::TimedOut(limit)))
    }

    /// Runs one statement with parameters; how many rows it found. As for cancellation, see [`Session::packet`].
    pub(super) async fn run(
        &mut self,
        text: &'static str,
        params: impl Into<Params> + Send,
        limit: Duration,
    ) -> Result<u64, Failed> {
        self.rows::<Row>(text, params, limit).await?;
        Ok(self.conn.affected_rows())
    }

    /// The id that the last INSERT made.
    pub(super) fn last_insert_id(&self) -> Option<u64> {
        self.conn.last_insert_id()
    }

    /// Ends whatever transaction there is. Gives the session back if that is certain.
    pub(super) async fn rolled_back(mut self, limit: Duration) -> Option<Session> {
        self.packet(sql::ROLLBACK.as_bytes(), 1, limit).await.ok()?;
        Some(self)
    }

    /// Gives the session back unless it died while nobody looked: after `silence` it is asked before anything is sent
    /// that matters. What dies unnoticed between two uses is then *not applied* and not *unknown*.
    pub(super) async fn alive(mut self, silence: Duration, limit: Duration) -> Option<Session> {
        if self.last_used.elapsed() < silence {
            return Some(self);
        }
        timeout(limit, self.conn.ping()).await.ok()?.ok()?;
        self.last_used = Instant::now();
        Some(self)
    }
}

/// Sends a packet and takes one result per statement.
///
/// `is_empty` would end the walk too early: it is true when the next result is an error (mysql_async 0.37).
pub(super) async fn walk(conn: &mut Conn, text: &[u8], statements: usize) -> Result<Vec<Vec<Row>>, Failed> {
    let mut result = conn.query_iter(text).await.map_err(|error| Failed::at(0, error))?;
    let mut sets = Vec::with_capacity(statements);
    for statement in 0..statements {
        sets.push(result.collect::<Row>().await.map_err(|error| Failed::at(statement, error))?);
    }
    if !result.is_empty() {
        return Err(Failed::unexpected("more results than statements"));
    }
    Ok(sets)
}

async fn rows<R: FromRow + Send + 'static>(
    conn: &mut Conn,
    text: &'static str,
    params: Params,
) -> Result<Vec<R>, Failed> {
    let result = conn.exec_iter(text, params).await.map_err(|error| Failed::at(0, error))?;
    let rows = result.try_collect_and_drop::<R>().await.map_err(|error| Failed::at(0, error))?;
    typed(rows)
}

fn typed<R>(rows: Vec<Result<R, mysql_async::FromRowError>>) -> Result<Vec<R>, Failed> {
    rows.into_iter().collect::<Result<_, _>>().map_err(|_| Failed::unexpected("a row of other columns"))
}

/// The rows of one result set of a packet.
pub(super) fn decode<R: FromRow>(rows: Vec<Row>) -> Result<Vec<R>, Failed> {
    typed(rows.into_iter().map(R::from_row_opt).collect())
}
