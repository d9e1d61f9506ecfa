//! Closing templates for good, and moving their coupons to files.

use std::collections::BTreeMap;

use scrip_protocol::{TemplateId, UserId};
use scrip_shard_config::{SubStock, Tail};

use super::steps::{COLUMNS, STEPS};
use super::text::{hex_text, number, signed};
use crate::order::rules::spent;
use crate::store::CouponRow;
use crate::store::archive::{WholeCoupon, marks};
use crate::store::events::Holder;

/// The epoch of a closed ledger row: no settle ever gets there, and no unit is granted under it.
macro_rules! closed_epoch {
    () => {
        "18446744073709551615"
    };
}

/// Bytes of one packet of [`registered`], but for the last row in it: far below the smallest `max_allowed_packet` in use.
const PACKET_LEN: usize = 128 << 10;

/// Templates that are closed for good here: noted as such, with no ledger row that is open.
pub(in crate::store::mysql) const CLOSED: &str = concat!(
    "SELECT c.template_id, c.sealed, c.everywhere FROM closed_template c WHERE NOT EXISTS (SELECT 1 FROM stock_ledger l \
     WHERE l.template_id = c.template_id AND l.epoch <> ",
    closed_epoch!(),
    ")"
);
/// Bulk jobs of a template that were started and have not ended: running, paused or being cancelled. Template.
pub(in crate::store::mysql) const JOBS_OPEN: &str =
    "SELECT COUNT(*) FROM meta_bulk_job WHERE template_id = ? AND state IN (3, 4, 5)";
/// It was seen to be closed on every primary. Template.
pub(in crate::store::mysql) const EVERYWHERE: &str = "UPDATE closed_template SET everywhere = 1 WHERE template_id = ?";
/// Marks that may tell of a user's coupons of a template. Template, tail, user, user.
pub(in crate::store::mysql) const MARKS: &str = "SELECT marks FROM archived_coupon WHERE template_id = ? AND tail = ? \
     AND user_first <= ? AND user_last >= ? ORDER BY file_id";
/// Whether a file is registered. Waits for a transaction that registers it.
pub(in crate::store::mysql) const REGISTERED: &str =
    "SELECT COUNT(*) FROM archive_file FORCE INDEX (name) WHERE name = ? LOCK IN SHARE MODE";

/// Statements in the packet of [`close`].
pub(in crate::store::mysql) const CLOSE_STATEMENTS: usize = 4;
/// Which of them is the COMMIT.
pub(in crate::store::mysql) const CLOSE_COMMIT: usize = 3;

/// One transaction: from its end on no coupon of the template is recorded here.
pub(in crate::store::mysql) fn close(template: TemplateId) -> String {
    let id = template.get();
    format!(
        "BEGIN;UPDATE stock_ledger FORCE INDEX (PRIMARY) SET epoch={},server='' WHERE template_id={id};\
         INSERT INTO closed_template (template_id) VALUES ({id}) ON DUPLICATE KEY UPDATE template_id={id};COMMIT",
        closed_epoch!()
    )
}

/// Statements in the packet of [`seal`].
pub(in crate::store::mysql) const SEAL_STATEMENTS: usize = 4;
/// Which of them is the COMMIT.
pub(in crate::store::mysql) const SEAL_COMMIT: usize = 3;

/// One transaction: from its end on nothing is appended to the logs of the template's coupons. Whoever appends holds the row
/// of `node` until its commit, so this waits for those who saw no seal.
pub(in crate::store::mysql) fn seal(template: TemplateId) -> String {
    let id = template.get();
    format!(
        "BEGIN;SELECT id FROM node WHERE id=1 FOR UPDATE;\
         UPDATE closed_template SET sealed=1 WHERE template_id={id};COMMIT"
    )
}

