//! Exchange codes: one coupon for each use of a code, exactly once, whoever asks however often.
//!
//! ```text
//! code      a text that proves itself: batch and index, encrypted      (made of `ff1`)
//! desk      requests of callers: create, get, list and revoke batches, export codes, claim by code
//! ```
//!
//! A code has no row until it is used. Its uses stand on the primary that [`home`] names, whoever the users are, numbered
//! 1, 2, ... densely: the primary key decides every race, and the number of the last one says whether the code is used up.
//!
//! Invariants:
//! - A user has one use of a code at most, and keeps it for good. The pair of user and code is what makes a claim by code
//!   idempotent: sent any number of times through any proxies it finds the same use.
//! - The claim of a use goes through the ordinary pipeline, under the request id that [`request_of`] derives from batch,
//!   index and number of the use. The primary key of the coupon makes it one coupon.
//! - So a code gives at most as many coupons as it has uses.
//!   What this rests on is the durability of the code's primary: if it fails over to a replica without its last commits, the
//!   uses in them can be taken again, by other users. Stock and limits per user still hold, since they do not ask uses.
//! - A claim that is refused (the limit per user, sold out, a paused template) leaves the use with its user: a twin of the
//!   request may be in flight, and would give the use a second coupon if another user could have it. The user can ask
//!   again. What the snapshot of templates refuses for good is refused before a use is taken.
//!
//! A proxy may be killed anywhere:
//!
//! | killed | what is left behind | what becomes of it |
//! |---|---|---|
//! | before the use is written | nothing | the caller asks again |
//! | while the use is written | a use or none; the caller is told *unknown* or nothing | the same user finds it, or takes one |
//! | between the use and its claim | a use without a coupon | the same user's next request claims it |
//! | while the claim is under way | a coupon or none | the next request finds it by its request id, or claims |
//! | before the answer | a coupon | the next request is a replay |

pub mod code;
pub mod desk;

use scrip_protocol::RequestId;
use scrip_shard_config::Tail;
use sha2::{Digest, Sha256};

use self::code::CodeKey;

/// The tail under which the uses of a code stand: neighbours in a batch are spread over all of them.
#[must_use]
pub fn home(code: CodeKey) -> Tail {
    Tail::of_user(u64::from(code.batch.get()) + u64::from(code.index))
}

/// The request id of the claim of one use: the first 16 bytes of SHA-256 over the text `scrip code BATCH INDEX USE`, with the
/// request id that created the batch in hexadecimal, and decimal numbers. A text, so that SQL can do it too.
#[must_use]
pub fn request_of(batch: RequestId, index: u32, use_no: u32) -> RequestId {
    let digest = Sha256::digest(format!("scrip code {batch} {index} {use_no}"));
    RequestId(std::array::from_fn(|at| digest[at]))
}

#[cfg(test)]
mod tests {
    use scrip_protocol::CodeBatchId;

    use super::*;

    #[test]
    fn homes_and_request_ids_never_change() {
        let home = |batch, index| home(CodeKey { batch: CodeBatchId::try_new(batch).expect("an id"), index }).get();
        assert_eq!((home(1, 0), home(1, 1), home(7, 9_999_993)), (1, 2, 0));
        // printf 'scrip code 07070707070707070707070707070707 42 1' | sha256sum
        let request = request_of(RequestId([7; 16]), 42, 1).to_string();
        assert_eq!(request, "04215162d4dcc2b44bb20e56f816291a");
    }
}
