//! Breadth first search to the end of a bound, so that the first counterexample is a shortest one.
//!
//! Of a state that was expanded only a fingerprint of 64 bits and the way to it are kept: 8 bytes each. With n states the
//! chance that two share one is n^2 / 2^65: three in a million for ten million states.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::time::{Duration, Instant};

use super::invariant::{Invariant, broken};
use super::rules::Rules;
use super::state::State;
use super::step::Step;

/// What a search has found.
#[derive(Debug, Clone)]
pub struct Search {
    /// Different states.
    pub states: usize,
    /// Steps of the longest way among the shortest ones.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// A state in which an invariant does not hold, and the way to it, one sentence a step.
    pub counterexample: Option<(Invariant, Vec<String>)>,
}

/// The way to a state: the state before it, and which of its successors it is.
#[derive(Debug, Clone, Copy)]
struct Way {
    before: u32,
    ordinal: u16,
}

struct Searcher<'a> {
    rules: Rules<'a>,
    seen: HashSet<u64, BuildHasherDefault<Same>>,
    ways: Vec<Way>,
    found: Option<(Invariant, u32)>,
}

/// Searches every state of the bound, or until an invariant breaks.
pub(super) fn search(rules: Rules<'_>, progress: &mut dyn FnMut(usize, usize)) -> Search {
    let started = Instant::now();
    let mut searcher = Searcher { rules, seen: HashSet::default(), ways: Vec::new(), found: None };
    let mut frontier = Vec::new();
    searcher.visit(&State::initial(rules.bound), Way { before: 0, ordinal: 0 }, &mut frontier);
    let mut depth = 0;
    while searcher.found.is_none() && !frontier.is_empty() {
        progress(searcher.ways.len(), depth);
        frontier = searcher.expand(&frontier);
        depth += usize::from(!frontier.is_empty());
    }
    let counterexample = searcher.found.map(|(invariant, state)| (invariant, searcher.story(state)));
    Search { states: searcher.ways.len(), depth, took: started.elapsed(), counterexample }
}

impl Searcher<'_> {
    fn expand(&mut self, frontier: &[(u32, State)]) -> Vec<(u32, State)> {
        let mut next = Vec::new();
        let mut successors = Vec::new();
        for (before, state) in frontier {
            self.rules.successors(state, &mut successors);
            for (ordinal, (_, successor)) in successors.iter().enumerate() {
                self.visit(successor, Way { before: *before, ordinal: ordinal as u16 }, &mut next);
                if self.found.is_some() {
                    return next;
                }
            }
        }
        next
    }

    fn visit(&mut self, state: &State, way: Way, frontier: &mut Vec<(u32, State)>) {
        if !self.seen.insert(fingerprint(state)) {
            return;
        }
        let index = self.ways.len() as u32;
        self.ways.push(way);
        if let Some(invariant) = broken(&self.rules, state) {
            self.found = Some((invariant, index));
        }
        frontier.push((index, *state));
    }

    /// Replays the way to a state.
    fn story(&self, state: u32) -> Vec<String> {
        let mut ordinals = Vec::new();
        let mut at = state;
        while at != 0 {
            let way = self.ways[at as usize];
            ordinals.push(way.ordinal);
            at = way.before;
        }
        let mut state = State::initial(self.rules.bound);
        let mut successors: Vec<(Step, State)> = Vec::new();
        let mut story = Vec::new();
        for ordinal in ordinals.into_iter().rev() {
            self.rules.successors(&state, &mut successors);
            let (step, next) = successors[usize::from(ordinal)];
            story.push(step.to_string());
            state = next;
        }
        story
    }
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = Fingerprint::default();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Eight bytes a round, each round a 128-bit product folded to its half.
#[derive(Default)]
struct Fingerprint {
    sum: u64,
    word: u64,
    filled: u32,
}

impl Fingerprint {
    fn fold(a: u64, b: u64) -> u64 {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    }

    fn round(&mut self) {
        self.sum = Self::fold(self.sum ^ self.word ^ 0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db).rotate_left(23);
        (self.word, self.filled) = (0, 0);
    }
}

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u8(*byte));
    }

    fn write_u8(&mut self, byte: u8) {
        self.word |= u64::from(byte) << (8 * self.filled);
        self.filled += 1;
        if self.filled == 8 {
            self.round();
        }
    }

    /// Discriminants of enums and lengths, all far below 256.
    fn write_usize(&mut self, number: usize) {
        self.write_u8(number as u8);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u8(number as u8);
    }

    fn finish(&self) -> u64 {
        let word = self.word ^ (u64::from(self.filled) << 60);
        Self::fold(self.sum ^ word, 0x8ebc_6af0_9c88_c6e3) ^ self.sum
    }
}

/// Fingerprints need no more hashing.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
