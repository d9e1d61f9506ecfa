//! Gives a process only a part of its time, by stopping it again and again: a slow machine without a slow machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::Proxy;

/// While it lives, the proxy runs for `run` and stands still for `rest`, again and again.
#[derive(Debug)]
pub struct Throttle {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Throttle {
    pub(super) fn start(proxy: Arc<Proxy>, run: Duration, rest: Duration) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                // It fails only when the proxy is gone, and then there is nothing to throttle.
                drop(proxy.process.signal(Signal::SIGSTOP));
                thread::sleep(rest);
                drop(proxy.process.resume());
                thread::sleep(run);
            }
        });
        Self { ended, thread: Some(thread) }
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
