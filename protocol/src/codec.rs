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
