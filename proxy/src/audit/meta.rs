//! What meta says, in one snapshot.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use scrip_protocol::v1::template_definition::Validity;
use scrip_protocol::v1::{TemplateDefinition, TemplateStatus};

use super::bulk;
use super::codes;
use super::link::{Link, LinkError};
use super::sql;

/// Template and sub-stock.
pub(super) type Key = (u32, u16);

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) per_user_limit: u32,
    pub(super) daily_limit: Option<DailyLimit>,
    pub(super) validity: Option<Validity>,
    /// In minor units; 0: none.
    pub(super) budget_minor: u64,
    /// Its ledgers exist: it is published or paused. (One that is closed may never have been published.)
    pub(super) has_ledgers: bool,
    /// For good.
    pub(super) is_closed: bool,
    pub(super) total_stock: u64,
    pub(super) sold_out: bool,
    pub(super) revision: u64,
    /// As the template itself lists them.
    pub(super) sub_stocks: BTreeSet<u16>,
    pub(super) stripes: u16,
    pub(super) withdrawal_pending: bool,
}

/// How many coupons one user may claim in one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DailyLimit {
    pub(super) coupons: u32,
    /// Added to a time so that whole days begin where those of the template do; never negative, so that a division of
    /// whole numbers rounds down.
    pub(super) shift_ms: u64,
}

/// A sub-stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SubStock {
    pub(super) allotment: u64,
    pub(super) epoch: u64,
}

/// All of meta that the audit needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MetaView {
    pub(super) templates: BTreeMap<u32, Template>,
    pub(super) sub_stocks: BTreeMap<Key, SubStock>,
    /// What each primary was granted of a template's budget, in minor units.
    pub(super) grants: BTreeMap<(u32, u16), u64>,
    pub(super) jobs: bulk::Jobs,
    pub(super) batches: codes::Batches,
}

type TemplateRow = (u32, Vec<u8>, i32, u64, bool, u64, Vec<u8>, u16);

impl MetaView {
    pub(super) async fn read(link: &mut Link) -> Result<MetaView, LinkError> {
        let templates: Vec<TemplateRow> = link.rows(sql::TEMPLATES, ()).await?;
        let sub_stocks: Vec<(u32, u16, u64, u64)> = link.rows(sql::SUB_STOCKS, ()).await?;
        let grants: Vec<(u32, u16, u64)> = link.rows(sql::GRANTS, ()).await?;
        let pending: BTreeSet<u32> = link.rows(sql::WITHDRAWALS, ()).await?.into_iter().collect();
        let sub_stocks = sub_stocks
            .into_iter()
            .map(|(template, sub_stock, allotment, epoch)| ((template, sub_stock), SubStock { allotment, epoch }));
        Ok(MetaView {
            templates: templates.into_iter().map(|row| template(row, &pending)).collect::<Result<_, _>>()?,
            sub_stocks: sub_stocks.collect(),
            grants: grants.into_iter().map(|(template, primary, granted)| ((template, primary), granted)).collect(),
            jobs: bulk::jobs(link).await?,
            batches: codes::batches(link).await?,
        })
    }
}

fn template(row: TemplateRow, pending: &BTreeSet<u32>) -> Result<(u32, Template), LinkError> {
    let (id, definition, status, total_stock, sold_out, revision, sub_stocks, stripes) = row;
    let unreadable = |what: &str| LinkError(format!("template {id} in meta: its {what} cannot be read"));
    let definition = TemplateDefinition::decode(&*definition).map_err(|_| unreadable("definition"))?;
    let status = TemplateStatus::try_from(status).map_err(|_| unreadable("status"))?;
    let template = Template {
        per_user_limit: definition.per_user_limit,
        daily_limit: daily_limit(&definition),
        validity: definition.validity,
        budget_minor: definition.budget_minor,
        has_ledgers: has_ledgers(status),
        is_closed: status == TemplateStatus::Closed,
        total_stock,
        sold_out,
        revision,
        sub_stocks: sub_stocks.as_chunks().0.iter().map(|suffix| u16::from_be_bytes(*suffix)).collect(),
        stripes,
        withdrawal_pending: pending.contains(&id),
    };
    Ok((id, template))
}

fn daily_limit(definition: &TemplateDefinition) -> Option<DailyLimit> {
    let coupons = definition.per_user_daily_limit;
    let shift_minutes = 24 * 60 + i64::from(definition.day_starts_at_utc_offset_minutes);
    let shift_ms = u64::try_from(shift_minutes).unwrap_or(0) * 60_000;
    (coupons > 0).then_some(DailyLimit { coupons, shift_ms })
}

fn has_ledgers(status: TemplateStatus) -> bool {
    match status {
        TemplateStatus::Published | TemplateStatus::Paused => true,
        TemplateStatus::Unspecified | TemplateStatus::Draft | TemplateStatus::Closed => false,
    }
}
