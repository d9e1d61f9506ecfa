//! What the steps of a group take from budgets.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use scrip_protocol::TemplateId;
use scrip_protocol::v1::Code;

use super::OrderLane;
use crate::lane::Lost;
use crate::order::rules;
use crate::store::steps::{NewStep, Spend};
use crate::store::{MetaStore, RecordStore, RecordWriter};

impl<W: RecordWriter, R: RecordStore, M: MetaStore> OrderLane<W, R, M> {
    /// What the steps take from budgets, and give back to them.
    pub(super) fn spends(&self, steps: &[NewStep]) -> Vec<Spend> {
        let mut deltas: BTreeMap<TemplateId, i64> = BTreeMap::new();
        let items = self.front.group.iter().flat_map(|task| &task.items).filter(|item| item.template.has_budget());
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
        let primary = self.front.queue().primary;
        let mut was_short = false;
        for Spend { template, delta_minor } in spends.iter().filter(|spend| spend.delta_minor > 0) {
            match self.front.ask(self.funds.raise(primary, *template, delta_minor.unsigned_abs())).await {
                Ok(None) => {}
                Ok(Some(left)) => {
                    was_short = true;
                    self.fit_into(*template, left);
                }
                Err(refusal) => {
                    self.front.give_up(refusal.code, &refusal.detail);
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
        Err(self.front.has_other_topology())
    }

    /// First come, first served.
    fn fit_into(&mut self, template: TemplateId, mut left: u64) {
        for task in &mut self.front.group {
            let own = task.items.iter().filter(|item| item.key.template == template);
            let wanted = own.fold(0_u64, |sum, item| sum.saturating_add(item.wish.spends()));
            match left.checked_sub(wanted) {
                Some(rest) => left = rest,
                None => task.refuse(Code::BudgetSpent, Code::BudgetSpent.cause()),
            }
        }
    }
}
