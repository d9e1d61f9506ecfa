//! What the steps of a group take from budgets.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use scrip_protocol::TemplateId;
use scrip_protocol::v1::Code;

use super::{Lost, OrderLane, refuse_late, sweep_queue};
use crate::order::rules;
use crate::store::steps::{NewStep, Spend};
use crate::store::{MetaStore, RecordStore, RecordWriter};
use crate::watch::watch;

impl<W: RecordWriter, R: RecordStore, M: MetaStore> OrderLane<W, R, M> {
    /// What the steps take from budgets, and give back to them.
    pub(super) fn spends(&self, steps: &[NewStep]) -> Vec<Spend> {
        let mut deltas: BTreeMap<TemplateId, i64> = BTreeMap::new();
        let items = self.group.iter().flat_map(|task| &task.items).filter(|item| item.template.has_budget());
        let limited: FxHashSet<TemplateId> = items.map(|item| item.key.template).collect();
        for NewStep { key, step, .. } in steps.iter().filter(|new| limited.contains(&new.key.template)) {
            *deltas.entry(key.template).or_default() += rules::spent(step);
        }
        let spends = deltas.into_iter().filter(|(_, delta_minor)| *delta_minor != 0);
        spends.map(|(template, delta_minor)| Spend { template, delta_minor }).collect()
    }

    /// A grant does not reach, a template is sealed, or the primary has another topology version. Who still does not fit once the primary was
    /// granted what there is, is refused.
    pub(super) async fn raise_budgets(&mut self, spends: &[Spend]) -> Result<(), Lost> {
        let primary = self.queue().primary;
        let mut was_short = false;
        for Spend { template, delta_minor } in spends.iter().filter(|spend| spend.delta_minor > 0) {
            let Self { flow, funds, index, latch, group, .. } = self;
            let queue = &flow.orders[*index];
            let raised = watch(funds.raise(primary, *template, delta_minor.unsigned_abs()), |_| {
                refuse_late(group);
                sweep_queue(queue, latch);
            });
            match raised.await {
                Ok(None) => {}
                Ok(Some(left)) => {
                    was_short = true;
                    self.fit_into(*template, left);
                }
                Err(refusal) => {
                    self.give_up(refusal.code, &refusal.detail);
                    return Ok(());
                }
            }
        }
        if was_short {
            return Ok(());
        }
        if self.learn_of_group().await? {
            return Ok(());
        }
        self.give_up(Code::PrimaryUnavailable, "the primary has another topology version than this proxy");
        Err(Lost)
    }

    /// First come, first served.
    fn fit_into(&mut self, template: TemplateId, mut left: u64) {
        for task in &mut self.group {
            let own = task.items.iter().filter(|item| item.key.template == template);
            let wanted = own.fold(0_u64, |sum, item| sum.saturating_add(item.wish.spends()));
            match left.checked_sub(wanted) {
                Some(rest) => left = rest,
                None => task.refuse(Code::BudgetSpent, Code::BudgetSpent.cause()),
            }
        }
    }
}
