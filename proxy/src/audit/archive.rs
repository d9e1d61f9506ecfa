//! What was archived: does it add up with what is left, and are its files there?
//!
//! The transaction that archives coupons notes them in the same primary, which is read in one snapshot: so all of this holds at
//! any time, also while coupons are archived.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use flate2::bufread::GzDecoder;
use scrip_protocol::{RequestId, TemplateId};
use scrip_shard_config::{PrimaryId, Tail};
use sha2::{Digest, Sha256};

use super::link::{Link, LinkError};
use super::meta::{Key, MetaView};
use super::report::{Finding, Kind};
use super::scan::LISTED_MAX;
use super::sql;
use super::uses::Candidate;
use crate::bulk::request_of;
use crate::store::CouponRow;
use crate::store::archive::{Registered, marked};

/// Longer than any line of a file: bounds what a file that is none takes.
const LINE_LEN_MAX: u64 = 1 << 20;

/// What a primary says of a template that is closed for good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) coupons: u64,
    pub(super) steps: u64,
    pub(super) spent_minor: i64,
    /// Ledger rows under which coupons could be recorded.
    pub(super) open: u64,
}

/// What one primary has archived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Archive {
    pub(super) closed: BTreeMap<u32, Closed>,
    pub(super) stock: BTreeMap<Key, u64>,
    pub(super) files: Vec<Registered>,
    /// What the files are said to hold: coupons and steps.
    pub(super) in_files: (u64, u64),
    /// Marks of each template.
    pub(super) marks: BTreeMap<u32, u64>,
    /// Marks that no archive makes. At most [`LISTED_MAX`].
    pub(super) flaws: Vec<(u32, Option<u64>, &'static str)>,
    /// Archived coupons that a bulk job issued.
    pub(super) of_jobs: BTreeMap<u32, u64>,
    /// Those of templates with exchange codes.
    pub(super) candidates: Vec<Candidate>,
}

/// Who may have issued coupons of a template, besides claims.
#[derive(Debug, Clone, Default)]
struct Issuers {
    /// Bulk jobs.
    jobs: Vec<(u32, RequestId)>,
    /// It has exchange codes.
    codes: bool,
}

impl Archive {
    /// Reads a primary.
    pub(super) async fn read(link: &mut Link, before: &MetaView) -> Result<Archive, LinkError> {
        let closed: Vec<(u32, u64, u64, i64, u64)> = link.rows(sql::CLOSED, ()).await?;
        let closed = closed.into_iter().map(|(template, coupons, steps, spent_minor, open)| {
            (template, Closed { coupons, steps, spent_minor, open })
        });
        let stock: Vec<(u32, u16, u64)> = link.rows(sql::ARCHIVED_STOCK, ()).await?;
        let stock = stock.into_iter().map(|(template, sub_stock, coupons)| ((template, sub_stock), coupons));
        let mut archive = Archive { closed: closed.collect(), stock: stock.collect(), ..Archive::default() };
        let files: Vec<(String, Vec<u8>, u64, u64)> = link.rows(sql::ARCHIVE_FILES, ()).await?;
        for (name, digest, coupons, steps) in files {
            let digest = digest.try_into().map_err(|_| LinkError(format!("file {name}: a digest of other length")))?;
            archive.files.push(Registered { name, digest });
            archive.in_files = (archive.in_files.0 + coupons, archive.in_files.1 + steps);
        }
        let mut issuers: BTreeMap<u32, Issuers> = BTreeMap::new();
        for (id, job) in &before.jobs {
            issuers.entry(job.template).or_default().jobs.push((*id, job.request));
        }
        for batch in before.batches.values() {
            issuers.entry(batch.template).or_default().codes = true;
        }
        let nobody = Issuers::default();
        link.each(sql::MARKS, |(template, tail, marks): (u32, u16, Vec<u8>)| {
            archive.add(template, tail, &marks, issuers.get(&template).unwrap_or(&nobody));
        })
        .await?;
        Ok(archive)
    }