/// Which of these templates are sealed.
pub(in crate::store::mysql) fn sealed(templates: &[TemplateId]) -> Vec<u8> {
    let mut out = b"SELECT template_id FROM closed_template WHERE sealed=1 AND template_id".to_vec();
    one_of(&mut out, templates);
    out
}

/// Statements in the packet of [`begin`].
pub(in crate::store::mysql) const BEGIN_STATEMENTS: usize = 5;

/// Begins a transaction, and reads under locks what it rests on: the topology version; whether the lease is held; how many of
/// the templates are closed everywhere and sealed; how many of their ledger rows are open.
pub(in crate::store::mysql) fn begin(templates: &[TemplateId], holder: &Holder) -> Vec<u8> {
    let mut out = b"BEGIN;SELECT topology_version FROM node WHERE id=1 LOCK IN SHARE MODE;\
                    SELECT COUNT(*) FROM lease WHERE name="
        .to_vec();
    hex_text(&mut out, holder.name.as_bytes());
    out.extend_from_slice(b" AND owner=");
    hex_text(&mut out, holder.owner.as_bytes());
    out.extend_from_slice(b" AND term=");
    number(&mut out, holder.term);
    out.extend_from_slice(
        b" LOCK IN SHARE MODE;SELECT COUNT(*) FROM closed_template WHERE sealed=1 AND everywhere=1 AND template_id",
    );
    one_of(&mut out, templates);
    out.extend_from_slice(b" FOR UPDATE;SELECT COUNT(*) FROM stock_ledger FORCE INDEX (PRIMARY) WHERE template_id");
    one_of(&mut out, templates);
    out.extend_from_slice(concat!(" AND epoch<>", closed_epoch!(), " LOCK IN SHARE MODE").as_bytes());
    out
}

/// All coupons of these users and templates with their logs and sub-stocks, one row a step.
pub(in crate::store::mysql) fn whole(pairs: &[(UserId, TemplateId)], lock: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + pairs.len() * 64);
    out.extend_from_slice(b"SELECT ");
    out.extend_from_slice(COLUMNS);
    out.extend_from_slice(b",c.sub_stock FROM coupon c FORCE INDEX (PRIMARY)");
    out.extend_from_slice(STEPS);
    out.extend_from_slice(b" WHERE ");
    either(&mut out, b"c", pairs);
    if lock {
        out.extend_from_slice(b" FOR UPDATE");
    }
    out
}

/// Statements in the packet of [`remove`].
pub(in crate::store::mysql) const REMOVE_STATEMENTS: usize = 2;

/// Removes all coupons of these users and templates, and their logs.
pub(in crate::store::mysql) fn remove(pairs: &[(UserId, TemplateId)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + pairs.len() * 128);
    out.extend_from_slice(b"DELETE s FROM coupon_step s FORCE INDEX (PRIMARY) WHERE ");
    either(&mut out, b"s", pairs);
    out.extend_from_slice(b";DELETE c FROM coupon c FORCE INDEX (PRIMARY) WHERE ");
    either(&mut out, b"c", pairs);
    out
}

/// What the coupons of a file add up to, for one template.
#[derive(Debug, Default)]
struct Sums {
    coupons: u64,
    steps: u64,
    spent_minor: i64,
    sub_stocks: BTreeMap<SubStock, u64>,
}

