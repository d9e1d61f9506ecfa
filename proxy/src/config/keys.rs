//! Every key of the file, once: its type, form, default, range and the words of the reference. The structs of the
//! result, the reader, the reference table and the example all come from here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use scrip_protocol::limits::DEADLINE_MAX_MS;
use scrip_shard_config::Secret;

use super::form::{Count, FilePath, Format, Lanes, Level, Listen, Name, Size, Span, SpanOrNone, Spans, Switch};
use super::kind::{Optional, Or, Required};
use super::reader::Section;
use super::reference::{KeySpec, SectionSpec};
use super::secret::{Key, Token};
use super::{LogFormat, RecordLanes};
use crate::coupon_id::CouponKey;
use crate::store::mysql::RECORD_ROWS_MAX;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const S: u64 = 1_000;
const MIN: u64 = 60 * S;
const H: u64 = 60 * MIN;

macro_rules! section {
    ($(#[doc = $about:literal])+ $vis:vis $name:ident, $header:literal, {
        $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $kind:expr;)+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        $vis struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl $name {
            /// The names of the keys, in the order of the reference.
            pub(super) const KEYS: &[&str] = &[$(stringify!($field)),+];

            /// Reads every key, and only then gives up if one of them was wrong.
            pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Self> {
                $(let $field = section.read(stringify!($field), &$kind);)+
                Some(Self { $($field: $field?,)+ })
            }

            pub(super) fn spec() -> SectionSpec {
                SectionSpec {
                    header: $header,
                    about: concat!($($about),+).trim(),
                    keys: vec![$(KeySpec::new(stringify!($field), concat!($($doc),+).trim(), &$kind)),+],
                }
            }
        }
    };
}

section! {
    /// The process.
    pub(super) Process, "", {
        /// Names this proxy in logs and metrics.
        name: String = Required(Name, "\"proxy-a\"");
        /// The topology file.
        topology: PathBuf = Required(FilePath, "\"topology.toml\"");
        /// Where callers connect.
        listen: SocketAddr = Or("127.0.0.1:7400", Listen);
        /// Where `/metrics`, `/healthz` and `/livez` answer. It has no authentication: keep it on loopback or on a
        /// private network.
        admin_listen: SocketAddr = Or("127.0.0.1:7401", Listen);
        /// Written in one step once both listeners accept: JSON with `listen`, `admin_listen` and `pid`.
        ready_file: Option<PathBuf> = Optional(FilePath, "\"proxy-a.ready\"", "not written");
        /// The AES-128 key that makes coupon ids and exchange codes; the same on every proxy of a deployment, for as long as its
        /// coupons and codes live.
        coupon_key: CouponKey = Required(Key, "{ file = \"coupon.key\" }");
        /// Threads that serve.
        worker_threads: Option<usize> = Optional(Count(1..=1024), "2", "one a core");
    }
}

section! {
    /// A service that may call; one section each.
    pub Caller, "[[caller]]", {
        /// The name that it says hello with.
        name: String = Required(Name, "\"demo\"");
        /// The token that proves the name.
        token: Secret = Required(Token, "{ file = \"demo.token\" }");
        /// Requests a second, on each proxy. Prevents that one caller takes the room of the others.
        requests_per_s: Option<usize> = Optional(Count(1..=10_000_000), "100000", "not limited");
        /// Made-up exchange codes a second, on each proxy; above it no code of the caller is looked at. Prevents guessing.
        wrong_codes_per_s: usize = Or("10", Count(1..=1_000_000));
    }
}

