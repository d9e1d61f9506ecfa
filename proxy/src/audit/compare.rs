//! The checks: pure, on what was read.
//!
//! Primaries are read between two readings of meta, each in a snapshot of its own, while traffic runs. What makes the
//! comparisons hold all the same: `issued`, epochs and the list of templates only grow, so what a primary showed is at
//! most what holds when meta is read *after* it; and a withdrawal lowers a total only to what is issued by then. What
//! has to be there at least (ledger rows, the last unit of what is sold out) is asked only of templates that stood so
//! *before* the primaries were read.

use std::collections::{BTreeMap, BTreeSet};

use scrip_shard_config::PrimaryId;

use super::archive;
use super::bulk;
use super::codes;
use super::logs::Flaw;
use super::meta::{Key, MetaView, Template};
use super::packs;
use super::report::{Finding, Kind};
use super::scan::{Ledger, Scan};
use super::uses::{self, Use};

/// What was read, in this order.
pub(super) struct Evidence<'a> {
    pub(super) before: &'a MetaView,
    pub(super) scans: &'a BTreeMap<PrimaryId, Scan>,
    /// Of all primaries.
    pub(super) uses: &'a [Use],
    pub(super) after: &'a MetaView,
    /// No primary is missing.
    pub(super) complete: bool,
}

/// Where a finding is.
#[derive(Clone, Copy, Default)]
struct Place {
    primary: Option<u16>,
    template: Option<u32>,
    sub_stock: Option<u16>,
    user: Option<u64>,
}

impl Place {
    fn key(primary: Option<PrimaryId>, (template, sub_stock): Key) -> Place {
        Place { sub_stock: Some(sub_stock), ..Place::template(primary, template) }
    }

    fn template(primary: Option<PrimaryId>, template: u32) -> Place {
        Place { primary: primary.map(|id| id.0), template: Some(template), ..Place::default() }
    }

    fn user(primary: PrimaryId, template: u32, user: u64) -> Place {
        Place { user: Some(user), ..Place::template(Some(primary), template) }
    }

    fn finding(self, kind: Kind, expected: impl ToString, found: impl ToString) -> Finding {
        let Place { primary, template, sub_stock, user } = self;
        let (expected, found) = (expected.to_string(), found.to_string());
        Finding { kind, promise: kind.promise(), primary, template, sub_stock, user, job: None, expected, found }
    }
}

/// All that is wrong, in order.
pub(super) fn compare(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, scan) in evidence.scans {
        counts(&mut findings, *id, scan, evidence.after);
        ledger_rows(&mut findings, *id, scan, evidence);
        users(&mut findings, *id, scan, evidence.after);
        places(&mut findings, *id, scan);
        findings.extend(bulk::compare(*id, &evidence.before.jobs, &scan.lists));
        findings.extend(codes::compare(*id, &evidence.after.batches, &scan.codes));
        findings.extend(packs::compare(*id, &evidence.after.templates, &scan.packs));
        logs(&mut findings, *id, scan);
        budgets(&mut findings, *id, scan, evidence);
        findings.extend(archive::compare(*id, &scan.archive, evidence.after));
    }
    findings.extend(bulk::totals(&evidence.before.jobs));
    let coupons = evidence.scans.iter().flat_map(|(id, scan)| scan.candidates.iter().map(|coupon| (*id, coupon)));
    findings.extend(uses::compare(&evidence.before.batches, coupons, evidence.uses, evidence.complete));
    grants(&mut findings, evidence.after);
    totals(&mut findings, evidence);
    findings.sort();
    findings
}

/// Coupons against ledger, and both against meta.
fn counts(findings: &mut Vec<Finding>, id: PrimaryId, scan: &Scan, after: &MetaView) {
    let archived = &scan.archive.stock;
    let keys: BTreeSet<Key> = scan.coupons.keys().chain(scan.ledgers.keys()).chain(archived.keys()).copied().collect();
    for key in keys {
        let place = Place::key(Some(id), key);
        let count = scan.coupons.get(&key).map_or(0, |coupons| coupons.count);
        let ledger = scan.ledgers.get(&key);
        let issued = ledger.map_or(0, |ledger| ledger.issued);
        let archived = archived.get(&key).copied().unwrap_or(0);
        if count + archived != issued {
            let beside = if archived > 0 { format!(" and {archived} archived") } else { String::new() };
            let found = format!("{count} coupons{beside}");
            findings.push(place.finding(Kind::LedgerDiffers, format!("{issued} issued"), found));
        }
        let found = || format!("{count} coupons, {issued} issued");
        match after.sub_stocks.get(&key) {
            None if !after.templates.contains_key(&key.0) => {
                findings.push(place.finding(Kind::UnknownTemplate, "no rows", found()));
            }
            None => findings.push(place.finding(Kind::UnknownSubStock, "no rows", found())),
            Some(_) if scan.archive.is_closed(key.0) => {}
            Some(meta) => fence(findings, place, ledger, meta.epoch),
        }
    }
}

