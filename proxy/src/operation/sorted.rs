//! Listings in orders that no index has, and counts: all of a user's coupons are read, up to a bound.

use bytes::Bytes;
use scrip_protocol::limits::{PAGE_SIZE_MAX, SORTED_COUPONS_MAX};
use scrip_protocol::page::rows_that_fit;
use scrip_protocol::v1::{CountCoupons, Coupon, CouponCounts, CouponPage, CouponStatus, ListCoupons};
use scrip_protocol::{TemplateId, UserId, check};

use tokio::time::Instant;

use super::listing::wanted;
use super::reads::Read;
use super::{Operations, invalid, template_id};
use crate::refusal::{Effect, Refusal};
use crate::store::{CouponRow, ListQuery, MetaStore, RecordStore, Source, StockStore};

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// The latest claim.
    Newest,
    /// What ends first.
    Ending,
}

/// Where a coupon stands in an order: no two of a user stand at the same place, and none ever moves.
type Place = (i64, u32, u32);

impl Sort {
    fn place(self, coupon: &Coupon) -> Place {
        match self {
            Self::Newest => (-coupon.claimed_at_ms, coupon.template_id, coupon.seq),
            Self::Ending => (coupon.valid_until_ms, coupon.template_id, coupon.seq),
        }
    }

    /// The first byte of its cursors.
    fn mark(self) -> u8 {
        match self {
            Self::Newest => b'n',
            Self::Ending => b'e',
        }
    }

    fn cursor(self, (key, template, seq): Place) -> Bytes {
        let mut bytes = vec![self.mark()];
        bytes.extend(key.to_be_bytes());
        bytes.extend(template.to_be_bytes());
        bytes.extend(seq.to_be_bytes());
        bytes.into()
    }

    fn after(self, cursor: &[u8]) -> Result<Option<Place>, Refusal> {
        if cursor.is_empty() {
            return Ok(None);
        }
        let place = || {
            let (mark, rest) = cursor.split_first()?;
            let (key, rest) = rest.split_first_chunk()?;
            let (template, rest) = rest.split_first_chunk()?;
            let seq = rest.try_into().ok()?;
            let place = (i64::from_be_bytes(*key), u32::from_be_bytes(*template), u32::from_be_bytes(seq));
            (*mark == self.mark()).then_some(place)
        };
        let wrong =
            "cursor: not one of this proxy's and of this order; pass next_cursor of the page before, or nothing";
        place().map(Some).ok_or_else(|| invalid(wrong))
    }
}

impl<S: StockStore, R: RecordStore, M: MetaStore> Operations<S, R, M> {
    pub(super) async fn list_sorted(
        &self,
        from: Source,
        list: &ListCoupons,
        sort: Sort,
    ) -> Result<CouponPage, Refusal> {
        let (wanted, after) = (wanted(list.status)?, sort.after(&list.cursor)?);
        let template = (list.template_id != 0).then(|| template_id(list.template_id)).transpose()?;
        let mut coupons = self.all(from, UserId(list.user_id), template).await?;
        coupons.retain(|(coupon, _)| {
            wanted.is_none_or(|wanted| coupon.status() == wanted)
                && after.is_none_or(|after| sort.place(coupon) > after)
        });
        coupons.sort_unstable_by_key(|(coupon, _)| sort.place(coupon));
        let count = coupons.len();
        coupons.truncate(check::page_size(list.page_size) as usize);
        let mut coupons = self.numbered(coupons).await?;
        coupons.truncate(rows_that_fit(&coupons));
        let is_last = coupons.len() == count;
        let next_cursor = coupons.last().filter(|_| !is_last).map(|last| sort.cursor(sort.place(last)));
        Ok(CouponPage { coupons, next_cursor: next_cursor.unwrap_or_default() })
    }

    async fn numbered(&self, coupons: Vec<(Coupon, CouponRow)>) -> Result<Vec<Coupon>, Refusal> {
        let mut numbered = Vec::with_capacity(coupons.len());
        for (coupon, row) in coupons {
            let number = self.flow.number(&*self.know(row.template).await?, &row);
            numbered.push(Coupon { number, ..coupon });
        }
        Ok(numbered)
    }

    pub(super) async fn count_coupons(
        &self,
        count: CountCoupons,
        deadline: Instant,
    ) -> Result<Read<CouponCounts>, Refusal> {
        let primary = self.primary_of(UserId(count.user_id));
        self.read_from(primary, (count.max_staleness_ms, deadline), |from| self.counts(from, &count)).await
    }

    async fn counts(&self, from: Source, count: &CountCoupons) -> Result<CouponCounts, Refusal> {
        let template = (count.template_id != 0).then(|| template_id(count.template_id)).transpose()?;
        let mut counts = CouponCounts::default();
        for (coupon, _) in self.all(from, UserId(count.user_id), template).await? {
            match coupon.status() {
                CouponStatus::Unused => counts.unused += 1,
                CouponStatus::Locked => counts.locked += 1,
                CouponStatus::Used => counts.used += 1,
                CouponStatus::Expired => counts.expired += 1,
                CouponStatus::Unspecified => {}
            }
        }
        Ok(counts)
    }

    /// As they stand at one moment, without their numbers.
    async fn all(
        &self,
        from: Source,
        user: UserId,
        template: Option<TemplateId>,
    ) -> Result<Vec<(Coupon, CouponRow)>, Refusal> {
        let now_ms = i64::try_from(self.flow.clock.now_ms()).unwrap_or(i64::MAX);
        let (mut coupons, mut after) = (Vec::new(), None);
        loop {
            let query = ListQuery { user, template, after, count_max: PAGE_SIZE_MAX };
            let rows = self.record.list(from, query).await;
            let rows = rows.map_err(|error| Refusal::of_primary(&error, Effect::Read))?;
            let count = rows.len();
            for row in rows {
                after = Some((row.template, row.seq));
                let coupon = self.flow.coupon_at(&*self.know(row.template).await?, &row, false, now_ms);
                coupons.push((coupon, row));
            }
            if count < PAGE_SIZE_MAX as usize {
                return Ok(coupons);
            }
            if coupons.len() >= SORTED_COUPONS_MAX {
                return Err(invalid(format!(
                    "user_id: user {user} has more than {SORTED_COUPONS_MAX} coupons; name a template, or list them in \
                     the order of templates"
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_others_are_refused() {
        for (sort, other) in [(Sort::Newest, Sort::Ending), (Sort::Ending, Sort::Newest)] {
            for place in [(i64::MIN, 1, 1), (-5, u32::MAX, 7), (i64::MAX, 9, u32::MAX)] {
                let cursor = sort.cursor(place);
                assert_eq!(sort.after(&cursor), Ok(Some(place)));
                assert!(other.after(&cursor).is_err());
                assert!(sort.after(&cursor[1..]).is_err());
                assert!(sort.after(&[&cursor[..], b"x"].concat()).is_err());
            }
            assert_eq!(sort.after(b""), Ok(None));
        }
    }
}
