//! One connection on a link: two pumps, and the ways in which it ends.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

use super::rules::{CutAt, Direction, Rules};

const CHUNK_LEN: usize = 64 * 1024;
/// Chunks in flight in one direction. Bounds the memory of a stalled connection.
const CHUNKS_MAX: usize = 64;

/// Why a pump ended before the end of its stream.
enum Ended {
    /// A budget or a trap says so; what was to go in this direction was the last.
    Cut(Direction),
    /// The request of a trap has passed, and its answer begins: none of it goes to the client.
    Withheld,
    /// One of the ends is gone.
    Broken,
}

impl From<io::Error> for Ended {
    fn from(_error: io::Error) -> Self {
        Self::Broken
    }
}

/// Carries one accepted connection to its end.
pub(super) async fn carry(client: TcpStream, rules: Arc<Rules>) {
    let mut watch = rules.watch();
    let cuts = watch.borrow_and_update().cuts;
    let reset = async {
        // Fails only when the link is gone, which is a cut as well.
        watch.wait_for(|now| now.cuts != cuts || now.refuse).await.is_ok()
    };
    let mut reset = pin!(reset);
    let mut client = client;
    let mut server = None;
    let ended = tokio::select! {
        biased;
        _ = &mut reset => Ended::Broken,
        ended = forward(&mut client, &mut server, &rules) => match ended {
            Ok(()) => return,
            Err(ended) => ended,
        },
    };
    if let (Ended::Withheld, Some(server)) = (&ended, &mut server) {
        tokio::select! {
            biased;
            _ = reset => {}
            _ = finished(server) => {}
        }
        rules.count_sprung();
    }
    let (reset_client, reset_server) = match ended {
        Ended::Cut(Direction::ToServer) => (true, false),
        Ended::Cut(Direction::ToClient) => (false, true),
        Ended::Withheld | Ended::Broken => (true, true),
    };
    reset_if(reset_client, Some(&client));
    reset_if(reset_server, server.as_ref());
}

/// Lets the server finish what it has received, as one does whose client says nothing more. Were it cut off at the first
/// byte of its answer, it would stop between two statements of one packet, or not, as chance has it.
async fn finished(server: &mut TcpStream) -> io::Result<()> {
    server.shutdown().await?;
    tokio::io::copy(server, &mut tokio::io::sink()).await.map(drop)
}

/// Makes the coming close a reset instead of an end of stream.
fn reset_if(reset: bool, stream: Option<&TcpStream>) {
    if let Some(stream) = stream.filter(|_| reset) {
        stream.set_zero_linger().ok();
    }
}

async fn forward(client: &mut TcpStream, server: &mut Option<TcpStream>, rules: &Rules) -> Result<(), Ended> {
    released(rules, Direction::ToServer).await;
    let server = server.insert(TcpStream::connect(rules.present().target).await?);
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let answer_is_withheld = AtomicBool::new(false);
    let requests = Pump { rules, direction: Direction::ToServer, answer_is_withheld: &answer_is_withheld };
    let answers = Pump { rules, direction: Direction::ToClient, answer_is_withheld: &answer_is_withheld };
    tokio::try_join!(requests.run(from_client, to_server), answers.run(from_server, to_client)).map(drop)
}

/// Waits until this direction is not held.
async fn released(rules: &Rules, direction: Direction) {
    let mut watch = rules.watch();
    // Fails only when the link is gone; the reset follows.
    watch.wait_for(|now| !now.held[direction.index()]).await.ok();
}

struct Pump<'a> {
    rules: &'a Rules,
    direction: Direction,
    /// The request of this connection's trap has passed: its answer is not to.
    answer_is_withheld: &'a AtomicBool,
}

type Chunk = (Instant, Vec<u8>);

impl Pump<'_> {
    async fn run(&self, from: impl AsyncRead + Unpin, to: impl AsyncWrite + Unpin) -> Result<(), Ended> {
        let (sender, receiver) = channel(CHUNKS_MAX);
        tokio::try_join!(self.read(from, sender), self.write(receiver, to)).map(drop)
    }

    async fn read(&self, mut from: impl AsyncRead + Unpin, chunks: Sender<Chunk>) -> Result<(), Ended> {
        let mut due = Instant::now();
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_LEN);
            if from.read_buf(&mut chunk).await? == 0 {
                return Ok(());
            }
            // Never before the chunk that came before it.
            due = due.max(Instant::now() + self.rules.present().lateness(self.direction));
            chunks.send((due, chunk)).await.map_err(|_closed| Ended::Broken)?;
        }
    }

    async fn write(&self, mut chunks: Receiver<Chunk>, mut to: impl AsyncWrite + Unpin) -> Result<(), Ended> {
        let mut recent = Recent::default();
        while let Some((due, chunk)) = chunks.recv().await {
            tokio::time::sleep_until(due).await;
            released(self.rules, self.direction).await;
            if self.is_withheld() {
                return Err(Ended::Withheld);
            }
            let cut_before = self.trapped(&mut recent, &chunk);
            let cut = if cut_before { Some(0) } else { self.rules.spend_budget(self.direction, chunk.len()) };
            let passing = &chunk[..cut.unwrap_or(chunk.len())];
            self.deliver(passing, &mut to).await?;
            self.rules.count(self.direction, passing.len());
            if cut.is_some() {
                self.rules.count_sprung();
                return Err(Ended::Cut(self.direction));
            }
        }
        released(self.rules, self.direction).await;
        Ok(to.shutdown().await?)
    }

    async fn deliver(&self, passing: &[u8], to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let present = self.rules.present();
        for piece in present.pieces(passing) {
            let busy = present.busy_for(piece.len());
            if !busy.is_zero() {
                tokio::time::sleep(busy).await;
            }
            to.write_all(piece).await?;
            if present.piece_len > 0 {
                // Lets the reader see each piece by itself.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Whether a trap says that this chunk is of an answer that must not pass.
    fn is_withheld(&self) -> bool {
        self.direction == Direction::ToClient && self.answer_is_withheld.load(Ordering::Acquire)
    }

    /// Whether a trap says that this chunk is a request that must not pass.
    fn trapped(&self, recent: &mut Recent, chunk: &[u8]) -> bool {
        if self.direction == Direction::ToClient {
            return false;
        }
        match self.rules.spring_trap(recent.with(chunk), chunk.len()) {
            Some(CutAt::BeforeRequest) => true,
            Some(CutAt::BeforeAnswer) => {
                self.answer_is_withheld.store(true, Ordering::Release);
                false
            }
            None => false,
        }
    }
}

/// The last bytes that passed, so that a pattern is found across chunks.
#[derive(Default)]
struct Recent {
    bytes: VecDeque<u8>,
}

impl Recent {
    const KEPT: usize = 255;

    /// The present chunk with what came just before it.
    fn with(&mut self, chunk: &[u8]) -> &[u8] {
        self.bytes.drain(..self.bytes.len().saturating_sub(Self::KEPT));
        self.bytes.extend(chunk);
        self.bytes.make_contiguous()
    }
}
