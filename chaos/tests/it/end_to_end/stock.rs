//! Stock: the last unit, sold out, replenished, withdrawn.

use super::scene::{Scene, cases};

cases! {
    the_last_unit_goes_to_one_of_a_thousand on Scene::shared;
    sold_out_is_definite_and_replenishing_ends_it on Scene::shared;
    a_withdrawal_takes_only_what_is_unsold on Scene::shared;
    a_template_without_stock_is_sold_out_at_once on Scene::shared;
}

mod cases {
    use scrip_client::{ClaimError, mint_request_id};

    use crate::end_to_end::scene::{Books, Scene};

    pub(super) async fn the_last_unit_goes_to_one_of_a_thousand(scene: &Scene) {
        let template = scene.template(1, 1).await;
        let results = scene.rush(template, 0..1_000).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for refused in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(matches!(refused, ClaimError::SoldOut(_)), "{refused:?}");
        }
        assert_eq!(scene.books(template).await, Books { coupons: 1, ledger: 1 });
    }

    pub(super) async fn sold_out_is_definite_and_replenishing_ends_it(scene: &Scene) {
        let template = scene.template(500, 1).await;
        assert_eq!(scene.sell_out(template, 10_000).await, 500);
        assert!(scene.client.get_template(template).await.expect("read").sold_out);
        let request = mint_request_id();
        let change = scene.client.replenish(template, request, 250).await.expect("replenished");
        assert_eq!((change.units_applied, change.total_stock, change.replayed), (250, 750, false));
        let again = scene.client.replenish(template, request, 250).await.expect("replayed");
        assert_eq!((again.units_applied, again.total_stock, again.replayed), (250, 750, true));
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        assert_eq!(scene.sell_out(template, 900_000).await, 250);
        assert_eq!(scene.books(template).await, Books { coupons: 750, ledger: 750 });
    }

    pub(super) async fn a_withdrawal_takes_only_what_is_unsold(scene: &Scene) {
        let template = scene.template(400, 1).await;
        let sold = scene.rush(template, 0..150).await.iter().filter(|result| result.is_ok()).count() as u64;
        assert_eq!(sold, 150);
        let some = scene.client.replenish(template, mint_request_id(), -100).await.expect("withdrawn");
        assert_eq!((some.units_applied, some.total_stock), (-100, 300));
        let rest = scene.client.replenish(template, mint_request_id(), -1_000).await;
        if let Ok(rest) = &rest {
            assert_eq!((rest.units_applied, rest.total_stock), (-150, 150));
        } else {
            panic!("more than there is takes what there is: {rest:?}");
        }
        assert_eq!(scene.sell_out(template, 700_000).await, 0);
        assert_eq!(scene.books(template).await, Books { coupons: 150, ledger: 150 });
    }

    pub(super) async fn a_template_without_stock_is_sold_out_at_once(scene: &Scene) {
        let template = scene.template(0, 1).await;
        let refused = scene.claim(1, template).await.expect_err("nothing there");
        assert!(matches!(refused, ClaimError::SoldOut(_)), "{refused:?}");
    }
}
