//! Quoting orders.

use scrip_protocol::v1;
use scrip_protocol::v1::request::Operation as Wire;
use scrip_protocol::{CouponId, UserId};

use super::Client;
use crate::error::QuoteError;
use crate::quote::{Order, Quote};
use crate::reply::{Answer, wrong_kind};

impl Client {
    /// Which of the user's coupons apply to an order, what each takes off, why the others do not, and which of them together
    /// take off the most. `coupons`: only these, at most 100; empty: every unused one, up to 100. A quote changes nothing
    /// and promises nothing: lock the coupons to hold them.
    ///
    /// # Errors
    /// Nothing is changed by it: ask again. [`QuoteError::Rejected`] names everything that is wrong with the order.
    pub async fn quote(&self, user: UserId, order: &Order, coupons: &[CouponId]) -> Result<Quote, QuoteError> {
        let coupon_ids = coupons.iter().map(|id| id.to_bytes()).collect();
        let operation = v1::Quote { user_id: user.get(), order: Some(order.into()), coupon_ids };
        match self.ask(Wire::Quote(Box::new(operation))).await? {
            Answer::Quote(quote) => Ok(*quote),
            _ => Err(wrong_kind().into()),
        }
    }
}
