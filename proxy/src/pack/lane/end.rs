//! What becomes of a group after its transaction.

use std::collections::BTreeMap;

use scrip_protocol::v1::Code;

use super::{Lost, PackLane, end_late, sweep_queue};
use crate::pack::{Outcome, PackTask};
use crate::store::pack::{NewPack, PackWriter};
use crate::store::{CouponRow, NewCoupon, StoreError};
use crate::template::Due;
use crate::watch::watch;

impl<W: PackWriter> PackLane<W> {
    /// Every pack of the group that was not late is among them, or was read between two reads and is read again.
    pub(super) fn committed(&mut self, packs: Vec<NewPack>) {
        let meter = &self.flow.meter;
        meter.transactions.add(1);
        meter.packs.add(packs.len());
        meter.coupons.add(packs.iter().map(|pack| pack.coupons.len()).sum());
        let mut made: BTreeMap<_, _> = packs.into_iter().map(|pack| (pack.row.key, pack.coupons)).collect();
        self.group.retain_mut(|task| {
            let Some(coupons) = made.remove(&task.pack.key) else { return true };
            task.pack.items.iter().for_each(|item| item.template.live.settled_well());
            task.end(Outcome::Made(coupons.iter().map(stored).collect()));
            false
        });
    }

    /// Packs with a unit whose epoch is no longer the fence's start again at deduct.
    pub(super) async fn fenced(&mut self) -> Result<(), Lost> {
        self.flow.meter.fenced.add(1);
        let mut keys: Vec<_> = self.group.iter().flat_map(PackTask::all_units).map(|unit| unit.key).collect();
        keys.sort_unstable();
        keys.dedup();
        let Self { flow, writer, index, latch, group, .. } = self;
        let queue = &flow.packs[*index];
        let epochs = watch(writer.epochs(&keys), |_| {
            end_late(group);
            sweep_queue(queue, latch);
        });
        let epochs = match epochs.await {
            Ok(epochs) => epochs,
            Err(error) => return self.lost(&error),
        };
        let fences: BTreeMap<_, _> = keys.into_iter().zip(epochs).collect();
        let mut is_any = false;
        for task in &mut self.group {
            task.fenced = task.all_units().filter(|unit| fences.get(&unit.key) != Some(&Some(unit.epoch))).collect();
            is_any |= !task.fenced.is_empty();
            for unit in &task.fenced {
                let Some(item) = task.pack.items.iter().find(|item| item.id() == unit.key.template) else { continue };
                item.template.live.set_due(unit.slot, Due::Fenced { epoch: unit.epoch });
                self.flow.tend(unit.key.template);
            }
            // An earlier transaction of unknown outcome may have been committed before the fence went up. After it nothing is:
            // what a locking read says now is definite.
            if !task.fenced.is_empty() && !task.burned {
                task.expel();
            }
        }
        if !is_any {
            // Every epoch is right, so the primary has another topology version: dialling it anew tells.
            self.give_up(Code::PrimaryUnavailable, "the primary has another topology version than this proxy");
            return Err(Lost);
        }
        Ok(())
    }

    /// The outcome is resolved with the same ids on a new connection; these units are never given back.
    pub(super) fn unknown(&mut self, detail: &str) {
        self.flow.meter.unknowns.add(1);
        tracing::warn!(primary = %self.queue().primary, detail, packs = self.group.len(), "outcome of a commit unknown");
        self.group.iter_mut().for_each(|task| task.burned |= task.units.is_some());
    }

    pub(super) fn give_up(&mut self, code: Code, detail: &str) {
        self.group.drain(..).for_each(|mut task| task.fail(code, detail));
    }

    /// A read failed, so nothing was written: what is not burned is refused, the rest waits for a connection.
    pub(super) fn lost(&mut self, error: &StoreError) -> Result<(), Lost> {
        for mut task in self.group.extract_if(.., |task| !task.burned) {
            task.fail(Code::PrimaryUnavailable, &error.to_string());
        }
        Err(Lost)
    }
}

impl PackTask {
    /// Its fenced units are lost to it.
    pub(super) fn expel(&mut self) {
        let fenced = std::mem::take(&mut self.fenced);
        self.end(Outcome::Fenced(fenced));
    }
}

fn stored(row: &NewCoupon) -> CouponRow {
    CouponRow::new(row.user, row.template, row.seq, row.request, row.claimed_at_ms)
}
