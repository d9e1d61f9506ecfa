//! The forms that values take.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;
use tracing_subscriber::EnvFilter;

use super::kind::Form;
use super::reader::Context;
use super::{LogFormat, RecordLanes, unit};

/// A time, in milliseconds.
pub(super) struct Span(pub(super) RangeInclusive<u64>);
/// A list of times, each in milliseconds.
pub(super) struct Spans(pub(super) RangeInclusive<u64>);
/// A time, or "none".
pub(super) struct SpanOrNone(pub(super) RangeInclusive<u64>);
/// A size, in bytes.
pub(super) struct Size(pub(super) RangeInclusive<u64>);
/// A whole number.
pub(super) struct Count(pub(super) RangeInclusive<u64>);
/// A short name that is safe in logs, metrics and file names.
pub(super) struct Name;
/// A path, relative to the file.
pub(super) struct FilePath;
/// An IP address and a port.
pub(super) struct Listen;
/// "auto", or how many.
pub(super) struct Lanes(pub(super) RangeInclusive<u64>);
/// true or false.
pub(super) struct Switch;
/// "json" or "text".
pub(super) struct Format;
/// A tracing `EnvFilter` directive.
pub(super) struct Level;

/// A longer name than the protocol lets a caller say could never be used.
const NAME_LEN_MAX: usize = scrip_protocol::limits::CALLER_LEN_MAX;

/// A longer list of times would cost each walk more than it tells.
const LIST_LEN_MAX: usize = 8;

fn text<'v>(value: &'v DeValue<'_>, allowed: &str) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| format!("write {allowed}, in quotes"))
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn within(number: Option<u64>, range: &RangeInclusive<u64>, allowed: String) -> Result<u64, String> {
    number.filter(|number| range.contains(number)).ok_or_else(|| format!("write {allowed}"))
}

fn to_usize(number: u64) -> Result<usize, String> {
    usize::try_from(number).map_err(|_| "write a number that this machine can address".to_owned())
}

impl Form for Span {
    type Value = Duration;

    fn read(&self, value: &DeValue<'_>, _: &Context<'_>) -> Result<Duration, String> {
        let ms = unit::parse_duration_ms(text(value, &self.allowed())?);
        within(ms, &self.0, self.allowed()).map(Duration::from_millis)
    }
    fn allowed(&self) -> String {
        let (min, max) = (unit::show_duration_ms(*self.0.start()), unit::show_duration_ms(*self.0.end()));
        format!("a time from {min} to {max}")
    }
}

impl Form for SpanOrNone {
    type Value = Option<Duration>;

    fn read(&self, value: &DeValue<'_>, context: &Context<'_>) -> Result<Option<Duration>, String> {
        if value.as_str() == Some("none") {
            return Ok(None);
        }
        Span(self.0.clone()).read(value, context).map(Some).map_err(|_| format!("write {}, in quotes", self.allowed()))
    }
    fn allowed(&self) -> String {
        format!("{}, or none", Span(self.0.clone()).allowed())
    }
}

impl Form for Spans {
    type Value = Vec<Duration>;
    const QUOTED: bool = false;

    fn read(&self, value: &DeValue<'_>, context: &Context<'_>) -> Result<Vec<Duration>, String> {
        let list = value.as_array().filter(|list| list.len() <= LIST_LEN_MAX);
        let list = list.ok_or_else(|| format!("write {}", self.allowed()))?;
        list.iter().map(|value| Span(self.0.clone()).read(value.get_ref(), context)).collect()
    }
    fn allowed(&self) -> String {
        format!("a list, of at most {LIST_LEN_MAX}, each {}", Span(self.0.clone()).allowed())
    }
}

impl Form for Size {
    type Value = usize;

    fn read(&self, value: &DeValue<'_>, _: &Context<'_>) -> Result<usize, String> {
        let bytes = unit::parse_size(text(value, &self.allowed())?);
        within(bytes, &self.0, self.allowed()).and_then(to_usize)
    }
    fn allowed(&self) -> String {
        format!("a size from {} to {}", unit::show_size(*self.0.start()), unit::show_size(*self.0.end()))
    }
}

