//! Packs: is each of them whole?
//!
//! A pack and its coupons are written in one transaction, and read in one snapshot: so this holds at any time, also while packs
//! are claimed. Coupons of a template that is closed for good may have been archived, and are not missed.
//!
//! What the stores cannot show is a coupon that was made for a pack of which there is no row: its request id does not tell that
//! it is one of a pack's. Callers' histories can: see the oracle of the chaos harness.

use std::collections::BTreeMap;

use scrip_shard_config::{PrimaryId, Tail, Topology};

use super::link::{Link, LinkError};
use super::meta::{MetaView, Template};
use super::report::{Finding, Kind};
use super::scan::LISTED_MAX;
use super::sql;

/// A coupon of a pack that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) user: u64,
    pub(super) request: String,
    pub(super) template: u32,
    pub(super) unit: u8,
}

/// What is amiss with the packs of one primary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packs {
    pub(super) missing: Vec<Missing>,
    /// Tail and user of packs under another tail than their user's.
    pub(super) misplaced: Vec<(u16, u64)>,
    /// Tails with packs that belong to another primary.
    pub(super) foreign_tails: Vec<u16>,
}

impl Packs {
    /// Reads a primary.
    pub(super) async fn read(
        link: &mut Link,
        id: PrimaryId,
        topology: &Topology,
        before: &MetaView,
    ) -> Result<Packs, LinkError> {
        let mut missing = Vec::new();
        let take = |(user, request, template, unit): (u64, String, u32, u8)| {
            if missing.len() < LISTED_MAX && is_open(&before.templates, template) {
                missing.push(Missing { user, request, template, unit });
            }
        };
        link.each(sql::PACK_UNITS_MISSING, take).await?;
        let misplaced = link.rows(sql::PACKS_MISPLACED, (LISTED_MAX,)).await?;
        let tails: Vec<u16> = link.rows(sql::PACK_TAILS, ()).await?;
        let is_foreign = |tail: &u16| topology.primary_of(Tail::of_user(u64::from(*tail))) != id;
        Ok(Packs { missing, misplaced, foreign_tails: tails.into_iter().filter(is_foreign).take(LISTED_MAX).collect() })
    }
}

/// What is wrong with the packs on one primary. `templates`: as meta has them after the primary was read.
pub(super) fn compare(primary: PrimaryId, templates: &BTreeMap<u32, Template>, packs: &Packs) -> Vec<Finding> {
    let finding = |kind: Kind, template, user, expected: String, found: String| {
        let (primary, promise) = (Some(primary.0), kind.promise());
        Finding { kind, promise, primary, template, sub_stock: None, user, job: None, expected, found }
    };
    let mut findings = Vec::new();
    for missing in packs.missing.iter().filter(|missing| is_open(templates, missing.template)) {
        let Missing { user, request, template, unit } = missing;
        let expected = format!("coupon {unit} of pack {request}");
        findings.push(finding(Kind::PackNotWhole, Some(*template), Some(*user), expected, "none".to_owned()));
    }
    for (tail, user) in &packs.misplaced {
        let expected = format!("tail {:04}", user % 10_000);
        findings.push(finding(Kind::PackTailDiffers, None, Some(*user), expected, format!("tail {tail:04}")));
    }
    for tail in &packs.foreign_tails {
        let expected = "tails of this primary".to_owned();
        findings.push(finding(Kind::PackTailDiffers, None, None, expected, format!("packs under tail {tail:04}")));
    }
    findings
}

fn is_open(templates: &BTreeMap<u32, Template>, template: u32) -> bool {
    templates.get(&template).is_none_or(|template| !template.is_closed)
}

#[cfg(test)]
mod tests {
    use super::super::tests::template;
    use super::*;

    fn check(packs: Packs, expect: &[&str]) {
        let templates = BTreeMap::from([(7, template()), (8, Template { is_closed: true, ..template() })]);
        let findings = compare(PrimaryId(2), &templates, &packs);
        assert_eq!(findings.iter().map(ToString::to_string).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn packs() {
        let missing = |template| Missing { user: 42, request: "ab".to_owned(), template, unit: 2 };
        check(Packs::default(), &[]);
        check(
            Packs { missing: vec![missing(7), missing(8)], ..Packs::default() },
            &["p02 template 7 user 42 a pack lacks coupons: expected coupon 2 of pack ab, found none"],
        );
        check(
            Packs { misplaced: vec![(8, 10_007)], foreign_tails: vec![12], ..Packs::default() },
            &[
                "p02 user 10007 packs stand where they do not belong: expected tail 0007, found tail 0008",
                "p02 packs stand where they do not belong: expected tails of this primary, found packs under tail 0012",
            ],
        );
    }
}
