//! Errors of templates.

use super::operation_error;

operation_error! {
    /// Why a template was not created.
    CreateTemplateError {
        /// The request id belongs to another request.
        RequestIdReused = RequestIdReused,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a template could not be read.
    GetTemplateError {
        /// No template has this id.
        NotFound = TemplateNotFound,
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why templates could not be listed.
    ListTemplatesError {
        /// The deadline passed.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a template's status was not changed.
    SetStatusError {
        /// No template has this id.
        NotFound = TemplateNotFound,
        /// The action does not lead on from the template's status.
        InvalidTransition = InvalidTransition,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}

operation_error! {
    /// Why a template's stock was not changed.
    ReplenishError {
        /// No template has this id.
        NotFound = TemplateNotFound,
        /// The template is closed for good.
        Closed = TemplateClosed,
        /// The template is still a draft.
        NotPublished = TemplateNotPublished,
        /// The request id belongs to another request.
        RequestIdReused = RequestIdReused,
        /// The deadline passed before anything happened.
        DeadlineExceeded = DeadlineExceeded,
    }
}