section! {
    /// Limits, each with the failure that it prevents.
    pub Limits, "[limits]", {
        /// Bytes of one frame. Prevents that a length on the wire allocates without bound.
        frame_len_max: usize = Or("64KiB", Size(KIB..=16 * MIB));
        /// Connections. Prevents running out of file descriptors and memory.
        connections_max: usize = Or("12000", Count(1..=1_000_000));
        /// Requests under way on one connection. Prevents that one connection takes all of `in_flight_max`.
        in_flight_per_connection_max: usize = Or("16384", Count(1..=1_000_000));
        /// Requests under way. Prevents that overload becomes latency: what exceeds it is refused at once.
        in_flight_max: usize = Or("65536", Count(1..=10_000_000));
        /// The deadline of a request that names none. Prevents waits without end.
        deadline_default: Duration = Or("500ms", Span(1..=DEADLINE_MAX_MS as u64));
        /// The longest deadline that a request may name. Prevents that a caller parks requests for hours.
        deadline_max: Duration = Or("60s", Span(1..=DEADLINE_MAX_MS as u64));
        /// From accept to a valid hello. Prevents that silent connections hold their places.
        hello_timeout: Duration = Or("5s", Span(10..=MIN));
        /// Without a frame from the caller. Prevents that dead peers hold their places.
        idle_timeout: Option<Duration> = Or("10min", SpanOrNone(100..=24 * H));
        /// Bytes of answers that wait on one connection. Prevents that a slow reader fills the memory: it is closed.
        write_buffer_max: usize = Or("4MiB", Size(4 * KIB..=GIB));
        /// Claims that wait for one shard. Prevents a queue of work that is late before it starts.
        stock_queue_max: usize = Or("16384", Count(1..=1_000_000));
        /// Claims that wait for one record lane. Prevents a queue of work that is late before it starts.
        record_queue_max: usize = Or("16384", Count(1..=1_000_000));
        /// Claims that wait for a settle. Prevents that a sold-out rush fills the memory.
        parked_max: usize = Or("65536", Count(1..=10_000_000));
        /// Rows of one record transaction. Prevents transactions so large that they hold locks past the deadlines.
        batch_rows_max: usize = Or("1024", Count(1..=RECORD_ROWS_MAX as u64));
        /// Users and templates whose latest coupons the record lanes remember, together; the order lanes remember the logs
        /// of a quarter as many coupons. Prevents that users who claim again at once cost their primary a transaction that
        /// is rolled back, and that a redemption reads what the lock before it has just written.
        recent_max: usize = Or("262144", Count(0..=100_000_000));
        /// From the signal to the end. Prevents that a drain waits for ever on one request.
        drain_timeout: Duration = Or("10s", Span(0..=10 * MIN));
    }
}

section! {
    /// Record lanes: each is one connection that writes to one primary.
    pub LaneCounts, "[lanes]", {
        /// Lanes on each primary. Auto: 1 with 8 primaries or more, 2 with fewer.
        record_lanes_per_primary: RecordLanes = Or("auto", Lanes(1..=64));
    }
}

section! {
    /// The Redis shards.
    pub Stock, "[stock]", {
        /// One call. Prevents that a slow shard holds claims which another shard could serve.
        call_timeout: Duration = Or("150ms", Span(1..=MIN));
        /// One connection attempt. Prevents hanging on an address that does not answer.
        connect_timeout: Duration = Or("1s", Span(1..=MIN));
        /// The quiet after an empty sub-stock before it is settled. Prevents that settles fence claims about to finish.
        settle_quiet: Duration = Or("100ms", Span(1..=MIN));
        /// The longest that this quiet grows by backoff. Prevents that an unlucky template waits ever longer.
        settle_quiet_max: Duration = Or("1s", Span(1..=10 * MIN));
        /// How long a shard must have been away before what is left on it moves to other shards, once those are empty.
        /// Prevents that units wait for a shard that may never return.
        move_after: Duration = Or("1s", Span(1..=24 * H));
    }
}

section! {
    /// The MySQL primaries.
    pub Record, "[record]", {
        /// One call. Prevents that a hung primary holds a lane for ever.
        call_timeout: Duration = Or("2s", Span(10..=10 * MIN));
        /// One connection attempt. Prevents hanging on an address that does not answer.
        connect_timeout: Duration = Or("1s", Span(1..=MIN));
        /// Connections to each primary beside the lanes, for reads and settles. Prevents a connection for each reader.
        pool_size: usize = Or("4", Count(1..=1024));
        /// Waiting for a row lock. Prevents that a lane waits behind a transaction whose proxy has died.
        lock_wait: Duration = Or("1s", Span(S..=MIN));
    }
}