fn fence(findings: &mut Vec<Finding>, place: Place, ledger: Option<&Ledger>, epoch: u64) {
    if let Some(ledger) = ledger.filter(|ledger| ledger.epoch_max > epoch) {
        findings.push(place.finding(Kind::FenceAboveMeta, format!("at most epoch {epoch}"), ledger.epoch_max));
    }
}

fn ledger_rows(findings: &mut Vec<Finding>, id: PrimaryId, scan: &Scan, evidence: &Evidence<'_>) {
    for (template_id, template) in evidence.before.templates.iter().filter(|(_, template)| template.has_ledgers) {
        for sub_stock in &template.sub_stocks {
            let key = (*template_id, *sub_stock);
            let ledger = scan.ledgers.get(&key);
            let (rows, beyond) =
                ledger.map_or((0, false), |ledger| (ledger.stripes, ledger.stripe_max >= template.stripes));
            if rows != u64::from(template.stripes) || beyond {
                let found = format!("{rows} rows{}", if beyond { ", stripes beyond the last" } else { "" });
                let expected = format!("{} rows", template.stripes);
                findings.push(Place::key(Some(id), key).finding(Kind::LedgerRows, expected, found));
            }
        }
    }
}

/// Numbers, requests and limits of users.
fn users(findings: &mut Vec<Finding>, id: PrimaryId, scan: &Scan, after: &MetaView) {
    for group in &scan.groups {
        let place = Place::user(id, group.template, group.user);
        if group.seq_min != 1 || u64::from(group.seq_max) != group.count {
            let found = format!("{} coupons numbered from {} to {}", group.count, group.seq_min, group.seq_max);
            findings.push(place.finding(Kind::SeqGap, format!("1 to {}", group.count), found));
        }
        if group.requests != group.count {
            let found = format!("{} coupons", group.count);
            findings.push(place.finding(
                Kind::RequestTwice,
                format!("{} requests", group.count),
                format!("{found} of {}", group.requests),
            ));
        }
    }
    for above in &scan.above_limit {
        let place = Place::user(id, above.template, above.user);
        let found = format!("{} coupons, the last numbered {}", above.count, above.seq_max);
        findings.push(place.finding(Kind::LimitExceeded, limit_words(after, above.template), found));
    }
    for above in &scan.above_daily_limit {
        let place = Place::user(id, above.template, above.user);
        let limit = after.templates.get(&above.template).and_then(|template| template.daily_limit);
        let expected = format!("at most {} a day", limit.map_or(0, |limit| limit.coupons));
        let found = format!("{} coupons in the day of {} ms", above.count, above.first_ms);
        findings.push(place.finding(Kind::DailyLimitExceeded, expected, found));
    }
    // A template that is younger than the first reading of meta had no closer look.
    for (key, coupons) in &scan.coupons {
        let limit = after.templates.get(&key.0).map_or(u32::MAX, |template| template.per_user_limit);
        let looked_at = scan.above_limit.iter().any(|above| above.template == key.0);
        if u32::from(coupons.seq_max) > limit && !looked_at {
            let found = format!("a coupon numbered {}", coupons.seq_max);
            findings.push(Place::key(Some(id), *key).finding(Kind::LimitExceeded, limit_words(after, key.0), found));
        }
    }
}

fn limit_words(meta: &MetaView, template: u32) -> String {
    let limit = meta.templates.get(&template).map_or(0, |template| template.per_user_limit);
    format!("at most {limit} a user")
}

fn places(findings: &mut Vec<Finding>, id: PrimaryId, scan: &Scan) {
    for row in &scan.misplaced {
        let place = Place::user(id, row.template, row.user);
        let expected = format!("tail {:04}", row.user % 10_000);
        findings.push(place.finding(Kind::TailDiffers, expected, format!("tail {:04}", row.tail)));
    }
    for foreign in &scan.foreign_tails {
        let place = Place { primary: Some(id.0), user: Some(foreign.user), ..Place::default() };
        let owner = foreign.owner.map_or("no primary".to_owned(), |owner| owner.to_string());
        let found = format!("{} coupons of tail {:04} here", foreign.count, foreign.tail);
        findings.push(place.finding(Kind::ForeignTail, format!("all of them on {owner}"), found));
    }
}

fn logs(findings: &mut Vec<Finding>, id: PrimaryId, scan: &Scan) {
    for log in &scan.logs.broken {
        let place = Place::user(id, log.template, log.user);
        let (kind, what) = match &log.flaw {
            Flaw::NoCoupon => (Kind::LogWithoutCoupon, "a coupon".to_owned()),
            Flaw::Broken { expected } => (Kind::LogBroken, expected.clone()),
        };
        findings.push(place.finding(kind, what, format!("step {} of coupon {}", log.step, log.seq)));
    }
}

