//! A simulated process: its tasks run, stand still, or are gone, all at once.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use scrip_proxy::tasks::{Task, Tasks};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::dice::Dice;

/// How often a task that is ready lets the others go first, in a thousand: orders that a queue alone would never give.
const YIELDS: u32 = 60;

/// One life of a proxy.
#[derive(Debug)]
pub struct Process {
    /// Which proxy it is a life of.
    pub slot: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    dice: Dice,
    standing: Vec<Waker>,
    tasks: Vec<AbortHandle>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Running,
    Stopped,
    Dead,
}

impl Process {
    /// A process that runs.
    pub fn new(slot: usize, dice: Dice) -> Arc<Self> {
        let state = State { mode: Mode::Running, dice, standing: Vec::new(), tasks: Vec::new() };
        Arc::new(Self { slot, state: Mutex::new(state), changed: Notify::new() })
    }

    /// Starts tasks in this process.
    pub fn tasks(self: &Arc<Self>) -> Tasks {
        let process = Arc::downgrade(self);
        Tasks::new(move |task| {
            if let Some(process) = process.upgrade() {
                process.spawn(task);
            }
        })
    }

    fn spawn(self: &Arc<Self>, task: Task) {
        if self.state.lock().mode == Mode::Dead {
            return;
        }
        let handle = tokio::spawn(Gated { process: Arc::clone(self), task: Some(task) }).abort_handle();
        let mut state = self.state.lock();
        if state.tasks.len() % 64 == 63 {
            state.tasks.retain(|task| !task.is_finished());
        }
        state.tasks.push(handle);
    }

    /// Ends it where it stands: none of its tasks takes another step.
    pub fn kill(&self) {
        self.set(Mode::Dead);
        let tasks = std::mem::take(&mut self.state.lock().tasks);
        tasks.iter().for_each(AbortHandle::abort);
    }

    /// All its tasks stand still while the world goes on.
    pub fn stop(&self) {
        self.set(Mode::Stopped);
    }

    /// They go on.
    pub fn resume(&self) {
        self.set(Mode::Running);
    }

    fn set(&self, mode: Mode) {
        let mut state = self.state.lock();
        if state.mode == Mode::Dead {
            return;
        }
        state.mode = mode;
        let standing = std::mem::take(&mut state.standing);
        drop(state);
        standing.into_iter().for_each(Waker::wake);
        self.changed.notify_waiters();
    }

    /// Waits until the process runs: for tasks of its tasks, which are not gated themselves. Never, once it is dead.
    pub async fn awake(&self) {
        loop {
            let changed = self.changed.notified();
            let mode = self.state.lock().mode;
            match mode {
                Mode::Running => return,
                Mode::Stopped => changed.await,
                Mode::Dead => std::future::pending().await,
            }
        }
    }

    fn step(&self, context: &Context<'_>) -> Mode {
        let mut state = self.state.lock();
        let mode = state.mode;
        match mode {
            Mode::Running if state.dice.chance(YIELDS) => {
                context.waker().wake_by_ref();
                Mode::Stopped
            }
            Mode::Stopped => {
                state.standing.push(context.waker().clone());
                Mode::Stopped
            }
            mode => mode,
        }
    }
}

/// A task that is polled only while its process runs.
struct Gated {
    process: Arc<Process>,
    task: Option<Task>,
}

impl Future for Gated {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.process.step(context) {
            Mode::Stopped => Poll::Pending,
            Mode::Dead => {
                self.task = None;
                Poll::Ready(())
            }
            Mode::Running => match &mut self.task {
                Some(task) => task.as_mut().poll(context),
                None => Poll::Ready(()),
            },
        }
    }
}
