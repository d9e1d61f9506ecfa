//! Coupons on their way out of a primary, and what it keeps of them.
//!
//! Of an archived coupon the primary keeps a *mark*: who, which, by which request, when, and whether it was used. With it a claim
//! that is sent again gets the answer that it got before, however long ago that was.

use scrip_protocol::v1::CouponStatus;
use scrip_protocol::{RequestId, TemplateId, UserId};
use scrip_shard_config::SubStock;

use super::steps::Step;
use super::{CouponRow, StoreError};

/// User, seq, request id, time of the claim (48 bits of milliseconds), status; big-endian.
const MARK_LEN: usize = 8 + 2 + 16 + 6 + 1;

/// A coupon with all that its primary holds of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeCoupon {
    /// The coupon, as its last step left it.
    pub row: CouponRow,
    /// Which sub-stock its unit came from.
    pub sub_stock: SubStock,
    /// Its log.
    pub steps: Vec<Step>,
}

/// A template that is closed for good on a primary: no coupon of it can be recorded there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Which.
    pub template: TemplateId,
    /// Nothing can be appended to the logs of its coupons either.
    pub sealed: bool,
    /// It was seen to be closed on every primary.
    pub everywhere: bool,
}

/// A file as its primary registers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its name, without folders.
    pub name: String,
    /// SHA-256 of what it holds before its last line.
    pub digest: [u8; 32],
}

/// Why coupons were not removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Somebody else patrols by now, or the primary has another topology version. Rolled back.
    #[error("another patrol has taken over, or the topology has changed")]
    Superseded,
    /// A template of them is not closed for good here. Rolled back.
    #[error("a template of them is not closed for good")]
    NotClosed,
    /// They are not, or no more, what was written to the file. Rolled back.
    #[error("the coupons are not those of the file")]
    Changed,
    /// The primary could not be asked, or did not answer: unknown only if the commit was sent.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The marks of coupons of one template and one tail, in their order.
pub fn marks<'a>(coupons: impl IntoIterator<Item = &'a CouponRow>) -> Vec<u8> {
    let mut out = Vec::new();
    for row in coupons {
        out.extend_from_slice(&row.user.get().to_be_bytes());
        out.extend_from_slice(&row.seq.to_be_bytes());
        out.extend_from_slice(&row.request.0);
        out.extend_from_slice(&row.claimed_at_ms.to_be_bytes()[2..]);
        out.push(u8::from(row.status == CouponStatus::Used));
    }
    out
}

/// The coupons of a template that marks tell of; `None`: they are cut off.
pub fn marked(template: TemplateId, marks: &[u8]) -> Option<Vec<CouponRow>> {
    let (each, []) = marks.as_chunks::<MARK_LEN>() else { return None };
    Some(each.iter().map(|mark| row(template, mark)).collect())
}

fn row(template: TemplateId, mark: &[u8; MARK_LEN]) -> CouponRow {
    let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let request = RequestId(std::array::from_fn(|index| mark[10 + index]));
    let seq = u16::from_be_bytes([mark[8], mark[9]]);
    let mut row = CouponRow::new(UserId(number(&mark[..8])), template, seq, request, number(&mark[26..32]));
    if mark[32] != 0 {
        row.status = CouponStatus::Used;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_tell_what_a_claim_is_answered_with() {
        let template = TemplateId::try_new(7).expect("not 0");
        let mut used = CouponRow::new(UserId(u64::MAX), template, 1_000, RequestId([9; 16]), 253_402_300_799_999);
        used.status = CouponStatus::Used;
        let rows = [CouponRow::new(UserId(42), template, 1, RequestId([7; 16]), 1_700_000_000_000), used];
        let bytes = marks(&rows);
        let golden = ["000000000000002a", "0001", "07070707070707070707070707070707", "018bcfe56800", "00"].concat();
        assert_eq!((hex::encode(&bytes[..MARK_LEN]), bytes.len()), (golden, 2 * MARK_LEN));
        assert_eq!(marked(template, &bytes).as_deref(), Some(&rows[..]));
        assert_eq!(marked(template, &bytes[1..]), None);
    }
}
