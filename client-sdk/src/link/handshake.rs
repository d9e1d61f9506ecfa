//! From an address to a connection whose `Hello` was accepted.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use prost::Message;
use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::response::Result as Wire;
use scrip_protocol::v1::{Code, Hello, Request, Response, Welcome};
use scrip_protocol::{PROTOCOL_VERSION, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::ClientConfig;
use crate::failure::Failure;
use crate::reply;

/// The id of the first request; those of the table are larger.
const HELLO_ID: u64 = 1;

/// A connection on which requests can be sent.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) stream: TcpStream,
    /// What was read beyond the answer to `Hello`.
    pub(crate) buffer: BytesMut,
    pub(crate) welcome: Welcome,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("no answer to Hello within {0:?}")]
    Silent(Duration),
    #[error("what answers there is not a proxy: {0}")]
    Garbage(String),
    #[error("{0}")]
    Refused(Failure),
}

/// Connects and says hello. Cancelling closes the connection; nothing was asked on it.
pub(crate) async fn establish(address: &str, config: &ClientConfig) -> Result<Established, HandshakeError> {
    let limit = config.handshake_deadline;
    timeout(limit, connect(address, config)).await.unwrap_or(Err(HandshakeError::Silent(limit)))
}

async fn connect(address: &str, config: &ClientConfig) -> Result<Established, HandshakeError> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(4096);
    frame::put(&hello(config), &mut buffer);
    stream.write_all_buf(&mut buffer).await?;
    loop {
        if let Some(response) = next(&mut buffer, config.frame_len_max)? {
            let welcome = accept(response)?;
            return Ok(Established { stream, buffer, welcome });
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
}

fn hello(config: &ClientConfig) -> Request {
    let hello = Hello {
        protocol_version: PROTOCOL_VERSION,
        caller: config.caller.clone(),
        token: config.token.reveal().to_owned(),
        topology_fingerprint: config.topology_fingerprint.clone().unwrap_or_default().into(),
    };
    let deadline_ms = config.handshake_deadline.as_millis().clamp(1, 60_000) as u32;
    Request { id: HELLO_ID, deadline_ms, operation: Some(Operation::Hello(hello)) }
}

fn next(buffer: &mut BytesMut, len_max: usize) -> Result<Option<Response>, HandshakeError> {
    let bytes = frame::take(buffer, len_max).map_err(|error| HandshakeError::Garbage(error.to_string()))?;
    bytes.map(Response::decode).transpose().map_err(|error| HandshakeError::Garbage(error.to_string()))
}

fn accept(response: Response) -> Result<Welcome, HandshakeError> {
    let is_ok = response.code == i32::from(Code::Ok);
    match response.result {
        Some(Wire::Welcome(welcome)) if is_ok && response.id == HELLO_ID => Ok(welcome),
        _ if is_ok => Err(HandshakeError::Garbage("an OK that is not the Welcome".to_owned())),
        result => Err(HandshakeError::Refused(reply::failure(Response { result, ..response }))),
    }
}
