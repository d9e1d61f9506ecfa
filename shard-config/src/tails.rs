//! The map from tails to primaries: ranges as people write them, an array as the proxy reads them.

use std::ops::RangeInclusive;

use crate::id::TAIL_COUNT;
use crate::{PrimaryId, Tail};

/// A range of tails as the file has it: both ends belong to it.
pub(crate) type TailRange = RangeInclusive<u16>;

/// Every tail with its primary. One array read per look-up.
#[derive(Clone, Debug)]
pub(crate) struct TailMap(Box<[PrimaryId]>);

impl TailMap {
    /// The map, if the ranges cover every tail. Where they overlap, which a checked file never has, the last one wins.
    pub(crate) fn new<'a>(ranges: impl Iterator<Item = (PrimaryId, &'a TailRange)>) -> Option<TailMap> {
        let mut owners = vec![None; usize::from(TAIL_COUNT)];
        for (primary, range) in ranges {
            owners.get_mut(usize::from(*range.start())..=usize::from(*range.end()))?.fill(Some(primary));
        }
        owners.into_iter().collect::<Option<Box<[PrimaryId]>>>().map(TailMap)
    }

    pub(crate) fn primary_of(&self, tail: Tail) -> PrimaryId {
        self.0[usize::from(tail.get())]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = PrimaryId> + '_ {
        self.0.iter().copied()
    }
}

/// Writes a range as the file has it: `0000-0333`, or `0007` for a single tail.
pub(crate) fn format_range(range: &TailRange) -> String {
    match (range.start(), range.end()) {
        (start, end) if start == end => format!("{start:04}"),
        (start, end) => format!("{start:04}-{end:04}"),
    }
}

/// Reads a range as the file has it. The error says what to write.
pub(crate) fn parse_range(text: &str) -> Result<TailRange, &'static str> {
    let (start, end) = text.split_once('-').unwrap_or((text, text));
    let (Some(start), Some(end)) = (parse_tail(start), parse_tail(end)) else {
        return Err("write a range of tails from 0000 to 9999, such as \"0000-0333\", or one tail, such as \"0007\"");
    };
    if start > end { Err("the range is backwards; write the lower tail first") } else { Ok(start..=end) }
}

fn parse_tail(text: &str) -> Option<u16> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// What is wrong with a set of ranges, each part of it named once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// Tails that no range holds.
    pub(crate) gaps: Vec<TailRange>,
    /// Tails of the range with the second index that the range with the first index holds already.
    pub(crate) overlaps: Vec<(usize, usize, TailRange)>,
}

/// Compares the ranges with the whole of 0 to 9999.
pub(crate) fn coverage(ranges: &[TailRange]) -> Coverage {
    let mut first_holder: Vec<Option<usize>> = vec![None; usize::from(TAIL_COUNT)];
    let mut found = Coverage::default();
    for (index, range) in ranges.iter().enumerate() {
        for tail in range.clone() {
            match &mut first_holder[usize::from(tail)] {
                Some(holder) => extend(&mut found.overlaps, *holder, index, tail),
                free => *free = Some(index),
            }
        }
    }
    found.gaps = gaps(&first_holder);
    found
}

fn extend(overlaps: &mut Vec<(usize, usize, TailRange)>, holder: usize, index: usize, tail: u16) {
    match overlaps.last_mut() {
        Some((h, i, range)) if (*h, *i) == (holder, index) && *range.end() + 1 == tail => {
            *range = *range.start()..=tail
        }
        _ => overlaps.push((holder, index, tail..=tail)),
    }
}

fn gaps(first_holder: &[Option<usize>]) -> Vec<TailRange> {
    let mut gaps: Vec<TailRange> = Vec::new();
    for (tail, holder) in (0..TAIL_COUNT).zip(first_holder) {
        match gaps.last_mut() {
            _ if holder.is_some() => {}
            Some(gap) if *gap.end() + 1 == tail => *gap = *gap.start()..=tail,
            _ => gaps.push(tail..=tail),
        }
    }
    gaps
}
