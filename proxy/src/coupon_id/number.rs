//! A coupon's number: which coupon it is, in a text that people read to each other. How it looks is
//! [`scrip_protocol::number`]'s; here is what its symbols mean.
//!
//! The 16 symbols are FF1 over user (40 bits), template (20), seq (10) and 10 zero bits. So they are different for every
//! coupon without a counter, tell nobody how many there are, and name the coupon without a search: user, and with it the
//! primary, and the key of the row come out. Users from 2^40, templates from 2^20 and seqs from 2^10 on have 24 symbols (user
//! 64 bits, template 32, seq 16, 8 zero bits).
//!
//! **A number is a name and no secret**: one made-up text in 1,024 (256 of the long ones) passes, and then has to name a
//! coupon that exists, which 1 in 2^50 does where there are a billion. It looks a coupon up; nothing is done with one
//! without its user.
//!
//! The key is derived from the coupon key like that of exchange codes, and like it can never change.

use std::fmt;

use scrip_protocol::limits::TIME_MAX_MS;
use scrip_protocol::number::NumberError;
use scrip_protocol::symbols::{digits, number};
use scrip_protocol::{CouponNumber, TemplateId, UserId};

use super::CouponKey;
use crate::ff1::Ff1;

/// Encrypted, it is the key of numbers. Its last two bytes are not the check value of a coupon id.
const KEY_LABEL: [u8; 16] = *b"scrip number key";
const TWEAK: &[u8] = b"number";
const DAY_MS: u64 = 86_400_000;

/// How many bits each part has, from the left.
struct Layout {
    user: u32,
    template: u32,
    seq: u32,
    zeros: u32,
}

const SHORT: Layout = Layout { user: 40, template: 20, seq: 10, zeros: 10 };
const LONG: Layout = Layout { user: 64, template: 32, seq: 16, zeros: 8 };
const SHORT_LEN: usize = 16;
const LONG_LEN: usize = 24;

/// Makes and reads numbers. Cheap to clone.
#[derive(Clone)]
pub struct CouponNumbers {
    short: Ff1,
    long: Ff1,
}

impl fmt::Debug for CouponNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CouponNumbers(hidden)")
    }
}

impl Layout {
    /// `None`: a part is too large for it.
    fn pack(&self, user: UserId, template: TemplateId, seq: u16) -> Option<u128> {
        let fits = |part: u64, bits: u32| part.checked_shr(bits).unwrap_or(0) == 0;
        let (user, template, seq) = (user.get(), u64::from(template.get()), u64::from(seq));
        if !fits(user, self.user) || !fits(template, self.template) || !fits(seq, self.seq) {
            return None;
        }
        let user_and_template = u128::from(user) << self.template | u128::from(template);
        Some((user_and_template << self.seq | u128::from(seq)) << self.zeros)
    }

    fn unpack(&self, mut plain: u128) -> Option<(UserId, TemplateId, u16)> {
        let mut low = |bits: u32| {
            let part = plain & ((1 << bits) - 1);
            plain >>= bits;
            part
        };
        let (zeros, seq, template) = (low(self.zeros), low(self.seq), low(self.template));
        let user = UserId(u64::try_from(plain).ok()?);
        let template = TemplateId::try_new(u32::try_from(template).ok()?).ok()?;
        (zeros == 0).then_some((user, template, u16::try_from(seq).ok()?))
    }
}

impl CouponNumbers {
    /// Expands the key.
    pub(super) fn new(key: &CouponKey) -> Self {
        let ff1 = |len| Ff1::new(key.derived(KEY_LABEL), 32, len, TWEAK);
        Self { short: ff1(SHORT_LEN), long: ff1(LONG_LEN) }
    }

    /// The number of a user's `seq`-th coupon of a template, claimed at that moment, in milliseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`NumberError::Form`] when the prefix is none.
    pub fn encode(
        &self,
        (user, template, seq): (UserId, TemplateId, u16),
        claimed_at_ms: u64,
        prefix: &str,
    ) -> Result<CouponNumber, NumberError> {
        let day = day_of(claimed_at_ms);
        if let Some(plain) = SHORT.pack(user, template, seq) {
            let mut values: [u8; SHORT_LEN] = digits(plain);
            self.short.encrypt(&mut values);
            return CouponNumber::try_new(prefix, day, &values);
        }
        // Every part fits.
        let plain = LONG.pack(user, template, seq).unwrap_or_default();
        let mut values: [u8; LONG_LEN] = digits(plain);
        self.long.encrypt(&mut values);
        CouponNumber::try_new(prefix, day, &values)
    }

