//! Quotes on real stores. What the combination of coupons is worth is tested beside the engine, against brute force.

use super::scene::{Scene, cases};

cases! {
    an_order_is_quoted on Scene::shared;
    a_coupon_that_does_not_apply_says_why on Scene::shared;
    a_user_of_many_coupons_is_told_that_there_are_more on Scene::shared;
    a_wrong_order_is_refused_with_every_violation on Scene::shared;
}

mod cases {
    use std::time::Duration;

    use scrip_client::{
        Benefit, Coupon, CouponId, Disposition, Order, OrderId, OrderLine, Quote, QuoteError, QuoteReason, Redemption,
        Rules, Stacking, TemplateDefinition, Validity,
    };
    use scrip_protocol::{TemplateId, UserId};

    use crate::end_to_end::scene::{Scene, definition};

    fn line(line_id: &str, unit_price_minor: u64, quantity: u32) -> OrderLine {
        let product = format!("p-{line_id}");
        OrderLine { line_id: line_id.to_owned(), product, unit_price_minor, quantity, ..OrderLine::default() }
    }

    /// 3 times 3.33, and 10.01: 20.00 in all, and 5.00 for shipping.
    fn order() -> Order {
        let lines = vec![line("1", 333, 3), line("2", 1_001, 1)];
        Order { lines, currency: "EUR".to_owned(), shipping_minor: 500, ..Order::default() }
    }

    fn stacking(benefit: Benefit) -> Rules {
        let stacking = Stacking::Group { name: "shop".to_owned(), with_itself: false };
        Rules { benefit: Some(benefit), currency: Some("EUR".to_owned()), stacking, ..Rules::default() }
    }

    async fn template(scene: &Scene, rules: Rules) -> TemplateId {
        scene.published(TemplateDefinition { rules, ..definition(100, 5) }).await
    }

    async fn quote(scene: &Scene, user: u64, coupons: &[CouponId]) -> Quote {
        scene.client.quote(UserId(user), &order(), coupons).await.expect("quoted")
    }

    pub(super) async fn an_order_is_quoted(scene: &Scene) {
        let user = 700_000_001;
        let nothing = quote(scene, user, &[]).await;
        assert_eq!((nothing.best, nothing.goods_minor, nothing.is_exhaustive), (None, 2_000, true));

        let amount = template(scene, stacking(Benefit::AmountOff { amount_minor: 101 })).await;
        let percentage =
            template(scene, stacking(Benefit::PercentageOff { basis_points: 1_000, cap_minor: Some(150) })).await;
        let shipping = template(scene, stacking(Benefit::FreeShipping { cap_minor: None })).await;
        let exclusive = Rules { stacking: Stacking::Exclusive, ..stacking(Benefit::AmountOff { amount_minor: 700 }) };
        let exclusive = template(scene, exclusive).await;
        let plain = template(scene, Rules::default()).await;
        let mut coupons = Vec::new();
        for template in [amount, percentage, shipping, exclusive, plain, amount] {
            coupons.push(scene.claim(user, template).await.expect("claimed"));
        }
        let quote = quote(scene, user, &[]).await;
        let alone: Vec<_> = quote.applicable.iter().map(|coupon| (coupon.template, coupon.discount_minor)).collect();
        assert_eq!(alone, [(amount, 101), (amount, 101), (percentage, 150), (shipping, 500), (exclusive, 700)]);
        let not: Vec<_> = quote.inapplicable.iter().map(|coupon| (coupon.coupon_id, coupon.reason)).collect();
        assert_eq!(not, [(coupons[4].coupon_id, QuoteReason::NoBenefit)]);
        let best = quote.best.expect("a combination");
        // 101 over 999 and 1,001: 50.45 and 50.55. 10% of what is left is 189, capped at 150 over 949 and 950.
        let parts: Vec<_> = best.coupons.iter().map(|part| (part.template, &part.line_discounts_minor[..])).collect();
        assert_eq!(parts, [(amount, &[50, 51][..]), (percentage, &[75, 75]), (shipping, &[0, 0])]);
        assert_eq!(best.coupons[0].coupon_id, coupons[0].coupon_id, "of two alike the one that ends first");
        assert_eq!((best.discount_minor, best.shipping_discount_minor, best.payable_minor), (751, 500, 1_749));
        assert_eq!(best.line_discounts_minor, [125, 126]);
        assert!(quote.is_exhaustive && !quote.has_more_coupons);
    }

