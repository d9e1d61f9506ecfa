//! Where a read that allows staleness is served: see [`crate::replica`].

use std::time::Duration;

use scrip_protocol::UserId;
use scrip_protocol::v1::Code;
use scrip_protocol::v1::response::Result as Answer;
use scrip_shard_config::{PrimaryId, Tail};
use tokio::time::{Instant, timeout_at};

use super::Operations;
use crate::outbox::Reply;
use crate::refusal::Refusal;
use crate::store::{MetaStore, RecordStore, Source, StockStore};

/// What was read, and the bound of its staleness; 0: the primary's.
#[derive(Debug)]
pub(super) struct Read<T> {
    value: T,
    staleness_ms: u32,
}

impl<T> Read<T> {
    pub(super) fn reply(self, answer: impl FnOnce(T) -> Answer) -> Reply {
        Reply { answer: answer(self.value), staleness_ms: self.staleness_ms }
    }
}

impl<S: StockStore, R: RecordStore, M: MetaStore> Operations<S, R, M> {
    /// From one replica if one is fresh enough, and from the primary if it does not serve in half of the time that is left:
    /// nothing is ever refused because of a replica, and what it does not have the primary is asked for. All reads of `read`
    /// are from the same source.
    pub(super) async fn read_from<T, F>(
        &self,
        primary: PrimaryId,
        (max_staleness_ms, deadline): (u32, Instant),
        read: impl Fn(Source) -> F,
    ) -> Result<Read<T>, Refusal>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let replicas = &self.flow.replicas;
        let staleness_max = Duration::from_millis(max_staleness_ms.into());
        let now = Instant::now();
        if let Some(chosen) = replicas.choose(primary, staleness_max, now) {
            let half = now + deadline.saturating_duration_since(now) / 2;
            match timeout_at(half, read(Source::Replica(chosen.replica))).await {
                Ok(Ok(value)) => {
                    replicas.served(chosen.replica);
                    return Ok(Read { value, staleness_ms: chosen.staleness_ms(Instant::now()) });
                }
                Ok(Err(refusal)) if is_of_a_store(refusal.code) => {
                    tracing::debug!(%primary, detail = refusal.detail, "a replica did not serve");
                    replicas.failed(chosen.replica, Instant::now());
                }
                // Not there, or nothing that can be listed: the primary's answer to give.
                Ok(Err(_)) => {}
                Err(_) => replicas.failed(chosen.replica, Instant::now()),
            }
        }
        let value = read(Source::Primary(primary)).await?;
        Ok(Read { value, staleness_ms: 0 })
    }

    pub(super) fn primary_of(&self, user: UserId) -> PrimaryId {
        self.flow.topology.primary_of(Tail::of_user(user.get()))
    }
}

fn is_of_a_store(code: Code) -> bool {
    matches!(code, Code::PrimaryUnavailable | Code::MetaUnavailable | Code::StoreRefused)
}
