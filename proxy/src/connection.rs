//! One connection: frames in, answers out, in one task.
//!
//! A connection that reads slowly blocks only itself: while its answers wait to be written, or while too many of its
//! requests are in flight, nothing more is read from it. An idle connection holds no buffer.

mod order;
mod request;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use prost::Message;
use scrip_protocol::frame::{self, FrameError};
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{ClaimPack, Code, GoAway, Request};
use scrip_shard_config::Fingerprint;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::admission::caller::{Caller, Callers};
use crate::bulk;
use crate::exchange;
use crate::flow::Flow;
use crate::operation::Operation;
use crate::outbox::{Outbox, Ticket};

/// Bytes read at once.
const READ_LEN: usize = 64 * 1024;

/// Starts an operation besides claims, which answers by itself.
pub type StartOperation = Arc<dyn Fn(Operation, Ticket, Instant) + Send + Sync>;

/// Starts a request about bulk jobs, which answers by itself.
pub type StartBulk = Arc<dyn Fn(bulk::desk::Operation, Ticket, Instant) + Send + Sync>;

/// Starts a request about exchange codes, which answers by itself.
pub type StartExchange = Arc<dyn Fn(exchange::desk::Operation, Ticket, Instant) + Send + Sync>;

/// Starts a pack, which answers by itself.
pub type StartPack = Arc<dyn Fn(ClaimPack, Ticket, Instant) + Send + Sync>;

/// Bounds of connections; each is explained in the proxy's configuration.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Bytes of a request.
    pub frame_len_max: usize,
    /// Requests in flight on one connection.
    pub in_flight_max: usize,
    /// Requests in flight on all connections.
    pub in_flight_total_max: usize,
    /// For requests that name none.
    pub deadline_default: Duration,
    /// The most that a request may name.
    pub deadline_max: Duration,
    /// From the first byte to a valid Hello.
    pub hello_timeout: Duration,
    /// Without any frame.
    pub idle_timeout: Option<Duration>,
    /// Bytes of answers that may wait.
    pub write_buffer_max: usize,
    /// How long a drain lasts.
    pub drain_timeout: Duration,
}

/// What all connections share.
pub struct Reception {
    /// The pipeline.
    pub flow: Arc<Flow>,
    /// The other operations.
    pub start: StartOperation,
    /// Bulk jobs.
    pub bulk: StartBulk,
    /// Exchange codes.
    pub exchange: StartExchange,
    /// Packs.
    pub pack: StartPack,
    /// Who may call.
    pub callers: Callers,
    /// Bounds.
    pub limits: ConnectionLimits,
    /// The proxy's name.
    pub name: String,
    /// Of the topology that it serves.
    pub fingerprint: Fingerprint,
    /// Requests in flight, over all connections.
    pub in_flight: Arc<AtomicUsize>,
    /// Cancelled when the proxy is to stop.
    pub draining: CancellationToken,
}

/// One connection.
struct Connection {
    reception: Arc<Reception>,
    stream: TcpStream,
    outbox: Arc<Outbox>,
    caller: Option<Arc<Caller>>,
    input: BytesMut,
    output: BytesMut,
    opened: Instant,
    last_frame: Instant,
    /// Nothing more is read; what is in flight is still answered.
    closing: bool,
}

/// Serves a connection to its end.
pub async fn serve(reception: Arc<Reception>, stream: TcpStream) {
    let outbox = Outbox::new(Arc::clone(&reception.flow.meter), Arc::clone(&reception.in_flight));
    reception.flow.meter.connections.add(1);
    let mut connection = Connection {
        reception,
        stream,
        outbox: Arc::clone(&outbox),
        caller: None,
        input: BytesMut::new(),
        output: BytesMut::new(),
        opened: Instant::now(),
        last_frame: Instant::now(),
        closing: false,
    };
    if let Err(error) = connection.run().await {
        tracing::debug!(%error, "connection ended");
    }
    outbox.close();
}

