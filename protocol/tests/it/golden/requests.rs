//! What the vectors of requests mean.

use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::template_definition::{Benefit, Validity};
use scrip_protocol::v1::{
    AmountOff, Applicability, Claim, CountCoupons, CouponOrder, CouponStatus, CreateTemplate, FixedValidity,
    FreeShipping, GetClaim, GetCoupon, GetTemplate, Gift, Hello, ListCoupons, ListTemplates, LockCoupons, Order,
    OrderLine, PercentageOff, Ping, Quote, RedeemCoupons, Redemption, RelativeValidity, Replenish, Request,
    ReturnCoupons, Selection, SetTemplateStatus, Stacking, TemplateAction, TemplateDefinition, TemplateStatus,
    UnlockCoupons,
};

/// How many operations there are.
pub(super) const OPERATIONS: usize = 31;

/// The name of an operation in the names of the vectors.
pub(super) fn operation(operation: &Operation) -> &'static str {
    match operation {
        Operation::Hello(_) => "hello",
        Operation::Ping(_) => "ping",
        Operation::Claim(_) => "claim",
        Operation::GetClaim(_) => "get_claim",
        Operation::ListCoupons(_) => "list_coupons",
        Operation::CountCoupons(_) => "count_coupons",
        Operation::LockCoupons(_) => "lock_coupons",
        Operation::RedeemCoupons(_) => "redeem_coupons",
        Operation::UnlockCoupons(_) => "unlock_coupons",
        Operation::ReturnCoupons(_) => "return_coupons",
        Operation::GetCoupon(_) => "get_coupon",
        Operation::Quote(_) => "quote",
        Operation::CreateTemplate(_) => "create_template",
        Operation::GetTemplate(_) => "get_template",
        Operation::ListTemplates(_) => "list_templates",
        Operation::SetTemplateStatus(_) => "set_template_status",
        Operation::Replenish(_) => "replenish",
        Operation::CreateBulkJob(_) => "create_bulk_job",
        Operation::AddBulkUsers(_) => "add_bulk_users",
        Operation::StartBulkJob(_) => "start_bulk_job",
        Operation::SetBulkJobState(_) => "set_bulk_job_state",
        Operation::GetBulkJob(_) => "get_bulk_job",
        Operation::ListBulkJobs(_) => "list_bulk_jobs",
        Operation::ListBulkResults(_) => "list_bulk_results",
        Operation::CreateCodeBatch(_) => "create_code_batch",
        Operation::GetCodeBatch(_) => "get_code_batch",
        Operation::ListCodeBatches(_) => "list_code_batches",
        Operation::RevokeCodeBatch(_) => "revoke_code_batch",
        Operation::ExportCodes(_) => "export_codes",
        Operation::ClaimByCode(_) => "claim_by_code",
        Operation::ClaimPack(_) => "claim_pack",
    }
}

pub(super) fn definition(validity: Validity) -> TemplateDefinition {
    TemplateDefinition {
        name: "Ten off — 十元".into(),
        total_stock: 4_000_000_000,
        per_user_limit: 3,
        claim_start_ms: 1_767_225_600_000,
        claim_end_ms: 1_767_312_000_000,
        validity: Some(validity),
        ..TemplateDefinition::default()
    }
}

fn with_rules() -> TemplateDefinition {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let selection =
        |include: &[&str], exclude: &[&str]| Some(Selection { include: list(include), exclude: list(exclude) });
    TemplateDefinition {
        benefit: Some(Benefit::PercentageOff(PercentageOff { basis_points: 1_250, cap_minor: Some(5_000) })),
        currency: "CNY".into(),
        threshold_minor: 20_000,
        applicability: Some(Applicability {
            categories: selection(&["shoes", "鞋"], &["boots"]),
            products: selection(&[], &["p-7"]),
            shops: selection(&["s-1"], &[]),
            platforms: list(&["app"]),
            regions: list(&["CN-31", "CN-11"]),
        }),
        per_user_daily_limit: 2,
        day_starts_at_utc_offset_minutes: -480,
        stacking: Some(Stacking { group: "shop".into(), stacks_with_itself: true }),
        budget_minor: 1_000_000_000_000_000,
        code_prefix: "SHOE26".into(),
        ..definition(fixed())
    }
}

