//! A file of users, read and checked to its end: all that is wrong with it is told at once, and nothing of it was sent by then.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use clap::ValueEnum;
use scrip_client::UserId;
use serde_json::Value;

/// Defects that are told; the others are counted.
const TOLD_MAX: usize = 20;

/// Names of the column or key of the user.
const NAMES: [&str; 2] = ["user_id", "user"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Comma-separated values.
    Csv,
    /// One JSON value a line.
    Ndjson,
}

/// A user and the line that names it.
type Found = (u64, u64);

/// What is wrong with a file.
#[derive(Debug, Default)]
struct Defects {
    told: Vec<String>,
    count: usize,
}

impl Defects {
    fn add(&mut self, line: u64, column: u64, what: &str) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(format!("  line {line}, column {column}: {what}"));
        }
    }
}

/// Reads the users of a file: every one different, in the order of their ids.
pub(super) fn read(path: &Path, format: Option<Format>) -> Result<Vec<UserId>, String> {
    let shown = path.display();
    let format = format.or_else(|| by_extension(path)).ok_or_else(|| {
        format!("{shown}: its extension does not say what it is: name it .csv, .ndjson or .jsonl, or give --format")
    })?;
    let file = File::open(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    parse(BufReader::new(file), format).map_err(|what| format!("{shown} cannot be used, and nothing was sent:\n{what}"))
}

fn by_extension(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(Format::Csv),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        _ => None,
    }
}

fn parse(input: impl BufRead, format: Format) -> Result<Vec<UserId>, String> {
    let mut defects = Defects::default();
    let mut found = match format {
        Format::Csv => csv(input, &mut defects),
        Format::Ndjson => ndjson(input, &mut defects),
    };
    found.sort_unstable();
    for pair in found.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let ((user, first), (_, line)) = (pair[0], pair[1]);
        let what = format!("user {user} stands on line {first} already: a job issues once to each; remove one of them");
        defects.add(line, 1, &what);
    }
    if found.is_empty() && defects.count == 0 {
        defects.add(1, 1, "there is no user in it: write one user id a line");
    }
    if defects.count == 0 {
        return Ok(found.into_iter().map(|(user, _)| UserId(user)).collect());
    }
    let more = defects.count - defects.told.len();
    if more > 0 {
        defects.told.push(format!("  and {more} more"));
    }
    Err(defects.told.join("\n"))
}

/// The first line may name columns; the users are those of `user_id`, or of the first column.
fn csv(input: impl Read, defects: &mut Defects) -> Vec<Found> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(input);
    let (mut found, mut record, mut column, mut first) = (Vec::new(), csv::ByteRecord::new(), 0, true);
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return found,
            Err(error) => {
                defects.add(error.position().map_or(0, csv::Position::line), 1, &error.to_string());
                return found;
            }
        }
        let line = record.position().map_or(0, csv::Position::line);
        let fields =
            record.iter().map(|field| String::from_utf8_lossy(field).trim_start_matches('\u{feff}').to_owned());
        let fields: Vec<String> = fields.collect();
        if std::mem::take(&mut first) {
            match header(&fields) {
                Header::None => {}
                Header::Column(index) => {
                    column = index;
                    continue;
                }
                Header::Unnamed => {
                    defects.add(line, 1, "no column is named user_id: name one, or write user ids without a header");
                    return found;
                }
            }
        }
        match fields.get(column).map(|field| user_of(field)) {
            Some(Ok(user)) => found.push((user, line)),
            Some(Err(what)) => defects.add(line, column as u64 + 1, &what),
            None => {
                defects.add(line, fields.len() as u64, &format!("it has no column {}: give the user id", column + 1))
            }
        }
    }
}

enum Header {
    /// The first line is one of users.
    None,
    Column(usize),
    Unnamed,
}

fn header(fields: &[String]) -> Header {
    let named = |field: &String| NAMES.contains(&field.to_ascii_lowercase().as_str());
    match fields.iter().position(named) {
        Some(index) => Header::Column(index),
        None if fields.iter().all(|field| field.parse::<f64>().is_err()) && fields.len() > 1 => Header::Unnamed,
        None => Header::None,
    }
}

