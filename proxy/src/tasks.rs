//! Where the tasks of a proxy run, as a parameter: on tokio, or in a simulated process that can be stopped and killed.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

/// A task, whoever runs it.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts tasks. Cheap to clone.
#[derive(Clone)]
pub struct Tasks(Arc<dyn Fn(Task) + Send + Sync>);

impl Tasks {
    /// Tasks on the runtime of whoever starts them. They stop where they stand when the guard is dropped, as a crash
    /// would stop them; none starts afterwards.
    pub fn on_tokio() -> (Self, DropGuard) {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let tasks = Self::new(move |task| {
            let stop = stop.clone();
            tokio::spawn(async move {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = task => {}
                }
            });
        });
        (tasks, guard)
    }

    /// Tasks that somebody else runs, and stops.
    pub fn new(start: impl Fn(Task) + Send + Sync + 'static) -> Self {
        Self(Arc::new(start))
    }

    /// Starts a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        (self.0)(Box::pin(task));
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tasks")
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Weak;
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::*;

    async fn gone(held: &Weak<()>) -> bool {
        let patience = Instant::now() + Duration::from_secs(10);
        while held.upgrade().is_some() && Instant::now() < patience {
            sleep(Duration::from_millis(1)).await;
        }
        held.upgrade().is_none()
    }

    #[tokio::test]
    async fn tasks_and_the_tasks_that_they_started_end_with_the_guard() {
        let (tasks, guard) = Tasks::on_tokio();
        let (outer, inner) = (Arc::new(()), Arc::new(()));
        let held = [Arc::downgrade(&outer), Arc::downgrade(&inner)];
        let nested = tasks.clone();
        tasks.spawn(async move {
            nested.spawn(async move {
                let _inner = inner;
                pending::<()>().await;
            });
            let _outer = outer;
            pending::<()>().await;
        });
        tokio::task::yield_now().await;
        assert!(held.iter().all(|held| held.upgrade().is_some()));
        drop(guard);
        assert!(gone(&held[0]).await && gone(&held[1]).await);
        let late = Arc::new(());
        let held = Arc::downgrade(&late);
        tasks.spawn(async move {
            let _late = late;
            pending::<()>().await;
        });
        assert!(gone(&held).await, "nothing starts after the end");
    }
}
