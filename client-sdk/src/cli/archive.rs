//! The archive: files of coupons that were dead for long. Read where they lie; no proxy is asked.
//!
//! What is found is shown while the files are read. A file that is not whole is named on standard error, and makes the exit code
//! 1: what was shown of it may be wrong.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use scrip_client::{CouponId, CouponNumber, TemplateId};
use serde_json::json;

use self::file::{Archived, Summary};
use self::moment::moment_ms;
use super::arguments::template_id;

mod file;
mod moment;

const EXTENSION: &str = ".ndjson.gz";
/// Of a file that its primary has not registered, or that was not renamed yet.
const PART: &str = ".ndjson.gz.part";

#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {
    /// The files of a folder, and whether they are whole.
    List {
        /// The folder: patrol.archive_directory of the proxies.
        folder: PathBuf,
    },
    /// Coupons in the files of a folder, with their operation logs under --json. All conditions must hold.
    Search {
        /// The folder: patrol.archive_directory of the proxies.
        folder: PathBuf,
        #[command(flatten)]
        wanted: Wanted,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Only this user's.
    #[arg(long)]
    user: Option<u64>,
    /// Only coupons of this template.
    #[arg(long, value_parser = template_id)]
    template: Option<TemplateId>,
    /// Only this one: 32 hexadecimal digits.
    #[arg(long)]
    coupon: Option<CouponId>,
    /// Only the one with this number.
    #[arg(long)]
    number: Option<CouponNumber>,
    /// Claimed then or later: a day (UTC) such as 2026-01-31, or milliseconds since 1970-01-01 UTC.
    #[arg(long, value_parser = moment_ms, value_name = "DAY")]
    from: Option<u64>,
    /// Claimed before that.
    #[arg(long, value_parser = moment_ms, value_name = "DAY")]
    to: Option<u64>,
}

impl Wanted {
    fn is(&self, coupon: &Archived) -> bool {
        self.user.is_none_or(|user| coupon.user == user)
            && self.template.is_none_or(|template| coupon.template == template.get())
            && self.coupon.as_ref().is_none_or(|id| coupon.coupon == id.to_string())
            && self.number.as_ref().is_none_or(|number| coupon.number == number.as_str())
            && self.from.is_none_or(|from_ms| coupon.claimed_at_ms >= from_ms)
            && self.to.is_none_or(|to_ms| coupon.claimed_at_ms < to_ms)
    }
}

/// Does it; the code to exit with.
pub(super) fn run(command: &ArchiveCommand, as_json: bool) -> ExitCode {
    let mut out = io::stdout().lock();
    let done = match command {
        ArchiveCommand::List { folder } => list(folder, as_json, &mut out),
        ArchiveCommand::Search { folder, wanted } => search(folder, wanted, as_json, &mut out),
    };
    match done {
        Ok(broken) if broken.is_empty() => ExitCode::SUCCESS,
        Ok(broken) => {
            for (file, why) in broken {
                eprintln!("broken: {file}: {why}");
            }
            ExitCode::from(1)
        }
        // Whoever read it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Files that are not whole, and why.
type Broken = Vec<(String, String)>;

fn list(folder: &Path, as_json: bool, out: &mut impl Write) -> io::Result<Broken> {
    let mut broken = Broken::new();
    for name in names(folder, &[EXTENSION, PART])? {
        let is_part = name.ends_with(PART);
        match file::read(&folder.join(&name), &mut |_, _| Ok(()))? {
            Ok(summary) => show_file(&name, is_part, &summary, as_json, out)?,
            // Half a part is what a proxy leaves that was killed while it wrote; nothing was removed for it.
            Err(why) if is_part => eprintln!("unfinished: {name}: {why}"),
            Err(why) => broken.push((name, why)),
        }
    }
    Ok(broken)
}

fn show_file(name: &str, is_part: bool, summary: &Summary, as_json: bool, out: &mut impl Write) -> io::Result<()> {
    let Summary { primary, at_ms, coupons, steps, first_ms, last_ms } = summary;
    if as_json {
        let line = json!({ "file": name, "part": is_part, "primary": primary, "at_ms": at_ms, "coupons": coupons,
            "steps": steps, "claimed_first_ms": first_ms, "claimed_last_ms": last_ms });
        return writeln!(out, "{line}");
    }
    let part = if is_part { " part=true" } else { "" };
    writeln!(
        out,
        "file={name} primary={primary} at_ms={at_ms} coupons={coupons} steps={steps} claimed_first_ms={first_ms} \
         claimed_last_ms={last_ms}{part}"
    )
}

fn search(folder: &Path, wanted: &Wanted, as_json: bool, out: &mut impl Write) -> io::Result<Broken> {
    let mut broken = Broken::new();
    for name in names(folder, &[EXTENSION])? {
        let mut show = |coupon: &Archived, line: &str| match (wanted.is(coupon), as_json) {
            (false, _) => Ok(()),
            (true, true) => writeln!(out, "{line}"),
            (true, false) => writeln!(out, "{coupon} file={name}"),
        };
        if let Err(why) = file::read(&folder.join(&name), &mut show)? {
            broken.push((name, why));
        }
    }
    Ok(broken)
}

/// In the order of primary and time.
fn names(folder: &Path, endings: &[&str]) -> io::Result<Vec<String>> {
    let of_folder = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(of_folder)? {
        let name = entry.map_err(of_folder)?.file_name().into_string();
        let is_one = |name: &String| endings.iter().any(|ending| name.ends_with(ending));
        names.extend(name.ok().filter(is_one));
    }
    names.sort_unstable();
    Ok(names)
}
