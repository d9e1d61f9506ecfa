//! Frames of claims and of their answers: encoding and decoding. `cargo bench -p scrip-protocol`.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prost::Message;
use scrip_protocol::check;
use scrip_protocol::frame::{self, FRAME_LEN_MAX};
use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{Claim, Code, Coupon, Request, Response};

/// Frames that one read brings: about as many as fit into what a proxy reads at once.
const FRAMES: u64 = 1_000;

fn request(id: u64) -> Request {
    let request_id = Bytes::from_static(b"0123456789abcdef");
    let claim = Claim { user_id: 9_000_000_000_000_001_234, template_id: 7, request_id, attempt: 1 };
    Request { id, deadline_ms: 500, operation: Some(Operation::Claim(claim)) }
}

fn response(id: u64) -> Response {
    let coupon = Coupon {
        coupon_id: Bytes::from_static(&[7; 16]),
        user_id: 9_000_000_000_000_001_234,
        template_id: 7,
        seq: 1,
        request_id: Bytes::from_static(b"0123456789abcdef"),
        status: 1,
        claimed_at_ms: 1_767_225_600_000,
        valid_from_ms: 1_767_225_600_000,
        valid_until_ms: 1_769_904_000_000,
        locked_until_ms: 0,
        replayed: false,
        number: "TEA-20260101-M3L2-86NT-FQZT-FSGK-D".to_owned(),
    };
    Response { id, code: Code::Ok.into(), result: Some(Answer::Coupon(coupon)), ..Response::default() }
}

fn encoded(message: impl Fn(u64) -> BytesMut) -> BytesMut {
    let mut all = BytesMut::new();
    (1..=FRAMES).for_each(|id| all.extend_from_slice(&message(id)));
    all
}

fn put(message: &impl Message) -> BytesMut {
    let mut frame = BytesMut::new();
    frame::put(message, &mut frame);
    frame
}

/// Every frame of the buffer, through `each`.
fn take_all(frames: &BytesMut, mut each: impl FnMut(Bytes)) {
    let mut buffer = frames.clone();
    while let Ok(Some(bytes)) = frame::take(&mut buffer, FRAME_LEN_MAX) {
        each(bytes);
    }
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    group.throughput(Throughput::Elements(FRAMES));
    let (claim, coupon) = (request(1), response(1));
    let mut out = BytesMut::new();
    group.bench_function("encode a claim", |bencher| {
        bencher.iter(|| {
            out.clear();
            (0..FRAMES).for_each(|_| frame::put(black_box(&claim), &mut out));
        });
    });
    group.bench_function("encode a coupon", |bencher| {
        bencher.iter(|| {
            out.clear();
            (0..FRAMES).for_each(|_| frame::put(black_box(&coupon), &mut out));
        });
    });
    let claims = encoded(|id| put(&request(id)));
    group.bench_function("take and decode a claim", |bencher| {
        bencher.iter(|| take_all(&claims, |bytes| drop(black_box(Request::decode(bytes)))));
    });
    let coupons = encoded(|id| put(&response(id)));
    group.bench_function("take and decode a coupon", |bencher| {
        bencher.iter(|| take_all(&coupons, |bytes| drop(black_box(Response::decode(bytes)))));
    });
    group.bench_function("check a claim", |bencher| {
        bencher.iter(|| (0..FRAMES).for_each(|_| drop(black_box(check::check_request(black_box(&claim))))));
    });
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