impl Connection {
    async fn run(&mut self) -> io::Result<()> {
        let draining = self.reception.draining.clone();
        let mut told = false;
        loop {
            if self.output.is_empty() {
                self.output = self.outbox.take();
            }
            if self.closing && self.output.is_empty() && self.outbox.in_flight() == 0 {
                return Ok(());
            }
            if self.outbox.buffered() > self.reception.limits.write_buffer_max {
                return Err(io::Error::other("the caller does not read its answers"));
            }
            let interest = self.interest();
            let nudged = self.outbox.filled();
            tokio::select! {
                biased;
                () = draining.cancelled(), if !told => {
                    told = true;
                    self.say_go_away();
                }
                () = nudged, if self.output.is_empty() => {}
                ready = ready(&self.stream, interest) => {
                    let ready = ready?;
                    if ready.is_writable() {
                        self.write()?;
                    }
                    if ready.is_readable() {
                        self.read()?;
                    }
                }
                () = until(self.patience()) => return self.give_up(),
            }
        }
    }

    /// Reading stops while answers or requests pile up.
    fn interest(&self) -> Option<Interest> {
        let limits = &self.reception.limits;
        let reads = !self.closing
            && self.output.len() < limits.write_buffer_max / 2
            && self.outbox.in_flight() < limits.in_flight_max;
        match (reads, !self.output.is_empty()) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        }
    }

    /// When patience with this caller ends.
    fn patience(&self) -> Option<Instant> {
        let limits = &self.reception.limits;
        match (&self.caller, limits.idle_timeout) {
            _ if self.closing => Some(self.last_frame + limits.drain_timeout + limits.deadline_max),
            (None, _) => Some(self.opened + limits.hello_timeout),
            (Some(_), Some(idle)) => Some(self.last_frame + idle),
            (Some(_), None) => None,
        }
    }

    fn give_up(&mut self) -> io::Result<()> {
        if self.caller.is_some() && self.outbox.in_flight() > 0 && !self.closing {
            self.last_frame = Instant::now();
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "no frame from the caller for too long"))
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.stream.try_write(&self.output) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => self.output.advance(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.output = BytesMut::new();
        Ok(())
    }

    fn read(&mut self) -> io::Result<()> {
        self.input.reserve(READ_LEN);
        match self.stream.try_read_buf(&mut self.input) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {
                self.take_frames();
                if self.input.is_empty() {
                    self.input = BytesMut::new();
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn take_frames(&mut self) {
        let now = Instant::now();
        let now_ms = self.reception.flow.clock.now_ms();
        while !self.closing {
            match frame::take(&mut self.input, self.reception.limits.frame_len_max) {
                Ok(None) => return,
                Ok(Some(bytes)) => match Request::decode(bytes) {
                    Ok(request) => {
                        self.last_frame = now;
                        self.handle(request, now, now_ms);
                    }
                    Err(error) => self.refuse_frame(&FrameError::Message(error)),
                },
                Err(error) => self.refuse_frame(&error),
            }
        }
    }

    /// After a frame that makes no sense nothing that follows can be trusted.
    fn refuse_frame(&mut self, error: &FrameError) {
        self.outbox.notice(error.code(), error.to_string(), None);
        self.close();
    }

    fn close(&mut self) {
        self.closing = true;
        self.input = BytesMut::new();
    }

    fn say_go_away(&mut self) {
        let drain_ms = u32::try_from(self.reception.limits.drain_timeout.as_millis()).unwrap_or(u32::MAX);
        self.outbox.notice(Code::Ok, String::new(), Some(Answer::GoAway(GoAway { drain_ms })));
    }
}

/// Ready for what is wanted; never, if nothing is.
async fn ready(stream: &TcpStream, interest: Option<Interest>) -> io::Result<tokio::io::Ready> {
    match interest {
        Some(interest) => stream.ready(interest).await,
        None => std::future::pending().await,
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
