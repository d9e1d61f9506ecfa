//! The stores, as the pipeline sees them: narrow traits, so that the same pipeline runs on real stores and on model
//! stores.
//!
//! | trait           | what it stands for                                   | implementations   |
//! |-----------------|------------------------------------------------------|-------------------|
//! | [`StockStore`]  | the Redis shards: a cache of one number per sub-stock | [`redis`]         |
//! | [`RecordStore`] | the MySQL primaries: coupons, ledgers, fences         | [`mysql`]         |
//! | [`MetaStore`]   | the meta schema: templates, epochs, allotments        | [`mysql`]         |
//! | [`bulk::BulkStore`] | bulk jobs, their lists and their results            | [`mysql`]         |
//! | [`exchange::ExchangeStore`] | batches of codes, and the uses of codes        | [`mysql`]         |
//! | [`pack::PackWriter`] | packs, beside the coupons of a primary               | [`mysql`]         |
//! | [`patrol::PatrolStore`] | leases, the walk over all coupons, reminders       | [`mysql`]         |
//! | [`cache::CacheStore`] | the second level of the template cache          | [`redis`]         |
//!
//! Nothing behind these traits may send a release, an install or a record twice: each call is one attempt, and an
//! outcome that is not known is reported as unknown.

pub mod archive;
pub mod bulk;
pub mod cache;
pub mod events;
pub mod exchange;
mod meta;
pub mod mysql;
pub mod pack;
pub mod patrol;
mod record;
pub mod redis;
pub mod steps;
mod stock;

use scrip_protocol::TemplateId;
use scrip_shard_config::SubStock;

pub use self::meta::{
    Advanced, Ended, Layout, MetaError, MetaStore, StockChangeRecord, SubStockRecord, TemplateRecord,
};
pub use self::record::{
    CouponRow, Fence, FenceError, ListQuery, NewCoupon, RecordError, RecordStore, RecordWriter, Replica, Server, Source,
};
pub use self::stock::{Deducted, Install, Installed, Release, Run, StockStore, Want};

/// One sub-stock of one template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StockKey {
    /// The template.
    pub template: TemplateId,
    /// Which of its sub-stocks.
    pub sub_stock: SubStock,
}

/// What became of a call to a store that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was sent, or the store is known not to have acted: not applied.
    #[error("{0}")]
    Unreachable(String),
    /// The store answered that it will not: not applied.
    #[error("{0}")]
    Refused(String),
    /// It was sent, and the outcome is not known.
    #[error("{0}")]
    Unknown(String),
}