/// The other benefits.
fn with_benefit(benefit: Benefit) -> TemplateDefinition {
    TemplateDefinition { benefit: Some(benefit), currency: "JPY".into(), ..definition(fixed()) }
}

pub(super) fn fixed() -> Validity {
    Validity::Fixed(FixedValidity { from_ms: 1_767_225_600_000, until_ms: 1_769_904_000_000 })
}

pub(super) fn cases() -> Vec<(&'static str, Request)> {
    let request_id = &b"0123456789abcdef"[..];
    let claim =
        |attempt| Claim { user_id: 9_000_000_000_000_001_234, template_id: 7, request_id: request_id.into(), attempt };
    let of_user_zero = Claim { template_id: u32::MAX, request_id: vec![0; 16].into(), ..Claim::default() };
    let mut cases = vec![
        ("request_hello", 1, 2_000, Operation::Hello(hello())),
        ("request_ping", 2, 0, Operation::Ping(Ping { nonce: u64::MAX })),
        ("request_claim", 3, 500, Operation::Claim(claim(1))),
        ("request_claim_resend", u64::MAX, 60_000, Operation::Claim(claim(2))),
        ("request_claim_of_user_zero", 4, 0, Operation::Claim(of_user_zero)),
        (
            "request_get_claim",
            5,
            0,
            Operation::GetClaim(GetClaim { user_id: 1234, template_id: 7, request_id: request_id.into() }),
        ),
    ];
    cases.extend(listings());
    cases.extend(of_orders());
    cases.extend(of_operators());
    cases.extend(super::bulk::operations());
    cases.extend(super::exchange::operations());
    cases.extend(super::pack::operations());
    cases.extend(quotes());
    let named = |(name, id, deadline_ms, operation)| (name, Request { id, deadline_ms, operation: Some(operation) });
    cases.into_iter().map(named).collect()
}

fn hello() -> Hello {
    Hello {
        protocol_version: 1,
        caller: "shop".into(),
        token: "a secret of the shop".into(),
        topology_fingerprint: vec![0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff].into(),
    }
}

