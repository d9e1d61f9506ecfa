//! A history as JSON lines: one object for each template and each send.

use std::io::{self, Write};

use serde::Serialize;

use super::{History, Sent, TemplateFact, Told};

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Template { template: u32, total_stock: u64, per_user_limit: u32 },
    Send(SendLine),
}

#[derive(Serialize)]
struct SendLine {
    send: usize,
    request: u32,
    user: u64,
    template: u32,
    request_id: String,
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
    /// Writes one JSON object a line: the templates, then the sends in their order, each with its request and answer.
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
        out.flush()
    }

    fn send_line(&self, number: usize, sent: &Sent) -> Line {
        let request = &self.requests()[sent.request.0 as usize];
        Line::Send(SendLine {
            send: number,
            request: sent.request.0,
            user: request.user.get(),
            template: request.template.get(),
            request_id: request.id.to_string(),
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
