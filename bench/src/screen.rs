//! Standard error, where progress goes; standard output is for results.

use std::io::{IsTerminal, Write, stderr, stdout};

/// Says what happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) is_terminal: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { is_terminal: stderr().is_terminal() }
    }

    /// What happens. That nobody reads it does not end the bench.
    pub(crate) fn say(self, text: &str) {
        drop(writeln!(stderr().lock(), "{text}"));
    }

    /// A result.
    pub(crate) fn result(self, text: &str) {
        drop(writeln!(stdout().lock(), "{text}"));
    }
}
