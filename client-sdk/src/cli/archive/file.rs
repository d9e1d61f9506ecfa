//! One file: gzip of JSON lines. The first says what it is, the last how many coupons and steps it holds and the SHA-256 of
//! everything before that.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The form that this program reads.
const FORM: u32 = 1;
/// Longer than any line: bounds what a file that is none takes.
const LINE_LEN_MAX: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
struct Head {
    scrip_archive: u32,
    primary: String,
    at_ms: u64,
}

/// A coupon, as far as it is searched by; its line holds the rest.
#[derive(Debug, Deserialize)]
pub(super) struct Archived {
    pub(super) coupon: String,
    pub(super) number: String,
    pub(super) user: u64,
    pub(super) template: u32,
    pub(super) claimed_at_ms: u64,
    seq: u32,
    status: String,
    valid_until_ms: i64,
    steps: Vec<serde::de::IgnoredAny>,
}

impl fmt::Display for Archived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { coupon, number, user, template, claimed_at_ms, seq, status, valid_until_ms, steps } = self;
        write!(
            f,
            "coupon={coupon} number={number} user={user} template={template} seq={seq} status={status} claimed_at_ms={claimed_at_ms} \
             valid_until_ms={valid_until_ms} steps={}",
            steps.len()
        )
    }
}

#[derive(Debug, Deserialize)]
struct Tail {
    coupons: u64,
    steps: u64,
    sha256: String,
}

/// What a whole file holds.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) primary: String,
    pub(super) at_ms: u64,
    pub(super) coupons: u64,
    pub(super) steps: u64,
    /// When the first and the last of its coupons were claimed.
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
}

impl Summary {
    fn add(&mut self, coupon: &Archived) {
        let at_ms = coupon.claimed_at_ms;
        self.first_ms = if self.coupons == 0 { at_ms } else { self.first_ms.min(at_ms) };
        self.last_ms = self.last_ms.max(at_ms);
        self.coupons += 1;
        self.steps += coupon.steps.len() as u64;
    }

    fn compared(self, tail: &Tail, sha256: &str) -> Result<Self, String> {
        let Tail { coupons, steps, .. } = tail;
        if tail.sha256 != sha256 {
            return Err("its digest is not the one of its last line: it was changed".to_owned());
        }
        if (self.coupons, self.steps) != (*coupons, *steps) {
            let Self { coupons: found, steps: found_steps, .. } = self;
            return Err(format!("{found} coupons, {found_steps} steps, and the last line says {coupons} and {steps}"));
        }
        Ok(self)
    }
}

enum Line {
    Middle(String),
    /// With the SHA-256 of everything before it.
    Last(String, String),
}

struct Lines<R> {
    inner: R,
    sha256: Sha256,
    ahead: Option<String>,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Line, String> {
        let line = match self.ahead.take() {
            Some(line) => line,
            None => self.read()?.ok_or("it is empty")?,
        };
        self.ahead = self.read()?;
        if self.ahead.is_none() {
            let digest = self.sha256.clone().finalize();
            let digest = digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
            return Ok(Line::Last(line, digest));
        }
        self.sha256.update(&line);
        Ok(Line::Middle(line))
    }

    fn read(&mut self) -> Result<Option<String>, String> {
        let mut line = String::new();
        let len = self.inner.by_ref().take(LINE_LEN_MAX).read_line(&mut line).map_err(|error| error.to_string())?;
        match line.ends_with('\n') {
            true => Ok(Some(line)),
            false if len == 0 => Ok(None),
            false => Err("a line is cut off, or too long".to_owned()),
        }
    }
}

