//! Compiles the `.proto` files with protox, so that no `protoc` need be installed.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let files = [
        "proto/scrip/v1/frame.proto",
        "proto/scrip/v1/code.proto",
        "proto/scrip/v1/coupon.proto",
        "proto/scrip/v1/template.proto",
    ];
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(files, ["proto"])?;
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