    fn add(&mut self, template: u32, tail: u16, marks: &[u8], issuers: &Issuers) {
        let rows = TemplateId::try_new(template).ok().and_then(|template| marked(template, marks));
        let Some(rows) = rows else { return self.flaw(template, None, "they are cut off") };
        *self.marks.entry(template).or_default() += rows.len() as u64;
        let mut users: BTreeMap<u64, Vec<&CouponRow>> = BTreeMap::new();
        for row in &rows {
            users.entry(row.user.get()).or_default().push(row);
            for (id, _) in issuers.jobs.iter().filter(|(_, job)| request_of(*job, row.user) == row.request) {
                *self.of_jobs.entry(*id).or_default() += 1;
            }
            if issuers.codes {
                self.candidates.push(Candidate { request: row.request, user: row.user.get(), template });
            }
        }
        for (user, rows) in users {
            if Tail::of_user(user).get() != tail {
                self.flaw(template, Some(user), "they stand under another tail");
            }
            let numbers: BTreeSet<u16> = rows.iter().map(|row| row.seq).collect();
            let requests: BTreeSet<RequestId> = rows.iter().map(|row| row.request).collect();
            let is_dense =
                numbers.first() == Some(&1) && numbers.last().map(|last| usize::from(*last)) == Some(rows.len());
            if !is_dense || numbers.len() != rows.len() || requests.len() != rows.len() {
                self.flaw(template, Some(user), "they are not numbered 1, 2, ..., or one request made two");
            }
        }
    }

    fn flaw(&mut self, template: u32, user: Option<u64>, what: &'static str) {
        if self.flaws.len() < LISTED_MAX {
            self.flaws.push((template, user, what));
        }
    }

    /// Coupons that were archived.
    pub(super) fn coupons(&self) -> u64 {
        self.stock.values().sum()
    }

    /// The template is closed for good here: its fences stand above every epoch.
    pub(super) fn is_closed(&self, template: u32) -> bool {
        self.closed.contains_key(&template)
    }
}

/// What is wrong with the archive of one primary.
pub(super) fn compare(primary: PrimaryId, archive: &Archive, after: &MetaView) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |kind, template: Option<u32>, user, expected: String, found: String| {
        findings.push(finding(kind, primary, template, user, expected, found));
    };
    for (template, closed) in &archive.closed {
        let by_stock: u64 =
            archive.stock.range((*template, 0)..=(*template, u16::MAX)).map(|(_, coupons)| coupons).sum();
        let by_marks = archive.marks.get(template).copied().unwrap_or(0);
        if by_stock != closed.coupons || by_marks != closed.coupons {
            let expected = format!("{} coupons", closed.coupons);
            let found = format!("{by_stock} by sub-stock, {by_marks} marks");
            find(Kind::ArchiveDiffers, Some(*template), None, expected, found);
        }
        let is_closed = after.templates.get(template).is_some_and(|template| template.is_closed);
        if !is_closed {
            find(
                Kind::ClosedTooSoon,
                Some(*template),
                None,
                "a template that is closed".to_owned(),
                "another".to_owned(),
            );
        }
        if closed.coupons > 0 && closed.open > 0 {
            let found = format!("{} that are open", closed.open);
            find(Kind::ClosedTooSoon, Some(*template), None, "no ledger rows to record under".to_owned(), found);
        }
    }
    let (coupons, steps) = archive
        .closed
        .values()
        .fold((0, 0), |(coupons, steps), closed| (coupons + closed.coupons, steps + closed.steps));
    if archive.in_files != (coupons, steps) {
        let (in_files, steps_in_files) = archive.in_files;
        let found = format!("{in_files} coupons, {steps_in_files} steps in files");
        find(Kind::ArchiveDiffers, None, None, format!("{coupons} coupons, {steps} steps"), found);
    }
    for (template, user, what) in &archive.flaws {
        find(Kind::ArchiveDiffers, Some(*template), *user, "marks as they are made".to_owned(), (*what).to_owned());
    }
    findings
}