/// Reads a file; `each` gets every coupon and its line. The inner error: why it is not whole.
///
/// # Errors
/// Those of `each`.
pub(super) fn read(
    path: &Path,
    each: &mut dyn FnMut(&Archived, &str) -> io::Result<()>,
) -> io::Result<Result<Summary, String>> {
    let file = match File::open(path) {
        Ok(file) => BufReader::new(GzDecoder::new(BufReader::new(file))),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let mut lines = Lines { inner: file, sha256: Sha256::new(), ahead: None };
    let mut summary = match lines.next().and_then(head) {
        Ok(summary) => summary,
        Err(why) => return Ok(Err(why)),
    };
    loop {
        let next = match lines.next() {
            Ok(Line::Last(line, sha256)) => {
                let tail = parse::<Tail>(&line, "the last line");
                return Ok(tail.and_then(|tail| summary.compared(&tail, &sha256)));
            }
            Ok(Line::Middle(line)) => parse::<Archived>(&line, "a line").map(|coupon| (coupon, line)),
            Err(why) => Err(why),
        };
        match next {
            Ok((coupon, line)) => {
                summary.add(&coupon);
                each(&coupon, line.trim_end())?;
            }
            Err(why) => return Ok(Err(why)),
        }
    }
}

fn head(line: Line) -> Result<Summary, String> {
    let Line::Middle(line) = line else { return Err("it ends with its first line: it was cut off".to_owned()) };
    let Head { scrip_archive, primary, at_ms } = parse(&line, "the first line")?;
    if scrip_archive != FORM {
        return Err(format!("it is of form {scrip_archive}; this program reads {FORM}"));
    }
    Ok(Summary { primary, at_ms, coupons: 0, steps: 0, first_ms: 0, last_ms: 0 })
}

fn parse<'a, T: Deserialize<'a>>(line: &'a str, which: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| format!("{which} is none of an archive: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const HEAD: &str = r#"{"scrip_archive":1,"primary":"p01","at_ms":9}"#;
    const COUPON: &str = concat!(
        r#"{"coupon":"01","number":"N","user":18446744073709551615,"template":7,"seq":1,"request":"07","sub_stock":3,"status":"used","#,
        r#""claimed_at_ms":5,"valid_from_ms":5,"valid_until_ms":6,"steps":[{"step":1}]}"#
    );

    fn check(text: &str, expect: Result<(u64, u64), &str>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        let mut out = GzEncoder::new(File::create(&path).expect("a file"), Compression::fast());
        out.write_all(text.as_bytes()).and_then(|()| out.finish().map(drop)).expect("written");
        let found = read(&path, &mut |_, _| Ok(())).expect("read");
        match (found, expect) {
            (Ok(summary), Ok(expect)) => assert_eq!((summary.coupons, summary.steps), expect),
            (Err(why), Err(expect)) => assert!(why.contains(expect), "{why}"),
            (found, expect) => panic!("{found:?}, {expect:?}"),
        }
    }

    #[test]
    fn a_file_is_whole_or_says_why_not() {
        let before = format!("{HEAD}\n{COUPON}\n");
        let digest = Sha256::digest(&before).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let tail = |coupons| format!("{{\"coupons\":{coupons},\"steps\":1,\"sha256\":\"{digest}\"}}\n");
        check(&format!("{before}{}", tail(1)), Ok((1, 1)));
        check(&format!("{before}{}", tail(2)), Err("the last line says 2 and 1"));
        check(&format!("{}{}", before.replace("user\":1", "user\":2"), tail(1)), Err("a line is none"));
        check(&format!("{}{}", before.replace("used", "lost"), tail(1)), Err("it was changed"));
        check(&format!("{before}{COUPON}\n{}", tail(1)), Err("it was changed"));
        check(&before, Err("the last line is none of an archive"));
        check(&format!("{before}{}", tail(1).trim_end()), Err("a line is cut off"));
        check(&format!("{HEAD}\n"), Err("cut off"));
        check("", Err("it is empty"));
        check("hello\nworld\n", Err("the first line is none of an archive"));
        check(&HEAD.replace(":1,", ":2,").repeat(2).replace("}{", "}\n{"), Err("cut off"));
        check(&format!("{}\n{COUPON}\n", HEAD.replace("archive\":1", "archive\":2")), Err("of form 2"));
    }

    #[test]
    fn what_is_no_gzip_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        std::fs::write(&path, "plain").expect("written");
        assert!(read(&path, &mut |_, _| Ok(())).expect("read").is_err());
        assert!(read(&folder.path().join("b"), &mut |_, _| Ok(())).expect("read").is_err());
    }
}
