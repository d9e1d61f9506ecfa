//! Links cut, stall and delay, at the point that was asked for.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use scrip_chaos::testbed::{CutAt, Direction, Link, Testbed, TestbedSpec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::support::{run, sum_of_t};

/// A server that sends everything back, and what each of its connections got by its end.
async fn echo() -> (SocketAddr, UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _peer)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                let (mut got, mut buffer) = (Vec::new(), [0; 1024]);
                while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                    got.extend_from_slice(&buffer[..count]);
                    if stream.write_all(&buffer[..count]).await.is_err() {
                        break;
                    }
                }
                sender.send(got).ok();
            });
        }
    });
    (address, receiver)
}

async fn exchange(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

async fn connected(link: &Link) -> TcpStream {
    let mut stream = TcpStream::connect(link.address()).await.expect("connected");
    assert_eq!(exchange(&mut stream, b"ping").await.expect("an answer"), b"ping");
    stream
}

#[tokio::test]
async fn a_cut_resets_the_living_and_serves_the_next() {
    let (server, mut got) = echo().await;
    let link = Link::start(server).expect("a link");
    let mut stream = connected(&link).await;
    link.cut_now();
    let error = exchange(&mut stream, b"gone").await.expect_err("cut");
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    assert_eq!(got.recv().await.expect("a connection ended"), b"ping");
    connected(&link).await;
    link.refuse();
    // The reset may come with the connection or with the first exchange.
    if let Ok(mut refused) = TcpStream::connect(link.address()).await {
        exchange(&mut refused, b"gone").await.expect_err("refused");
    }
    link.heal();
    connected(&link).await;
}

#[tokio::test]
async fn a_budget_lets_exactly_so_many_bytes_pass() {
    for (direction, reach_the_server) in [(Direction::ToServer, 3), (Direction::ToClient, 10)] {
        let (server, mut got) = echo().await;
        let link = Link::start(server).expect("a link");
        let mut stream = TcpStream::connect(link.address()).await.expect("connected");
        link.cut_after_bytes(direction, 3);
        exchange(&mut stream, b"0123456789").await.expect_err("cut");
        assert_eq!(got.recv().await.expect("a connection ended").len(), reach_the_server, "{direction:?}");
        assert_eq!(link.bytes(direction), 3);
        assert_eq!(link.cuts_sprung(), 1);
        connected(&link).await;
    }
}

#[tokio::test]
async fn a_black_hole_holds_and_then_delivers() {
    let (server, _got) = echo().await;
    let link = Link::start(server).expect("a link");
    for direction in [Direction::ToServer, Direction::ToClient] {
        let mut stream = connected(&link).await;
        link.black_hole(direction);
        stream.write_all(b"late").await.expect("written");
        let mut answer = [0; 4];
        let silence = timeout(Duration::from_millis(150), stream.read_exact(&mut answer)).await;
        assert!(silence.is_err(), "{direction:?}");
        link.heal();
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"late", "{direction:?}");
    }
}

#[tokio::test]
async fn a_delay_is_paid_in_both_directions() {
    let (server, _got) = echo().await;
    let link = Link::start(server).expect("a link");
    let mut stream = connected(&link).await;
    link.delay(Duration::from_millis(60));
    let started = Instant::now();
    exchange(&mut stream, b"slow").await.expect("an answer");
    assert!(started.elapsed() >= Duration::from_millis(120), "{:?}", started.elapsed());
}

/// The client of a statement that is cut learns nothing; what became of it depends on the moment.
#[tokio::test]
async fn a_statement_is_cut_before_it_arrives_or_before_its_answer() {
    let testbed = Testbed::start(TestbedSpec::new(1, 1).with_links()).await.expect("started");
    let (database, link) = (testbed.primary(0), testbed.primary_link(0));
    run(database, "CREATE TABLE t (n INT PRIMARY KEY)").await;
    for (moment, number, sum) in [(CutAt::BeforeRequest, 1, 0), (CutAt::BeforeAnswer, 2, 2)] {
        let options = database.options().ip_or_hostname("127.0.0.1").tcp_port(link.address().port());
        let mut connection = Conn::new(Opts::from(options)).await.expect("connected");
        link.cut_at("INSERT INTO t", moment);
        connection.query_drop("DO 1").await.expect("another statement passes");
        let inserted = connection.query_drop(format!("INSERT INTO t VALUES ({number})")).await;
        inserted.expect_err("the connection is cut");
        assert_eq!(sum_of_t(database).await, Some(sum), "{moment:?}");
    }
    assert_eq!(link.cuts_sprung(), 2);
}

#[tokio::test]
async fn pieces_jitter_and_bandwidth_change_no_byte() {
    let (server, _got) = echo().await;
    let link = Link::start(server).expect("a link");
    let mut stream = connected(&link).await;
    let text: Vec<u8> = (0..4_000u32).map(|number| number as u8).collect();
    link.tiny_chunks(3);
    link.jitter(Duration::from_millis(2));
    assert_eq!(exchange(&mut stream, &text).await.expect("an answer"), text);
    link.heal();
    link.bandwidth(20_000);
    let started = Instant::now();
    assert_eq!(exchange(&mut stream, &text).await.expect("an answer"), text);
    assert!(started.elapsed() >= Duration::from_millis(200), "4,000 bytes at 20,000 a second: {:?}", started.elapsed());
}

#[tokio::test]
async fn a_delay_can_be_one_way() {
    let (server, _got) = echo().await;
    let link = Link::start(server).expect("a link");
    let mut stream = connected(&link).await;
    link.delay_one_way(Direction::ToClient, Duration::from_millis(100));
    let started = Instant::now();
    exchange(&mut stream, b"late").await.expect("an answer");
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert!(link.bytes(Direction::ToServer) >= 8);
}
