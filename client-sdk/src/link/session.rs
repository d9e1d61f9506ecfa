//! The life of one link: connect, serve, lose, connect again.

use std::io;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use scrip_protocol::v1::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::sleep;

use super::handshake::{Established, HandshakeError, establish};
use super::{Link, Status, Unwritten};
use crate::delivery::Deliveries;
use crate::error::ProxyFailure;
use crate::failure::Failure;
use crate::policy;
use crate::reply::{self, Garbage, Incoming};
use crate::shared::Shared;

/// Room that each read offers to the kernel.
const READ_LEN: usize = 64 * 1024;

/// How a session ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the proxy closed the connection")]
    Closed,
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Garbage(#[from] Garbage),
    #[error("the proxy gave up the connection: {0}")]
    Notice(Failure),
    #[error("nothing was heard, or the time to drain was over")]
    Cut,
    #[error("the proxy said that it is about to stop, and everything in flight is answered")]
    Drained,
}

/// Keeps one link connected until it is cancelled, which closes the connection; calls that are then still in its lane are taken out
/// by [`Shared::close_link`].
pub(crate) async fn run(shared: &Shared, link: &Link) {
    let mut failures = 0u32;
    loop {
        let status = match establish(&link.address, &shared.config).await {
            Ok(established) => {
                let opened = Instant::now();
                let end = serve(shared, link, established).await;
                // A proxy that accepts and hangs up again and again is not asked faster than one that is down.
                if opened.elapsed() > shared.config.reconnect.max {
                    failures = 0;
                }
                ended(link, end)
            }
            Err(error) => refused(link, error),
        };
        failures += 1;
        let pause = pause(shared, &status, failures);
        shared.close_link(link, status);
        // Cancelled here: nothing is held.
        sleep(pause).await;
    }
}

fn ended(link: &Link, end: End) -> Status {
    tracing::info!(proxy = link.address, %end, "connection ended");
    let code = match &end {
        End::Notice(failure) => Some(failure.code()),
        End::Closed | End::Io(_) | End::Garbage(_) | End::Cut | End::Drained => None,
    };
    status(link, code, end.to_string())
}

fn refused(link: &Link, error: HandshakeError) -> Status {
    let code = match &error {
        HandshakeError::Refused(failure) => Some(failure.code()),
        HandshakeError::Io(_) | HandshakeError::Silent(_) | HandshakeError::Garbage(_) => None,
    };
    tracing::warn!(proxy = link.address, %error, "cannot connect");
    status(link, code, error.to_string())
}

fn status(link: &Link, code: Option<Code>, detail: String) -> Status {
    let failure = ProxyFailure { proxy: link.address.clone(), code, detail };
    if code.is_some_and(policy::refuses_the_client) {
        tracing::error!(proxy = failure.proxy, detail = failure.detail, "the proxy refuses this client");
        return Status::Refused(failure);
    }
    Status::Down(failure)
}

/// A refusal is mended by people, so it is not asked for again at the rate of a lost connection.
fn pause(shared: &Shared, status: &Status, failures: u32) -> Duration {
    match status {
        Status::Refused(_) => shared.dice.jitter(shared.config.reconnect.max),
        Status::Connecting | Status::Ready | Status::Draining { .. } | Status::Down(_) => {
            shared.dice.backoff(&shared.config.reconnect, failures)
        }
    }
}

async fn serve(shared: &Shared, link: &Link, established: Established) -> End {
    let Established { stream, buffer, welcome } = established;
    shared.open_link(link, &welcome);
    let (read_half, write_half) = stream.into_split();
    // The branches that lose are dropped at an await: half a frame read or written dies with the connection, and the calls that it
    // belongs to are in the table.
    tokio::select! {
        biased;
        end = read(shared, link, read_half, buffer) => end,
        end = write(shared, link, write_half) => end,
        () = link.given_up() => if link.has_drained() { End::Drained } else { End::Cut },
    }
}

async fn write(shared: &Shared, link: &Link, mut socket: OwnedWriteHalf) -> End {
    let mut buffer = BytesMut::with_capacity(READ_LEN);
    let mut unwritten = Unwritten::default();
    loop {
        let first_attempts = link.fill(Instant::now(), &mut buffer, &mut unwritten);
        shared.written(first_attempts, &mut unwritten);
        if buffer.is_empty() {
            link.work().await;
        }
        while buffer.has_remaining() {
            if let Err(error) = socket.write_buf(&mut buffer).await {
                return error.into();
            }
        }
    }
}

async fn read(shared: &Shared, link: &Link, mut socket: OwnedReadHalf, mut buffer: BytesMut) -> End {
    let mut incoming = Vec::new();
    loop {
        let decoded = reply::decode_all(&mut buffer, shared.config.frame_len_max, &mut incoming);
        if let Err(end) = digest(shared, link, &mut incoming) {
            return end;
        }
        if let Err(garbage) = decoded {
            return garbage.into();
        }
        if !link.is_ready() && link.has_drained() {
            return End::Drained;
        }
        buffer.reserve(READ_LEN);
        match socket.read_buf(&mut buffer).await {
            Ok(0) => return End::Closed,
            Ok(_) => {}
            Err(error) => return error.into(),
        }
    }
}

/// Hands every reply of one read to its call, then acts on the notices.
fn digest(shared: &Shared, link: &Link, incoming: &mut Vec<Incoming>) -> Result<(), End> {
    let now = Instant::now();
    let (mut answered, mut notices) = (Vec::with_capacity(incoming.len()), Vec::new());
    let verdict = link.answered(now, incoming.drain(..), &mut answered, &mut notices);
    let mut deliveries = Deliveries::default();
    for (call, outcome) in answered {
        shared.answered(call, outcome, link.proxy, now, &mut deliveries);
    }
    drop(deliveries);
    verdict.map_err(Garbage::from)?;
    for notice in notices {
        match notice {
            Incoming::GoAway(go_away) => {
                shared.drain_link(link, now + Duration::from_millis(go_away.drain_ms.into()));
            }
            Incoming::Closing(failure) => return Err(End::Notice(failure)),
            Incoming::Reply { .. } => {}
        }
    }
    Ok(())
}
