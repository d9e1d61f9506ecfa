//! The walk of the patrol, and its reminders.

use scrip_shard_config::Tail;

use super::outbox;
use super::text::number;
use super::{coupon_columns, last_step};
use crate::events::fact;
use crate::store::patrol::{Reminder, ReminderKey};

/// Coupons in the order of the primary key, as three ranges: a comparison of rows would not be read as one. The rest of a
/// user's: tail, user, template, template, seq, count.
pub(in crate::store::mysql) const WALK_USER: &str = concat!(
    "SELECT ",
    coupon_columns!(),
    ",s.kind FROM coupon c FORCE INDEX (PRIMARY)",
    last_step!(),
    " WHERE c.tail = ? AND c.user_id = ? AND (c.template_id > ? OR (c.template_id = ? AND c.seq > ?)) \
     ORDER BY c.tail, c.user_id, c.template_id, c.seq LIMIT ?"
);
/// The rest of a tail: tail, user, count.
pub(in crate::store::mysql) const WALK_TAIL: &str = concat!(
    "SELECT ",
    coupon_columns!(),
    ",s.kind FROM coupon c FORCE INDEX (PRIMARY)",
    last_step!(),
    " WHERE c.tail = ? AND c.user_id > ? ORDER BY c.tail, c.user_id, c.template_id, c.seq LIMIT ?"
);
/// What comes after a tail: tail, count.
pub(in crate::store::mysql) const WALK_REST: &str = concat!(
    "SELECT ",
    coupon_columns!(),
    ",s.kind FROM coupon c FORCE INDEX (PRIMARY)",
    last_step!(),
    " WHERE c.tail > ? ORDER BY c.tail, c.user_id, c.template_id, c.seq LIMIT ?"
);

/// How far it has come.
pub(in crate::store::mysql) const POSITION: &str = "SELECT tail, user_id, template_id, seq FROM patrol WHERE id = 1";
/// It has come so far, unless somebody else patrols by now. Position, name, owner, term.
pub(in crate::store::mysql) const POSITION_SET: &str = "UPDATE patrol SET tail = ?, user_id = ?, template_id = ?, \
     seq = ? WHERE id = 1 AND EXISTS (SELECT 1 FROM lease WHERE name = ? AND owner = ? AND term = ? LOCK IN SHARE MODE)";

/// Drops reminders of coupons that ended before a day. A bounded slice.
pub(in crate::store::mysql) const REMINDERS_DROP: &str = "DELETE FROM reminder WHERE end_day < ? LIMIT ?";

/// Which of these reminders were made.
pub(in crate::store::mysql) fn reminded(keys: &[ReminderKey]) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + keys.len() * 96);
    out.extend_from_slice(b"SELECT user_id,template_id,end_day,before_ms FROM reminder FORCE INDEX (PRIMARY) WHERE ");
    for (index, key) in keys.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"(tail=" } else { b" OR (tail=" });
        number(&mut out, Tail::of_user(key.user.get()).get().into());
        let columns: [(&[u8], u64); 4] = [
            (b" AND user_id=", key.user.get()),
            (b" AND template_id=", key.template.get().into()),
            (b" AND end_day=", key.end_day.into()),
            (b" AND before_ms=", key.before_ms),
        ];
        for (name, value) in columns {
            out.extend_from_slice(name);
            number(&mut out, value);
        }
        out.push(b')');
    }
    out
}

/// Statements in the packet of [`remind`].
pub(in crate::store::mysql) const REMIND_STATEMENTS: usize = 4;
/// Which of them is the COMMIT.
pub(in crate::store::mysql) const REMIND_COMMIT: usize = 3;

/// One transaction: the reminders and their events, unless the primary has another topology version or one of them exists.
pub(in crate::store::mysql) fn remind(reminders: &[Reminder], version: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + reminders.len() * 140);
    out.extend_from_slice(b"BEGIN;INSERT INTO reminder (tail,user_id,template_id,end_day,before_ms) VALUES ");
    for (index, Reminder { key, .. }) in reminders.iter().enumerate() {
        let tail = Tail::of_user(key.user.get()).get();
        if index == 0 {
            out.extend_from_slice(b"(IF((SELECT topology_version FROM node WHERE id=1 LOCK IN SHARE MODE)=");
            number(&mut out, version);
            out.push(b',');
            number(&mut out, tail.into());
            out.extend_from_slice(b",NULL)");
        } else {
            out.extend_from_slice(b",(");
            number(&mut out, tail.into());
        }
        for value in [key.user.get(), key.template.get().into(), key.end_day.into(), key.before_ms] {
            out.push(b',');
            number(&mut out, value);
        }
        out.push(b')');
    }
    let at_ms = reminders.first().map_or(0, |reminder| reminder.at_ms);
    outbox::keep(&mut out, at_ms, &fact::of_reminders(reminders));
    out.extend_from_slice(b";COMMIT");
    out
}
