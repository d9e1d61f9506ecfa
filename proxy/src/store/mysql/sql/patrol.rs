//! The walk of the patrol.

use super::{coupon_columns, last_step};

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
