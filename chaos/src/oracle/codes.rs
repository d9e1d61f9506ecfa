//! Exchange codes: as many uses as a code has at most, and to each use its coupon.
//!
//! A claim by code has no request id of its caller's; what it has is that of the use which its user took. With that, it is
//! checked as any claim.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use scrip_client::{Code, RequestId, UserId};

use super::derived;
use super::told::Requests;
use super::verdict::{Kind, Verdict};
use super::view::{CodeUseRow, StoresView};
use crate::history::{CodeRef, History, RequestIndex, Told};

/// The request ids of the claims by code: from the uses, or from the coupons where a fail-over may have lost uses.
pub(super) fn ids(history: &History, view: &StoresView) -> BTreeMap<RequestIndex, RequestId> {
    let batches: HashMap<_, _> = view.code_batches.iter().map(|row| (row.batch, row.request)).collect();
    let mut known: HashMap<(CodeRef, UserId), RequestId> = HashMap::new();
    let uses = derived::uses(view);
    for row in &view.coupons {
        if let Some((code, _)) = uses.get(&row.request) {
            known.insert((*code, row.user), row.request);
        }
    }
    for row in &view.code_uses {
        if let Some(batch) = batches.get(&row.code.batch) {
            known.insert((row.code, row.user), derived::of_use(*batch, row.code.index, row.use_no));
        }
    }
    let id = |(request, code): (RequestIndex, CodeRef)| {
        let user = history.requests()[request.0 as usize].user;
        Some((request, *known.get(&(code, user))?))
    };
    history.by_code().filter_map(id).collect()
}

/// Whether uses of a code may be gone, and so be taken again.
pub(super) fn may_be_lost(history: &History, code: CodeRef) -> bool {
    let home = UserId(u64::from(code.batch.get()) + u64::from(code.index));
    history.losses().iter().any(|lost| lost.is_home_of(home))
}

/// Requests whose uses or coupons a fail-over may have lost.
pub(super) fn excused(history: &History) -> HashSet<usize> {
    let lost = history.by_code().filter(|(_, code)| may_be_lost(history, *code));
    lost.map(|(request, _)| request.0 as usize).collect()
}

pub(super) fn check(
    verdict: &mut Verdict,
    history: &History,
    requests: &Requests,
    view: &StoresView,
    doubt_resolved: bool,
) {
    verdict.counts.code_uses = view.code_uses.len() as u64;
    let mut by_code: BTreeMap<CodeRef, Vec<&CodeUseRow>> = BTreeMap::new();
    for row in &view.code_uses {
        by_code.entry(row.code).or_default().push(row);
        if row.primary != row.home {
            verdict.add(Kind::UsesDiffer, || format!("{:?} on {}, not {}", row.code, row.primary, row.home));
        }
    }
    for (code, uses) in &mut by_code {
        uses.sort_by_key(|row| row.use_no);
        one_code(verdict, view, *code, uses);
    }
    asked(verdict, history, requests, view, doubt_resolved);
    coupons(verdict, history, view);
    used_up(verdict, history, view, &by_code);
}

/// Its uses are numbered 1, 2, ..., are not too many, and are of different users.
fn one_code(verdict: &mut Verdict, view: &StoresView, code: CodeRef, uses: &[&CodeUseRow]) {
    let numbers: Vec<u32> = uses.iter().map(|row| row.use_no).collect();
    let users: BTreeSet<UserId> = uses.iter().map(|row| row.user).collect();
    let batch = view.code_batches.iter().find(|row| row.batch == code.batch);
    let is_dense = numbers.iter().copied().eq((1..).take(uses.len()));
    let fits = batch.is_some_and(|batch| code.index < batch.count && uses.len() <= batch.uses as usize);
    if !fits || !is_dense || users.len() < uses.len() {
        verdict.add(Kind::UsesDiffer, || format!("{code:?} of {batch:?}: uses {numbers:?} of users {users:?}"));
    }
}

/// Every use was asked for, and has its coupon unless its user was told why not.
fn asked(verdict: &mut Verdict, history: &History, requests: &Requests, view: &StoresView, doubt_resolved: bool) {
    let claims: HashMap<(CodeRef, UserId), RequestIndex> = history
        .by_code()
        .map(|(request, code)| ((code, history.requests()[request.0 as usize].user), request))
        .collect();
    let coupons: HashSet<RequestId> = view.coupons.iter().map(|row| row.request).collect();
    for row in &view.code_uses {
        let Some(request) = claims.get(&(row.code, row.user)) else {
            verdict.add(Kind::UseByNobody, || format!("{row:?}"));
            continue;
        };
        let told = requests.get(request.0 as usize);
        let has_coupon = coupons.contains(&history.requests()[request.0 as usize].id);
        let may_be_lost = history.losses().iter().any(|lost| lost.is_home_of(row.user));
        if doubt_resolved && !has_coupon && !told.is_refused_by_rules() && !may_be_lost {
            verdict.add(Kind::UseWithoutCoupon, || format!("{row:?}: {told:?}"));
        }
    }
}

/// Every coupon of a code has its use.
fn coupons(verdict: &mut Verdict, history: &History, view: &StoresView) {
    let derived = derived::uses(view);
    let uses: HashSet<(CodeRef, u32, UserId)> =
        view.code_uses.iter().map(|row| (row.code, row.use_no, row.user)).collect();
    for row in &view.coupons {
        let Some((code, use_no)) = derived.get(&row.request) else { continue };
        if !uses.contains(&(*code, *use_no, row.user)) && !may_be_lost(history, *code) {
            verdict.add(Kind::CouponWithoutUse, || format!("user {}: use {use_no} of {code:?}", row.user));
        }
    }
}

/// Used up is said only of a code whose uses are all taken.
fn used_up(verdict: &mut Verdict, history: &History, view: &StoresView, by_code: &BTreeMap<CodeRef, Vec<&CodeUseRow>>) {
    let told = history.sends().iter().filter(|sent| sent.told == Told::NotApplied(Code::CodeUsedUp));
    let codes: BTreeSet<CodeRef> = told.filter_map(|sent| history.code_of(sent.request)).collect();
    for code in codes.into_iter().filter(|code| !may_be_lost(history, *code)) {
        let taken = by_code.get(&code).map_or(0, Vec::len);
        let uses = view.code_batches.iter().find(|row| row.batch == code.batch).map_or(0, |row| row.uses as usize);
        if taken < uses {
            verdict.add(Kind::UsedUpTooSoon, || format!("{code:?}: {taken} of {uses} uses"));
        }
    }
}
