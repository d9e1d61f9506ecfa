//! The slow path of a record lane: reading what a user already has. One query for all claims of the group that need it.

use rustc_hash::FxHashMap;
use scrip_protocol::v1::Code;
use scrip_protocol::{TemplateId, UserId};
use tokio::time::Instant;

use super::RecordLane;
use super::recent::Recent;
use crate::claim::{Absent, ClaimTask, Step};
use crate::lane::{Front, Lost, Queued};
use crate::store::{CouponRow, RecordWriter};

type RowsByUser = FxHashMap<(UserId, TemplateId), Vec<CouponRow>>;

impl<W: RecordWriter> RecordLane<W> {
    /// Claims of which it is known what their users have: at the limit they are refused, below it they get the next
    /// number. A replay is looked up: its coupon may have been used since. So is a claim under a limit a day.
    pub(super) fn recall(&mut self) {
        let connection = self.writer.connection();
        let Self { front: Front { flow, group, .. }, recent, .. } = self;
        for task in group.extract_if(.., |task| is_at_limit(recent, connection, task)) {
            flow.turn_back(task, Code::LimitReached, Code::LimitReached.cause());
        }
    }

    /// Everything of which nothing is known is looked up before it is recorded.
    pub(super) fn look_up_first(&mut self) {
        for task in
            self.front.group.iter_mut().filter(|task| task.step == Step::Record && task.seq == 1 && !task.looked_up)
        {
            task.step = Step::LookUp { absent: Absent::Record, lock: false };
        }
    }

    /// Looks up what needs it; what is left in the group holds a unit and is to be recorded. Returns whether a claim that
    /// was to be recorded met a coupon of its user.
    pub(super) async fn look_up(&mut self) -> Result<bool, Lost> {
        let mut met = false;
        for lock in [false, true] {
            let keys: Vec<_> = self.front.group.iter().filter(|task| needs(task, lock)).map(key).collect();
            if keys.is_empty() {
                continue;
            }
            self.front.flow.meter.look_ups.add(keys.len());
            let found = self.front.read(keys.len(), self.writer.look_up(&keys, lock)).await?;
            let mut rows = RowsByUser::default();
            for row in found {
                rows.entry((row.user, row.template)).or_default().push(row);
            }
            met |= self.resolve(&rows, lock);
        }
        Ok(met)
    }

    fn resolve(&mut self, rows: &RowsByUser, lock: bool) -> bool {
        let connection = self.writer.connection();
        for (pair, rows) in rows {
            let mut rows: Vec<_> = rows.iter().map(|row| (row.seq, row.request)).collect();
            rows.sort_unstable_by_key(|(seq, _)| *seq);
            self.recent.read(connection, *pair, rows.into_iter().map(|(_, request)| request).collect());
        }
        let mut met = false;
        let group = std::mem::take(&mut self.front.group);
        for mut task in group {
            match task.step {
                Step::LookUp { absent, lock: wanted } if wanted == lock => {
                    let rows = rows.get(&key(&task)).map_or(&[][..], Vec::as_slice);
                    task.looked_up = true;
                    met |= absent == Absent::Record && !rows.is_empty();
                    self.go_on(task, absent, rows);
                }
                Step::LookUp { .. } | Step::Record => self.front.group.push(task),
            }
        }
        met
    }

    fn go_on(&mut self, mut task: ClaimTask, absent: Absent, rows: &[CouponRow]) {
        let flow = &self.front.flow;
        if let Some(row) = rows.iter().find(|row| row.request == task.request) {
            // A burned unit was recorded by this very claim: the answer is the first one, not a replay.
            let replayed = !task.unit.is_some_and(|unit| unit.burned);
            let coupon = flow.coupon(&task.template, row, replayed);
            flow.release(&mut task);
            return task.grant(coupon);
        }
        if let Absent::Refuse(code) = absent {
            return flow.refuse_absent(task, code);
        }
        task.saw(rows.iter().map(|row| row.seq).max().unwrap_or(0), self.writer.connection());
        if task.is_above_limit() {
            return flow.turn_back(task, Code::LimitReached, Code::LimitReached.cause());
        }
        if task.template.has_daily_limit() {
            task.earlier_ms = rows.iter().map(|row| row.claimed_at_ms).collect();
            if task.is_day_full(flow.clock.now_ms()) {
                return task.end(flow, Code::DailyLimitReached, Code::DailyLimitReached.cause());
            }
        }
        if absent == Absent::Record && task.unit.is_some() {
            task.step = Step::Record;
            self.front.group.push(task);
        } else if !task.is_answered() {
            task.unit = None;
            task.since = Instant::now();
            flow.to_stock(task);
        }
    }
}

/// Known to have all that the template allows, without this request. Of other claims it notes how to go on.
fn is_at_limit(recent: &Recent, connection: u64, task: &mut ClaimTask) -> bool {
    if task.step != Step::Record || task.seq > 1 || task.unit.is_some_and(|unit| unit.burned) {
        return false;
    }
    let Some(requests) = recent.requests(connection, key(task)) else { return false };
    if requests.contains(&task.request) {
        task.step = Step::LookUp { absent: Absent::Record, lock: false };
        return false;
    }
    task.saw(u16::try_from(requests.len()).unwrap_or(u16::MAX), connection);
    if !task.is_above_limit() && task.template.has_daily_limit() {
        // When they were claimed is not remembered.
        task.step = Step::LookUp { absent: Absent::Record, lock: false };
    }
    task.is_above_limit()
}

fn key(task: &ClaimTask) -> (UserId, TemplateId) {
    (task.user, task.template.record.template)
}

fn needs(task: &ClaimTask, with_lock: bool) -> bool {
    matches!(task.step, Step::LookUp { lock, .. } if lock == with_lock)
}
