//! Which requests were acknowledged: one bit each.

use scrip_client::{ClaimError, Coupon, CouponId};
use scrip_protocol::Disposition;

/// A set of small numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// Adds a number; false if it was there.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let (word, bit) = place(number);
        if self.0.len() <= word {
            self.0.resize((word + 1).next_power_of_two(), 0);
        }
        let fresh = self.0[word] & bit == 0;
        self.0[word] |= bit;
        fresh
    }

    /// Adds all numbers of another set.
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many numbers are here and not there.
    pub(crate) fn without(&self, other: &Self) -> u64 {
        let others = other.0.iter().chain(std::iter::repeat(&0));
        self.0.iter().zip(others).map(|(word, other)| u64::from((word & !other).count_ones())).sum()
    }
}

/// What callers were told, as far as the count of coupons is concerned.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Requests that were told their coupon.
    pub(crate) acknowledged: Bits,
    /// Answers that claim to have made a coupon for a request that had one.
    pub(crate) made_twice: u64,
    /// Requests whose outcome is not known.
    pub(crate) unknown: Vec<u64>,
    /// The coupons of the requests, by request number, where somebody wants them.
    pub(crate) coupons: Vec<Option<CouponId>>,
    pub(crate) keeps_coupons: bool,
}

impl Book {
    /// Takes over what another caller was told about requests of its own.
    pub(crate) fn merge(&mut self, other: Self) {
        self.acknowledged.merge(&other.acknowledged);
        self.made_twice += other.made_twice;
        self.unknown.extend(other.unknown);
        self.unknown.sort_unstable();
        for (number, coupon) in other.coupons.into_iter().enumerate().filter(|(_, coupon)| coupon.is_some()) {
            self.keep(number as u64, coupon);
        }
    }

    pub(crate) fn note(&mut self, request: u64, result: &Result<Coupon, ClaimError>) {
        match result {
            Ok(coupon) => {
                let fresh = self.acknowledged.insert(request);
                if self.keeps_coupons {
                    self.keep(request, Some(coupon.coupon_id));
                }
                self.made_twice += u64::from(!fresh && !coupon.replayed);
            }
            Err(error) if error.disposition() == Disposition::Unknown => self.unknown.push(request),
            Err(_) => {}
        }
    }
}

impl Book {
    fn keep(&mut self, request: u64, coupon: Option<CouponId>) {
        // Numbers count claims of one run: far below what a usize holds.
        let index = request as usize;
        if self.coupons.len() <= index {
            self.coupons.resize(index + 1, None);
        }
        self.coupons[index] = coupon;
    }
}

fn place(number: u64) -> (usize, u64) {
    // Numbers count claims of one run: far below what a usize holds.
    ((number / 64) as usize, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_a_set() {
        let (mut some, mut others) = (Bits::default(), Bits::default());
        assert!(some.insert(3) && some.insert(1_000) && !some.insert(3));
        assert!(others.insert(3));
        assert_eq!((some.len(), some.without(&others), others.without(&some)), (2, 1, 0));
        others.merge(&some);
        assert_eq!((others.len(), some.without(&others)), (2, 0));
    }
}
