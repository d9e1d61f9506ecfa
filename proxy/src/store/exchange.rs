//! Batches of exchange codes, and the uses of codes, as their tasks see them.
//!
//! A batch stands in meta and never changes but for its revocation. A code has no row. Its uses stand on one primary, whoever
//! the users are, one row a use, numbered densely from 1; rows are never changed and never deleted.

use scrip_protocol::v1::CodeBatchStatus;
use scrip_protocol::{CodeBatchId, RequestId, TemplateId, UserId};
use scrip_shard_config::PrimaryId;

use super::StoreError;
use crate::exchange::code::CodeKey;

/// What a caller wants of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewBatch {
    /// The caller's id.
    pub request: RequestId,
    /// What a code gives.
    pub template: TemplateId,
    /// How many codes.
    pub count: u32,
    /// How many users can use each.
    pub uses: u32,
}

/// A batch as it stands in meta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchRecord {
    /// Its id.
    pub batch: CodeBatchId,
    /// What was asked for.
    pub new: NewBatch,
    /// Open or revoked.
    pub status: CodeBatchStatus,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at_ms: u64,
}

/// A use of a code that a user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewUse {
    /// The code.
    pub code: CodeKey,
    /// By whom.
    pub user: UserId,
    /// How many uses the code has.
    pub uses: u32,
    /// Milliseconds since 1970-01-01 UTC.
    pub now_ms: u64,
}

/// Why something was not done to a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// No such batch.
    #[error("there is no such batch of codes")]
    NotFound,
    /// The batch's template does not exist.
    #[error("there is no such template")]
    TemplateNotFound,
    /// The request id was used with other contents.
    #[error("this request id was used for another batch of codes")]
    RequestIdReused,
    /// A code has no room for the number of another batch.
    #[error("there are as many batches as codes can name; no other one can be created")]
    Full,
    /// Meta could not be asked, or its answer is not known.
    #[error(transparent)]
    Meta(#[from] StoreError),
}

/// Batches in meta, and uses on the primaries. Every writing call may be repeated.
pub trait ExchangeStore: Clone + Send + Sync + 'static {
    /// Creates a batch, or returns the one that this request id created.
    fn create_batch(
        &self,
        new: &NewBatch,
        now_ms: u64,
    ) -> impl Future<Output = Result<BatchRecord, ExchangeError>> + Send;

    /// One batch.
    fn batch(&self, batch: CodeBatchId) -> impl Future<Output = Result<BatchRecord, ExchangeError>> + Send;

    /// Batches with ids above `after`, by id.
    fn batches(
        &self,
        after: u32,
        count_max: u32,
    ) -> impl Future<Output = Result<Vec<BatchRecord>, ExchangeError>> + Send;

    /// From OPEN to REVOKED.
    fn revoke_batch(&self, batch: CodeBatchId) -> impl Future<Output = Result<BatchRecord, ExchangeError>> + Send;

    /// The number of the user's use of a code.
    fn use_of(
        &self,
        primary: PrimaryId,
        code: CodeKey,
        user: UserId,
    ) -> impl Future<Output = Result<Option<u32>, StoreError>> + Send;

    /// Takes the next use of a code; `false`: none was taken, because another use was at the same moment or because there is
    /// none left. Which of them, and its number, is for [`ExchangeStore::use_of`] and [`ExchangeStore::used`] to say.
    fn take_use(&self, primary: PrimaryId, new: &NewUse) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// How many uses of a code are taken.
    fn used(&self, primary: PrimaryId, code: CodeKey) -> impl Future<Output = Result<u32, StoreError>> + Send;
}
