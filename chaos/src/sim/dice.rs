//! Numbers that only the seed decides.

use std::ops::RangeInclusive;

/// A sequence of pseudo-random numbers: SplitMix64, Steele et al., 2014. Written out here, so that a pinned seed means the
/// same for ever.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another sequence, for a part of the whole that must not disturb the others.
    pub fn apart(seed: u64, part: u64) -> Self {
        let mut dice = Self(seed ^ part.wrapping_mul(0xd605_1b97_8a3c_5e6d));
        Self(dice.roll())
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of this range.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (from, to) = range.into_inner();
        from + self.roll() % (to.saturating_sub(from) + 1)
    }

    /// An index below `count`, which is not 0.
    pub fn index(&mut self, count: usize) -> usize {
        (self.roll() % count.max(1) as u64) as usize
    }

    /// True so many times in a thousand.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.roll() % 1000 < u64::from(per_mille)
    }

    /// One of these; there is at least one.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }
}
