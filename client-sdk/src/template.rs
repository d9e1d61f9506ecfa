//! Templates as callers see them.

use std::time::Duration;

use scrip_protocol::TemplateId;
use scrip_protocol::v1;

use crate::reply::Malformed;
use crate::rule::Rules;

/// What an operator defines. It does not change after creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateDefinition {
    /// 1 to 100 characters.
    pub name: String,
    /// Units of stock at creation.
    pub total_stock: u64,
    /// Coupons that one user may hold, used ones included: 1 to 1,000.
    pub per_user_limit: u32,
    /// Claims are accepted from here (inclusive), in milliseconds since 1970-01-01 UTC. None: at once.
    pub claim_start_ms: Option<i64>,
    /// Claims are accepted until there (exclusive), in milliseconds since 1970-01-01 UTC. None: for ever.
    pub claim_end_ms: Option<i64>,
    /// When a coupon can be used.
    pub validity: Validity,
    /// What it takes off, and for which orders.
    pub rules: Rules,
}

/// When a coupon can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// The same time for every coupon, in milliseconds since 1970-01-01 UTC.
    Fixed {
        /// Inclusive.
        from_ms: i64,
        /// Exclusive.
        until_ms: i64,
    },
    /// Counted from the claim, in seconds.
    Relative {
        /// From the claim to the first use.
        starts_after_s: u64,
        /// From the first use to the end.
        lasts_s: u64,
    },
}

/// A template and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Which one.
    pub template: TemplateId,
    /// What it is.
    pub definition: TemplateDefinition,
    /// Whether it can be claimed.
    pub status: TemplateStatus,
    /// Units of stock now: the total at creation, and what was added or withdrawn since.
    pub total_stock: u64,
    /// Every unit became a coupon.
    pub sold_out: bool,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at_ms: i64,
    /// Rises with every change.
    pub revision: u64,
    /// The suffixes of its sub-stock keys.
    pub sub_stocks: Vec<u32>,
    /// Ledger rows for each sub-stock and primary.
    pub stripes: u32,
}

/// Whether a template can be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TemplateStatus {
    /// Created; cannot be claimed yet.
    Draft,
    /// Can be claimed.
    Published,
    /// Claims are refused until it is resumed.
    Paused,
    /// Closed for good.
    Closed,
    /// A status that this version does not know.
    Newer(i32),
}

/// Which templates to list.
#[derive(Debug, Clone, Default)]
pub struct TemplateQuery {
    /// Only those of this status.
    pub status: Option<TemplateStatus>,
    /// Templates on a page: 1 to 500; 0: 50.
    pub page_size: u32,
    /// Only those with a higher id.
    pub after: Option<TemplateId>,
}

/// Some templates, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatePage {
    /// The templates.
    pub templates: Vec<Template>,
    /// Ask for those after this one; none: this was the last page.
    pub next: Option<TemplateId>,
    /// A replica served it, and it holds everything that was acknowledged until so long ago. `None`: the primary served it.
    pub staleness: Option<Duration>,
}

/// What a replenishment did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockChange {
    /// Of which template.
    pub template: TemplateId,
    /// What was asked; negative: to withdraw.
    pub units_requested: i64,
    /// What was done. A withdrawal takes no more than what was unsold.
    pub units_applied: i64,
    /// The template's total after the change.
    pub total_stock: u64,
    /// This answer repeats one given before.
    pub replayed: bool,
}

fn template_id(number: u32) -> Result<TemplateId, Malformed> {
    TemplateId::try_new(number).map_err(|_| Malformed("a template id"))
}

impl From<TemplateDefinition> for v1::TemplateDefinition {
    fn from(definition: TemplateDefinition) -> Self {
        use v1::template_definition::Validity as Wire;
        let validity = match definition.validity {
            Validity::Fixed { from_ms, until_ms } => Wire::Fixed(v1::FixedValidity { from_ms, until_ms }),
            Validity::Relative { starts_after_s, lasts_s } => {
                Wire::Relative(v1::RelativeValidity { starts_after_s, lasts_s })
            }
        };
        definition.rules.into_wire(Self {
            name: definition.name,
            total_stock: definition.total_stock,
            per_user_limit: definition.per_user_limit,
            claim_start_ms: definition.claim_start_ms.unwrap_or(0),
            claim_end_ms: definition.claim_end_ms.unwrap_or(0),
            validity: Some(validity),
            ..Self::default()
        })
    }
}

