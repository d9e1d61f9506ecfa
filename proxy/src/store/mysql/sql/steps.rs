//! Logs of coupons: reading them, and the packet that appends to them.

use scrip_protocol::OrderId;
use scrip_protocol::v1::{CouponStatus, EventBatch};
use scrip_shard_config::Tail;

use super::outbox;
use super::text::{hex_text, number, signed};
use crate::events::fact;
use crate::store::steps::{CouponKey, Hold, NewStep, Spend};

/// The columns of a coupon and of one of its steps.
pub(super) const COLUMNS: &[u8] = b"c.user_id,c.template_id,c.seq,c.request_id,c.claimed_at_ms,\
     s.step,s.kind,s.order_id,s.state,s.holder,s.until_ms,s.amount_minor,s.at_ms";
/// From a coupon to its steps.
pub(super) const STEPS: &[u8] = b" LEFT JOIN coupon_step s FORCE INDEX (PRIMARY) \
     ON s.tail=c.tail AND s.user_id=c.user_id AND s.template_id=c.template_id AND s.seq=c.seq";

/// These coupons with their steps, one row a step. A locking read waits for the transactions that append to them.
pub(in crate::store::mysql) fn logs(keys: &[CouponKey], lock: bool) -> Vec<u8> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable_by_key(|key| (tail(key), *key));
    sorted.dedup();
    if lock { logs_locked(&sorted) } else { logs_many(&sorted) }
}

/// As a list of conditions: see [`super::keys`].
fn logs_locked(keys: &[CouponKey]) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + keys.len() * 80);
    out.extend_from_slice(b"SELECT ");
    out.extend_from_slice(COLUMNS);
    out.extend_from_slice(b" FROM coupon c FORCE INDEX (PRIMARY)");
    out.extend_from_slice(STEPS);
    for (index, key) in keys.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b" WHERE (c.tail=" } else { b" OR (c.tail=" });
        number(&mut out, tail(key).into());
        out.extend_from_slice(b" AND c.user_id=");
        number(&mut out, key.user.get());
        out.extend_from_slice(b" AND c.template_id=");
        number(&mut out, key.template.get().into());
        out.extend_from_slice(b" AND c.seq=");
        number(&mut out, key.seq.into());
        out.push(b')');
    }
    out.extend_from_slice(b" LOCK IN SHARE MODE");
    out
}

fn logs_many(keys: &[CouponKey]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024 + keys.len() * 36);
    out.extend_from_slice(b"SELECT STRAIGHT_JOIN ");
    out.extend_from_slice(COLUMNS);
    out.extend_from_slice(b" FROM JSON_TABLE('[");
    for (index, key) in keys.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"[" } else { b",[" });
        columns(&mut out, key);
        out.push(b']');
    }
    out.extend_from_slice(
        b"]','$[*]' COLUMNS(\
          tail SMALLINT UNSIGNED PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,\
          user_id BIGINT UNSIGNED PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,\
          template_id INT UNSIGNED PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,\
          seq SMALLINT UNSIGNED PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR)) k \
          JOIN coupon c FORCE INDEX (PRIMARY) \
          ON c.tail=k.tail AND c.user_id=k.user_id AND c.template_id=k.template_id AND c.seq=k.seq",
    );
    out.extend_from_slice(STEPS);
    out
}

/// One transaction, and which of its statements is the COMMIT: what is spent, and the steps; unless the primary has another
/// topology version, a template is sealed, a grant does not reach, or one of the steps exists. `tells`: with their events.
///
/// The UPDATE counts and checks at once: with `CLIENT_FOUND_ROWS` its ROW_COUNT() is the number of budgets that it reached.
pub(in crate::store::mysql) fn append(
    steps: &[NewStep],
    spends: &[Spend],
    version: u64,
    tells: bool,
) -> (Vec<u8>, usize) {
    let mut sorted: Vec<&NewStep> = steps.iter().collect();
    sorted.sort_unstable_by_key(|new| (tail(&new.key), new.key, new.step.number));
    let mut out = Vec::with_capacity(256 + steps.len() * 160);
    out.extend_from_slice(b"BEGIN;");
    if !spends.is_empty() {
        spend(&mut out, spends);
    }
    out.extend_from_slice(
        b"INSERT INTO coupon_step (tail,user_id,template_id,seq,step,kind,order_id,state,holder,until_ms,\
          amount_minor,at_ms) VALUES ",
    );
    for (index, new) in sorted.into_iter().enumerate() {
        if index == 0 {
            out.extend_from_slice(b"(IF(");
            if !spends.is_empty() {
                out.extend_from_slice(b"ROW_COUNT()=");
                number(&mut out, spends.len() as u64);
                out.extend_from_slice(b" AND ");
            }
            allowed(&mut out, steps, version);
            out.push(b',');
            number(&mut out, tail(&new.key).into());
            out.extend_from_slice(b",NULL),");
        } else {
            out.extend_from_slice(b",(");
            number(&mut out, tail(&new.key).into());
            out.push(b',');
        }
        step(&mut out, new);
    }
    let told = if tells { fact::of_steps(steps) } else { EventBatch::default() };
    let commit = 2 + usize::from(!spends.is_empty()) + usize::from(!told.events.is_empty());
    if let (Some(first), false) = (steps.first(), told.events.is_empty()) {
        outbox::keep(&mut out, first.step.at_ms, &told);
    }
    out.extend_from_slice(b";COMMIT");
    (out, commit)
}

