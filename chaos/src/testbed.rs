//! A local deployment of real servers: N databases and M Redis servers as child processes.
//!
//! Everything here works from any async runtime, and from none: children are supervised by plain threads, so a testbed
//! that one `#[tokio::test]` started can be used by the next. Methods that may take long are async and do their work on
//! a thread of their own; when such a future is dropped the work still runs to its end.
//!
//! - `spec`: what to start. `bed`: the running whole. `shared`: one testbed for all tests of a binary.
//! - `database`, `redis`: one server each, with its faults. `snapshot`: an older copy of a server's data.
//! - `proxy`: proxies as processes. `deployment`: the topology and the secrets that they share.
//! - `link`: TCP links that break on demand. `consumer`: reads the streams of events.
//! - `disk`: a file system of a server's own, which can be filled.
//! - `process`, `folder`, `port`, `template`, `binary`, `secret`, `offload`, `http`: the parts they are made of.

mod bed;
mod binary;
mod consumer;
mod database;
mod deployment;
mod disk;
mod error;
mod folder;
mod handle;
mod http;
mod link;
mod offload;
mod port;
mod process;
mod proxy;
mod redis;
mod secret;
mod shared;
mod snapshot;
mod spec;
mod template;

pub use bed::{ProxyLinks, Testbed};
pub use binary::{Flavour, database_servers_under_test};
pub(crate) use binary::{find_program, servers_present};
pub use consumer::Consumer;
pub use database::Database;
pub use deployment::CALLER;
pub use error::Error;
pub use link::{CutAt, Direction, Link};
pub use proxy::{ProxyProcess, ProxySpec, WaitFor, build_proxy, proxy_binary};
pub use redis::RedisServer;
pub use secret::Secret;
pub use shared::shared;
pub use snapshot::{RestartWith, Snapshot};
pub use spec::{DatabaseSettings, Durability, TestbedSpec};
