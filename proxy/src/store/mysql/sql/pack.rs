//! Packs: finding them, and the statement that inserts them into the transaction of their coupons.

use scrip_shard_config::Tail;

use super::text::{hex, hex_text, number};
use crate::store::pack::{NewPack, PackKey};

/// The packs of these requests. A locking read waits for the transactions that hold one of them.
pub(in crate::store::mysql) fn packs(keys: &[PackKey], lock: bool) -> Vec<u8> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable_by_key(|key| (tail(key), *key));
    sorted.dedup();
    let mut out = Vec::with_capacity(128 + sorted.len() * 96);
    out.extend_from_slice(b"SELECT user_id,request_id,items FROM pack FORCE INDEX (PRIMARY)");
    for (index, key) in sorted.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b" WHERE (tail=" } else { b" OR (tail=" });
        number(&mut out, tail(key).into());
        out.extend_from_slice(b" AND user_id=");
        number(&mut out, key.user.get());
        out.extend_from_slice(b" AND request_id=");
        hex(&mut out, &key.request.0);
        out.push(b')');
    }
    if lock {
        out.extend_from_slice(b" LOCK IN SHARE MODE");
    }
    out
}

/// Appends the statement that inserts the packs of a transaction, as one of its statements: after their coupons, in the order
/// of the primary key.
pub(super) fn insert(out: &mut Vec<u8>, packs: &[NewPack]) {
    let mut packs: Vec<&NewPack> = packs.iter().collect();
    packs.sort_unstable_by_key(|pack| (tail(&pack.row.key), pack.row.key));
    out.extend_from_slice(b";INSERT INTO pack (tail,user_id,request_id,claimed_at_ms,items) VALUES ");
    for (index, pack) in packs.into_iter().enumerate() {
        let key = &pack.row.key;
        out.extend_from_slice(if index == 0 { b"(" } else { b",(" });
        number(out, tail(key).into());
        out.push(b',');
        number(out, key.user.get());
        out.push(b',');
        hex(out, &key.request.0);
        out.push(b',');
        number(out, pack.claimed_at_ms);
        out.push(b',');
        hex_text(out, pack.row.items.to_string().as_bytes());
        out.push(b')');
    }
}

fn tail(key: &PackKey) -> u16 {
    Tail::of_user(key.user.get()).get()
}