impl Form for Count {
    type Value = usize;
    const QUOTED: bool = false;

    fn read(&self, value: &DeValue<'_>, _: &Context<'_>) -> Result<usize, String> {
        within(integer(value), &self.0, self.allowed()).and_then(to_usize)
    }
    fn allowed(&self) -> String {
        format!("a number from {} to {}", self.0.start(), self.0.end())
    }
}

impl Form for Switch {
    type Value = bool;
    const QUOTED: bool = false;

    fn read(&self, value: &DeValue<'_>, _: &Context<'_>) -> Result<bool, String> {
        value.as_bool().ok_or_else(|| format!("write {}, without quotes", self.allowed()))
    }
    fn allowed(&self) -> String {
        "true or false".to_owned()
    }
}

impl Form for Name {
    type Value = String;

    fn read(&self, value: &DeValue<'_>, _: &Context<'_>) -> Result<String, String> {
        let name = text(value, &self.allowed())?;
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > NAME_LEN_MAX || !name.chars().all(legal) {
            return Err(format!("write {}", self.allowed()));
        }
        Ok(name.to_owned())
    }
    fn allowed(&self) -> String {
        format!("1 to {NAME_LEN_MAX} of a-z A-Z 0-9 - _ .")
    }
}

impl Form for FilePath {
    type Value = PathBuf;

    fn read(&self, value: &DeValue<'_>, context: &Context<'_>) -> Result<PathBuf, String> {
        match text(value, &self.allowed())? {
            "" => Err(format!("write {}", self.allowed())),
            path => Ok(context.base_dir.join(path)),
        }
    }
    fn allowed(&self) -> String {
        "a path, relative to this file".to_owned()
    }
}

impl Form for Listen {
    type Value = SocketAddr;

    fn read(&self, value: &DeValue<'_>, _: &Context<'_>) -> Result<SocketAddr, String> {
        text(value, &self.allowed())?.parse().map_err(|_| format!("write {}", self.allowed()))
    }
    fn allowed(&self) -> String {
        "IP:port (IPv6 as [::1]:port); port 0: any free one".to_owned()
    }
}

impl Form for Lanes {
    type Value = RecordLanes;

    fn read(&self, value: &DeValue<'_>, _: &Context<'_>) -> Result<RecordLanes, String> {
        if value.as_str() == Some("auto") {
            return Ok(RecordLanes::Auto);
        }
        let count = within(integer(value), &self.0, self.allowed())?;
        u16::try_from(count).map(RecordLanes::Fixed).map_err(|_| format!("write {}", self.allowed()))
    }
    fn allowed(&self) -> String {
        format!("\"auto\", or a number from {} to {}", self.0.start(), self.0.end())
    }
}

impl Form for Format {
    type Value = LogFormat;

    fn read(&self, value: &DeValue<'_>, _: &Context<'_>) -> Result<LogFormat, String> {
        match value.as_str() {
            Some("json") => Ok(LogFormat::Json),
            Some("text") => Ok(LogFormat::Text),
            Some(_) | None => Err(format!("write {}", self.allowed())),
        }
    }
    fn allowed(&self) -> String {
        "\"json\" or \"text\"".to_owned()
    }
}

impl Form for Level {
    type Value = String;

    fn read(&self, value: &DeValue<'_>, _: &Context<'_>) -> Result<String, String> {
        let directives = text(value, &self.allowed())?;
        match EnvFilter::builder().parse(directives) {
            Ok(_) if !directives.trim().is_empty() => Ok(directives.to_owned()),
            Ok(_) | Err(_) => Err(format!("write {}", self.allowed())),
        }
    }
    fn allowed(&self) -> String {
        "error, warn, info, debug, trace, or per module: info,scrip_proxy::store=debug".to_owned()
    }
}
