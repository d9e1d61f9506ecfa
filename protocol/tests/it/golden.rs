//! Committed bytes, compared in both directions, and every prefix of them.
//!
//! The bytes were written by another implementation (`tests/golden.py`); the messages stand in `requests` and
//! `responses`.

mod bulk;
mod exchange;
mod pack;
mod requests;
mod responses;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use prost::Message;
use scrip_protocol::check::{check_request, check_response};
use scrip_protocol::frame::{self, FRAME_LEN_MAX};
use scrip_protocol::v1::{Request, Response};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The bytes of a vector: the length prefix and the message.
fn vector(name: &str) -> Vec<u8> {
    let path = folder().join(name).with_extension("hex");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let digits: String = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect();
    hex::decode(digits).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every vector in the folder, with its name.
pub(crate) fn vectors() -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder()).expect("the folder of the vectors");
    let paths = entries.map(|entry| entry.expect("an entry of the folder").path());
    let hex = paths.filter(|path| path.extension().is_some_and(|extension| extension == "hex"));
    let names = hex.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned());
    names.collect::<BTreeSet<_>>().into_iter().map(|name| (name.clone(), vector(&name))).collect()
}

fn check<M: Message + Default + PartialEq + Debug>(name: &str, message: &M) {
    let expect = vector(name);
    let mut encoded = BytesMut::new();
    frame::put(message, &mut encoded);
    assert_eq!(hex::encode(&encoded), hex::encode(&expect), "{name}: encoded");

    let mut buffer = BytesMut::from(&expect[..]);
    let frame = frame::take(&mut buffer, FRAME_LEN_MAX).expect(name).expect(name);
    assert_eq!(M::decode(frame).as_ref(), Ok(message), "{name}: decoded");
    assert!(buffer.is_empty(), "{name}: bytes after the frame");
}

#[test]
fn requests() {
    for (name, request) in requests::cases() {
        check(name, &request);
        assert_eq!(check_request(&request), [], "{name}");
        let operation = requests::operation(request.operation.as_ref().expect(name));
        assert!(name.starts_with(&format!("request_{operation}")), "{name} holds {operation}");
    }
}

#[test]
fn responses() {
    for (name, response) in responses::cases() {
        check(name, &response);
        assert_eq!(check_response(&response), [], "{name}");
        if let Some(result) = &response.result {
            let result = responses::result(result);
            assert!(name.starts_with(&format!("response_{result}")), "{name} holds {result}");
        }
    }
}

#[test]
fn every_vector_has_a_message_and_every_variant_a_vector() {
    let found: Vec<_> = vectors().into_iter().map(|(name, _)| name).collect();
    let of_requests = requests::cases().into_iter().map(|(name, _)| name.to_owned());
    let of_responses = responses::cases().into_iter().map(|(name, _)| name.to_owned());
    let mut expect: Vec<_> = of_requests.chain(of_responses).collect();
    expect.sort();
    assert_eq!(found, expect);

    let requests = requests::cases().into_iter().filter_map(|(_, request)| request.operation);
    let operations: BTreeSet<_> = requests.map(|operation| requests::operation(&operation)).collect();
    assert_eq!(operations.len(), requests::OPERATIONS, "{operations:?}");
    let responses = responses::cases().into_iter().filter_map(|(_, response)| response.result);
    let results: BTreeSet<_> = responses.map(|result| responses::result(&result)).collect();
    assert_eq!(results.len(), responses::RESULTS, "{results:?}");
}

#[test]
fn every_prefix() {
    for (name, bytes) in vectors() {
        for end in 0..bytes.len() {
            let mut buffer = BytesMut::from(&bytes[..end]);
            assert_eq!(frame::take(&mut buffer, FRAME_LEN_MAX), Ok(None), "{name}: {end} bytes are a frame");
            assert_eq!(buffer, bytes[..end], "{name}: {end} bytes were touched");
        }
        let message = &bytes[bytes.len() - encoded_len(&bytes)..];
        if name.starts_with("request_") {
            check_cut::<Request>(&name, message);
        } else {
            check_cut::<Response>(&name, message);
        }
    }
}

/// A cut message behind a right length: a decoder may refuse it or read less, but does not panic or read the same.
fn check_cut<M: Message + Default + PartialEq + Debug>(name: &str, message: &[u8]) {
    let whole = M::decode(message);
    for end in 0..message.len() {
        assert_ne!(M::decode(&message[..end]), whole, "{name}: {end} bytes");
    }
}

fn encoded_len(frame: &[u8]) -> usize {
    prost::decode_length_delimiter(frame).expect("a length")
}
