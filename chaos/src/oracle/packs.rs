//! Packs: each is whole, with its row, or absent, whatever failed and however often it was sent. A fail-over that loses commits
//! excuses nothing here: a pack is one commit of one primary, and goes whole.
//!
//! Its coupons are requests like any other, and are checked as such.

use std::collections::{BTreeMap, HashMap};

use scrip_client::{RequestId, TemplateId, UserId};

use super::told::Requests;
use super::verdict::{Kind, Verdict};
use super::view::{PackRow, StoresView};
use crate::history::{History, PackFact, RequestIndex};

pub(super) fn check(verdict: &mut Verdict, history: &History, requests: &Requests, view: &StoresView) {
    verdict.counts.packs = view.packs.len() as u64;
    let coupons: HashMap<RequestId, (UserId, TemplateId)> =
        view.coupons.iter().map(|row| (row.request, (row.user, row.template))).collect();
    let mut rows: BTreeMap<(UserId, RequestId), Vec<&PackRow>> = BTreeMap::new();
    for row in &view.packs {
        rows.entry((row.user, row.request)).or_default().push(row);
    }
    for pack in history.packs() {
        let rows = rows.remove(&(pack.user, pack.request)).unwrap_or_default();
        let has_coupon = |unit: &&RequestIndex| {
            let asked = &history.requests()[unit.0 as usize];
            coupons.get(&asked.id) == Some(&(asked.user, asked.template))
        };
        let found = pack.units.iter().filter(has_coupon).count();
        one_pack(verdict, pack, &rows, found);
        let is_refused = pack.units.iter().all(|unit| requests.get(unit.0 as usize).is_refused());
        if is_refused && !rows.is_empty() {
            verdict.add(Kind::PackAfterAll, || format!("{pack:?}"));
        }
    }
    for row in rows.into_values().flatten() {
        verdict.add(Kind::PackByNobody, || format!("{row:?}"));
    }
}

/// `rows`: under its user and request id. `found`: how many of its coupons are there.
fn one_pack(verdict: &mut Verdict, pack: &PackFact, rows: &[&PackRow], found: usize) {
    let (wanted, all) = (sorted(&pack.items), pack.units.len());
    let is_it = |row: &&&PackRow| row.primary == row.home && sorted(&row.items) == wanted;
    if rows.len() > 1 || rows.iter().filter(is_it).count() < rows.len() {
        verdict.add(Kind::PackRowsDiffer, || format!("{pack:?}: {rows:?}"));
    }
    if found != if rows.is_empty() { 0 } else { all } {
        verdict.add(Kind::PackTorn, || format!("{pack:?}: {found} of {all} coupons, {} rows", rows.len()));
    }
}

/// A pack is the same whatever the order of its items.
fn sorted(items: &[(TemplateId, u8)]) -> Vec<(TemplateId, u8)> {
    let mut items = items.to_vec();
    items.sort_unstable();
    items
}
