//! The configuration file: strict, typed, and complete in its complaints.
//!
//! - Every violation is listed in one run, with field, line, value and fix. Unknown keys are refused.
//! - Durations and sizes carry units. No default ever takes the place of a value that did not parse.
//! - Secrets are named (`{ env = ".." }`, `{ file = ".." }`), never written, and never shown.
//! - The keys stand once, in `keys`; the reference and the example are written from there.

mod form;
mod keys;
mod kind;
mod reader;
mod reference;
mod rules;
mod secret;
mod timeouts;
mod unit;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use scrip_shard_config::Violation;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use keys::{Caller, Events, LaneCounts, Limits, Log, Patrol, Record, Replicas, Stock, Templates};
pub use reference::{example, markdown};

use crate::coupon_id::CouponKey;
use reader::{Context, Reader};

/// Bytes of a configuration file. Prevents reading something else (a log, a device) into memory.
const FILE_LEN_MAX: u64 = 1 << 20;

const SECTIONS: [&str; 10] =
    ["caller", "limits", "lanes", "stock", "record", "replicas", "templates", "events", "patrol", "log"];

/// A checked configuration. Paths are joined to the folder of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Names this proxy in logs and metrics.
    pub name: String,
    /// The topology file.
    pub topology: PathBuf,
    /// Where callers connect.
    pub listen: SocketAddr,
    /// Where metrics and health answer.
    pub admin_listen: SocketAddr,
    /// Written in one step once both listeners accept; see [`crate::admin::ready::write`].
    pub ready_file: Option<PathBuf>,
    /// The AES-128 key that makes coupon ids.
    pub coupon_key: CouponKey,
    /// Threads that serve; as many as the machine has cores unless the file says otherwise.
    pub worker_threads: usize,
    /// Who may call. At least one; no two of one name.
    pub callers: Vec<Caller>,
    /// Limits, each with the failure that it prevents.
    pub limits: Limits,
    /// Record lanes.
    pub lanes: LaneCounts,
    /// The Redis shards.
    pub stock: Stock,
    /// The MySQL primaries.
    pub record: Record,
    /// Replicas.
    pub replicas: Replicas,
    /// Templates.
    pub templates: Templates,
    /// Events.
    pub events: Events,
    /// The patrol.
    pub patrol: Patrol,
    /// Logs.
    pub log: Log,
}

/// How many lanes write to one primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordLanes {
    /// 1 with 8 primaries or more, 2 with fewer.
    Auto,
    /// So many, 1 to 64.
    Fixed(u16),
}

impl RecordLanes {
    /// Lanes on each of `primary_count` primaries.
    #[must_use]
    pub fn per_primary(self, primary_count: usize) -> u16 {
        match self {
            RecordLanes::Fixed(count) => count,
            RecordLanes::Auto if primary_count >= 8 => 1,
            RecordLanes::Auto => 2,
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file was read, and is wrong.
    #[error("the configuration {path} has {} violation(s):{}", violations.len(), listed(violations))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All that is wrong with it, by line. Never empty.
        violations: Vec<Violation>,
    },
}

fn listed(violations: &[Violation]) -> String {
    violations.iter().map(|violation| format!("\n  {violation}")).collect()
}

impl Config {
    /// Loads a file, and the secrets that it names, from the disk and the environment of this process.
    ///
    /// # Errors
    /// When the file cannot be read, or with everything that is wrong with it.
    pub fn load(path: impl AsRef<Path>) -> Result<Config, ConfigError> {
        let path = path.as_ref();
        let text = read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let base_dir = path.parent().unwrap_or(Path::new(""));
        Config::parse(&text, base_dir, &|name| std::env::var(name).ok())
            .map_err(|violations| ConfigError::Invalid { path: path.to_owned(), violations })
    }

