//! Events: facts about coupons, as a consumer of the streams reads them.
//!
//! An entry of a stream `events:{n}` has the fields [`ID_FIELD`] and [`EVENT_FIELD`]; give both to an [`EventReader`], which
//! decodes the event and drops it if it has been there before. Each event arrives at least once. The events of one user
//! are all in one stream, and each is there for the first time before any later one: read a stream with one consumer at a
//! time, and the order stays.
//!
//! The reader remembers a bounded number of ids. When Redis loses its data, everything that the primaries still hold
//! comes again: a consumer for which a repeat matters more than that memory covers keeps the ids with what it does.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use prost::Message;
use scrip_protocol::v1;
use scrip_protocol::{CouponId, OrderId, RequestId, TemplateId, UserId};

/// The field of an entry that holds the event's id.
pub const ID_FIELD: &str = "id";
/// The field of an entry that holds the event.
pub const EVENT_FIELD: &str = "event";

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The same for every repeat.
    pub id: Arc<str>,
    /// What came to be.
    pub kind: EventKind,
    /// Of which template.
    pub template: TemplateId,
    /// Of which coupon; none: of the template itself.
    pub coupon: Option<EventCoupon>,
    /// By which order.
    pub order_id: Option<OrderId>,
    /// What a redemption took off, or what a return gave back; in minor units.
    pub amount_minor: u64,
    /// When a lock, or a coupon that is expiring, ends, in milliseconds since 1970-01-01 UTC.
    pub until_ms: Option<i64>,
    /// The request that made the coupon, of a claim.
    pub request_id: Option<RequestId>,
    /// When it came to be, in milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
}

/// The coupon that an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventCoupon {
    /// The public id.
    pub coupon_id: CouponId,
    /// Whose it is.
    pub user: UserId,
    /// The user's seq-th coupon of the template: 1, 2, ...
    pub seq: u32,
    /// The step of its operation log; none: a claim, or a reminder.
    pub step: Option<u32>,
}

/// What came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// The coupon.
    Claimed,
    /// An order holds it.
    Locked,
    /// An order has used it.
    Redeemed,
    /// Its order has freed it.
    Unlocked,
    /// Its order gave it back.
    Returned,
    /// Its end is near.
    Expiring,
    /// Its time is over.
    Expired,
    /// The time of its lock is over.
    Freed,
    /// Every unit of the template became a coupon.
    SoldOut,
    /// A kind that this version does not know.
    Newer(i32),
}

/// An entry that is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event: {0}")]
pub struct EventError(&'static str);

/// Decodes entries and drops repeats.
#[derive(Debug)]
pub struct EventReader {
    memory: usize,
    known: HashSet<Arc<str>>,
    oldest_first: VecDeque<Arc<str>>,
}

impl EventReader {
    /// A reader that remembers the last `memory` ids, some 100 bytes each.
    pub fn new(memory: usize) -> Self {
        Self { memory, known: HashSet::new(), oldest_first: VecDeque::new() }
    }

    /// The event of an entry; `None`: it has been there before.
    ///
    /// # Errors
    /// When the entry is no event. It is not remembered.
    pub fn read(&mut self, id: &str, event: &[u8]) -> Result<Option<Event>, EventError> {
        if self.known.contains(id) {
            return Ok(None);
        }
        let id: Arc<str> = Arc::from(id);
        let wire = v1::Event::decode(event).map_err(|_| EventError("it cannot be decoded"))?;
        let event = Event::from_wire(Arc::clone(&id), &wire)?;
        if self.memory > 0 {
            if self.oldest_first.len() >= self.memory
                && let Some(oldest) = self.oldest_first.pop_front()
            {
                self.known.remove(&oldest);
            }
            self.oldest_first.push_back(Arc::clone(&id));
            self.known.insert(id);
        }
        Ok(Some(event))
    }
}

impl Event {
    fn from_wire(id: Arc<str>, wire: &v1::Event) -> Result<Self, EventError> {
        let order_id = match wire.order_id.as_str() {
            "" => None,
            text => Some(OrderId::try_new(text).map_err(|_| EventError("an order id"))?),
        };
        let request_id = match &wire.request_id[..] {
            [] => None,
            bytes => Some(RequestId::try_from_slice(bytes).map_err(|_| EventError("a request id"))?),
        };
        Ok(Self {
            id,
            kind: EventKind::from_number(wire.kind),
            template: TemplateId::try_new(wire.template_id).map_err(|_| EventError("a template id"))?,
            coupon: EventCoupon::from_wire(wire)?,
            order_id,
            amount_minor: wire.amount_minor,
            until_ms: (wire.until_ms != 0).then_some(wire.until_ms),
            request_id,
            at_ms: wire.at_ms,
        })
    }
}

impl EventCoupon {
    fn from_wire(wire: &v1::Event) -> Result<Option<Self>, EventError> {
        if wire.seq == 0 {
            return Ok(None);
        }
        let coupon_id = CouponId::try_from_slice(&wire.coupon_id).map_err(|_| EventError("a coupon id"))?;
        let step = (wire.step != 0).then_some(wire.step);
        Ok(Some(Self { coupon_id, user: UserId(wire.user_id), seq: wire.seq, step }))
    }
}

impl EventKind {
    fn from_number(number: i32) -> Self {
        match v1::EventKind::try_from(number) {
            Ok(v1::EventKind::Claimed) => Self::Claimed,
            Ok(v1::EventKind::Locked) => Self::Locked,
            Ok(v1::EventKind::Redeemed) => Self::Redeemed,
            Ok(v1::EventKind::Unlocked) => Self::Unlocked,
            Ok(v1::EventKind::Returned) => Self::Returned,
            Ok(v1::EventKind::Expiring) => Self::Expiring,
            Ok(v1::EventKind::Expired) => Self::Expired,
            Ok(v1::EventKind::Freed) => Self::Freed,
            Ok(v1::EventKind::SoldOut) => Self::SoldOut,
            Ok(v1::EventKind::Unspecified) | Err(_) => Self::Newer(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sold_out() -> Vec<u8> {
        v1::Event { kind: v1::EventKind::SoldOut as i32, template_id: 9, at_ms: 77, ..v1::Event::default() }
            .encode_to_vec()
    }

    #[test]
    fn an_event_is_told_once_as_long_as_it_is_remembered() {
        let (mut reader, bytes) = (EventReader::new(2), sold_out());
        let mut is_new = |id: &str| reader.read(id, &bytes).expect("an event").is_some();
        assert_eq!(["a", "a", "b", "a", "c", "b", "a"].map(&mut is_new), [true, false, true, false, true, false, true]);
    }

    #[test]
    fn what_is_no_event_says_why_and_is_not_remembered() {
        let mut reader = EventReader::new(8);
        let check = |reader: &mut EventReader, wire: v1::Event, what: &str| {
            let error = reader.read("a", &wire.encode_to_vec()).expect_err(what);
            assert!(error.to_string().contains(what), "{error}");
        };
        assert!(reader.read("a", b"\xff").is_err());
        check(&mut reader, v1::Event::default(), "template id");
        check(&mut reader, v1::Event { template_id: 9, seq: 1, ..v1::Event::default() }, "coupon id");
        let event = reader.read("a", &sold_out()).expect("an event").expect("the first time");
        assert_eq!((event.kind, event.coupon, event.at_ms), (EventKind::SoldOut, None, 77));
        let newer = v1::Event { kind: 99, template_id: 9, ..v1::Event::default() }.encode_to_vec();
        assert_eq!(reader.read("b", &newer).expect("an event").map(|event| event.kind), Some(EventKind::Newer(99)));
    }
}
