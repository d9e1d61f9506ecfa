//! Runs blocking work on a thread of its own, so that the testbed needs no particular runtime.

use super::Error;

/// Runs `work` on a new thread and waits for it.
///
/// If the returned future is dropped, the work goes on to its end and its result is dropped there.
pub(crate) async fn offload<T, F>(work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Error> + Send + 'static,
{
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("testbed-work".to_owned())
        .spawn(move || drop(sender.send(work())))
        .map_err(Error::io("start a thread"))?;
    receiver.await.map_err(|_gone| Error::WorkerPanicked)?
}
