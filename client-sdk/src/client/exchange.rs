//! Operations on exchange codes. What they change may be asked again with the same values.

use std::collections::VecDeque;

use scrip_protocol::limits::PAGE_SIZE_MAX;
use scrip_protocol::v1;
use scrip_protocol::v1::request::Operation as Wire;
use scrip_protocol::{CodeBatchId, RequestId, UserId};

use super::Client;
use crate::coupon::Coupon;
use crate::error::{
    ClaimByCodeError, CreateCodeBatchError, ExportCodesError, GetCodeBatchError, ListCodeBatchesError,
    RevokeCodeBatchError,
};
use crate::exchange::{CodeBatch, CodeBatchPage, CodeBatchQuery, NewCodeBatch};
use crate::reply::{Answer, wrong_kind};

/// Batches of exchange codes. Made with [`Client::codes`].
///
/// ```no_run
/// # async fn run(client: scrip_client::Client, template: scrip_client::TemplateId) -> Result<(), Box<dyn std::error::Error>> {
/// use scrip_client::{NewCodeBatch, UserId, mint_request_id};
///
/// let batch = client.codes().create(mint_request_id(), NewCodeBatch::new(template, 10_000)).await?;
/// let mut codes = client.codes().export(batch.batch);
/// while let Some(code) = codes.next().await? {
///     // print it on a flyer
/// }
/// let coupon = client.claim_by_code(UserId(42), "TEA-ABCD-EFGH-JKLM-NPQR-S").await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Codes {
    client: Client,
}

impl Client {
    /// Batches of exchange codes.
    pub fn codes(&self) -> Codes {
        Codes { client: self.clone() }
    }

    /// The coupon that a code gives the user. It needs no request id: the same user and code, sent any number of times, give one
    /// coupon, with [`Coupon::replayed`] set from the second answer on.
    ///
    /// # Errors
    /// [`ClaimByCodeError::disposition`] says whether it may have taken effect. A claim that the template refuses, as with
    /// [`ClaimByCodeError::LimitReached`], can leave a use of the code with this user for good: no other user gets it.
    pub async fn claim_by_code(&self, user: UserId, code: &str) -> Result<Coupon, ClaimByCodeError> {
        let operation = v1::ClaimByCode { user_id: user.get(), code: code.to_owned(), attempt: 0 };
        match self.ask(Wire::ClaimByCode(operation)).await? {
            Answer::Coupon(coupon) => Ok(coupon),
            _ => Err(wrong_kind().into()),
        }
    }
}

impl Codes {
    /// Creates a batch. The same request id gives the same batch.
    ///
    /// # Errors
    /// [`CreateCodeBatchError::disposition`] says whether it may have taken effect.
    pub async fn create(&self, request_id: RequestId, new: NewCodeBatch) -> Result<CodeBatch, CreateCodeBatchError> {
        let operation = v1::CreateCodeBatch {
            request_id: request_id.to_bytes(),
            template_id: new.template.get(),
            count: new.count,
            uses: new.uses,
        };
        match self.client.ask_admin(Wire::CreateCodeBatch(operation)).await? {
            Answer::CodeBatch(batch) => Ok(batch),
            _ => Err(wrong_kind().into()),
        }
    }

    /// One batch.
    ///
    /// # Errors
    /// [`GetCodeBatchError::NotFound`], or no answer in time.
    pub async fn get(&self, batch: CodeBatchId) -> Result<CodeBatch, GetCodeBatchError> {
        match self.client.ask(Wire::GetCodeBatch(v1::GetCodeBatch { batch_id: batch.get() })).await? {
            Answer::CodeBatch(batch) => Ok(batch),
            _ => Err(wrong_kind().into()),
        }
    }

    /// One page of batches, in the order of their ids. For the next, put the page's `next` into the query's `after`.
    ///
    /// # Errors
    /// Nothing is changed by it: ask again.
    pub async fn list(&self, query: &CodeBatchQuery) -> Result<CodeBatchPage, ListCodeBatchesError> {
        let after_batch_id = query.after.map_or(0, CodeBatchId::get);
        let operation = v1::ListCodeBatches { page_size: query.page_size, after_batch_id };
        match self.client.ask(Wire::ListCodeBatches(operation)).await? {
            Answer::CodeBatchPage(page) => Ok(page),
            _ => Err(wrong_kind().into()),
        }
    }

    /// No code of the batch is accepted any more from users who have not used it. Who has, can still ask for the coupon.
    ///
    /// # Errors
    /// [`RevokeCodeBatchError::disposition`] says whether it may have taken effect.
    pub async fn revoke(&self, batch: CodeBatchId) -> Result<CodeBatch, RevokeCodeBatchError> {
        match self.client.ask_admin(Wire::RevokeCodeBatch(v1::RevokeCodeBatch { batch_id: batch.get() })).await? {
            Answer::CodeBatch(batch) => Ok(batch),
            _ => Err(wrong_kind().into()),
        }
    }

    /// The codes of a batch, page after page; the same ones each time.
    pub fn export(&self, batch: CodeBatchId) -> ExportedCodes {
        ExportedCodes { client: self.client.clone(), batch, page: VecDeque::new(), next_index: Some(0) }
    }
}

/// The codes of a batch, one after the other. Made with [`Codes::export`].
#[derive(Clone)]
pub struct ExportedCodes {
    client: Client,
    batch: CodeBatchId,
    page: VecDeque<String>,
    /// Where the next page begins; none: the last was read.
    next_index: Option<u32>,
}

// Not derived: codes are secrets.
impl std::fmt::Debug for ExportedCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExportedCodes(batch {})", self.batch)
    }
}

impl ExportedCodes {
    /// The next code; `None` after the last. After an error, or when the future is dropped, the same one is next.
    ///
    /// # Errors
    /// [`ExportCodesError::NotFound`], or no answer in time.
    pub async fn next(&mut self) -> Result<Option<String>, ExportCodesError> {
        while self.page.is_empty() {
            let Some(first_index) = self.next_index else { return Ok(None) };
            let operation = v1::ExportCodes { batch_id: self.batch.get(), first_index, page_size: PAGE_SIZE_MAX };
            let Answer::CodePage(page) = self.client.ask(Wire::ExportCodes(operation)).await? else {
                return Err(wrong_kind().into());
            };
            self.next_index = page.next_index;
            self.page = page.codes.into();
        }
        Ok(self.page.pop_front())
    }
}
