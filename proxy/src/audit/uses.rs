//! Uses of exchange codes beside coupons: is the coupon of each use its user's, and has each coupon of a code its use?
//!
//! The claim of a use has the request id that `exchange::request_of` derives. Codes and their users live on different primaries,
//! so both sides are brought together here: the request ids of the coupons of templates with codes, 32 bytes each, and the
//! uses, one after the other.
//!
//! A use is written before its claim is sent, and rows of uses never change. So of coupons that were read *before* the uses, both
//! hold at any time. That a use has no coupon is no finding: its claim may be under way, or was refused, and then the use
//! stays with its user.
//!
//! Of the uses that are not there, each code's next one is looked for: numbers are dense, so the first that is missing is it.

use std::collections::HashMap;

use scrip_protocol::RequestId;
use scrip_shard_config::PrimaryId;

use super::codes::Batches;
use super::link::{Link, LinkError};
use super::report::{Finding, Kind};
use super::scan::LISTED_MAX;
use super::sql;
use crate::exchange::request_of;

/// A coupon of a template with codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) request: RequestId,
    pub(super) user: u64,
    pub(super) template: u32,
}

/// A use of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) batch: u32,
    pub(super) index: u32,
    pub(super) use_no: u32,
    pub(super) user: u64,
}

/// The coupons of templates with codes on one primary: one more pass for each such template.
pub(super) async fn candidates(link: &mut Link, batches: &Batches) -> Result<Vec<Candidate>, LinkError> {
    let mut templates: Vec<u32> = batches.values().map(|batch| batch.template).collect();
    templates.sort_unstable();
    templates.dedup();
    let mut found = Vec::new();
    for template in templates {
        let rows: Vec<(u64, [u8; 16])> = link.rows(sql::REQUESTS, (template,)).await?;
        let candidate = |(user, request)| Candidate { request: RequestId(request), user, template };
        found.extend(rows.into_iter().map(candidate));
    }
    Ok(found)
}

/// The uses on one primary.
pub(super) async fn read(link: &mut Link) -> Result<Vec<Use>, LinkError> {
    let rows: Vec<(u32, u32, u32, u64)> = link.rows(sql::USES, ()).await?;
    Ok(rows.into_iter().map(|(batch, index, use_no, user)| Use { batch, index, use_no, user }).collect())
}

/// What does not fit. `uses`: of all primaries, read after the candidates; `complete`: none is missing.
pub(super) fn compare<'a>(
    batches: &Batches,
    candidates: impl Iterator<Item = (PrimaryId, &'a Candidate)>,
    uses: &[Use],
    complete: bool,
) -> Vec<Finding> {
    let coupons: HashMap<RequestId, (PrimaryId, &Candidate)> =
        candidates.map(|(primary, candidate)| (candidate.request, (primary, candidate))).collect();
    let mut findings = Vec::new();
    let mut used: HashMap<(u32, u32), u32> = HashMap::new();
    for Use { batch: id, index, use_no, user } in uses {
        let last = used.entry((*id, *index)).or_default();
        *last = (*last).max(*use_no);
        let Some(batch) = batches.get(id) else { continue };
        let coupon = coupons.get(&request_of(batch.request, *index, *use_no));
        let Some((primary, coupon)) = coupon.filter(|(_, coupon)| coupon.user != *user) else { continue };
        let expected = format!("user {user}, who has use {use_no} of code {index} of batch {id}");
        findings.push(finding(Kind::CodeCouponDiffers, *primary, coupon, expected, format!("user {}", coupon.user)));
    }
    // A use on a primary that was not read would look like one that is not there.
    for (id, batch) in batches.iter().filter(|_| complete && !coupons.is_empty()) {
        for index in 0..batch.count {
            let next = used.get(&(*id, index)).copied().unwrap_or(0).saturating_add(1);
            let coupon = coupons.get(&request_of(batch.request, index, next));
            if let Some((primary, coupon)) = coupon {
                let expected = format!("use {next} of code {index} of batch {id}");
                findings.push(finding(Kind::CodeUseMissing, *primary, coupon, expected, "no such use".to_owned()));
            }
        }
    }
    findings.truncate(LISTED_MAX);
    findings
}

fn finding(kind: Kind, primary: PrimaryId, coupon: &Candidate, expected: String, found: String) -> Finding {
    let (promise, template, user) = (kind.promise(), Some(coupon.template), Some(coupon.user));
    Finding { kind, promise, primary: Some(primary.0), template, sub_stock: None, user, job: None, expected, found }
}

#[cfg(test)]
mod tests {
    use super::super::codes::Batch;
    use super::*;

    const REQUEST: RequestId = RequestId([7; 16]);

    fn coupon(index: u32, use_no: u32, user: u64) -> Candidate {
        Candidate { request: request_of(REQUEST, index, use_no), user, template: 3 }
    }

    fn code_use(index: u32, use_no: u32, user: u64) -> Use {
        Use { batch: 5, index, use_no, user }
    }

    fn check(coupons: &[Candidate], uses: &[Use], complete: bool, expect: &[&str]) {
        let batches = Batches::from([(5, Batch { request: REQUEST, template: 3, count: 10, uses: 2 })]);
        let coupons = coupons.iter().map(|coupon| (PrimaryId(2), coupon));
        let findings = compare(&batches, coupons, uses, complete);
        assert_eq!(findings.iter().map(ToString::to_string).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn both_ways() {
        let uses = [code_use(4, 1, 8), code_use(4, 2, 9)];
        let coupons = [coupon(4, 1, 8), coupon(4, 2, 9), Candidate { request: REQUEST, user: 1, template: 3 }];
        check(&coupons, &uses, true, &[]);
        check(&coupons[..1], &uses, true, &[]);
        let others = [coupon(4, 1, 8), coupon(4, 2, 1)];
        let words = "p02 template 3 user 1 the coupon of a use of a code is another user's: expected user 9, who has use 2 of \
                     code 4 of batch 5, found user 1";
        check(&others, &uses, true, &[words]);
        let words = "p02 template 3 user 9 a coupon of a code without its use: expected use 2 of code 4 of batch 5, found no \
                     such use";
        check(&coupons, &uses[..1], true, &[words]);
        check(&coupons, &uses[..1], false, &[]);
        let words = "p02 template 3 user 8 a coupon of a code without its use: expected use 1 of code 9 of batch 5, found no \
                     such use";
        check(&[coupon(9, 1, 8)], &[], true, &[words]);
    }
}
