//! What callers ask of exchange codes. Whatever changes something may be asked again, so that an outcome which the caller did
//! not learn is learned by asking again.

mod claim;

use std::sync::Arc;

use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{
    ClaimByCode, Code, CodeBatch, CodeBatchPage, CodePage, CreateCodeBatch, ExportCodes, GetCodeBatch, ListCodeBatches,
    RevokeCodeBatch,
};
use scrip_protocol::{CodeBatchId, RequestId, TemplateId, check};
use tokio::time::Instant;

use super::code::{CodeKey, Codes};
use crate::admission::caller::Caller;
use crate::flow::Flow;
use crate::operation::answer_in_time;
use crate::outbox::Ticket;
use crate::refusal::{Effect, Refusal};
use crate::store::MetaStore;
use crate::store::exchange::{BatchRecord, ExchangeStore, NewBatch};
use crate::tasks::Tasks;

/// A request about exchange codes.
#[derive(Debug)]
pub enum Operation {
    /// `CreateCodeBatch`
    Create(CreateCodeBatch),
    /// `GetCodeBatch`
    Get(GetCodeBatch),
    /// `ListCodeBatches`
    List(ListCodeBatches),
    /// `RevokeCodeBatch`
    Revoke(RevokeCodeBatch),
    /// `ExportCodes`
    Export(ExportCodes),
    /// `ClaimByCode`, of this caller.
    Claim(ClaimByCode, Arc<Caller>),
}

/// Carries them out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk<E> {
    flow: Arc<Flow>,
    store: E,
    codes: Codes,
    tasks: Tasks,
}

impl<E: ExchangeStore + MetaStore> Desk<E> {
    /// A desk over this store.
    pub fn new(flow: Arc<Flow>, store: E, codes: Codes, tasks: Tasks) -> Self {
        Self { flow, store, codes, tasks }
    }

    /// Carries it out in a task of its own and answers, at the deadline at the latest. What changes something goes on
    /// after the deadline to its end.
    pub fn start(&self, operation: Operation, ticket: Ticket, deadline: Instant) {
        let desk = self.clone();
        self.tasks.spawn(async move {
            match operation {
                Operation::Claim(claim, caller) => desk.claim(claim, &caller, ticket, deadline).await,
                Operation::Create(create) => {
                    answer_in_time(desk.create(create), Effect::Write, ticket, deadline).await;
                }
                Operation::Revoke(revoke) => {
                    answer_in_time(desk.revoke(revoke), Effect::Write, ticket, deadline).await;
                }
                Operation::Get(get) => answer_in_time(desk.get(get), Effect::Read, ticket, deadline).await,
                Operation::List(list) => answer_in_time(desk.list(list), Effect::Read, ticket, deadline).await,
                Operation::Export(export) => answer_in_time(desk.export(export), Effect::Read, ticket, deadline).await,
            }
        });
    }

    async fn create(&self, create: CreateCodeBatch) -> Result<Answer, Refusal> {
        let new = NewBatch {
            request: RequestId::try_from_slice(&create.request_id).map_err(invalid)?,
            template: TemplateId::try_new(create.template_id).map_err(invalid)?,
            count: create.count,
            uses: create.uses,
        };
        let created = self.store.create_batch(&new, self.flow.clock.now_ms()).await;
        Ok(Answer::CodeBatch(message(&created.map_err(|error| Refusal::of_exchange(&error, Effect::Write))?)))
    }

    async fn get(&self, get: GetCodeBatch) -> Result<Answer, Refusal> {
        Ok(Answer::CodeBatch(message(&self.batch(get.batch_id).await?)))
    }

    async fn list(&self, list: ListCodeBatches) -> Result<Answer, Refusal> {
        let count_max = check::page_size(list.page_size);
        let batches = self.store.batches(list.after_batch_id, count_max).await;
        let batches = batches.map_err(|error| Refusal::of_exchange(&error, Effect::Read))?;
        let more = batches.len() >= count_max as usize;
        let last = batches.last().map_or(0, |batch| batch.batch.get());
        let next_after_batch_id = if more { last } else { 0 };
        Ok(Answer::CodeBatchPage(CodeBatchPage { batches: batches.iter().map(message).collect(), next_after_batch_id }))
    }

    async fn revoke(&self, revoke: RevokeCodeBatch) -> Result<Answer, Refusal> {
        let revoked = self.store.revoke_batch(batch_id(revoke.batch_id)?).await;
        Ok(Answer::CodeBatch(message(&revoked.map_err(|error| Refusal::of_exchange(&error, Effect::Write))?)))
    }

    async fn export(&self, export: ExportCodes) -> Result<Answer, Refusal> {
        let ExportCodes { first_index, page_size, .. } = export;
        let record = self.batch(export.batch_id).await?;
        let prefix = self.prefix(record.new.template).await?;
        let end = first_index.saturating_add(check::page_size(page_size)).min(record.new.count);
        let code = |index| self.codes.encode(CodeKey { batch: record.batch, index }, &prefix);
        Ok(Answer::CodePage(CodePage {
            batch_id: export.batch_id,
            first_index,
            codes: (first_index..end).map(code).collect(),
            next_index: if end < record.new.count { end } else { 0 },
        }))
    }

    async fn batch(&self, id: u32) -> Result<BatchRecord, Refusal> {
        self.store.batch(batch_id(id)?).await.map_err(|error| Refusal::of_exchange(&error, Effect::Read))
    }

    /// What the codes of a template begin with. A definition never changes.
    async fn prefix(&self, template: TemplateId) -> Result<String, Refusal> {
        if let Some(known) = self.flow.templates.get(template) {
            return Ok(known.record.definition.code_prefix.clone());
        }
        let record = self.store.template(template).await.map_err(|error| Refusal::of_meta(&error, Effect::Read))?;
        Ok(record.definition.code_prefix)
    }
}

fn invalid(detail: impl ToString) -> Refusal {
    Refusal::new(Code::InvalidRequest, detail.to_string())
}

fn batch_id(id: u32) -> Result<CodeBatchId, Refusal> {
    CodeBatchId::try_new(id).map_err(invalid)
}

/// A batch as callers see it.
fn message(batch: &BatchRecord) -> CodeBatch {
    CodeBatch {
        batch_id: batch.batch.get(),
        request_id: batch.new.request.to_bytes(),
        template_id: batch.new.template.get(),
        count: batch.new.count,
        uses: batch.new.uses,
        status: batch.status.into(),
        created_at_ms: i64::try_from(batch.created_at_ms).unwrap_or(i64::MAX),
    }
}
