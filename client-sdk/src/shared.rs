//! What all clones of a client share: the connections, the waiting room, the budget, and who picks a connection for a call.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Instant;

use scrip_protocol::v1::{Code, Welcome};
use tokio::sync::{Notify, watch};

use crate::budget::Budget;
use crate::call::Call;
use crate::config::ClientConfig;
use crate::delivery::Deliveries;
use crate::dice::Dice;
use crate::error::ProxyFailure;
use crate::failure::Failure;
use crate::link::{Link, NotTaken, Status, Unwritten};
use crate::room::Room;
use crate::writes::Writes;

mod outcome;
pub(crate) mod sweep;

/// Calls of a batch that go to the same connection: a new choice for each would cost a lock for each.
const CHUNK_LEN: usize = 64;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: ClientConfig,
    pub(crate) dice: Dice,
    links: Vec<Link>,
    room: Room,
    budget: Budget,
    /// The sweep is running. Whoever gives it something to watch makes sure of that.
    sweeping: AtomicBool,
    sweep: Notify,
    pub(crate) writes: Writes,
    /// A link changed its status.
    changed: watch::Sender<()>,
}

impl Shared {
    pub(crate) fn new(config: ClientConfig, seed: u64, now: Instant) -> Self {
        let links: Vec<_> = (0..config.connections_per_proxy)
            .flat_map(|_| config.proxies.iter().enumerate())
            .map(|(proxy, address)| Link::new(proxy as u16, address.clone(), &config))
            .collect();
        Self {
            dice: Dice::new(seed),
            room: Room::new(config.queued_per_connection_max.saturating_mul(links.len())),
            budget: Budget::new(&config.retry, now),
            links,
            config,
            sweeping: AtomicBool::new(false),
            sweep: Notify::new(),
            writes: Writes::new(now),
            changed: watch::Sender::new(()),
        }
    }

