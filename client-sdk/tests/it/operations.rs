//! Every operation once, and answers in any order.

use bytes::Bytes;
use scrip_client::{
    Applicability, Benefit, ClaimError, Code, CouponId, CouponNumber, CouponQuery, CouponStatus, DailyLimit,
    Disposition, Order, OrderLine, QuoteReason, RequestId, Rules, Selection, Stacking, TemplateDefinition, TemplateId,
    TemplateQuery, TemplateStatus, UserId, Validity,
};
use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::response::Result as Wire;
use scrip_protocol::v1::{self, TemplateAction};

use crate::fake::{Connection, Fake, claim, coupon, end, pair, request_id, spawn_claim};

#[tokio::test]
async fn answers_out_of_order_reach_their_claims() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let claims: Vec<_> = (0..50).map(claim).collect();
    let tasks: Vec<_> = claims.iter().map(|claim| spawn_claim(&client, *claim)).collect();
    let mut received = Vec::new();
    for _ in 0..50 {
        received.push(proxy.claim().await);
    }
    for (id, claim) in received.iter().rev() {
        proxy.coupon(*id, claim).await;
    }
    for (claim, task) in claims.iter().zip(tasks) {
        let coupon = end(task).await.expect("a coupon");
        assert_eq!((coupon.user, coupon.request_id), (claim.user(), claim.request_id()));
        assert!(!coupon.replayed);
    }
}

#[tokio::test]
async fn the_first_attempt_says_what_the_caller_promised() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    for (claim, attempt) in [(claim(1), 0), (claim(2).first_try(), 1)] {
        let task = spawn_claim(&client, claim);
        let (id, wire) = proxy.claim().await;
        assert_eq!((wire.attempt, request_id(&wire)), (attempt, claim.request_id()));
        proxy.coupon(id, &wire).await;
        end(task).await.expect("a coupon");
    }
}

#[tokio::test]
async fn each_refusal_has_its_variant_and_is_not_sent_again() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    type Check = fn(&ClaimError) -> bool;
    let cases: [(Code, Check); 12] = [
        (Code::TemplateNotFound, |error| matches!(error, ClaimError::TemplateNotFound(_))),
        (Code::TemplateNotPublished, |error| matches!(error, ClaimError::NotPublished(_))),
        (Code::TemplatePaused, |error| matches!(error, ClaimError::Paused(_))),
        (Code::TemplateClosed, |error| matches!(error, ClaimError::Closed(_))),
        (Code::ClaimNotStarted, |error| matches!(error, ClaimError::NotStarted(_))),
        (Code::ClaimEnded, |error| matches!(error, ClaimError::Ended(_))),
        (Code::SoldOut, |error| matches!(error, ClaimError::SoldOut(_))),
        (Code::LimitReached, |error| matches!(error, ClaimError::LimitReached(_))),
        (Code::DailyLimitReached, |error| matches!(error, ClaimError::DailyLimitReached(_))),
        (Code::RequestIdReused, |error| matches!(error, ClaimError::RequestIdReused(_))),
        (Code::DeadlineExceeded, |error| matches!(error, ClaimError::DeadlineExceeded(_))),
        (Code::InvalidRequest, |error| matches!(error, ClaimError::Rejected(_))),
    ];
    for (code, is_expected) in cases {
        let task = spawn_claim(&client, claim(1));
        let (id, _) = proxy.claim().await;
        proxy.refuse(id, code).await;
        let error = end(task).await.expect_err("refused");
        assert!(is_expected(&error), "{code:?}: {error:?}");
        assert_eq!((error.code(), error.detail()), (code, "scripted"));
        assert_eq!(error.disposition(), Disposition::NotApplied);
        assert_eq!(error.failure().sent(), 1);
    }
}

#[tokio::test]
async fn a_code_of_a_newer_proxy_means_what_its_range_says() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    for (number, disposition) in [(89, Disposition::NotApplied), (95, Disposition::Unknown), (7, Disposition::Unknown)]
    {
        let task = spawn_claim(&client, claim(1));
        let (id, _) = proxy.claim().await;
        proxy.send(v1::Response { id, code: number, ..v1::Response::default() }).await;
        let error = end(task).await.expect_err("refused");
        assert_eq!((error.failure().number(), error.disposition()), (number, disposition), "{error:?}");
    }
}

