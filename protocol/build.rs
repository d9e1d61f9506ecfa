//! Compiles the `.proto` files with protox, so that no `protoc` need be installed.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let files = [
        "proto/scrip/v1/frame.proto",
        "proto/scrip/v1/code.proto",
        "proto/scrip/v1/coupon.proto",
        "proto/scrip/v1/quote.proto",
        "proto/scrip/v1/rule.proto",
        "proto/scrip/v1/order.proto",
        "proto/scrip/v1/template.proto",
        "proto/scrip/v1/event.proto",
        "proto/scrip/v1/bulk.proto",
        "proto/scrip/v1/exchange.proto",
        "proto/scrip/v1/pack.proto",
    ];
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(files, ["proto"])?;
    let mut config = prost_build::Config::new();
    config.bytes(["."]);
    // What is large and rare does not make the claims and coupons beside it larger.
    let requests = ["Request.operation.create_template", "Request.operation.quote"];
    let responses = ["Response.result.template", "Response.result.quote_result"];
    for large in requests.into_iter().chain(responses) {
        config.boxed(format!(".scrip.v1.{large}"));
    }
    config.compile_fds(descriptors)?;
    Ok(())
}