type Case = (&'static str, u64, u32, Operation);

fn listings() -> Vec<Case> {
    let first = ListCoupons { user_id: 1234, ..ListCoupons::default() };
    let next = ListCoupons {
        user_id: 1234,
        status: CouponStatus::Unused.into(),
        template_id: 7,
        page_size: 500,
        cursor: b"opaque\x00\xff"[..].into(),
        ..ListCoupons::default()
    };
    let ending = ListCoupons { user_id: 1234, order: CouponOrder::Ending.into(), ..ListCoupons::default() };
    let templates = ListTemplates {
        status: TemplateStatus::Published.into(),
        page_size: 100,
        after_template_id: 7,
        ..ListTemplates::default()
    };
    let count = CountCoupons { user_id: 1234, template_id: 7, ..CountCoupons::default() };
    let stale = ListCoupons { user_id: 1234, max_staleness_ms: 5_000, ..ListCoupons::default() };
    vec![
        ("request_list_coupons", 6, 0, Operation::ListCoupons(first)),
        ("request_list_coupons_next", 7, 0, Operation::ListCoupons(next)),
        ("request_list_coupons_ending", 23, 0, Operation::ListCoupons(ending)),
        ("request_count_coupons", 24, 0, Operation::CountCoupons(count)),
        ("request_list_coupons_stale", 25, 0, Operation::ListCoupons(stale)),
        (
            "request_get_template",
            10,
            0,
            Operation::GetTemplate(GetTemplate { template_id: 7, ..GetTemplate::default() }),
        ),
        ("request_list_templates", 11, 0, Operation::ListTemplates(templates)),
    ]
}

fn of_orders() -> Vec<Case> {
    let coupons = || vec![(0x80..=0x8f).collect::<Vec<u8>>().into(), vec![0xff; 16].into()];
    let (user_id, order_id) = (1234, || "order 9 \u{5143}".to_owned());
    let redemption = |coupon_id, amount_minor| Redemption { coupon_id, amount_minor };
    let redeemed = coupons().into_iter().zip([1_500, 0]).map(|(id, amount)| redemption(id, amount)).collect();
    let lock = LockCoupons { user_id, order_id: order_id(), coupon_ids: coupons(), ttl_ms: 2_592_000_000 };
    let redeem = RedeemCoupons { user_id, order_id: order_id(), coupons: redeemed };
    let unlock = UnlockCoupons { user_id, order_id: order_id(), coupon_ids: coupons() };
    let back = ReturnCoupons { user_id, order_id: order_id(), coupon_ids: coupons() };
    let get = GetCoupon { user_id, coupon_id: vec![0xff; 16].into(), number: String::new(), max_staleness_ms: 0 };
    let by_number = GetCoupon { number: "TEA-20260101-M3L2-86NT-FQZT-FSGK-D".into(), ..GetCoupon::default() };
    vec![
        ("request_lock_coupons", 18, 0, Operation::LockCoupons(lock)),
        ("request_redeem_coupons", 19, 0, Operation::RedeemCoupons(redeem)),
        ("request_unlock_coupons", 20, 0, Operation::UnlockCoupons(unlock)),
        ("request_return_coupons", 21, 0, Operation::ReturnCoupons(back)),
        ("request_get_coupon", 22, 0, Operation::GetCoupon(get)),
        ("request_get_coupon_by_number", 23, 0, Operation::GetCoupon(by_number)),
    ]
}

fn of_operators() -> Vec<Case> {
    let request_id = &b"fedcba9876543210"[..];
    let define = |definition| {
        let definition = Some(definition);
        Operation::CreateTemplate(Box::new(CreateTemplate { request_id: request_id.into(), definition }))
    };
    let create = |validity| define(definition(validity));
    let amount = Benefit::AmountOff(AmountOff { amount_minor: 500 });
    let shipping = Benefit::FreeShipping(FreeShipping { cap_minor: Some(800) });
    let gift = Benefit::Gift(Gift { product: "mug".into() });
    let set = |action: TemplateAction| {
        Operation::SetTemplateStatus(SetTemplateStatus { template_id: 7, action: action.into() })
    };
    let replenish = |units| Operation::Replenish(Replenish { template_id: 7, request_id: request_id.into(), units });
    let relative = Validity::Relative(RelativeValidity { starts_after_s: 3_600, lasts_s: 604_800 });
    vec![
        ("request_create_template", 8, 0, create(fixed())),
        ("request_create_template_relative", 9, 0, create(relative)),
        ("request_create_template_rules", 18, 0, define(with_rules())),
        ("request_create_template_amount_off", 19, 0, define(with_benefit(amount))),
        ("request_create_template_free_shipping", 20, 0, define(with_benefit(shipping))),
        ("request_create_template_gift", 21, 0, define(with_benefit(gift))),
        ("request_set_template_status_publish", 12, 0, set(TemplateAction::Publish)),
        ("request_set_template_status_pause", 13, 0, set(TemplateAction::Pause)),
        ("request_set_template_status_resume", 14, 0, set(TemplateAction::Resume)),
        ("request_set_template_status_close", 15, 0, set(TemplateAction::Close)),
        ("request_replenish", 16, 0, replenish(1_000)),
        ("request_replenish_withdraw", 17, 0, replenish(-4_000_000_000)),
    ]
}

fn quotes() -> Vec<Case> {
    let line = |line_id: &str, categories: &[&str], shop: &str, unit_price_minor, quantity| OrderLine {
        line_id: line_id.into(),
        product: format!("p-{line_id}"),
        categories: categories.iter().map(|name| (*name).to_owned()).collect(),
        shop: shop.into(),
        unit_price_minor,
        quantity,
    };
    let order = Order {
        lines: vec![line("1", &["shoes", "鞋"], "s-1", 19_900, 2), line("2", &[], "", 0, 1)],
        currency: "CNY".into(),
        shipping_minor: 800,
        platform: "app".into(),
        region: "CN-31".into(),
        at_ms: 1_767_225_600_001,
    };
    let coupon_ids = vec![(0x80..=0x8f).collect::<Vec<u8>>().into(), vec![0; 16].into()];
    let quote = Quote { user_id: 9_000_000_000_000_001_234, order: Some(order), coupon_ids };
    vec![("request_quote", 22, 0, Operation::Quote(Box::new(quote)))]
}
