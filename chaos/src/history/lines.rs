//! A history as JSON lines: one object for each template, send, question, operation, send of a deed, loss, pack, job of a bulk
//! issue and event.

use std::io::{self, Write};

use scrip_client::BulkOutcome;
use serde::Serialize;

use super::{
    Act, Action, Asked, BulkFact, CodeRef, DeedSent, DeedTold, EventTold, Found, History, LostCommits, Operation,
    OperationTold, PackFact, Sent, TemplateFact, Told,
};

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Template {
        template: u32,
        total_stock: u64,
        per_user_limit: u32,
    },
    Send(SendLine),
    Ask {
        request: u32,
        asked_at_us: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        answered_at_us: Option<u64>,
        #[serde(flatten)]
        found: FoundLine,
    },
    Operation {
        template: u32,
        #[serde(flatten)]
        action: ActionLine,
        sent_at_us: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        answered_at_us: Option<u64>,
        #[serde(flatten)]
        told: OperationLine,
    },
    Deed {
        order: String,
        user: u64,
        act: Act,
        coupons: Vec<(u32, u16)>,
        sent_at_us: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        answered_at_us: Option<u64>,
        #[serde(flatten)]
        told: DeedLine,
    },
    LostCommits {
        primary: u16,
        from_us: u64,
        until_us: u64,
    },
    /// Its sends are those of the requests of its coupons.
    Pack {
        user: u64,
        request_id: String,
        items: Vec<(u32, u8)>,
        requests: Vec<u32>,
    },
    BulkJob {
        request_id: String,
        template: u32,
        jobs_told: Vec<u32>,
        users: usize,
        issued: Option<usize>,
    },
    Event {
        id: String,
        kind: String,
        template: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<u32>,
        at_us: u64,
    },
}

#[derive(Serialize)]
#[serde(tag = "found", rename_all = "snake_case")]
enum FoundLine {
    Nothing,
    Coupon { coupon_id: String, seq: u32 },
    NotFound,
    Failed { code: &'static str },
}

#[derive(Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum ActionLine {
    Stock { units: i64, operation_id: String },
    Pause,
    Resume,
    Close,
}

