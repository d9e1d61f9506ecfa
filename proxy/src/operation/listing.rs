//! Listing a user's coupons: one range of the primary key.

use std::sync::Arc;

use scrip_protocol::page::rows_that_fit;
use scrip_protocol::v1::{Coupon, CouponOrder, CouponPage, CouponStatus, ListCoupons};
use scrip_protocol::{TemplateId, UserId, check};

use tokio::time::Instant;

use super::reads::Read;
use super::sorted::Sort;
use super::{Operations, invalid, template_id};
use crate::refusal::{Effect, Refusal};
use crate::store::{CouponRow, ListQuery, MetaStore, RecordStore, Source, StockStore};
use crate::template::Template;

/// Reads of one page at most: bounds what a filter that matches nothing costs.
const READS_MAX: usize = 8;

impl<S: StockStore, R: RecordStore, M: MetaStore> Operations<S, R, M> {
    pub(super) async fn list_coupons(&self, list: ListCoupons, deadline: Instant) -> Result<Read<CouponPage>, Refusal> {
        let primary = self.primary_of(UserId(list.user_id));
        self.read_from(primary, (list.max_staleness_ms, deadline), |from| self.page(from, &list)).await
    }

    async fn page(&self, from: Source, list: &ListCoupons) -> Result<CouponPage, Refusal> {
        match CouponOrder::try_from(list.order) {
            Ok(CouponOrder::Unspecified) => {}
            Ok(CouponOrder::Newest) => return self.list_sorted(from, list, Sort::Newest).await,
            Ok(CouponOrder::Ending) => return self.list_sorted(from, list, Sort::Ending).await,
            Err(_) => return Err(invalid(format!("order: {} is none of a listing's", list.order))),
        }
        let wanted = wanted(list.status)?;
        let template = (list.template_id != 0).then(|| template_id(list.template_id)).transpose()?;
        let user = UserId(list.user_id);
        let count_max = check::page_size(list.page_size);
        let mut after = cursor(&list.cursor)?;
        let mut page = CouponPage::default();
        for _ in 0..READS_MAX {
            let rows = self.record.list(from, ListQuery { user, template, after, count_max }).await;
            let rows = rows.map_err(|error| Refusal::of_primary(&error, Effect::Read))?;
            let last = rows.len() < count_max as usize;
            for row in &rows {
                after = Some((row.template, row.seq));
                let coupon = self.as_coupon(row).await?;
                if wanted.is_none_or(|wanted| coupon.status() == wanted) {
                    page.coupons.push(coupon);
                }
                if page.coupons.len() >= count_max as usize {
                    page.next_cursor = bytes(after);
                    return Ok(cut(page));
                }
            }
            if last {
                return Ok(cut(page));
            }
        }
        page.next_cursor = bytes(after);
        Ok(cut(page))
    }

    /// As callers see it now, with its number.
    pub(super) async fn as_coupon(&self, row: &CouponRow) -> Result<Coupon, Refusal> {
        let template = self.know(row.template).await?;
        let number = self.flow.number(&template, row);
        Ok(Coupon { number, ..self.flow.coupon(&template, row, false) })
    }

    /// The template from the snapshot; one that is not there yet is read into it.
    pub(super) async fn know(&self, template: TemplateId) -> Result<Arc<Template>, Refusal> {
        if let Some(known) = self.flow.templates.get(template) {
            return Ok(known);
        }
        self.read(template).await?;
        self.flow.templates.get(template).ok_or_else(|| invalid(format!("template {template} is unknown")))
    }
}

pub(super) fn wanted(status: i32) -> Result<Option<CouponStatus>, Refusal> {
    match CouponStatus::try_from(status) {
        Ok(CouponStatus::Unspecified) => Ok(None),
        Ok(status) => Ok(Some(status)),
        Err(_) => Err(invalid(format!("status: {status} is none of a coupon's"))),
    }
}

/// Template and seq of the last row of the page before, big-endian.
fn cursor(bytes: &[u8]) -> Result<Option<(TemplateId, u16)>, Refusal> {
    match *bytes {
        [] => Ok(None),
        [a, b, c, d, e, f] => Ok(Some((template_id(u32::from_be_bytes([a, b, c, d]))?, u16::from_be_bytes([e, f])))),
        _ => Err(invalid("cursor: not one of this proxy's; pass next_cursor of the page before, or nothing")),
    }
}

/// What fits into a frame; the next page begins behind it.
fn cut(mut page: CouponPage) -> CouponPage {
    let fit = rows_that_fit(&page.coupons);
    if fit < page.coupons.len() {
        page.coupons.truncate(fit);
        page.next_cursor = bytes(page.coupons.last().and_then(place));
    }
    page
}

fn place(coupon: &Coupon) -> Option<(TemplateId, u16)> {
    Some((TemplateId::try_new(coupon.template_id).ok()?, u16::try_from(coupon.seq).ok()?))
}

fn bytes(cursor: Option<(TemplateId, u16)>) -> bytes::Bytes {
    cursor.map_or_else(bytes::Bytes::new, |(template, seq)| {
        let mut bytes = template.get().to_be_bytes().to_vec();
        bytes.extend(seq.to_be_bytes());
        bytes.into()
    })
}