fn ndjson(input: impl BufRead, defects: &mut Defects) -> Vec<Found> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(input.lines()) {
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                defects.add(line, 1, &error.to_string());
                return found;
            }
        };
        if text.trim().is_empty() {
            continue;
        }
        let value = match serde_json::from_str::<Value>(&text) {
            Ok(value) => value,
            Err(error) => {
                let what = error.to_string();
                let what = what.split(" at line").next().unwrap_or_default();
                defects.add(line, error.column() as u64, &format!("no JSON: {what}; write one value a line"));
                continue;
            }
        };
        let user = value.as_object().map_or(Some(&value), |fields| NAMES.iter().find_map(|name| fields.get(*name)));
        match user {
            None => defects.add(line, 1, "the object has no user_id: add it"),
            Some(Value::String(text)) => match user_of(text) {
                Ok(user) => found.push((user, line)),
                Err(what) => defects.add(line, 1, &what),
            },
            Some(user) => match user.as_u64() {
                Some(user) => found.push((user, line)),
                None => defects.add(line, 1, &no_user(&user.to_string())),
            },
        }
    }
    found
}

/// Digits and nothing else: "+7", "7.0" and "0x7" are not what a person means by a user id.
fn user_of(field: &str) -> Result<u64, String> {
    let digits = !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
    field.parse().ok().filter(|_| digits).ok_or_else(|| no_user(field))
}

fn no_user(found: &str) -> String {
    let start: String = found.chars().take(40).collect();
    format!("{start:?} is not a user id: write a whole number from 0 to {}", u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: Format, text: &str, expect: Result<&[u64], &[&str]>) {
        match (parse(text.as_bytes(), format), expect) {
            (Ok(found), Ok(expect)) => {
                assert_eq!(found.iter().map(|user| user.get()).collect::<Vec<_>>(), expect, "{text:?}");
            }
            (Err(found), Err(expect)) => {
                for part in expect {
                    assert!(found.contains(part), "{part:?} in {found}");
                }
                assert_eq!(found.lines().count(), expect.len(), "{found}");
            }
            (found, expect) => panic!("{text:?}: {found:?}, not {expect:?}"),
        }
    }

    #[test]
    fn csv_files() {
        let csv = |text: &str, expect: Result<&[u64], &[&str]>| check(Format::Csv, text, expect);
        csv("3\n1\n2\n", Ok(&[1, 2, 3]));
        csv("user_id\r\n7\r\n\r\n18446744073709551615", Ok(&[7, u64::MAX]));
        csv("\u{feff}name,User_Id\n\"a, b\",7\nc, 8 \n", Ok(&[7, 8]));
        csv("7,x\n8\n", Ok(&[7, 8]));
        csv("", Err(&["line 1, column 1: there is no user in it"]));
        csv("name,age\na,7\n", Err(&["line 1, column 1: no column is named user_id"]));
        csv(
            "x,user_id\na,7\nb,7\nc\n",
            Err(&["line 4, column 1: it has no column 2", "line 3, column 1: user 7 stands on line 2 already"]),
        );
        csv(
            "1\n-2\n3.0\n18446744073709551616\n",
            Err(&[
                "line 2, column 1: \"-2\" is not a user id",
                "line 3, column 1: \"3.0\" is not",
                "line 4, column 1: \"18446744073709551616\" is not a user id: write a whole number from 0 to",
            ]),
        );
        let many = "x\n".repeat(TOLD_MAX + 5);
        assert!(parse(many.as_bytes(), Format::Csv).expect_err("bad").ends_with("  and 5 more"));
    }

    #[test]
    fn ndjson_files() {
        let ndjson = |text: &str, expect: Result<&[u64], &[&str]>| check(Format::Ndjson, text, expect);
        ndjson("{\"user_id\":7,\"x\":[]}\n\n8\n{\"user\":\"9\"}\n", Ok(&[7, 8, 9]));
        ndjson(
            "{\"user_id\":7\n{}\n-1\n\"a\"\n[7]\n",
            Err(&[
                "line 1, column 12: no JSON",
                "line 2, column 1: the object has no user_id",
                "line 3, column 1: \"-1\" is not a user id",
                "line 4, column 1: \"a\" is not a user id",
                "line 5, column 1: \"[7]\" is not a user id",
            ]),
        );
    }

    #[test]
    fn formats_by_extension() {
        let check = |name: &str, expect| assert_eq!(by_extension(Path::new(name)), expect, "{name}");
        check("users.csv", Some(Format::Csv));
        check("USERS.CSV", Some(Format::Csv));
        check("users.jsonl", Some(Format::Ndjson));
        check("users.ndjson", Some(Format::Ndjson));
        check("users.txt", None);
        check("users", None);
    }
}
