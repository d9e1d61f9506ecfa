//! Errors of what orders do with coupons.

use super::operation_error;

operation_error! {
    /// Why an order's coupons were not changed: none of them was.
    OrderError {
        /// An id is not one of this deployment's, or no such coupon exists.
        NotFound = CouponNotFound,
        /// A coupon is another user's.
        Foreign = CouponForeign,
        /// A coupon cannot be used yet.
        NotYetValid = CouponNotYetValid,
        /// A coupon's time is over.
        Expired = CouponExpired,
        /// Another order holds a coupon; of a return: it is locked and not used.
        Locked = CouponLocked,
        /// An order has used a coupon.
        Used = CouponUsed,
        /// This order has not used a coupon that it is to return.
        NotUsed = CouponNotUsed,
        /// This order has unlocked or returned a coupon, and is done with it for good.
        OrderDone = OrderDone,
        /// What is left of a template's budget is less than what its coupons are to take off.
        BudgetSpent = BudgetSpent,
        /// The operation log of a coupon is full.
        WornOut = CouponWornOut,
        /// A coupon was dead for long and is archived. Whether this very order had changed it before, the archive tells.
        Archived = CouponArchived,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why an order was not quoted.
    QuoteError {
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}
