//! The errors: one enum for each operation, all with the same three questions.

use std::time::Duration;

use scrip_protocol::Disposition;
use scrip_protocol::v1::Code;

use crate::config::ConfigError;
use crate::failure::Failure;
use crate::policy::{self, Kind};

/// Why a client could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Every proxy refuses this caller: mend the token, the name, the version or the topology.
    #[error("every proxy refuses this client: {}", list(.0))]
    Refused(Vec<ProxyFailure>),
    /// There is no tokio runtime to run on.
    #[error("a client needs a tokio runtime; blocking::Client brings its own")]
    NoRuntime,
    /// No proxy could be reached in time.
    #[error("no proxy could be reached: {}", list(.0))]
    Unreachable(Vec<ProxyFailure>),
}

/// Why a proxy does not serve this client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyFailure {
    /// The proxy's address.
    pub proxy: String,
    /// The code of its refusal; none when it could not be reached.
    pub code: Option<Code>,
    /// What happened, for people.
    pub detail: String,
}

fn list(failures: &[ProxyFailure]) -> String {
    let lines: Vec<_> = failures.iter().map(|failure| format!("{}: {}", failure.proxy, failure.detail)).collect();
    lines.join("; ")
}

macro_rules! operation_error {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        pub enum $name {
            $($(#[$variant_doc])* #[error("{0}")] $variant(Failure),)*
            /// Not applied, and the same request is refused again until something changes: the detail says what.
            #[error("{0}")]
            Rejected(Failure),
            /// Not applied; the same request may succeed later.
            #[error("{0}")]
            Unavailable(Failure),
            /// It may or may not have taken effect: ask again with the same request id.
            #[error("{0}")]
            Unknown(Failure),
        }

        impl $name {
            /// What became of the request.
            pub fn disposition(&self) -> Disposition {
                match self {
                    $(Self::$variant(_) => Disposition::NotApplied,)*
                    Self::Rejected(_) => Disposition::NotApplied,
                    Self::Unavailable(_) => Disposition::NotApplied,
                    Self::Unknown(_) => Disposition::Unknown,
                }
            }

            /// The code, also where the client found the failure by itself.
            pub fn code(&self) -> Code {
                self.failure().code()
            }

            /// What was wrong and how to mend it, for people.
            pub fn detail(&self) -> &str {
                self.failure().detail()
            }

            /// When the proxy advises to try again.
            pub fn retry_after(&self) -> Option<Duration> {
                self.failure().retry_after()
            }

            /// Everything that is known about it.
            pub fn failure(&self) -> &Failure {
                match self {
                    $(Self::$variant(failure) => failure,)*
                    Self::Rejected(failure) => failure,
                    Self::Unavailable(failure) => failure,
                    Self::Unknown(failure) => failure,
                }
            }
        }

        impl From<$name> for Failure {
            fn from(error: $name) -> Self {
                match error {
                    $($name::$variant(failure) => failure,)*
                    $name::Rejected(failure) => failure,
                    $name::Unavailable(failure) => failure,
                    $name::Unknown(failure) => failure,
                }
            }
        }

        impl From<Failure> for $name {
            fn from(failure: Failure) -> Self {
                match failure.code {
                    $(Code::$code => Self::$variant(failure),)*
                    code => match (policy::kind(code), failure.disposition()) {
                        (Kind::Rejected, _) => Self::Rejected(failure),
                        (Kind::Unavailable, _) => Self::Unavailable(failure),
                        // A code that a newer proxy added: its range says that much.
                        (Kind::Unknown, Disposition::NotApplied) => Self::Rejected(failure),
                        (Kind::Unknown, Disposition::Unknown | Disposition::Applied) => Self::Unknown(failure),
                    },
                }
            }
        }
    };
}

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
    /// Why an order was not quoted.
    QuoteError {
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a template was not created.
    CreateTemplateError {
        /// The request id belongs to another request.
        RequestIdReused = RequestIdReused,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a template could not be read.
    GetTemplateError {
        /// No template has this id.
        NotFound = TemplateNotFound,
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why templates could not be listed.
    ListTemplatesError {
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a template's status was not changed.
    SetStatusError {
        /// No template has this id.
        NotFound = TemplateNotFound,
        /// The action does not lead on from the template's status.
        InvalidTransition = InvalidTransition,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a template's stock was not changed.
    ReplenishError {
        /// No template has this id.
        NotFound = TemplateNotFound,
        /// The template is closed for good.
        Closed = TemplateClosed,
        /// The template is still a draft.
        NotPublished = TemplateNotPublished,
        /// The request id belongs to another request.
        RequestIdReused = RequestIdReused,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a bulk job was not created.
    CreateBulkJobError {
        /// No template has this id.
        TemplateNotFound = TemplateNotFound,
        /// The request id belongs to another job.
        RequestIdReused = RequestIdReused,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why users were not added to a bulk job; some of them may be on its list. Adding them again is always safe.
    AddBulkUsersError {
        /// No bulk job has this id.
        NotFound = BulkJobNotFound,
        /// The job was started.
        Sealed = BulkJobSealed,
        /// The job was cancelled.
        Cancelled = BulkJobCancelled,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a bulk job was not started.
    StartBulkJobError {
        /// No bulk job has this id.
        NotFound = BulkJobNotFound,
        /// Its list has another number of users, or other ones: the detail says which.
        CountMismatch = BulkCountMismatch,
        /// The job was cancelled.
        Cancelled = BulkJobCancelled,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why the state of a bulk job was not changed.
    SetBulkJobStateError {
        /// No bulk job has this id.
        NotFound = BulkJobNotFound,
        /// The action does not lead on from the job's state.
        InvalidTransition = InvalidTransition,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why the progress of a bulk job could not be told.
    GetBulkJobError {
        /// No bulk job has this id.
        NotFound = BulkJobNotFound,
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why bulk jobs could not be listed.
    ListBulkJobsError {
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why results of a bulk job could not be listed.
    ListBulkResultsError {
        /// No bulk job has this id.
        NotFound = BulkJobNotFound,
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

/// Which step of a submission failed. Submitting the same list under the same request id again goes on from there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitBulkJobError {
    /// The job was not created.
    #[error("the job was not created: {0}")]
    Create(#[from] CreateBulkJobError),
    /// Users were not added.
    #[error("users were not added: {0}")]
    Add(#[from] AddBulkUsersError),
    /// It was not started.
    #[error("the job was not started: {0}")]
    Start(#[from] StartBulkJobError),
}

impl From<SubmitBulkJobError> for Failure {
    fn from(error: SubmitBulkJobError) -> Self {
        match error {
            SubmitBulkJobError::Create(error) => error.into(),
            SubmitBulkJobError::Add(error) => error.into(),
            SubmitBulkJobError::Start(error) => error.into(),
        }
    }
}

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

operation_error! {
    /// Why a pack gave no coupon at all. [`Failure::template`] says which item it is about.
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
