//! What is shown: values as JSON, the same as lines for people, and troubles with their remedy.

use std::process::ExitCode;

use scrip_client::{
    Applicability, Benefit, Code, Coupon, CouponCounts, DailyLimit, Disposition, Failure, ProxyFailure, Rules,
    Selection, Stacking, StockChange, Template, Validity,
};
use serde_json::{Value, json};

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The command line or what it names cannot be used.
    Usage(String),
    /// No proxy serves this client.
    NotConnected(Vec<ProxyFailure>),
    /// The operation failed.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Trouble {
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotConnected(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(failure) => match failure.disposition() {
                Disposition::Applied => ExitCode::SUCCESS,
                Disposition::NotApplied => ExitCode::from(1),
                Disposition::Unknown => ExitCode::from(3),
            },
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Usage(what) => format!("error: {what}\n"),
            Self::NotConnected(failures) => {
                let lines: String =
                    failures.iter().map(|failure| format!("  {}: {}\n", failure.proxy, failure.detail)).collect();
                format!("not applied: no proxy serves this client\n{lines}remedy: {}\n", remedy_of(failures))
            }
            Self::Failed(failure) => {
                let retry =
                    failure.retry_after().map(|wait| format!("  try again after {wait:?}\n")).unwrap_or_default();
                let what = disposition(failure.disposition()).replace('_', " ");
                format!("{what}: {failure}\n{retry}remedy: {}\n", failure.code().remedy())
            }
        }
    }

    pub(super) fn json(&self) -> Value {
        match self {
            Self::Usage(what) => json!({ "error": { "detail": what } }),
            Self::NotConnected(failures) => {
                let proxies: Value = failures
                    .iter()
                    .map(|failure| json!({ "proxy": failure.proxy, "code": failure.code.map(name), "detail": failure.detail }))
                    .collect();
                json!({ "disposition": "not_applied", "error": { "proxies": proxies, "remedy": remedy_of(failures) } })
            }
            Self::Failed(failure) => json!({
                "disposition": disposition(failure.disposition()),
                "error": {
                    "template": failure.template().map(scrip_client::TemplateId::get),
                    "code": name(failure.code()),
                    "detail": failure.detail(),
                    "remedy": failure.code().remedy(),
                    "retry_after_ms": failure.retry_after().map(|wait| wait.as_millis() as u64),
                    "sent": failure.sent(),
                },
            }),
        }
    }
}

/// Every line of a document, indented by depth.
pub(super) fn text(answer: &Value) -> String {
    let mut lines = String::new();
    for (key, value) in answer.as_object().into_iter().flatten() {
        match value {
            Value::Array(rows) => rows.iter().for_each(|row| lines += &format!("{}\n", row_text(row))),
            Value::Object(fields) => {
                fields.iter().for_each(|(key, value)| lines += &format!("{key}: {}\n", plain(value)))
            }
            _ => lines += &format!("{key}: {}\n", plain(value)),
        }
    }
    lines
}

fn row_text(row: &Value) -> String {
    let fields = row.as_object().into_iter().flatten();
    fields.map(|(key, value)| format!("{key}={}", plain(value))).collect::<Vec<_>>().join("  ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn name(code: Code) -> &'static str {
    code.as_str_name().strip_prefix("CODE_").unwrap_or(code.as_str_name())
}

fn remedy_of(failures: &[ProxyFailure]) -> &'static str {
    let code = failures.iter().find_map(|failure| failure.code);
    code.map_or("Check that the addresses are right and that the proxies run.", Code::remedy)
}

fn disposition(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Applied => "applied",
        Disposition::NotApplied => "not_applied",
        Disposition::Unknown => "unknown",
    }
}

pub(super) fn coupon(coupon: &Coupon) -> Value {
    json!({
        "coupon_id": coupon.coupon_id.to_string(),
        "user": coupon.user.get(),
        "template": coupon.template.get(),
        "seq": coupon.seq,
        "request_id": coupon.request_id.to_string(),
        "status": format!("{:?}", coupon.status).to_lowercase(),
        "claimed_at_ms": coupon.claimed_at_ms,
        "valid_from_ms": coupon.valid_from_ms,
        "valid_until_ms": coupon.valid_until_ms,
        "locked_until_ms": coupon.locked_until_ms,
        "replayed": coupon.replayed,
        "number": coupon.number.map(|number| number.to_string()),
    })
}

pub(super) fn counts(counts: CouponCounts) -> Value {
    let CouponCounts { unused, locked, used, expired, .. } = counts;
    json!({ "unused": unused, "locked": locked, "used": used, "expired": expired })
}

pub(super) fn template(template: &Template) -> Value {
    json!({
        "template": template.template.get(),
        "name": template.definition.name,
        "status": format!("{:?}", template.status).to_lowercase(),
        "total_stock": template.total_stock,
        "sold_out": template.sold_out,
        "per_user_limit": template.definition.per_user_limit,
        "claim_start_ms": template.definition.claim_start_ms,
        "claim_end_ms": template.definition.claim_end_ms,
        "validity": validity(template.definition.validity),
        "rules": rules(&template.definition.rules),
        "created_at_ms": template.created_at_ms,
        "revision": template.revision,
        "sub_stocks": template.sub_stocks,
        "stripes": template.stripes,
    })
}

pub(super) fn stock_change(change: &StockChange) -> Value {
    json!({
        "template": change.template.get(),
        "units_requested": change.units_requested,
        "units_applied": change.units_applied,
        "total_stock": change.total_stock,
        "replayed": change.replayed,
    })
}

fn validity(validity: Validity) -> Value {
    match validity {
        Validity::Fixed { from_ms, until_ms } => json!({ "from_ms": from_ms, "until_ms": until_ms }),
        Validity::Relative { starts_after_s, lasts_s } => {
            json!({ "starts_after_s": starts_after_s, "lasts_s": lasts_s })
        }
    }
}

fn rules(rules: &Rules) -> Value {
    let selection = |selection: &Selection| json!({ "include": selection.include, "exclude": selection.exclude });
    let Applicability { categories, products, shops, platforms, regions } = &rules.applicability;
    json!({
        "benefit": rules.benefit.as_ref().map(benefit),
        "currency": rules.currency,
        "threshold_minor": rules.threshold_minor,
        "applicability": {
            "categories": selection(categories),
            "products": selection(products),
            "shops": selection(shops),
            "platforms": platforms,
            "regions": regions,
        },
        "daily_limit": rules.daily_limit.map(|DailyLimit { coupons, utc_offset_minutes }| {
            json!({ "coupons": coupons, "utc_offset_minutes": utc_offset_minutes })
        }),
        "stacking": match &rules.stacking {
            Stacking::Exclusive => Value::Null,
            Stacking::Group { name, with_itself } => json!({ "group": name, "with_itself": with_itself }),
        },
        "budget_minor": rules.budget_minor,
        "code_prefix": rules.code_prefix,
    })
}

fn benefit(benefit: &Benefit) -> Value {
    match benefit {
        Benefit::AmountOff { amount_minor } => json!({ "amount_off": { "amount_minor": amount_minor } }),
        Benefit::PercentageOff { basis_points, cap_minor } => {
            json!({ "percentage_off": { "basis_points": basis_points, "cap_minor": cap_minor } })
        }
        Benefit::FreeShipping { cap_minor } => json!({ "free_shipping": { "cap_minor": cap_minor } }),
        Benefit::Gift { product } => json!({ "gift": { "product": product } }),
        // A benefit that this version does not know comes as none.
        _ => Value::Null,
    }
}
