//! Packs: several coupons to one user, all or nothing.
//!
//! Each coupon of a pack is a request of its own, under the id that the proxies derive for it: whatever is asked of requests is
//! asked of them. What a send of the pack was told is written down for each of them.

use std::collections::BTreeSet;

use scrip_client::{ClaimPackError, Code, Coupon, Disposition, RequestId, TemplateId, UserId};
use scrip_protocol::Fault;

use super::{History, Request, RequestIndex, Told, index_of_last};

/// A pack, as whoever claims it knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackFact {
    /// For whom.
    pub user: UserId,
    /// Under which id.
    pub request: RequestId,
    /// How many coupons of which templates, in the order in which they are sent.
    pub items: Vec<(TemplateId, u8)>,
    /// The request of each coupon, in the order of the items.
    pub units: Vec<RequestIndex>,
}

/// The number of a pack in its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackIndex(pub u32);

/// All packs of a history.
#[derive(Debug, Clone, Default)]
pub(super) struct Packs {
    facts: Vec<PackFact>,
    units: BTreeSet<RequestIndex>,
}

impl PackFact {
    /// The template of each coupon, in the order of the items.
    pub fn templates(&self) -> impl Iterator<Item = TemplateId> {
        self.items.iter().flat_map(|(template, count)| std::iter::repeat_n(*template, usize::from(*count)))
    }
}

impl Told {
    /// What the client's result of a pack means for each of its coupons; none: the answer holds other coupons than the pack.
    ///
    /// A refusal is about one template. What is said of that one is no word on the others: of them there will be no coupon
    /// either, or, where it may pass (a pause, the end of a day), nothing was decided.
    pub fn of_pack(result: &Result<Vec<Coupon>, ClaimPackError>, pack: &PackFact) -> Option<Vec<Self>> {
        match result {
            Ok(coupons) => {
                let is_it = coupons.iter().map(|coupon| coupon.template).eq(pack.templates());
                is_it.then(|| coupons.iter().map(Self::granted).collect())
            }
            Err(error) => {
                let refused = (error.disposition(), error.code(), error.failure().template());
                Some(Self::of_pack_failed(refused, pack))
            }
        }
    }

    fn of_pack_failed(
        (disposition, code, about): (Disposition, Code, Option<TemplateId>),
        pack: &PackFact,
    ) -> Vec<Self> {
        let other = match code {
            Code::TemplatePaused | Code::DailyLimitReached => Code::StockUnavailable,
            _ => Code::ClaimEnded,
        };
        let is_rule = code.fault() == Some(Fault::Rules);
        let of = |template| match about {
            Some(about) if is_rule && about != template => other,
            _ => code,
        };
        pack.templates().map(|template| Self::failed(disposition, of(template))).collect()
    }
}

impl History {
    /// A pack was made up; it is not sent yet. `units`: template and derived request id of each coupon, in the order of the items.
    ///
    /// # Panics
    /// With the 4,294,967,296th request.
    pub fn pack(
        &mut self,
        user: UserId,
        request: RequestId,
        items: Vec<(TemplateId, u8)>,
        units: impl IntoIterator<Item = (TemplateId, RequestId)>,
    ) -> PackIndex {
        let one = |(template, id)| self.request(Request { user, template, id });
        let units: Vec<RequestIndex> = units.into_iter().map(one).collect();
        self.packs.units.extend(&units);
        self.packs.facts.push(PackFact { user, request, items, units });
        PackIndex(index_of_last(self.packs.facts.len()))
    }

    /// The packs, by number.
    pub fn packs(&self) -> &[PackFact] {
        &self.packs.facts
    }

    /// Whether a request is that of a coupon of a pack. It is never sent by itself.
    pub fn is_of_pack(&self, request: RequestIndex) -> bool {
        self.packs.units.contains(&request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(id: u32) -> TemplateId {
        TemplateId::try_new(id).expect("not zero")
    }

    /// Two coupons of template 7 and one of template 9: what each is told when the pack is refused.
    fn check(code: Code, about: Option<u32>, expect: [Told; 3]) {
        let items = vec![(template(7), 2), (template(9), 1)];
        let pack = PackFact { user: UserId(1), request: RequestId([1; 16]), items, units: Vec::new() };
        let disposition = code.disposition().expect("a refusal");
        let told = Told::of_pack_failed((disposition, code, about.map(template)), &pack);
        assert_eq!(told, expect, "{code:?} about {about:?}");
    }

    #[test]
    fn what_is_said_of_one_template_is_no_word_on_the_others() {
        let no = Told::NotApplied;
        check(Code::SoldOut, Some(7), [no(Code::SoldOut), no(Code::SoldOut), no(Code::ClaimEnded)]);
        check(Code::LimitReached, Some(9), [no(Code::ClaimEnded), no(Code::ClaimEnded), no(Code::LimitReached)]);
        let undecided = no(Code::StockUnavailable);
        check(Code::TemplatePaused, Some(9), [undecided, undecided, no(Code::TemplatePaused)]);
        // Of what could not be done just now, and of doubt, it is all one.
        check(Code::StockUnavailable, Some(7), [no(Code::StockUnavailable); 3]);
        check(Code::Overloaded, None, [no(Code::Overloaded); 3]);
        check(Code::OutcomeUnknown, None, [Told::Unknown(Code::OutcomeUnknown); 3]);
    }
}
