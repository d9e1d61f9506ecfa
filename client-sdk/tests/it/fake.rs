//! A scripted proxy: the test itself accepts, reads requests and decides what to answer, in real frames over a real socket.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use prost::Message;
use scrip_client::{Claim, Client, ClientConfig, Code, Coupon, RequestId, TemplateId, UserId, mint_request_id};
use scrip_protocol::frame;
use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::response::Result as Wire;
use scrip_protocol::v1::{self, Hello, Request, Response, Welcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// No step of a test takes longer; what does has failed.
const LIMIT: Duration = Duration::from_secs(5);

pub(crate) struct Fake {
    listener: TcpListener,
    pub(crate) address: String,
}

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

/// Waits for a condition, at most for the limit of a step.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("never: {what}"))
}

pub(crate) fn config(fakes: &[&Fake]) -> ClientConfig {
    let mut config = ClientConfig::new(fakes.iter().map(|fake| fake.address.clone()), "tests", "hush");
    config.connections_per_proxy = 1;
    config
}

/// A client and its one connection to its one proxy.
pub(crate) async fn pair(fake: &Fake) -> (Client, Connection) {
    pair_with(fake, config(&[fake])).await
}

pub(crate) async fn pair_with(fake: &Fake, config: ClientConfig) -> (Client, Connection) {
    let (client, connection) = tokio::join!(Client::connect(config), fake.accept());
    (client.expect("connects"), connection)
}

/// A client of two proxies, connected to both.
pub(crate) async fn trio(one: &Fake, two: &Fake) -> (Client, Connection, Connection) {
    let (client, first, second) = tokio::join!(Client::connect(config(&[one, two])), one.accept(), two.accept());
    let client = client.expect("connects");
    until("both connections are ready", || ready(&client) == 2).await;
    (client, first, second)
}

pub(crate) fn ready(client: &Client) -> usize {
    client.health().iter().filter(|link| link.state == scrip_client::ConnectionState::Ready).count()
}

pub(crate) fn claim(user: u64) -> Claim {
    Claim::new(UserId(user), TemplateId::try_new(7).expect("not 0"), mint_request_id())
}

/// Starts the claim at once; the result is awaited later.
pub(crate) fn spawn_claim(
    client: &Client,
    claim: Claim,
) -> tokio::task::JoinHandle<Result<Coupon, scrip_client::ClaimError>> {
    let client = client.clone();
    tokio::spawn(async move { client.claim(claim).await })
}

pub(crate) async fn end<T>(task: tokio::task::JoinHandle<T>) -> T {
    within("the operation ends", task).await.expect("the task does not panic")
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("has an address").to_string();
        Self { listener, address }
    }

    /// A connection whose Hello is answered.
    pub(crate) async fn accept(&self) -> Connection {
        self.accept_with(Welcome { in_flight_max: 0, ..welcome() }).await
    }

    pub(crate) async fn accept_with(&self, welcome: Welcome) -> Connection {
        let (mut connection, id, _) = self.accept_hello().await;
        connection.ok(id, Wire::Welcome(welcome)).await;
        connection
    }

    /// A connection whose Hello is still to be answered.
    pub(crate) async fn accept_hello(&self) -> (Connection, u64, Hello) {
        let mut connection = self.accept_raw().await;
        let request = connection.request().await;
        match request.operation {
            Some(Operation::Hello(hello)) => (connection, request.id, hello),
            other => panic!("not a Hello: {other:?}"),
        }
    }

    pub(crate) async fn accept_raw(&self) -> Connection {
        let (stream, _) = within("a connection", self.listener.accept()).await.expect("accepts");
        stream.set_nodelay(true).expect("sets");
        Connection { stream, buffer: BytesMut::new() }
    }
}

pub(crate) fn welcome() -> Welcome {
    Welcome { protocol_version: 1, proxy: "fake".to_owned(), frame_len_max: 64 * 1024, ..Welcome::default() }
}

impl Connection {
    pub(crate) async fn request(&mut self) -> Request {
        within("a request", self.next()).await.expect("the client has not hung up")
    }

    /// `None` when the client hangs up.
    pub(crate) async fn next(&mut self) -> Option<Request> {
        loop {
            if let Some(bytes) = frame::take(&mut self.buffer, 64 * 1024).expect("a frame") {
                return Some(Request::decode(bytes).expect("a request"));
            }
            if !self.stream.read_buf(&mut self.buffer).await.is_ok_and(|count| count > 0) {
                return None;
            }
        }
    }

    /// The next request, which must be a claim: its id and itself.
    pub(crate) async fn claim(&mut self) -> (u64, v1::Claim) {
        let (request, claim) = self.claim_request().await;
        (request.id, claim)
    }

    pub(crate) async fn claim_request(&mut self) -> (Request, v1::Claim) {
        let request = self.request().await;
        match request.operation.clone() {
            Some(Operation::Claim(claim)) => (request, claim),
            other => panic!("not a claim: {other:?}"),
        }
    }

    pub(crate) async fn ok(&mut self, id: u64, result: Wire) {
        self.send(Response { id, code: Code::Ok.into(), result: Some(result), ..Response::default() }).await;
    }

    pub(crate) async fn coupon(&mut self, id: u64, claim: &v1::Claim) {
        self.ok(id, Wire::Coupon(coupon(claim))).await;
    }

    pub(crate) async fn refuse(&mut self, id: u64, code: Code) {
        self.send(refusal(id, code)).await;
    }

    pub(crate) async fn send(&mut self, response: Response) {
        let mut buffer = BytesMut::new();
        frame::put(&response, &mut buffer);
        self.bytes(&buffer).await;
    }

    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the client reads");
    }

    /// Nothing arrives before the connection ends.
    pub(crate) async fn hung_up(mut self) {
        let rest = within("the client hangs up", self.next()).await;
        assert!(rest.is_none(), "{rest:?}");
    }
}

pub(crate) fn refusal(id: u64, code: Code) -> Response {
    Response { id, code: code.into(), detail: "scripted".to_owned(), ..Response::default() }
}

pub(crate) fn go_away(drain_ms: u32) -> Response {
    let result = Some(Wire::GoAway(v1::GoAway { drain_ms }));
    Response { id: 0, code: Code::Draining.into(), result, ..Response::default() }
}

pub(crate) fn coupon(claim: &v1::Claim) -> v1::Coupon {
    v1::Coupon {
        coupon_id: Bytes::from_static(&[9; 16]),
        user_id: claim.user_id,
        template_id: claim.template_id,
        seq: 1,
        request_id: claim.request_id.clone(),
        status: v1::CouponStatus::Unused.into(),
        claimed_at_ms: 1,
        valid_from_ms: 2,
        valid_until_ms: 3,
        locked_until_ms: 0,
        replayed: claim.attempt > 1,
        number: String::new(),
    }
}

pub(crate) fn request_id(claim: &v1::Claim) -> RequestId {
    RequestId::try_from_slice(&claim.request_id).expect("16 bytes")
}
