//! What a code means: what became of the request, whose fault it is, why, and what to do.
//!
//! A code's row in the table below is its only place. The matches that it expands to are exhaustive: a code that is
//! added to `code.proto` does not compile until it has a row.

use std::fmt;

use crate::v1::{Code, Response};

use Disposition::{Applied, NotApplied, Unknown};
use Fault::{Caller, Rules, Service};

/// What became of the request: every code has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// It took effect.
    Applied,
    /// It did not and will not take effect: safe to try anew.
    NotApplied,
    /// It may or may not: ask again with the same request id.
    Unknown,
}

/// Whose fault it is that the request was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller's: the same request fails again until the caller changes.
    Caller,
    /// Nobody's: the rules of the template say no.
    Rules,
    /// The service's, or that of what it stands on: the same request may succeed later.
    Service,
}

impl Disposition {
    /// What a code of this number means, from its range alone. An older client so understands a code that a newer
    /// proxy added. A number outside of every range, 0 included, tells nothing: [`Disposition::Unknown`].
    pub fn of_number(number: i32) -> Self {
        match number {
            1..=9 => Applied,
            10..=89 => NotApplied,
            _ => Unknown,
        }
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Applied => "applied",
            NotApplied => "not applied",
            Unknown => "unknown",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Caller => "caller",
            Rules => "rules",
            Service => "service",
        })
    }
}

impl Response {
    /// What became of the request, also for a code that this version does not know.
    pub fn disposition(&self) -> Disposition {
        Disposition::of_number(self.code)
    }
}

macro_rules! codes {
    ($($code:ident: $disposition:expr, $fault:expr, $cause:literal, $remedy:literal;)*) => {
        impl Code {
            /// Every code, in the order of the numbers.
            pub const ALL: &[Code] = &[$(Code::$code,)*];

            /// What became of the request. `None` for [`Code::Unspecified`], which no proxy sends.
            pub fn disposition(self) -> Option<Disposition> {
                match self { $(Code::$code => $disposition,)* }
            }

            /// Whose fault it is. `None` for [`Code::Ok`] and [`Code::Unspecified`].
            pub fn fault(self) -> Option<Fault> {
                match self { $(Code::$code => $fault,)* }
            }

            /// Why a proxy answers so.
            pub fn cause(self) -> &'static str {
                match self { $(Code::$code => $cause,)* }
            }

            /// What the caller does about it.
            pub fn remedy(self) -> &'static str {
                match self { $(Code::$code => $remedy,)* }
            }
        }
    };
}