    pub(crate) fn links(&self) -> &[Link] {
        &self.links
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Sends a call, now or when a connection is there. Never waits: the outcome comes through the call's sink.
    pub(crate) fn send(&self, call: Call, now: Instant) {
        let mut deliveries = Deliveries::default();
        let avoid = call.avoid;
        self.send_to(self.choose(avoid), std::iter::once(call), now, &mut deliveries);
        self.watch();
    }

    /// The same for many.
    pub(crate) fn send_all(&self, calls: Vec<Call>, now: Instant) {
        let mut deliveries = Deliveries::default();
        let mut calls = calls.into_iter().peekable();
        while calls.peek().is_some() {
            self.send_to(self.choose(None), calls.by_ref().take(CHUNK_LEN), now, &mut deliveries);
        }
        self.watch();
    }

    fn send_to(&self, link: Option<&Link>, calls: impl Iterator<Item = Call>, now: Instant, out: &mut Deliveries) {
        let mut refused = Vec::new();
        match link {
            Some(link) => link.enqueue(calls, &mut refused),
            None => refused.extend(calls.map(NotTaken::NotReady)),
        }
        for not_taken in refused {
            match not_taken {
                // It stopped being ready just now: the sweep sends it on.
                NotTaken::NotReady(call) => self.park(call, now, out),
                NotTaken::Full(call) => {
                    let full = Failure::local(Code::Overloaded, "the queue of this client is full");
                    self.give_up(call, full, now, out);
                }
            }
        }
    }

    fn park(&self, call: Call, now: Instant, out: &mut Deliveries) {
        if let Some(failure) = self.hopeless() {
            self.give_up(call, failure, now, out);
        } else if let Err(call) = self.room.park(call) {
            self.give_up(call, self.no_room(), now, out);
        }
    }

    fn no_room(&self) -> Failure {
        if self.room.is_closed() {
            return Failure::local(Code::Draining, "this client is closed");
        }
        Failure::local(Code::Overloaded, "no proxy is connected, and the queue of this client is full")
    }

    /// Two ready connections at random, and of these the one with less to do. One of the proxy to avoid only when there is no other.
    fn choose(&self, avoid: Option<u16>) -> Option<&Link> {
        let elsewhere = |link: &&Link| link.is_ready() && Some(link.proxy) != avoid;
        self.choose_of(elsewhere).or_else(|| self.choose_of(|link| link.is_ready()))
    }

    fn choose_of(&self, eligible: impl Fn(&&Link) -> bool) -> Option<&Link> {
        let count = self.links.iter().filter(&eligible).count();
        if count < 2 {
            return self.links.iter().find(&eligible);
        }
        let first = self.dice.below(count);
        let second = (first + 1 + self.dice.below(count - 1)) % count;
        let mut chosen: Option<&Link> = None;
        for (index, link) in self.links.iter().filter(&eligible).enumerate() {
            if (index == first || index == second) && chosen.is_none_or(|other| link.load() < other.load()) {
                chosen = Some(link);
            }
        }
        chosen
    }

    /// Why no connection will come, when every proxy refuses this client.
    fn hopeless(&self) -> Option<Failure> {
        let failures = self.refusals()?;
        let first = failures.first()?;
        let detail = format!("every proxy refuses this client; {}: {}", first.proxy, first.detail);
        Some(Failure::local(first.code.unwrap_or(Code::Unauthenticated), detail))
    }

    /// What each proxy says, when all of them refuse this client.
    pub(crate) fn refusals(&self) -> Option<Vec<ProxyFailure>> {
        let refusal = |link: &Link| match link.status() {
            Status::Refused(failure) => Some(failure),
            Status::Connecting | Status::Ready | Status::Draining { .. } | Status::Down(_) => None,
        };
        self.links.iter().map(refusal).collect()
    }

    /// Makes sure that the sweep runs. After the call was queued, never before: see [`sweep::run`].
    fn watch(&self) {
        fence(Ordering::SeqCst);
        if !self.sweeping.load(Ordering::Relaxed) && !self.sweeping.swap(true, Ordering::SeqCst) {
            self.sweep.notify_one();
        }
    }

    /// The writer of a link has made frames.
    pub(crate) fn written(&self, first_attempts: usize, unwritten: &mut Unwritten) {
        if first_attempts > 0 {
            self.budget.earn(first_attempts);
        }
        if unwritten.is_empty() {
            return;
        }
        let (now, mut out) = (Instant::now(), Deliveries::default());
        for call in unwritten.expired.drain(..) {
            self.expired_unsent(call, now, &mut out);
        }
        for call in unwritten.too_large.drain(..) {
            let failure = Failure::local(Code::FrameTooLarge, "the request is larger than this proxy reads");
            self.give_up(call, failure, now, &mut out);
        }
    }

    pub(crate) fn open_link(&self, link: &Link, welcome: &Welcome) {
        let limit = |told: u32, own: usize| if told == 0 { own } else { own.min(told as usize) };
        tracing::info!(proxy = link.address, name = welcome.proxy, "connected");
        let in_flight_max = limit(welcome.in_flight_max, self.config.in_flight_per_connection_max);
        link.open(in_flight_max, limit(welcome.frame_len_max, usize::MAX));
        self.links_changed();
    }

    /// The proxy is about to stop: what is not yet written goes elsewhere at once.
    pub(crate) fn drain_link(&self, link: &Link, until: Instant) {
        tracing::info!(proxy = link.address, "the proxy is about to stop");
        let unwritten = link.drain(until);
        self.send_all(unwritten, Instant::now());
        self.links_changed();
    }

    /// The connection is gone: what was not written goes elsewhere, what was written is in doubt and is sent again.
    pub(crate) fn close_link(&self, link: &Link, status: Status) {
        let (unwritten, written) = link.close(status);
        let (now, mut out) = (Instant::now(), Deliveries::default());
        for call in written {
            self.lost(call, link.proxy, now, &mut out);
        }
        self.send_all(unwritten, now);
        self.links_changed();
    }

    /// No call is taken any more, and those in the waiting room are told. Those on connections follow when their links close.
    pub(crate) fn close(&self) {
        let (now, mut out) = (Instant::now(), Deliveries::default());
        for call in self.room.close() {
            self.give_up(call, self.no_room(), now, &mut out);
        }
    }

    fn links_changed(&self) {
        if let Some(failure) = self.hopeless() {
            let (now, mut out) = (Instant::now(), Deliveries::default());
            for call in self.room.clear_parked() {
                self.give_up(call, failure.clone(), now, &mut out);
            }
        }
        self.changed.send_replace(());
        self.sweep.notify_one();
    }
}
