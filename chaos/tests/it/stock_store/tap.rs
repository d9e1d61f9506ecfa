//! A TCP link to a Redis server that can be cut at a chosen point of a command, and pointed to another server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use scrip_shard_config::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Where a command's connection ends. The next connection works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Before the command reaches the server.
    Before,
    /// In the middle of the command.
    Half,
    /// As soon as the command is handed to the network: the server may read it or not.
    Sent,
    /// When the server has answered; the answer is thrown away.
    Answered,
    /// As `Answered`, but the connection stays open, and silent, until the caller has lost its patience.
    Silent,
}

impl Cut {
    pub(super) const ALL: [Self; 5] = [Self::Before, Self::Half, Self::Sent, Self::Answered, Self::Silent];

    /// How often the server may carry the command out, if it is sent once.
    pub(super) fn executions(self) -> &'static [u64] {
        match self {
            Self::Before | Self::Half => &[0],
            Self::Sent => &[0, 1],
            Self::Answered | Self::Silent => &[1],
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Armed {
    cut: Cut,
    command: &'static str,
}

/// The link. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Tap {
    address: SocketAddr,
    state: Arc<State>,
    _listening: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct State {
    target: Mutex<Option<SocketAddr>>,
    armed: Mutex<Option<Armed>>,
    severed: watch::Sender<()>,
    silence: Duration,
}

impl Tap {
    /// `silence`: how long a silent connection stays open.
    pub(super) async fn start(target: SocketAddr, silence: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            target: Mutex::new(Some(target)),
            armed: Mutex::new(None),
            severed: watch::Sender::new(()),
            silence,
        });
        let listening = AbortOnDropHandle::new(tokio::spawn(listen(listener, state.clone())));
        Self { address, state, _listening: listening }
    }

    pub(super) fn address(&self) -> Address {
        self.address.to_string().parse().expect("an address")
    }

    /// Cuts the connection of the next command that names this function.
    pub(super) fn arm(&self, cut: Cut, command: &'static str) {
        *self.state.armed.lock() = Some(Armed { cut, command });
    }

    pub(super) fn is_armed(&self) -> bool {
        self.state.armed.lock().is_some()
    }

    /// Ends all connections; new ones lead to `target`, or nowhere.
    pub(super) fn point_to(&self, target: Option<SocketAddr>) {
        *self.state.target.lock() = target;
        self.state.severed.send_replace(());
    }
}

async fn listen(listener: TcpListener, state: Arc<State>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        let state = state.clone();
        let mut severed = state.severed.subscribe();
        let target = *state.target.lock();
        tokio::spawn(async move {
            let Some(target) = target else { return };
            let Ok(server) = TcpStream::connect(target).await else { return };
            tokio::select! {
                () = pass(client, server, &state) => {}
                _ = severed.changed() => {}
            }
        });
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, state: &State) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Some(chunk) = read.ok().filter(|len| *len > 0).map(|len| &asked[..len]) else { return };
                match state.take(chunk) {
                    Some(cut) => return end(cut, chunk, &mut server, state.silence).await,
                    None => if server.write_all(chunk).await.is_err() { return },
                }
            }
            read = server.read(&mut answered) => {
                let Some(chunk) = read.ok().filter(|len| *len > 0).map(|len| &answered[..len]) else { return };
                if client.write_all(chunk).await.is_err() { return }
            }
        }
    }
}

impl State {
    fn take(&self, chunk: &[u8]) -> Option<Cut> {
        let mut armed = self.armed.lock();
        let command = (*armed)?.command.as_bytes();
        let named = chunk.windows(command.len()).any(|window| window == command);
        if named { armed.take().map(|armed| armed.cut) } else { None }
    }
}

async fn end(cut: Cut, command: &[u8], server: &mut TcpStream, silence: Duration) {
    let forwarded = match cut {
        Cut::Before => &[][..],
        Cut::Half => &command[..command.len() / 2],
        Cut::Sent | Cut::Answered | Cut::Silent => command,
    };
    server.write_all(forwarded).await.expect("forwarded");
    if matches!(cut, Cut::Answered | Cut::Silent) {
        let answer_len = server.read(&mut [0; 4096]).await.expect("an answer");
        assert!(answer_len > 0);
    }
    if cut == Cut::Silent {
        tokio::time::sleep(silence).await;
    }
}
