//! Varint-length-delimited frames over a byte buffer.
//!
//! What is tolerated: a length in more bytes than it needs (`80 00` for 0), up to five in all. Stock runtimes read it,
//! and writers that reserve the prefix before they know the length produce it. What is not: a frame of length 0, since
//! no message of this protocol is empty, and a peer could otherwise have an answer for every byte.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

pub use crate::limits::FRAME_LEN_MAX;
use crate::v1::Code;

/// A length prefix is at most five bytes: 35 bits cover every length that any configuration allows.
const PREFIX_LEN_MAX: usize = 5;

/// What was wrong with a frame. The connection cannot be used after any of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The prefix announces more than the limit.
    #[error("a frame of {len} bytes; the limit is {max}")]
    TooLarge {
        /// What the prefix announces, in bytes.
        len: u64,
        /// The limit, in bytes.
        max: usize,
    },
    /// The prefix announces nothing.
    #[error("an empty frame; no message of this protocol is empty")]
    Empty,
    /// The prefix does not end.
    #[error("the length prefix of the frame is longer than {PREFIX_LEN_MAX} bytes")]
    PrefixTooLong,
    /// The bytes are not the message.
    #[error("the frame is not a valid message: {0}")]
    Message(#[from] prost::DecodeError),
}

impl FrameError {
    /// The code of the notice that goes out before the connection is closed.
    pub fn code(&self) -> Code {
        match self {
            FrameError::TooLarge { .. } => Code::FrameTooLarge,
            FrameError::Empty | FrameError::PrefixTooLong | FrameError::Message(_) => Code::MalformedFrame,
        }
    }
}

/// Takes the next whole frame off the front of the buffer; `None` when more bytes are needed. Nothing is allocated or
/// reserved for a frame that has not arrived: a slow sender of a large frame costs what it has sent.
///
/// The frame shares the memory of the buffer, and so does every `bytes` field decoded from it. Who keeps such a field
/// beyond the request copies it (as [`RequestId`](crate::RequestId) does), or 16 bytes hold a whole read buffer.
///
/// # Errors
/// [`FrameError::TooLarge`], [`FrameError::Empty`] and [`FrameError::PrefixTooLong`], as soon as the prefix shows it.
/// The buffer is then left as it was.
pub fn take(buffer: &mut BytesMut, len_max: usize) -> Result<Option<Bytes>, FrameError> {
    let Some((len, prefix_len)) = prefix(buffer)? else { return Ok(None) };
    if len == 0 {
        return Err(FrameError::Empty);
    }
    let len = match usize::try_from(len) {
        Ok(len) if len <= len_max => len,
        _ => return Err(FrameError::TooLarge { len, max: len_max }),
    };
    if buffer.len() - prefix_len < len {
        return Ok(None);
    }
    buffer.advance(prefix_len);
    Ok(Some(buffer.split_to(len).freeze()))
}

/// Appends the message as a frame. A request that passes [`check_request`](crate::check::check_request) and a page
/// from [`page`](crate::page) are within [`FRAME_LEN_MAX`].
pub fn put(message: &impl Message, buffer: &mut BytesMut) {
    let len = message.encoded_len();
    buffer.reserve(len + prost::length_delimiter_len(len));
    message.encode_length_delimited(buffer).unwrap_or_else(|_| unreachable!("the room was reserved"));
}

/// The length that the prefix announces, and the length of the prefix; `None` when it is not whole yet.
fn prefix(buffer: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    let mut len = 0u64;
    for (index, byte) in buffer.iter().take(PREFIX_LEN_MAX).enumerate() {
        len |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((len, index + 1)));
        }
    }
    if buffer.len() < PREFIX_LEN_MAX { Ok(None) } else { Err(FrameError::PrefixTooLong) }
}

#[cfg(test)]
mod tests {
    use crate::v1::{Request, request};

    use super::*;

    const LIMIT: usize = 300;

    /// Takes frames until more is needed or one is wrong; compares their payloads and how it ended.
    fn check(input: &[u8], frames: &[&[u8]], end: Result<(), FrameError>) {
        let mut buffer = BytesMut::from(input);
        let mut found = Vec::new();
        let ended = loop {
            match take(&mut buffer, LIMIT) {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        assert_eq!(found, frames, "{input:x?}");
        assert_eq!(ended, end, "{input:x?}");
    }

    fn too_large(len: u64) -> Result<(), FrameError> {
        Err(FrameError::TooLarge { len, max: LIMIT })
    }

    #[test]
    fn frames() {
        check(b"", &[], Ok(()));
        check(b"\x01", &[], Ok(()));
        check(b"\x01a", &[b"a"], Ok(()));
        check(b"\x01a\x02bc\x03de", &[b"a", b"bc"], Ok(()));
        check(b"\x01a\x00", &[b"a"], Err(FrameError::Empty));
    }

    #[test]
    fn prefixes() {
        // Not whole yet.
        check(b"\x80", &[], Ok(()));
        check(b"\x80\x80\x80\x80", &[], Ok(()));
        // Longer than needed.
        check(b"\x81\x00a", &[b"a"], Ok(()));
        check(b"\x81\x80\x80\x80\x00a", &[b"a"], Ok(()));
        check(b"\x80\x00", &[], Err(FrameError::Empty));
        check(b"\x80\x80\x80\x80\x00", &[], Err(FrameError::Empty));
        // Without an end.
        check(b"\x80\x80\x80\x80\x80", &[], Err(FrameError::PrefixTooLong));
        check(b"\x81\x80\x80\x80\x80\x00a", &[], Err(FrameError::PrefixTooLong));
        check(&[0xff; 10], &[], Err(FrameError::PrefixTooLong));
        // At the limit and beyond, before a byte of the frame is there.
        check(b"\xac\x02", &[], Ok(()));
        check(b"\xad\x02", &[], too_large(301));
        check(b"\xff\xff\xff\xff\x0f", &[], too_large(u64::from(u32::MAX)));
        check(b"\x80\x80\x80\x80\x10", &[], too_large(1 << 32));
        check(b"\xff\xff\xff\xff\x7f", &[], too_large((1 << 35) - 1));
    }

    #[test]
    fn a_slow_sender_costs_what_it_has_sent() {
        let mut buffer = BytesMut::with_capacity(64);
        for byte in [0x80, 0x80, 0x04].into_iter().chain([b'x'; 32]) {
            buffer.extend_from_slice(&[byte]);
            assert_eq!(take(&mut buffer, FRAME_LEN_MAX), Ok(None));
            assert_eq!(buffer.capacity(), 64);
        }
    }

    #[test]
    fn put_is_the_reverse_of_take() {
        let ping = request::Operation::Ping(crate::v1::Ping { nonce: 7 });
        let request = Request { id: 1, deadline_ms: 300, operation: Some(ping) };
        let mut buffer = BytesMut::new();
        put(&request, &mut buffer);
        put(&request, &mut buffer);
        for _ in 0..2 {
            let frame = take(&mut buffer, LIMIT).expect("a frame").expect("a whole frame");
            assert_eq!(Request::decode(frame).as_ref(), Ok(&request));
        }
        assert_eq!(take(&mut buffer, LIMIT), Ok(None));
    }
}