    /// The coupon that a number names; `None`: it is made up. Prefix and day are not looked at: compare the number with that
    /// of the coupon.
    #[must_use]
    pub fn decode(&self, text: &CouponNumber) -> Option<(UserId, TemplateId, u16)> {
        let mut values = text.values();
        if values.len() == SHORT_LEN {
            self.short.decrypt(&mut values);
            return SHORT.unpack(number(&values));
        }
        self.long.decrypt(&mut values);
        // One number a coupon: what has a short one has no long one.
        LONG.unpack(number(&values)).filter(|&(user, template, seq)| SHORT.pack(user, template, seq).is_none())
    }
}

/// The day of a moment in UTC, as 20260131. Days to a date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`, for days from 1970 to 9999.
fn day_of(ms: u64) -> u32 {
    let days = (ms.min(TIME_MAX_MS.unsigned_abs()) / DAY_MS) as u32 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u32::from(month <= 2);
    (year * 100 + month) * 100 + day
}

#[cfg(test)]
mod tests {
    use scrip_protocol::symbols::{check, symbol};

    use super::*;

    type Coupon = (UserId, TemplateId, u16);

    fn numbers(key: &str) -> CouponNumbers {
        CouponNumbers::new(&CouponKey::from_hex(key).expect("a key"))
    }

    fn coupon(user: u64, template: u32, seq: u16) -> Coupon {
        (UserId(user), TemplateId::try_new(template).expect("not 0"), seq)
    }

    /// Made with another implementation of FF1, not with this code.
    #[test]
    fn golden() {
        let cases = include_str!("number_golden.txt");
        for line in cases.lines().filter(|line| !line.starts_with('#')) {
            let [key, user, template, seq, at_ms, prefix, expect] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("seven words: {line}")
            };
            let numbers = numbers(key);
            let coupon =
                coupon(user.parse().expect("user"), template.parse().expect("template"), seq.parse().expect("seq"));
            let number = numbers.encode(coupon, at_ms.parse().expect("a time"), prefix.trim_matches('-'));
            let number = number.expect("a number");
            assert_eq!(number.as_str(), expect, "{line}");
            assert_eq!(numbers.decode(&number), Some(coupon), "{line}");
        }
    }

    #[test]
    fn days() {
        // date -u -d @SECONDS +%Y%m%d
        for (seconds, expect) in [
            (0, 19_700_101),
            (951_782_399, 20_000_228),
            (951_782_400, 20_000_229),
            (951_868_800, 20_000_301),
            (1_767_225_599, 20_251_231),
            (1_767_225_600, 20_260_101),
            (4_107_542_400, 21_000_301),
            (253_402_300_799, 99_991_231),
            (u64::MAX / 1_000, 99_991_231),
        ] {
            assert_eq!(day_of(seconds * 1_000), expect, "{seconds}");
        }
    }

    #[test]
    fn a_coupon_has_one_number_and_the_short_one_if_it_fits() {
        let numbers = numbers("000102030405060708090a0b0c0d0e0f");
        for (user, template, seq, len) in [
            (0, 1, 1, 16),
            ((1 << 40) - 1, (1 << 20) - 1, 1_000, 16),
            (1 << 40, 1, 1, 24),
            (0, 1 << 20, 1, 24),
            (0, 1, 1 << 10, 24),
            (u64::MAX, u32::MAX, u16::MAX, 24),
        ] {
            let coupon = coupon(user, template, seq);
            let number = numbers.encode(coupon, 0, "TEA").expect("a number");
            assert_eq!(number.values().len(), len, "{number}");
            assert_eq!(numbers.decode(&number), Some(coupon), "{number}");
        }
        let mut values: [u8; LONG_LEN] = digits(LONG.pack(UserId(0), coupon(0, 1, 1).1, 1).expect("it fits"));
        numbers.long.encrypt(&mut values);
        let long = CouponNumber::try_new("", 19_700_101, &values).expect("a number");
        assert_eq!(numbers.decode(&long), None, "it has a short one");
    }

    #[test]
    fn of_made_up_numbers_one_in_1024_names_anything() {
        let numbers = numbers("000102030405060708090a0b0c0d0e0f");
        let passed = (0..20_000_u128).filter(|guess| {
            let body: [u8; SHORT_LEN] = digits(guess.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 48);
            let body: String = body.into_iter().chain([check(&body)]).map(symbol).collect();
            let number = format!("20260131-{body}").parse().expect("a number");
            numbers.decode(&number).is_some()
        });
        // 20,000 / 1,024 = 19.5 expected; the guesses are fixed.
        assert!((5..40).contains(&passed.count()));
        assert!(!format!("{numbers:?}").contains("Ff1"));
    }
}
