//! What a record lane has just recorded or read: users who claim again at once are answered without a transaction that
//! would only be rolled back.
//!
//! What is remembered of a user and a template is *all* of their coupons' request ids, as of one connection: rows are
//! never removed while a template can be claimed, so at the limit it is the whole truth, and below it the primary key
//! decides. On another connection nothing counts: the server may have been replaced by one that lacks the rows.

use scrip_protocol::{RequestId, TemplateId, UserId};

use crate::generations::Generations;

type Pair = (UserId, TemplateId);

/// The latest pairs.
#[derive(Debug)]
pub(super) struct Recent(Generations<Pair, Requests>);

/// Mostly there is one coupon, which needs no allocation.
#[derive(Debug)]
enum Requests {
    One(RequestId),
    Many(Vec<RequestId>),
}

impl Recent {
    pub(super) fn new(count_max: usize) -> Self {
        Self(Generations::new(count_max))
    }

    /// The request ids of all coupons of the pair, by number; `None`: not known on this connection.
    pub(super) fn requests(&self, connection: u64, pair: Pair) -> Option<&[RequestId]> {
        self.0.get(connection, &pair).map(Requests::as_slice)
    }

    /// The pair's coupon of this number was recorded. Counts only together with all before it.
    pub(super) fn recorded(&mut self, connection: u64, pair: Pair, seq: u16, request: RequestId) {
        if seq == 1 {
            return self.0.insert(connection, pair, Requests::One(request));
        }
        if let Some(mut requests) = self.0.take(connection, &pair) {
            requests.push(seq, request);
            self.0.insert(connection, pair, requests);
        }
    }

    /// All coupons of the pair were read: their request ids, by number.
    pub(super) fn read(&mut self, connection: u64, pair: Pair, requests: Vec<RequestId>) {
        if !requests.is_empty() {
            self.0.insert(connection, pair, Requests::Many(requests));
        }
    }
}

impl Requests {
    fn as_slice(&self) -> &[RequestId] {
        match self {
            Self::One(request) => std::slice::from_ref(request),
            Self::Many(requests) => requests,
        }
    }

    fn push(&mut self, seq: u16, request: RequestId) {
        if self.as_slice().len() + 1 != usize::from(seq) {
            return;
        }
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, request]),
            Self::Many(requests) => requests.push(request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(user: u64) -> Pair {
        (UserId(user), TemplateId::try_new(7).expect("not zero"))
    }

    fn request(number: u8) -> RequestId {
        RequestId([number; 16])
    }

    #[test]
    fn all_coupons_of_a_pair_are_known_or_none() {
        let mut recent = Recent::new(10);
        recent.recorded(1, pair(1), 2, request(2));
        assert_eq!(recent.requests(1, pair(1)), None, "the first is not known");
        recent.recorded(1, pair(1), 1, request(1));
        recent.recorded(1, pair(1), 3, request(3));
        assert_eq!(recent.requests(1, pair(1)), Some(&[request(1)][..]), "the second is not known");
        recent.recorded(1, pair(1), 2, request(2));
        recent.recorded(1, pair(1), 3, request(3));
        assert_eq!(recent.requests(1, pair(1)), Some(&[1, 2, 3].map(request)[..]));
        recent.read(1, pair(2), vec![]);
        recent.read(1, pair(3), vec![request(9)]);
        recent.recorded(1, pair(3), 2, request(8));
        assert_eq!(recent.requests(1, pair(2)), None);
        assert_eq!(recent.requests(1, pair(3)), Some(&[9, 8].map(request)[..]));
    }

    #[test]
    fn on_another_connection_nothing_counts() {
        let mut recent = Recent::new(10);
        recent.recorded(1, pair(1), 1, request(1));
        assert_eq!(recent.requests(2, pair(1)), None);
        recent.recorded(2, pair(2), 1, request(2));
        assert_eq!(recent.requests(2, pair(1)), None);
        recent.recorded(2, pair(1), 2, request(3));
        assert_eq!(recent.requests(2, pair(1)), None, "its first was forgotten");
    }
}
