//! Messages of later versions, read by this one.

use prost::Message;
use scrip_protocol::check::check_request;
use scrip_protocol::v1::{Code, Request, Response};
use scrip_protocol::{Disposition, Violation};

fn check(bytes: &str, expect: &[&str]) {
    let bytes = hex::decode(bytes.replace(' ', "")).expect("hexadecimal");
    let request = Request::decode(&bytes[..]).expect("a request");
    let found: Vec<_> = check_request(&request).iter().map(Violation::to_string).collect();
    assert_eq!(found, expect, "{request:?}");
}

#[test]
fn requests() {
    // A ping with a field 99 of its own, and one with a field 99 of the request: both skipped.
    check("08 01 4a 05 08 07 98 06 01", &[]);
    check("08 01 4a 02 08 07 98 06 01", &[]);
    // An operation 99.
    check("08 01 9a 06 02 08 07", &["operation is missing: give one that this version knows"]);
    // An action 9 on a template.
    check("08 01 9a 02 04 08 07 10 09", &["action is 9: give publish, pause, resume or close"]);
}

#[test]
fn a_code_that_this_version_does_not_name_keeps_its_disposition() {
    let response = Response::decode(&[0x08, 0x03, 0x10, 0x5b][..]).expect("a response");
    assert_eq!((response.code, response.code()), (91, Code::Unspecified));
    assert_eq!(response.disposition(), Disposition::Unknown);
}
