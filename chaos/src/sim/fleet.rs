//! The proxies: the whole pipeline of each, in a process that can be stopped and killed, and a way to ask it something.
//!
//! A request enters below the TCP connection, as the value that the connection makes of it, and its answer leaves through
//! the same outbox that the connection writes from. The connection itself works on a socket of the operating system, whose
//! timing no seed decides; it is tested on real sockets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use parking_lot::Mutex;
use prost::Message;
use scrip_client::{RequestId, TemplateId, UserId};
use scrip_protocol::frame;
use scrip_protocol::v1::{ClaimByCode, ClaimPack, CreateCodeBatch, Response};
use scrip_proxy::admin::Health;
use scrip_proxy::admission::caller::{Caller, Callers};
use scrip_proxy::bulk::runner::Runner;
use scrip_proxy::clock::Clock;
use scrip_proxy::coupon_id::{CouponIds, CouponKey};
use scrip_proxy::exchange::code::Codes;
use scrip_proxy::flow::{Arrival, Flow, FlowLimits, Purpose};
use scrip_proxy::keeper::Quiet;
use scrip_proxy::operation::{Operation, Operations};
use scrip_proxy::order::OrderRequest;
use scrip_proxy::outbox::Outbox;
use scrip_proxy::pack;
use scrip_proxy::patrol;
use scrip_proxy::pipeline::{self, Stores, Tuning};
use scrip_proxy::refresh::Refresher;
use scrip_proxy::{bulk, config, exchange};
use scrip_shard_config::{Secret, Topology};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::dice::Dice;
use super::mutant::Mutant;
use super::plan::{PatrolPlan, Plan};
use super::process::Process;
use super::stores::ModelStores;
use super::world::{EPOCH_MS, Sim};

/// Requests that may wait anywhere in a proxy: more than a run has.
const QUEUE_MAX: usize = 4_096;
/// A proxy's clock is ahead of the run's by at most so much, in milliseconds.
pub const CLOCK_AHEAD_MAX_MS: u64 = 1_000;
/// The same, of a mutant.
const CLOCKS_APART_MS: u64 = 4_000;

type ModelOperations = Operations<ModelStores, ModelStores, ModelStores>;

/// What a proxy is asked.
#[derive(Debug)]
pub enum Asked {
    /// A claim, or a question about one.
    Claim {
        /// Whose.
        user: UserId,
        /// Of which template.
        template: TemplateId,
        /// The caller's id.
        request: RequestId,
        /// What is wanted.
        purpose: Purpose,
    },
    /// Something of an order's coupons.
    Order(OrderRequest),
    /// A pack.
    Pack(ClaimPack),
    /// Something of a bulk job.
    Bulk(bulk::desk::Operation),
    /// A claim by code.
    ByCode(ClaimByCode),
    /// A batch of codes is to be created.
    Codes(CreateCodeBatch),
    /// Anything else.
    Operation(Operation),
}

/// What came back.
#[derive(Debug)]
pub enum Heard {
    /// An answer.
    Answer(Box<Response>),
    /// Nothing was sent: there is no such proxy now.
    NotSent,
    /// Nothing came in time, or the proxy died.
    Nothing,
}

#[derive(Debug)]
struct Node {
    process: Arc<Process>,
    flow: Arc<Flow>,
    operations: ModelOperations,
    packs: pack::desk::Desk<ModelStores>,
    bulk: bulk::desk::Desk<ModelStores>,
    exchange: exchange::desk::Desk<ModelStores>,
    caller: Arc<Caller>,
    outbox: Arc<Outbox>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    calls: BTreeMap<u64, oneshot::Sender<Response>>,
}

/// All proxies.
#[derive(Debug)]
pub struct Fleet {
    nodes: Mutex<Vec<Option<Arc<Node>>>>,
}

impl Fleet {
    /// No proxy yet, but places for them.
    pub fn new(count: usize) -> Self {
        Self { nodes: Mutex::new((0..count).map(|_| None).collect()) }
    }

