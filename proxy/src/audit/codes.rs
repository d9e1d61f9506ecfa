//! Exchange codes: is each code used no more often than it can be, and are its uses numbered without a gap?
//!
//! The uses of a code are on one primary, which is read in one snapshot, and a batch is in meta before any use of it is
//! written: so all of this holds at any time, also while codes are claimed.

use std::collections::BTreeMap;

use scrip_protocol::RequestId;
use scrip_shard_config::{PrimaryId, Tail, Topology};

use super::link::{Link, LinkError};
use super::report::{Finding, Kind};
use super::scan::LISTED_MAX;
use super::sql;

/// A batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) request: RequestId,
    pub(super) template: u32,
    pub(super) count: u32,
    pub(super) uses: u32,
}

/// All batches, by id.
pub(super) type Batches = BTreeMap<u32, Batch>;

/// The uses of a batch's codes on one primary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Uses {
    pub(super) index_max: u32,
    pub(super) use_max: u32,
    /// Rows under another tail than that of their code.
    pub(super) off_tail: u64,
}

/// A code whose uses are not numbered 1, 2, ...
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) batch: u32,
    pub(super) index: u32,
    pub(super) uses: u64,
    pub(super) use_max: u32,
}

/// What one primary holds of codes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Codes {
    pub(super) uses: BTreeMap<u32, Uses>,
    pub(super) gaps: Vec<Gap>,
    /// Tails with uses that belong to another primary.
    pub(super) foreign_tails: Vec<u16>,
}

pub(super) async fn batches(link: &mut Link) -> Result<Batches, LinkError> {
    let rows: Vec<(u32, [u8; 16], u32, u32, u32)> = link.rows(sql::CODE_BATCHES, ()).await?;
    let batch =
        |(id, request, template, count, uses)| (id, Batch { request: RequestId(request), template, count, uses });
    Ok(rows.into_iter().map(batch).collect())
}

impl Codes {
    /// Reads a primary.
    pub(super) async fn read(link: &mut Link, id: PrimaryId, topology: &Topology) -> Result<Codes, LinkError> {
        let uses: Vec<(u32, u32, u32, u64)> = link.rows(sql::CODE_USES, ()).await?;
        let gaps: Vec<(u32, u32, u64, u32)> = link.rows(sql::CODE_GAPS, (LISTED_MAX,)).await?;
        let tails: Vec<u16> = link.rows(sql::CODE_TAILS, ()).await?;
        let is_foreign = |tail: &u16| topology.primary_of(Tail::of_user(u64::from(*tail))) != id;
        Ok(Codes {
            uses: uses
                .into_iter()
                .map(|(batch, index_max, use_max, off_tail)| (batch, Uses { index_max, use_max, off_tail }))
                .collect(),
            gaps: gaps.into_iter().map(|(batch, index, uses, use_max)| Gap { batch, index, uses, use_max }).collect(),
            foreign_tails: tails.into_iter().filter(is_foreign).take(LISTED_MAX).collect(),
        })
    }
}

/// What is wrong with the uses on one primary. `batches`: as meta has them after the primary was read.
pub(super) fn compare(primary: PrimaryId, batches: &Batches, codes: &Codes) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |kind, template, expected: String, found: String| {
        findings.push(finding(kind, primary, template, expected, found));
    };
    for (id, uses) in &codes.uses {
        let Some(batch) = batches.get(id) else {
            find(Kind::CodeUnknown, None, "no uses".to_owned(), format!("uses of batch {id}"));
            continue;
        };
        let template = Some(batch.template);
        if uses.index_max >= batch.count {
            let found = format!("a use of code {} of batch {id}", uses.index_max);
            find(Kind::CodeUnknown, template, format!("codes below {}", batch.count), found);
        }
        if uses.use_max > batch.uses {
            let found = format!("use {} of a code of batch {id}", uses.use_max);
            find(Kind::CodeUsesDiffer, template, format!("at most {} a code", batch.uses), found);
        }
        if uses.off_tail > 0 {
            let found = format!("{} of batch {id} under another", uses.off_tail);
            find(Kind::CodeTailDiffers, template, "uses under the tail of their code".to_owned(), found);
        }
    }
    for gap in &codes.gaps {
        let template = batches.get(&gap.batch).map(|batch| batch.template);
        let expected = format!("uses 1 to {}", gap.uses);
        let found = format!("up to {} of code {} of batch {}", gap.use_max, gap.index, gap.batch);
        find(Kind::CodeUsesDiffer, template, expected, found);
    }
    for tail in &codes.foreign_tails {
        let expected = "tails of this primary".to_owned();
        find(Kind::CodeTailDiffers, None, expected, format!("uses of codes under tail {tail:04}"));
    }
    findings
}

fn finding(kind: Kind, primary: PrimaryId, template: Option<u32>, expected: String, found: String) -> Finding {
    let (primary, promise) = (Some(primary.0), kind.promise());
    Finding { kind, promise, primary, template, sub_stock: None, user: None, job: None, expected, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(codes: Codes, expect: &[&str]) {
        let batches = Batches::from([(5, Batch { request: RequestId([7; 16]), template: 3, count: 10, uses: 2 })]);
        let findings = compare(PrimaryId(2), &batches, &codes);
        assert_eq!(findings.iter().map(ToString::to_string).collect::<Vec<_>>(), expect);
    }

    fn uses(batch: u32, uses: Uses) -> Codes {
        Codes { uses: BTreeMap::from([(batch, uses)]), ..Codes::default() }
    }

    #[test]
    fn uses_of_codes() {
        let good = Uses { index_max: 9, use_max: 2, off_tail: 0 };
        check(uses(5, good), &[]);
        check(uses(6, good), &["p02 uses of a code that no batch has: expected no uses, found uses of batch 6"]);
        check(
            uses(5, Uses { index_max: 10, ..good }),
            &[
                "p02 template 3 uses of a code that no batch has: expected codes below 10, found a use of code 10 of batch 5",
            ],
        );
        check(
            uses(5, Uses { use_max: 3, off_tail: 1, ..good }),
            &[
                "p02 template 3 the uses of a code have a gap, or are too many: expected at most 2 a code, found use 3 of a code of batch 5",
                "p02 template 3 uses of a code stand where they do not belong: expected uses under the tail of their code, found 1 of batch 5 under another",
            ],
        );
        let gap = Gap { batch: 5, index: 7, uses: 1, use_max: 2 };
        check(
            Codes { gaps: vec![gap], foreign_tails: vec![12], ..Codes::default() },
            &[
                "p02 template 3 the uses of a code have a gap, or are too many: expected uses 1 to 1, found up to 2 of code 7 of batch 5",
                "p02 uses of a code stand where they do not belong: expected tails of this primary, found uses of codes under tail 0012",
            ],
        );
    }
}
