//! The MySQL primaries and the meta schema.
