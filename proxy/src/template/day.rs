//! The limit per user and day.
//!
//! A coupon counts in the day of the time that its row carries. The coupons of a user are numbered densely, and one
//! lane that inserts number n + 1 has read 1 to n on the same connection: so it knows every coupon that comes before its
//! own, and whether its own would be one too many in its day. Who was faster is decided by the primary key, and the
//! slower one reads again. No clock needs to agree with another for that: the days of the rows are what is limited,
//! whatever clocks wrote them.

use super::Template;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

impl Template {
    /// Whether there is a limit a day.
    pub fn has_daily_limit(&self) -> bool {
        self.record.definition.per_user_daily_limit > 0
    }

    /// Whether one more coupon at `now_ms` is above the limit of its day, after those that were claimed at `earlier_ms`.
    /// Times in milliseconds since 1970-01-01 UTC.
    pub fn is_day_full(&self, earlier_ms: &[u64], now_ms: u64) -> bool {
        let definition = &self.record.definition;
        let day = |at_ms| day(at_ms, definition.day_starts_at_utc_offset_minutes);
        let today = day(now_ms);
        let count = earlier_ms.iter().filter(|at_ms| day(**at_ms) == today).count();
        self.has_daily_limit() && count >= definition.per_user_daily_limit as usize
    }
}

/// The number of the day, by a clock that is so many minutes ahead of UTC.
fn day(at_ms: u64, utc_offset_minutes: i32) -> i64 {
    let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
    at_ms.saturating_add(i64::from(utc_offset_minutes) * MINUTE_MS).div_euclid(DAY_MS)
}

#[cfg(test)]
mod tests {
    use scrip_protocol::v1::{TemplateDefinition, TemplateStatus};
    use scrip_protocol::{TemplateId, v1};
    use std::sync::Arc;

    use super::super::Live;
    use super::*;
    use crate::store::TemplateRecord;

    /// 2026-01-01 00:00 UTC.
    const MIDNIGHT: u64 = 1_767_225_600_000;
    const HOUR: u64 = 3_600_000;

    fn template(per_user_daily_limit: u32, day_starts_at_utc_offset_minutes: i32) -> Template {
        let definition = TemplateDefinition {
            per_user_daily_limit,
            day_starts_at_utc_offset_minutes,
            ..v1::TemplateDefinition::default()
        };
        let record = TemplateRecord {
            template: TemplateId::try_new(1).expect("not 0"),
            definition,
            status: TemplateStatus::Published,
            total_stock: 1,
            sold_out: false,
            created_at_ms: 0,
            revision: 1,
            sub_stocks: Vec::new(),
            stripes: 1,
        };
        Template { record, slots: Vec::new(), live: Arc::new(Live::new(&[])) }
    }

    fn check(limit: u32, offset_minutes: i32, earlier_ms: &[u64], now_ms: u64, expect: bool) {
        let full = template(limit, offset_minutes).is_day_full(earlier_ms, now_ms);
        assert_eq!(full, expect, "{limit} a day, {offset_minutes} minutes ahead: {earlier_ms:?}, then {now_ms}");
    }

    #[test]
    fn days_run_from_midnight_to_midnight() {
        check(1, 0, &[], MIDNIGHT, false);
        check(1, 0, &[MIDNIGHT], MIDNIGHT, true);
        check(1, 0, &[MIDNIGHT], MIDNIGHT + 24 * HOUR - 1, true);
        check(1, 0, &[MIDNIGHT], MIDNIGHT + 24 * HOUR, false);
        check(1, 0, &[MIDNIGHT - 1], MIDNIGHT, false);
        check(2, 0, &[MIDNIGHT, MIDNIGHT - 1], MIDNIGHT + 1, false);
        check(2, 0, &[MIDNIGHT, MIDNIGHT + 1], MIDNIGHT + 2, true);
        check(0, 0, &[MIDNIGHT], MIDNIGHT, false);
    }

    #[test]
    fn midnight_is_that_of_the_template() {
        check(1, 480, &[MIDNIGHT - 8 * HOUR], MIDNIGHT, true);
        check(1, 480, &[MIDNIGHT - 8 * HOUR - 1], MIDNIGHT, false);
        check(1, 480, &[MIDNIGHT], MIDNIGHT + 16 * HOUR - 1, true);
        check(1, 480, &[MIDNIGHT], MIDNIGHT + 16 * HOUR, false);
        check(1, -720, &[MIDNIGHT - 12 * HOUR], MIDNIGHT + 12 * HOUR - 1, true);
        check(1, -720, &[MIDNIGHT], MIDNIGHT + 12 * HOUR, false);
        check(1, -720, &[0], 1, true);
        check(1, 0, &[u64::MAX], u64::MAX, true);
    }

    #[test]
    fn clocks_need_not_agree() {
        // Another proxy's clock is already in the next day.
        check(1, 0, &[MIDNIGHT + 5], MIDNIGHT - 5, false);
        check(1, 0, &[MIDNIGHT + 5, MIDNIGHT - 5], MIDNIGHT - 4, true);
        check(1, 0, &[MIDNIGHT + 5, MIDNIGHT - 5], MIDNIGHT, true);
    }
}
