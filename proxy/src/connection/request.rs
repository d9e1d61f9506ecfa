//! Admission: what a request costs before it is refused, and where it goes if it is not. Everything refused here is
//! *not applied*.

use std::sync::atomic::Ordering;
use std::time::Duration;

use scrip_protocol::v1::request::Operation as Asked;
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::{Claim, ClaimByCode, Code, GetClaim, Hello, Pong, Request, Welcome};
use scrip_protocol::{PROTOCOL_VERSION, RequestId, TemplateId, UserId, check};
use tokio::time::Instant;

use super::Connection;
use crate::bulk::desk::Operation as Bulk;
use crate::claim::{Attempt, refuse};
use crate::exchange::desk::Operation as Exchange;
use crate::flow::{Arrival, Purpose};
use crate::operation::Operation;
use crate::outbox::Ticket;

impl Connection {
    /// Takes one request.
    pub(super) fn handle(&mut self, request: Request, now: Instant, now_ms: u64) {
        let ticket = self.outbox.ticket(request.id, now);
        let violations = check::check_request(&request);
        let Some(asked) = request.operation.filter(|_| violations.is_empty()) else {
            return ticket.refuse(Code::InvalidRequest, check::detail(&violations), 0);
        };
        match asked {
            Asked::Ping(ping) => return ticket.answer(Answer::Pong(Pong { nonce: ping.nonce })),
            Asked::Hello(hello) => return self.hello(&hello, ticket),
            _ => {}
        }
        let resend = match &asked {
            Asked::Claim(claim) => claim.attempt >= 2,
            Asked::ClaimByCode(claim) => claim.attempt >= 2,
            Asked::ClaimPack(claim) => claim.attempt >= 2,
            _ => false,
        };
        if let Err((code, detail)) = self.admit(now) {
            return refuse(ticket, resend, code, detail);
        }
        let deadline = now + self.allowed(request.deadline_ms);
        match asked {
            Asked::Claim(claim) => self.claim(&claim, ticket, deadline, now_ms),
            Asked::GetClaim(get) => self.get_claim(&get, ticket, deadline, now_ms),
            Asked::CountCoupons(count) => (self.reception.start)(Operation::CountCoupons(count), ticket, deadline),
            Asked::ListCoupons(list) => (self.reception.start)(Operation::ListCoupons(list), ticket, deadline),
            Asked::LockCoupons(lock) => self.lock_coupons(&lock, ticket, deadline),
            Asked::RedeemCoupons(redeem) => self.redeem_coupons(&redeem, ticket, deadline),
            Asked::UnlockCoupons(unlock) => self.unlock_coupons(&unlock, ticket, deadline),
            Asked::ReturnCoupons(back) => self.return_coupons(&back, ticket, deadline),
            Asked::GetCoupon(get) => (self.reception.start)(Operation::GetCoupon(get), ticket, deadline),
            Asked::Quote(quote) => (self.reception.start)(Operation::Quote(quote), ticket, deadline),
            Asked::CreateTemplate(create) => {
                (self.reception.start)(Operation::CreateTemplate(create), ticket, deadline)
            }
            Asked::GetTemplate(get) => (self.reception.start)(Operation::GetTemplate(get), ticket, deadline),
            Asked::ListTemplates(list) => (self.reception.start)(Operation::ListTemplates(list), ticket, deadline),
            Asked::SetTemplateStatus(set) => {
                (self.reception.start)(Operation::SetTemplateStatus(set), ticket, deadline);
            }
            Asked::Replenish(replenish) => (self.reception.start)(Operation::Replenish(replenish), ticket, deadline),
            Asked::CreateBulkJob(create) => (self.reception.bulk)(Bulk::Create(create), ticket, deadline),
            Asked::AddBulkUsers(add) => (self.reception.bulk)(Bulk::Add(add), ticket, deadline),
            Asked::StartBulkJob(start) => (self.reception.bulk)(Bulk::Start(start), ticket, deadline),
            Asked::SetBulkJobState(set) => (self.reception.bulk)(Bulk::SetState(set), ticket, deadline),
            Asked::GetBulkJob(get) => (self.reception.bulk)(Bulk::Get(get), ticket, deadline),
            Asked::ListBulkJobs(list) => (self.reception.bulk)(Bulk::List(list), ticket, deadline),
            Asked::ListBulkResults(list) => (self.reception.bulk)(Bulk::Results(list), ticket, deadline),
            Asked::CreateCodeBatch(create) => (self.reception.exchange)(Exchange::Create(create), ticket, deadline),
            Asked::GetCodeBatch(get) => (self.reception.exchange)(Exchange::Get(get), ticket, deadline),
            Asked::ListCodeBatches(list) => (self.reception.exchange)(Exchange::List(list), ticket, deadline),
            Asked::RevokeCodeBatch(revoke) => (self.reception.exchange)(Exchange::Revoke(revoke), ticket, deadline),
            Asked::ExportCodes(export) => (self.reception.exchange)(Exchange::Export(export), ticket, deadline),
            Asked::ClaimByCode(claim) => self.claim_by_code(claim, ticket, deadline),
            Asked::ClaimPack(claim) => (self.reception.pack)(claim, ticket, deadline),
            // Answered above.
            Asked::Ping(_) | Asked::Hello(_) => drop(ticket),
        }
    }

