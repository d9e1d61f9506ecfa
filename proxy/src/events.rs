//! Events: facts about coupons leave through an outbox on each primary to Redis Streams, at least once, in order per user.
//!
//! ```text
//! transaction of the fact -> outbox (one row a transaction) -> publisher (one a primary, by lease) -> events:{n}
//! ```
//!
//! **In the outbox.** The row is written in the very packet that writes the coupons, the steps or the end of the stock: a
//! fact without its event, or an event without its fact, cannot be.
//!
//! **Order.** What happens to a user's coupon is decided after what happened before was read as committed. So the id of
//! the later row was drawn after the earlier transaction had ended, and is higher; and whoever reads the later row as
//! committed finds the earlier one too. Rows whose transactions overlap tell of things that do not depend on each other,
//! and of these a lower id may come to light late. So the publisher keeps no cursor: it reads the rows that are not marked,
//! by id, adds their entries in that order, and marks exactly those rows. A row is marked only after its entries are there.
//!
//! | where it breaks                           | what is there                  | what follows                       |
//! |-------------------------------------------|--------------------------------|------------------------------------|
//! | before the entries are added              | rows, not marked               | the next holder of the lease adds them |
//! | some entries are added, or unknown        | entries, rows not marked       | all are added again, with the same ids |
//! | before the rows are marked                | the same                       | the same                           |
//! | the holder freezes, and thaws when another one works | its late call      | refused by its term: the shard knows a later one |
//! | the shard lost its data, and the term     | its late call of an older life | refused by the run                 |
//! | both at once                              | old entries after new ones     | repeats: every consumer has had them before |
//!
//! The last row is why two publishers at once do not break the order either: whoever adds an event has seen, by reading
//! the rows, that all earlier events of the user were added before, by itself or by who marked them. So the *first* entry of
//! each event comes after the first entries of all earlier events of its user, whoever adds them and however often.
//!
//! **A shard that forgets.** Redis is a cache here too. Rows are kept for the retention after they have left. Each primary
//! notes the life (run) of every shard that its rows have left to. When a shard's run is another one, all rows that are
//! still held leave to it again, by id, before anything new does. An entry is added only to the life that was noted. So
//! a consumer that is away for less than the retention loses nothing, even if Redis lost everything meanwhile.
//!
//! **Ids.** `primary-row-time-index`: the primary, the row's id, the time in it, and which event of the row it is. The time is
//! there because a primary that fails over may lose its last rows and draw their ids again.
//!
//! What is not promised: an order between users; the order of one user over a change of the topology that moves the user to
//! another primary, or over another number of streams, unless the outboxes are empty when that happens. While a shard that
//! holds a stream is away, the rows with entries for it wait, and the rows behind them.

pub mod fact;
pub mod publisher;
mod relay;

use std::sync::Arc;

use self::publisher::{Publisher, PublisherSettings};
use crate::config;
use crate::flow::Flow;
use crate::store::events::Trim;
use crate::store::mysql::MysqlStore;
use crate::store::redis::RedisStockStore;
use crate::tasks::Tasks;

/// Starts a publisher for every primary. `owner`: names this run of this proxy.
pub fn start(
    flow: &Flow,
    (mysql, redis): (&MysqlStore, &RedisStockStore),
    events: &config::Events,
    owner: &str,
    tasks: &Tasks,
) {
    let trim = Trim { retention: events.retention, len_max: events.stream_len_max as u64 };
    // The configuration bounds it far below.
    let count = u16::try_from(events.streams).unwrap_or(u16::MAX);
    let streams = redis.event_streams(&flow.topology, count, trim);
    for primary in &flow.topology.primaries {
        let settings = PublisherSettings {
            poll_interval: events.poll_interval,
            retention: events.retention,
            owner: owner.to_owned(),
        };
        let (outbox, ids, meter) = (mysql.outbox(primary.id), flow.coupon_ids.clone(), Arc::clone(&flow.meter));
        tasks.spawn(Publisher::new(outbox, streams.clone(), ids, flow.clock.clone(), meter, settings).run());
    }
}
