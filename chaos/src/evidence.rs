//! What a result rests on, for whichever program reports it: the proxy's own audit, and the machine and its servers.

mod audit;
pub(crate) mod environment;
pub mod machine;

use std::time::Duration;

pub use self::audit::{Audit, AuditError, audit};

/// How long the audit of a demo or a scenario may take.
pub(crate) const AUDIT_MAX: Duration = Duration::from_secs(120);
