//! Errors of bulk jobs.

use super::operation_error;
use crate::failure::Failure;

operation_error! {
    /// Why a bulk job was not created.
    CreateBulkJobError {
        /// No template has this id.
        TemplateNotFound = TemplateNotFound,
        /// The request id belongs to another job.
        RequestIdReused = RequestIdReused,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why users were not added to a bulk job; some of them may be on its list. Adding them again is always safe.
    AddBulkUsersError {
        /// No bulk job has this id.
        NotFound = BulkJobNotFound,
        /// The job was started.
        Sealed = BulkJobSealed,
        /// The job was cancelled.
        Cancelled = BulkJobCancelled,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a bulk job was not started.
    StartBulkJobError {
        /// No bulk job has this id.
        NotFound = BulkJobNotFound,
        /// Its list has another number of users, or other ones: the detail says which.
        CountMismatch = BulkCountMismatch,
        /// The job was cancelled.
        Cancelled = BulkJobCancelled,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why the state of a bulk job was not changed.
    SetBulkJobStateError {
        /// No bulk job has this id.
        NotFound = BulkJobNotFound,
        /// The action does not lead on from the job's state.
        InvalidTransition = InvalidTransition,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why the progress of a bulk job could not be told.
    GetBulkJobError {
        /// No bulk job has this id.
        NotFound = BulkJobNotFound,
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why bulk jobs could not be listed.
    ListBulkJobsError {
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why results of a bulk job could not be listed.
    ListBulkResultsError {
        /// No bulk job has this id.
        NotFound = BulkJobNotFound,
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

/// Which step of a submission failed. Submitting the same list under the same request id again goes on from there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitBulkJobError {
    /// The job was not created.
    #[error("the job was not created: {0}")]
    Create(#[from] CreateBulkJobError),
    /// Users were not added.
    #[error("users were not added: {0}")]
    Add(#[from] AddBulkUsersError),
    /// It was not started.
    #[error("the job was not started: {0}")]
    Start(#[from] StartBulkJobError),
}

impl From<SubmitBulkJobError> for Failure {
    fn from(error: SubmitBulkJobError) -> Self {
        match error {
            SubmitBulkJobError::Create(error) => error.into(),
            SubmitBulkJobError::Add(error) => error.into(),
            SubmitBulkJobError::Start(error) => error.into(),
        }
    }
}
