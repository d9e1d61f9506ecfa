//! Starts the stages over a set of stores: the same on real stores and on model stores.

use std::sync::Arc;

use crate::admin::Health;
use crate::archive::desk;
use crate::flow::{Errands, Flow};
use crate::keeper::{Keeper, Quiet};
use crate::operation::Operations;
use crate::order::funds::Funds;
use crate::order::lane::OrderLane;
use crate::pack::lane::PackLane;
use crate::record_lane::{RecordLane, Sizes};
use crate::settle::Settler;
use crate::stock_lane::StockLane;
use crate::store::{MetaStore, RecordStore, StockStore};
use crate::tasks::Tasks;
use crate::verifier;

/// The three stores of a deployment.
#[derive(Debug, Clone)]
pub struct Stores<S, R, M> {
    /// Redis.
    pub stock: S,
    /// The primaries.
    pub record: R,
    /// Meta.
    pub meta: M,
}

/// How the stages run.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Rows of one transaction.
    pub batch_rows_max: usize,
    /// Users and templates whose coupons the record lanes remember, together; the order lanes remember the logs of a quarter
    /// as many coupons.
    pub recent_max: usize,
    /// When to settle.
    pub quiet: Quiet,
    /// Differs from proxy to proxy, so that their lanes use different stripes of the ledgers.
    pub stripe_seed: u16,
}

/// Starts every lane and task. All of them, and what they start in turn, run as `tasks` says.
pub fn start<S: StockStore, R: RecordStore, M: MetaStore>(
    flow: &Arc<Flow>,
    errands: Errands,
    stores: &Stores<S, R, M>,
    tuning: Tuning,
    health: &Arc<Health>,
    tasks: &Tasks,
) -> Operations<S, R, M> {
    let Stores { stock, record, meta } = stores;
    for index in 0..flow.stock.len() {
        tasks.spawn(StockLane::new(Arc::clone(flow), stock.clone(), index, Arc::clone(health)).run());
    }
    let recent_max = tuning.recent_max / flow.record.len().max(1);
    let sizes = Sizes { rows_max: tuning.batch_rows_max, recent_max };
    for (index, queue) in flow.record.iter().enumerate() {
        let writer = record.writer(queue.primary, queue.lane);
        let stripe = tuning.stripe_seed.wrapping_add(queue.lane);
        let lane = RecordLane::new(Arc::clone(flow), writer, index, stripe, sizes, Arc::clone(health));
        tasks.spawn(lane.run());
    }
    // A log is about four times as large as what is remembered of a user and a template.
    let funds = Funds::new(record.clone(), meta.clone(), flow.orders.len());
    let of_orders = Sizes { recent_max: tuning.recent_max / 4 / flow.orders.len().max(1), ..sizes };
    for (index, queue) in flow.orders.iter().enumerate() {
        let writer = record.writer(queue.primary, queue.lane);
        let lane = OrderLane::new(Arc::clone(flow), writer, funds.clone(), index, of_orders, Arc::clone(health));
        tasks.spawn(lane.run());
    }
    for (index, queue) in flow.packs.iter().enumerate() {
        let writer = record.writer(queue.primary, queue.lane);
        let stripe = tuning.stripe_seed.wrapping_add(queue.lane);
        let lane = PackLane::new(Arc::clone(flow), writer, index, stripe, sizes.rows_max, Arc::clone(health));
        tasks.spawn(lane.run());
    }
    let (topology, meter) = (Arc::clone(&flow.topology), Arc::clone(&flow.meter));
    let settler = Settler::new(topology, stock.clone(), record.clone(), meta.clone(), meter);
    let keeper = Keeper::new(Arc::clone(flow), settler.clone(), meta.clone(), tuning.quiet, tasks.clone());
    tasks.spawn(keeper.run(errands.tend));
    tasks.spawn(verifier::run(Arc::clone(flow), meta.clone(), errands.verify));
    tasks.spawn(desk::run(Arc::clone(flow), record.clone(), errands.doubt, tasks.clone()));
    let (flow, tasks) = (Arc::clone(flow), tasks.clone());
    Operations::new(flow, settler, stock.clone(), record.clone(), meta.clone(), tasks)
}