#[derive(Serialize)]
#[serde(tag = "told", rename_all = "snake_case")]
enum OperationLine {
    Nothing,
    Done,
    Changed { units_applied: i64, total_stock: u64 },
    NotApplied { code: &'static str },
    Unknown { code: &'static str },
}

#[derive(Serialize)]
#[serde(tag = "told", rename_all = "snake_case")]
enum DeedLine {
    Nothing,
    Done,
    NotApplied { code: &'static str },
    Unknown { code: &'static str },
}

#[derive(Serialize)]
struct SendLine {
    send: usize,
    request: u32,
    user: u64,
    template: u32,
    request_id: String,
    /// Batch and index of a claim by code, whose request id is a placeholder.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<(u32, u32)>,
    sent_at_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_at_us: Option<u64>,
    #[serde(flatten)]
    told: ToldLine,
}

#[derive(Serialize)]
#[serde(tag = "told", rename_all = "snake_case")]
enum ToldLine {
    Nothing,
    Coupon { coupon_id: String, seq: u32, replayed: bool },
    NotApplied { code: &'static str },
    Unknown { code: &'static str },
}

impl History {
    /// Writes one JSON object a line: the templates, then the sends in their order, each with its request and answer, then
    /// the questions, the operations, the sends of deeds, the losses, the packs, the jobs and the events.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write_json_lines(&self, out: &mut impl Write) -> io::Result<()> {
        for fact in self.templates() {
            write_line(out, &template_line(fact))?;
        }
        for (number, sent) in self.sends().iter().enumerate() {
            write_line(out, &self.send_line(number, sent))?;
        }
        self.asks().iter().try_for_each(|asked| write_line(out, &ask_line(asked)))?;
        self.operations().iter().try_for_each(|operation| write_line(out, &operation_line(operation)))?;
        self.deed_sends().iter().try_for_each(|sent| write_line(out, &self.deed_line(sent)))?;
        self.losses().iter().try_for_each(|lost| write_line(out, &lost_line(lost)))?;
        self.packs().iter().try_for_each(|pack| write_line(out, &pack_line(pack)))?;
        self.jobs().iter().try_for_each(|job| write_line(out, &job_line(job)))?;
        self.events().unwrap_or_default().iter().try_for_each(|told| write_line(out, &event_line(told)))?;
        out.flush()
    }

    fn deed_line(&self, sent: &DeedSent) -> Line {
        let deed = &self.deeds()[sent.deed.0 as usize];
        Line::Deed {
            order: deed.order.to_string(),
            user: deed.user.get(),
            act: deed.act,
            coupons: deed.coupons.iter().map(|(template, seq)| (template.get(), *seq)).collect(),
            sent_at_us: sent.sent_at_us,
            answered_at_us: (sent.told != DeedTold::Nothing).then_some(sent.answered_at_us),
            told: match sent.told {
                DeedTold::Nothing => DeedLine::Nothing,
                DeedTold::Done => DeedLine::Done,
                DeedTold::NotApplied(code) => DeedLine::NotApplied { code: code.as_str_name() },
                DeedTold::Unknown(code) => DeedLine::Unknown { code: code.as_str_name() },
            },
        }
    }

    fn send_line(&self, number: usize, sent: &Sent) -> Line {
        let request = &self.requests()[sent.request.0 as usize];
        Line::Send(SendLine {
            send: number,
            request: sent.request.0,
            user: request.user.get(),
            template: request.template.get(),
            request_id: request.id.to_string(),
            code: self.code_of(sent.request).map(|CodeRef { batch, index }| (batch.get(), index)),
            sent_at_us: sent.sent_at_us,
            answered_at_us: (sent.told != Told::Nothing).then_some(sent.answered_at_us),
            told: told_line(sent.told),
        })
    }
}

fn template_line(fact: &TemplateFact) -> Line {
    let TemplateFact { template, total_stock, per_user_limit } = *fact;
    Line::Template { template: template.get(), total_stock, per_user_limit }
}

fn told_line(told: Told) -> ToldLine {
    match told {
        Told::Nothing => ToldLine::Nothing,
        Told::Coupon { coupon, seq, replayed } => ToldLine::Coupon { coupon_id: coupon.to_string(), seq, replayed },
        Told::NotApplied(code) => ToldLine::NotApplied { code: code.as_str_name() },
        Told::Unknown(code) => ToldLine::Unknown { code: code.as_str_name() },
    }
}

fn ask_line(asked: &Asked) -> Line {
    let found = match asked.found {
        Found::Nothing => FoundLine::Nothing,
        Found::Coupon { coupon, seq } => FoundLine::Coupon { coupon_id: coupon.to_string(), seq },
        Found::NotFound => FoundLine::NotFound,
        Found::Failed(code) => FoundLine::Failed { code: code.as_str_name() },
    };
    let answered_at_us = (asked.found != Found::Nothing).then_some(asked.answered_at_us);
    Line::Ask { request: asked.request.0, asked_at_us: asked.asked_at_us, answered_at_us, found }
}

fn operation_line(operation: &Operation) -> Line {
    let action = match operation.action {
        Action::Stock { units, id } => ActionLine::Stock { units, operation_id: id.to_string() },
        Action::Pause => ActionLine::Pause,
        Action::Resume => ActionLine::Resume,
        Action::Close => ActionLine::Close,
    };
    let told = match operation.told {
        OperationTold::Nothing => OperationLine::Nothing,
        OperationTold::Done => OperationLine::Done,
        OperationTold::Changed { units, total_stock } => OperationLine::Changed { units_applied: units, total_stock },
        OperationTold::NotApplied(code) => OperationLine::NotApplied { code: code.as_str_name() },
        OperationTold::Unknown(code) => OperationLine::Unknown { code: code.as_str_name() },
    };
    let answered_at_us = (operation.told != OperationTold::Nothing).then_some(operation.answered_at_us);
    let (template, sent_at_us) = (operation.template.get(), operation.sent_at_us);
    Line::Operation { template, action, sent_at_us, answered_at_us, told }
}

fn lost_line(lost: &LostCommits) -> Line {
    Line::LostCommits { primary: lost.primary.0, from_us: lost.from_us, until_us: lost.until_us }
}

fn pack_line(pack: &PackFact) -> Line {
    Line::Pack {
        user: pack.user.get(),
        request_id: pack.request.to_string(),
        items: pack.items.iter().map(|(template, count)| (template.get(), *count)).collect(),
        requests: pack.units.iter().map(|unit| unit.0).collect(),
    }
}

fn job_line(job: &BulkFact) -> Line {
    let issued = |(_, outcome): &&(_, BulkOutcome)| matches!(outcome, BulkOutcome::Issued(_));
    Line::BulkJob {
        request_id: job.request.to_string(),
        template: job.template.get(),
        jobs_told: job.told.iter().map(|id| id.get()).collect(),
        users: job.users.len(),
        issued: job.results.as_ref().map(|results| results.iter().filter(issued).count()),
    }
}

fn event_line(EventTold { event, at_us }: &EventTold) -> Line {
    Line::Event {
        id: event.id.to_string(),
        kind: format!("{:?}", event.kind),
        template: event.template.get(),
        user: event.coupon.map(|coupon| coupon.user.get()),
        seq: event.coupon.map(|coupon| coupon.seq),
        step: event.coupon.and_then(|coupon| coupon.step),
        at_us: *at_us,
    }
}

fn write_line(out: &mut impl Write, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use scrip_client::{Code, CouponId, RequestId, TemplateId, UserId};

    use super::*;
    use crate::history::Request;

    #[test]
    fn every_template_and_every_send_is_one_line() {
        let template = TemplateId::try_new(7).expect("not zero");
        let mut history = History::default();
        history.created(TemplateFact { template, total_stock: 10, per_user_limit: 1 });
        let request = history.request(Request { user: UserId(42), template, id: RequestId([1; 16]) });
        let told = [
            Told::Coupon { coupon: CouponId([2; 16]), seq: 1, replayed: false },
            Told::NotApplied(Code::SoldOut),
            Told::Unknown(Code::OutcomeUnknown),
        ];
        for told in told {
            let send = history.sent(request, Duration::from_micros(5));
            history.answered(send, Duration::from_micros(9), told);
        }
        history.sent(request, Duration::from_micros(6));
        let mut text = Vec::new();
        history.write_json_lines(&mut text).expect("written");
        let about = "\"request\":0,\"user\":42,\"template\":7,\"request_id\":\"01010101010101010101010101010101\"";
        let times = "\"sent_at_us\":5,\"answered_at_us\":9";
        let expect = format!(
            "{{\"event\":\"template\",\"template\":7,\"total_stock\":10,\"per_user_limit\":1}}\n\
             {{\"event\":\"send\",\"send\":0,{about},{times},\"told\":\"coupon\",\"coupon_id\":\"{coupon}\",\"seq\":1,\
             \"replayed\":false}}\n\
             {{\"event\":\"send\",\"send\":1,{about},{times},\"told\":\"not_applied\",\"code\":\"CODE_SOLD_OUT\"}}\n\
             {{\"event\":\"send\",\"send\":2,{about},{times},\"told\":\"unknown\",\"code\":\"CODE_OUTCOME_UNKNOWN\"}}\n\
             {{\"event\":\"send\",\"send\":3,{about},\"sent_at_us\":6,\"told\":\"nothing\"}}\n",
            coupon = "02".repeat(16),
        );
        assert_eq!(String::from_utf8(text).expect("text"), expect);
    }
}
