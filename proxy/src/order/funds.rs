//! What a template's orders may take off in all: its budget in money, exact over all primaries.
//!
//! Meta grants each primary a part of the budget; the grants never add up to more than the budget, and never shrink. A
//! primary counts what its own orders spend, in the transaction that writes their steps, and never above its grant. So the
//! budget holds whatever fails: a grant that was made and did not arrive is copied again (it is absolute, and only rises), a
//! primary that lost commits lost redemptions and spending together.
//!
//! A primary that needs more asks for what it needs or for a small share of what is left, whichever is more. So the last
//! of the budget is handed out in small amounts, and what is left unspent on primaries that need it no more when meta has
//! nothing left is small: *budget spent* may be said while as much is left elsewhere.

use scrip_protocol::TemplateId;
use scrip_shard_config::PrimaryId;

use crate::refusal::{Effect, Refusal};
use crate::store::{MetaStore, RecordStore, StoreError};

/// A primary gets one part in so many, for each primary, of what is left.
const SHARES_PER_PRIMARY: u64 = 8;

/// Where budgets are kept.
#[derive(Debug, Clone)]
pub struct Funds<R, M> {
    record: R,
    meta: M,
    shares: u64,
}

impl<R: RecordStore, M: MetaStore> Funds<R, M> {
    /// Over these stores.
    pub fn new(record: R, meta: M, primaries: usize) -> Self {
        Self { record, meta, shares: SHARES_PER_PRIMARY * primaries.max(1) as u64 }
    }

    /// See [`RecordStore::sealed`].
    ///
    /// # Errors
    /// When the primary cannot be asked.
    pub async fn sealed(&self, primary: PrimaryId, templates: &[TemplateId]) -> Result<Vec<TemplateId>, StoreError> {
        self.record.sealed(primary, templates).await
    }

    /// What the primary may still spend, after it was granted more if `amount_minor` is above that; `None`: it has enough.
    ///
    /// # Errors
    /// When primary or meta cannot be asked: nothing was spent.
    pub async fn raise(
        &self,
        primary: PrimaryId,
        template: TemplateId,
        amount_minor: u64,
    ) -> Result<Option<u64>, Refusal> {
        let of_primary = |error| Refusal::of_primary(&error, Effect::Read);
        let budget = self.record.budget(primary, template).await.map_err(of_primary)?;
        let left = budget.granted_minor.saturating_sub(budget.spent_minor);
        if amount_minor <= left {
            return Ok(None);
        }
        // A grant that may or may not have been made binds nobody: it is found by the next one who asks.
        let granted = self.meta.grant_budget(template, primary, amount_minor - left, self.shares).await;
        let granted = granted.map_err(|error| Refusal::of_meta(&error, Effect::Read))?;
        self.record.raise_budget(primary, template, granted).await.map_err(of_primary)?;
        Ok(Some(granted.saturating_sub(budget.spent_minor)))
    }
}
