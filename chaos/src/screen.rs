//! Standard output of the commands.

use std::io::{IsTerminal, Write, stdout};

/// Standard output. That nobody reads it does not end a command.
#[derive(Debug)]
pub(crate) struct Screen {
    pub(crate) is_terminal: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { is_terminal: stdout().is_terminal() }
    }

    pub(crate) fn line(&self, text: &str) {
        self.part(&format!("{text}\n"));
    }

    pub(crate) fn part(&self, text: &str) {
        let mut out = stdout().lock();
        drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }
}
