//! Requests of orders, as they come off the wire.

use scrip_protocol::v1::{Code, LockCoupons, RedeemCoupons, ReturnCoupons, UnlockCoupons};
use scrip_protocol::{OrderId, UserId};
use tokio::time::Instant;

use super::Connection;
use crate::operation::Operation;
use crate::order::OrderRequest;
use crate::order::rules::Wish;
use crate::outbox::Ticket;

impl Connection {
    pub(super) fn lock_coupons(&self, lock: &LockCoupons, ticket: Ticket, deadline: Instant) {
        let wishes = lock.coupon_ids.iter().map(|id| (id, Wish::Lock { ttl_ms: lock.ttl_ms }));
        self.order(lock.user_id, &lock.order_id, wishes, ticket, deadline);
    }

    pub(super) fn redeem_coupons(&self, redeem: &RedeemCoupons, ticket: Ticket, deadline: Instant) {
        let coupons = redeem.coupons.iter();
        let wishes = coupons.map(|one| (&one.coupon_id, Wish::Redeem { amount_minor: one.amount_minor }));
        self.order(redeem.user_id, &redeem.order_id, wishes, ticket, deadline);
    }

    pub(super) fn unlock_coupons(&self, unlock: &UnlockCoupons, ticket: Ticket, deadline: Instant) {
        let wishes = unlock.coupon_ids.iter().map(|id| (id, Wish::Unlock));
        self.order(unlock.user_id, &unlock.order_id, wishes, ticket, deadline);
    }

    pub(super) fn return_coupons(&self, back: &ReturnCoupons, ticket: Ticket, deadline: Instant) {
        let wishes = back.coupon_ids.iter().map(|id| (id, Wish::Return));
        self.order(back.user_id, &back.order_id, wishes, ticket, deadline);
    }

    fn order<'a>(
        &self,
        user: u64,
        order: &str,
        wishes: impl Iterator<Item = (&'a bytes::Bytes, Wish)>,
        ticket: Ticket,
        deadline: Instant,
    ) {
        let order = match OrderId::try_new(order) {
            Ok(order) => order,
            Err(error) => return ticket.refuse(Code::InvalidRequest, error.to_string(), 0),
        };
        let flow = &self.reception.flow;
        let found = wishes.map(|(id, wish)| Ok((flow.coupon_key(UserId(user), id)?, wish)));
        let request = match found.collect() {
            Ok(wishes) => OrderRequest { order, wishes },
            Err(none) => {
                let none: crate::order::NoCoupon = none;
                return ticket.refuse(none.code(), none.detail(), 0);
            }
        };
        // A template that this proxy has not heard of yet is read first.
        if let Err((ticket, request)) = flow.order(ticket, request, deadline) {
            (self.reception.start)(Operation::Order(request), ticket, deadline);
        }
    }
}
