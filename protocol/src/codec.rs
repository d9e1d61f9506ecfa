//! The frames for tokio-util.

use std::io;
use std::marker::PhantomData;

use bytes::BytesMut;
use prost::Message;
use tokio_util::codec::{Decoder, Encoder};

use crate::frame::{self, FrameError};

/// Reads messages of type `In` and writes messages of type `Out`.
#[derive(Debug)]
pub struct FrameCodec<In, Out> {
    len_max: usize,
    messages: PhantomData<fn(Out) -> In>,
}

/// What ended a stream of frames.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl<In, Out> FrameCodec<In, Out> {
    /// A codec that reads frames of at most `len_max` bytes.
    pub fn new(len_max: usize) -> Self {
        Self { len_max, messages: PhantomData }
    }
}

impl<In: Message + Default, Out> Decoder for FrameCodec<In, Out> {
    type Item = In;
    type Error = CodecError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<In>, CodecError> {
        let Some(bytes) = frame::take(buffer, self.len_max)? else { return Ok(None) };
        Ok(Some(In::decode(bytes).map_err(FrameError::from)?))
    }
}

impl<In, Out: Message> Encoder<Out> for FrameCodec<In, Out> {
    type Error = CodecError;

    fn encode(&mut self, message: Out, buffer: &mut BytesMut) -> Result<(), CodecError> {
        frame::put(&message, buffer);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::frame::FRAME_LEN_MAX;
    use crate::v1::{Ping, Request, request};

    use super::*;

    fn ping(id: u64) -> Request {
        Request { id, deadline_ms: 0, operation: Some(request::Operation::Ping(Ping { nonce: id })) }
    }

    /// Feeds the bytes one at a time; compares the messages and the first error.
    fn check(input: &[u8], messages: &[Request], error: Option<&str>) {
        let mut codec = FrameCodec::<Request, Request>::new(FRAME_LEN_MAX);
        let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
        let fed = input.iter().try_for_each(|byte| {
            buffer.extend_from_slice(&[*byte]);
            found.extend(codec.decode(&mut buffer)?);
            Ok::<_, CodecError>(())
        });
        assert_eq!(found, messages);
        assert_eq!(fed.err().map(|error| error.to_string()).as_deref(), error);
    }

    #[test]
    fn messages_in_pieces() {
        let mut codec = FrameCodec::<Request, Request>::new(FRAME_LEN_MAX);
        let mut bytes = BytesMut::new();
        for id in 1..=3 {
            codec.encode(ping(id), &mut bytes).expect("encoded");
        }
        let whole = bytes.len();
        check(&bytes, &[ping(1), ping(2), ping(3)], None);
        check(&bytes[..whole - 1], &[ping(1), ping(2)], None);
        bytes.extend_from_slice(b"\xff\xff\xff\xff\x0f");
        check(&bytes, &[ping(1), ping(2), ping(3)], Some("a frame of 4294967295 bytes; the limit is 65536"));
        bytes.truncate(whole);
        bytes.extend_from_slice(b"\x00");
        check(&bytes, &[ping(1), ping(2), ping(3)], Some("an empty frame; no message of this protocol is empty"));
    }

    #[test]
    fn the_end_in_the_middle_of_a_frame_is_an_error() {
        let mut codec = FrameCodec::<Request, Request>::new(FRAME_LEN_MAX);
        assert!(matches!(codec.decode_eof(&mut BytesMut::from(&b"\x05ab"[..])), Err(CodecError::Io(_))));
        assert!(matches!(codec.decode_eof(&mut BytesMut::new()), Ok(None)));
    }
}
