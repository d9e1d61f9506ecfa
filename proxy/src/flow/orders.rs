//! Where a request of an order goes.

use scrip_protocol::v1::Code;
use scrip_protocol::{CouponId, CouponNumber, UserId};
use tokio::time::Instant;

use super::Flow;
use crate::order::rules::Wish;
use crate::order::{Item, NoCoupon, OrderRequest, OrderTask};
use crate::outbox::Ticket;
use crate::store::steps::CouponKey;

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
        let task = OrderTask::new(ticket, request.order, items, deadline);
        self.orders[self.primary_of(user)].enter(self, task);
        Ok(())
    }
}
