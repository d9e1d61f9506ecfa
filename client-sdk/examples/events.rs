//! Follows streams of events with a consumer group: `events redis://:PASSWORD@HOST:PORT GROUP CONSUMER STREAM...`
//!
//! Each stream needs one consumer at a time, so that the events of a user stay in their order; the group is what another
//! consumer goes on from. Each `events:{n}` is on one of the shards: `scrip-proxy check` says on which.

use std::time::Duration;

use anyhow::{Context, bail};
use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::Config;
use fred::types::{Builder, ClusterHash, CustomCommand, Value};
use scrip_client::event::{EVENT_FIELD, Event, EventReader, ID_FIELD};
use tokio::time::sleep;

/// Ids that are remembered for each run.
const MEMORY: usize = 1_000_000;
/// Entries of one stream that are read at once.
const COUNT: i64 = 500;
/// How long a read waits for an entry, in milliseconds.
const BLOCK_MS: i64 = 500;

/// Who reads what.
#[derive(Debug, Clone)]
pub struct Reading {
    /// `redis://` or `redis+unix://`.
    pub url: String,
    /// The group.
    pub group: String,
    /// The name within the group.
    pub consumer: String,
    /// The streams, all of them on this shard.
    pub streams: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let mut next = || words.next().context("usage: events REDIS_URL GROUP CONSUMER STREAM...");
    let reading = Reading { url: next()?, group: next()?, consumer: next()?, streams: vec![next()?] };
    let reading = Reading { streams: reading.streams.into_iter().chain(words).collect(), ..reading };
    follow(&reading, |event| println!("{event:?}")).await
}

/// Hands on every event of the streams, each once, and goes on when Redis comes back. What `handle` was called with is
/// acknowledged after it returned: after a crash it comes again.
///
/// # Errors
/// When Redis cannot be reached at the start.
pub async fn follow(reading: &Reading, mut handle: impl FnMut(Event)) -> anyhow::Result<()> {
    let mut reader = EventReader::new(MEMORY);
    let client = connect(&reading.url).await?;
    // What an earlier run of this consumer has read and not acknowledged comes first.
    let mut pending = true;
    loop {
        match read(&client, reading, pending, &mut reader, &mut handle).await {
            Ok(count) => pending = pending && count > 0,
            Err(error) => {
                eprintln!("trying again: {error:#}");
                sleep(Duration::from_millis(200)).await;
                pending = true;
                // A Redis that lost its data has no groups; where there is one, this is refused and changes nothing.
                for stream in &reading.streams {
                    let words = ["CREATE", stream, &reading.group, "0", "MKSTREAM"].map(text).to_vec();
                    drop(call(&client, "XGROUP", words).await);
                }
            }
        }
    }
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let client = Builder::from_config(Config::from_url(url)?)
        .set_policy(fred::types::config::ReconnectPolicy::new_constant(0, 100))
        .build()?;
    client.init().await.context("no connection to Redis")?;
    Ok(client)
}

/// Reads once, hands on, acknowledges; how many entries there were.
async fn read(
    client: &Client,
    reading: &Reading,
    pending: bool,
    reader: &mut EventReader,
    handle: &mut impl FnMut(Event),
) -> anyhow::Result<usize> {
    let from = if pending { "0" } else { ">" };
    let mut words = ["GROUP", &reading.group, &reading.consumer, "COUNT"].map(text).to_vec();
    words.extend([Value::Integer(COUNT), text("BLOCK"), Value::Integer(BLOCK_MS), text("STREAMS")]);
    words.extend(reading.streams.iter().map(|stream| text(stream)));
    words.extend(reading.streams.iter().map(|_| text(from)));
    let mut count = 0;
    for (stream, entries) in streams(call(client, "XREADGROUP", words).await?)? {
        let mut done = vec![text(&stream), text(&reading.group)];
        for (entry, fields) in entries {
            if let (Some(id), Some(event)) = (field(&fields, ID_FIELD), field(&fields, EVENT_FIELD)) {
                let id = id.as_str().context("an id that is no text")?.into_owned();
                let event = event.as_bytes().context("an event without bytes")?;
                if let Some(event) = reader.read(&id, event)? {
                    handle(event);
                }
            }
            done.push(entry);
        }
        count += done.len() - 2;
        if done.len() > 2 {
            call(client, "XACK", done).await?;
        }
    }
    Ok(count)
}

async fn call(client: &Client, command: &'static str, words: Vec<Value>) -> anyhow::Result<Value> {
    let command = CustomCommand::new_static(command, ClusterHash::FirstKey, command == "XREADGROUP");
    Ok(client.custom(command, words).await?)
}

fn text(word: &str) -> Value {
    Value::from(word)
}

type Entries = Vec<(Value, Vec<Value>)>;

/// Of each stream its name and its entries: an id, and fields and values in turn. An entry that was trimmed before it was
/// acknowledged has none.
fn streams(answer: Value) -> anyhow::Result<Vec<(String, Entries)>> {
    let mut found = Vec::new();
    for stream in list(answer)? {
        let [name, entries] = pair(stream)?;
        let mut read = Vec::new();
        for entry in list(entries)? {
            let [id, fields] = pair(entry)?;
            read.push((id, list(fields)?));
        }
        found.push((name.as_string().context("a stream without a name")?, read));
    }
    Ok(found)
}

fn list(value: Value) -> anyhow::Result<Vec<Value>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => Ok(values),
        other => bail!("not a list: {other:?}"),
    }
}

fn pair(value: Value) -> anyhow::Result<[Value; 2]> {
    list(value)?.try_into().map_err(|values| anyhow::anyhow!("not a pair: {values:?}"))
}

fn field<'a>(fields: &'a [Value], name: &str) -> Option<&'a Value> {
    let found = fields.chunks_exact(2).find(|pair| pair[0].as_str().is_some_and(|field| field == name));
    found.map(|pair| &pair[1])
}
