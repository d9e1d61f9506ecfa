//! From rows to the entries of one shard: pure.

use bytes::Bytes;
use prost::Message;
use scrip_protocol::v1::{Event, EventBatch};
use scrip_protocol::{TemplateId, UserId};
use scrip_shard_config::{PrimaryId, Tail};

use crate::coupon_id::CouponIds;
use crate::store::events::{Entry, OutboxRow};

/// Of which stream an event is: the user's tail decides, or the template if it is about no user.
pub(super) fn stream_of(event: &Event, count: u16) -> u16 {
    let number = if event.seq == 0 { event.template_id } else { Tail::of_user(event.user_id).get().into() };
    // Below the count, which is a u16.
    (number % u32::from(count.max(1))) as u16
}

/// The entries of a row, in its order; none of a row that cannot be read.
pub(super) fn entries(primary: PrimaryId, row: &OutboxRow, streams: u16, ids: &CouponIds) -> Vec<Entry> {
    let batch = match EventBatch::decode(row.events.clone()) {
        Ok(batch) => batch,
        Err(error) => {
            tracing::error!(%primary, row = row.id, %error, "a row of the outbox cannot be read and is passed over");
            return Vec::new();
        }
    };
    let entries = batch.events.into_iter().enumerate().map(|(index, mut event)| {
        event.coupon_id = coupon_id(&event, ids).unwrap_or_default();
        let id = format!("{primary}-{}-{}-{index}", row.id, row.at_ms);
        Entry { stream: stream_of(&event, streams), id, event: Bytes::from(event.encode_to_vec()) }
    });
    entries.collect()
}

fn coupon_id(event: &Event, ids: &CouponIds) -> Option<Bytes> {
    let seq = u16::try_from(event.seq).ok().filter(|seq| *seq > 0)?;
    let template = TemplateId::try_new(event.template_id).ok()?;
    Some(ids.encode(UserId(event.user_id), template, seq).to_bytes())
}

#[cfg(test)]
mod tests {
    use scrip_protocol::v1::EventKind;

    use super::*;
    use crate::coupon_id::CouponKey;

    fn event(kind: EventKind, user_id: u64, seq: u32) -> Event {
        Event { kind: kind as i32, template_id: 19, user_id, seq, ..Event::default() }
    }

    #[test]
    fn every_event_of_a_row_gets_its_stream_its_id_and_its_coupon() {
        let ids = CouponIds::new(&CouponKey::new([7; 16]));
        let events = vec![event(EventKind::Claimed, 120_042, 3), event(EventKind::SoldOut, 0, 0)];
        let events = Bytes::from(EventBatch { events }.encode_to_vec());
        let row = OutboxRow { id: 8, at_ms: 77, events };
        let found = entries(PrimaryId(2), &row, 16, &ids);
        let about: Vec<(u16, &str)> = found.iter().map(|entry| (entry.stream, entry.id.as_str())).collect();
        assert_eq!(about, [(42 % 16, "p02-8-77-0"), (19 % 16, "p02-8-77-1")]);
        let decoded = |index: usize| Event::decode(found[index].event.clone()).expect("an event");
        let template = TemplateId::try_new(19).expect("not zero");
        assert_eq!(decoded(0).coupon_id, ids.encode(UserId(120_042), template, 3).to_bytes());
        assert!(decoded(1).coupon_id.is_empty());
        let unreadable = OutboxRow { id: 9, at_ms: 77, events: Bytes::from_static(b"\xff") };
        assert_eq!(entries(PrimaryId(2), &unreadable, 16, &ids), []);
    }
}
