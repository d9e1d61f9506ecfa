//! A connection without a peer: answers of the pipeline to claims that nobody sent over a wire.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::BytesMut;
use prost::Message;
use scrip_protocol::frame;
use scrip_protocol::v1::Response;
use tokio::time::Instant;

use crate::meter::Meter;
use crate::outbox::{Outbox, Ticket};

/// Owes tickets, and collects their answers. They are not among the requests in flight that admission counts.
#[derive(Debug)]
pub(super) struct Answers {
    outbox: Arc<Outbox>,
    buffer: BytesMut,
}

impl Answers {
    /// `meter` counts the answers.
    pub(super) fn new(meter: &Arc<Meter>) -> Self {
        let outbox = Outbox::new(Arc::clone(meter), Arc::new(AtomicUsize::new(0)));
        Self { outbox, buffer: BytesMut::new() }
    }

    /// A ticket for the claim with this id.
    pub(super) fn ticket(&self, id: u64) -> Ticket {
        self.outbox.ticket(id, Instant::now())
    }

    /// Claims that are not answered.
    pub(super) fn in_flight(&self) -> usize {
        self.outbox.in_flight()
    }

    /// Waits for answers; there may be none. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Vec<Response> {
        self.outbox.filled().await;
        self.taken()
    }

    /// The answers that are there.
    pub(super) fn taken(&mut self) -> Vec<Response> {
        self.buffer.unsplit(self.outbox.take());
        let buffer = &mut self.buffer;
        let one = || match frame::take(buffer, frame::FRAME_LEN_MAX) {
            Ok(frame) => Response::decode(frame?).ok(),
            Err(_) => None,
        };
        std::iter::from_fn(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use scrip_protocol::v1::Code;

    use super::*;

    #[tokio::test]
    async fn answers_come_back_with_their_ids() {
        let mut answers = Answers::new(&Arc::default());
        let (one, other) = (answers.ticket(1), answers.ticket(2));
        other.refuse(Code::SoldOut, "none left".to_owned(), 0);
        let found = answers.next().await;
        assert_eq!(found.iter().map(|answer| (answer.id, answer.code())).collect::<Vec<_>>(), [(2, Code::SoldOut)]);
        assert_eq!(answers.in_flight(), 1);
        drop(one);
        let found = answers.next().await;
        assert_eq!(
            found.iter().map(|answer| (answer.id, answer.code())).collect::<Vec<_>>(),
            [(1, Code::OutcomeUnknown)]
        );
        assert_eq!(answers.in_flight(), 0);
    }
}
