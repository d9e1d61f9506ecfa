//! Packs: each of their coupons has its own line in the history.

use scrip_client::{ClaimPackError, Coupon, Pack, PackItem, RequestId, TemplateId, UserId};

use super::Recorder;
use crate::history::{PackFact, PackIndex, SendIndex, Told};
use crate::oracle::{of_pack, undecided};

impl Recorder {
    /// A pack of these items; nobody has sent it yet.
    pub(in crate::run) fn pack(&self, user: UserId, request: RequestId, items: Vec<(TemplateId, u8)>) -> PackIndex {
        let of_item = |&(template, count): &(TemplateId, u8)| {
            (1..=count).map(move |unit| (template, of_pack(request, template, unit)))
        };
        let units: Vec<(TemplateId, RequestId)> = items.iter().flat_map(of_item).collect();
        self.inner.lock().history.pack(user, request, items, units)
    }

    /// Writes a send of a pack down before it leaves: one for each of its coupons.
    pub(in crate::run) fn sending_pack(&self, pack: PackIndex) -> (Vec<SendIndex>, Pack) {
        let mut inner = self.inner.lock();
        let now = self.now();
        let PackFact { user, request, items, units } = inner.history.packs()[pack.0 as usize].clone();
        // No sample is taken of them.
        inner.intended_us.extend(std::iter::repeat_n(0, units.len()));
        let sent = units.iter().map(|unit| inner.history.sent(*unit, now)).collect();
        let items = items.iter().map(|&(template, count)| PackItem { template, count: count.into() });
        (sent, Pack::new(user, request, items))
    }

    /// Writes the answer to a send of a pack down.
    pub(in crate::run) fn answered_pack(
        &self,
        pack: PackIndex,
        sent: &[SendIndex],
        result: &Result<Vec<Coupon>, ClaimPackError>,
    ) {
        let mut inner = self.inner.lock();
        let now = self.now();
        let fact = inner.history.packs()[pack.0 as usize].clone();
        let Some(told) = Told::of_pack(result, &fact) else {
            inner.watch.wrong(format!("{fact:?} was answered with other coupons: {result:?}"));
            return;
        };
        let excused = self.is_losing(&inner, fact.user);
        for ((send, request), told) in sent.iter().zip(&fact.units).zip(told) {
            inner.history.answered(*send, now, told);
            let asked = inner.history.requests()[request.0 as usize];
            inner.watch.told(*request, asked, told, excused);
        }
    }

    /// Packs without a definite answer after a send that brought none.
    pub(in crate::run) fn packs_in_doubt(&self) -> Vec<PackIndex> {
        let history = self.history();
        let open: std::collections::BTreeSet<_> = undecided(&history).into_iter().collect();
        let packs = (0u32..).zip(history.packs());
        let open = packs.filter(|(_, pack)| pack.units.iter().any(|unit| open.contains(unit)));
        open.map(|(number, _)| PackIndex(number)).collect()
    }

    /// How many packs were asked for.
    pub(in crate::run) fn pack_count(&self) -> u32 {
        u32::try_from(self.inner.lock().history.packs().len()).unwrap_or(u32::MAX)
    }
}
