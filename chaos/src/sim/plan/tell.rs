//! A plan in words.

use std::fmt;

use super::{Change, PatrolPlan, Plan};
use crate::sim::fault::{FaultPlan, When};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.size;
        writeln!(
            f,
            "seed {}: proxies {}, primaries {} (lanes {}, batches of {}), shards {}, sub-stocks on each {}, stripes {}",
            self.seed,
            size.proxies,
            size.primaries,
            size.lanes,
            size.batch_rows_max,
            size.shards,
            size.sub_stocks_per_shard,
            size.stripes
        )?;
        for (index, template) in self.templates.iter().enumerate() {
            let day = if template.daily > 0 { format!(", {} a day", template.daily) } else { String::new() };
            let budget =
                if template.budget_minor > 0 { format!(", budget {}", template.budget_minor) } else { String::new() };
            let (number, total, limit) = (index + 1, template.total, template.limit);
            writeln!(f, "  template {number}: {total} units, {limit} a user{day}{budget}")?;
        }
        let (claims, orders, packs) = (self.claims.len(), self.orders.len(), self.packs.len());
        writeln!(f, "  {claims} claims, {orders} orders, {packs} packs, healed at {} ms", self.heal_at_ms)?;
        for job in &self.jobs {
            let (template, users, rate) = (job.template + 1, job.users.len(), job.rate_per_s);
            writeln!(f, "  {} ms: a job for {users} users of template {template}, {rate} a second", job.at_ms)?;
        }
        for codes in &self.codes {
            let (template, claims) = (codes.template + 1, codes.claims.len());
            let (count, uses) = (codes.count, codes.uses);
            writeln!(f, "  {count} codes of {uses} uses of template {template}, {claims} claims with them")?;
        }
        if let Some(patrol) = &self.patrol {
            let lasts: Vec<u64> = self.templates.iter().map(|template| template.lasts_s).collect();
            let PatrolPlan { slice_rows, round_ms, remind_before_ms, looks } = patrol;
            let looks = looks.len();
            writeln!(
                f,
                "  patrols in slices of {slice_rows} every {round_ms} ms, reminders {remind_before_ms:?} ms before; \
                 coupons last {lasts:?} s; {looks} looks"
            )?;
        }
        for change in &self.changes {
            let template = change.template + 1;
            match change.change {
                Change::Stock(units) => writeln!(f, "  {} ms: template {template} {units:+} units", change.at_ms)?,
                Change::Pause(for_ms) => {
                    writeln!(f, "  {} ms: template {template} paused for {for_ms} ms", change.at_ms)?;
                }
            }
        }
        self.faults.iter().try_for_each(|fault| writeln!(f, "  {fault}"))
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.when {
            When::At(at_ms) => write!(f, "{at_ms} ms: {:?}", self.what),
            When::Nth(moment, nth) => {
                let side = if moment.done { "after" } else { "before" };
                write!(f, "{side} {:?} number {nth}: {:?}", moment.kind, self.what)
            }
        }
    }
}
