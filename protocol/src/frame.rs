//! Varint-length-delimited frames over a byte buffer.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

pub use crate::limits::FRAME_LEN_MAX;

/// A length prefix is at most five bytes: 35 bits cover every length that any configuration allows.
const PREFIX_LEN_MAX: usize = 5;

/// What was wrong with a frame.
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
    /// The prefix does not end.
    #[error("the length prefix of the frame is longer than {PREFIX_LEN_MAX} bytes")]
    PrefixTooLong,
    /// The bytes are not the message.
    #[error("the frame is not a valid message: {0}")]
    Message(#[from] prost::DecodeError),
}

/// Takes the next whole frame off the front of the buffer; `None` when more bytes are needed. Nothing is allocated for
/// a frame that has not arrived.
///
/// # Errors
/// [`FrameError::TooLarge`] and [`FrameError::PrefixTooLong`], as soon as the prefix shows it. The connection cannot
/// be used after either.
pub fn take(buffer: &mut BytesMut, len_max: usize) -> Result<Option<Bytes>, FrameError> {
    let Some((len, prefix_len)) = prefix(buffer)? else { return Ok(None) };
    if len > len_max as u64 {
        return Err(FrameError::TooLarge { len, max: len_max });
    }
    let len = len as usize;
    if buffer.len() < prefix_len + len {
        return Ok(None);
    }
    buffer.advance(prefix_len);
    Ok(Some(buffer.split_to(len).freeze()))
}

/// Appends the message as a frame.
pub fn put(message: &impl Message, buffer: &mut BytesMut) {
    let len = message.encoded_len();
    buffer.reserve(len + prost::length_delimiter_len(len));
    message.encode_length_delimited(buffer).unwrap_or_else(|_| unreachable!("the room was reserved"));
}

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