    /// Checks a text; relative paths start at `base_dir`.
    ///
    /// # Errors
    /// Everything that is wrong with it, by line.
    pub fn parse(text: &str, base_dir: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Vec<Violation>> {
        let mut reader = Reader::new(text, Context { base_dir, env });
        let config = match DeTable::parse(text) {
            Ok(table) => read_table(&mut reader, table.get_ref()),
            Err(error) => {
                let at = error.span().map(|span| span.start);
                reader.refuse("(file)", at, "(not TOML)", error.message());
                None
            }
        };
        let violations = reader.into_violations();
        config.filter(|_| violations.is_empty()).ok_or(violations)
    }
}

/// Reads every section before it gives up, so that every violation is noted.
fn read_table<'a>(reader: &mut Reader<'a>, table: &DeTable<'a>) -> Option<Config> {
    let process = keys::Process::read(&mut reader.section("", Some(table)));
    let known: Vec<&str> = keys::Process::KEYS.iter().chain(&SECTIONS).copied().collect();
    reader.section("", Some(table)).refuse_unknown(&known);
    let callers = read_callers(reader, table);
    macro_rules! section {
        ($name:literal, $type:ty) => {{
            let sub_table = sub_table(reader, table, $name);
            let mut section = reader.section($name, sub_table);
            let read = <$type>::read(&mut section);
            section.refuse_unknown(<$type>::KEYS);
            read
        }};
    }
    let limits = section!("limits", Limits);
    let lanes = section!("lanes", LaneCounts);
    let stock = section!("stock", Stock);
    let record = section!("record", Record);
    let replicas = section!("replicas", Replicas);
    let templates = section!("templates", Templates);
    let events = section!("events", Events);
    let patrol = section!("patrol", Patrol);
    let log = section!("log", Log);
    let process = process?;
    let config = Config {
        name: process.name,
        topology: process.topology,
        listen: process.listen,
        admin_listen: process.admin_listen,
        ready_file: process.ready_file,
        coupon_key: process.coupon_key,
        worker_threads: process.worker_threads.unwrap_or_else(available_parallelism),
        callers: callers?,
        limits: limits?,
        lanes: lanes?,
        stock: stock?,
        record: record?,
        replicas: replicas?,
        templates: templates?,
        events: events?,
        patrol: patrol?,
        log: log?,
    };
    rules::check(reader, &config);
    Some(config)
}

fn read_callers<'a>(reader: &mut Reader<'a>, table: &DeTable<'a>) -> Option<Vec<Caller>> {
    let Some((at, value)) = find(table, "caller") else {
        reader.refuse("caller", None, "(missing)", "write a [[caller]] section for each service that may call");
        return None;
    };
    let Some(array) = value.get_ref().as_array() else {
        reader.refuse("caller", Some(at), "(not a list of sections)", "write [[caller]] with two brackets");
        return None;
    };
    let mut callers = Vec::new();
    for (index, value) in array.iter().enumerate() {
        let path = format!("caller[{index}]");
        let Some(table) = value.get_ref().as_table() else {
            reader.refuse(&path, Some(value.span().start), "(not a section)", "write a [[caller]] section");
            continue;
        };
        let mut section = reader.section(&path, Some(table));
        callers.push(Caller::read(&mut section));
        section.refuse_unknown(Caller::KEYS);
    }
    if array.is_empty() {
        reader.refuse("caller", Some(at), "(empty)", "write a [[caller]] section for each service that may call");
    }
    callers.into_iter().collect()
}

fn sub_table<'t, 'a>(reader: &mut Reader<'a>, table: &'t DeTable<'a>, name: &str) -> Option<&'t DeTable<'a>> {
    let (at, value) = find(table, name)?;
    let sub_table = value.get_ref().as_table();
    if sub_table.is_none() {
        reader.refuse(name, Some(at), "(not a section)", format!("write a section [{name}]"));
    }
    sub_table
}

fn find<'t, 'a>(table: &'t DeTable<'a>, name: &str) -> Option<(usize, &'t Spanned<DeValue<'a>>)> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(key, value)| (key.span().start, value))
}

fn available_parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn read(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_LEN_MAX {
        return Err(io::Error::other(format!("longer than {FILE_LEN_MAX} bytes, which no configuration is")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("not UTF-8 text"))
}