/// Registered files that are not in the folder, or not whole. Reads all of them.
pub(super) fn check_files(primary: PrimaryId, files: &[Registered], folder: &Path) -> Vec<Finding> {
    let check = |Registered { name, digest }: &Registered| {
        let of = |kind, found: String| Some(finding(kind, primary, None, None, name.clone(), found));
        // The part of a proxy that died before it gave the file its name is as good.
        match [name.clone(), format!("{name}.part")].iter().find_map(|name| File::open(folder.join(name)).ok()) {
            None => of(Kind::ArchiveFileMissing, format!("nothing in {}", folder.display())),
            Some(file) => match digest_of(file) {
                Ok(found) if found == *digest => None,
                Ok(_) => of(Kind::ArchiveFileBroken, "other contents".to_owned()),
                Err(error) => of(Kind::ArchiveFileBroken, error.to_string()),
            },
        }
    };
    files.iter().filter_map(check).collect()
}

/// Of all lines but the last.
fn digest_of(file: File) -> io::Result<[u8; 32]> {
    let mut lines = BufReader::new(GzDecoder::new(BufReader::new(file)));
    let (mut sha256, mut last, mut line) = (Sha256::new(), Vec::new(), Vec::new());
    loop {
        line.clear();
        let len = io::Read::take(&mut lines, LINE_LEN_MAX).read_until(b'\n', &mut line)?;
        if len == 0 {
            return Ok(sha256.finalize().into());
        }
        if line.last() != Some(&b'\n') {
            return Err(io::Error::other("a line that is cut off, or too long"));
        }
        sha256.update(&last);
        std::mem::swap(&mut last, &mut line);
    }
}

fn finding(
    kind: Kind,
    primary: PrimaryId,
    template: Option<u32>,
    user: Option<u64>,
    expected: String,
    found: String,
) -> Finding {
    let (promise, primary) = (kind.promise(), Some(primary.0));
    Finding { kind, promise, primary, template, sub_stock: None, user, job: None, expected, found }
}

#[cfg(test)]
mod tests {
    use scrip_protocol::UserId;

    use super::*;
    use crate::store::archive::marks;

    fn rows(rows: &[(u64, u16, u8)]) -> Vec<u8> {
        let template = TemplateId::try_new(7).expect("not 0");
        let row = |&(user, seq, request)| CouponRow::new(UserId(user), template, seq, RequestId([request; 16]), 0);
        marks(&rows.iter().map(row).collect::<Vec<_>>())
    }

    fn check(tail: u16, marks: &[u8], expect: &[(u32, Option<u64>, &str)]) {
        let mut archive = Archive::default();
        archive.add(7, tail, marks, &Issuers::default());
        assert_eq!(archive.flaws, expect);
    }

    #[test]
    fn marks_that_no_archive_makes() {
        let numbers = "they are not numbered 1, 2, ..., or one request made two";
        check(42, &rows(&[(42, 1, 1), (10_042, 1, 1), (42, 2, 2)]), &[]);
        check(42, &rows(&[(42, 1, 1)])[1..], &[(7, None, "they are cut off")]);
        check(43, &rows(&[(42, 1, 1)]), &[(7, Some(42), "they stand under another tail")]);
        check(42, &rows(&[(42, 2, 1)]), &[(7, Some(42), numbers)]);
        check(42, &rows(&[(42, 1, 1), (42, 1, 2)]), &[(7, Some(42), numbers)]);
        check(42, &rows(&[(42, 1, 1), (42, 2, 1)]), &[(7, Some(42), numbers)]);
    }

    #[test]
    fn what_was_issued_by_a_job_is_counted() {
        let (template, job) = (TemplateId::try_new(7).expect("not 0"), RequestId([3; 16]));
        let of = |user| CouponRow::new(UserId(user), template, 1, request_of(job, UserId(user)), 0);
        let mut archive = Archive::default();
        let issuers = Issuers { jobs: vec![(5, job), (6, RequestId([4; 16]))], codes: true };
        archive.add(7, 42, &marks(&[of(42), of(10_042)]), &issuers);
        assert_eq!((archive.of_jobs, archive.candidates.len()), (BTreeMap::from([(5, 2)]), 2));
    }
}
