//! Which reminder of a coupon is due: pure.

use std::time::Duration;

use crate::store::CouponRow;
use crate::store::patrol::{Reminder, ReminderKey};

const DAY_MS: i64 = 86_400_000;

/// The reminder of an unused coupon that ends then: of the times before the end that have come, the last one. One that was
/// missed altogether is not made up for.
pub(super) fn due(row: &CouponRow, until_ms: i64, before: &[Duration], now_ms: u64) -> Option<Reminder> {
    let left_ms =
        u64::try_from(until_ms.checked_sub(i64::try_from(now_ms).ok()?)?).ok().filter(|left_ms| *left_ms > 0)?;
    let before = before.iter().filter_map(|before| u64::try_from(before.as_millis()).ok());
    let before_ms = before.filter(|before_ms| left_ms <= *before_ms).min()?;
    let end_day = u32::try_from(until_ms.div_euclid(DAY_MS)).ok()?;
    let key = ReminderKey { user: row.user, template: row.template, end_day, before_ms };
    Some(Reminder { key, seq: row.seq, until_ms, at_ms: now_ms })
}

#[cfg(test)]
mod tests {
    use scrip_protocol::{RequestId, TemplateId, UserId};

    use super::*;

    #[test]
    fn of_the_times_that_have_come_the_last_one() {
        let template = TemplateId::try_new(7).expect("not 0");
        let row = CouponRow::new(UserId(1), template, 2, RequestId([1; 16]), 0);
        let before = [Duration::from_millis(300), Duration::from_millis(100)];
        let until_ms = 2 * DAY_MS + 5;
        let at = |left_ms: i64| {
            let now_ms = u64::try_from(until_ms - left_ms).expect("after 1970");
            due(&row, until_ms, &before, now_ms).map(|reminder| (reminder.key.end_day, reminder.key.before_ms))
        };
        let days = [301, 300, 101, 100, 1, 0, -1].map(at);
        assert_eq!(days, [None, Some((2, 300)), Some((2, 300)), Some((2, 100)), Some((2, 100)), None, None]);
        assert_eq!(due(&row, i64::MAX, &before, 0), None, "it never ends");
    }
}
