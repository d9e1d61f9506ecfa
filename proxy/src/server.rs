//! The listener: accepts connections up to a limit, and drains them when the proxy stops.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::connection::{self, Reception};

/// After a failed accept (no file descriptors left, for one), so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until `shutdown`, then tells every connection to go away and waits for what is in flight, up to the drain
/// time-out.
pub async fn serve(
    listener: TcpListener,
    reception: Arc<Reception>,
    connections_max: usize,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(connections_max));
    let connections = TaskTracker::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let reception = Arc::clone(&reception);
                connections.spawn(async move {
                    connection::serve(reception, stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    drain(&reception, &connections).await;
}

/// Waits for a place first: beyond the limit, callers wait in the backlog of the operating system.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

async fn drain(reception: &Reception, connections: &TaskTracker) {
    let limit = reception.limits.drain_timeout;
    tracing::info!(connections = connections.len(), "draining");
    reception.draining.cancel();
    connections.close();
    let idle = async {
        while reception.in_flight.load(std::sync::atomic::Ordering::Relaxed) > 0 {
            sleep(Duration::from_millis(10)).await;
        }
        // Answers that were just given still have to be written.
        sleep(Duration::from_millis(100)).await;
    };
    let drained = timeout(limit, async {
        tokio::select! {
            () = connections.wait() => {}
            () = idle => {}
        }
    });
    if drained.await.is_err() {
        tracing::warn!("drain time-out: requests in flight are cut; their callers ask again with the same request id");
    }
}
