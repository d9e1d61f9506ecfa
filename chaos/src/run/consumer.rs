//! A consumer of all streams of events, for as long as the bed lives: one reader for each shard, in a consumer group, as the guide has
//! it. What it has read it acknowledges; what it had not acknowledged when Redis went away comes again; and a Redis that lost
//! its data gets the group anew.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ReconnectPolicy};
use fred::types::{Builder, ClusterHash, CustomCommand, Value};
use parking_lot::Mutex;
use scrip_client::TemplateId;
use scrip_client::event::{EVENT_FIELD, Event, EventReader, ID_FIELD};
use scrip_shard_config::Topology;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Error;
use crate::history::EventTold;
use crate::testbed::{RedisServer, Testbed};

/// Streams that proxies have by default.
const STREAMS: u16 = 16;
const GROUP: &str = "chaos";
/// Ids that each reader remembers: those of all runs on a bed.
const MEMORY: usize = 4_000_000;
/// Entries of one stream that are read at once.
const COUNT: i64 = 500;
/// Between two looks at streams that have nothing new.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A frozen server does not answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// What it has read of all streams.
#[derive(Debug)]
pub(super) struct Consumer {
    told: Arc<Mutex<Vec<Event>>>,
    _readers: JoinSet<()>,
}

impl Consumer {
    /// Starts to read.
    pub(super) fn start(testbed: &Testbed, topology: &Topology) -> Result<Self, Error> {
        let told = Arc::default();
        let mut readers = JoinSet::new();
        for (index, shard) in topology.shards.iter().enumerate() {
            let names = (0..STREAMS).map(|number| format!("events:{number}"));
            let streams: Vec<String> = names.filter(|name| topology.shard_of_key(name) == shard.id).collect();
            if !streams.is_empty() {
                let client = client(testbed.shard(index))?;
                let reader = EventReader::new(MEMORY);
                readers.spawn(Streams { client, streams, reader, told: Arc::clone(&told), pending: true }.follow());
            }
        }
        Ok(Self { told, _readers: readers })
    }

    /// What was told of these templates. `started_ms`: when the history began, in milliseconds since 1970-01-01 UTC.
    pub(super) fn told(&self, templates: &[TemplateId], started_ms: i64) -> Vec<EventTold> {
        let told = self.told.lock();
        let own = told.iter().filter(|event| templates.contains(&event.template));
        own.map(|event| EventTold::new(event.clone(), started_ms)).collect()
    }
}

fn client(server: &RedisServer) -> Result<Client, Error> {
    let url = format!("redis://:{}@{}", server.password().expose(), server.address());
    let mut builder = Builder::from_config(Config::from_url(&url)?);
    builder.set_policy(ReconnectPolicy::new_constant(0, 100));
    Ok(builder.build()?)
}

/// The streams of one shard.
struct Streams {
    client: Client,
    streams: Vec<String>,
    reader: EventReader,
    told: Arc<Mutex<Vec<Event>>>,
    /// What was read and not acknowledged comes first.
    pending: bool,
}

impl Streams {
    async fn follow(mut self) {
        let _connection = self.client.connect();
        loop {
            match timeout(ANSWER_LIMIT, self.read()).await {
                Ok(Ok(0)) if !self.pending => sleep(LOOK_EVERY).await,
                Ok(Ok(count)) => self.pending &= count > 0,
                Ok(Err(_)) | Err(_) => {
                    self.pending = true;
                    // A Redis that lost its data has no group; where there is one, this is refused and changes nothing.
                    for stream in &self.streams {
                        let words = ["CREATE", stream, GROUP, "0", "MKSTREAM"].map(Value::from).to_vec();
                        drop(timeout(ANSWER_LIMIT, self.call("XGROUP", words)).await);
                    }
                    sleep(LOOK_EVERY).await;
                }
            }
        }
    }

    /// How many entries there were. Cancelled, those that were not acknowledged come again.
    async fn read(&mut self) -> Result<usize, fred::error::Error> {
        let from = if self.pending { "0" } else { ">" };
        let mut words = ["GROUP", GROUP, "one", "COUNT"].map(Value::from).to_vec();
        words.extend([Value::Integer(COUNT), Value::from("STREAMS")]);
        words.extend(self.streams.iter().map(|stream| Value::from(stream.as_str())));
        words.extend(self.streams.iter().map(|_| Value::from(from)));
        let answer = self.call("XREADGROUP", words).await?;
        let mut count = 0;
        for stream in list(answer) {
            let Ok([name, entries]) = <[Value; 2]>::try_from(list(stream)) else { continue };
            let mut done = vec![name, Value::from(GROUP)];
            for entry in list(entries) {
                let Ok([id, fields]) = <[Value; 2]>::try_from(list(entry)) else { continue };
                self.take(&list(fields));
                done.push(id);
            }
            if done.len() > 2 {
                count += done.len() - 2;
                self.call("XACK", done).await?;
            }
        }
        Ok(count)
    }

    /// An entry that was trimmed before it was acknowledged has no fields.
    fn take(&mut self, fields: &[Value]) {
        let field = |name| fields.chunks_exact(2).find(|pair| pair[0].as_str().is_some_and(|field| field == name));
        let (Some(id), Some(event)) = (field(ID_FIELD), field(EVENT_FIELD)) else { return };
        let (Some(id), Some(event)) = (id[1].as_str(), event[1].as_bytes()) else { return };
        // What is no event at all is an event that is missing.
        if let Ok(Some(event)) = self.reader.read(&id, event) {
            self.told.lock().push(event);
        }
    }

    async fn call(&self, command: &'static str, words: Vec<Value>) -> Result<Value, fred::error::Error> {
        self.client.custom(CustomCommand::new_static(command, ClusterHash::FirstKey, false), words).await
    }
}

fn list(value: Value) -> Vec<Value> {
    if let Value::Array(values) = value { values } else { Vec::new() }
}
