//! What becomes of one request, decided on the logs of its coupons. Pure.

use rustc_hash::{FxHashMap, FxHashSet};
use scrip_protocol::TemplateId;
use scrip_protocol::v1::Code;

use super::rules::{self, Validity, Verdict};
use super::{Item, OrderTask, Sent};
use crate::store::steps::{CouponKey, CouponLog, Step};

/// Logs by coupon.
pub(super) type Logs = FxHashMap<CouponKey, CouponLog>;

/// What becomes of one request.
pub(super) enum Plan {
    /// These steps are to be written.
    Append(Vec<(CouponKey, Step)>),
    /// All of it had been done.
    Done,
    /// It may not.
    Refuse(Code, String),
}

/// All coupons of a request are decided at one moment: one that may not be changed keeps the others from it. `sealed`: templates
/// of which nothing may be, and of which what is not there may be archived.
pub(super) fn plan(task: &OrderTask, logs: &Logs, sealed: &FxHashSet<TemplateId>, now_ms: u64) -> Plan {
    let (mut steps, mut refusals) = (Vec::new(), Vec::new());
    for item in &task.items {
        let is_sealed = sealed.contains(&item.key.template);
        let verdict = match logs.get(&item.key) {
            None if is_sealed => Verdict::Refuse(Code::CouponArchived),
            None => Verdict::Refuse(Code::CouponNotFound),
            Some(log) => rules::decide(log, validity(item, log), &task.order, item.wish, now_ms),
        };
        match verdict {
            Verdict::Append(_) if is_sealed => refusals.push((item, Code::CouponArchived)),
            Verdict::Append(step) => steps.push((item.key, step)),
            Verdict::Done => {}
            Verdict::Refuse(code) => refusals.push((item, code)),
        }
    }
    if let Some((_, code)) = refusals.first() {
        let each = refusals.iter().map(|(item, code)| {
            let CouponKey { template, seq, .. } = item.key;
            format!("coupon {seq} of template {template}: {}", code.cause())
        });
        return Plan::Refuse(*code, each.collect::<Vec<_>>().join("; "));
    }
    if steps.is_empty() { Plan::Done } else { Plan::Append(steps) }
}

/// When the coupon can be used.
pub(super) fn validity(item: &Item, log: &CouponLog) -> Validity {
    let (from_ms, until_ms) = item.template.validity_ms(log.row.claimed_at_ms);
    Validity { from_ms, until_ms }
}

/// Another step has that number: the transaction that was sent cannot commit any more, none of its steps.
pub(super) fn is_superseded(log: Option<&CouponLog>, sent: &Sent, task: &OrderTask) -> bool {
    let step = log.and_then(|log| log.steps.iter().find(|step| step.number == sent.number));
    step.is_some_and(|step| step.order.as_ref() != Some(&task.order) || step.kind != sent.kind)
}
