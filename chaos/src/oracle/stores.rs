//! The stores against themselves: promises 1, 2, 4 and 5 as far as no caller is needed.

use std::collections::{BTreeMap, HashMap};

use scrip_client::{TemplateId, UserId};
use scrip_shard_config::{PrimaryId, SubStock};

use super::verdict::{Kind, Verdict};
use super::view::StoresView;
use super::{Circumstances, loss};
use crate::history::History;

type StockKey = (TemplateId, SubStock);
type LedgerKey = (PrimaryId, TemplateId, SubStock);

pub(super) fn check(verdict: &mut Verdict, history: &History, view: &StoresView, circumstances: Circumstances) {
    let coupons = sums(view.coupons.iter().map(|row| ((row.primary, row.template, row.sub_stock), 1)));
    let issued = sums(view.ledgers.iter().map(|row| ((row.primary, row.template, row.sub_stock), row.issued)));
    ledgers(verdict, &coupons, &issued);
    let issued = sums(issued.into_iter().map(|((_, template, sub_stock), issued)| ((template, sub_stock), issued)));
    sub_stocks(verdict, view, &issued);
    totals(verdict, history, view, &issued, circumstances);
    archived(verdict, history, view);
    users(verdict, history, view);
    servers(verdict, view);
}

fn sums<K: Ord>(items: impl Iterator<Item = (K, u64)>) -> BTreeMap<K, u64> {
    let mut sums = BTreeMap::new();
    for (key, count) in items {
        *sums.entry(key).or_default() += count;
    }
    sums
}

fn ledgers(verdict: &mut Verdict, coupons: &BTreeMap<LedgerKey, u64>, issued: &BTreeMap<LedgerKey, u64>) {
    let missing = coupons.keys().filter(|key| !issued.contains_key(key));
    for key in issued.keys().chain(missing) {
        let (coupons, issued) = (coupons.get(key).unwrap_or(&0), issued.get(key).unwrap_or(&0));
        if coupons != issued {
            let (primary, template, sub_stock) = key;
            let place = format!("{primary} template {template} sub-stock {sub_stock}");
            verdict.add(Kind::LedgerDiffers, || format!("{place}: {issued} issued, {coupons} coupons"));
        }
    }
}

fn sub_stocks(verdict: &mut Verdict, view: &StoresView, issued: &BTreeMap<StockKey, u64>) {
    let stock: BTreeMap<StockKey, _> = view.stock.iter().map(|row| ((row.template, row.sub_stock), row)).collect();
    for row in &view.sub_stocks {
        let key = (row.template, row.sub_stock);
        let issued = issued.get(&key).copied().unwrap_or(0);
        let place = format!("template {} sub-stock {}", row.template, row.sub_stock);
        if issued > row.allotment {
            verdict.add(Kind::AllotmentExceeded, || format!("{place}: {issued} issued of {}", row.allotment));
        }
        // Units of an earlier epoch are fenced: they become nothing.
        let left = stock.get(&key).filter(|stock| stock.epoch == row.epoch).map_or(0, |stock| stock.left);
        verdict.counts.left += left;
        let rest = row.allotment.saturating_sub(issued);
        if left > rest {
            verdict.add(Kind::StockAboveRest, || format!("{place}: {left} in Redis, {rest} left"));
        }
    }
}

fn totals(
    verdict: &mut Verdict,
    history: &History,
    view: &StoresView,
    issued: &BTreeMap<StockKey, u64>,
    circumstances: Circumstances,
) {
    let coupons = sums(view.coupons.iter().map(|row| (row.template, 1)));
    let for_good = loss::unsold_for_good(history, view);
    verdict.counts.coupons = view.coupons.len() as u64;
    verdict.counts.issued = issued.values().sum();
    for row in &view.templates {
        let (template, total) = (row.template, row.total_stock);
        let of_template = |key: &StockKey| key.0 == template;
        let issued: u64 = issued.iter().filter(|(key, _)| of_template(key)).map(|(_, issued)| issued).sum();
        let coupons = coupons.get(&template).copied().unwrap_or(0);
        let rest = total.saturating_sub(issued);
        let is_taken = row.sold_out && rest <= for_good.get(&template).copied().unwrap_or(0);
        // Nobody can claim what is closed.
        let unsold = if history.is_closed(template) || is_taken { 0 } else { rest };
        verdict.counts.total_stock += total;
        verdict.counts.unsold += unsold;
        let numbers = || format!("template {template}: total {total}, issued {issued}, coupons {coupons}");
        if issued > total || coupons > total {
            verdict.add(Kind::Oversold, numbers);
        }
        if row.sold_out && issued < total && !is_taken {
            verdict.add(Kind::SoldOutTooSoon, || format!("meta says sold out; {}", numbers()));
        }
        if circumstances.demand_exceeds_stock && unsold > 0 {
            verdict.add(Kind::Unsold, numbers);
        }
        let allotted: u64 = view.sub_stocks.iter().filter(|s| s.template == template).map(|s| s.allotment).sum();
        if allotted != total {
            verdict.add(Kind::AllotmentsDiffer, || format!("template {template}: total {total}, allotted {allotted}"));
        }
    }
}

/// Only what is closed for good leaves the tables.
fn archived(verdict: &mut Verdict, history: &History, view: &StoresView) {
    for row in view.coupons.iter().filter(|row| row.archived) {
        verdict.counts.archived += 1;
        if !history.is_closed(row.template) {
            verdict.add(Kind::ArchivedTooSoon, || format!("{row:?}"));
        }
    }
}

fn users(verdict: &mut Verdict, history: &History, view: &StoresView) {
    let limits: BTreeMap<TemplateId, u64> =
        history.templates().iter().map(|fact| (fact.template, u64::from(fact.per_user_limit))).collect();
    let mut users: HashMap<(UserId, TemplateId), (u64, u32)> = HashMap::with_capacity(view.coupons.len());
    for row in &view.coupons {
        let (count, seq_max) = users.entry((row.user, row.template)).or_default();
        *count += 1;
        *seq_max = row.seq.max(*seq_max);
        if row.primary != row.home {
            verdict.add(Kind::Misplaced, || format!("user {} on {}, not {}", row.user, row.primary, row.home));
        }
    }
    for ((user, template), (count, seq_max)) in &users {
        let limit = limits.get(template).copied().unwrap_or(u64::MAX);
        if *count > limit {
            verdict.add(Kind::LimitExceeded, || format!("user {user}: {count} coupons, limit {limit}"));
        }
        // The primary key makes the numbers of one primary different, so the last one tells of a gap.
        if u64::from(*seq_max) != *count {
            verdict.add(Kind::SeqGap, || format!("user {user}: {count} coupons, the last is number {seq_max}"));
        }
    }
    verdict.counts.users = users.len() as u64;
    verdict.counts.coupons_of_a_user_max = users.values().map(|(count, _)| *count).max().unwrap_or(0);
}

fn servers(verdict: &mut Verdict, view: &StoresView) {
    verdict.counts.primaries = view.servers.len() as u64;
    for server in &view.servers {
        if server.is_durable() {
            verdict.counts.durable_primaries += 1;
        } else {
            verdict.add(Kind::NotDurable, || format!("{server:?}"));
        }
    }
}
