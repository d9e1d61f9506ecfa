//! Operations besides claims: templates, stock, listing, quotes. Each runs in a task of its own; what it changes is idempotent,
//! so that an outcome which the caller did not learn is learned by asking again.

mod listing;
mod order;
mod quote;
mod reads;
mod sorted;
mod stock;
mod template;

use std::pin::pin;
use std::sync::Arc;

use scrip_protocol::RequestId;
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{
    Code, CountCoupons, CreateTemplate, GetCoupon, GetTemplate, ListCoupons, ListTemplates, Quote, Replenish,
    SetTemplateStatus, Template,
};
use tokio::time::{Instant, timeout_at};

use crate::flow::Flow;
use crate::order::OrderRequest;
use crate::outbox::{Reply, Ticket};
use crate::refusal::{Effect, Refusal};
use crate::settle::Settler;
use crate::store::{MetaStore, RecordStore, StockStore, TemplateRecord};
use crate::tasks::Tasks;

/// An operation besides claims.
#[derive(Debug)]
pub enum Operation {
    /// `CreateTemplate`
    CreateTemplate(Box<CreateTemplate>),
    /// `GetTemplate`
    GetTemplate(GetTemplate),
    /// `ListTemplates`
    ListTemplates(ListTemplates),
    /// `SetTemplateStatus`
    SetTemplateStatus(SetTemplateStatus),
    /// `Replenish`
    Replenish(Replenish),
    /// `ListCoupons`
    ListCoupons(ListCoupons),
    /// `CountCoupons`
    CountCoupons(CountCoupons),
    /// `GetCoupon`
    GetCoupon(GetCoupon),
    /// `LockCoupons`, `RedeemCoupons`, `UnlockCoupons` or `ReturnCoupons` of a template that is not in the snapshot.
    Order(OrderRequest),
    /// `Quote`
    Quote(Box<Quote>),
}

impl Operation {
    fn effect(&self) -> Effect {
        match self {
            Operation::GetTemplate(_)
            | Operation::ListTemplates(_)
            | Operation::ListCoupons(_)
            | Operation::CountCoupons(_)
            | Operation::GetCoupon(_)
            | Operation::Quote(_) => Effect::Read,
            Operation::CreateTemplate(_)
            | Operation::SetTemplateStatus(_)
            | Operation::Replenish(_)
            | Operation::Order(_) => Effect::Write,
        }
    }
}

/// Carries operations out. Cheap to clone.
#[derive(Debug)]
pub struct Operations<S, R, M> {
    flow: Arc<Flow>,
    settler: Settler<S, R, M>,
    stock: S,
    record: R,
    meta: M,
    tasks: Tasks,
}

impl<S: Clone, R: Clone, M: Clone> Clone for Operations<S, R, M> {
    fn clone(&self) -> Self {
        let Self { flow, settler, stock, record, meta, tasks } = self;
        let (flow, settler, tasks) = (Arc::clone(flow), settler.clone(), tasks.clone());
        Self { flow, settler, stock: stock.clone(), record: record.clone(), meta: meta.clone(), tasks }
    }
}

impl<S: StockStore, R: RecordStore, M: MetaStore> Operations<S, R, M> {
    /// Operations over these stores.
    pub fn new(flow: Arc<Flow>, settler: Settler<S, R, M>, stock: S, record: R, meta: M, tasks: Tasks) -> Self {
        Self { flow, settler, stock, record, meta, tasks }
    }

    /// Carries it out in a task of its own and answers, at the deadline at the latest. What changes something goes on
    /// after the deadline to its end.
    pub fn start(&self, operation: Operation, ticket: Ticket, deadline: Instant) {
        let operations = self.clone();
        self.tasks.spawn(async move {
            let operation = match operation {
                Operation::Order(request) => return operations.order(request, ticket, deadline).await,
                operation => operation,
            };
            let effect = operation.effect();
            answer_in_time(operations.carry_out(operation, deadline), effect, ticket, deadline).await;
        });
    }

    async fn carry_out(&self, operation: Operation, deadline: Instant) -> Result<Reply, Refusal> {
        let answered: Result<Answer, Refusal> = match operation {
            Operation::CreateTemplate(create) => self.create_template(*create).await.map(answer),
            Operation::GetTemplate(get) => {
                return self.get_template(get, deadline).await.map(|read| read.reply(answer));
            }
            Operation::ListTemplates(list) => {
                return self.list_templates(list, deadline).await.map(|read| read.reply(Answer::TemplatePage));
            }
            Operation::SetTemplateStatus(set) => self.set_template_status(set).await.map(answer),
            Operation::Replenish(replenish) => self.replenish(replenish, deadline).await.map(Answer::StockChange),
            Operation::ListCoupons(list) => {
                return self.list_coupons(list, deadline).await.map(|read| read.reply(Answer::CouponPage));
            }
            Operation::CountCoupons(count) => {
                return self.count_coupons(count, deadline).await.map(|read| read.reply(Answer::CouponCounts));
            }
            Operation::GetCoupon(get) => {
                return self.get_coupon(get, deadline).await.map(|read| read.reply(Answer::CouponHistory));
            }
            // Answered by its lane.
            Operation::Order(_) => Err(invalid("an order has no answer of its own")),
            Operation::Quote(quote) => self.quote(*quote).await.map(|quote| Answer::QuoteResult(Box::new(quote))),
        };
        answered.map(Reply::from)
    }
}

fn answer(template: Template) -> Answer {
    Answer::Template(Box::new(template))
}

/// Answers with what the work came to, at the deadline at the latest. Work that changes something then goes on to its
/// end.
pub(crate) async fn answer_in_time<A: Into<Reply>>(
    work: impl Future<Output = Result<A, Refusal>>,
    effect: Effect,
    ticket: Ticket,
    deadline: Instant,
) {
    let mut work = pin!(work);
    // A panic drops the ticket, which says that the outcome is unknown.
    match timeout_at(deadline, &mut work).await {
        Ok(Ok(answer)) => ticket.answer(answer),
        Ok(Err(Refusal { code, detail })) => ticket.refuse(code, detail, 0),
        Err(_) if effect == Effect::Read => {
            ticket.refuse(Code::DeadlineExceeded, "the deadline passed before it was read".to_owned(), 0);
        }
        Err(_) => {
            ticket.refuse(Code::OutcomeUnknown, "the deadline passed; it goes on".to_owned(), 0);
            drop(work.await);
        }
    }
}

fn invalid(detail: impl ToString) -> Refusal {
    Refusal::new(Code::InvalidRequest, detail.to_string())
}

fn template_id(id: u32) -> Result<scrip_protocol::TemplateId, Refusal> {
    scrip_protocol::TemplateId::try_new(id).map_err(invalid)
}

fn request_id(bytes: &[u8]) -> Result<RequestId, Refusal> {
    RequestId::try_from_slice(bytes).map_err(invalid)
}

/// A template as callers see it.
pub fn message(record: &TemplateRecord) -> Template {
    Template {
        template_id: record.template.get(),
        definition: Some(record.definition.clone()),
        status: record.status.into(),
        total_stock: record.total_stock,
        sold_out: record.sold_out,
        created_at_ms: i64::try_from(record.created_at_ms).unwrap_or(i64::MAX),
        revision: record.revision,
        sub_stocks: record.sub_stocks.iter().map(|sub_stock| u32::from(sub_stock.0)).collect(),
        stripes: u32::from(record.stripes),
    }
}
