//! Statements over a list of keys.
//!
//! Few keys: `OR` of `AND`s with FORCE INDEX. Measured with 1,024 keys, MariaDB 10.11 turns a row-constructor `IN` of more
//! than 1,000 into a join that scans the table, and without the hint it scans a small table, which would lock every row.
//! Many keys: a join that begins with a JSON_TABLE. CPU of the server for one of 256 keys, half of them with a row, in
//! microseconds on MariaDB 10.11 and MySQL 9.7: `OR` 7.5 and 10, `IN` 3.7 and 4.2, JSON_TABLE 2.4 and 3.3, a UNION of
//! SELECTs 19 and 24.

use scrip_protocol::{TemplateId, UserId};
use scrip_shard_config::Tail;

use super::text::{hex, number};
use super::{coupon_columns, last_step};
use crate::store::StockKey;

/// Keys in one statement: what the parsers and range optimizers of both servers were tried with.
pub const KEYS_MAX: usize = 1024;
/// Statements in the packet of [`raise_fences`].
pub(in crate::store::mysql) const FENCE_STATEMENTS: usize = 5;
/// Which of them reads what was issued.
pub(in crate::store::mysql) const FENCE_READ: usize = 3;
/// Which of them is the COMMIT.
pub(in crate::store::mysql) const FENCE_COMMIT: usize = 4;

/// The coupons of these pairs, in the order of the primary key. A locking read waits for the transactions that hold a
/// row of theirs.
pub(in crate::store::mysql) fn look_up(keys: &[(UserId, TemplateId)], lock: bool) -> Vec<u8> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable_by_key(|(user, template)| (Tail::of_user(user.get()), *user, *template));
    sorted.dedup();
    if lock { look_up_locked(&sorted) } else { look_up_many(&sorted) }
}

/// MySQL 9.7 refuses a locking read of a JSON_TABLE (error 3569), so this rare one is a list of conditions.
fn look_up_locked(keys: &[(UserId, TemplateId)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + keys.len() * 64);
    out.extend_from_slice(
        concat!("SELECT ", coupon_columns!(), " FROM coupon c FORCE INDEX (PRIMARY)", last_step!()).as_bytes(),
    );
    for (index, (user, template)) in keys.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b" WHERE (c.tail=" } else { b" OR (c.tail=" });
        number(&mut out, Tail::of_user(user.get()).get().into());
        out.extend_from_slice(b" AND c.user_id=");
        number(&mut out, user.get());
        out.extend_from_slice(b" AND c.template_id=");
        number(&mut out, template.get().into());
        out.push(b')');
    }
    out.extend_from_slice(b" LOCK IN SHARE MODE");
    out
}

fn look_up_many(keys: &[(UserId, TemplateId)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + keys.len() * 32);
    out.extend_from_slice(concat!("SELECT STRAIGHT_JOIN ", coupon_columns!(), " FROM JSON_TABLE('[").as_bytes());
    for (index, (user, template)) in keys.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"[" } else { b",[" });
        number(&mut out, Tail::of_user(user.get()).get().into());
        out.push(b',');
        number(&mut out, user.get());
        out.push(b',');
        number(&mut out, template.get().into());
        out.push(b']');
    }
    out.extend_from_slice(
        b"]','$[*]' COLUMNS(\
          tail SMALLINT UNSIGNED PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,\
          user_id BIGINT UNSIGNED PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,\
          template_id INT UNSIGNED PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR)) k \
          JOIN coupon c FORCE INDEX (PRIMARY) \
          ON c.tail=k.tail AND c.user_id=k.user_id AND c.template_id=k.template_id",
    );
    out.extend_from_slice(last_step!().as_bytes());
    out
}

/// The fences of these sub-stocks, with a locking read.
pub(in crate::store::mysql) fn fences(keys: &[StockKey]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + keys.len() * 48);
    out.extend_from_slice(b"SELECT template_id,sub_stock,epoch,server FROM stock_ledger FORCE INDEX (PRIMARY) WHERE ");
    sub_stocks(&mut out, &sorted(keys));
    out.extend_from_slice(b" LOCK IN SHARE MODE");
    out
}

/// The ledger rows of new sub-stocks; rows that exist stay as they are.
pub(in crate::store::mysql) fn create_ledger(keys: &[StockKey], stripes: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + keys.len() * usize::from(stripes) * 24);
    out.extend_from_slice(b"INSERT INTO stock_ledger (template_id,sub_stock,stripe,epoch,server,issued) VALUES ");
    for (index, key) in sorted(keys).iter().enumerate() {
        for stripe in 0..stripes {
            out.extend_from_slice(if index == 0 && stripe == 0 { b"(" } else { b",(" });
            number(&mut out, key.template.get().into());
            out.push(b',');
            number(&mut out, key.sub_stock.0.into());
            out.push(b',');
            number(&mut out, stripe.into());
            out.extend_from_slice(b",0,'',0)");
        }
    }
    // Not INSERT IGNORE, which would hide other errors.
    out.extend_from_slice(b" ON DUPLICATE KEY UPDATE issued=issued");
    out
}

/// Step 2 of a settle in one packet, so that no lock waits for a round trip or for a frozen proxy: lock the ledger
/// rows, raise the fences that are not above, only then read what was issued, commit.
pub(in crate::store::mysql) fn raise_fences(fences: &[(StockKey, u64)], server: &[u8; 16]) -> Vec<u8> {
    let mut fences = fences.to_vec();
    fences.sort_unstable();
    let keys: Vec<StockKey> = fences.iter().map(|(key, _)| *key).collect();
    let mut out = Vec::with_capacity(512 + fences.len() * 256);
    out.extend_from_slice(b"BEGIN;SELECT COUNT(*) FROM stock_ledger FORCE INDEX (PRIMARY) WHERE ");
    sub_stocks(&mut out, &keys);
    out.extend_from_slice(b" FOR UPDATE;UPDATE stock_ledger FORCE INDEX (PRIMARY) SET server=");
    hex(&mut out, server);
    out.extend_from_slice(b",epoch=CASE");
    for (key, epoch) in &fences {
        out.extend_from_slice(b" WHEN ");
        sub_stock(&mut out, key);
        out.extend_from_slice(b" THEN ");
        number(&mut out, *epoch);
    }
    out.extend_from_slice(b" END WHERE ");
    for (index, (key, epoch)) in fences.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"(" } else { b" OR (" });
        sub_stock(&mut out, key);
        out.extend_from_slice(b" AND epoch<=");
        number(&mut out, *epoch);
        out.push(b')');
    }
    out.extend_from_slice(
        b";SELECT template_id,sub_stock,epoch,server,issued FROM stock_ledger FORCE INDEX (PRIMARY) WHERE ",
    );
    sub_stocks(&mut out, &keys);
    out.extend_from_slice(b" FOR UPDATE;COMMIT");
    out
}

fn sorted(keys: &[StockKey]) -> Vec<StockKey> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn sub_stocks(out: &mut Vec<u8>, keys: &[StockKey]) {
    for (index, key) in keys.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"(" } else { b" OR (" });
        sub_stock(out, key);
        out.push(b')');
    }
}

fn sub_stock(out: &mut Vec<u8>, key: &StockKey) {
    out.extend_from_slice(b"template_id=");
    number(out, key.template.get().into());
    out.extend_from_slice(b" AND sub_stock=");
    number(out, key.sub_stock.0.into());
}