#[tokio::test]
async fn coupons_are_asked_for_and_listed_page_by_page() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let (user, template, id) = (UserId(5), TemplateId::try_new(7).expect("not 0"), RequestId([3; 16]));
    let sample = coupon(&v1::Claim { user_id: 5, template_id: 7, request_id: id.to_bytes(), attempt: 0 });
    let script = async {
        expect(&mut proxy, Wire::Coupon(sample.clone()), |operation| matches!(operation, Operation::GetClaim(_))).await;
        let page = |cursor: &'static [u8]| {
            Wire::CouponPage(v1::CouponPage { coupons: vec![sample.clone()], next_cursor: cursor.into() })
        };
        expect(&mut proxy, page(b"more"), |operation| {
            matches!(operation, Operation::ListCoupons(list) if list.cursor.is_empty() && list.page_size == 1 && list.status == 1)
        })
        .await;
        expect(
            &mut proxy,
            page(b""),
            |operation| matches!(operation, Operation::ListCoupons(list) if list.cursor == "more"),
        )
        .await;
    };
    let calls = async {
        assert_eq!(client.get_claim(user, template, id).await.expect("found").request_id, id);
        let mut pages = client.coupons(CouponQuery::new(user).status(CouponStatus::Unused).page_size(1));
        assert_eq!(pages.next_page().await.expect("a page").map(|page| page.len()), Some(1));
        assert_eq!(pages.next_page().await.expect("a page").map(|page| page.len()), Some(1));
        assert_eq!(pages.next_page().await.expect("the end"), None);
    };
    tokio::join!(script, calls);
}

#[tokio::test]
async fn a_coupon_is_found_by_its_number() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let number = "tea 20260101 M3L286NTFQZTFSGKD".parse::<CouponNumber>().expect("a number");
    let claim = v1::Claim { user_id: 5, template_id: 7, request_id: vec![3; 16].into(), attempt: 0 };
    let answer = |number: &str| {
        let coupon = v1::Coupon { number: number.to_owned(), ..coupon(&claim) };
        Wire::CouponHistory(v1::CouponHistory { coupon: Some(coupon), steps: Vec::new() })
    };
    let is_asked = |operation: &Operation| {
        let by_number = |get: &v1::GetCoupon| {
            get.user_id == 0 && get.coupon_id.is_empty() && get.number == "TEA-20260101-M3L2-86NT-FQZT-FSGK-D"
        };
        matches!(operation, Operation::GetCoupon(get) if by_number(get))
    };
    let script = async {
        expect(&mut proxy, answer(number.as_str()), is_asked).await;
        let later = v1::Coupon { number: "a form of numbers that comes later".to_owned(), ..coupon(&claim) };
        let page = Wire::CouponPage(v1::CouponPage { coupons: vec![later], next_cursor: Bytes::new() });
        expect(&mut proxy, page, |operation| matches!(operation, Operation::ListCoupons(_))).await;
    };
    let calls = async {
        let found = client.find_coupon(number).await.expect("found").coupon;
        assert_eq!((found.user, found.number), (UserId(5), Some(number)));
        let page = client.list_coupons(&CouponQuery::new(UserId(5)), None).await.expect("a page");
        assert_eq!(page.coupons[0].number, None, "what is not understood spoils nothing else");
    };
    tokio::join!(script, calls);
}

#[tokio::test]
async fn templates_are_administered() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let id = TemplateId::try_new(7).expect("not 0");
    let definition = TemplateDefinition {
        name: "ten percent".to_owned(),
        total_stock: 100,
        per_user_limit: 2,
        claim_start_ms: None,
        claim_end_ms: Some(9),
        validity: Validity::Relative { starts_after_s: 0, lasts_s: 60 },
        rules: rules(),
    };
    let wire = |status: v1::TemplateStatus| {
        let definition = Some(v1::TemplateDefinition::from(definition.clone()));
        let status = status.into();
        Wire::Template(Box::new(v1::Template { template_id: 7, definition, status, ..v1::Template::default() }))
    };
    let script = async {
        expect(&mut proxy, wire(v1::TemplateStatus::Draft), |operation| {
            matches!(operation, Operation::CreateTemplate(_))
        })
        .await;
        for action in [TemplateAction::Publish, TemplateAction::Pause, TemplateAction::Resume, TemplateAction::Close] {
            let answer = wire(v1::TemplateStatus::Published);
            expect(
                &mut proxy,
                answer,
                |operation| matches!(operation, Operation::SetTemplateStatus(set) if set.action == i32::from(action)),
            )
            .await;
        }
        expect(&mut proxy, wire(v1::TemplateStatus::Paused), |operation| {
            matches!(operation, Operation::GetTemplate(_))
        })
        .await;
        let page = Wire::TemplatePage(v1::TemplatePage { templates: Vec::new(), next_after_template_id: 9 });
        expect(&mut proxy, page, |operation| matches!(operation, Operation::ListTemplates(_))).await;
        let change = v1::StockChange { template_id: 7, units_requested: -5, units_applied: -3, ..Default::default() };
        expect(
            &mut proxy,
            Wire::StockChange(change),
            |operation| matches!(operation, Operation::Replenish(replenish) if replenish.units == -5),
        )
        .await;
    };
    let calls = async {
        let created = client.create_template(RequestId([1; 16]), definition.clone()).await.expect("created");
        assert_eq!((created.template, &created.definition), (id, &definition));
        client.publish(id).await.expect("published");
        client.pause(id).await.expect("paused");
        client.resume(id).await.expect("resumed");
        client.close_template(id).await.expect("closed");
        assert_eq!(client.get_template(id).await.expect("there").status, TemplateStatus::Paused);
        let page = client.list_templates(&TemplateQuery::default()).await.expect("a page");
        assert_eq!(page.next, TemplateId::try_new(9).ok());
        let change = client.replenish(id, RequestId([2; 16]), -5).await.expect("changed");
        assert_eq!((change.units_requested, change.units_applied), (-5, -3));
    };
    tokio::join!(script, calls);
}

