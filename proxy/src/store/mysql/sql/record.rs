//! The packet that records a batch: one transaction, one round trip.

use scrip_shard_config::Tail;

use super::text::{hex, number};
use super::{outbox, pack};
use crate::events::fact;
use crate::store::NewCoupon;
use crate::store::pack::NewPack;

/// Rows in one packet. A packet is one transaction and cannot be cut in two; at about 110 bytes a row this stays far
/// below the smallest `max_allowed_packet` in use (1 MiB).
pub const RECORD_ROWS_MAX: usize = 2048;
/// Which statement of the packet is the COMMIT: only its outcome can be unknown once it was answered. `tells`: events are
/// kept in the transaction.
pub(in crate::store::mysql) const fn record_commit(tells: bool) -> usize {
    if tells { 4 } else { 3 }
}
/// The same of a packet that records packs.
pub(in crate::store::mysql) const fn pack_commit(tells: bool) -> usize {
    record_commit(tells) + 1
}

/// A ledger row and what the batch adds to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ledger {
    template: u32,
    sub_stock: u16,
    stripe: u16,
    epoch: u64,
}

/// Builds the packet in buffers that are kept from batch to batch.
#[derive(Debug, Default)]
pub(in crate::store::mysql) struct RecordPacket {
    text: Vec<u8>,
    rows: Vec<NewCoupon>,
    ledgers: Vec<Ledger>,
    counts: Vec<(Ledger, u64)>,
    tells: bool,
}

impl RecordPacket {
    /// `tells`: with the events of the coupons.
    pub(in crate::store::mysql) fn new(tells: bool) -> Self {
        Self { tells, ..Self::default() }
    }

    /// The packet for a batch that is not empty.
    ///
    /// The UPDATE counts and checks at once: with `CLIENT_FOUND_ROWS` its ROW_COUNT() is the number of ledger rows
    /// that carry the fence. Were a ledger row named under two epochs, it could match one of them at most, so the
    /// count falls short. The first row of the INSERT gets a NULL for its tail when the count or the topology version
    /// is not the one expected: an error in strict mode, and COMMIT is not reached.
    pub(in crate::store::mysql) fn write(&mut self, batch: &[NewCoupon], fence: &[u8; 16], version: u64) -> &[u8] {
        self.begin(batch.iter(), fence, version);
        self.commit();
        &self.text
    }

    /// The packet for packs, of which there is at least one: the same for all of their coupons, and then their own rows.
    pub(in crate::store::mysql) fn write_packs(&mut self, packs: &[NewPack], fence: &[u8; 16], version: u64) -> &[u8] {
        self.begin(packs.iter().flat_map(|pack| &pack.coupons), fence, version);
        pack::insert(&mut self.text, packs);
        self.commit();
        &self.text
    }

