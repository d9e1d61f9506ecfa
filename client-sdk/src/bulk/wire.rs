//! From the messages.

use std::time::Duration;

use scrip_protocol::v1::{self, Code};
use scrip_protocol::{BulkJobId, CouponId, RequestId, TemplateId, UserId};

use super::{
    BulkCursor, BulkJob, BulkJobPage, BulkJobState, BulkOutcome, BulkProgress, BulkResult, BulkResultPage, NewBulkJob,
};
use crate::reply::Malformed;

fn job_id(number: u32) -> Result<BulkJobId, Malformed> {
    BulkJobId::try_new(number).map_err(|_| Malformed("the id of a bulk job"))
}

impl BulkJob {
    pub(crate) fn from_wire(wire: &v1::BulkJob) -> Result<Self, Malformed> {
        let template = TemplateId::try_new(wire.template_id).map_err(|_| Malformed("a template id"))?;
        let rate_per_s = (wire.rate_per_s != 0).then_some(wire.rate_per_s);
        let start_at_ms = (wire.start_at_ms != 0).then_some(wire.start_at_ms);
        Ok(Self {
            job: job_id(wire.job_id)?,
            request_id: RequestId::try_from_slice(&wire.request_id).map_err(|_| Malformed("a request id"))?,
            new: NewBulkJob { template, rate_per_s, start_at_ms },
            state: BulkJobState::from_number(wire.state),
            created_at_ms: wire.created_at_ms,
            users: wire.users,
        })
    }
}

impl BulkProgress {
    pub(crate) fn from_wire(wire: &v1::BulkProgress) -> Result<Self, Malformed> {
        let job = BulkJob::from_wire(wire.job.as_ref().ok_or(Malformed("progress without its job"))?)?;
        let (mut issued, mut pending, mut refused) = (0, 0, Vec::new());
        for count in &wire.counts {
            match Code::try_from(count.code) {
                Ok(Code::Ok) => issued += count.users,
                Ok(Code::Unspecified) => pending += count.users,
                code => refused.push((code.unwrap_or_default(), count.users)),
            }
        }
        let left = (wire.left_ms > 0).then(|| Duration::from_millis(wire.left_ms));
        Ok(Self { job, issued, pending, refused, recent_per_s: wire.recent_per_s, left })
    }
}

impl BulkResult {
    fn from_wire(wire: &v1::BulkResult) -> Result<Self, Malformed> {
        let outcome = match Code::try_from(wire.code) {
            Ok(Code::Unspecified) => BulkOutcome::Pending,
            Ok(Code::Ok) => {
                BulkOutcome::Issued(CouponId::try_from_slice(&wire.coupon_id).map_err(|_| Malformed("a coupon id"))?)
            }
            code => BulkOutcome::Refused(code.unwrap_or_default()),
        };
        let done_at_ms = (wire.done_at_ms != 0).then_some(wire.done_at_ms);
        Ok(Self { user: UserId(wire.user_id), outcome, done_at_ms })
    }
}

impl BulkJobPage {
    pub(crate) fn from_wire(wire: &v1::BulkJobPage) -> Result<Self, Malformed> {
        let jobs = wire.jobs.iter().map(BulkJob::from_wire).collect::<Result<_, _>>()?;
        Ok(Self { jobs, next: BulkJobId::try_new(wire.next_after_job_id).ok() })
    }
}

impl BulkResultPage {
    pub(crate) fn from_wire(wire: v1::BulkResultPage) -> Result<Self, Malformed> {
        let results = wire.results.iter().map(BulkResult::from_wire).collect::<Result<_, _>>()?;
        let next = (!wire.next_cursor.is_empty()).then_some(BulkCursor(wire.next_cursor));
        Ok(Self { results, next })
    }
}

impl BulkJobState {
    fn from_number(number: i32) -> Self {
        match v1::BulkJobState::try_from(number) {
            Ok(v1::BulkJobState::Uploading) => Self::Uploading,
            Ok(v1::BulkJobState::Starting) => Self::Starting,
            Ok(v1::BulkJobState::Running) => Self::Running,
            Ok(v1::BulkJobState::Paused) => Self::Paused,
            Ok(v1::BulkJobState::Cancelling) => Self::Cancelling,
            Ok(v1::BulkJobState::Cancelled) => Self::Cancelled,
            Ok(v1::BulkJobState::Finished) => Self::Finished,
            Ok(v1::BulkJobState::Unspecified) | Err(_) => Self::Newer(number),
        }
    }

    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Uploading => v1::BulkJobState::Uploading.into(),
            Self::Starting => v1::BulkJobState::Starting.into(),
            Self::Running => v1::BulkJobState::Running.into(),
            Self::Paused => v1::BulkJobState::Paused.into(),
            Self::Cancelling => v1::BulkJobState::Cancelling.into(),
            Self::Cancelled => v1::BulkJobState::Cancelled.into(),
            Self::Finished => v1::BulkJobState::Finished.into(),
            Self::Newer(number) => number,
        }
    }
}
