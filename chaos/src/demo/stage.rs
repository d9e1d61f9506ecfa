//! The phases of a demo with their times.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::Error;
use crate::screen::Screen;

/// Columns of a phase's name.
const NAME_WIDTH: usize = 44;

/// One phase that has ended.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Phase {
    pub(super) name: String,
    pub(super) took_ms: u64,
}

/// The phases so far.
#[derive(Debug)]
pub(super) struct Phases<'a> {
    screen: &'a Screen,
    started: Instant,
    done: Vec<Phase>,
}

impl<'a> Phases<'a> {
    pub(super) fn new(screen: &'a Screen) -> Self {
        Self { screen, started: Instant::now(), done: Vec::new() }
    }

    /// A phase that prints nothing itself: its name, then its time behind it.
    pub(super) async fn quiet<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.screen.part(&format!("  {name:NAME_WIDTH$}"));
        let started = Instant::now();
        let result = work.await;
        let text = if result.is_ok() { seconds(started.elapsed()) } else { "failed".to_owned() };
        self.screen.line(&text);
        self.ended(name, started);
        result
    }

    /// A phase that prints lines of its own: its name with its time comes after them.
    pub(super) async fn loud<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let result = work.await?;
        self.screen.line(&format!("  {name:NAME_WIDTH$}{}", seconds(started.elapsed())));
        self.ended(name, started);
        Ok(result)
    }

    /// All phases, and the whole.
    pub(super) fn finish(mut self) -> Vec<Phase> {
        let started = self.started;
        self.ended("whole", started);
        self.screen.line(&format!("  {:NAME_WIDTH$}{}", "whole", seconds(started.elapsed())));
        self.done
    }

    fn ended(&mut self, name: &str, started: Instant) {
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.done.push(Phase { name: name.to_owned(), took_ms });
    }
}

fn seconds(took: Duration) -> String {
    format!("{:>6.1} s", took.as_secs_f64())
}