impl TemplateDefinition {
    /// A plain coupon: claimed at any time, never taking anything off. Fields can be changed afterwards.
    pub fn new(name: impl Into<String>, total_stock: u64, per_user_limit: u32, validity: Validity) -> Self {
        Self {
            name: name.into(),
            total_stock,
            per_user_limit,
            claim_start_ms: None,
            claim_end_ms: None,
            validity,
            rules: Rules::default(),
        }
    }

    pub(crate) fn from_wire(mut wire: v1::TemplateDefinition) -> Result<Self, Malformed> {
        use v1::template_definition::Validity as Wire;
        let rules = Rules::take(&mut wire);
        let validity = match wire.validity.ok_or(Malformed("a template without validity"))? {
            Wire::Fixed(fixed) => Validity::Fixed { from_ms: fixed.from_ms, until_ms: fixed.until_ms },
            Wire::Relative(relative) => {
                Validity::Relative { starts_after_s: relative.starts_after_s, lasts_s: relative.lasts_s }
            }
        };
        Ok(Self {
            name: wire.name,
            total_stock: wire.total_stock,
            per_user_limit: wire.per_user_limit,
            claim_start_ms: (wire.claim_start_ms != 0).then_some(wire.claim_start_ms),
            claim_end_ms: (wire.claim_end_ms != 0).then_some(wire.claim_end_ms),
            validity,
            rules,
        })
    }
}

impl Template {
    pub(crate) fn from_wire(wire: v1::Template) -> Result<Self, Malformed> {
        Ok(Self {
            template: template_id(wire.template_id)?,
            definition: TemplateDefinition::from_wire(
                wire.definition.ok_or(Malformed("a template without definition"))?,
            )?,
            status: TemplateStatus::from_number(wire.status),
            total_stock: wire.total_stock,
            sold_out: wire.sold_out,
            created_at_ms: wire.created_at_ms,
            revision: wire.revision,
            sub_stocks: wire.sub_stocks,
            stripes: wire.stripes,
        })
    }
}

impl TemplatePage {
    pub(crate) fn from_wire(wire: v1::TemplatePage, staleness: Option<Duration>) -> Result<Self, Malformed> {
        let templates = wire.templates.into_iter().map(Template::from_wire).collect::<Result<_, _>>()?;
        Ok(Self { templates, next: TemplateId::try_new(wire.next_after_template_id).ok(), staleness })
    }
}

impl StockChange {
    pub(crate) fn from_wire(wire: v1::StockChange) -> Result<Self, Malformed> {
        Ok(Self {
            template: template_id(wire.template_id)?,
            units_requested: wire.units_requested,
            units_applied: wire.units_applied,
            total_stock: wire.total_stock,
            replayed: wire.replayed,
        })
    }
}

impl TemplateStatus {
    fn from_number(number: i32) -> Self {
        match v1::TemplateStatus::try_from(number) {
            Ok(v1::TemplateStatus::Draft) => Self::Draft,
            Ok(v1::TemplateStatus::Published) => Self::Published,
            Ok(v1::TemplateStatus::Paused) => Self::Paused,
            Ok(v1::TemplateStatus::Closed) => Self::Closed,
            Ok(v1::TemplateStatus::Unspecified) | Err(_) => Self::Newer(number),
        }
    }

    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Draft => v1::TemplateStatus::Draft.into(),
            Self::Published => v1::TemplateStatus::Published.into(),
            Self::Paused => v1::TemplateStatus::Paused.into(),
            Self::Closed => v1::TemplateStatus::Closed.into(),
            Self::Newer(number) => number,
        }
    }
}
