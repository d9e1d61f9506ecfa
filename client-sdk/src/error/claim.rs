//! Errors of claims and packs, and of reading coupons.

use super::operation_error;

operation_error! {
    /// Why a claim gave no coupon.
    ClaimError {
        /// No template has this id.
        TemplateNotFound = TemplateNotFound,
        /// The template is still a draft.
        NotPublished = TemplateNotPublished,
        /// The template is paused.
        Paused = TemplatePaused,
        /// The template is closed for good.
        Closed = TemplateClosed,
        /// Claims are not accepted yet.
        NotStarted = ClaimNotStarted,
        /// Claims are no longer accepted.
        Ended = ClaimEnded,
        /// Every unit became a coupon.
        SoldOut = SoldOut,
        /// The user has as many coupons of the template as one user may.
        LimitReached = LimitReached,
        /// The user has claimed as many coupons of the template today as one user may in a day.
        DailyLimitReached = DailyLimitReached,
        /// The request id belongs to another request.
        RequestIdReused = RequestIdReused,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why the coupon of a request id could not be told.
    GetClaimError {
        /// No coupon carries this request id.
        NotFound = ClaimNotFound,
        /// No template has this id.
        TemplateNotFound = TemplateNotFound,
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a user's coupons could not be listed.
    ListCouponsError {
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a coupon could not be shown.
    GetCouponError {
        /// The id is not one of this deployment's, or no such coupon exists.
        NotFound = CouponNotFound,
        /// The coupon was dead for long and is archived, with its log.
        Archived = CouponArchived,
        /// The coupon is another user's.
        Foreign = CouponForeign,
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a pack gave no coupon at all. [`Failure::template`](crate::Failure::template) says which item it is about.
    ClaimPackError {
        /// No template has this id.
        TemplateNotFound = TemplateNotFound,
        /// The template of an item is still a draft.
        NotPublished = TemplateNotPublished,
        /// The template of an item is paused.
        Paused = TemplatePaused,
        /// The template of an item is closed for good.
        Closed = TemplateClosed,
        /// Claims of an item are not accepted yet.
        NotStarted = ClaimNotStarted,
        /// Claims of an item are no longer accepted.
        Ended = ClaimEnded,
        /// Every unit of an item became a coupon.
        SoldOut = SoldOut,
        /// With this pack the user would have more coupons of an item than one user may.
        LimitReached = LimitReached,
        /// With this pack the user would have claimed more coupons of an item today than one user may in a day.
        DailyLimitReached = DailyLimitReached,
        /// The request id belongs to a pack of other items.
        RequestIdReused = RequestIdReused,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why no pong came.
    PingError {
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}
