//! What the vectors of packs mean.

use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::response::Result;
use scrip_protocol::v1::{ClaimPack, Code, Coupon, CouponStatus, PackCoupons, PackItem, PackRefusal, Response};

pub(super) fn operations() -> Vec<(&'static str, u64, u32, Operation)> {
    let item = |template_id, count| PackItem { template_id, count };
    let claim = ClaimPack {
        user_id: 1234,
        request_id: b"fedcba9876543210"[..].into(),
        items: vec![item(9, 1), item(7, 4)],
        attempt: 2,
    };
    vec![("request_claim_pack", 34, 800, Operation::ClaimPack(claim))]
}

pub(super) fn results() -> Vec<(&'static str, u64, Result)> {
    // printf 'scrip pack 66656463626139383736353433323130 9 1' | sha256sum
    let request_id = hex::decode("4dcbb66d9484fbbcb1ddba37cc262471").expect("digits").into();
    let coupon = Coupon {
        coupon_id: (0x80..=0x8f).collect::<Vec<u8>>().into(),
        user_id: 1234,
        template_id: 9,
        seq: 2,
        request_id,
        status: CouponStatus::Unused.into(),
        claimed_at_ms: 1_767_225_600_001,
        valid_from_ms: 1_767_225_600_000,
        valid_until_ms: 1_769_904_000_000,
        replayed: true,
        ..Coupon::default()
    };
    vec![("response_pack_coupons", 34, Result::PackCoupons(PackCoupons { coupons: vec![coupon] }))]
}

pub(super) fn refusal() -> Response {
    Response {
        id: 34,
        code: Code::SoldOut.into(),
        detail: "template 7: every unit became a coupon".into(),
        retry_after_ms: 0,
        result: Some(Result::PackRefusal(PackRefusal { template_id: 7 })),
        staleness_ms: 0,
    }
}
