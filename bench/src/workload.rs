//! Who claims what: a function of the seed and the number of the claim, so that no list of claims is kept.

use scrip_client::{Claim, RequestId, TemplateId, UserId};
use serde::{Deserialize, Serialize};

use crate::arrival::mix;

/// What callers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Everybody wants one coupon of one template.
    Rush,
    /// Many templates, wanted by a power law.
    Mixed,
    /// The template is sold out: everybody is refused.
    Soldout,
    /// 30% of the claims were sent before.
    Resend,
    /// Half of the claims come from users who have their coupon already.
    Limit,
    /// Users list their coupons; each has one of every template.
    Read,
    /// Orders are quoted for users who have a coupon of each of several templates that stack.
    Quote,
    /// Orders lock a coupon and redeem it: a cycle of two requests.
    Redeem,
}

/// Templates of [`Kind::Mixed`].
const MIXED_TEMPLATES: usize = 100;
/// Templates of [`Kind::Read`] and [`Kind::Quote`], and coupons of each user.
const READ_TEMPLATES: usize = 5;
/// Users of [`Kind::Read`] and [`Kind::Quote`].
pub(crate) const READ_USERS: u64 = 20_000;
/// Claims in flight in a closed loop.
const IN_FLIGHT: usize = 20_000;
/// Pages asked for at once in a closed loop: enough to keep every connection of a proxy to its primaries busy.
const READ_IN_FLIGHT: usize = 256;
/// More than any run can claim.
const PLENTY: u64 = 1_000_000_000;
/// Stock of [`Kind::Soldout`]: gone within the warm-up.
const SCARCE: u64 = 20_000;
const RESEND_PERCENT: u64 = 30;
const AGAIN_PERCENT: u64 = 50;
/// A claim is sent again, or its user comes again, when so many others were sent after it; and up to twice that.
const AGAIN_AFTER: u64 = 50_000;
/// User ids are below.
const USERS: u64 = 1 << 40;

impl Kind {
    /// How many templates it claims.
    #[must_use]
    pub fn templates(self) -> usize {
        match self {
            Self::Mixed => MIXED_TEMPLATES,
            Self::Read | Self::Quote => READ_TEMPLATES,
            Self::Rush | Self::Soldout | Self::Resend | Self::Limit | Self::Redeem => 1,
        }
    }

    /// How many requests are in flight in a closed loop.
    #[must_use]
    pub fn in_flight(self) -> usize {
        match self {
            Self::Read | Self::Quote => READ_IN_FLIGHT,
            Self::Rush | Self::Mixed | Self::Soldout | Self::Resend | Self::Limit | Self::Redeem => IN_FLIGHT,
        }
    }

    /// The stock of each template.
    #[must_use]
    pub fn stock(self) -> u64 {
        if self == Self::Soldout { SCARCE } else { PLENTY }
    }
}

/// One send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Send {
    /// The number of the request: two sends of one number are the same request.
    pub request: u64,
    /// Who.
    pub user: u64,
    /// Index of the template.
    pub template: usize,
    /// Never sent before.
    pub first_try: bool,
}

/// All claims of one run.
#[derive(Debug, Clone)]
pub struct Workload {
    kind: Kind,
    seed: u64,
    templates: Vec<TemplateId>,
    /// Ascending, the last is 1: the share of each template and all before it.
    shares: Vec<f64>,
}

impl Workload {
    /// Claims of these templates.
    #[must_use]
    pub fn new(kind: Kind, seed: u64, templates: Vec<TemplateId>) -> Self {
        let weights: Vec<f64> = (1..=templates.len()).map(|rank| 1.0 / rank as f64).collect();
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let shares = weights.iter().map(|weight| {
            sum += weight / total;
            sum
        });
        let shares = shares.collect();
        Self { kind, seed, templates, shares }
    }

    /// The templates.
    #[must_use]
    pub fn templates(&self) -> &[TemplateId] {
        &self.templates
    }

    /// What callers do.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The send with this number.
    #[must_use]
    pub fn send(&self, number: u64) -> Send {
        let dice = mix(self.seed, number);
        let earlier = || number.checked_sub(AGAIN_AFTER + (dice >> 32) % AGAIN_AFTER);
        let fresh = Send { request: number, user: user(number), template: self.template(dice), first_try: true };
        match self.kind {
            Kind::Rush | Kind::Mixed | Kind::Soldout | Kind::Redeem => fresh,
            Kind::Read | Kind::Quote => {
                let templates = self.templates.len() as u64;
                Send { user: self.reader(number / templates), template: (number % templates) as usize, ..fresh }
            }
            Kind::Resend if dice % 100 < RESEND_PERCENT => {
                // The earlier one may itself repeat a still earlier one.
                earlier().map_or(fresh, |number| Send { first_try: false, ..self.send(number) })
            }
            Kind::Limit if dice % 100 < AGAIN_PERCENT => {
                earlier().map_or(fresh, |number| Send { user: self.send(number).user, ..fresh })
            }
            Kind::Resend | Kind::Limit => fresh,
        }
    }

