//! What came back, counted as it comes.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use scrip_client::{ClaimError, Code, Completion, Coupon};

/// Latencies above are counted as this: no claim of the demo waits longer.
const LATENCY_MAX_US: u64 = 60_000_000;

/// Answers that are neither a coupon nor a rule's refusal.
#[derive(Debug, Clone)]
pub(super) struct Other {
    pub(super) count: u64,
    /// What the first of them said.
    pub(super) example: String,
}

/// Counts of answers, and their latencies.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) issued: u64,
    pub(super) replayed: u64,
    pub(super) limit_reached: u64,
    pub(super) sold_out: u64,
    /// By code.
    pub(super) other: BTreeMap<&'static str, Other>,
    /// Answers, and the time since the start, when the first "sold out" was taken out.
    pub(super) stock_lasted: Option<(u64, Duration)>,
    /// From submission to answer, over all attempts, in microseconds.
    pub(super) latency_us: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        let latency_us = Histogram::new_with_max(LATENCY_MAX_US, 3).expect("constant bounds that the histogram takes");
        Self {
            issued: 0,
            replayed: 0,
            limit_reached: 0,
            sold_out: 0,
            other: BTreeMap::new(),
            stock_lasted: None,
            latency_us,
        }
    }

    pub(super) fn add(&mut self, completion: &Completion) {
        self.latency_us.saturating_record(micros(completion.latency));
        self.count(&completion.result);
    }

    fn count(&mut self, result: &Result<Coupon, ClaimError>) {
        match result {
            Ok(coupon) if coupon.replayed => self.replayed += 1,
            Ok(_) => self.issued += 1,
            Err(error) => match error.code() {
                Code::LimitReached => self.limit_reached += 1,
                Code::SoldOut => self.sold_out += 1,
                code => {
                    let other = self.other.entry(code.as_str_name());
                    other.or_insert_with(|| Other { count: 0, example: error.detail().to_owned() }).count += 1;
                }
            },
        }
    }

    /// To be called after each batch of answers.
    pub(super) fn note_sold_out(&mut self, since_start: Duration) {
        if self.sold_out > 0 && self.stock_lasted.is_none() {
            self.stock_lasted = Some((self.answered(), since_start));
        }
    }

    /// All answers.
    pub(super) fn answered(&self) -> u64 {
        self.issued + self.replayed + self.limit_reached + self.sold_out + self.other()
    }

    pub(super) fn other(&self) -> u64 {
        self.other.values().map(|other| other.count).sum()
    }
}

fn micros(latency: Duration) -> u64 {
    u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)
}