section! {
    /// Replicas of the primaries, where the topology names some: they serve reads that allow staleness.
    pub Replicas, "[replicas]", {
        /// How often each primary with replicas gets a mark, for which the replicas are looked at. Bounds how stale a replica
        /// seems that is not.
        mark_interval: Duration = Or("500ms", Span(20..=10 * S));
        /// One read from a replica. Prevents that a replica which is slow or gone costs its users more than a short wait: the
        /// primary serves then.
        call_timeout: Duration = Or("100ms", Span(1..=MIN));
    }
}

section! {
    /// Templates.
    pub Templates, "[templates]", {
        /// How often the snapshot in memory is refreshed. Bounds how long a pause or a replenish goes unseen.
        refresh_interval: Duration = Or("250ms", Span(10..=MIN));
    }
}

section! {
    /// Events: facts about coupons, through an outbox on each primary to Redis Streams. The same on every proxy.
    pub Events, "[events]", {
        /// Whether facts are kept as events, and published. What happens while it is off is never told.
        enabled: bool = Or("false", Switch);
        /// Streams; the user's tail decides which. Another number breaks the order per user unless no event waits.
        streams: usize = Or("16", Count(1..=1_024));
        /// How long an event is held after it has left, on its primary and in its stream. Prevents that a consumer that was
        /// away for less than this, or a Redis that lost its data, misses one.
        retention: Duration = Or("1h", Span(S..=30 * 24 * H));
        /// Entries that a stream keeps at most. Prevents that events take the memory of the stock beside them.
        stream_len_max: usize = Or("1000000", Count(1_000..=1_000_000_000));
        /// How often an outbox is looked into, unless more waits than one look takes. Bounds how late an event leaves.
        poll_interval: Duration = Or("100ms", Span(1..=MIN));
    }
}

section! {
    /// The patrol: writes down expired coupons and locks that are over. Reads are exact without it.
    pub Patrol, "[patrol]", {
        /// Whether this proxy takes part. Only once every proxy is of a version that knows its steps.
        enabled: bool = Or("false", Switch);
        /// Coupons read a second on each primary. Prevents that the walk takes the disk of the claims.
        rows_per_second: usize = Or("20000", Count(1..=10_000_000));
        /// Coupons read at once. Prevents transactions that hold up those of orders.
        slice_rows: usize = Or("500", Count(1..=1_024));
        /// How long before its end a user is reminded of an unused coupon, by an event `expiring`: needs `events.enabled`. For
        /// each time once for each user, template and day of the end (UTC).
        remind_before: Vec<Duration> = Or("[\"3d\", \"1d\"]", Spans(S..=365 * 24 * H));
        /// From the beginning of a round to that of the next one, at least. Prevents walking a small table without end.
        round_interval: Duration = Or("1min", Span(10..=24 * H));
        /// Where coupons of templates that are closed for good are archived to, once all of them are long dead. It must be
        /// there. The same on every proxy: one that all of them share, or one each, collected.
        archive_directory: Option<PathBuf> = Optional(FilePath, "\"archive\"", "nothing is archived");
        /// How long all coupons of a template must have been past their end before they are archived. From then on what
        /// orders have used cannot be returned any more.
        archive_after: Duration = Or("90d", Span(2 * S..=3_650 * 24 * H));
        /// Coupons in one file, about. Prevents transactions that hold up replicas, and files without number.
        archive_rows: usize = Or("5000", Count(1..=10_000));
    }
}

section! {
    /// Logs, on standard error.
    pub Log, "[log]", {
        /// One JSON object a line, or text for people.
        format: LogFormat = Or("json", Format);
        /// What is logged.
        level: String = Or("info", Level);
    }
}

/// Every section, in the order of the reference.
pub(super) fn sections() -> Vec<SectionSpec> {
    vec![
        Process::spec(),
        Caller::spec(),
        Limits::spec(),
        LaneCounts::spec(),
        Stock::spec(),
        Record::spec(),
        Replicas::spec(),
        Templates::spec(),
        Events::spec(),
        Patrol::spec(),
        Log::spec(),
    ]
}
