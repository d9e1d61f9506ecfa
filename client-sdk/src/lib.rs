//! The client of scrip: claims, reads and administers coupons through any of several proxies.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use scrip_client::{Claim, Client, ClientConfig, TemplateId, UserId, mint_request_id};
//!
//! let client = Client::connect(ClientConfig::new(["proxy-1:7400", "proxy-2:7400"], "checkout", "token")).await?;
//! let request_id = mint_request_id(); // store it, then send it
//! let claim = Claim::new(UserId(42), TemplateId::try_new(7)?, request_id).first_try();
//! let coupon = client.claim(claim).await?;
//! # Ok(()) }
//! ```
//!
//! Invariants:
//! - No claim leaves without a request id of the caller's, and every resend carries the same one.
//! - A request with an effect that was written and whose outcome is not known never ends as *not applied*.
//! - One deadline covers all attempts, and a call ends within a few milliseconds of it whatever the proxy does.
//! - Every queue is bounded. No secret is logged or shown.
//! - No lock is held across an await, and no timer runs while nothing is in flight.
//!
//! | module     | what                                                                                |
//! |------------|-------------------------------------------------------------------------------------|
//! | `client`   | [`Client`] and its operations                                                       |
//! | [`blocking`] | the same for code without a runtime                                               |
//! | `stream`   | [`ClaimStream`], [`OrderStream`]: many requests in flight without a task for each   |
//! | `coupon`, `pack`, `order`, `template`, `rule`, `quote`, `bulk`, `exchange` | what goes in and comes out, typed |
//! | [`event`]  | facts about coupons, as a consumer of the streams reads them                        |
//! | `error`, `failure` | an enum for each operation; what is known about a failure                   |
//! | `config`, `secret` | what a client is told, and every violation of it                            |
//! | `shared`   | picks connections; `shared/outcome` decides what becomes of a call after an attempt |
//! | `policy`   | what each code means for the next attempt: the only place                           |
//! | `link`     | one connection: queue, table of requests in flight, session, handshake              |
//! | `writes`   | when users were last written, so that reads from replicas show it                    |
//! | `call`, `delivery`, `reply`, `table`, `room`, `budget`, `dice` | parts of the above              |

pub mod blocking;
mod budget;
mod bulk;
mod call;
mod client;
mod config;
mod coupon;
mod delivery;
mod dice;
mod error;
pub mod event;
mod exchange;
mod failure;
mod link;
mod order;
mod pack;
mod policy;
mod quote;
mod reply;
mod request_id;
mod room;
mod rule;
mod secret;
mod shared;
mod stream;
mod table;
mod template;
mod writes;

pub use bulk::{
    BulkCursor, BulkJob, BulkJobPage, BulkJobQuery, BulkJobState, BulkList, BulkOutcome, BulkProgress, BulkResult,
    BulkResultPage, NewBulkJob,
};
pub use client::{Bulk, BulkResults, Client, Codes, ConnectionHealth, ConnectionState, CouponPages, ExportedCodes};
pub use config::{BackoffConfig, ClientConfig, ConfigError, RetryConfig, Violation};
pub use coupon::{Claim, Coupon, CouponCounts, CouponCursor, CouponOrder, CouponPage, CouponQuery, CouponStatus};
pub use error::{
    AddBulkUsersError, ClaimByCodeError, ClaimError, ClaimPackError, ConnectError, CreateBulkJobError,
    CreateCodeBatchError, CreateTemplateError, ExportCodesError, GetBulkJobError, GetClaimError, GetCodeBatchError,
    GetCouponError, GetTemplateError, ListBulkJobsError, ListBulkResultsError, ListCodeBatchesError, ListCouponsError,
    ListTemplatesError, OrderError, PingError, ProxyFailure, QuoteError, ReplenishError, RevokeCodeBatchError,
    SetBulkJobStateError, SetStatusError, StartBulkJobError, SubmitBulkJobError,
};
pub use exchange::{CodeBatch, CodeBatchPage, CodeBatchQuery, CodeBatchStatus, NewCodeBatch};
pub use failure::Failure;
pub use order::{CouponHistory, CouponStep, OrderRequest, Redemption, StepKind};
pub use pack::{Pack, PackItem};
pub use quote::{
    ApplicableCoupon, Combination, CombinedCoupon, InapplicableCoupon, Order, OrderLine, Quote, QuoteReason,
};
pub use request_id::mint_request_id;
pub use rule::{Applicability, Benefit, DailyLimit, Rules, Selection, Stacking};
pub use scrip_protocol::v1::Code;
pub use scrip_protocol::{
    BulkJobId, CodeBatchId, CouponId, CouponNumber, Disposition, OrderId, RequestId, TemplateId, UserId,
};
pub use secret::Secret;
pub use stream::{ClaimStream, Completion, OrderCompletion, OrderStream, RequestStream, Streamed};
pub use template::{StockChange, Template, TemplateDefinition, TemplatePage, TemplateQuery, TemplateStatus, Validity};