/// The topology version is this one, and no template of the steps is sealed. One locking read, which begins with the row of
/// `node`: who seals a template locks that first, so either it waits for this transaction, or this read sees the seal.
fn allowed(out: &mut Vec<u8>, steps: &[NewStep], version: u64) {
    let mut templates: Vec<u32> = steps.iter().map(|new| new.key.template.get()).collect();
    templates.sort_unstable();
    templates.dedup();
    out.extend_from_slice(b"(SELECT MAX(n.topology_version)=");
    number(out, version);
    out.extend_from_slice(
        b" AND COALESCE(MAX(t.sealed),0)=0 FROM node n LEFT JOIN closed_template t FORCE INDEX (PRIMARY) ON t.template_id IN ",
    );
    for (index, template) in templates.iter().enumerate() {
        out.push(if index == 0 { b'(' } else { b',' });
        number(out, (*template).into());
    }
    out.extend_from_slice(b") WHERE n.id=1 LOCK IN SHARE MODE)");
}

fn spend(out: &mut Vec<u8>, spends: &[Spend]) {
    let mut spends: Vec<&Spend> = spends.iter().collect();
    spends.sort_unstable_by_key(|spend| spend.template);
    out.extend_from_slice(b"UPDATE budget FORCE INDEX (PRIMARY) SET spent_minor=spent_minor+CASE template_id");
    for spend in &spends {
        out.extend_from_slice(b" WHEN ");
        number(out, spend.template.get().into());
        out.extend_from_slice(b" THEN ");
        signed(out, spend.delta_minor);
    }
    out.extend_from_slice(b" END WHERE ");
    for (index, spend) in spends.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"(template_id=" } else { b" OR (template_id=" });
        number(out, spend.template.get().into());
        out.extend_from_slice(b" AND spent_minor+");
        signed(out, spend.delta_minor);
        out.extend_from_slice(b"<=granted_minor)");
    }
    out.push(b';');
}

fn tail(key: &CouponKey) -> u16 {
    Tail::of_user(key.user.get()).get()
}

fn columns(out: &mut Vec<u8>, key: &CouponKey) {
    for value in [tail(key).into(), key.user.get(), key.template.get().into()] {
        number(out, value);
        out.push(b',');
    }
    number(out, key.seq.into());
}

fn step(out: &mut Vec<u8>, NewStep { key, step, .. }: &NewStep) {
    let (state, holder, until_ms) = match &step.hold {
        Hold::Unused => (CouponStatus::Unused, None, 0),
        Hold::Locked { order, until_ms } => (CouponStatus::Locked, Some(order), *until_ms),
        Hold::Used { order } => (CouponStatus::Used, Some(order), 0),
    };
    for value in [key.user.get(), key.template.get().into(), key.seq.into(), step.number.into()] {
        number(out, value);
        out.push(b',');
    }
    number(out, step.kind as u64);
    out.push(b',');
    hex_text(out, step.order.as_ref().map_or("", OrderId::as_str).as_bytes());
    out.push(b',');
    number(out, state as u64);
    out.push(b',');
    match holder.filter(|holder| step.order.as_ref() != Some(*holder)) {
        None => out.extend_from_slice(b"NULL"),
        Some(holder) => hex_text(out, holder.as_str().as_bytes()),
    }
    for value in [until_ms, step.amount_minor, step.at_ms] {
        out.push(b',');
        number(out, value);
    }
    out.push(b')');
}