codes! {
    Unspecified: None, None,
        "The peer sent no code, or one that this version of the messages does not name.",
        "Go by the range of the number; 0 is a defect of the peer: ask again with the same request id.";
    Ok: Some(Applied), None,
        "The request took effect, now or when it was first sent.",
        "None needed.";

    MalformedFrame: Some(NotApplied), Some(Caller),
        "The bytes of the frame are not a message. The connection is closed.",
        "Write each message behind its length as a varint; connect anew.";
    FrameTooLarge: Some(NotApplied), Some(Caller),
        "A length prefix announces more than the limit in Welcome. The connection is closed.",
        "Send smaller requests; connect anew.";
    InvalidRequest: Some(NotApplied), Some(Caller),
        "A field is missing or out of its limits, or the proxy does not know the operation.",
        "The detail names each field with its value and a fix.";
    UnsupportedVersion: Some(NotApplied), Some(Caller),
        "The proxy does not speak the protocol version in Hello.",
        "Use a version that the detail names.";
    HelloRequired: Some(NotApplied), Some(Caller),
        "The connection sent an operation before a Hello that was accepted.",
        "Send Hello first and wait for Welcome.";
    Unauthenticated: Some(NotApplied), Some(Caller),
        "The caller is not in the proxy's list, or the token is not the caller's. The connection is closed.",
        "Correct the name or the token.";
    TopologyMismatch: Some(NotApplied), Some(Caller),
        "The proxy runs on another topology than the fingerprint in Hello.",
        "Roll out one topology to both, or expect none.";
    DuplicateCorrelationId: Some(NotApplied), Some(Caller),
        "The id of the request is in use by another one in flight on the connection.",
        "Number the requests of a connection 1, 2, 3, ...";
    RequestIdReused: Some(NotApplied), Some(Caller),
        "The request id was used before for something else.",
        "Mint a new request id for each thing wanted; keep it for resends only.";

    TemplateNotFound: Some(NotApplied), Some(Rules),
        "No template has this id.",
        "Correct the id. A template is known to every proxy moments after its creation.";
    TemplateNotPublished: Some(NotApplied), Some(Rules),
        "The template is a draft.",
        "Publish it first.";
    TemplatePaused: Some(NotApplied), Some(Rules),
        "The template is paused.",
        "Wait until it is resumed.";
    TemplateClosed: Some(NotApplied), Some(Rules),
        "The template is closed for good.",
        "Stop asking.";
    ClaimNotStarted: Some(NotApplied), Some(Rules),
        "Claims of the template are not accepted yet.",
        "Wait until claim_start_ms of its definition.";
    ClaimEnded: Some(NotApplied), Some(Rules),
        "Claims of the template are no longer accepted.",
        "Stop asking.";
    SoldOut: Some(NotApplied), Some(Rules),
        "Every unit became a coupon: the ledgers add up to the total.",
        "Stop asking until the template is replenished.";
    LimitReached: Some(NotApplied), Some(Rules),
        "The user has as many coupons of the template as one user may.",
        "Stop asking for this user.";
    ClaimNotFound: Some(NotApplied), Some(Rules),
        "No coupon carries this request id.",
        "If the claim is no longer in flight anywhere, it had no effect. Sending it again with its id is always safe.";
    InvalidTransition: Some(NotApplied), Some(Rules),
        "The action does not lead on from the template's status.",
        "Read the template; see the actions in template.proto.";
    DailyLimitReached: Some(NotApplied), Some(Rules),
        "The user has claimed as many coupons of the template today as one user may in a day.",
        "Ask again on the next day of the template; see day_starts_at_utc_offset_minutes.";
    BulkJobNotFound: Some(NotApplied), Some(Rules),
        "No bulk job has this id.",
        "Correct the id: CreateBulkJob answered it.";
    BulkJobSealed: Some(NotApplied), Some(Rules),
        "The bulk job was started, so its list is closed.",
        "Create another job for other users. If a start was lost on the way, send it again.";
    BulkCountMismatch: Some(NotApplied), Some(Rules),
        "The list of the bulk job has not as many users as the start said, or other ones.",
        "Add the users that are missing, or start with the number in the detail.";
    BulkJobCancelled: Some(NotApplied), Some(Rules),
        "The bulk job was cancelled.",
        "Create another job for the users without a coupon.";
    CodeInvalid: Some(NotApplied), Some(Rules),
        "It is not a code of this deployment: mistyped, or made up; or no batch of codes has this id.",
        "The detail says which symbol to look at; type it again.";
    CodeUsedUp: Some(NotApplied), Some(Rules),
        "Other users have used the code as often as it can be.",
        "Stop asking with this code.";
    CodeRevoked: Some(NotApplied), Some(Rules),
        "The batch of the code was revoked, and the user had not used the code before.",
        "Stop asking with this code.";
    CodeGuessing: Some(NotApplied), Some(Rules),
        "The caller has sent so many made-up codes that its codes are not looked at for a moment.",
        "Try again after retry_after_ms; find out who of its users makes codes up.";

    CouponNotFound: Some(NotApplied), Some(Rules),
        "The id is not one of this deployment's, or no such coupon exists.",
        "Correct the id.";
    CouponForeign: Some(NotApplied), Some(Rules),
        "The coupon is another user's.",
        "Name the user whose coupon it is.";
    CouponNotYetValid: Some(NotApplied), Some(Rules),
        "The coupon cannot be used before its time.",
        "Wait until valid_from_ms.";
    CouponExpired: Some(NotApplied), Some(Rules),
        "The coupon's time is over.",
        "Stop asking.";
    CouponLocked: Some(NotApplied), Some(Rules),
        "Another order holds the coupon; or it is locked, and only what was used can be returned.",
        "Wait until the other order unlocks it or its lock ends; unlock what is to be freed.";
    CouponUsed: Some(NotApplied), Some(Rules),
        "An order has used the coupon.",
        "Stop asking; the order that used it can return it.";
    CouponNotUsed: Some(NotApplied), Some(Rules),
        "This order has not used the coupon, so there is nothing to return.",
        "Name the order that used it.";
    OrderDone: Some(NotApplied), Some(Rules),
        "This order has unlocked or returned the coupon, and is done with it for good.",
        "Use another order id for a new attempt.";
    BudgetSpent: Some(NotApplied), Some(Rules),
        "What is left of the template's budget is less than what its coupons are to take off.",
        "Leave the coupon out of the order, or let it take off less.";
    CouponWornOut: Some(NotApplied), Some(Rules),
        "The operation log of the coupon is full: it was locked and freed as often as a coupon can be.",
        "Redeem or return it, if an order holds it; give the user another coupon.";

    Overloaded: Some(NotApplied), Some(Service),
        "A queue on the way is full.",
        "Try again after retry_after_ms, or on another proxy, within a retry budget.";
    RateLimited: Some(NotApplied), Some(Caller),
        "The caller is above its rate.",
        "Try again after retry_after_ms; ask the operator for a higher rate.";
    DeadlineExceeded: Some(NotApplied), Some(Service),
        "The deadline passed before the request could have an effect.",
        "Try again with the same request id and more time.";
    Draining: Some(NotApplied), Some(Service),
        "The proxy is about to stop.",
        "Try again at once on another proxy.";
    NotReady: Some(NotApplied), Some(Service),
        "The proxy has not finished starting, or has lost what it needs to serve.",
        "Try again on another proxy.";
    PrimaryUnavailable: Some(NotApplied), Some(Service),
        "The primary of this user's tail cannot be written to. Other users are not affected.",
        "Try again after retry_after_ms; every proxy will say the same until the primary is back.";
    StockUnavailable: Some(NotApplied), Some(Service),
        "No stock of it can be had now: its shards cannot be reached, or others hold what is left. It is not sold out.",
        "Try again after retry_after_ms.";
    MetaUnavailable: Some(NotApplied), Some(Service),
        "The meta schema, which holds templates and epochs, cannot be reached.",
        "Try again after retry_after_ms.";
    StoreRefused: Some(NotApplied), Some(Service),
        "A store refused the work: read-only, full, of another schema, or not the server that it should be.",
        "Try again later; the operator finds the store and its words in the proxy's log.";
    Contended: Some(NotApplied), Some(Service),
        "Others changed the same rows at once, more often than the proxy tries again.",
        "Try again after retry_after_ms with the same request id.";

    CouponArchived: Some(NotApplied), Some(Rules),
        "The coupon was dead for long, and left for the archive: nothing can be done with it any more.",
        "Stop asking; its operator finds it and its operation log in the archive's files.";

    OutcomeUnknown: Some(Unknown), Some(Service),
        "The connection to a primary was lost in the commit, and the deadline came before the answer was found.",
        "Ask again with the same request id, at any time: the answer is definite.";
}
