//! The invariants that cost next to nothing, checked with every answer.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use scrip_client::{Code, CouponId, TemplateId, UserId};

use crate::history::{Request, RequestIndex, TemplateFact, Told};

/// Violations that are kept.
const KEPT: usize = 20;

/// What callers know, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Watch {
    templates: BTreeMap<TemplateId, Watched>,
    coupon_of: HashMap<RequestIndex, (CouponId, u32)>,
    request_of: HashMap<CouponId, RequestIndex>,
    held: HashMap<(UserId, TemplateId), u32>,
    limit_reached: HashMap<RequestIndex, ()>,
    violations: Vec<String>,
}

/// One template.
#[derive(Debug)]
struct Watched {
    /// The most that the total can ever have been.
    total_max: u64,
    per_user_limit: u32,
    /// Coupons that callers know of.
    acknowledged: u64,
}

impl Watch {
    pub(super) fn new(facts: &[TemplateFact]) -> Self {
        let watched = |fact: &TemplateFact| {
            let TemplateFact { template, total_stock: total_max, per_user_limit } = *fact;
            (template, Watched { total_max, per_user_limit, acknowledged: 0 })
        };
        Self {
            templates: facts.iter().map(watched).collect(),
            coupon_of: HashMap::new(),
            request_of: HashMap::new(),
            held: HashMap::new(),
            limit_reached: HashMap::new(),
            violations: Vec::new(),
        }
    }

    /// Somebody is about to add so many units.
    pub(super) fn may_grow(&mut self, template: TemplateId, units: i64) {
        if let Some(watched) = self.templates.get_mut(&template) {
            watched.total_max += u64::try_from(units).unwrap_or(0);
        }
    }

    /// Coupons of a template that callers know of.
    pub(super) fn acknowledged(&self, template: TemplateId) -> u64 {
        self.templates.get(&template).map_or(0, |watched| watched.acknowledged)
    }

    pub(super) fn violations(&self) -> &[String] {
        &self.violations
    }

    /// An answer has come. `excused`: the user's coupons may be gone by a fail-over, so nothing is concluded.
    pub(super) fn told(&mut self, request: RequestIndex, asked: Request, told: Told, excused: bool) {
        if excused {
            return;
        }
        match told {
            Told::Coupon { coupon, seq, .. } => self.granted(request, asked, (coupon, seq)),
            Told::NotApplied(Code::LimitReached) => {
                self.limit_reached.insert(request, ());
                self.not_both(request, asked);
            }
            Told::NotApplied(_) | Told::Unknown(_) | Told::Nothing => {}
        }
    }

    fn granted(&mut self, request: RequestIndex, asked: Request, coupon: (CouponId, u32)) {
        let name = |what: &str| format!("request {} of user {}: {what}", asked.id, asked.user);
        match self.coupon_of.entry(request) {
            Entry::Occupied(first) if *first.get() != coupon => {
                let text = name(&format!("told {coupon:?}, and before {:?}", first.get()));
                self.wrong(text);
                return;
            }
            Entry::Occupied(_) => return,
            Entry::Vacant(place) => _ = place.insert(coupon),
        }
        if let Some(other) = self.request_of.insert(coupon.0, request) {
            self.wrong(name(&format!("told the coupon {} of another request (number {})", coupon.0, other.0)));
        }
        let held = self.held.entry((asked.user, asked.template)).or_default();
        *held += 1;
        let held = *held;
        let Some(watched) = self.templates.get_mut(&asked.template) else {
            return self.wrong(name("told a coupon of a template that nobody created"));
        };
        watched.acknowledged += 1;
        let Watched { total_max, per_user_limit, acknowledged } = *watched;
        if held > per_user_limit {
            self.wrong(name(&format!("{held} coupons, the limit is {per_user_limit}")));
        }
        if acknowledged > total_max {
            self.wrong(format!("{acknowledged} coupons told, {total_max} units"));
        }
        self.not_both(request, asked);
    }

    fn not_both(&mut self, request: RequestIndex, asked: Request) {
        if self.coupon_of.contains_key(&request) && self.limit_reached.contains_key(&request) {
            self.wrong(format!("request {} of user {}: a coupon, and the limit reached", asked.id, asked.user));
        }
    }

    /// Something that is wrong for sure.
    pub(super) fn wrong(&mut self, text: String) {
        if self.violations.len() < KEPT {
            self.violations.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use scrip_client::RequestId;

    use super::*;

    const LIMIT: Told = Told::NotApplied(Code::LimitReached);

    fn coupon(number: u8) -> Told {
        Told::Coupon { coupon: CouponId([number; 16]), seq: 1, replayed: false }
    }

    /// Answers to requests of users, one after the other; two units, one coupon a user. What is wrong in the end.
    fn check(answers: &[(u32, u64, Told)], expect: &[&str]) {
        let template = TemplateId::try_new(1).expect("not zero");
        let mut watch = Watch::new(&[TemplateFact { template, total_stock: 2, per_user_limit: 1 }]);
        for (request, user, told) in answers {
            let asked = Request { user: UserId(*user), template, id: RequestId([0; 16]) };
            watch.told(RequestIndex(*request), asked, *told, false);
        }
        let found = watch.violations();
        assert_eq!(found.len(), expect.len(), "{found:?}");
        for (found, expect) in found.iter().zip(expect) {
            assert!(found.contains(expect), "{found}, not {expect}");
        }
    }

    #[test]
    fn what_is_wrong_is_seen_at_once() {
        check(&[(0, 1, coupon(1)), (0, 1, coupon(1)), (1, 2, coupon(2)), (2, 3, LIMIT)], &[]);
        check(&[(0, 1, coupon(1)), (0, 1, coupon(2))], &["and before"]);
        check(&[(0, 1, coupon(1)), (1, 2, coupon(1))], &["of another request"]);
        check(&[(0, 1, coupon(1)), (1, 1, coupon(2))], &["2 coupons, the limit is 1"]);
        check(&[(0, 1, coupon(1)), (1, 2, coupon(2)), (2, 3, coupon(3))], &["3 coupons told, 2 units"]);
        check(&[(0, 1, LIMIT), (0, 1, coupon(1))], &["the limit reached"]);
    }
}
