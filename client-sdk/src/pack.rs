//! Packs as callers see them.

use scrip_protocol::{RequestId, TemplateId, UserId, v1};

/// Several coupons to one user, all or nothing. The same user, request id and items (in any order), sent any number of times,
/// give one pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    user: UserId,
    request_id: RequestId,
    items: Vec<PackItem>,
}

/// Some coupons of one template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackItem {
    /// The template.
    pub template: TemplateId,
    /// How many: 1 to 4.
    pub count: u32,
}

impl Pack {
    /// A pack of these items: 1 to 16, each of another template.
    pub fn new(user: UserId, request_id: RequestId, items: impl IntoIterator<Item = PackItem>) -> Self {
        Self { user, request_id, items: items.into_iter().collect() }
    }

    /// For whom.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Under which request id.
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// What it holds.
    pub fn items(&self) -> &[PackItem] {
        &self.items
    }

    pub(crate) fn to_wire(&self) -> v1::ClaimPack {
        let item = |item: &PackItem| v1::PackItem { template_id: item.template.get(), count: item.count };
        v1::ClaimPack {
            user_id: self.user.get(),
            request_id: self.request_id.to_bytes(),
            items: self.items.iter().map(item).collect(),
            attempt: 0,
        }
    }
}