    fn begin<'a>(&mut self, batch: impl Iterator<Item = &'a NewCoupon>, fence: &[u8; 16], version: u64) {
        self.arrange(batch);
        self.text.clear();
        self.text.extend_from_slice(b"BEGIN;UPDATE stock_ledger FORCE INDEX (PRIMARY) SET issued=issued+");
        self.added();
        self.text.extend_from_slice(b" WHERE ");
        self.matched(fence);
        self.text.extend_from_slice(
            b";INSERT INTO coupon (tail,user_id,template_id,seq,request_id,sub_stock,claimed_at_ms) VALUES ",
        );
        self.inserted(version);
    }

    fn commit(&mut self) {
        if let (true, Some(first)) = (self.tells, self.rows.first()) {
            outbox::keep(&mut self.text, first.claimed_at_ms, &fact::of_coupons(&self.rows));
        }
        self.text.extend_from_slice(b";COMMIT");
    }

    /// Rows in the order of the primary key and ledger rows in theirs, so that no two batches wait for each other.
    fn arrange<'a>(&mut self, batch: impl Iterator<Item = &'a NewCoupon>) {
        self.rows.clear();
        self.rows.extend(batch);
        self.rows.sort_unstable_by_key(|row| (tail(row), row.user, row.template, row.seq));
        self.ledgers.clear();
        self.ledgers.extend(self.rows.iter().map(ledger));
        self.ledgers.sort_unstable();
        self.counts.clear();
        for same in self.ledgers.chunk_by(|a, b| a == b) {
            self.counts.push((same[0], same.len() as u64));
        }
    }

    /// What most ledger rows get is said once, for all that are not named: the server goes through the list for every row,
    /// and a batch of hundreds of templates is mostly single coupons.
    fn added(&mut self) {
        let usual = usual(&self.counts);
        let mut others = self.counts.iter().filter(|(_, count)| *count != usual).peekable();
        if others.peek().is_none() {
            return number(&mut self.text, usual);
        }
        self.text.extend_from_slice(b"CASE");
        for (ledger, count) in others {
            self.text.extend_from_slice(b" WHEN ");
            key(&mut self.text, ledger);
            self.text.extend_from_slice(b" THEN ");
            number(&mut self.text, *count);
        }
        self.text.extend_from_slice(b" ELSE ");
        number(&mut self.text, usual);
        self.text.extend_from_slice(b" END");
    }

    fn matched(&mut self, fence: &[u8; 16]) {
        for (index, (ledger, _)) in self.counts.iter().enumerate() {
            self.text.extend_from_slice(if index == 0 { b"(" } else { b" OR (" });
            key(&mut self.text, ledger);
            self.text.extend_from_slice(b" AND epoch=");
            number(&mut self.text, ledger.epoch);
            self.text.extend_from_slice(b" AND server=");
            hex(&mut self.text, fence);
            self.text.push(b')');
        }
    }

    fn inserted(&mut self, version: u64) {
        let text = &mut self.text;
        for (index, row) in self.rows.iter().enumerate() {
            if index == 0 {
                text.extend_from_slice(b"(IF(ROW_COUNT()=");
                number(text, self.counts.len() as u64);
                text.extend_from_slice(b" AND (SELECT topology_version FROM node WHERE id=1 LOCK IN SHARE MODE)=");
                number(text, version);
                text.push(b',');
                number(text, tail(row).into());
                text.extend_from_slice(b",NULL),");
            } else {
                text.extend_from_slice(b",(");
                number(text, tail(row).into());
                text.push(b',');
            }
            columns(text, row);
        }
    }
}

/// The count that most of them have; of several the smallest.
fn usual(counts: &[(Ledger, u64)]) -> u64 {
    let mut sorted: Vec<u64> = counts.iter().map(|(_, count)| *count).collect();
    sorted.sort_unstable();
    let groups = sorted.chunk_by(|a, b| a == b);
    // The last of equals wins, so they are gone through from the largest count down.
    groups.rev().max_by_key(|group| group.len()).map_or(0, |group| group[0])
}

fn tail(row: &NewCoupon) -> u16 {
    Tail::of_user(row.user.get()).get()
}

fn ledger(row: &NewCoupon) -> Ledger {
    Ledger { template: row.template.get(), sub_stock: row.sub_stock.0, stripe: row.stripe, epoch: row.epoch }
}

fn key(out: &mut Vec<u8>, ledger: &Ledger) {
    out.extend_from_slice(b"template_id=");
    number(out, ledger.template.into());
    out.extend_from_slice(b" AND sub_stock=");
    number(out, ledger.sub_stock.into());
    out.extend_from_slice(b" AND stripe=");
    number(out, ledger.stripe.into());
}

fn columns(out: &mut Vec<u8>, row: &NewCoupon) {
    number(out, row.user.get());
    out.push(b',');
    number(out, row.template.get().into());
    out.push(b',');
    number(out, row.seq.into());
    out.push(b',');
    hex(out, &row.request.0);
    out.push(b',');
    number(out, row.sub_stock.0.into());
    out.push(b',');
    number(out, row.claimed_at_ms);
    out.push(b')');
}

#[cfg(test)]
mod tests;
