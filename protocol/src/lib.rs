//! The wire format of scrip.
//!
//! A pure codec: no I/O, no clock. Messages are generated from `proto/scrip/v1/*.proto`; what the generator cannot
//! know (limits, dispositions, identifiers that cannot be mixed up) is written here.
//!
//! Invariants: a size read off the wire never allocates before it is checked; every code has a disposition; a number,
//! once given to a field or a code, keeps its meaning for good; nothing here depends on another crate of scrip.
//!
//! | module     | what                                                 |
//! |------------|------------------------------------------------------|
//! | [`v1`]     | the generated messages                               |
//! | [`frame`]  | varint-length-delimited frames over a byte buffer    |
//! | `codec`    | the same frames for tokio-util (feature `tokio`)     |
//! | [`id`]     | identifiers: user, template, bulk job, batch of codes, request, coupon |
//! | [`code`]   | what a code means: disposition, fault, cause, remedy |
//! | [`limits`] | every limit, with the failure that it prevents       |
//! | [`check`]  | are the fields of a message within the limits?       |
//! | [`page`]   | pages that fit into a frame                          |
//! | [`number`], [`symbols`] | a coupon's number as text, and the symbols that it is made of |

pub mod check;
pub mod code;
#[cfg(feature = "tokio")]
pub mod codec;
pub mod frame;
pub mod id;
pub mod limits;
pub mod number;
pub mod page;
pub mod symbols;

/// The generated messages of package `scrip.v1`.
pub mod v1 {
    #![allow(missing_docs, reason = "generated; the .proto files carry the documentation")]
    include!(concat!(env!("OUT_DIR"), "/scrip.v1.rs"));
}

pub use check::Violation;
pub use code::{Disposition, Fault};
pub use id::{BulkJobId, CodeBatchId, CouponId, OrderId, RequestId, TemplateId, UserId};
pub use number::CouponNumber;

/// The version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u32 = 1;
