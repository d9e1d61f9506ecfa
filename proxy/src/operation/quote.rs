//! Quoting: reads the coupons in question; what they take off, [`crate::quote`] decides.
//!
//! Nothing is written, so a quote that is given up leaves nothing behind.

use std::collections::BTreeSet;
use std::sync::Arc;

use scrip_protocol::limits::{PAGE_SIZE_MAX, QUOTE_COUPONS_MAX};
use scrip_protocol::v1::{Code, Coupon, CouponStatus, Order, Quote, QuoteResult};
use scrip_protocol::{CouponId, TemplateId, UserId};
use scrip_shard_config::Tail;

use super::{Operations, invalid};
use crate::quote::{Purse, answer};
use crate::refusal::{Effect, Refusal};
use crate::store::{CouponRow, ListQuery, MetaStore, RecordStore, Source, StockStore};
use crate::template::Template;

/// Pages of a user's coupons that are read for one quote. Prevents that one user with very many coupons, most of them
/// used, holds a connection to a primary.
const READS_MAX: usize = 8;

/// A coupon of a template, by its number.
type Number = (TemplateId, u16);

/// What a quote is about, besides its order.
#[derive(Clone, Copy)]
struct Scope {
    user: UserId,
    /// The moment that is judged.
    at_ms: i64,
}

impl<S: StockStore, R: RecordStore, M: MetaStore> Operations<S, R, M> {
    pub(super) async fn quote(&self, quote: Quote) -> Result<QuoteResult, Refusal> {
        let order = quote.order.ok_or_else(|| invalid("order: missing; give one"))?;
        let scope = Scope { user: UserId(quote.user_id), at_ms: self.moment(&order) };
        let purse = match quote.coupon_ids.is_empty() {
            true => self.unused(scope).await?,
            false => self.named(scope, &quote.coupon_ids).await?,
        };
        // The search for the best combination takes up to some milliseconds: not on a thread that serves claims.
        let decided = tokio::task::spawn_blocking(move || answer(&order, scope.at_ms, &purse)).await;
        decided.map_err(|_| Refusal::new(Code::Draining, "this proxy is stopping"))
    }

    fn moment(&self, order: &Order) -> i64 {
        match order.at_ms {
            0 => i64::try_from(self.flow.clock.now_ms()).unwrap_or(i64::MAX),
            at_ms => at_ms,
        }
    }

    /// The first unused coupons of the user whose validity has not ended.
    async fn unused(&self, scope: Scope) -> Result<Purse, Refusal> {
        let (mut purse, mut after) = (Purse::default(), None);
        for _ in 0..READS_MAX {
            let rows = self.rows(scope, None, after).await?;
            for row in &rows {
                after = Some((row.template, row.seq));
                let (coupon, template) = self.at_moment(scope, row).await?;
                if coupon.status() != CouponStatus::Unused {
                    continue;
                }
                if purse.coupons.len() == QUOTE_COUPONS_MAX {
                    purse.more = true;
                    return Ok(purse);
                }
                purse.coupons.push((coupon, template));
            }
            if rows.len() < PAGE_SIZE_MAX as usize {
                return Ok(purse);
            }
        }
        // There may be more rows; whether one of them is unused is not known.
        purse.more = true;
        Ok(purse)
    }

    /// The coupons with these ids, in the order of their numbers.
    async fn named(&self, scope: Scope, ids: &[bytes::Bytes]) -> Result<Purse, Refusal> {
        let (mut purse, mut wanted) = (Purse::default(), BTreeSet::new());
        for id in ids {
            match self.number(scope, id) {
                Some(number) => _ = wanted.insert(number),
                None => purse.not_held.push(id.clone()),
            }
        }
        // One range for each template, from the first coupon wanted on.
        while let Some(&(template, first)) = wanted.first() {
            let rows = self.rows(scope, Some(template), Some((template, first.saturating_sub(1)))).await?;
            for row in rows.iter().filter(|row| wanted.remove(&(row.template, row.seq))) {
                purse.coupons.push(self.at_moment(scope, row).await?);
            }
            let end = match rows.last() {
                Some(last) if rows.len() >= PAGE_SIZE_MAX as usize => last.seq,
                _ => u16::MAX,
            };
            // What was not in the range that was read is not there.
            let absent: Vec<Number> = wanted.range((template, 0)..=(template, end)).copied().collect();
            for number in absent {
                wanted.remove(&number);
                let id = self.flow.coupon_ids.encode(scope.user, number.0, number.1);
                purse.not_held.push(id.to_bytes());
            }
        }
        Ok(purse)
    }

    /// What an id stands for, if it is one of the user's.
    fn number(&self, scope: Scope, id: &[u8]) -> Option<Number> {
        let id = CouponId::try_from_slice(id).ok()?;
        let (user, template, seq) = self.flow.coupon_ids.decode(id)?;
        (user == scope.user).then_some((template, seq))
    }

    async fn rows(
        &self,
        Scope { user, .. }: Scope,
        template: Option<TemplateId>,
        after: Option<Number>,
    ) -> Result<Vec<CouponRow>, Refusal> {
        let primary = self.flow.topology.primary_of(Tail::of_user(user.get()));
        let query = ListQuery { user, template, after, count_max: PAGE_SIZE_MAX };
        let rows = self.record.list(Source::Primary(primary), query).await;
        rows.map_err(|error| Refusal::of_primary(&error, Effect::Read))
    }

    async fn at_moment(&self, scope: Scope, row: &CouponRow) -> Result<(Coupon, Arc<Template>), Refusal> {
        let template = self.know(row.template).await?;
        Ok((self.flow.coupon_at(&template, row, false, scope.at_ms), template))
    }
}
