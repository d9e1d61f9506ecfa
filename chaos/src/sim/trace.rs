//! What happened, line by line, and a digest of it: the same seed gives the same bytes.

use std::fmt::{self, Write};

/// The lines of a run. The digest is always kept, the lines only if somebody wants to read them.
#[derive(Debug)]
pub struct Trace {
    lines: Option<Vec<String>>,
    digest: u64,
    count: u64,
    line: String,
}

impl Trace {
    /// An empty trace. `keep`: the lines as well as their digest.
    pub fn new(keep: bool) -> Self {
        Self { lines: keep.then(Vec::new), digest: 0xcbf2_9ce4_8422_2325, count: 0, line: String::new() }
    }

    /// Adds a line.
    pub fn add(&mut self, at_ms: u64, what: fmt::Arguments<'_>) {
        self.line.clear();
        // Writing to a string cannot fail.
        let _ = writeln!(self.line, "{at_ms:>6} ms  {what}");
        // FNV-1a, 64 bit.
        for byte in self.line.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.count += 1;
        if let Some(lines) = &mut self.lines {
            lines.push(self.line.trim_end().to_owned());
        }
    }

    /// Of all lines.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// How many lines there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The lines, if they were kept.
    pub fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
