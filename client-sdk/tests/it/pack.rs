//! Packs: what is sent, what is believed, and what a refusal names.

use scrip_client::{
    ClaimPackError, Client, Code, Coupon, Disposition, Pack, PackItem, RequestId, TemplateId, UserId, mint_request_id,
};
use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::response::Result as Wire;
use scrip_protocol::v1::{self, PackCoupons, PackRefusal};
use tokio::task::JoinHandle;

use crate::fake::{Connection, Fake, coupon, end, pair, refusal};

fn template(id: u32) -> TemplateId {
    TemplateId::try_new(id).expect("not 0")
}

/// One of template 9 and two of template 7.
fn pack(request: RequestId) -> Pack {
    let item = |id, count| PackItem { template: template(id), count };
    Pack::new(UserId(42), request, [item(9, 1), item(7, 2)])
}

fn spawn(client: &Client, pack: Pack) -> JoinHandle<Result<Vec<Coupon>, ClaimPackError>> {
    let client = client.clone();
    tokio::spawn(async move { client.claim_pack(&pack).await })
}

async fn asked(proxy: &mut Connection) -> (u64, v1::ClaimPack) {
    let request = proxy.request().await;
    match request.operation {
        Some(Operation::ClaimPack(claim)) => (request.id, claim),
        other => panic!("not a pack: {other:?}"),
    }
}

fn answer(user_id: u64, templates: &[u32]) -> Wire {
    let one = |template_id: &u32| {
        let claim = v1::Claim { user_id, template_id: *template_id, request_id: vec![7; 16].into(), attempt: 0 };
        coupon(&claim)
    };
    Wire::PackCoupons(PackCoupons { coupons: templates.iter().map(one).collect() })
}

#[tokio::test]
async fn a_pack_is_sent_again_with_its_id_and_a_higher_attempt() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    let request = mint_request_id();
    let task = spawn(&client, pack(request));
    for attempt in [0, 2] {
        let (id, claim) = asked(&mut proxy).await;
        let items: Vec<_> = claim.items.iter().map(|item| (item.template_id, item.count)).collect();
        assert_eq!((claim.user_id, items, claim.attempt), (42, vec![(9, 1), (7, 2)], attempt));
        assert_eq!(claim.request_id, request.to_bytes());
        if attempt == 0 {
            proxy.refuse(id, Code::OutcomeUnknown).await;
        } else {
            proxy.ok(id, answer(42, &[9, 7, 7])).await;
        }
    }
    let coupons = end(task).await.expect("the pack");
    assert_eq!(coupons.iter().map(|coupon| coupon.template.get()).collect::<Vec<_>>(), [9, 7, 7]);
}

#[tokio::test]
async fn a_refusal_names_its_item() {
    let fake = Fake::start().await;
    let (client, mut proxy) = pair(&fake).await;
    for (template_id, expect) in [(7, Some(template(7))), (0, None)] {
        let task = spawn(&client, pack(mint_request_id()));
        let (id, _) = asked(&mut proxy).await;
        let result = Some(Wire::PackRefusal(PackRefusal { template_id }));
        proxy.send(v1::Response { result, ..refusal(id, Code::SoldOut) }).await;
        let error = end(task).await.expect_err("sold out");
        assert!(matches!(error, ClaimPackError::SoldOut(_)), "{error:?}");
        assert_eq!((error.failure().template(), error.disposition()), (expect, Disposition::NotApplied));
    }
}

#[tokio::test]
async fn an_answer_that_is_not_the_pack_is_not_believed() {
    for (user, templates) in [(42, &[7, 7, 9][..]), (42, &[9, 7]), (42, &[9, 7, 7, 7]), (42, &[]), (41, &[9, 7, 7])] {
        let fake = Fake::start().await;
        let (client, mut proxy) = pair(&fake).await;
        let task = spawn(&client, pack(mint_request_id()));
        let (id, _) = asked(&mut proxy).await;
        proxy.ok(id, answer(user, templates)).await;
        drop((proxy, fake));
        let error = end(task).await.expect_err("another pack");
        assert_eq!(error.disposition(), Disposition::Unknown, "{templates:?}: {error:?}");
    }
}