    fn admit(&self, now: Instant) -> Result<(), (Code, &'static str)> {
        let Some(caller) = &self.caller else {
            return Err((Code::HelloRequired, "say Hello first: protocol version, caller, token"));
        };
        if self.reception.draining.is_cancelled() {
            return Err((Code::Draining, "this proxy is stopping; use another"));
        }
        if self.reception.in_flight.load(Ordering::Relaxed) > self.reception.limits.in_flight_total_max {
            return Err((Code::Overloaded, "too many requests in flight"));
        }
        if caller.take(now, 1) == 0 {
            return Err((Code::RateLimited, "this caller sends more requests a second than it may"));
        }
        Ok(())
    }

    fn allowed(&self, deadline_ms: u32) -> Duration {
        let limits = &self.reception.limits;
        match deadline_ms {
            0 => limits.deadline_default,
            ms => Duration::from_millis(u64::from(ms)).min(limits.deadline_max),
        }
    }

    fn hello(&mut self, hello: &Hello, ticket: Ticket) {
        let reception = &self.reception;
        if hello.protocol_version != PROTOCOL_VERSION {
            let detail = format!("this proxy speaks version {PROTOCOL_VERSION}, not {}", hello.protocol_version);
            return self.turn_away(ticket, Code::UnsupportedVersion, detail);
        }
        let Some(caller) = reception.callers.authenticate(&hello.caller, &hello.token) else {
            let detail = "no such caller, or not its token".to_owned();
            return self.turn_away(ticket, Code::Unauthenticated, detail);
        };
        let expected = &hello.topology_fingerprint;
        if !expected.is_empty() && expected[..] != reception.fingerprint.0[..] {
            let detail = format!("this proxy serves the topology {}", reception.fingerprint);
            return self.turn_away(ticket, Code::TopologyMismatch, detail);
        }
        self.caller = Some(caller);
        ticket.answer(Answer::Welcome(Welcome {
            protocol_version: PROTOCOL_VERSION,
            proxy: reception.name.clone(),
            topology_fingerprint: bytes::Bytes::copy_from_slice(&reception.fingerprint.0),
            frame_len_max: u32::try_from(reception.limits.frame_len_max).unwrap_or(u32::MAX),
            in_flight_max: u32::try_from(reception.limits.in_flight_max).unwrap_or(u32::MAX),
        }));
    }

    fn turn_away(&mut self, ticket: Ticket, code: Code, detail: String) {
        ticket.refuse(code, detail, 0);
        self.close();
    }

    fn claim(&self, claim: &Claim, ticket: Ticket, deadline: Instant, now_ms: u64) {
        let attempt = match claim.attempt {
            0 => Attempt::Unsure,
            1 => Attempt::First,
            2.. => Attempt::Resend,
        };
        let purpose = Purpose::Claim(attempt);
        self.arrive(claim.user_id, claim.template_id, &claim.request_id, purpose, ticket, deadline, now_ms);
    }

    fn claim_by_code(&self, claim: ClaimByCode, ticket: Ticket, deadline: Instant) {
        // Admission has seen to it that there is a caller.
        let Some(caller) = self.caller.clone() else { return };
        (self.reception.exchange)(Exchange::Claim(claim, caller), ticket, deadline);
    }

    fn get_claim(&self, get: &GetClaim, ticket: Ticket, deadline: Instant, now_ms: u64) {
        self.arrive(get.user_id, get.template_id, &get.request_id, Purpose::Ask, ticket, deadline, now_ms);
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of an arrival, as they come off the wire")]
    fn arrive(
        &self,
        user: u64,
        template: u32,
        request: &[u8],
        purpose: Purpose,
        ticket: Ticket,
        deadline: Instant,
        now_ms: u64,
    ) {
        let ids = TemplateId::try_new(template).and_then(|id| Ok((id, RequestId::try_from_slice(request)?)));
        match ids {
            Ok((template, request)) => {
                let arrival = Arrival { ticket, user: UserId(user), template, request, purpose, deadline };
                self.reception.flow.arrive(arrival, now_ms);
            }
            Err(error) => ticket.refuse(Code::InvalidRequest, error.to_string(), 0),
        }
    }
}