    /// A user of [`Kind::Read`] or [`Kind::Quote`]; others than those of another repeat.
    pub(crate) fn reader(&self, number: u64) -> u64 {
        user((((self.seed >> 32) + 1) & 0x3ff) << 30 | number)
    }

    /// The seed.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The claim of a send.
    #[must_use]
    pub fn claim(&self, send: &Send) -> Claim {
        let claim = Claim::new(UserId(send.user), self.templates[send.template], self.request_id(send.request));
        if send.first_try { claim.first_try() } else { claim }
    }

    /// The id of a request.
    #[must_use]
    pub fn request_id(&self, request: u64) -> RequestId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&mix(self.seed, u64::MAX).to_be_bytes());
        id[8..].copy_from_slice(&request.to_be_bytes());
        RequestId(id)
    }

    /// The number of a request; none if the id is not of this workload.
    #[must_use]
    pub fn request_of(&self, id: &[u8]) -> Option<u64> {
        let number = u64::from_be_bytes(*id.last_chunk::<8>()?);
        (self.request_id(number).0 == *id).then_some(number)
    }

    fn template(&self, dice: u64) -> usize {
        let at = (dice >> 11) as f64 / (1u64 << 53) as f64;
        self.shares.partition_point(|share| *share <= at).min(self.templates.len() - 1)
    }
}

/// Another user for each number, in no order: multiplying by an odd number permutes.
pub(crate) fn user(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % USERS + 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn workload(kind: Kind) -> Workload {
        let templates = (1..=kind.templates() as u32).map(|id| TemplateId::try_new(id).expect("an id"));
        Workload::new(kind, 42, templates.collect())
    }

    #[test]
    fn in_a_rush_every_user_comes_once() {
        let workload = workload(Kind::Rush);
        let users: HashSet<u64> = (0..200_000).map(|number| workload.send(number).user).collect();
        assert_eq!(users.len(), 200_000);
    }

    #[test]
    fn resends_repeat_an_earlier_request_exactly() {
        let workload = workload(Kind::Resend);
        let sends: Vec<Send> = (0..300_000).map(|number| workload.send(number)).collect();
        let resent: Vec<&Send> = sends[100_000..].iter().filter(|send| !send.first_try).collect();
        assert!((58_000..62_000).contains(&resent.len()), "{}", resent.len());
        for send in resent {
            let first = sends[usize::try_from(send.request).expect("a small number")];
            assert_eq!((first.user, first.template, first.first_try), (send.user, send.template, true));
        }
    }

    #[test]
    fn with_a_limit_half_of_the_users_come_again_under_a_new_request() {
        let workload = workload(Kind::Limit);
        let users: HashSet<u64> = (0..300_000).map(|number| workload.send(number).user).collect();
        assert!((160_000..200_000).contains(&users.len()), "{}", users.len());
        assert!((0..1_000).all(|number| workload.send(number).request == number));
    }

    #[test]
    fn the_first_of_many_templates_is_wanted_most() {
        let workload = workload(Kind::Mixed);
        let mut counts = [0; MIXED_TEMPLATES];
        (0..100_000).for_each(|number| counts[workload.send(number).template] += 1);
        assert!(counts[0] > 15 * counts[99] && counts[99] > 0, "{counts:?}");
    }

    #[test]
    fn every_reader_gets_one_coupon_of_each_template() {
        let workload = workload(Kind::Read);
        let sends: HashSet<(u64, usize)> =
            (0..1_000).map(|number| workload.send(number)).map(|send| (send.user, send.template)).collect();
        let users: HashSet<u64> = sends.iter().map(|(user, _)| *user).collect();
        assert_eq!((sends.len(), users.len()), (1_000, 1_000 / READ_TEMPLATES));
        assert_eq!(users, (0..200).map(|number| workload.reader(number)).collect());
    }

    #[test]
    fn request_ids_are_recognised() {
        let workload = workload(Kind::Rush);
        assert_eq!(workload.request_of(&workload.request_id(77).0), Some(77));
        assert_eq!(workload.request_of(&[1; 16]), None);
    }
}
