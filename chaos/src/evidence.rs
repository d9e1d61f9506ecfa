//! What a result rests on, for whichever command reports it: the proxy's own audit, and the machine and its servers.

pub(crate) mod audit;
pub(crate) mod environment;

pub use self::audit::AuditError;
