//! Operations of orders.

use std::time::Duration;

use scrip_protocol::v1;
use scrip_protocol::v1::request::Operation as Wire;
use scrip_protocol::{CouponId, CouponNumber, OrderId, UserId};

use super::Client;
use crate::coupon::Coupon;
use crate::error::{GetCouponError, OrderError};
use crate::order::{CouponHistory, OrderRequest, Redemption};
use crate::reply::{Answer, wrong_kind};
use crate::stream::{OrderStream, coupons_of};
use crate::writes::Reads;

/// Each takes effect on all coupons that it names or on none, and may be sent any number of times: the order's id is what
/// makes it idempotent. The coupons come back as they stand after it, in the order in which they were named;
/// [`Coupon::replayed`] is set where it had been done before.
impl Client {
    /// Holds unused coupons for an order. They free themselves after `ttl` (1 ms to 30 days, in whole milliseconds). A lock
    /// that was made in time keeps a coupon usable until the lock ends, also past the coupon's end.
    ///
    /// # Errors
    /// [`OrderError::disposition`] says whether it may have taken effect.
    pub async fn lock_coupons(
        &self,
        user: UserId,
        order_id: &OrderId,
        coupons: &[CouponId],
        ttl: Duration,
    ) -> Result<Vec<Coupon>, OrderError> {
        self.order(OrderRequest::lock(user, order_id, coupons, ttl)).await
    }

    /// Uses coupons: those that the order holds, or unused ones.
    ///
    /// # Errors
    /// [`OrderError::disposition`] says whether it may have taken effect.
    pub async fn redeem_coupons(
        &self,
        user: UserId,
        order_id: &OrderId,
        coupons: &[Redemption],
    ) -> Result<Vec<Coupon>, OrderError> {
        self.order(OrderRequest::redeem(user, order_id, coupons)).await
    }

    /// Frees coupons that the order holds. One that it does not hold stays what it is, and the order can never take it: a
    /// lock that comes late is refused.
    ///
    /// # Errors
    /// [`OrderError::disposition`] says whether it may have taken effect.
    pub async fn unlock_coupons(
        &self,
        user: UserId,
        order_id: &OrderId,
        coupons: &[CouponId],
    ) -> Result<Vec<Coupon>, OrderError> {
        self.order(OrderRequest::unlock(user, order_id, coupons)).await
    }

    /// Gives coupons back that the order has used: all of them or some.
    ///
    /// # Errors
    /// [`OrderError::disposition`] says whether it may have taken effect.
    pub async fn return_coupons(
        &self,
        user: UserId,
        order_id: &OrderId,
        coupons: &[CouponId],
    ) -> Result<Vec<Coupon>, OrderError> {
        self.order(OrderRequest::give_back(user, order_id, coupons)).await
    }

    /// A coupon and its operation log.
    ///
    /// # Errors
    /// Nothing is changed by it: ask again.
    pub async fn get_coupon(&self, user: UserId, coupon: CouponId) -> Result<CouponHistory, GetCouponError> {
        let (user_id, coupon_id) = (user.get(), coupon.to_bytes());
        let max_staleness_ms = self.staleness_ms(Reads::User(user));
        self.history(v1::GetCoupon { user_id, coupon_id, max_staleness_ms, ..v1::GetCoupon::default() }).await
    }

    /// The coupon with this number, of whichever user, and its operation log.
    ///
    /// # Errors
    /// Nothing is changed by it: ask again. [`GetCouponError::NotFound`] says which part of the number to look at.
    pub async fn find_coupon(&self, number: CouponNumber) -> Result<CouponHistory, GetCouponError> {
        let (number, max_staleness_ms) = (number.to_string(), self.staleness_ms(Reads::Anyone));
        self.history(v1::GetCoupon { number, max_staleness_ms, ..v1::GetCoupon::default() }).await
    }

    async fn history(&self, operation: v1::GetCoupon) -> Result<CouponHistory, GetCouponError> {
        match self.ask(Wire::GetCoupon(operation)).await? {
            Answer::CouponHistory(history) => Ok(history),
            _ => Err(wrong_kind().into()),
        }
    }

    /// A way to keep up to `in_flight_max` requests of orders under way without a task for each.
    pub fn order_stream(&self, in_flight_max: usize) -> OrderStream {
        OrderStream::new(self.clone(), in_flight_max)
    }

    async fn order(&self, request: OrderRequest) -> Result<Vec<Coupon>, OrderError> {
        coupons_of(self.ask(request.0).await)
    }
}
