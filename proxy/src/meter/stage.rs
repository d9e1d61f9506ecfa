//! Where claims spend their time: one histogram a stage.
//!
//! A claim's time is taken once a group and not once a claim: what a lane takes out of its queue leaves it at one
//! moment, and what it hands on enters the next queue at one moment.

use super::{Histogram, line};

const NAME: &str = "scrip_stage_seconds";
/// What the metric means.
const HELP: &str = "The time that claims spend in a stage: waiting for a lane, or in its call.";

macro_rules! stages {
    ($($(#[doc = $help:literal])+ $field:ident;)+) => {
        /// One histogram a stage.
        #[derive(Debug, Default)]
        pub struct Stages {
            $($(#[doc = $help])+ pub $field: Histogram,)+
        }

        impl Stages {
            pub(super) fn render(&self, text: &mut String) {
                line(text, format_args!("# HELP {NAME} {HELP}\n# TYPE {NAME} histogram"));
                $(self.$field.render(text, NAME, concat!("stage=\"", stringify!($field), "\","));)+
            }
        }
    };
}

stages! {
    /// From the reading of the request, or from the stage before, until a stock lane takes the claim.
    stock_queue;
    /// The call that takes units.
    stock_call;
    /// From a stock lane, or from admission if it is to be looked up, until a record lane takes the claim.
    record_queue;
    /// The query for coupons that users have already.
    look_up;
    /// The transaction.
    record_call;
    /// From the reading of an order's request until an order lane takes it.
    order_queue;
    /// The query for the logs of its coupons.
    order_read;
    /// The transaction that appends to them.
    order_call;
    /// From when a pack was sent to its lane until the lane takes it.
    pack_queue;
    /// The queries for packs and for coupons of their users.
    pack_read;
    /// The transaction that records packs.
    pack_call;
}
