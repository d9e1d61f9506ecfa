//! The 32 symbols of codes and numbers, and the check symbol behind them.
//!
//! A to Z without I and O, and 2 to 9: nothing that a reader takes for something else. The check symbol is that of the
//! hybrid system of ISO/IEC 7064, which the standard names for 10, 26 and 36 symbols (MOD 11,10, MOD 27,26, MOD 37,36),
//! taken for 32 (MOD 33,32). Each step maps the symbols one to one, so that it tells every single wrong symbol; of two
//! neighbours that changed places it misses 1 in 31 or so. It is for typing errors and nothing else: no secret is in it.

/// In the order of their values.
const SYMBOLS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// The symbol of a value below 32.
pub fn symbol(value: u8) -> char {
    char::from(SYMBOLS[usize::from(value % 32)])
}

/// The value of a symbol, in upper or lower case.
pub fn value(symbol: char) -> Option<u8> {
    let symbol = u8::try_from(symbol.to_ascii_uppercase()).ok()?;
    SYMBOLS.iter().position(|known| *known == symbol).and_then(|index| u8::try_from(index).ok())
}

/// The check value behind these values.
pub fn check(values: &[u8]) -> u8 {
    let product = values.iter().fold(32, |product, value| step(product, *value) * 2 % 33);
    // 1 to 32 on the left, so 0 to 31 comes out.
    ((33 - product) % 32) as u8
}

fn step(product: u32, value: u8) -> u32 {
    match (product + u32::from(value)) % 32 {
        0 => 32,
        sum => sum,
    }
}

/// Digits of a number, most significant first.
pub fn digits<const LEN: usize>(mut number: u128) -> [u8; LEN] {
    let mut digits = [0; LEN];
    for digit in digits.iter_mut().rev() {
        *digit = (number % 32) as u8;
        number /= 32;
    }
    digits
}

/// The inverse of [`digits`].
pub fn number(digits: &[u8]) -> u128 {
    digits.iter().fold(0, |number, digit| number << 5 | u128::from(*digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_have_their_values_in_both_cases() {
        for at in 0..32 {
            assert_eq!(value(symbol(at)), Some(at));
            assert_eq!(value(symbol(at).to_ascii_lowercase()), Some(at));
        }
        for other in ['0', 'O', 'o', '1', 'I', '-', 'Ä'] {
            assert_eq!(value(other), None, "{other}");
        }
    }

    /// The product before the check symbol and the symbol itself add up to 1, modulo 32: the rule of the standard.
    fn holds(values: &[u8]) -> bool {
        let (last, body) = values.split_last().expect("a check symbol");
        check(body) == *last
    }

    #[test]
    fn every_wrong_symbol_is_told_and_most_exchanged_neighbours() {
        let (mut missed, mut swaps) = (0, 0);
        for seed in 0..200_u128 {
            let body: [u8; 16] = digits(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 40);
            let mut whole = [&body[..], &[check(&body)]].concat();
            assert!(holds(&whole));
            for at in 0..whole.len() {
                let right = whole[at];
                for wrong in (0..32).filter(|wrong| *wrong != right) {
                    whole[at] = wrong;
                    assert!(!holds(&whole), "{wrong} for {right} at {at}");
                }
                whole[at] = right;
                if at > 0 && whole[at - 1] != right {
                    whole.swap(at - 1, at);
                    swaps += 1;
                    missed += usize::from(holds(&whole));
                    whole.swap(at - 1, at);
                }
            }
        }
        assert!(missed * 20 < swaps, "{missed} of {swaps} missed");
    }

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 31, 32, (1 << 80) - 1] {
            assert_eq!(number(&digits::<16>(value)), value);
        }
    }
}
