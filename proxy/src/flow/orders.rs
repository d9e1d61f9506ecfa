//! Where a request of an order goes.

use std::sync::Arc;

use scrip_protocol::v1::Code;
use scrip_protocol::{CouponId, CouponNumber, UserId};
use scrip_shard_config::{PrimaryId, Tail, Topology};
use tokio::time::Instant;

use super::{Flow, FlowLimits, RecordQueue};
use crate::gate::Gate;
use crate::order::rules::Wish;
use crate::order::{Item, NoCoupon, OrderRequest, OrderTask};
use crate::outbox::Ticket;
use crate::queue::Queue;
use crate::store::steps::CouponKey;

/// The entrance of an order lane.
#[derive(Debug)]
pub struct OrderQueue {
    /// The primary that it writes to.
    pub primary: PrimaryId,
    /// Requests of orders.
    pub tasks: Queue<OrderTask>,
    /// May the primary be used? Shared by its lanes.
    pub gate: Arc<Gate>,
}

/// One a primary, behind the gate that its record lanes share.
pub(super) fn queues(topology: &Topology, record: &[RecordQueue], limits: FlowLimits) -> Vec<OrderQueue> {
    let gate = |id| record.iter().find(|queue| queue.primary == id).map(|queue| Arc::clone(&queue.gate));
    let queue =
        |id| OrderQueue { primary: id, tasks: Queue::new(limits.record_queue_max), gate: gate(id).unwrap_or_default() };
    topology.primaries.iter().map(|primary| queue(primary.id)).collect()
}

impl Flow {
    /// Which coupon of the user an id names. The id says whose it is: no store is asked.
    ///
    /// # Errors
    /// When it was not made here, or is another user's.
    pub fn coupon_key(&self, user: UserId, id: &[u8]) -> Result<CouponKey, NoCoupon> {
        let id = CouponId::try_from_slice(id).unwrap_or(CouponId([0; 16]));
        match self.coupon_ids.decode(id) {
            None => Err(NoCoupon::Unknown(id)),
            Some((owner, ..)) if owner != user => Err(NoCoupon::Foreign(id)),
            Some((user, template, seq)) => Ok(CouponKey { user, template, seq }),
        }
    }

    /// Which coupon a number names, of whichever user. The symbols say it: no store is asked. That prefix and day are those of
    /// the coupon is for its row to say.
    pub fn numbered(&self, number: &CouponNumber) -> Option<CouponKey> {
        let (user, template, seq) = self.coupon_ids.numbers().decode(number)?;
        Some(CouponKey { user, template, seq })
    }

    /// From admission to the order lane of the user.
    ///
    /// # Errors
    /// Gives it back when a template is not in the snapshot.
    pub fn order(
        &self,
        ticket: Ticket,
        request: OrderRequest,
        deadline: Instant,
    ) -> Result<(), (Ticket, OrderRequest)> {
        let item =
            |&(key, wish): &(CouponKey, Wish)| Some(Item { key, wish, template: self.templates.get(key.template)? });
        let Some(items) = request.wishes.iter().map(item).collect::<Option<Vec<_>>>() else {
            return Err((ticket, request));
        };
        let Some(user) = items.first().map(|item| item.key.user) else {
            ticket.refuse(Code::InvalidRequest, "coupon_ids: name at least one".to_owned(), 0);
            return Ok(());
        };
        let queue = &self.orders[usize::from(self.primary_index[usize::from(Tail::of_user(user.get()).get())])];
        let mut task = OrderTask::new(ticket, request.order, items, deadline);
        if !queue.gate.is_open() {
            task.refuse(Code::PrimaryUnavailable, "the primary of this user cannot be written to");
        } else if let Err(mut task) = queue.tasks.push(task) {
            task.refuse(Code::Overloaded, "the queue to the primary of this user is full");
        }
        Ok(())
    }
}
