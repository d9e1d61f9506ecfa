//! What operators were told, against meta and against what claims were told.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use scrip_client::{Code, RequestId, TemplateId};

use super::verdict::{Kind, Verdict};
use super::view::StoresView;
use crate::history::{Action, History, Operation, OperationTold, Told};

/// All that is known of one change of stock.
#[derive(Default)]
struct Change {
    asked: i64,
    told: Option<i64>,
    in_doubt: bool,
}

pub(super) fn check(verdict: &mut Verdict, history: &History, view: &StoresView) {
    if !history.operations().is_empty() {
        totals(verdict, history, view);
    }
    pauses(verdict, history);
}

fn totals(verdict: &mut Verdict, history: &History, view: &StoresView) {
    let changes = changes(verdict, history);
    for fact in history.templates() {
        let Some(row) = view.templates.iter().find(|row| row.template == fact.template) else { continue };
        let of_template = changes.iter().filter(|((template, _), _)| *template == fact.template);
        let (mut least, mut most) = (i128::from(fact.total_stock), i128::from(fact.total_stock));
        for (_, change) in of_template {
            least += i128::from(*change.range().start());
            most += i128::from(*change.range().end());
        }
        if !(least..=most).contains(&i128::from(row.total_stock)) {
            let text = || format!("template {}: {} in meta, {least} to {most} told", row.template, row.total_stock);
            verdict.add(Kind::TotalDiffers, text);
        }
    }
}

fn changes(verdict: &mut Verdict, history: &History) -> BTreeMap<(TemplateId, RequestId), Change> {
    let mut changes: BTreeMap<(TemplateId, RequestId), Change> = BTreeMap::new();
    for operation in history.operations() {
        let Action::Stock { units, id } = operation.action else { continue };
        let change = changes.entry((operation.template, id)).or_default();
        change.asked = units;
        match operation.told {
            OperationTold::Changed { units, .. } if change.told.is_some_and(|first| first != units) => {
                verdict.add(Kind::ChangesDiffer, || format!("change {id}: {:?}, then {units}", change.told));
            }
            OperationTold::Changed { units, .. } => change.told = Some(units),
            OperationTold::Nothing | OperationTold::Done | OperationTold::Unknown(_) => change.in_doubt = true,
            OperationTold::NotApplied(_) => {}
        }
    }
    changes
}

impl Change {
    /// By how much it may have changed the total.
    fn range(&self) -> RangeInclusive<i64> {
        match self.told {
            Some(units) => units..=units,
            None if self.in_doubt => self.asked.min(0)..=self.asked.max(0),
            None => 0..=0,
        }
    }
}

/// Refused as paused or closed only after somebody wanted it so.
fn pauses(verdict: &mut Verdict, history: &History) {
    for (action, code) in [(Action::Pause, Code::TemplatePaused), (Action::Close, Code::TemplateClosed)] {
        refused_after(verdict, history, action, code);
    }
}

fn refused_after(verdict: &mut Verdict, history: &History, action: Action, code: Code) {
    let is_it = |operation: &&Operation| operation.action == action;
    let mut first: BTreeMap<TemplateId, u64> = BTreeMap::new();
    for operation in history.operations().iter().filter(is_it) {
        let at_us = first.entry(operation.template).or_insert(operation.sent_at_us);
        *at_us = operation.sent_at_us.min(*at_us);
    }
    for sent in history.sends().iter().filter(|sent| sent.told == Told::NotApplied(code)) {
        let asked = &history.requests()[sent.request.0 as usize];
        if first.get(&asked.template).is_none_or(|paused_us| sent.answered_at_us < *paused_us) {
            let text = || format!("request {} of user {}", asked.id, asked.user);
            verdict.add(Kind::PausedByNobody, text);
        }
    }
}