/// Packets that register a file, and note what it holds; each with its number of statements. Those after the first refer to
/// the id that the first one makes.
pub(in crate::store::mysql) fn registered(
    coupons: &[WholeCoupon],
    name: &str,
    digest: &[u8; 32],
    at_ms: u64,
) -> Vec<(Vec<u8>, usize)> {
    let mut packets = vec![(file(coupons, name, digest, at_ms), 1)];
    let mut statement = |text: Vec<u8>| match packets.last_mut() {
        Some((packet, statements)) if packet.len() < PACKET_LEN => {
            packet.push(b';');
            packet.extend_from_slice(&text);
            *statements += 1;
        }
        _ => packets.push((text, 1)),
    };
    for ((template, tail), rows) in by_tail(coupons) {
        statement(mark(template, tail, &rows));
    }
    for (template, sums) in sums(coupons) {
        for (sub_stock, count) in &sums.sub_stocks {
            statement(
                format!(
                    "INSERT INTO archived_stock (template_id,sub_stock,coupons) VALUES ({template},{},{count}) \
                     ON DUPLICATE KEY UPDATE coupons=coupons+{count}",
                    sub_stock.0
                )
                .into_bytes(),
            );
        }
        let mut text = format!(
            "UPDATE closed_template SET coupons=coupons+{},steps=steps+{},spent_minor=spent_minor+",
            sums.coupons, sums.steps
        )
        .into_bytes();
        signed(&mut text, sums.spent_minor);
        text.extend_from_slice(format!(" WHERE template_id={template}").as_bytes());
        statement(text);
    }
    packets
}

fn file(coupons: &[WholeCoupon], name: &str, digest: &[u8; 32], at_ms: u64) -> Vec<u8> {
    let mut out = b"INSERT INTO archive_file (name,digest,coupons,steps,at_ms) VALUES (".to_vec();
    hex_text(&mut out, name.as_bytes());
    out.push(b',');
    hex_text(&mut out, digest);
    let steps: usize = coupons.iter().map(|coupon| coupon.steps.len()).sum();
    for value in [coupons.len() as u64, steps as u64, at_ms] {
        out.push(b',');
        number(&mut out, value);
    }
    out.push(b')');
    out
}

fn by_tail(coupons: &[WholeCoupon]) -> BTreeMap<(u32, u16), Vec<CouponRow>> {
    let mut tails: BTreeMap<(u32, u16), Vec<CouponRow>> = BTreeMap::new();
    for WholeCoupon { row, .. } in coupons {
        tails.entry((row.template.get(), Tail::of_user(row.user.get()).get())).or_default().push(*row);
    }
    tails
}

fn mark(template: u32, tail: u16, rows: &[CouponRow]) -> Vec<u8> {
    let users = || rows.iter().map(|row| row.user.get());
    let (first, last) = (users().min().unwrap_or(0), users().max().unwrap_or(0));
    let mut out = format!(
        "INSERT INTO archived_coupon (template_id,tail,file_id,user_first,user_last,marks) VALUES \
         ({template},{tail},LAST_INSERT_ID(),{first},{last},"
    )
    .into_bytes();
    hex_text(&mut out, &marks(rows));
    out.push(b')');
    out
}

fn sums(coupons: &[WholeCoupon]) -> BTreeMap<u32, Sums> {
    let mut all: BTreeMap<u32, Sums> = BTreeMap::new();
    for WholeCoupon { row, sub_stock, steps } in coupons {
        let sums = all.entry(row.template.get()).or_default();
        sums.coupons += 1;
        sums.steps += steps.len() as u64;
        sums.spent_minor += steps.iter().map(spent).sum::<i64>();
        *sums.sub_stocks.entry(*sub_stock).or_default() += 1;
    }
    all
}

fn one_of(out: &mut Vec<u8>, templates: &[TemplateId]) {
    for (index, template) in templates.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b" IN (" } else { b"," });
        number(out, template.get().into());
    }
    out.push(b')');
}

/// As a list of conditions: see [`super::keys`].
fn either(out: &mut Vec<u8>, table: &[u8], pairs: &[(UserId, TemplateId)]) {
    for (index, (user, template)) in pairs.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"(" } else { b" OR (" });
        let columns: [(&[u8], u64); 3] = [
            (b".tail=", Tail::of_user(user.get()).get().into()),
            (b".user_id=", user.get()),
            (b".template_id=", template.get().into()),
        ];
        for (index, (name, value)) in columns.into_iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b" AND ");
            }
            out.extend_from_slice(table);
            out.extend_from_slice(name);
            number(out, value);
        }
        out.push(b')');
    }
}
