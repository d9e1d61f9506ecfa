//! The templates of a pack.

use std::sync::Arc;

use scrip_protocol::v1::{ClaimPack, Code};
use scrip_protocol::{RequestId, TemplateId, UserId};
use tokio::time::{Instant, timeout_at};

use super::{Desk, Stop};
use crate::flow::needs_verifying;
use crate::pack::{Item, Pack};
use crate::refusal::{Effect, Refusal};
use crate::store::MetaStore;
use crate::store::pack::{PackItems, PackKey};
use crate::template::Template;

impl<M: MetaStore> Desk<M> {
    /// The pack that is asked for, its templates as meta or the snapshot has them.
    pub(super) async fn read(&self, claim: &ClaimPack, deadline: Instant) -> Result<Pack, Stop> {
        let invalid = |error: &dyn std::fmt::Display| Stop::of(Code::InvalidRequest, error.to_string());
        let request = RequestId::try_from_slice(&claim.request_id).map_err(|error| invalid(&error))?;
        let mut counts = Vec::with_capacity(claim.items.len());
        for item in &claim.items {
            let template = TemplateId::try_new(item.template_id).map_err(|error| invalid(&error))?;
            counts.push((template, u8::try_from(item.count).unwrap_or(u8::MAX)));
        }
        let kept = PackItems::try_new(counts.iter().copied()).map_err(|error| invalid(&error))?;
        let mut items = Vec::with_capacity(counts.len());
        for (id, count) in counts {
            let known = timeout_at(deadline, self.known(id)).await;
            let late = || Stop::about(id, Code::DeadlineExceeded, "the deadline passed before it was read");
            items.push(Item { template: known.unwrap_or_else(|_| Err(late()))?, count });
        }
        Ok(Pack { key: PackKey { user: UserId(claim.user_id), request }, items, kept })
    }

    /// What an operator may just have changed through another proxy is asked of meta.
    async fn known(&self, id: TemplateId) -> Result<Arc<Template>, Stop> {
        if let Some(known) = self.flow.templates.get(id).filter(|template| !needs_verifying(template)) {
            return Ok(known);
        }
        let of_meta = |error| {
            let Refusal { code, detail } = Refusal::of_meta(&error, Effect::Read);
            Stop::about(id, code, &detail)
        };
        self.flow.templates.apply(vec![self.meta.template(id).await.map_err(of_meta)?]);
        let gone = || Stop::about(id, Code::TemplateNotFound, Code::TemplateNotFound.cause());
        self.flow.templates.get(id).ok_or_else(gone)
    }

    /// The same pack, its templates as they stand now.
    pub(super) fn begun_again(&self, pack: &Pack) -> Pack {
        let now = |item: &Item| {
            let template = self.flow.templates.get(item.id()).unwrap_or_else(|| Arc::clone(&item.template));
            Item { template, count: item.count }
        };
        Pack { key: pack.key, items: pack.items.iter().map(now).collect(), kept: pack.kept.clone() }
    }
}