    /// Starts a proxy unless it runs.
    pub fn start(&self, sim: &Sim, topology: &Arc<Topology>, plan: &Plan, slot: usize, seed: u64) {
        let mut nodes = self.nodes.lock();
        if nodes[slot].is_none() {
            sim.world().note(format_args!("proxy {slot} starts"));
            nodes[slot] = Node::start(sim, topology, plan, slot, seed).map(Arc::new);
        }
    }

    /// Ends a proxy where it stands.
    pub fn kill(&self, slot: usize) {
        if let Some(node) = self.nodes.lock()[slot].take() {
            node.process.kill();
            node.waiting.lock().calls.clear();
        }
    }

    /// A proxy stands still.
    pub fn stop(&self, slot: usize) {
        if let Some(node) = &self.nodes.lock()[slot] {
            node.process.stop();
        }
    }

    /// It goes on.
    pub fn resume(&self, slot: usize) {
        if let Some(node) = &self.nodes.lock()[slot] {
            node.process.resume();
        }
    }

    /// Asks a proxy. `way`: how long the request travels. The proxy answers within `deadline`; the caller listens for
    /// `patience`.
    pub async fn ask(&self, slot: usize, asked: Asked, way: Duration, deadline: Duration, patience: Duration) -> Heard {
        let Some(node) = self.nodes.lock()[slot].clone() else { return Heard::NotSent };
        let answer = node.ask(asked, way, deadline);
        drop(node);
        match timeout(patience, answer).await {
            Ok(Ok(response)) => Heard::Answer(Box::new(response)),
            Ok(Err(_)) | Err(_) => Heard::Nothing,
        }
    }
}

