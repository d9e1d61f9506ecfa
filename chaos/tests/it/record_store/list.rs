//! Pages of a user's coupons.

use scrip_protocol::{TemplateId, UserId};
use scrip_proxy::store::{ListQuery, NewCoupon, RecordStore, RecordWriter, Source};

use super::bed::{Bed, P0, coupon, on_each, template};

#[tokio::test]
async fn pages_follow_the_primary_key() {
    on_each("list", async |bed: Bed| {
        bed.open(&[1], 3).await;
        let mut writer = bed.writer().await;
        writer.connect().await.expect("connected");
        let of = |user, seq| NewCoupon { seq, seen_on: writer.connection(), ..coupon(user, 1, 3) };
        let batch = [of(10_001, 1), of(10_001, 2), of(10_001, 3), of(20_001, 1), of(1, 1)];
        writer.record(&batch).await.expect("recorded");
        let (own, other) = (Some(template()), TemplateId::try_new(6).ok());
        check(&bed, None, None, 10, &[1, 2, 3]).await;
        check(&bed, None, None, 2, &[1, 2]).await;
        check(&bed, None, Some((template(), 2)), 2, &[3]).await;
        check(&bed, own, Some((template(), 1)), 10, &[2, 3]).await;
        check(&bed, own, other.map(|template| (template, 9)), 10, &[1, 2, 3]).await;
        check(&bed, other, None, 10, &[]).await;
        check(&bed, other, Some((template(), 1)), 10, &[]).await;
    })
    .await;
}

async fn check(
    bed: &Bed,
    template: Option<TemplateId>,
    after: Option<(TemplateId, u16)>,
    count_max: u32,
    expect: &[u16],
) {
    let query = ListQuery { user: UserId(10_001), template, after, count_max };
    let rows = bed.store.list(Source::Primary(P0), query).await.expect("listed");
    assert!(rows.iter().all(|row| row.user == UserId(10_001)));
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), expect, "{query:?}");
}
