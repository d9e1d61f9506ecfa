//! A TCP link that breaks on demand: put between a proxy and a backend, it cuts, stalls and delays.
//!
//! Links run on threads of their own, so they work from any runtime. Bytes are never changed, dropped or reordered inside
//! a connection that lives: a stalled link delivers late, as TCP does after an outage; loss is a cut.

mod connection;
mod rules;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;

use self::connection::carry;
use self::rules::Rules;
pub use self::rules::{CutAt, Direction};
use super::Error;

/// A link to one backend. Dropping it cuts its connections and frees its port.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    rules: Arc<Rules>,
    acceptor: AbortHandle,
}

impl Link {
    /// Listens on a free loopback port and forwards each connection to `target`.
    pub fn start(target: SocketAddr) -> Result<Self, Error> {
        let runtime = runtime()?;
        let bound = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        });
        let (address, listener) = bound.map_err(Error::io("bind a link"))?;
        let rules = Arc::new(Rules::new(target));
        let acceptor = runtime.spawn(accept(listener, Arc::clone(&rules))).abort_handle();
        Ok(Self { address, rules, acceptor })
    }

    /// What to connect to instead of the target.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where new connections lead.
    pub fn target(&self) -> SocketAddr {
        self.rules.present().target
    }

    /// Leads new connections elsewhere, as a name does after a fail-over. Living connections stay where they are.
    pub fn retarget(&self, target: SocketAddr) {
        self.rules.change(|now| now.target = target);
    }

    /// Resets all living connections, at both ends. New ones are served.
    pub fn cut_now(&self) {
        self.rules.change(|now| now.cuts += 1);
    }

    /// Resets living connections and every new one, as a port that nothing listens on, until [`heal`](Self::heal).
    pub fn refuse(&self) {
        self.rules.change(|now| {
            now.cuts += 1;
            now.refuse = true;
        });
    }

    /// Once `bytes` more have passed in this direction, over all connections together, cuts the connection that carried
    /// the last of them. With 0, the next byte to arrive is not forwarded. Happens once.
    ///
    /// The receiver of those bytes gets all of them and then an end of stream; their sender gets a reset.
    pub fn cut_after_bytes(&self, direction: Direction, bytes: u64) {
        self.rules.set_budget(direction, bytes);
    }

    /// Cuts the connection on which `pattern` next goes to the server, at the given moment. Happens once. Connections
    /// are told apart, so this finds one statement among many.
    pub fn cut_at(&self, pattern: impl Into<Vec<u8>>, moment: CutAt) {
        self.rules.set_trap(pattern.into(), moment);
    }

    /// Holds everything that arrives in this direction until [`heal`](Self::heal), then delivers it. With
    /// [`Direction::ToServer`] new connections are held as well.
    pub fn black_hole(&self, direction: Direction) {
        self.rules.change(|now| now.held[direction.index()] = true);
    }

    /// Delivers every byte this much later, in both directions, without limiting the throughput much.
    pub fn delay(&self, delay: Duration) {
        self.rules.change(|now| now.delay = [delay; 2]);
    }

    /// Delivers every byte in one direction this much later.
    pub fn delay_one_way(&self, direction: Direction, delay: Duration) {
        self.rules.change(|now| now.delay[direction.index()] = delay);
    }

    /// Delivers every chunk later by a random part of this, beside the delay, in order.
    pub fn jitter(&self, jitter: Duration) {
        self.rules.change(|now| now.jitter = jitter);
    }

    /// Delivers everything in pieces of this many bytes, each in a packet of its own; 0: as it comes.
    pub fn tiny_chunks(&self, bytes: usize) {
        self.rules.change(|now| now.piece_len = bytes);
    }

    /// Lets so many bytes a second pass, on each connection and in each direction; 0: no limit.
    pub fn bandwidth(&self, bytes_per_s: u64) {
        self.rules.change(|now| now.bytes_per_s = bytes_per_s);
    }

    /// Ends every fault that is set or armed. The target stays.
    pub fn heal(&self) {
        self.rules.heal();
    }

    /// How many bytes have been forwarded in this direction.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.rules.bytes(direction)
    }

    /// How many times a budget or a trap has cut a connection.
    pub fn cuts_sprung(&self) -> u64 {
        self.rules.cuts_sprung()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.cut_now();
    }
}

async fn accept(listener: std::net::TcpListener, rules: Arc<Rules>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        match listener.accept().await {
            Ok((client, _peer)) => drop(tokio::spawn(carry(client, Arc::clone(&rules)))),
            // Out of file descriptors, say: others may close some.
            Err(_error) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// The runtime of all links of this process.
fn runtime() -> Result<Handle, Error> {
    static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);
    let mut runtime = RUNTIME.lock();
    if let Some(runtime) = runtime.as_ref() {
        return Ok(runtime.handle().clone());
    }
    let mut builder = Builder::new_multi_thread();
    let new = builder.worker_threads(2).thread_name("testbed-link").enable_all().build();
    let new = new.map_err(Error::io("start the threads of the links"))?;
    Ok(runtime.insert(new).handle().clone())
}
