//! One reader for each kind of value. Each gives the value, or `None` and a violation.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::document::{Field, Report, Section};
use super::read::Outside;
use crate::limits::{DATABASE_LEN_MAX, ID, USER_LEN_MAX};
use crate::secret::SecretError;
use crate::tails::{TailRange, parse_range};
use crate::{Address, AddressError, Secret, SecretRef};

pub(super) fn integer(field: &Field<'_>, range: RangeInclusive<i64>, report: &mut Report) -> Option<i64> {
    let parsed = match field.value.get_ref() {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    let number = parsed.filter(|number| range.contains(number));
    if number.is_none() {
        field.refuse(report, format!("write a whole number from {} to {}", range.start(), range.end()));
    }
    number
}

/// A number whose range lies within 16 bits.
pub(super) fn small(field: &Field<'_>, range: RangeInclusive<i64>, report: &mut Report) -> Option<u16> {
    integer(field, range, report).and_then(|number| u16::try_from(number).ok())
}

pub(super) fn id(field: &Field<'_>, report: &mut Report) -> Option<u16> {
    small(field, ID, report)
}

fn text<'d>(field: &Field<'d>, fix: &str, report: &mut Report) -> Option<&'d str> {
    match field.value.get_ref() {
        DeValue::String(text) => Some(text),
        _ => {
            field.refuse(report, fix);
            None
        }
    }
}

pub(super) fn address(field: &Field<'_>, report: &mut Report) -> Option<Address> {
    let text = text(field, "write \"host:port\" or \"unix:/path\"", report)?;
    match text.parse() {
        Ok(address) => Some(address),
        Err(error @ AddressError::Credentials) => {
            field.refuse_hidden(report, error.to_string());
            None
        }
        Err(error) => {
            field.refuse(report, error.to_string());
            None
        }
    }
}

/// A database name. It goes into statements where no parameter can stand, so only plain names are taken.
pub(super) fn database(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let fix = format!("write a name of at most {DATABASE_LEN_MAX} letters, digits and underscores");
    let name = text(field, &fix, report)?;
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || name.len() > DATABASE_LEN_MAX || !name.bytes().all(legal) {
        field.refuse(report, fix);
        return None;
    }
    Some(name.to_owned())
}

pub(super) fn user(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let fix = format!("write a user name of 1 to {USER_LEN_MAX} characters");
    let name = text(field, &fix, report)?;
    if name.is_empty() || name.chars().count() > USER_LEN_MAX || name.chars().any(char::is_control) {
        field.refuse(report, fix);
        return None;
    }
    Some(name.to_owned())
}

/// The ranges that did parse, and whether all did.
pub(super) fn tails(field: &Field<'_>, report: &mut Report) -> (Vec<TailRange>, bool) {
    const FIX: &str = "write a list of ranges, such as [\"0000-0333\"], or [] for none";
    let Some(elements) = field.elements(FIX, report) else { return (Vec::new(), false) };
    let count = elements.len();
    let ranges: Vec<_> = elements.iter().filter_map(|element| tail_range(element, report)).collect();
    let complete = ranges.len() == count;
    (ranges, complete)
}

fn tail_range(field: &Field<'_>, report: &mut Report) -> Option<TailRange> {
    let text = text(field, "write a range as text, such as \"0000-0333\"", report)?;
    parse_range(text).map_err(|fix| field.refuse(report, fix)).ok()
}

/// A secret, read from where the file says it is; or nothing when there is no outside to read it from.
pub(super) fn secret(field: &Field<'_>, outside: Option<&Outside<'_>>, report: &mut Report) -> Option<Secret> {
    let reference = secret_ref(field, report)?;
    let refused = |error: SecretError| {
        let value = match &reference {
            SecretRef::Env(name) => format!("env {name:?}"),
            SecretRef::File(path) => format!("file {path:?}"),
        };
        report.add(&field.path, field.place(), value, error.to_string());
    };
    let outside = outside?;
    reference.resolve(outside.base_dir, outside.env).map_err(refused).ok()
}

fn secret_ref(field: &Field<'_>, report: &mut Report) -> Option<SecretRef> {
    const FIX: &str =
        "write { env = \"NAME\" } or { file = \"path\" }; the topology holds no secrets, only where they are";
    if !matches!(field.value.get_ref(), DeValue::Table(_)) {
        field.refuse_hidden(report, FIX);
        return None;
    }
    let section = Section::of(field, &["env", "file"], report)?;
    match (section.get("env"), section.get("file")) {
        // Asking the environment for a name with one of these panics; no file has the other in its path.
        (Some(env), None) => secret_place(&env, &['\0', '='], report).map(|name| SecretRef::Env(name.to_owned())),
        (None, Some(file)) => secret_place(&file, &['\0'], report).map(|path| SecretRef::File(path.into())),
        _ => {
            field.refuse_hidden(report, FIX);
            None
        }
    }
}

fn secret_place<'d>(field: &Field<'d>, illegal: &[char], report: &mut Report) -> Option<&'d str> {
    let fix = format!("write a name as text, not empty and without any of {illegal:?}");
    let place = text(field, &fix, report)?;
    if place.is_empty() || place.contains(illegal) {
        field.refuse(report, fix);
        return None;
    }
    Some(place)
}
