//! The errors: one enum for each operation, all with the same three questions.

mod bulk;
mod claim;
mod code;
mod order;
mod template;

use scrip_protocol::v1::Code;

pub use self::bulk::{
    AddBulkUsersError, CreateBulkJobError, GetBulkJobError, ListBulkJobsError, ListBulkResultsError,
    SetBulkJobStateError, StartBulkJobError, SubmitBulkJobError,
};
pub use self::claim::{ClaimError, ClaimPackError, GetClaimError, GetCouponError, ListCouponsError, PingError};
pub use self::code::{
    ClaimByCodeError, CreateCodeBatchError, ExportCodesError, GetCodeBatchError, ListCodeBatchesError,
    RevokeCodeBatchError,
};
pub use self::order::{OrderError, QuoteError};
pub use self::template::{CreateTemplateError, GetTemplateError, ListTemplatesError, ReplenishError, SetStatusError};
use crate::config::ConfigError;

/// Why a client could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Every proxy refuses this caller: mend the token, the name, the version or the topology.
    #[error("every proxy refuses this client: {}", list(.0))]
    Refused(Vec<ProxyFailure>),
    /// There is no tokio runtime to run on.
    #[error("a client needs a tokio runtime; blocking::Client brings its own")]
    NoRuntime,
    /// No proxy could be reached in time.
    #[error("no proxy could be reached: {}", list(.0))]
    Unreachable(Vec<ProxyFailure>),
}

/// Why a proxy does not serve this client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyFailure {
    /// The proxy's address.
    pub proxy: String,
    /// The code of its refusal; none when it could not be reached.
    pub code: Option<Code>,
    /// What happened, for people.
    pub detail: String,
}

fn list(failures: &[ProxyFailure]) -> String {
    let lines: Vec<_> = failures.iter().map(|failure| format!("{}: {}", failure.proxy, failure.detail)).collect();
    lines.join("; ")
}

/// The enum of one operation: what it may end with beside what every operation may.
macro_rules! operation_error {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        pub enum $name {
            $($(#[$variant_doc])* #[error("{0}")] $variant($crate::failure::Failure),)*
            /// Not applied, and the same request is refused again until something changes: the detail says what.
            #[error("{0}")]
            Rejected($crate::failure::Failure),
            /// Not applied; the same request may succeed later.
            #[error("{0}")]
            Unavailable($crate::failure::Failure),
            /// It may or may not have taken effect: ask again with the same request id.
            #[error("{0}")]
            Unknown($crate::failure::Failure),
        }

        impl $name {
            /// What became of the request.
            pub fn disposition(&self) -> scrip_protocol::Disposition {
                match self {
                    $(Self::$variant(_) => scrip_protocol::Disposition::NotApplied,)*
                    Self::Rejected(_) => scrip_protocol::Disposition::NotApplied,
                    Self::Unavailable(_) => scrip_protocol::Disposition::NotApplied,
                    Self::Unknown(_) => scrip_protocol::Disposition::Unknown,
                }
            }

            /// The code, also where the client found the failure by itself.
            pub fn code(&self) -> scrip_protocol::v1::Code {
                self.failure().code()
            }

            /// What was wrong and how to mend it, for people.
            pub fn detail(&self) -> &str {
                self.failure().detail()
            }

            /// When the proxy advises to try again.
            pub fn retry_after(&self) -> Option<std::time::Duration> {
                self.failure().retry_after()
            }

            /// Everything that is known about it.
            pub fn failure(&self) -> &$crate::failure::Failure {
                match self {
                    $(Self::$variant(failure) => failure,)*
                    Self::Rejected(failure) => failure,
                    Self::Unavailable(failure) => failure,
                    Self::Unknown(failure) => failure,
                }
            }
        }

        impl From<$name> for $crate::failure::Failure {
            fn from(error: $name) -> Self {
                match error {
                    $($name::$variant(failure) => failure,)*
                    $name::Rejected(failure) => failure,
                    $name::Unavailable(failure) => failure,
                    $name::Unknown(failure) => failure,
                }
            }
        }

        impl From<$crate::failure::Failure> for $name {
            fn from(failure: $crate::failure::Failure) -> Self {
                match failure.code {
                    $(scrip_protocol::v1::Code::$code => Self::$variant(failure),)*
                    _ => match $crate::policy::kind(&failure) {
                        $crate::policy::Kind::Rejected => Self::Rejected(failure),
                        $crate::policy::Kind::Unavailable => Self::Unavailable(failure),
                        $crate::policy::Kind::Unknown => Self::Unknown(failure),
                    },
                }
            }
        }
    };
}
pub(crate) use operation_error;
