//! A coupon's number as text: what people read to each other.
//!
//! ```text
//! TEA-20260131-ABCD-EFGH-JKLM-NPQR-S
//!  |   |       \________________/  \ check symbol, for typing errors
//!  |   |        16 symbols, or 24: which coupon it is, for the proxy to say
//!  |   the day of the claim in UTC
//!  the template's prefix, if it has one
//! ```
//!
//! Blanks, dashes and the case of letters do not count. There is one way to read a text: the day has a 0 or a 1 in its month,
//! and neither prefixes nor symbols have any.

use std::fmt;
use std::str::FromStr;

use crate::limits::{CODE_PREFIX_LEN_MAX, COUPON_NUMBER_LEN_MAX};
use crate::symbols;

/// Symbols of a number behind the day, the check symbol included.
const LENS: [usize; 2] = [17, 25];
const DAY_LEN: usize = 8;
/// Of the longest number: a dash before the day, and one before each four symbols.
const TEXT_LEN_MAX: usize = CODE_PREFIX_LEN_MAX + 1 + DAY_LEN + 25 + 7;

/// Why a text is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not made like one.
    #[error(
        "a number is a prefix, the day as YYYYMMDD, and 17 or 25 symbols, such as TEA-20260131-ABCD-EFGH-JKLM-NPQR-S: look \
         for a symbol that is missing or too many"
    )]
    Form,
    /// A symbol that numbers do not have.
    #[error("symbol {at} behind the day is none of a number: they have A to Z without I and O, and 2 to 9")]
    Symbol {
        /// Which, from 1; dashes and blanks do not count.
        at: usize,
    },
    /// The check symbol does not fit.
    #[error("a symbol behind the day is mistyped: the check symbol does not fit")]
    Mistyped,
}

/// A coupon's number, whose check symbol fits. Small and without a pointer, so that a coupon that holds it can be copied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CouponNumber {
    text: [u8; TEXT_LEN_MAX],
    len: u8,
}

impl CouponNumber {
    /// The number of this prefix, this day (20260131) and these values of symbols, to which the check symbol is added.
    ///
    /// # Errors
    /// [`NumberError::Form`]: the prefix is too long or has other symbols than prefixes have, the day is none, or there are
    /// neither 16 nor 24 values.
    pub fn try_new(prefix: &str, day: u32, values: &[u8]) -> Result<Self, NumberError> {
        let is_prefix = prefix.len() <= CODE_PREFIX_LEN_MAX
            && prefix.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'9').contains(&byte));
        if !is_prefix || !is_day(day) || !LENS.contains(&(values.len() + 1)) {
            return Err(NumberError::Form);
        }
        let mut number = Self { text: [0; TEXT_LEN_MAX], len: 0 };
        if !prefix.is_empty() {
            number.push(prefix.bytes().chain([b'-']));
        }
        number.push((0..DAY_LEN as u32).rev().map(|at| b'0' + (day / 10_u32.pow(at) % 10) as u8));
        for four in values.chunks(4) {
            number.push([b'-'].into_iter().chain(four.iter().map(|value| symbols::symbol(*value) as u8)));
        }
        number.push([b'-', symbols::symbol(symbols::check(values)) as u8]);
        Ok(number)
    }

    fn push(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            self.text[usize::from(self.len)] = byte;
            self.len += 1;
        }
    }

    /// The text, in groups of four symbols.
    pub fn as_str(&self) -> &str {
        // All of it is ASCII.
        str::from_utf8(&self.text[..usize::from(self.len)]).unwrap_or_default()
    }

    /// The values of the symbols behind the day, without the check symbol: 16 or 24.
    pub fn values(&self) -> Vec<u8> {
        let behind_day = self.as_str().split('-').skip_while(|part| !part.contains(['0', '1'])).skip(1);
        let mut values: Vec<u8> = behind_day.flat_map(str::chars).filter_map(symbols::value).collect();
        values.pop();
        values
    }
}

/// A month from 1 to 12 and a day from 1 to 31: what tells it from a prefix.
fn is_day(day: u32) -> bool {
    day < 100_000_000 && (1..=12).contains(&(day / 100 % 100)) && (1..=31).contains(&(day % 100))
}

