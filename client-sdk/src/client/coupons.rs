//! Operations on coupons.

use scrip_protocol::v1;
use scrip_protocol::v1::request::Operation as Wire;
use scrip_protocol::{RequestId, TemplateId, UserId};

use super::Client;
use crate::call::Operation;
use crate::coupon::{Claim, Coupon, CouponCounts, CouponCursor, CouponPage, CouponQuery, CouponStatus};
use crate::error::{ClaimError, GetClaimError, ListCouponsError, PingError};
use crate::reply::{Answer, wrong_kind};
use crate::stream::{ClaimStream, coupon_of};
use crate::writes::Reads;

impl Client {
    /// Claims a coupon. A resend of a claim that was applied gives the same coupon, with [`Coupon::replayed`] set.
    ///
    /// Dropping the future after it was polled does not take the claim back: ask with [`Client::get_claim`], or send it again.
    ///
    /// # Errors
    /// [`ClaimError::disposition`] says whether it may have taken effect.
    pub async fn claim(&self, claim: Claim) -> Result<Coupon, ClaimError> {
        coupon_of(self.outcome(Operation::Claim(claim.into()), self.deadline_of(&claim)).await)
    }

    /// A way to keep up to `in_flight_max` claims under way without a task for each.
    pub fn claim_stream(&self, in_flight_max: usize) -> ClaimStream {
        ClaimStream::new(self.clone(), in_flight_max)
    }

    /// What became of a claim: its coupon.
    ///
    /// # Errors
    /// [`GetClaimError::NotFound`] when no coupon carries the request id.
    pub async fn get_claim(
        &self,
        user: UserId,
        template: TemplateId,
        request_id: RequestId,
    ) -> Result<Coupon, GetClaimError> {
        let request_id = request_id.to_bytes();
        let operation = v1::GetClaim { user_id: user.get(), template_id: template.get(), request_id };
        match self.ask(Wire::GetClaim(operation)).await? {
            Answer::Coupon(coupon) => Ok(coupon),
            _ => Err(wrong_kind().into()),
        }
    }

    /// One page of a user's coupons; `after` is the `next` of the page before.
    ///
    /// # Errors
    /// Nothing is changed by it: ask again.
    pub async fn list_coupons(
        &self,
        query: &CouponQuery,
        after: Option<&CouponCursor>,
    ) -> Result<CouponPage, ListCouponsError> {
        let operation = v1::ListCoupons {
            user_id: query.user.get(),
            status: query.status.map_or(0, CouponStatus::number),
            template_id: query.template.map_or(0, TemplateId::get),
            page_size: query.page_size,
            cursor: after.map(|cursor| cursor.0.clone()).unwrap_or_default(),
            order: query.order.number(),
            max_staleness_ms: self.staleness_ms(Reads::User(query.user)),
        };
        match self.ask(Wire::ListCoupons(operation)).await? {
            Answer::CouponPage(page) => Ok(page),
            _ => Err(wrong_kind().into()),
        }
    }

    /// How many coupons a user has, by status; of one template or of all.
    ///
    /// # Errors
    /// Nothing is changed by it: ask again. Users with more than 10,000 coupons are refused.
    pub async fn count_coupons(
        &self,
        user: UserId,
        template: Option<TemplateId>,
    ) -> Result<CouponCounts, ListCouponsError> {
        let template_id = template.map_or(0, TemplateId::get);
        let max_staleness_ms = self.staleness_ms(Reads::User(user));
        let operation = v1::CountCoupons { user_id: user.get(), template_id, max_staleness_ms };
        match self.ask(Wire::CountCoupons(operation)).await? {
            Answer::CouponCounts(counts) => Ok(counts),
            _ => Err(wrong_kind().into()),
        }
    }

    /// All of a user's coupons, page after page.
    pub fn coupons(&self, query: CouponQuery) -> CouponPages {
        CouponPages { client: self.clone(), query, position: Position::First }
    }

    /// Asks any proxy whether it is there.
    ///
    /// # Errors
    /// No proxy answered in time.
    pub async fn ping(&self) -> Result<(), PingError> {
        let nonce = self.shared().dice.below(usize::MAX) as u64;
        match self.ask(Wire::Ping(v1::Ping { nonce })).await? {
            Answer::Pong(_) => Ok(()),
            _ => Err(wrong_kind().into()),
        }
    }
}

/// A listing in progress. Made with [`Client::coupons`].
#[derive(Debug, Clone)]
pub struct CouponPages {
    client: Client,
    query: CouponQuery,
    position: Position,
}

#[derive(Debug, Clone)]
enum Position {
    First,
    After(CouponCursor),
    End,
}

impl CouponPages {
    /// The next page; `None` after the last. After an error, or when the future is dropped, the same page is next.
    ///
    /// # Errors
    /// Those of [`Client::list_coupons`].
    pub async fn next_page(&mut self) -> Result<Option<Vec<Coupon>>, ListCouponsError> {
        let after = match &self.position {
            Position::First => None,
            Position::After(cursor) => Some(cursor),
            Position::End => return Ok(None),
        };
        let page = self.client.list_coupons(&self.query, after).await?;
        self.position = page.next.map_or(Position::End, Position::After);
        Ok(Some(page.coupons))
    }
}
