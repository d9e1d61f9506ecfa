//! A coupon's public id: 16 bytes that hold user, template and seq, and that nobody can make without the key.
//!
//! The id is one AES-128 block: user (8 bytes), template (4), seq (2) and a fixed check value (2), all big-endian,
//! encrypted under a key of the deployment. AES is a pseudorandom permutation: without the key, ids of different
//! coupons look like independent random blocks, tell nothing about each other, and a block that somebody makes up
//! decrypts to a uniformly random one. It passes the check with a chance of 2^-16 and then names a random user and
//! template, of which a coupon still has to exist: with a billion coupons in the store that is 2^-98 in all. The check
//! value makes most wrong ids cost no look-up; it is not what protects a coupon, and neither is the id alone: a coupon
//! is only handed to the caller of its user.
//!
//! No generator and no look-up: the id routes by itself. The key can never change while its coupons live.

mod number;

use std::fmt;

use aes::Aes128;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use scrip_protocol::{CouponId, TemplateId, UserId};

pub use number::CouponNumbers;

/// What the last two bytes decrypt to; another layout takes another value.
const CHECK: [u8; 2] = [0x5c, 0x01];

/// The AES-128 key of a deployment. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct CouponKey([u8; 16]);

impl CouponKey {
    /// The key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The cipher under the key that this one makes of a label: one for each use. No coupon id encrypts a label, because none
    /// ends in the check value of ids.
    pub(crate) fn derived(&self, label: [u8; 16]) -> Aes128 {
        let mut derived = Array(label);
        Aes128::new(&Array(self.0)).encrypt_block(&mut derived);
        Aes128::new(&derived)
    }

    /// The key of 32 hexadecimal digits.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Debug for CouponKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CouponKey(hidden)")
    }
}

/// Makes and reads coupon ids and numbers. Holds the expanded keys, so that an id costs one block; cheap to clone.
#[derive(Clone)]
pub struct CouponIds {
    cipher: Aes128,
    numbers: CouponNumbers,
}

impl fmt::Debug for CouponIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CouponIds(hidden)")
    }
}

impl CouponIds {
    /// Expands the key.
    #[must_use]
    pub fn new(key: &CouponKey) -> Self {
        Self { cipher: Aes128::new(&Array(key.0)), numbers: CouponNumbers::new(key) }
    }

    /// What people call coupons.
    #[must_use]
    pub fn numbers(&self) -> &CouponNumbers {
        &self.numbers
    }

    /// The id of a user's `seq`-th coupon of a template.
    #[must_use]
    pub fn encode(&self, user: UserId, template: TemplateId, seq: u16) -> CouponId {
        let ([a, b, c, d, e, f, g, h], [i, j, k, l], [m, n], [o, p]) =
            (user.get().to_be_bytes(), template.get().to_be_bytes(), seq.to_be_bytes(), CHECK);
        let mut block = Array([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]);
        self.cipher.encrypt_block(&mut block);
        CouponId(block.0)
    }

    /// What an id says, if it was made with this key. That the coupon exists is for its row to say.
    #[must_use]
    pub fn decode(&self, id: CouponId) -> Option<(UserId, TemplateId, u16)> {
        let mut block = Array(id.0);
        self.cipher.decrypt_block(&mut block);
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, check @ ..] = block.0;
        if check != CHECK {
            return None;
        }
        let user = UserId(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
        let template = TemplateId::try_new(u32::from_be_bytes([i, j, k, l])).ok()?;
        Some((user, template, u16::from_be_bytes([m, n])))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(key: &str) -> CouponIds {
        CouponIds::new(&CouponKey::from_hex(key).expect("32 digits"))
    }

    fn template(id: u32) -> TemplateId {
        TemplateId::try_new(id).expect("not 0")
    }

    /// Made with `openssl enc -aes-128-ecb -nopad`, not with this code.
    #[test]
    fn golden() {
        let cases = include_str!("coupon_id_golden.txt");
        for line in cases.lines().filter(|line| !line.starts_with('#')) {
            let [key, user, template_id, seq, expect] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("five words: {line}")
            };
            let (user, template_id) = (UserId(user.parse().expect("user")), template_id.parse().expect("template"));
            let coupon = (user, template(template_id), seq.parse().expect("seq"));
            let id: CouponId = expect.parse().expect("32 digits");
            assert_eq!(ids(key).encode(coupon.0, coupon.1, coupon.2), id, "{line}");
            assert_eq!(ids(key).decode(id), Some(coupon), "{line}");
        }
    }

    #[test]
    fn a_made_up_id_is_refused_but_for_one_in_65536() {
        let ids = ids("000102030405060708090a0b0c0d0e0f");
        let passed = (0..1_000_000_u128).filter(|guess| ids.decode(CouponId(guess.to_be_bytes())).is_some()).count();
        // 15.3 expected; the guesses are fixed, and so is the count.
        assert!((4..=32).contains(&passed), "{passed}");
    }

    proptest! {
        #[test]
        fn decodes_what_it_encodes(key: [u8; 16], other: [u8; 16], user: u64, id in 1_u32.., seq: u16) {
            let ids = CouponIds::new(&CouponKey::new(key));
            let coupon = ids.encode(UserId(user), template(id), seq);
            prop_assert_eq!(ids.decode(coupon), Some((UserId(user), template(id), seq)));
            let stranger = CouponIds::new(&CouponKey::new(other)).decode(coupon);
            prop_assert!(key == other || stranger != Some((UserId(user), template(id), seq)));
        }
    }

    #[test]
    fn the_key_is_not_shown() {
        let key = CouponKey::from_hex("000102030405060708090a0b0c0d0e0f").expect("32 digits");
        assert_eq!(format!("{key:?} {:?}", CouponIds::new(&key)), "CouponKey(hidden) CouponIds(hidden)");
        assert_eq!(CouponKey::from_hex("0001"), None);
    }
}
