//! FF1 of NIST SP 800-38G: a cipher whose plaintext and ciphertext are both digits of any radix, in the same number.
//!
//! Ten Feistel rounds with AES-128 in CBC-MAC as the round function, step by step as the standard has them (Algorithms 7
//! and 8), for 2 to 24 digits. Kept here instead of a library's: the one that the field knows (`fpe`) stands on another
//! generation of `aes`, and would bring a second AES and arbitrary-precision numbers for what fits into 64 bits.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, BlockSizeUser};

const ROUNDS: u8 = 10;

/// The permutation of strings of so many digits under one key and one tweak. What does not depend on the digits is worked
/// out once: a string costs ten blocks.
#[derive(Clone)]
pub struct Ff1 {
    cipher: Aes128,
    radix: u32,
    tweak: &'static [u8],
    /// Digits on the left; on the right there are as many, or one more.
    left: usize,
    /// What the left half and the right half are numbers below.
    moduli: [u128; 2],
    /// Bytes of a half as a number.
    half_len: usize,
    /// The first block of every round (P in the standard), encrypted.
    first: Block,
}

type Block = Array<u8, <Aes128 as BlockSizeUser>::BlockSize>;

impl Ff1 {
    /// For strings of `len` digits. `radix` to the power of half of that has to be below 2^64.
    pub fn new(cipher: Aes128, radix: u32, len: usize, tweak: &'static [u8]) -> Self {
        let left = len / 2;
        let modulus = |digits: usize| (0..digits).fold(1, |power, _| power * u128::from(radix));
        let moduli = [modulus(left), modulus(len - left)];
        let half_len = (u128::BITS - (moduli[1] - 1).leading_zeros()).div_ceil(8) as usize;
        let [_, r1, r2, r3] = radix.to_be_bytes();
        // None is above 255.
        let (u, n, t) = (left as u8, len as u8, tweak.len() as u8);
        let mut first = Array([1, 2, 1, r1, r2, r3, ROUNDS, u, 0, 0, 0, n, 0, 0, 0, t]);
        cipher.encrypt_block(&mut first);
        Self { cipher, radix, tweak, left, moduli, half_len, first }
    }

    /// Encrypts digits below the radix, in place.
    pub fn encrypt(&self, digits: &mut [u8]) {
        let (mut a, mut b) = (self.number(&digits[..self.left]), self.number(&digits[self.left..]));
        for round in 0..ROUNDS {
            let modulus = self.moduli[usize::from(round % 2)];
            let c = (u128::from(a) + self.round(round, b)) % modulus;
            // Below the modulus, which is below 2^64.
            (a, b) = (b, c as u64);
        }
        self.digits(a, &mut digits[..self.left]);
        self.digits(b, &mut digits[self.left..]);
    }

    /// The inverse of [`Ff1::encrypt`].
    pub fn decrypt(&self, digits: &mut [u8]) {
        let (mut a, mut b) = (self.number(&digits[..self.left]), self.number(&digits[self.left..]));
        for round in (0..ROUNDS).rev() {
            let modulus = self.moduli[usize::from(round % 2)];
            let c = (u128::from(b) + modulus - self.round(round, a) % modulus) % modulus;
            (b, a) = (a, c as u64);
        }
        self.digits(a, &mut digits[..self.left]);
        self.digits(b, &mut digits[self.left..]);
    }

    /// The round function: steps i to iv. Below 2^96.
    fn round(&self, round: u8, half: u64) -> u128 {
        let mut block = self.first;
        let padding = (16 - (self.tweak.len() + self.half_len + 1) % 16) % 16;
        let half = half.to_be_bytes();
        let q = self.tweak.iter().copied().chain(std::iter::repeat_n(0, padding)).chain([round]);
        for (at, byte) in q.chain(half[half.len() - self.half_len..].iter().copied()).enumerate() {
            block[at % 16] ^= byte;
            if at % 16 == 15 {
                self.cipher.encrypt_block(&mut block);
            }
        }
        // 4 * ceil(b / 4) + 4 bytes: at most 12, so that one block is enough.
        let wanted = 4 * self.half_len.div_ceil(4) + 4;
        block.0.iter().take(wanted).fold(0, |number, byte| number << 8 | u128::from(*byte))
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
        let ff1 = Ff1::new(Aes128::new(&Array(key)), radix, plain.len(), tweak);
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
        let ff1 = Ff1::new(Aes128::new(&Array([7; 16])), 10, 4, b"t");
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
