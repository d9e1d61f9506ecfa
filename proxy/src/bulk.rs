//! Bulk issue: one coupon of a template to every user of a list, exactly once, beside live claims.
//!
//! ```text
//! desk      requests of callers: create, add users, start, pause, cancel, ask
//! runner    takes slices (the entries of a job on one primary) by lease
//! slice     reads pending entries, sends each as a claim through the ordinary pipeline, notes the results
//! ```
//!
//! Invariants:
//! - The claim of an entry has the request id that [`request_of`] derives from the job and the user. Whoever sends it,
//!   however often and from however many proxies, the primary key of the coupon makes it one coupon. Leases only save work.
//! - An entry is noted when its claim got a definite answer, and never before: see `verdict`. What is
//!   *not now* or *unknown* stays pending and is sent again. OK is noted beside the coupon or not at all: a primary that fails over
//!   between the two may lack it.
//! - A job is at its end when every slice was read from its first entry to its last and had nothing pending. The list is
//!   closed by then, and no entry becomes pending again.
//! - A slice that has become shorter since the start (its primary failed over to a server that lacks entries) is not at its end: the
//!   job takes its list again. What is lost after a slice was read to its end, nobody looks for; the audit tells.
//! - A cancelled job asks for the claim of each pending entry instead of sending it: what was issued before is noted as
//!   issued, all else as cancelled.
//!
//! A proxy may be killed anywhere:
//!
//! | killed                              | what is left behind                         | what becomes of it |
//! |-------------------------------------|---------------------------------------------|--------------------|
//! | while users are added               | some of the piece is on the list            | it is added again  |
//! | in a start                          | the job in STARTING, seals on some primaries | the start is sent again |
//! | with claims in flight               | coupons or not; their entries pending       | the next holder of the slice sends them again: replays |
//! | after the last note, before the end | a slice with nothing pending                | the next holder closes it |
//!
//! The lease of a dead proxy runs out by the clock of meta; only then another one takes the slice. A proxy sends no claim
//! whose deadline could come after the end of its lease: so the claims of two holders do not overlap, and what was noted
//! as a refusal stays one. A proxy that was frozen past its lease may still bring a claim to its end; then the coupon
//! counts, its note replaces the refusal, and no other coupon of the job comes of it.

mod answers;
pub mod desk;
pub mod gauges;
mod lease;
mod pacer;
pub mod runner;
mod slice;
mod verdict;
mod window;

use scrip_protocol::{RequestId, UserId};
use sha2::{Digest, Sha256};

/// The request id of a user's claim in the job that `job` created: the first 16 bytes of SHA-256 over the text
/// `scrip bulk JOB USER`, the job's request id in hexadecimal and the user in decimal. A text, so that SQL can do it too.
pub fn request_of(job: RequestId, user: UserId) -> RequestId {
    let digest = Sha256::digest(format!("scrip bulk {job} {user}"));
    RequestId(std::array::from_fn(|index| digest[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_never_change() {
        let check =
            |job, user, expect: &str| assert_eq!(request_of(RequestId([job; 16]), UserId(user)).to_string(), expect);
        // printf 'scrip bulk 07070707070707070707070707070707 42' | sha256sum
        check(7, 42, "2c474e341148700f3b808fc33d9a2bcd");
        check(0, u64::MAX, "8bcd9d6b3f8e583c769b37d909f408e4");
    }
}
