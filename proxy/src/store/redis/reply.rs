//! From frames to values. A frame of an unexpected shape is an answer that was not understood: what it meant is unknown.

use bytes::Bytes;
use fred::interfaces::Resp3Frame;

use super::link::{CallError, Link};

pub(super) fn not_understood(link: &Link, function: &str) -> CallError {
    CallError::NoAnswer(link.say(&format!("the answer of {function} was not understood")))
}

pub(super) fn array(frame: Resp3Frame) -> Option<Vec<Resp3Frame>> {
    match frame {
        Resp3Frame::Array { data, .. } => Some(data),
        _ => None,
    }
}

pub(super) fn bytes(frame: &Resp3Frame) -> Option<Bytes> {
    match frame {
        Resp3Frame::BlobString { data, .. } | Resp3Frame::SimpleString { data, .. } => Some(data.clone()),
        _ => None,
    }
}

pub(super) fn text(frame: &Resp3Frame) -> Option<String> {
    String::from_utf8(bytes(frame)?.to_vec()).ok()
}

pub(super) fn integer(frame: &Resp3Frame) -> Option<i64> {
    match frame {
        Resp3Frame::Number { data, .. } => Some(*data),
        _ => None,
    }
}

/// A whole number, also where Redis writes it as text.
pub(super) fn whole(frame: &Resp3Frame) -> Option<u64> {
    match integer(frame) {
        Some(number) => u64::try_from(number).ok(),
        None => text(frame)?.parse().ok(),
    }
}

pub(super) fn is_nil(frame: &Resp3Frame) -> bool {
    matches!(frame, Resp3Frame::Null)
}
