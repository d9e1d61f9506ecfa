//! Before a transaction: what is there of a group, and what becomes of each of its packs.

use rustc_hash::{FxHashMap, FxHashSet};
use scrip_protocol::v1::Code;
use scrip_protocol::{TemplateId, UserId};

use super::PackLane;
use crate::lane::Lost;
use crate::pack::plan::{Coupons, Plan, plan};
use crate::pack::{Outcome, PackTask};
use crate::store::NewCoupon;
use crate::store::pack::{NewPack, PackItems, PackKey, PackRow, PackWriter};

/// What was read for a group.
#[derive(Default)]
pub(super) struct Read {
    packs: FxHashMap<PackKey, PackItems>,
    coupons: Coupons,
}

impl<W: PackWriter> PackLane<W> {
    /// What is there of the group, and the connection that says so; `None`: it changed midway. What a transaction of unknown
    /// outcome may yet write is read under a lock, which waits for it.
    pub(super) async fn read(&mut self) -> Result<Option<(Read, u64)>, Lost> {
        let (mut read, mut connection) = (Read::default(), None);
        for lock in [true, false] {
            let tasks = || self.front.group.iter().filter(|task| task.burned == lock);
            let keys: Vec<PackKey> = tasks().map(|task| task.pack.key).collect();
            let pairs: Vec<(UserId, TemplateId)> = tasks().flat_map(pairs).collect();
            if keys.is_empty() {
                continue;
            }
            let writer = &mut self.writer;
            let call = async {
                // In this order: see `plan`.
                let packs = writer.packs(&keys, lock).await?;
                let first = writer.connection();
                let coupons = writer.look_up(&pairs, lock).await?;
                Ok((packs, coupons, [first, writer.connection()]))
            };
            let (packs, coupons, connections) = self.front.read(keys.len(), call).await?;
            let expected = *connection.get_or_insert(connections[0]);
            if connections != [expected; 2] {
                return Ok(None);
            }
            read.packs.extend(packs.into_iter().map(|PackRow { key, items }| (key, items)));
            // The same pair under a lock and without one: each time all of its coupons.
            let mut by_pair = Coupons::default();
            coupons.into_iter().for_each(|row| by_pair.entry((row.user, row.template)).or_default().push(row));
            read.coupons.extend(by_pair);
        }
        Ok(connection.map(|connection| (read, connection)))
    }

    /// Ends what needs no transaction, and gives the packs of the others. Of several packs of one request, or with a template of one
    /// user, only the first is tried now; the others read what became of it. What is left in the group beyond that goes back to the queue.
    pub(super) fn plan(&mut self, read: &Read, connection: u64, now_ms: u64) -> Vec<NewPack> {
        let (mut packs, mut rows) = (Vec::new(), 0);
        let mut taken: FxHashSet<(UserId, TemplateId)> = FxHashSet::default();
        let mut asked: FxHashSet<PackKey> = FxHashSet::default();
        let mut kept = Vec::with_capacity(self.front.group.len());
        for mut task in std::mem::take(&mut self.front.group) {
            if task.is_ended() {
                continue;
            }
            let is_double = asked.contains(&task.pack.key) || pairs(&task).any(|pair| taken.contains(&pair));
            let count = task.all_units().count();
            if is_double || (rows > 0 && rows + count > self.rows_max) {
                self.front.put_back(task);
                continue;
            }
            match plan(&task.pack, read.packs.get(&task.pack.key), &read.coupons, now_ms) {
                Plan::Found(rows) => task.end(Outcome::Found(rows)),
                Plan::Partly(rows) => task.end(Outcome::Partly(rows)),
                Plan::Reused => task.end(Outcome::Reused),
                Plan::Again => kept.push(task),
                // Its day may end before the transaction does that was sent.
                Plan::Refuse(_, code) if task.burned && code != Code::LimitReached => task.fail(code, code.cause()),
                Plan::Refuse(template, code) => task.end(Outcome::Refused(template, code)),
                Plan::Record(_) if !task.fenced.is_empty() => task.expel(),
                Plan::Record(numbers) => match self.new_pack(&task, &numbers, connection, now_ms) {
                    None => task.end(Outcome::Absent),
                    Some(pack) => {
                        taken.extend(pairs(&task));
                        asked.insert(task.pack.key);
                        rows += count;
                        packs.push(pack);
                        kept.push(task);
                    }
                },
            }
        }
        self.front.group = kept;
        packs
    }

    /// `None`: it holds no units.
    fn new_pack(&self, task: &PackTask, numbers: &[u16], seen_on: u64, now_ms: u64) -> Option<NewPack> {
        let pack = &task.pack;
        let mut coupons = Vec::new();
        for ((item, units), first) in pack.items.iter().zip(task.units.as_ref()?).zip(numbers) {
            for ((unit, request), nth) in units.iter().zip(item.requests(pack.key.request)).zip(0..) {
                coupons.push(NewCoupon {
                    user: pack.key.user,
                    template: item.id(),
                    seq: first + nth,
                    seen_on,
                    request,
                    sub_stock: unit.key.sub_stock,
                    epoch: unit.epoch,
                    stripe: self.stripe % item.template.record.stripes.max(1),
                    claimed_at_ms: now_ms,
                });
            }
        }
        let row = PackRow { key: pack.key, items: pack.kept.clone() };
        Some(NewPack { row, claimed_at_ms: now_ms, coupons })
    }
}

/// The user's templates that it is about.
fn pairs(task: &PackTask) -> impl Iterator<Item = (UserId, TemplateId)> {
    task.pack.items.iter().map(|item| (task.pack.key.user, item.id()))
}
