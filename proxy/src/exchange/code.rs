//! Exchange codes: a text of 17 symbols that holds batch and index, and that nobody can make without the key.
//!
//! ```text
//! TEA-ABCD-EFGH-JKLM-NPQR-S
//!  |   \________________/  \ check symbol, for typing errors
//!  |    16 symbols: FF1 over batch (24 bits), index (24 bits) and 32 zero bits
//!  the template's prefix, if it has one
//! ```
//!
//! No row makes a code: it is there because its batch is. FF1 (NIST SP 800-38G) under a key of the deployment permutes the
//! 2^80 texts of 16 symbols. Without the key a made-up text decrypts to a uniformly random one of them, and a code is good
//! if and only if what comes out ends in 32 zero bits and names a code of a batch. Of the 2^80 texts as many are good as
//! there are codes: **a guess at a batch of a million codes (2^20) hits with a chance of 2^-60**, and at all codes of a
//! deployment, be they a billion, of 2^-50. All but one guess in 2^32 are refused without asking a store.
//!
//! The key is AES under the coupon key of a block that no coupon id encrypts: those end in another check value. So one secret is
//! kept, neither use tells anything of the other, and like the coupon key it can never change while its codes live.

use std::fmt;

use scrip_protocol::CodeBatchId;
use scrip_protocol::symbols::{check, digits, number, symbol, value};

use crate::coupon_id::CouponKey;
use crate::ff1::Ff1;

/// Encrypted, it is the key of codes. Its last two bytes are not the check value of a coupon id.
const KEY_LABEL: [u8; 16] = *b"scrip code key 1";
const TWEAK: &[u8] = b"code";
/// Symbols without prefix and check symbol.
const LEN: usize = 16;
const INDEX_BITS: u32 = 24;
const ZERO_BITS: u32 = 32;

/// One code of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeKey {
    /// The batch.
    pub batch: CodeBatchId,
    /// 0, 1, ... up to the number of its codes.
    pub index: u32,
}

/// Why a text is no code. None of these quotes the text: it may be nearly a code, and codes are secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCode {
    /// A symbol that codes do not have.
    #[error("symbol {at} is none of a code: codes have A to Z without I and O, and 2 to 9")]
    Symbol {
        /// Which, from 1; dashes and blanks do not count.
        at: usize,
    },
    /// Too few symbols.
    #[error("it has {0} symbols, and a code has 17 behind its prefix")]
    Short(usize),
    /// The check symbol does not fit.
    #[error("a symbol is mistyped: the check symbol does not fit")]
    Mistyped,
    /// The code is one, and its prefix is not.
    #[error("what stands before the last 17 symbols is not the prefix of this code")]
    Prefix,
    /// It is well formed, and was not made with this key.
    #[error("it is not a code of this deployment")]
    MadeUp,
}

/// Makes and reads codes. Cheap to clone.
#[derive(Clone)]
pub struct Codes {
    cipher: Ff1,
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codes(hidden)")
    }
}

impl Codes {
    /// Derives the key of codes from that of coupon ids.
    #[must_use]
    pub fn new(key: &CouponKey) -> Self {
        Self { cipher: Ff1::new(key.derived(KEY_LABEL), 32, LEN, TWEAK) }
    }

    /// The text of a code, with its prefix.
    #[must_use]
    pub fn encode(&self, key: CodeKey, prefix: &str) -> String {
        let plain = u128::from(key.batch.get()) << (INDEX_BITS + ZERO_BITS) | u128::from(key.index) << ZERO_BITS;
        let mut body: [u8; LEN] = digits(plain);
        self.cipher.encrypt(&mut body);
        let mut text = prefix.to_owned();
        for (at, value) in body.into_iter().chain([check(&body)]).enumerate() {
            if at % 4 == 0 && !text.is_empty() {
                text.push('-');
            }
            text.push(symbol(value));
        }
        text
    }

