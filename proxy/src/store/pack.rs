//! Packs, as a primary keeps them: one row a pack, written in the transaction that writes its coupons. Its key is the
//! request id, so that one request id is one pack, whatever it holds.

use std::fmt;
use std::str::FromStr;

use scrip_protocol::limits::{PACK_ITEMS_MAX, PACK_UNITS_PER_ITEM_MAX};
use scrip_protocol::{RequestId, TemplateId, UserId};

use super::{NewCoupon, RecordError, RecordWriter, StoreError};

/// One pack of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackKey {
    /// The user, whose tail decides the primary.
    pub user: UserId,
    /// The caller's id for the pack.
    pub request: RequestId,
}

/// How many coupons of which templates: by template, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackItems(Vec<(TemplateId, u8)>);

/// What is no list of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pack has 1 to {PACK_ITEMS_MAX} items, each of another template, with 1 to {PACK_UNITS_PER_ITEM_MAX} coupons"
)]
pub struct NoItems;

/// A pack as it stands on its primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackRow {
    /// Whose, and of which request.
    pub key: PackKey,
    /// What it holds.
    pub items: PackItems,
}

/// A pack about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPack {
    /// The row of it.
    pub row: PackRow,
    /// Milliseconds since 1970-01-01 UTC.
    pub claimed_at_ms: u64,
    /// Its coupons, all of its user.
    pub coupons: Vec<NewCoupon>,
}

/// A connection that records packs.
pub trait PackWriter: RecordWriter {
    /// One transaction, one attempt: as [`RecordWriter::record`] for the coupons of all of these packs, and a row for each
    /// pack. A pack that exists is a conflict, as a coupon is. An empty batch succeeds.
    fn record_packs(&mut self, packs: &[NewPack]) -> impl Future<Output = Result<(), RecordError>> + Send;

    /// Those of these packs that exist, in a new snapshot and on one connection, in no order; `lock`: with a locking read
    /// that waits for transactions under way.
    fn packs(&mut self, keys: &[PackKey], lock: bool) -> impl Future<Output = Result<Vec<PackRow>, StoreError>> + Send;
}

impl PackItems {
    /// # Errors
    /// When they are none, or too many, or name a template twice.
    pub fn try_new(items: impl IntoIterator<Item = (TemplateId, u8)>) -> Result<Self, NoItems> {
        let mut items: Vec<(TemplateId, u8)> = items.into_iter().collect();
        items.sort_unstable();
        let is_twice = items.windows(2).any(|pair| pair[0].0 == pair[1].0);
        let are_counts = items.iter().all(|(_, count)| (1..=PACK_UNITS_PER_ITEM_MAX).contains(&u32::from(*count)));
        if is_twice || !are_counts || !(1..=PACK_ITEMS_MAX).contains(&items.len()) {
            return Err(NoItems);
        }
        Ok(Self(items))
    }

    /// Template and count of each.
    pub fn iter(&self) -> impl Iterator<Item = (TemplateId, u8)> {
        self.0.iter().copied()
    }
}

/// As the column holds it, at most 242 bytes of JSON, so that SQL can take it apart too.
impl fmt::Display for PackItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (template, count)) in self.iter().enumerate() {
            write!(f, "{}[{template},{count}]", if index == 0 { "[" } else { "," })?;
        }
        f.write_str("]")
    }
}

impl FromStr for PackItems {
    type Err = NoItems;

    fn from_str(text: &str) -> Result<Self, NoItems> {
        let inner = text.strip_prefix("[[").and_then(|text| text.strip_suffix("]]")).ok_or(NoItems)?;
        let item = |text: &str| {
            let (template, count) = text.split_once(',').ok_or(NoItems)?;
            let template = template.parse().map_err(|_| NoItems)?;
            Ok((TemplateId::try_new(template).map_err(|_| NoItems)?, count.parse().map_err(|_| NoItems)?))
        };
        Self::try_new(inner.split("],[").map(item).collect::<Result<Vec<_>, NoItems>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(items: &[(u32, u8)]) -> Result<PackItems, NoItems> {
        PackItems::try_new(items.iter().map(|&(id, count)| (TemplateId::try_new(id).expect("not 0"), count)))
    }

    #[test]
    fn the_order_of_items_makes_no_difference() {
        assert_eq!(items(&[(9, 1), (7, 4)]), items(&[(7, 4), (9, 1)]));
        assert_eq!(items(&[(9, 1), (7, 4)]).map(|items| items.to_string()), Ok("[[7,4],[9,1]]".to_owned()));
    }

    #[test]
    fn what_is_no_pack() {
        let seventeen: Vec<_> = (1..=17).map(|id| (id, 1)).collect();
        for wrong in [&[][..], &[(7, 0)], &[(7, 5)], &[(7, 1), (9, 1), (7, 2)], &seventeen] {
            assert_eq!(items(wrong), Err(NoItems), "{wrong:?}");
        }
        for wrong in ["", "[]", "[[]]", "[[0,1]]", "[[7,1]", "[[7,1],[9]]", "[[7,1],[7,1]]", "[[7,300]]", "[[-7,1]]"] {
            assert_eq!(wrong.parse::<PackItems>(), Err(NoItems), "{wrong}");
        }
    }

    #[test]
    fn texts_come_back_and_fit_their_column() {
        let largest: Vec<_> = (0..16).map(|nth| (u32::MAX - nth, 4)).collect();
        for some in [&[(7, 1)][..], &[(7, 4), (9, 1)], &largest] {
            let items = items(some).expect("items");
            assert_eq!(items.to_string().parse(), Ok(items.clone()));
            assert!(items.to_string().len() <= 242, "{items}");
        }
    }
}
