//! What the vectors of responses mean.

use scrip_protocol::v1::response::Result;
use scrip_protocol::v1::{
    ApplicableCoupon, Code, Combination, CombinedCoupon, Coupon, CouponCounts, CouponHistory, CouponPage, CouponStatus,
    CouponStep, GoAway, InapplicableCoupon, OrderCoupons, Pong, QuoteReason, QuoteResult, Response, StepKind,
    StockChange, Template, TemplatePage, TemplateStatus, Welcome,
};

use super::requests::{definition, fixed};

/// How many kinds of results there are.
pub(super) const RESULTS: usize = 22;

/// The name of a result in the names of the vectors.
pub(super) fn result(result: &Result) -> &'static str {
    match result {
        Result::Welcome(_) => "welcome",
        Result::Pong(_) => "pong",
        Result::GoAway(_) => "go_away",
        Result::Coupon(_) => "coupon",
        Result::CouponPage(_) => "coupon_page",
        Result::OrderCoupons(_) => "order_coupons",
        Result::PackCoupons(_) => "pack_coupons",
        Result::PackRefusal(_) => "pack_refusal",
        Result::CouponHistory(_) => "coupon_history",
        Result::CouponCounts(_) => "coupon_counts",
        Result::QuoteResult(_) => "quote_result",
        Result::Template(_) => "template",
        Result::TemplatePage(_) => "template_page",
        Result::StockChange(_) => "stock_change",
        Result::BulkJob(_) => "bulk_job",
        Result::BulkUsersAdded(_) => "bulk_users_added",
        Result::BulkProgress(_) => "bulk_progress",
        Result::BulkJobPage(_) => "bulk_job_page",
        Result::BulkResultPage(_) => "bulk_result_page",
        Result::CodeBatch(_) => "code_batch",
        Result::CodeBatchPage(_) => "code_batch_page",
        Result::CodePage(_) => "code_page",
    }
}

pub(super) fn cases() -> Vec<(&'static str, Response)> {
    let results = results().into_iter().chain(super::bulk::results()).chain(super::exchange::results());
    let results = results.chain(super::pack::results());
    let mut cases: Vec<_> = results.map(|(name, id, result)| (name, ok(id, result))).collect();
    cases.extend(refusals());
    cases.push(("response_pack_refusal", super::pack::refusal()));
    let page = CouponPage { coupons: vec![coupon()], ..CouponPage::default() };
    let stale = Response { staleness_ms: 1_250, ..ok(26, Result::CouponPage(page)) };
    cases.push(("response_coupon_page_stale", stale));
    cases
}

fn ok(id: u64, result: Result) -> Response {
    Response { id, code: Code::Ok.into(), result: Some(result), ..Response::default() }
}

fn results() -> Vec<(&'static str, u64, Result)> {
    let welcome = Welcome {
        protocol_version: 1,
        proxy: "proxy-2".into(),
        topology_fingerprint: vec![0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff].into(),
        frame_len_max: 65_536,
        in_flight_max: 1_024,
    };
    let second = Coupon { seq: 2, status: CouponStatus::Used.into(), ..coupon() };
    let coupons = CouponPage { coupons: vec![coupon(), second], next_cursor: b"opaque\x00\xff"[..].into() };
    let templates = TemplatePage { templates: vec![template()], next_after_template_id: 7 };
    let added = StockChange {
        template_id: 7,
        units_requested: 1_000,
        units_applied: 1_000,
        total_stock: 3_000,
        replayed: false,
    };
    let withdrawn = StockChange {
        template_id: 7,
        units_requested: -4_000_000_000,
        units_applied: -2_500,
        total_stock: 500,
        replayed: true,
    };
    vec![
        ("response_welcome", 1, Result::Welcome(welcome)),
        ("response_pong", 2, Result::Pong(Pong { nonce: u64::MAX })),
        ("response_go_away", 0, Result::GoAway(GoAway { drain_ms: 5_000 })),
        ("response_coupon", 3, Result::Coupon(coupon())),
        ("response_coupon_replayed", u64::MAX, Result::Coupon(Coupon { replayed: true, ..coupon() })),
        ("response_coupon_page", 6, Result::CouponPage(coupons)),
        ("response_coupon_numbered", 25, Result::Coupon(numbered())),
        ("response_coupon_page_empty", 7, Result::CouponPage(CouponPage::default())),
        ("response_order_coupons", 18, Result::OrderCoupons(OrderCoupons { coupons: vec![locked()] })),
        ("response_coupon_history", 22, Result::CouponHistory(history())),
        ("response_quote_result", 22, Result::QuoteResult(Box::new(quote_result()))),
        ("response_quote_result_nothing", 23, Result::QuoteResult(Box::default())),
        (
            "response_coupon_counts",
            24,
            Result::CouponCounts(CouponCounts { unused: 1, locked: 2, used: 300, expired: 0 }),
        ),
        ("response_template", 10, Result::Template(Box::new(template()))),
        ("response_template_page", 11, Result::TemplatePage(templates)),
        ("response_stock_change", 16, Result::StockChange(added)),
        ("response_stock_change_withdrawn", 17, Result::StockChange(withdrawn)),
    ]
}