#[tokio::test]
async fn an_order_is_quoted() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let id = CouponId([9; 16]);
    let line =
        OrderLine { line_id: "1".into(), product: "p".into(), unit_price_minor: 5, quantity: 2, ..Default::default() };
    let order = Order { lines: vec![line], currency: "EUR".into(), at_ms: Some(7), ..Order::default() };
    let answer = |line_discounts_minor: Vec<u64>| {
        let combined = v1::CombinedCoupon {
            coupon_id: id.to_bytes(),
            template_id: 7,
            discount_minor: 4,
            line_discounts_minor: line_discounts_minor.clone(),
            ..Default::default()
        };
        let best =
            v1::Combination { coupons: vec![combined], discount_minor: 4, line_discounts_minor, ..Default::default() };
        let gift_product = "mug".to_owned();
        let applicable =
            v1::ApplicableCoupon { coupon_id: id.to_bytes(), template_id: 7, gift_product, ..Default::default() };
        let reason = v1::QuoteReason::Threshold.into();
        let inapplicable = |reason| v1::InapplicableCoupon { coupon_id: id.to_bytes(), reason, ..Default::default() };
        let inapplicable = vec![inapplicable(reason), inapplicable(99)];
        let quote =
            v1::QuoteResult { applicable: vec![applicable], inapplicable, best: Some(best), ..Default::default() };
        Wire::QuoteResult(Box::new(quote))
    };
    let script = async {
        for lines in [vec![4], vec![4, 0]] {
            expect(&mut proxy, answer(lines), |operation| {
                let Operation::Quote(quote) = operation else { return false };
                quote.coupon_ids == [id.to_bytes()] && quote.order.as_ref().is_some_and(|order| order.at_ms == 7)
            })
            .await;
        }
    };
    let calls = async {
        let quote = client.quote(UserId(5), &order, &[id]).await.expect("quoted");
        assert_eq!(quote.best.expect("a combination").line_discounts_minor, [4]);
        assert_eq!(quote.applicable[0].gift_product.as_deref(), Some("mug"));
        let reasons: Vec<_> = quote.inapplicable.iter().map(|coupon| coupon.reason).collect();
        assert_eq!(reasons, [QuoteReason::Threshold, QuoteReason::Newer(99)]);
        // The split over another number of lines is not the answer to this question.
        let client = client.with_deadline(std::time::Duration::from_millis(200));
        client.quote(UserId(5), &order, &[id]).await.expect_err("two lines were split, one was asked for");
    };
    tokio::join!(script, calls);
}

#[tokio::test]
async fn a_ping_comes_back() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let script = async {
        let request = proxy.request().await;
        let Some(Operation::Ping(ping)) = request.operation else { panic!("{request:?}") };
        proxy.ok(request.id, Wire::Pong(v1::Pong { nonce: ping.nonce })).await;
    };
    let (answer, ()) = tokio::join!(client.ping(), script);
    answer.expect("a pong");
}

async fn expect(proxy: &mut Connection, answer: Wire, is_expected: impl Fn(&Operation) -> bool) {
    let request = proxy.request().await;
    assert!(request.operation.as_ref().is_some_and(is_expected), "{request:?}");
    proxy.ok(request.id, answer).await;
}

/// All of them, so that what goes out and comes back is the same.
fn rules() -> Rules {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    Rules {
        benefit: Some(Benefit::PercentageOff { basis_points: 1_000, cap_minor: Some(5_000) }),
        currency: Some("EUR".to_owned()),
        threshold_minor: 10_000,
        applicability: Applicability {
            categories: Selection { include: names(&["shoes"]), exclude: names(&["boots"]) },
            products: Selection { include: Vec::new(), exclude: names(&["p-7"]) },
            shops: Selection { include: names(&["s-1"]), exclude: Vec::new() },
            platforms: names(&["app"]),
            regions: names(&["FR"]),
        },
        daily_limit: Some(DailyLimit { coupons: 1, utc_offset_minutes: 60 }),
        stacking: Stacking::Group { name: "shop".to_owned(), with_itself: true },
        budget_minor: 1_000_000,
        code_prefix: "SHOE".to_owned(),
    }
}
