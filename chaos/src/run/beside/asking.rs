//! Many who ask, some at a time.

use tokio::task::JoinSet;

/// Who ask at once.
const ASKING_MAX: usize = 64;

/// Those under way, and what did not come to its end.
#[derive(Debug, Default)]
pub(super) struct Asking {
    tasks: JoinSet<Option<String>>,
    problems: Vec<String>,
}

impl Asking {
    /// Starts one, when there is room. It says what did not come to its end.
    pub(super) async fn add(&mut self, task: impl Future<Output = Option<String>> + Send + 'static) {
        if self.tasks.len() >= ASKING_MAX
            && let Some(Ok(problem)) = self.tasks.join_next().await
        {
            self.problems.extend(problem);
        }
        self.tasks.spawn(task);
    }

    /// Waits for those under way.
    pub(super) async fn end(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            self.problems.extend(ended.ok().flatten());
        }
    }

    /// What did not come to its end.
    pub(super) fn problems(self) -> Vec<String> {
        self.problems
    }
}
