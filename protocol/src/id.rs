//! Identifiers, each a type of its own.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;

use crate::limits::ORDER_ID_LEN_MAX;

/// An identifier that was not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A request id or coupon id is 16 bytes.
    #[error("{what} has {len} bytes; it must have 16")]
    Length {
        /// Which identifier.
        what: &'static str,
        /// How many bytes it had.
        len: usize,
    },
    /// An identifier in hexadecimal is 32 digits.
    #[error("{what} is not 32 hexadecimal digits")]
    Hex {
        /// Which identifier.
        what: &'static str,
    },
    /// A template id is 1 to 4,294,967,295.
    #[error("a template id is 1 to 4294967295, not 0")]
    TemplateZero,
    /// An order id is 1 to [`ORDER_ID_LEN_MAX`] bytes without control characters.
    #[error("an order id is 1 to {ORDER_ID_LEN_MAX} bytes, none of them a control character")]
    Order,
    /// The id of a bulk job is 1 to 4,294,967,295.
    #[error("the id of a bulk job is 1 to 4294967295, not 0")]
    BulkJobZero,
    /// The id of a batch of codes is 1 to 16,777,215.
    #[error("the id of a batch of codes is 1 to 16777215")]
    CodeBatch,
}

/// A user of the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u64);

/// A template: 1 to 4,294,967,295.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId(NonZeroU32);

/// A bulk job: 1 to 4,294,967,295.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BulkJobId(NonZeroU32);

/// A batch of exchange codes: 1 to 16,777,215, because a code has 24 bits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeBatchId(NonZeroU32);

/// What the caller minted for one request: 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub [u8; 16]);

/// A coupon's public id: 16 bytes that cannot be guessed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CouponId(pub [u8; 16]);

/// An order of the caller's: 1 to [`ORDER_ID_LEN_MAX`] bytes, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(Arc<str>);

impl OrderId {
    /// # Errors
    /// [`IdError::Order`]
    pub fn try_new(id: &str) -> Result<Self, IdError> {
        let fits = (1..=ORDER_ID_LEN_MAX).contains(&id.len()) && !id.chars().any(char::is_control);
        if fits { Ok(Self(id.into())) } else { Err(IdError::Order) }
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OrderId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::try_new(text)
    }
}

impl UserId {
    /// The number itself.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl TemplateId {
    /// # Errors
    /// [`IdError::TemplateZero`]
    pub fn try_new(id: u32) -> Result<Self, IdError> {
        NonZeroU32::new(id).map(Self).ok_or(IdError::TemplateZero)
    }

    /// The number itself.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl BulkJobId {
    /// # Errors
    /// [`IdError::BulkJobZero`]
    pub fn try_new(id: u32) -> Result<Self, IdError> {
        NonZeroU32::new(id).map(Self).ok_or(IdError::BulkJobZero)
    }

    /// The number itself.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl CodeBatchId {
    /// # Errors
    /// [`IdError::CodeBatch`]
    pub fn try_new(id: u32) -> Result<Self, IdError> {
        NonZeroU32::new(id).filter(|id| id.get() < 1 << 24).map(Self).ok_or(IdError::CodeBatch)
    }

    /// The number itself.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for BulkJobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for CodeBatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! sixteen_bytes {
    ($name:ident, $what:literal) => {
        impl $name {
            /// # Errors
            /// [`IdError::Length`]
            pub fn try_from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                <[u8; 16]>::try_from(bytes).map(Self).map_err(|_| IdError::Length { what: $what, len: bytes.len() })
            }

            /// The bytes, as the messages carry them.
            pub fn to_bytes(self) -> Bytes {
                Bytes::copy_from_slice(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let bytes = hex::decode(text).map_err(|_| IdError::Hex { what: $what })?;
                Self::try_from_slice(&bytes).map_err(|_| IdError::Hex { what: $what })
            }
        }
    };
}

sixteen_bytes!(RequestId, "a request id");
sixteen_bytes!(CouponId, "a coupon id");

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<[u8; 16], IdError>) {
        assert_eq!(text.parse(), expect.clone().map(RequestId), "{text}");
        if let Ok(bytes) = expect {
            assert_eq!(RequestId(bytes).to_string(), text.to_lowercase());
            assert_eq!(RequestId::try_from_slice(&RequestId(bytes).to_bytes()), Ok(RequestId(bytes)));
        }
    }

    #[test]
    fn texts() {
        let wrong = || Err(IdError::Hex { what: "a request id" });
        check("000102030405060708090a0b0c0d0eff", Ok([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]));
        check("000102030405060708090A0B0C0D0EFF", Ok([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]));
        check("", wrong());
        check("000102030405060708090a0b0c0d0e", wrong());
        check("000102030405060708090a0b0c0d0eff00", wrong());
        check("000102030405060708090a0b0c0d0ef", wrong());
        check("000102030405060708090a0b0c0d0e+f", wrong());
    }

    #[test]
    fn lengths() {
        for len in 0..40 {
            let expect = if len == 16 { None } else { Some(IdError::Length { what: "a coupon id", len }) };
            assert_eq!(CouponId::try_from_slice(&vec![7; len]).err(), expect);
        }
    }

    #[test]
    fn templates() {
        let check = |id, expect: Result<u32, IdError>| assert_eq!(TemplateId::try_new(id).map(TemplateId::get), expect);
        check(0, Err(IdError::TemplateZero));
        check(1, Ok(1));
        check(u32::MAX, Ok(u32::MAX));
    }
}
