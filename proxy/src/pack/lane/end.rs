//! What becomes of a group after its transaction.

use std::collections::BTreeMap;

use super::PackLane;
use crate::lane::Lost;
use crate::pack::{Outcome, PackTask};
use crate::store::pack::{NewPack, PackWriter};
use crate::store::{CouponRow, NewCoupon};
use crate::template::Due;

impl<W: PackWriter> PackLane<W> {
    /// Every pack of the group that was not late is among them, or was read between two reads and is read again.
    pub(super) fn committed(&mut self, packs: Vec<NewPack>) {
        let meter = &self.front.flow.meter;
        meter.transactions.add(1);
        meter.packs.add(packs.len());
        meter.coupons.add(packs.iter().map(|pack| pack.coupons.len()).sum());
        let mut made: BTreeMap<_, _> = packs.into_iter().map(|pack| (pack.row.key, pack.coupons)).collect();
        self.front.group.retain_mut(|task| {
            let Some(coupons) = made.remove(&task.pack.key) else { return true };
            task.pack.items.iter().for_each(|item| item.template.live.settled_well());
            task.end(Outcome::Made(coupons.iter().map(stored).collect()));
            false
        });
    }

    /// Packs with a unit whose epoch is no longer the fence's start again at deduct.
    pub(super) async fn fenced(&mut self) -> Result<(), Lost> {
        self.front.flow.meter.fenced.add(1);
        let mut keys: Vec<_> = self.front.group.iter().flat_map(PackTask::all_units).map(|unit| unit.key).collect();
        keys.sort_unstable();
        keys.dedup();
        let epochs = self.front.find(self.writer.epochs(&keys)).await?;
        let fences: BTreeMap<_, _> = keys.into_iter().zip(epochs).collect();
        let mut is_any = false;
        for task in &mut self.front.group {
            task.fenced = task.all_units().filter(|unit| fences.get(&unit.key) != Some(&Some(unit.epoch))).collect();
            is_any |= !task.fenced.is_empty();
            for unit in &task.fenced {
                let Some(item) = task.pack.items.iter().find(|item| item.id() == unit.key.template) else { continue };
                item.template.live.set_due(unit.slot, Due::Fenced { epoch: unit.epoch });
                self.front.flow.tend(unit.key.template);
            }
            // An earlier transaction of unknown outcome may have been committed before the fence went up. After it nothing is:
            // what a locking read says now is definite.
            if !task.fenced.is_empty() && !task.burned {
                task.expel();
            }
        }
        if !is_any {
            return Err(self.front.has_other_topology());
        }
        Ok(())
    }

    /// The outcome is resolved with the same ids on a new connection; these units are never given back.
    pub(super) fn unknown(&mut self) {
        self.front.group.iter_mut().for_each(|task| task.burned |= task.units.is_some());
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