fn coupon() -> Coupon {
    Coupon {
        coupon_id: (0x80..=0x8f).collect::<Vec<u8>>().into(),
        user_id: 9_000_000_000_000_001_234,
        template_id: 7,
        seq: 1,
        request_id: b"0123456789abcdef"[..].into(),
        status: CouponStatus::Unused.into(),
        claimed_at_ms: 1_767_225_600_001,
        valid_from_ms: 1_767_225_600_000,
        valid_until_ms: 1_769_904_000_000,
        replayed: false,
        locked_until_ms: 0,
        number: String::new(),
    }
}

fn numbered() -> Coupon {
    Coupon { number: "TEA-20260101-M3L2-86NT-FQZT-FSGK-D".into(), ..coupon() }
}

fn locked() -> Coupon {
    Coupon { status: CouponStatus::Locked.into(), locked_until_ms: 1_767_225_660_001, ..coupon() }
}

fn history() -> CouponHistory {
    let step = |step, kind: StepKind, locked_until_ms, amount_minor| CouponStep {
        step,
        kind: kind.into(),
        order_id: "order 9".into(),
        locked_until_ms,
        amount_minor,
        at_ms: 1_767_225_600_001,
    };
    let steps = vec![step(1, StepKind::Locked, 1_767_225_660_001, 0), step(2, StepKind::Redeemed, 0, 1_500)];
    CouponHistory { coupon: Some(Coupon { status: CouponStatus::Used.into(), ..coupon() }), steps }
}

fn quote_result() -> QuoteResult {
    let coupon_id = bytes::Bytes::from((0x80..=0x8f).collect::<Vec<u8>>());
    let gift = bytes::Bytes::from_static(&[0x11; 16]);
    let applicable = |coupon_id: &bytes::Bytes, template_id, discount_minor, gift_product: &str| ApplicableCoupon {
        coupon_id: coupon_id.clone(),
        template_id,
        discount_minor,
        gift_product: gift_product.into(),
        valid_until_ms: 1_769_904_000_000,
    };
    let combined =
        |coupon_id: &bytes::Bytes, template_id, lines: &[u64], shipping_discount_minor, gift_product: &str| {
            CombinedCoupon {
                coupon_id: coupon_id.clone(),
                template_id,
                discount_minor: lines.iter().sum::<u64>() + shipping_discount_minor,
                line_discounts_minor: lines.to_vec(),
                shipping_discount_minor,
                gift_product: gift_product.into(),
            }
        };
    let best = Combination {
        coupons: vec![combined(&coupon_id, 7, &[4_975, 0], 25, ""), combined(&gift, 8, &[0, 0], 0, "mug")],
        discount_minor: 5_000,
        line_discounts_minor: vec![4_975, 0],
        shipping_discount_minor: 25,
        payable_minor: 35_600,
    };
    let inapplicable = InapplicableCoupon {
        coupon_id: vec![0; 16].into(),
        template_id: 9,
        reason: QuoteReason::Threshold.into(),
        detail: "its lines sum up to 39800; the threshold is 50000".into(),
    };
    QuoteResult {
        applicable: vec![applicable(&coupon_id, 7, 5_000, ""), applicable(&gift, 8, 0, "mug")],
        inapplicable: vec![inapplicable],
        best: Some(best),
        exhaustive: true,
        more_coupons: true,
        goods_minor: 39_800,
        shipping_minor: 800,
        at_ms: 1_767_225_600_001,
    }
}

fn template() -> Template {
    Template {
        template_id: 7,
        definition: Some(definition(fixed())),
        status: TemplateStatus::Published.into(),
        total_stock: 4_000_000_000,
        sold_out: true,
        created_at_ms: 1_767_139_200_000,
        revision: 300,
        sub_stocks: vec![0, 1, 3, 127, 128, 300],
        stripes: 4,
    }
}

fn refusals() -> Vec<(&'static str, Response)> {
    let refusal = |id, code: Code, detail: &str, retry_after_ms| Response {
        id,
        code: code.into(),
        detail: detail.into(),
        retry_after_ms,
        ..Response::default()
    };
    let wrong = "request_id is 15 bytes: give the 16 bytes that were minted for this request";
    let lost = "the connection to the primary was lost in the commit";
    let large = "a frame of 4294967295 bytes; the limit is 65536";
    vec![
        ("response_sold_out", refusal(3, Code::SoldOut, "every unit of template 7 became a coupon", 0)),
        ("response_invalid_request", refusal(9, Code::InvalidRequest, wrong, 0)),
        ("response_overloaded", refusal(3, Code::Overloaded, "the queue of the stock lane is full", 250)),
        ("response_outcome_unknown", refusal(3, Code::OutcomeUnknown, lost, 0)),
        ("response_frame_too_large", refusal(0, Code::FrameTooLarge, large, 0)),
        ("response_code_of_a_later_version", Response { id: 3, code: 89, ..Response::default() }),
    ]
}
