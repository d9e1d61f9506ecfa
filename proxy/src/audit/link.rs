//! One connection to one server, for reading, in one snapshot.

use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, OptsBuilder, Params};
use scrip_shard_config::{Address, Primary};
use tokio::time::timeout;

use super::sql;

/// A connection inside a snapshot.
pub(super) struct Link {
    conn: Conn,
    query_timeout: Duration,
}

/// Why a server could not be read, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LinkError(pub(super) String);

impl Link {
    /// Connects and takes the snapshot.
    pub(super) async fn open(primary: &Primary, connect: Duration, query: Duration) -> Result<Link, LinkError> {
        let conn = timeout(connect, Conn::new(options(primary)))
            .await
            .map_err(|_| LinkError(format!("no connection within {connect:?}")))?
            .map_err(|error| LinkError(error.to_string()))?;
        let mut link = Link { conn, query_timeout: query };
        link.command(sql::REPEATABLE).await?;
        link.command(sql::SNAPSHOT).await?;
        Ok(link)
    }

    /// The rows of a query.
    pub(super) async fn rows<R>(
        &mut self,
        text: &'static str,
        params: impl Into<Params> + Send,
    ) -> Result<Vec<R>, LinkError>
    where
        R: FromRow + Send + 'static,
    {
        let limit = self.query_timeout;
        let reading = async {
            let result = self.conn.exec_iter(text, params.into()).await?;
            result.try_collect_and_drop::<R>().await
        };
        timeout(limit, reading)
            .await
            .map_err(|_| LinkError(format!("no answer within {limit:?} to: {text}")))?
            .map_err(|error| LinkError(error.to_string()))?
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| LinkError(format!("unexpected columns ({error}) from: {text}")))
    }

    /// Every row of a query, one after the other: there may be more than fit into memory.
    pub(super) async fn each<R>(&mut self, text: &'static str, mut take: impl FnMut(R) + Send) -> Result<(), LinkError>
    where
        R: FromRow + Send + 'static,
    {
        let limit = self.query_timeout;
        let mut unreadable = None;
        let reading = async {
            let result = self.conn.exec_iter(text, ()).await?;
            let taken = result.for_each_and_drop(|row| match R::from_row_opt(row) {
                Ok(row) => take(row),
                Err(error) => unreadable = Some(error),
            });
            taken.await
        };
        timeout(limit, reading)
            .await
            .map_err(|_| LinkError(format!("no answer within {limit:?} to: {text}")))?
            .map_err(|error| LinkError(error.to_string()))?;
        match unreadable {
            None => Ok(()),
            Some(error) => Err(LinkError(format!("unexpected columns ({error}) from: {text}"))),
        }
    }

    /// Ends the snapshot and says goodbye. That it fails changes nothing: everything was read.
    pub(super) async fn close(mut self) {
        if self.command(sql::END).await.is_ok() {
            let _ = timeout(self.query_timeout, self.conn.disconnect()).await;
        }
    }

    async fn command(&mut self, text: &'static str) -> Result<(), LinkError> {
        timeout(self.query_timeout, self.conn.query_drop(text))
            .await
            .map_err(|_| LinkError(format!("no answer to: {text}")))?
            .map_err(|error| LinkError(error.to_string()))
    }
}

fn options(primary: &Primary) -> OptsBuilder {
    let options = OptsBuilder::default()
        .user(Some(&primary.user))
        .pass(primary.password.as_ref().map(|secret| secret.expose()))
        .db_name(Some(&primary.database))
        .tcp_nodelay(true)
        // Else the driver goes to whatever socket the server names instead of the address of the topology.
        .prefer_socket(false);
    match &primary.address {
        Address::Tcp { host, port } => options.ip_or_hostname(host).tcp_port(*port),
        Address::Unix(path) => options.socket(path.to_str()),
    }
}
