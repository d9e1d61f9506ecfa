//! What two processes compare to know that they route alike.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::Topology;

/// Identifies all that decides routing. Two topologies with the same fingerprint send every user and every key to the
/// same place; addresses, users, passwords and the cut of new templates are not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Opens the encoding. Raise the number with any change of the encoding or of the ring's hash.
const DOMAIN: &[u8] = b"scrip topology 1 xxh64\0";

impl Topology {
    /// The first 16 bytes of a SHA-256 over, all integers little endian: the domain, the version (8 bytes), the meta
    /// primary (2), the primary of each tail from 0 to 9999 (2 each), the virtual nodes (2), the number of shards (2)
    /// and their ascending ids (2 each).
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(self.version.to_le_bytes());
        hash.update(self.meta.0.to_le_bytes());
        for (_, primary) in self.tails() {
            hash.update(primary.0.to_le_bytes());
        }
        hash.update(self.ring.virtual_nodes.to_le_bytes());
        // The limit on shards keeps their number far below the end of the type.
        hash.update((self.shards.len() as u16).to_le_bytes());
        for shard in &self.shards {
            hash.update(shard.id.0.to_le_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Fingerprint(first)
    }
}
