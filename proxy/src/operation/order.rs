//! Orders whose templates this proxy does not know yet, and the histories of coupons.

use scrip_protocol::v1::Code;
use scrip_protocol::v1::{CouponHistory, CouponStep, GetCoupon};
use scrip_protocol::{CouponNumber, OrderId, UserId};
use scrip_shard_config::PrimaryId;
use tokio::time::{Instant, timeout_at};

use super::reads::Read;
use super::{Operations, invalid};
use crate::order::OrderRequest;
use crate::outbox::Ticket;
use crate::refusal::{Effect, Refusal};
use crate::store::steps::{CouponKey, Hold, Step};
use crate::store::{CouponRow, MetaStore, RecordStore, Source, StockStore};

const NO_NUMBER: &str = "number: it is well formed, and no coupon of this deployment has it; compare every symbol";

impl<S: StockStore, R: RecordStore, M: MetaStore> Operations<S, R, M> {
    /// Reads the templates, and sends the request on its way.
    pub(super) async fn order(&self, request: OrderRequest, ticket: Ticket, deadline: Instant) {
        match timeout_at(deadline, self.know_templates(&request)).await {
            Ok(Ok(())) => {
                if let Err((ticket, _)) = self.flow.order(ticket, request, deadline) {
                    ticket.refuse(Code::TemplateNotFound, "the template of a coupon is not known".to_owned(), 0);
                }
            }
            Ok(Err(Refusal { code, detail })) => ticket.refuse(code, detail, 0),
            Err(_) => {
                let detail = "the deadline passed before the templates of the coupons were read".to_owned();
                ticket.refuse(Code::DeadlineExceeded, detail, 0);
            }
        }
    }

    async fn know_templates(&self, request: &OrderRequest) -> Result<(), Refusal> {
        for (key, _) in &request.wishes {
            self.know(key.template).await?;
        }
        Ok(())
    }

    pub(super) async fn get_coupon(&self, get: GetCoupon, deadline: Instant) -> Result<Read<CouponHistory>, Refusal> {
        let number = (!get.number.is_empty()).then(|| get.number.parse::<CouponNumber>()).transpose();
        let number = number.map_err(|error| invalid(format!("number: {error}")))?;
        let key = match number {
            Some(number) => self.flow.numbered(&number).ok_or_else(|| no_coupon(NO_NUMBER))?,
            None => {
                let key = self.flow.coupon_key(UserId(get.user_id), &get.coupon_id);
                key.map_err(|none| Refusal::new(none.code(), none.detail()))?
            }
        };
        let primary = self.primary_of(key.user);
        self.read_from(primary, (get.max_staleness_ms, deadline), |from| self.history(from, key, number)).await
    }

    async fn history(
        &self,
        from: Source,
        key: CouponKey,
        number: Option<CouponNumber>,
    ) -> Result<CouponHistory, Refusal> {
        let log = self.record.log(from, key).await.map_err(|error| Refusal::of_primary(&error, Effect::Read))?;
        let (row, steps) = match log {
            Some(log) => (log.row, Some(log.steps)),
            None => {
                let archived = self.archived(self.primary_of(key.user), key).await?;
                let absent = || no_coupon(number.map_or(Code::CouponNotFound.cause(), |_| NO_NUMBER));
                (archived.ok_or_else(absent)?, None)
            }
        };
        let coupon = self.as_coupon(&row).await?;
        if number.is_some_and(|number| number.as_str() != coupon.number) {
            return Err(no_coupon("number: its prefix or its day is not that of the coupon; type it again"));
        }
        let steps = steps.ok_or_else(|| Refusal::new(Code::CouponArchived, Code::CouponArchived.cause()))?;
        Ok(CouponHistory { coupon: Some(coupon), steps: steps.iter().map(message).collect() })
    }

    async fn archived(&self, primary: PrimaryId, key: CouponKey) -> Result<Option<CouponRow>, Refusal> {
        let archived = self.record.archived(primary, key.user, key.template).await;
        let archived = archived.map_err(|error| Refusal::of_primary(&error, Effect::Read))?;
        Ok(archived.into_iter().find(|row| row.seq == key.seq))
    }
}

fn no_coupon(detail: &str) -> Refusal {
    Refusal::new(Code::CouponNotFound, detail)
}

fn message(step: &Step) -> CouponStep {
    let until_ms = match step.hold {
        Hold::Locked { until_ms, .. } => until_ms,
        Hold::Unused | Hold::Used { .. } => 0,
    };
    CouponStep {
        step: step.number.into(),
        kind: step.kind.into(),
        order_id: step.order.as_ref().map_or_else(String::new, OrderId::to_string),
        locked_until_ms: i64::try_from(until_ms).unwrap_or(i64::MAX),
        amount_minor: step.amount_minor,
        at_ms: i64::try_from(step.at_ms).unwrap_or(i64::MAX),
    }
}
