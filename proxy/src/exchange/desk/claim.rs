//! Claim by code: a use of the code first, then the coupon of that use. What a crash leaves behind is in the table of
//! [`exchange`](crate::exchange).

use scrip_protocol::UserId;
use scrip_protocol::v1::{ClaimByCode, Code, CodeBatchStatus};
use tokio::time::{Instant, timeout_at};

use super::Desk;
use crate::admission::caller::Caller;
use crate::claim::{Attempt, refuse};
use crate::exchange::code::{CodeKey, NoCode};
use crate::exchange::{home, request_of};
use crate::flow::{Arrival, Purpose};
use crate::outbox::Ticket;
use crate::refusal::{Effect, Refusal};
use crate::store::exchange::{BatchRecord, ExchangeError, ExchangeStore, NewUse};
use crate::store::{MetaStore, StoreError};

/// The user's use of a code.
struct Use {
    code: CodeKey,
    batch: BatchRecord,
    use_no: u32,
    /// It was there before: an earlier send may have got its coupon.
    earlier: bool,
}

/// Why there is none.
struct Stop {
    refusal: Refusal,
    /// No earlier send can have taken a use, as far as that can be read; if not, a resend does not know.
    definite: bool,
}

impl<E: ExchangeStore + MetaStore> Desk<E> {
    /// Cancelled, or past its deadline, it has taken a use or none: the same user's next request finds out.
    pub(super) async fn claim(&self, claim: ClaimByCode, caller: &Caller, ticket: Ticket, deadline: Instant) {
        let resend = claim.attempt >= 2;
        match timeout_at(deadline, self.used_by(&claim, caller)).await {
            Err(_) => {
                let detail = "the deadline passed; a use of the code may be taken, and then it is this user's";
                ticket.refuse(Code::OutcomeUnknown, detail.to_owned(), 0);
            }
            Ok(Err(Stop { refusal, definite })) => refuse(ticket, resend && !definite, refusal.code, &refusal.detail),
            Ok(Ok(found)) => {
                let attempt = if resend || found.earlier { Attempt::Resend } else { Attempt::Unsure };
                let arrival = Arrival {
                    ticket,
                    user: UserId(claim.user_id),
                    template: found.batch.new.template,
                    request: request_of(found.batch.new.request, found.code.index, found.use_no),
                    purpose: Purpose::Claim(attempt),
                    deadline,
                };
                self.flow.arrive(arrival, self.flow.clock.now_ms());
            }
        }
    }

    /// The use that the user has, or takes.
    async fn used_by(&self, claim: &ClaimByCode, caller: &Caller) -> Result<Use, Stop> {
        let (code, batch) = self.read(claim, caller).await?;
        let primary = self.flow.topology.primary_of(home(code));
        let user = UserId(claim.user_id);
        let new = NewUse { code, user, uses: batch.new.uses, now_ms: self.flow.clock.now_ms() };
        let mut earlier = true;
        loop {
            let found = self.store.use_of(primary, code, user).await.map_err(|error| unread(&error))?;
            if let Some(use_no) = found {
                return Ok(Use { code, batch, use_no, earlier });
            }
            self.may_take(&batch)?;
            if self.store.take_use(primary, &new).await.map_err(|error| stop(of_home(&error, Effect::Write)))? {
                earlier = false;
            } else if self.store.used(primary, code).await.map_err(|error| unread(&error))? >= new.uses {
                // None is left, and none comes back. The last may have gone to a twin of this request.
                let found = self.store.use_of(primary, code, user).await.map_err(|error| unread(&error))?;
                let used_up = || definite(Code::CodeUsedUp, "other users have used this code as often as it can be");
                return found.map(|use_no| Use { code, batch, use_no, earlier: true }).ok_or_else(used_up);
            }
        }
    }

    /// The code that the text names, and its batch. What nobody made counts as a guess; what is mistyped does not.
    async fn read(&self, claim: &ClaimByCode, caller: &Caller) -> Result<(CodeKey, BatchRecord), Stop> {
        if !caller.may_guess(Instant::now()) {
            let detail = "this caller has sent too many made-up codes; its codes are not looked at for a moment";
            return Err(stop(Refusal::new(Code::CodeGuessing, detail)));
        }
        let made_up = || {
            caller.guessed(Instant::now());
            no_code(NoCode::MadeUp)
        };
        let (code, prefix) = self.codes.decode(&claim.code).map_err(|no| match no {
            NoCode::MadeUp => made_up(),
            NoCode::Symbol { .. } | NoCode::Short(_) | NoCode::Mistyped | NoCode::Prefix => no_code(no),
        })?;
        let batch = match self.store.batch(code.batch).await {
            Ok(batch) if code.index < batch.new.count => batch,
            Ok(_) | Err(ExchangeError::NotFound) => return Err(made_up()),
            Err(error) => return Err(stop(Refusal::of_exchange(&error, Effect::Read))),
        };
        if !prefix.is_empty() && prefix != self.prefix(batch.new.template).await.map_err(stop)? {
            return Err(no_code(NoCode::Prefix));
        }
        Ok((code, batch))
    }

    /// Whether a user without a use may take one. What only a pause stands in the way of may: the use waits with the user.
    fn may_take(&self, batch: &BatchRecord) -> Result<(), Stop> {
        match batch.status {
            CodeBatchStatus::Open => {}
            CodeBatchStatus::Revoked | CodeBatchStatus::Unspecified => {
                return Err(definite(Code::CodeRevoked, "the batch of this code was revoked"));
            }
        }
        let template = self.flow.templates.get(batch.new.template);
        match template.and_then(|template| template.refusal(self.flow.clock.now_ms())) {
            None | Some(Code::TemplateNotPublished | Code::TemplatePaused) => Ok(()),
            Some(code) => Err(definite(code, code.cause())),
        }
    }
}

fn of_home(error: &StoreError, effect: Effect) -> Refusal {
    Refusal::of_primary(error, effect)
}

fn unread(error: &StoreError) -> Stop {
    stop(of_home(error, Effect::Read))
}

fn stop(refusal: Refusal) -> Stop {
    Stop { refusal, definite: false }
}

fn definite(code: Code, detail: &str) -> Stop {
    Stop { refusal: Refusal::new(code, detail), definite: true }
}

fn no_code(no: NoCode) -> Stop {
    definite(Code::CodeInvalid, &no.to_string())
}
