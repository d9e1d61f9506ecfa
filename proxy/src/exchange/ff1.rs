//! FF1 of NIST SP 800-38G: a cipher whose plaintext and ciphertext are both digits of any radix, in the same number.
//!
//! Ten Feistel rounds with AES-128 in CBC-MAC as the round function, step by step as the standard has them (Algorithms 7
//! and 8), for 2 to 24 digits. Kept here instead of a library's: the one that the field knows (`fpe`) stands on another
//! generation of `aes`, and would bring a second AES and arbitrary-precision numbers for what fits into 64 bits.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt};

const ROUNDS: u8 = 10;

/// The permutation of strings of digits under one key and one tweak.
#[derive(Clone)]
pub(super) struct Ff1 {
    cipher: Aes128,
    radix: u32,
    tweak: &'static [u8],
}

impl Ff1 {
    /// `radix` to the power of half the number of digits has to be below 2^64.
    pub(super) fn new(cipher: Aes128, radix: u32, tweak: &'static [u8]) -> Self {
        Self { cipher, radix, tweak }
    }

    /// Encrypts digits below the radix, in place.
    pub(super) fn encrypt(&self, digits: &mut [u8]) {
        let (left, right) = (digits.len() / 2, digits.len() - digits.len() / 2);
        let (mut a, mut b) = (self.number(&digits[..left]), self.number(&digits[left..]));
        for round in 0..ROUNDS {
            let modulus = self.modulus(if round % 2 == 0 { left } else { right });
            let c = (u128::from(a) + self.round(digits.len(), round, b, modulus)) % modulus;
            // Below the modulus, which is below 2^64.
            (a, b) = (b, c as u64);
        }
        self.digits(a, &mut digits[..left]);
        self.digits(b, &mut digits[left..]);
    }

    /// The inverse of [`Ff1::encrypt`].
    pub(super) fn decrypt(&self, digits: &mut [u8]) {
        let (left, right) = (digits.len() / 2, digits.len() - digits.len() / 2);
        let (mut a, mut b) = (self.number(&digits[..left]), self.number(&digits[left..]));
        for round in (0..ROUNDS).rev() {
            let modulus = self.modulus(if round % 2 == 0 { left } else { right });
            let c = (u128::from(b) + modulus - self.round(digits.len(), round, a, modulus)) % modulus;
            (b, a) = (a, c as u64);
        }
        self.digits(a, &mut digits[..left]);
        self.digits(b, &mut digits[left..]);
    }

    fn modulus(&self, digits: usize) -> u128 {
        (0..digits).fold(1, |power, _| power * u128::from(self.radix))
    }

    /// The round function, reduced: steps i to iv, and vi.
    fn round(&self, len: usize, round: u8, half: u64, modulus: u128) -> u128 {
        let widest = self.modulus(len - len / 2);
        let half_len = (u128::BITS - (widest - 1).leading_zeros()).div_ceil(8) as usize;
        let [_, r1, r2, r3] = self.radix.to_be_bytes();
        // None is above 255.
        let (u, n, t) = ((len / 2) as u8, len as u8, self.tweak.len() as u8);
        let mut block = Array([1, 2, 1, r1, r2, r3, ROUNDS, u, 0, 0, 0, n, 0, 0, 0, t]);
        self.cipher.encrypt_block(&mut block);
        let padding = (16 - (self.tweak.len() + half_len + 1) % 16) % 16;
        let half = half.to_be_bytes();
        let q = self.tweak.iter().copied().chain(std::iter::repeat_n(0, padding)).chain([round]);
        for (at, byte) in q.chain(half[half.len() - half_len..].iter().copied()).enumerate() {
            block[at % 16] ^= byte;
            if at % 16 == 15 {
                self.cipher.encrypt_block(&mut block);
            }
        }
        // 4 * ceil(b / 4) + 4 bytes: at most 12, so that one block is enough.
        let wanted = 4 * half_len.div_ceil(4) + 4;
        let y = block.0.iter().take(wanted).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        y % modulus
    }

    fn number(&self, digits: &[u8]) -> u64 {
        digits.iter().fold(0, |number, digit| number * u64::from(self.radix) + u64::from(*digit))
    }

    fn digits(&self, mut number: u64, out: &mut [u8]) {
        for digit in out.iter_mut().rev() {
            // A remainder below the radix, which is at most 256.
            *digit = (number % u64::from(self.radix)) as u8;
            number /= u64::from(self.radix);
        }
    }
}

#[cfg(test)]
mod tests {
    use aes::cipher::KeyInit;

    use super::*;

    fn check(radix: u32, tweak: &'static [u8], plain: &str, cipher: &str) {
        let mut key = [0; 16];
        hex::decode_to_slice("2b7e151628aed2a6abf7158809cf4f3c", &mut key).expect("a key");
        let ff1 = Ff1::new(Aes128::new(&Array(key)), radix, tweak);
        let digits = |text: &str| text.chars().map(|c| c.to_digit(36).expect("a digit") as u8).collect::<Vec<_>>();
        let mut text = digits(plain);
        ff1.encrypt(&mut text);
        assert_eq!(text, digits(cipher), "{plain}");
        ff1.decrypt(&mut text);
        assert_eq!(text, digits(plain), "{cipher}");
    }

    /// Samples 1 to 3 of NIST's examples for FF1.
    #[test]
    fn the_samples_of_the_standard() {
        check(10, b"", "0123456789", "2433477484");
        check(10, b"9876543210", "0123456789", "6124200773");
        check(36, b"7777pqrs777", "0123456789abcdefghi", "a9tv40mll9kdu509eum");
    }

    #[test]
    fn it_is_a_permutation() {
        let ff1 = Ff1::new(Aes128::new(&Array([7; 16])), 10, b"t");
        let mut seen = [false; 10_000];
        for number in 0..10_000 {
            let mut digits = [0; 4];
            ff1.digits(number, &mut digits);
            ff1.encrypt(&mut digits);
            let found = ff1.number(&digits) as usize;
            assert!(!std::mem::replace(&mut seen[found], true), "{found} twice");
            ff1.decrypt(&mut digits);
            assert_eq!(ff1.number(&digits), number);
        }
    }
}