/// What each primary has spent of budgets against its logs and its grants. Grants only grow.
fn budgets(findings: &mut Vec<Finding>, id: PrimaryId, scan: &Scan, evidence: &Evidence<'_>) {
    let known = evidence.before.templates.iter().filter(|(_, template)| template.budget_minor > 0);
    for template in known.map(|(template, _)| *template) {
        let place = Place::template(Some(id), template);
        let (granted, spent) = scan.logs.budgets.get(&template).copied().unwrap_or_default();
        let archived = scan.archive.closed.get(&template).map_or(0, |closed| closed.spent_minor);
        let by_logs = scan.logs.spent.get(&template).copied().unwrap_or_default() + i128::from(archived);
        if by_logs != i128::from(spent) {
            findings.push(place.finding(Kind::BudgetDiffers, format!("{by_logs} by the logs"), spent));
        }
        let in_meta = evidence.after.grants.get(&(template, id.0)).copied().unwrap_or_default();
        if spent > granted || granted > in_meta {
            let found = format!("{spent} spent of {granted} granted");
            findings.push(place.finding(Kind::BudgetExceeded, format!("at most {in_meta}, as meta granted"), found));
        }
    }
}

fn grants(findings: &mut Vec<Finding>, after: &MetaView) {
    for (id, template) in &after.templates {
        let granted: u128 =
            after.grants.range((*id, 0)..=(*id, u16::MAX)).map(|(_, granted)| u128::from(*granted)).sum();
        if granted > u128::from(template.budget_minor) {
            let expected = format!("at most {} granted", template.budget_minor);
            findings.push(Place::template(None, *id).finding(Kind::BudgetExceeded, expected, granted));
        }
    }
}

/// What holds over all primaries.
fn totals(findings: &mut Vec<Finding>, evidence: &Evidence<'_>) {
    let issued = issued(evidence.scans);
    for (key, meta) in &evidence.after.sub_stocks {
        let issued = issued.get(key).copied().unwrap_or(0);
        let pending = evidence.after.templates.get(&key.0).is_some_and(|template| template.withdrawal_pending);
        if issued > meta.allotment && !pending {
            let place = Place::key(None, *key);
            findings.push(place.finding(Kind::AllotmentExceeded, format!("at most {}", meta.allotment), issued));
        }
    }
    for (id, template) in &evidence.after.templates {
        let issued = issued.range((*id, 0)..=(*id, u16::MAX)).map(|(_, issued)| issued).sum();
        stock(findings, *id, template, evidence.after);
        sales(findings, *id, template, issued, evidence);
    }
}

fn issued(scans: &BTreeMap<PrimaryId, Scan>) -> BTreeMap<Key, u64> {
    let mut sums = BTreeMap::new();
    for (key, ledger) in scans.values().flat_map(|scan| &scan.ledgers) {
        let sum: &mut u64 = sums.entry(*key).or_default();
        *sum = sum.saturating_add(ledger.issued);
    }
    sums
}

fn stock(findings: &mut Vec<Finding>, id: u32, template: &Template, after: &MetaView) {
    let place = Place::template(None, id);
    let records = || after.sub_stocks.range((id, 0)..=(id, u16::MAX));
    let recorded: BTreeSet<u16> = records().map(|((_, sub_stock), _)| *sub_stock).collect();
    if recorded != template.sub_stocks {
        let (expected, found) = (format!("{:?}", template.sub_stocks), format!("{recorded:?}"));
        findings.push(place.finding(Kind::SubStocksDiffer, expected, found));
    }
    let allotted = records().fold(0_u64, |sum, (_, record)| sum.saturating_add(record.allotment));
    let (differ, words) = match template.withdrawal_pending {
        true => (allotted > template.total_stock, "at most "),
        false => (allotted != template.total_stock, ""),
    };
    if differ {
        findings.push(place.finding(Kind::AllotmentsDiffer, format!("{words}{}", template.total_stock), allotted));
    }
}

fn sales(findings: &mut Vec<Finding>, id: u32, template: &Template, issued: u64, evidence: &Evidence<'_>) {
    let place = Place::template(None, id);
    if issued > template.total_stock {
        findings.push(place.finding(Kind::TotalExceeded, format!("at most {}", template.total_stock), issued));
    }
    let before = evidence.before.templates.get(&id);
    let stood_so = before.is_some_and(|before| before.sold_out && before.revision == template.revision);
    if evidence.complete && stood_so && issued < template.total_stock {
        findings.push(place.finding(Kind::SoldOutTooSoon, template.total_stock, issued));
    }
}
