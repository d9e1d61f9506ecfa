//! Packs.

use super::{Violation, Violations};
use crate::limits::{PACK_ITEMS_MAX, PACK_UNITS_PER_ITEM_MAX};
use crate::v1::ClaimPack;

/// What is wrong with a pack.
pub fn check_claim_pack(claim: &ClaimPack) -> Vec<Violation> {
    let mut found = Violations::default();
    found.request_id("request_id", &claim.request_id);
    if !(1..=PACK_ITEMS_MAX).contains(&claim.items.len()) {
        found.add("items", format!("{} items", claim.items.len()), format!("give 1 to {PACK_ITEMS_MAX}"));
    }
    for item in &claim.items {
        found.template_id("items.template_id", item.template_id);
        found.range("items.count", item.count, 1..=PACK_UNITS_PER_ITEM_MAX);
    }
    let mut templates: Vec<u32> = claim.items.iter().map(|item| item.template_id).collect();
    templates.sort_unstable();
    if let Some(pair) = templates.windows(2).find(|pair| pair[0] == pair[1]) {
        found.add("items", format!("template {} twice", pair[0]), "name each template once, with a count");
    }
    found.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::PackItem;

    fn check(items: &[(u32, u32)], expect: &[&str]) {
        let items = items.iter().map(|&(template_id, count)| PackItem { template_id, count }).collect();
        let claim = ClaimPack { user_id: 0, request_id: vec![7; 16].into(), items, attempt: 0 };
        let found = check_claim_pack(&claim);
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn packs() {
        check(&[(7, 1)], &[]);
        check(&(1..=16).map(|template| (template, 4)).collect::<Vec<_>>(), &[]);
        check(&[], &["items is 0 items: give 1 to 16"]);
        check(&(1..=17).map(|template| (template, 1)).collect::<Vec<_>>(), &["items is 17 items: give 1 to 16"]);
        check(&[(7, 0), (8, 5)], &["items.count is 0: give 1 to 4", "items.count is 5: give 1 to 4"]);
        check(&[(7, 1), (9, 1), (7, 2)], &["items is template 7 twice: name each template once, with a count"]);
        check(&[(0, 1)], &["items.template_id is 0: give the id that CreateTemplate answered"]);
        assert_eq!(check_claim_pack(&ClaimPack::default()).len(), 2, "the request id, and the items");
    }
}