impl Node {
    /// `None`: never, but for a caller that its own proxy does not know.
    fn start(sim: &Sim, topology: &Arc<Topology>, plan: &Plan, slot: usize, seed: u64) -> Option<Self> {
        let size = plan.size;
        let mut dice = Dice::new(seed);
        let process = Process::new(slot, Dice::new(dice.roll()));
        let (tasks, stores) = (process.tasks(), ModelStores::new(sim.clone(), Arc::clone(&process)));
        let limits = FlowLimits {
            stock_queue_max: QUEUE_MAX,
            record_queue_max: QUEUE_MAX,
            parked_max: QUEUE_MAX,
            lanes_per_primary: size.lanes,
        };
        let started = Instant::now();
        // Clocks of proxies differ: where a day begins is for each to say.
        let ahead_ms = if sim.world().is(Mutant::ClocksApart) { CLOCKS_APART_MS } else { CLOCK_AHEAD_MAX_MS };
        let begun_ms = EPOCH_MS + sim.world().at_ms() + Dice::apart(seed, 5).within(0..=ahead_ms);
        let clock = Clock::new(move || begun_ms + u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let key = CouponKey::new([7; 16]);
        let ids = CouponIds::new(&key);
        let (flow, errands) = Flow::new(Arc::clone(topology), limits, clock, ids, dice.roll());
        let (flow, health) = (Arc::new(flow), Arc::new(Health::new("simulated", topology)));
        let tuning = Tuning {
            batch_rows_max: size.batch_rows_max,
            recent_max: size.recent_max,
            quiet: Quiet {
                first: Duration::from_millis(100),
                max: Duration::from_secs(1),
                move_after: Duration::from_millis(size.move_after_ms),
            },
            stripe_seed: dice.roll() as u16,
        };
        let all = Stores { stock: stores.clone(), record: stores.clone(), meta: stores.clone() };
        let operations = pipeline::start(&flow, errands, &all, tuning, &health, &tasks);
        let packs = pack::desk::Desk::new(Arc::clone(&flow), stores.clone(), tasks.clone());
        let every = Duration::from_millis(250);
        let (cache, meta) = (stores.clone(), stores.clone());
        let refresher = Refresher::new(Arc::clone(&flow), cache, meta, health, format!("p{slot}"), every);
        tasks.spawn(refresher.run());
        if !plan.jobs.is_empty() {
            let runner = Runner::new(Arc::clone(&flow), stores.clone(), Dice::apart(seed, 6).roll(), tasks.clone());
            tasks.spawn(runner.run());
        }
        if let Some(plan) = &plan.patrol {
            patrol::start(&flow, &stores, &settings(plan), &format!("p{slot}-{seed:x}"), |_| None, &tasks);
        }
        let bulk = bulk::desk::Desk::new(Arc::clone(&flow), stores.clone(), tasks.clone());
        let exchange = exchange::desk::Desk::new(Arc::clone(&flow), stores, Codes::new(&key), tasks.clone());
        let outbox = Outbox::new(Arc::clone(&flow.meter), Arc::new(AtomicUsize::new(0)));
        let waiting = Arc::default();
        tasks.spawn(hand_out(Arc::clone(&outbox), Arc::clone(&waiting)));
        let caller = caller()?;
        Some(Self { process, flow, operations, packs, bulk, exchange, caller, outbox, waiting })
    }

    fn ask(&self, asked: Asked, way: Duration, deadline: Duration) -> oneshot::Receiver<Response> {
        let (sender, answer) = oneshot::channel();
        let id = {
            let mut waiting = self.waiting.lock();
            waiting.next += 1;
            let id = waiting.next;
            waiting.calls.insert(id, sender);
            id
        };
        let (flow, operations, outbox) = (Arc::clone(&self.flow), self.operations.clone(), Arc::clone(&self.outbox));
        let packs = self.packs.clone();
        let (bulk, exchange, caller) = (self.bulk.clone(), self.exchange.clone(), Arc::clone(&self.caller));
        self.process.tasks().spawn(async move {
            tokio::time::sleep(way).await;
            let now = Instant::now();
            let (ticket, deadline) = (outbox.ticket(id, now), now + deadline);
            match asked {
                Asked::Claim { user, template, request, purpose } => {
                    let arrival = Arrival { ticket, user, template, request, purpose, deadline };
                    flow.arrive(arrival, flow.clock.now_ms());
                }
                Asked::Order(request) => {
                    // As the connection has it: a template that this proxy has not heard of yet is read first.
                    if let Err((ticket, request)) = flow.order(ticket, request, deadline) {
                        operations.start(Operation::Order(request), ticket, deadline);
                    }
                }
                Asked::Pack(claim) => packs.start(claim, ticket, deadline),
                Asked::Bulk(operation) => bulk.start(operation, ticket, deadline),
                Asked::ByCode(claim) => {
                    exchange.start(exchange::desk::Operation::Claim(claim, caller), ticket, deadline)
                }
                Asked::Codes(create) => exchange.start(exchange::desk::Operation::Create(create), ticket, deadline),
                Asked::Operation(operation) => operations.start(operation, ticket, deadline),
            }
        });
        answer
    }
}

/// Whoever asks, in every run.
fn caller() -> Option<Arc<Caller>> {
    let (name, token) = ("simulated", "simulated-token-1");
    let known = config::Caller {
        name: name.to_owned(),
        token: Secret::new(token.to_owned()),
        requests_per_s: None,
        wrong_codes_per_s: 10,
    };
    Callers::new(&[known], Instant::now()).authenticate(name, token)
}

/// Does what a connection does with its outbox.
async fn hand_out(outbox: Arc<Outbox>, waiting: Arc<Mutex<Waiting>>) {
    loop {
        outbox.filled().await;
        let mut bytes = outbox.take();
        while let Ok(Some(frame)) = frame::take(&mut bytes, usize::MAX) {
            let Ok(response) = Response::decode(frame) else { continue };
            if let Some(call) = waiting.lock().calls.remove(&response.id) {
                // The caller may have stopped listening.
                drop(call.send(response));
            }
        }
    }
}

/// What an operator of the patrol would have set.
fn settings(plan: &PatrolPlan) -> config::Patrol {
    config::Patrol {
        enabled: true,
        rows_per_second: 10_000,
        slice_rows: plan.slice_rows,
        remind_before: plan.remind_before_ms.iter().copied().map(Duration::from_millis).collect(),
        round_interval: Duration::from_millis(plan.round_ms),
        archive_directory: None,
        archive_after: Duration::MAX,
        archive_rows: 1,
    }
}
