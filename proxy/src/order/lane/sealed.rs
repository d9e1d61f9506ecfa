//! Templates whose coupons are being archived, or are archived: nothing can be appended to their logs any more.
//!
//! A lane learns of one when a coupon is not there, or when a transaction is refused; a seal is never undone, unless the server
//! behind the primary is replaced by one that has lost it: so it counts for one connection.

use rustc_hash::FxHashSet;
use scrip_protocol::TemplateId;

use super::OrderLane;
use crate::lane::Lost;
use crate::order::plan::Logs;
use crate::store::{MetaStore, RecordStore, RecordWriter};

/// The templates that are known to be sealed.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    connection: u64,
    templates: FxHashSet<TemplateId>,
}

impl Sealed {
    /// As far as this connection goes.
    pub(super) fn on(&mut self, connection: u64) -> &FxHashSet<TemplateId> {
        if self.connection != connection {
            self.connection = connection;
            self.templates.clear();
        }
        &self.templates
    }
}

impl<W: RecordWriter, R: RecordStore, M: MetaStore> OrderLane<W, R, M> {
    /// Of coupons that are not there: whether they may be archived.
    pub(super) async fn learn_of_absent(&mut self, logs: &Logs) -> Result<(), Lost> {
        let items = self.front.group.iter().flat_map(|task| &task.items).filter(|item| !logs.contains_key(&item.key));
        let templates: FxHashSet<TemplateId> = items.map(|item| item.key.template).collect();
        self.learn_of(templates).await.map(drop)
    }

    /// A transaction was refused: whether it was for a seal.
    pub(super) async fn learn_of_group(&mut self) -> Result<bool, Lost> {
        let items = self.front.group.iter().flat_map(|task| &task.items);
        let templates: FxHashSet<TemplateId> = items.map(|item| item.key.template).collect();
        self.learn_of(templates).await
    }

    /// Returns whether one of them is sealed that was not known to be.
    async fn learn_of(&mut self, mut templates: FxHashSet<TemplateId>) -> Result<bool, Lost> {
        let connection = self.writer.connection();
        let known = self.sealed.on(connection);
        templates.retain(|template| !known.contains(template));
        if templates.is_empty() {
            return Ok(false);
        }
        let templates: Vec<TemplateId> = templates.into_iter().collect();
        let primary = self.front.queue().primary;
        let found = self.front.find(self.funds.sealed(primary, &templates)).await?;
        let is_new = !found.is_empty();
        self.sealed.templates.extend(found);
        Ok(is_new)
    }
}
