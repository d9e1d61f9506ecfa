//! Many claims in flight without a task for each.

use std::collections::BTreeSet;
use std::time::Duration;

use scrip_client::{Claim, Code, CouponId, Disposition, OrderError, OrderId, OrderRequest, UserId};
use scrip_protocol::v1;
use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::response::Result as Answer;

use crate::fake::{Fake, claim, config, coupon, pair, pair_with, within};

fn tagged(users: std::ops::Range<u64>) -> impl Iterator<Item = (u64, Claim)> {
    users.map(|user| (user, claim(user)))
}

#[tokio::test]
async fn every_claim_completes_once_under_its_tag() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let stream = client.claim_stream(1_000);
    assert_eq!(stream.submit(&mut tagged(0..300)), 300);
    let serve = async {
        for count in 0..300 {
            let (id, wire) = proxy.claim().await;
            if count % 3 == 0 {
                proxy.refuse(id, Code::SoldOut).await;
            } else {
                proxy.coupon(id, &wire).await;
            }
        }
    };
    let collect = async {
        let (mut batch, mut tags, mut sold_out) = (Vec::new(), BTreeSet::new(), 0);
        while stream.outstanding() > 0 {
            within("a completion", stream.completed(&mut batch)).await;
            for completion in batch.drain(..) {
                assert!(tags.insert(completion.tag), "twice: {}", completion.tag);
                match completion.result {
                    Ok(coupon) => assert_eq!(coupon.user.get(), completion.tag),
                    Err(error) => sold_out += usize::from(error.code() == Code::SoldOut),
                }
            }
        }
        assert_eq!((tags.len(), sold_out), (300, 100));
    };
    tokio::join!(serve, collect);
    let mut batch = Vec::new();
    within("nothing is outstanding", stream.completed(&mut batch)).await;
    assert!(batch.is_empty());
}

#[tokio::test]
async fn no_more_than_the_limit_is_taken() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let stream = client.claim_stream(10);
    let mut claims = tagged(0..25);
    assert_eq!(stream.submit(&mut claims), 10);
    assert_eq!((stream.submit(&mut claims), stream.room()), (0, 0));
    let (id, wire) = proxy.claim().await;
    proxy.coupon(id, &wire).await;
    let mut batch = Vec::new();
    within("a completion", stream.completed(&mut batch)).await;
    assert_eq!((batch.len(), stream.room()), (1, 1));
    assert_eq!(stream.submit(&mut claims), 1);
    assert_eq!(claims.next().map(|(tag, _)| tag), Some(11), "what found no room is still there");
}

#[tokio::test]
async fn a_lost_connection_and_a_deadline_mean_the_same_as_for_one_claim() {
    let fake = Fake::start().await;
    let mut config = config(&[&fake]);
    config.deadline = Duration::from_millis(150);
    let (client, mut proxy) = pair_with(&fake, config).await;
    let stream = client.claim_stream(10);
    stream.submit(&mut tagged(0..3));
    for _ in 0..3 {
        proxy.claim().await;
    }
    drop(proxy);
    let mut proxy = fake.accept().await;
    let mut batch = Vec::new();
    let serve = async {
        for _ in 0..3 {
            let (id, wire) = proxy.claim().await;
            assert_eq!(wire.attempt, 2);
            if wire.user_id != 1 {
                proxy.coupon(id, &wire).await;
            }
        }
    };
    let collect = async {
        let mut all = Vec::new();
        while stream.outstanding() > 0 {
            within("a completion", stream.completed(&mut batch)).await;
            all.append(&mut batch);
        }
        all
    };
    let ((), all) = tokio::join!(serve, collect);
    for completion in all {
        match completion.result {
            Ok(coupon) => assert!(coupon.replayed && completion.tag != 1),
            Err(error) => assert_eq!((completion.tag, error.disposition()), (1, Disposition::Unknown)),
        }
    }
}

#[tokio::test]
async fn requests_of_orders_complete_under_their_tags() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let stream = client.order_stream(100);
    let order = OrderId::try_new("order 1").expect("an order id");
    let id = |user: u64| CouponId(u128::from(user).to_be_bytes());
    let mut requests = (0..50).map(|user| (user, OrderRequest::unlock(UserId(user), &order, &[id(user)])));
    assert_eq!(stream.submit(&mut requests), 50);
    let serve = async {
        for _ in 0..50 {
            let request = proxy.request().await;
            let Some(Operation::UnlockCoupons(unlock)) = request.operation else { panic!("{request:?}") };
            assert_eq!(unlock.order_id, "order 1");
            if unlock.user_id % 5 == 0 {
                proxy.refuse(request.id, Code::OrderDone).await;
            } else {
                let coupon_id = unlock.coupon_ids[0].clone();
                let claim = v1::Claim { template_id: 7, request_id: coupon_id.clone(), ..v1::Claim::default() };
                let coupon = v1::Coupon { coupon_id, user_id: unlock.user_id, ..coupon(&claim) };
                proxy.ok(request.id, Answer::OrderCoupons(v1::OrderCoupons { coupons: vec![coupon] })).await;
            }
        }
    };
    let collect = async {
        let (mut batch, mut tags, mut refused) = (Vec::new(), BTreeSet::new(), 0);
        while stream.outstanding() > 0 {
            within("a completion", stream.completed(&mut batch)).await;
            for completion in batch.drain(..) {
                assert!(tags.insert(completion.tag), "twice: {}", completion.tag);
                match completion.result {
                    Ok(coupons) => assert_eq!(coupons[0].coupon_id, id(completion.tag)),
                    Err(error) => refused += usize::from(matches!(error, OrderError::OrderDone(_))),
                }
            }
        }
        assert_eq!((tags.len(), refused), (50, 10));
    };
    tokio::join!(serve, collect);
}