impl FromStr for CouponNumber {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        if text.len() > COUPON_NUMBER_LEN_MAX || !text.is_ascii() {
            return Err(NumberError::Form);
        }
        let typed: String = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
        let typed = typed.to_ascii_uppercase();
        let parts = |len| {
            let (prefix, rest) = typed.split_at(typed.len().checked_sub(DAY_LEN + len)?);
            let (day, body) = rest.split_at(DAY_LEN);
            let day = day.bytes().all(|byte| byte.is_ascii_digit()).then(|| day.parse().ok())??;
            (is_day(day) && prefix.len() <= CODE_PREFIX_LEN_MAX).then_some((prefix, day, body))
        };
        let (prefix, day, body) = LENS.into_iter().find_map(parts).ok_or(NumberError::Form)?;
        let value = |(at, symbol)| symbols::value(symbol).ok_or(NumberError::Symbol { at: at + 1 });
        let values = body.chars().enumerate().map(value).collect::<Result<Vec<u8>, _>>()?;
        let (check, values) = values.split_last().ok_or(NumberError::Form)?;
        if symbols::check(values) != *check {
            return Err(NumberError::Mistyped);
        }
        Self::try_new(prefix, day, values)
    }
}

impl fmt::Display for CouponNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CouponNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CouponNumber({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 31];
    const LONG: [u8; 24] = [31; 24];

    fn made(prefix: &str, values: &[u8]) -> CouponNumber {
        CouponNumber::try_new(prefix, 20_260_131, values).expect("a number")
    }

    #[test]
    fn numbers_are_read_however_they_are_typed() {
        for (prefix, values) in
            [("TEA", &SHORT[..]), ("", &SHORT), ("ABCZ2349", &SHORT), ("TEA", &LONG), ("", &LONG), ("ABCZ2349", &LONG)]
        {
            let number = made(prefix, values);
            let text = number.to_string();
            let typed = text.to_lowercase().replace('-', " ");
            for text in [&text, &typed, &text.replace('-', "")] {
                assert_eq!(text.parse(), Ok(number), "{text}");
            }
            assert_eq!(number.values(), values);
        }
        assert_eq!(made("TEA", &SHORT).as_str(), "TEA-20260131-ABCD-EFGH-JKLM-NPQ9-U");
        assert_eq!(made("ABCZ2349", &LONG).as_str().len(), TEXT_LEN_MAX);
    }

    #[test]
    fn every_mistyped_symbol_is_told() {
        let text = made("TEA", &SHORT).to_string();
        let start = "TEA-20260131-".len();
        for at in (start..text.len()).filter(|at| text.as_bytes()[*at] != b'-') {
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            let wrong = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert_eq!(wrong.parse::<CouponNumber>(), Err(NumberError::Mistyped), "{wrong}");
        }
        let zero = text.replace("ABCD", "ABC0");
        assert_eq!(zero.parse::<CouponNumber>(), Err(NumberError::Symbol { at: 4 }));
    }

    #[test]
    fn what_is_not_made_like_one_is_none() {
        let text = made("TEA", &SHORT).to_string();
        for wrong in [
            "",
            "-",
            "TEA-20260131",
            &text[..text.len() - 1],
            &format!("{text}A"),
            &format!("LONGLONG{text}"),
            &text.replace("TEA", "T1A"),
            &text.replace("TEA", "TÉA"),
            &text.replace("20260131", "20261331"),
            &text.replace("20260131", "2O260131"),
            &format!("{}{text}", "-".repeat(64)),
        ] {
            assert_eq!(wrong.parse::<CouponNumber>(), Err(NumberError::Form), "{wrong}");
        }
        for (prefix, day, values) in [
            ("tea", 20_260_131, &SHORT[..]),
            ("LONGLONGX", 20_260_131, &SHORT),
            ("TEA", 20_260_132, &SHORT),
            ("TEA", 120_260_131, &SHORT),
            ("TEA", 20_260_131, &SHORT[1..]),
        ] {
            assert_eq!(CouponNumber::try_new(prefix, day, values), Err(NumberError::Form));
        }
    }
}
