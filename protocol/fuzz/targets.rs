//! What the fuzz targets do with their bytes.
//!
//! The crate's tests include this file and run the same code on random and on damaged messages, so that a property
//! cannot rot while nobody fuzzes. Each function panics if a property does not hold.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use prost::Message;
use scrip_protocol::check::{check_request, check_response, detail};
use scrip_protocol::frame::{self, FRAME_LEN_MAX, FrameError};
use scrip_protocol::limits::DETAIL_LEN_MAX;
use scrip_protocol::v1::{Code, Request, Response};
use scrip_protocol::{Disposition, Violation};

/// The longest prefix of a frame.
const PREFIX_LEN_MAX: usize = 5;

/// Takes frames from bytes that arrive in pieces: the same frames and the same end as when they arrive at once, none of
/// them above the limit, and no more kept than one frame and one piece. The first three bytes choose the limit and the
/// size of the pieces.
pub fn frame(data: &[u8]) {
    let Some(([limit_low, limit_high, piece], input)) = data.split_first_chunk() else { return };
    let len_max = usize::from(u16::from_le_bytes([*limit_low, *limit_high]));
    let piece_len = usize::from(*piece) + 1;

    let (frames, end) = take_all(&mut BytesMut::from(input), len_max);
    assert!(frames.iter().all(|frame| (1..=len_max).contains(&frame.len())));
    assert!(frames.iter().map(|frame| frame.len() + 1).sum::<usize>() <= input.len());

    let mut buffer = BytesMut::new();
    let (mut frames_in_pieces, mut end_in_pieces) = (Vec::new(), Ok(()));
    for piece in input.chunks(piece_len) {
        buffer.extend_from_slice(piece);
        assert!(buffer.len() <= PREFIX_LEN_MAX + len_max + piece_len);
        let (taken, end) = take_all(&mut buffer, len_max);
        frames_in_pieces.extend(taken);
        end_in_pieces = end;
        if end_in_pieces.is_err() {
            break;
        }
    }
    assert_eq!(frames_in_pieces, frames);
    assert_eq!(end_in_pieces, end);
    assert_eq!(take_all(&mut buffer, len_max), (Vec::new(), end), "a second look says something else");
}

fn take_all(buffer: &mut BytesMut, len_max: usize) -> (Vec<Bytes>, Result<(), FrameError>) {
    let mut frames = Vec::new();
    loop {
        match frame::take(buffer, len_max) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, Ok(())),
            Err(error) => return (frames, Err(error)),
        }
    }
}

/// Decodes a request, encodes it again and checks it. One without violations fits into a frame.
pub fn request(data: &[u8]) {
    let Some(request) = message::<Request>(data) else { return };
    let violations = check_request(&request);
    texts(&violations);
    if violations.is_empty() {
        assert!(request.encoded_len() <= FRAME_LEN_MAX);
    }
}

/// Decodes a response, encodes it again and checks it. The disposition of its number is that of its code.
pub fn response(data: &[u8]) {
    let Some(response) = message::<Response>(data) else { return };
    texts(&check_response(&response));
    if let Ok(code) = Code::try_from(response.code) {
        assert_eq!(response.disposition(), code.disposition().unwrap_or(Disposition::Unknown));
    }
}

/// The message in the bytes, if there is one: it survives a way through a frame.
fn message<M: Message + Default + PartialEq + Debug>(data: &[u8]) -> Option<M> {
    let message = M::decode(data).ok()?;
    let mut buffer = BytesMut::new();
    frame::put(&message, &mut buffer);
    let taken = frame::take(&mut buffer, usize::MAX);
    if message.encoded_len() == 0 {
        assert_eq!(taken, Err(FrameError::Empty));
    } else {
        let frame = taken.ok().flatten().unwrap_or_default();
        assert_eq!(M::decode(frame).as_ref(), Ok(&message));
        assert!(buffer.is_empty());
    }
    Some(message)
}

/// Texts are fit for a log: bounded, and without control characters.
fn texts(violations: &[Violation]) {
    assert!(detail(violations).len() <= DETAIL_LEN_MAX);
    for violation in violations {
        let text = violation.to_string();
        assert!(text.len() <= DETAIL_LEN_MAX && !text.chars().any(char::is_control), "{text:?}");
    }
}