    fn reasons(quote: &Quote) -> Vec<QuoteReason> {
        quote.inapplicable.iter().map(|coupon| coupon.reason).collect()
    }

    pub(super) async fn a_coupon_that_does_not_apply_says_why(scene: &Scene) {
        let (user, other) = (700_000_002, 700_010_002);
        let template = template(scene, stacking(Benefit::AmountOff { amount_minor: 100 })).await;
        let mut coupons: Vec<Coupon> = Vec::new();
        for _ in 0..4 {
            coupons.push(scene.claim(user, template).await.expect("claimed"));
        }
        let foreign = scene.claim(other, template).await.expect("claimed");
        let ids: Vec<CouponId> = coupons.iter().map(|coupon| coupon.coupon_id).collect();
        let (used, locked) = (Redemption { coupon_id: ids[0], amount_minor: 100 }, ids[1]);
        let order_id: OrderId = "an order".parse().expect("an id");
        scene.client.redeem_coupons(UserId(user), &order_id, &[used]).await.expect("redeemed");
        let ttl = Duration::from_secs(3_600);
        scene.client.lock_coupons(UserId(user), &order_id, &[locked], ttl).await.expect("locked");

        let all = quote(scene, user, &[]).await;
        assert_eq!(all.applicable.len(), 2, "only what can be used is asked about");
        let named = quote(scene, user, &[ids[0], ids[1], ids[2], foreign.coupon_id, CouponId([7; 16])]).await;
        let applicable: Vec<_> = named.applicable.iter().map(|coupon| coupon.coupon_id).collect();
        assert_eq!(applicable, [ids[2]]);
        assert_eq!(
            reasons(&named),
            [QuoteReason::NotHeld, QuoteReason::NotHeld, QuoteReason::Used, QuoteReason::Locked]
        );

        // The lock is over in two hours, and the coupons are in two days.
        let at = async |hours: i64| {
            let at_ms = Some(coupons[0].claimed_at_ms + hours * 3_600_000);
            let order = Order { at_ms, ..order() };
            let quote = scene.client.quote(UserId(user), &order, &ids).await.expect("quoted");
            (quote.applicable.len(), reasons(&quote))
        };
        assert_eq!(at(2).await, (3, vec![QuoteReason::Used]));
        let expired = QuoteReason::Expired;
        assert_eq!(at(48).await, (0, vec![QuoteReason::Used, expired, expired, expired]));
        let before = Validity::Relative { starts_after_s: 3_600, lasts_s: 3_600 };
        let rules = stacking(Benefit::AmountOff { amount_minor: 100 });
        let later = TemplateDefinition { rules, validity: before, ..definition(100, 5) };
        let later = scene.claim(user, scene.published(later).await).await.expect("claimed");
        assert_eq!(reasons(&quote(scene, user, &[later.coupon_id]).await), [QuoteReason::NotYetValid]);
    }

    pub(super) async fn a_user_of_many_coupons_is_told_that_there_are_more(scene: &Scene) {
        let user = 700_000_003;
        let rules = stacking(Benefit::AmountOff { amount_minor: 100 });
        let template = scene.published(TemplateDefinition { rules, ..definition(1_000, 200) }).await;
        for count in [100, 1] {
            let claimed = scene.rush(template, std::iter::repeat_n(user, count)).await;
            assert!(claimed.iter().all(Result::is_ok), "{claimed:?}");
            let quote = quote(scene, user, &[]).await;
            assert_eq!((quote.applicable.len(), quote.has_more_coupons), (100, count == 1));
            assert_eq!(quote.best.map(|best| best.discount_minor), Some(100));
        }
    }

    pub(super) async fn a_wrong_order_is_refused_with_every_violation(scene: &Scene) {
        let wrong = Order { lines: vec![line("1", 5, 0), line("1", 5, 1)], currency: "euro".to_owned(), ..order() };
        let error = scene.client.quote(UserId(5), &wrong, &[]).await.expect_err("refused");
        assert!(matches!(error, QuoteError::Rejected(_)) && error.disposition() == Disposition::NotApplied, "{error}");
        for part in ["order.lines.quantity", "order.lines.line_id", "order.currency"] {
            assert!(error.detail().contains(part), "{error}");
        }
    }
}
