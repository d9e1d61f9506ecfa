//! Errors of exchange codes.

use super::operation_error;

operation_error! {
    /// Why a batch of codes was not created.
    CreateCodeBatchError {
        /// No template has this id.
        TemplateNotFound = TemplateNotFound,
        /// The request id belongs to another batch.
        RequestIdReused = RequestIdReused,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a batch of codes could not be read.
    GetCodeBatchError {
        /// No batch has this id.
        NotFound = CodeInvalid,
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why batches of codes could not be listed.
    ListCodeBatchesError {
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a batch of codes was not revoked.
    RevokeCodeBatchError {
        /// No batch has this id.
        NotFound = CodeInvalid,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why codes could not be exported.
    ExportCodesError {
        /// No batch has this id.
        NotFound = CodeInvalid,
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a code gave no coupon.
    ClaimByCodeError {
        /// It is not a code: mistyped, or made up. The detail tells which.
        Invalid = CodeInvalid,
        /// Other users have used it as often as it can be.
        UsedUp = CodeUsedUp,
        /// Its batch was revoked, and the user had not used it.
        Revoked = CodeRevoked,
        /// This caller has sent so many made-up codes that its codes are not looked at for a moment.
        Guessing = CodeGuessing,
        /// The template is still a draft. The user keeps the use of the code.
        NotPublished = TemplateNotPublished,
        /// The template is paused. The user keeps the use of the code.
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
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}
