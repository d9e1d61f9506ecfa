//! What the handles of all servers of a testbed can do.

/// The part of a handle's methods that is the same for all servers: what its process does, and its restarts.
macro_rules! handle {
    ($handle:ident, $server:ty) => {
        impl $handle {
            /// The name, as in `primary-03` or `shard-02`.
            pub fn name(&self) -> &str {
                self.server.process().name()
            }

            /// Where it listens. It stays the same over restarts.
            pub fn address(&self) -> std::net::SocketAddr {
                self.server.address()
            }

            /// What it logged, over all its runs.
            pub fn log_path(&self) -> &std::path::Path {
                self.server.process().log_path()
            }

            /// Its process id, while it runs.
            pub fn pid(&self) -> Option<u32> {
                self.server.process().pid()
            }

            /// Whether it runs; a frozen server does.
            pub fn is_running(&self) -> bool {
                self.server.process().is_running()
            }

            /// SIGKILL, and waits until it is gone.
            pub fn kill(&self) {
                self.server.process().kill();
            }

            /// SIGSTOP, and waits until it stands still.
            pub fn pause(&self) -> Result<(), $crate::testbed::Error> {
                self.server.process().pause()
            }

            /// SIGCONT.
            pub fn resume(&self) -> Result<(), $crate::testbed::Error> {
                self.server.process().resume()
            }

            /// Starts it again on the same port and waits until it answers. If it runs, it is stopped cleanly before; for a crash
            /// call [`kill`](Self::kill) first.
            pub async fn restart(&self, with: $crate::testbed::RestartWith<'_>) -> Result<(), $crate::testbed::Error> {
                let with = $crate::testbed::snapshot::Restart::from(with);
                self.run(move |server| server.restart(&with)).await
            }

            async fn run<T: Send + 'static>(
                &self,
                work: impl FnOnce(&$server) -> Result<T, $crate::testbed::Error> + Send + 'static,
            ) -> Result<T, $crate::testbed::Error> {
                let server = std::sync::Arc::clone(&self.server);
                $crate::testbed::offload::offload(move || server.alone(work)).await
            }
        }
    };
}
pub(super) use handle;
