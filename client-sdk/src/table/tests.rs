use scrip_protocol::{RequestId, TemplateId, UserId};
use tokio::sync::oneshot;

use super::*;
use crate::call::Operation;
use crate::coupon::Claim;
use crate::delivery::Sink;

fn call(user: u64, deadline: Instant) -> Call {
    let claim = Claim::new(UserId(user), TemplateId::try_new(1).expect("not 0"), RequestId([0; 16]));
    Call::new(Operation::Claim(claim.into()), deadline, Sink::One(oneshot::channel().0))
}

fn insert(table: &mut Table, user: u64, deadline: Instant) -> u64 {
    let mut given = 0;
    table.insert(call(user, deadline), |id, _| given = id);
    given
}

fn user(taken: Taken) -> Option<u64> {
    match taken {
        Taken::Call(Call { operation: Operation::Claim(claim), .. }) => Some(claim.user.get()),
        Taken::Call(_) | Taken::Late | Taken::Strange => None,
    }
}

#[test]
fn each_id_is_given_once_and_leads_back_to_its_call() {
    let (mut table, now) = (Table::default(), Instant::now());
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..5 {
        let ids: Vec<_> = (0..100).map(|number| insert(&mut table, round * 100 + number, now)).collect();
        assert_eq!(table.occupied(), 100);
        for (number, id) in ids.iter().enumerate().rev() {
            assert!(*id > 1, "0 and the id of Hello are never given");
            assert!(seen.insert(*id), "given twice: {id}");
            assert_eq!(user(table.take(*id)), Some(round * 100 + number as u64));
        }
        assert_eq!(table.occupied(), 0);
    }
}

#[test]
fn an_answer_is_late_or_strange_but_never_somebody_elses() {
    let (mut table, now) = (Table::default(), Instant::now());
    let first = insert(&mut table, 1, now);
    assert_eq!(user(table.take(first)), Some(1));
    assert!(matches!(table.take(first), Taken::Strange), "answered twice");
    let second = insert(&mut table, 2, now);
    assert_ne!(first, second);
    assert!(matches!(table.take(first), Taken::Late), "the slot has another tenant");
    assert!(matches!(table.take(second + (1 << INDEX_BITS)), Taken::Strange), "not yet given");
    assert!(matches!(table.take(second + 1), Taken::Strange), "no such slot");
    assert_eq!(user(table.take(second)), Some(2));
}

#[test]
fn an_expired_request_keeps_its_slot_until_its_answer_or_the_end_of_its_time() {
    let (mut table, now) = (Table::default(), Instant::now());
    let at = |ms| now + Duration::from_millis(ms);
    let linger = Duration::from_millis(100);
    let (early, late) = (insert(&mut table, 1, at(10)), insert(&mut table, 2, at(50)));
    let mut expired = Vec::new();
    assert_eq!(table.expire(at(9), linger, &mut expired), Some(at(10)));
    assert!(expired.is_empty());
    assert_eq!(table.expire(at(20), linger, &mut expired), Some(at(50)));
    assert_eq!((expired.len(), table.occupied()), (1, 2));
    assert!(matches!(table.take(early), Taken::Late));
    assert_eq!(table.occupied(), 1);
    assert_eq!(table.expire(at(60), linger, &mut expired), Some(at(160)));
    assert_eq!(table.expire(at(160), linger, &mut expired), None);
    assert_eq!((expired.len(), table.occupied()), (2, 0));
    assert!(matches!(table.take(late), Taken::Strange | Taken::Late));
}

#[test]
fn draining_takes_the_waiting_and_forgets_the_expired() {
    let (mut table, now) = (Table::default(), Instant::now());
    insert(&mut table, 1, now);
    insert(&mut table, 2, now + Duration::from_secs(1));
    table.expire(now, Duration::from_secs(1), &mut Vec::new());
    assert_eq!(table.drain().len(), 1);
    assert_eq!(table.occupied(), 0);
}
