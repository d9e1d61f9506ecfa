//! The fuzz targets, for a bounded time, on random bytes and on damaged vectors.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::golden::vectors;
use super::targets;

const CASES: u32 = 2_000;

/// Checks one target on `CASES` inputs. A failing input is printed, shrunk; it becomes a case of a test of its own.
fn check(strategy: impl Strategy<Value = Vec<u8>>, target: fn(&[u8])) {
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let ran = runner.run(&strategy, |data| {
        target(&data);
        Ok(())
    });
    ran.unwrap_or_else(|failure| panic!("{failure}"));
}

/// The frames of vectors, one after the other, behind a limit and a size of pieces.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let frames: Vec<_> = vectors().into_iter().map(|(_, frame)| frame).collect();
    let stream = vec(prop_oneof![9 => select(frames), 1 => vec(any::<u8>(), 0..8)], 0..8);
    (any::<[u8; 3]>(), stream).prop_map(|(head, stream)| [head.to_vec(), stream.concat()].concat())
}

/// The messages of the vectors whose names begin so.
fn messages(prefix: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let named = vectors().into_iter().filter(move |(name, _)| name.starts_with(prefix));
    let unframed = named.map(|(_, frame)| {
        let len = prost::decode_length_delimiter(&frame[..]).expect("a length");
        frame[frame.len() - len..].to_vec()
    });
    select(unframed.collect::<Vec<_>>())
}

/// Some bytes of the input replaced, a piece of it said twice, the end cut off.
fn damaged(sound: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<Index>(), any::<u8>()), 0..4);
    (sound, changes, any::<(Index, Index)>(), any::<bool>(), any::<Option<Index>>()).prop_map(
        |(mut data, changes, (from, to), twice, cut)| {
            let len = data.len();
            for (index, byte) in changes.into_iter().filter(|_| len > 0) {
                data[index.index(len)] = byte;
            }
            let (from, to) = (from.index(data.len() + 1), to.index(data.len() + 1));
            if twice && from < to {
                data.extend_from_within(from..to);
            }
            data.truncate(cut.map_or(data.len(), |cut| cut.index(data.len() + 1)));
            data
        },
    )
}

#[test]
fn frames() {
    check(vec(any::<u8>(), 0..512), targets::frame);
    check(damaged(streams()), targets::frame);
}

#[test]
fn requests() {
    check(vec(any::<u8>(), 0..256), targets::request);
    check(damaged(messages("request_")), targets::request);
}

#[test]
fn responses() {
    check(vec(any::<u8>(), 0..256), targets::response);
    check(damaged(messages("response_")), targets::response);
}
