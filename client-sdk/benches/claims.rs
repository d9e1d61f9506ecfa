//! What a claim costs the client: CPU time of the one thread that runs it, system calls included, against a proxy in another thread
//! that answers everything. `cargo bench -p scrip-client`; the count of claims can be given as an argument.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use prost::Message;
use scrip_client::{Claim, Client, ClientConfig, RequestId, TemplateId, UserId};
use scrip_protocol::frame::{self, FRAME_LEN_MAX};
use scrip_protocol::v1::request::Operation;
use scrip_protocol::v1::response::Result as Wire;
use scrip_protocol::v1::{Code, Coupon, Request, Response, Welcome};

const IN_FLIGHT_MAX: usize = 20_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(1_000_000);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer_all(stream));
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(rush(address, count))
}

async fn rush(address: String, count: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut config = ClientConfig::new([address], "bench", "none");
    config.deadline = Duration::from_secs(10);
    let client = Client::connect(config).await?;
    let template = TemplateId::try_new(1)?;
    let stream = client.claim_stream(IN_FLIGHT_MAX);
    let mut claims = (0..count).map(|tag| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&tag.to_le_bytes());
        (tag, Claim::new(UserId(tag), template, RequestId(id)).first_try())
    });
    let (started, cpu_before, mut batch, mut coupons) = (Instant::now(), cpu()?, Vec::new(), 0u64);
    loop {
        stream.submit(&mut claims);
        if stream.outstanding() == 0 {
            break;
        }
        stream.completed(&mut batch).await;
        coupons += batch.iter().filter(|completion| completion.result.is_ok()).count() as u64;
    }
    let (wall, cpu) = (started.elapsed(), cpu()? - cpu_before);
    println!(
        "{coupons} coupons of {count} claims; {:.0} claims/s; client CPU {:.0} ns a claim",
        count as f64 / wall.as_secs_f64(),
        cpu.as_nanos() as f64 / count as f64
    );
    Ok(())
}

/// CPU time of this thread so far (Linux).
fn cpu() -> Result<Duration, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let on_cpu_ns = stat.split_whitespace().next().ok_or("an empty schedstat")?.parse()?;
    Ok(Duration::from_nanos(on_cpu_ns))
}

fn answer_all(mut stream: TcpStream) {
    let (mut input, mut output, mut chunk) = (BytesMut::new(), BytesMut::new(), vec![0; 256 * 1024]);
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        input.extend_from_slice(&chunk[..count]);
        while let Ok(Some(bytes)) = frame::take(&mut input, FRAME_LEN_MAX) {
            let Ok(request) = Request::decode(bytes) else { return };
            frame::put(&answer(request), &mut output);
        }
        if stream.write_all(&output).is_err() {
            return;
        }
        output.clear();
    }
}

fn answer(request: Request) -> Response {
    let result = match request.operation {
        Some(Operation::Claim(claim)) => Wire::Coupon(Coupon {
            coupon_id: Bytes::from_static(&[7; 16]),
            user_id: claim.user_id,
            template_id: claim.template_id,
            seq: 1,
            request_id: claim.request_id,
            status: 1,
            claimed_at_ms: 1_700_000_000_000,
            valid_from_ms: 1_700_000_000_000,
            valid_until_ms: 1_800_000_000_000,
            locked_until_ms: 0,
            replayed: false,
            number: "TEA-20260101-M3L2-86NT-FQZT-FSGK-D".to_owned(),
        }),
        _ => Wire::Welcome(Welcome { protocol_version: 1, ..Welcome::default() }),
    };
    Response { id: request.id, code: Code::Ok.into(), result: Some(result), ..Response::default() }
}