    /// The code that a text names, and the prefix before it, in upper case. That the batch has it is for meta to say.
    ///
    /// # Errors
    /// [`NoCode`]
    pub fn decode(&self, text: &str) -> Result<(CodeKey, String), NoCode> {
        let symbols: Vec<char> = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
        let before = symbols.len().checked_sub(LEN + 1).ok_or(NoCode::Short(symbols.len()))?;
        let (prefix, code) = symbols.split_at(before);
        let mut values = [0; LEN + 1];
        for (at, (symbol, slot)) in code.iter().zip(&mut values).enumerate() {
            *slot = value(*symbol).ok_or(NoCode::Symbol { at: before + at + 1 })?;
        }
        let [mut body @ .., last] = values;
        if check(&body) != last {
            return Err(NoCode::Mistyped);
        }
        self.cipher.decrypt(&mut body);
        let plain = number(&body);
        if plain & ((1 << ZERO_BITS) - 1) != 0 {
            return Err(NoCode::MadeUp);
        }
        // 24 bits each.
        let (batch, index) = ((plain >> (INDEX_BITS + ZERO_BITS)) as u32, (plain >> ZERO_BITS) as u32 & 0xff_ffff);
        let batch = CodeBatchId::try_new(batch).map_err(|_| NoCode::MadeUp)?;
        Ok((CodeKey { batch, index }, prefix.iter().map(char::to_ascii_uppercase).collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn codes() -> Codes {
        Codes::new(&CouponKey::from_hex("000102030405060708090a0b0c0d0e0f").expect("a key"))
    }

    fn key(batch: u32, index: u32) -> CodeKey {
        CodeKey { batch: CodeBatchId::try_new(batch).expect("an id"), index }
    }

    #[test]
    fn codes_come_back_however_they_are_typed() {
        let codes = codes();
        for (batch, index) in [(1, 0), (1, 1), (7, 9_999_999), ((1 << 24) - 1, (1 << 24) - 1)] {
            let text = codes.encode(key(batch, index), "TEA");
            assert_eq!(text.len(), "TEA-ABCD-EFGH-JKLM-NPQR-S".len(), "{text}");
            let typed = text.to_lowercase().replace('-', " ");
            for text in [&text, &typed, &text.replace('-', "")] {
                assert_eq!(codes.decode(text), Ok((key(batch, index), "TEA".to_owned())), "{text}");
            }
            let bare = codes.encode(key(batch, index), "");
            assert_eq!(codes.decode(&bare), Ok((key(batch, index), String::new())), "{bare}");
        }
    }

    #[test]
    fn what_is_no_code_says_why() {
        let codes = codes();
        let text = codes.encode(key(1, 1), "");
        assert_eq!(codes.decode(""), Err(NoCode::Short(0)));
        assert_eq!(codes.decode(&text[1..]), Err(NoCode::Short(16)));
        assert_eq!(codes.decode(&format!("T{}0", &text[..text.len() - 1])), Err(NoCode::Symbol { at: 18 }));
        let first = if text.starts_with('A') { 'B' } else { 'A' };
        assert_eq!(codes.decode(&format!("{first}{}", &text[1..])), Err(NoCode::Mistyped));
        let other = Codes::new(&CouponKey::new([9; 16]));
        assert_eq!(other.decode(&text), Err(NoCode::MadeUp), "another deployment's");
        assert!(!format!("{codes:?}{:?}", NoCode::MadeUp).contains(&text[..4]));
    }

    /// A text of 80 bits is a code in 1 of 2^32 cases; of these none. That as many are good as there are
    /// codes follows from FF1 being a permutation, which its own test shows.
    #[test]
    fn made_up_codes_are_refused_and_made_ones_differ() {
        let codes = codes();
        for guess in 0..50_000_u128 {
            let body: [u8; LEN] = digits(guess.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 48);
            let text: String = body.into_iter().chain([check(&body)]).map(symbol).collect();
            assert_eq!(codes.decode(&text), Err(NoCode::MadeUp), "{text}");
        }
        let made: HashSet<String> = (0..20_000).map(|index| codes.encode(key(3, index), "")).collect();
        assert_eq!(made.len(), 20_000);
    }
}
