//! Exchange codes as callers see them.

use scrip_protocol::v1;
use scrip_protocol::{CodeBatchId, RequestId, TemplateId};

use crate::reply::Malformed;

/// What a batch of codes is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewCodeBatch {
    /// What a code gives.
    pub template: TemplateId,
    /// How many codes: 1 to 10,000,000.
    pub count: u32,
    /// How many users can use each, once each: 1 to 1,000,000.
    pub uses: u32,
}

impl NewCodeBatch {
    /// Single-use codes.
    pub fn new(template: TemplateId, count: u32) -> Self {
        Self { template, count, uses: 1 }
    }
}

/// A batch of codes of one template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeBatch {
    /// Its id.
    pub batch: CodeBatchId,
    /// The request that created it.
    pub request_id: RequestId,
    /// What was asked for.
    pub new: NewCodeBatch,
    /// Whether new users can use its codes.
    pub status: CodeBatchStatus,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at_ms: i64,
}

/// Whether new users can use the codes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodeBatchStatus {
    /// They can.
    Open,
    /// They cannot, for good.
    Revoked,
    /// A status that this version does not know.
    Newer(i32),
}

/// Which batches to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CodeBatchQuery {
    /// At most so many: 1 to 500; 0: 50.
    pub page_size: u32,
    /// Batches with ids above this one.
    pub after: Option<CodeBatchId>,
}

/// Some batches, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeBatchPage {
    /// The batches.
    pub batches: Vec<CodeBatch>,
    /// For the next page; none: this was the last.
    pub next: Option<CodeBatchId>,
}

/// Some codes of a batch.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CodePage {
    pub(crate) batch: CodeBatchId,
    pub(crate) first_index: u32,
    pub(crate) codes: Vec<String>,
    pub(crate) next_index: Option<u32>,
}

// Not derived: codes are secrets.
impl std::fmt::Debug for CodePage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CodePage({} codes of batch {} from {})", self.codes.len(), self.batch, self.first_index)
    }
}

fn batch_id(id: u32) -> Result<CodeBatchId, Malformed> {
    CodeBatchId::try_new(id).map_err(|_| Malformed("the id of a batch of codes"))
}

impl CodeBatch {
    pub(crate) fn from_wire(wire: &v1::CodeBatch) -> Result<Self, Malformed> {
        let template = TemplateId::try_new(wire.template_id).map_err(|_| Malformed("a template id"))?;
        Ok(Self {
            batch: batch_id(wire.batch_id)?,
            request_id: RequestId::try_from_slice(&wire.request_id).map_err(|_| Malformed("a request id"))?,
            new: NewCodeBatch { template, count: wire.count, uses: wire.uses },
            status: match v1::CodeBatchStatus::try_from(wire.status) {
                Ok(v1::CodeBatchStatus::Open) => CodeBatchStatus::Open,
                Ok(v1::CodeBatchStatus::Revoked) => CodeBatchStatus::Revoked,
                Ok(v1::CodeBatchStatus::Unspecified) | Err(_) => CodeBatchStatus::Newer(wire.status),
            },
            created_at_ms: wire.created_at_ms,
        })
    }
}

impl CodeBatchPage {
    pub(crate) fn from_wire(wire: &v1::CodeBatchPage) -> Result<Self, Malformed> {
        let batches = wire.batches.iter().map(CodeBatch::from_wire).collect::<Result<_, _>>()?;
        let next = (wire.next_after_batch_id != 0).then(|| batch_id(wire.next_after_batch_id)).transpose()?;
        Ok(Self { batches, next })
    }
}

impl CodePage {
    pub(crate) fn from_wire(wire: v1::CodePage) -> Result<Self, Malformed> {
        let end = u64::from(wire.first_index) + wire.codes.len() as u64;
        if wire.next_index != 0 && u64::from(wire.next_index) != end {
            return Err(Malformed("a page of codes with a gap behind it"));
        }
        Ok(Self {
            batch: batch_id(wire.batch_id)?,
            first_index: wire.first_index,
            codes: wire.codes,
            next_index: (wire.next_index != 0).then_some(wire.next_index),
        })
    }
}
