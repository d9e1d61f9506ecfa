//! The proxy of scrip: takes claims, counts exactly.
//!
//! ```text
//! connection -> admission -> template -> stock lane (one a shard) -> record lane (one or more a primary) -> connection
//! ```
//!
//! Invariants:
//! - the proxy holds no state that anybody would miss: it can be killed at any time;
//! - no SQL outside `store/mysql` and `audit`, no Redis command outside `store/redis`;
//! - a release and an install are sent at most once; a unit whose record has an unknown outcome is never given back;
//! - every error becomes a code of the wire in [`refusal`] (or where a claim is refused), and says whether the request
//!   was applied.
//!
//! | module | what |
//! |---|---|
//! | [`server`], [`connection`], [`admission`], [`outbox`] | the listener, frames in, answers out, what is refused at the door |
//! | [`flow`] | where a claim goes next: the pipeline on one screen |
//! | [`claim`], [`queue`], [`pace`], [`mod@load`], [`gate`], [`watch`] | the value that flows, what it waits in and for how long, whether a backend is used, deadlines |
//! | [`generations`] | what a lane used lately |
//! | [`template`], [`refresh`], [`verifier`] | the snapshot of templates, kept fresh, and asked for again before a refusal |
//! | [`stock_lane`], [`record_lane`] | the two stages that talk to stores |
//! | [`lane`] | what the lanes of a primary have in common: getting a connection, taking groups, deadlines, failures |
//! | [`pack`] | packs: several coupons to one user, all or nothing |
//! | [`order`] | what orders do with coupons: rules, and a lane a primary that appends to the logs of coupons |
//! | [`settle`], [`keeper`] | re-deriving stock from the ledgers, and when |
//! | [`events`] | facts about coupons leave through outboxes to Redis Streams |
//! | [`patrol`] | what time has done to coupons, written down |
//! | [`archive`] | long-dead coupons leave for files, and what is told of them then |
//! | [`operation`] | everything that is not a claim |
//! | [`bulk`] | bulk issue: lists of users, worked on beside live claims |
//! | [`replica`] | which replicas may serve reads that allow staleness |
//! | [`exchange`] | exchange codes: texts that prove themselves, and their uses |
//! | [`quote`] | what coupons take off an order: pure |
//! | [`coupon_id`], [`ff1`] | what coupons are called: public ids, and numbers for people; the cipher of numbers and codes |
//! | [`store`] | traits, and the stores on Redis and MySQL |
//! | [`pipeline`], [`tasks`], [`mod@run`] | starting it all |
//! | [`config`], [`cli`], [`admin`], [`telemetry`], [`meter`] | for operators |

pub mod admin;
pub mod admission;
pub mod archive;
pub mod audit;
pub mod bulk;
pub mod claim;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection;
pub mod coupon_id;
pub mod events;
pub mod exchange;
pub mod ff1;
pub mod flow;
pub mod gate;
pub mod generations;
pub mod keeper;
pub mod lane;
pub mod load;
pub mod meter;
pub mod operation;
pub mod order;
pub mod outbox;
pub mod pace;
pub mod pack;
pub mod patrol;
pub mod pipeline;
pub mod queue;
pub mod quote;
pub mod record_lane;
pub mod refresh;
pub mod refusal;
pub mod replica;
pub mod run;
pub mod server;
pub mod settle;
pub mod stock_lane;
pub mod store;
pub mod tasks;
pub mod telemetry;
pub mod template;
pub mod verifier;
pub mod watch;

pub use run::{RunError, run};
