//! A consumer of all streams of events: one reader for each shard, in a consumer group, as the guide has
//! it. What it has read it acknowledges; what it had not acknowledged when Redis went away comes again; and a Redis that lost
//! its data gets the group anew.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ReconnectPolicy};
use fred::types::{Builder, ClusterHash, CustomCommand, Value};
use scrip_client::event::{EVENT_FIELD, Event, EventReader, ID_FIELD};
use scrip_shard_config::Topology;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{RedisServer, Testbed};

/// Streams that proxies have by default.
const STREAMS: u16 = 16;
/// Ids that each reader remembers: those of all runs on a bed.
const MEMORY: usize = 4_000_000;
/// Entries of one stream that are read at once.
const COUNT: i64 = 500;
/// Between two looks at streams that have nothing new.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A frozen server does not answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// A consumer at work; dropped, it stops.
#[derive(Debug)]
pub struct Consumer {
    _readers: JoinSet<()>,
}

impl Consumer {
    /// Starts to read in this group, and hands on every event, each once: see [`EventReader`].
    ///
    /// # Errors
    /// When the address of a shard cannot be used.
    pub fn start<T>(testbed: &Testbed, topology: &Topology, group: &str, take: T) -> Result<Self, fred::error::Error>
    where
        T: Fn(Event) + Send + Sync + 'static,
    {
        let take: Take = Arc::new(take);
        let mut readers = JoinSet::new();
        for (index, shard) in topology.shards.iter().enumerate() {
            let names = (0..STREAMS).map(|number| format!("events:{number}"));
            let streams: Vec<String> = names.filter(|name| topology.shard_of_key(name) == shard.id).collect();
            if !streams.is_empty() {
                let (client, reader) = (client(testbed.shard(index))?, EventReader::new(MEMORY));
                let (group, take) = (group.to_owned(), Arc::clone(&take));
                readers.spawn(Streams { client, group, streams, reader, take, pending: true }.follow());
            }
        }
        Ok(Self { _readers: readers })
    }
}

fn client(server: &RedisServer) -> Result<Client, fred::error::Error> {
    let url = format!("redis://:{}@{}", server.password().expose(), server.address());
    let mut builder = Builder::from_config(Config::from_url(&url)?);
    builder.set_policy(ReconnectPolicy::new_constant(0, 100));
    builder.build()
}

/// Who takes an event.
type Take = Arc<dyn Fn(Event) + Send + Sync>;

/// The streams of one shard.
struct Streams {
    client: Client,
    group: String,
    streams: Vec<String>,
    reader: EventReader,
    take: Take,
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
                        let words = ["CREATE", stream, &self.group, "0", "MKSTREAM"].map(Value::from).to_vec();
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
        let mut words = ["GROUP", &self.group, "one", "COUNT"].map(Value::from).to_vec();
        words.extend([Value::Integer(COUNT), Value::from("STREAMS")]);
        words.extend(self.streams.iter().map(|stream| Value::from(stream.as_str())));
        words.extend(self.streams.iter().map(|_| Value::from(from)));
        let answer = self.call("XREADGROUP", words).await?;
        let mut count = 0;
        for stream in list(answer) {
            let Ok([name, entries]) = <[Value; 2]>::try_from(list(stream)) else { continue };
            let mut done = vec![name, Value::from(self.group.as_str())];
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
            (self.take)(event);
        }
    }

    async fn call(&self, command: &'static str, words: Vec<Value>) -> Result<Value, fred::error::Error> {
        self.client.custom(CustomCommand::new_static(command, ClusterHash::FirstKey, false), words).await
    }
}

fn list(value: Value) -> Vec<Value> {
    if let Value::Array(values) = value { values } else { Vec::new() }
}
