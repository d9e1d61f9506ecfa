//! What can go wrong between us and a server, and what that means for a claim.

use std::time::Duration;

use mysql_async::Error;

use crate::store::{RecordError, StoreError};

/// A column that must not be NULL was given NULL: how the packets say that a fence does not match.
pub(super) const ER_BAD_NULL_ERROR: u16 = 1048;
/// The database does not exist.
pub(super) const ER_BAD_DB_ERROR: u16 = 1049;
/// A row with this key exists.
pub(super) const ER_DUP_ENTRY: u16 = 1062;
/// There is no such column to drop.
pub(super) const ER_CANT_DROP_FIELD_OR_KEY: u16 = 1091;
/// The table does not exist.
pub(super) const ER_NO_SUCH_TABLE: u16 = 1146;
/// A lock was waited for too long. Only the statement is undone, so a ROLLBACK must follow.
const ER_LOCK_WAIT_TIMEOUT: u16 = 1205;
/// Chosen as the victim of a deadlock.
pub(super) const ER_LOCK_DEADLOCK: u16 = 1213;

/// Why a packet was not carried out to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// The server answered one of the statements with an error; those after it were not run.
    Server {
        /// Which statement of the packet, from 0.
        statement: usize,
        /// The error's number.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// The connection failed, or said what nobody understands.
    Lost(String),
    /// The answer did not come in time.
    TimedOut(Duration),
    /// It is not a server that we work with. Only while connecting.
    Unsupported(String),
}

impl Failed {
    /// An error of the driver while it waited for the answer to this statement.
    pub(super) fn at(statement: usize, error: Error) -> Failed {
        match error {
            Error::Server(error) => Failed::Server { statement, code: error.code, message: error.message },
            // None of these texts holds the password; `Opts` and `Conn` would, and are never printed.
            error @ (Error::Driver(_) | Error::Io(_) | Error::Other(_) | Error::Url(_)) => {
                Failed::Lost(error.to_string())
            }
        }
    }

    /// Something that the schema rules out.
    pub(super) fn unexpected(what: &str) -> Failed {
        Failed::Lost(format!("unexpected answer: {what}"))
    }

    /// The connection can be used again once a ROLLBACK has succeeded.
    pub(super) fn answered(&self) -> bool {
        match self {
            Failed::Server { .. } => true,
            Failed::Lost(_) | Failed::TimedOut(_) | Failed::Unsupported(_) => false,
        }
    }

    /// The error number, if a server gave one.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Failed::Server { code, .. } => Some(*code),
            Failed::Lost(_) | Failed::TimedOut(_) | Failed::Unsupported(_) => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Failed::Server { code, message, .. } => format!("error {code}: {message}"),
            Failed::Lost(text) | Failed::Unsupported(text) => text.clone(),
            Failed::TimedOut(limit) => format!("no answer in {limit:?}"),
        }
    }

    /// Of something that changes nothing, or whose COMMIT was not sent.
    pub(super) fn not_applied(&self, whom: &str) -> StoreError {
        match self {
            Failed::Server { .. } | Failed::Unsupported(_) => StoreError::Refused(format!("{whom}: {}", self.text())),
            Failed::Lost(_) | Failed::TimedOut(_) => StoreError::Unreachable(format!("{whom}: {}", self.text())),
        }
    }

    /// Of a packet that held a COMMIT as statement `commit`. An error before it is a transaction that ends with the
    /// connection or with a ROLLBACK; an error of the COMMIT itself proves nothing.
    pub(super) fn maybe_applied(&self, whom: &str, commit: usize) -> StoreError {
        match self {
            Failed::Server { statement, .. } if *statement < commit => self.not_applied(whom),
            Failed::Server { .. } | Failed::Lost(_) | Failed::TimedOut(_) | Failed::Unsupported(_) => {
                StoreError::Unknown(format!("{whom}: {}", self.text()))
            }
        }
    }

    /// Of a packet that writes rows and holds a COMMIT as statement `commit`.
    pub(super) fn of_record(&self, whom: &str, commit: usize) -> RecordError {
        let text = format!("{whom}: {}", self.text());
        match self {
            Failed::Server { statement, code, .. } if *statement < commit => match *code {
                ER_DUP_ENTRY => RecordError::Conflict,
                ER_BAD_NULL_ERROR => RecordError::Fenced,
                ER_LOCK_DEADLOCK | ER_LOCK_WAIT_TIMEOUT => RecordError::RolledBack(text),
                // Any other number is the server's refusal: the transaction did not reach its COMMIT.
                _ => RecordError::Refused(text),
            },
            Failed::Server { .. } | Failed::Lost(_) | Failed::TimedOut(_) | Failed::Unsupported(_) => {
                RecordError::Unknown(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sql::record::record_commit;
    use super::*;

    const RECORD_COMMIT: usize = record_commit(false);

    fn check(statement: usize, code: u16, expect: fn(&RecordError) -> bool) {
        let error = Failed::Server { statement, code, message: "words".into() }.of_record("p01", RECORD_COMMIT);
        assert!(expect(&error), "{code} at statement {statement} became {error:?}");
    }

    #[test]
    fn errors_before_the_commit_are_definite_and_errors_of_the_commit_are_not() {
        check(2, ER_DUP_ENTRY, |e| matches!(e, RecordError::Conflict));
        check(2, ER_BAD_NULL_ERROR, |e| matches!(e, RecordError::Fenced));
        check(1, ER_LOCK_WAIT_TIMEOUT, |e| matches!(e, RecordError::RolledBack(_)));
        check(2, ER_LOCK_DEADLOCK, |e| matches!(e, RecordError::RolledBack(_)));
        check(1, 1290, |e| matches!(e, RecordError::Refused(_)));
        check(2, 1021, |e| matches!(e, RecordError::Refused(_)));
        for code in [1180, 1026, 1213, 1290] {
            check(RECORD_COMMIT, code, |e| matches!(e, RecordError::Unknown(_)));
        }
        assert!(matches!(Failed::Lost("cut".into()).of_record("p01", RECORD_COMMIT), RecordError::Unknown(_)));
        assert!(matches!(Failed::TimedOut(Duration::ZERO).of_record("p01", RECORD_COMMIT), RecordError::Unknown(_)));
    }
}
