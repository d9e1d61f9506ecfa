//! What the patrol reads and notes, through [`PatrolStore`].

use std::time::Duration;

use scrip_protocol::v1::{CouponStatus, StepKind};
use scrip_protocol::{OrderId, UserId};
use scrip_proxy::store::events::Holder;
use scrip_proxy::store::patrol::{PatrolStore, Position, Reminder, ReminderKey};
use scrip_proxy::store::steps::{CouponKey, Hold, NewStep, Step};
use scrip_proxy::store::{NewCoupon, RecordError, RecordWriter};

use super::model;
use super::record::open;
use crate::record_store::bed::{Bed, P0, coupon, on_each, template};

const NAME: &str = "patrol";
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(20);

/// The lease: one holder, a term for each, and the position is noted by whoever holds it.
pub(crate) async fn leases(store: impl PatrolStore) {
    let hold = async |owner: &str, lasts| store.hold(P0, NAME, owner, lasts).await.expect("asked");
    let note = async |holder: &Holder, user| {
        let position = Position { tail: 7, user, template: 3, seq: 2 };
        store.note(P0, position, holder).await.expect("noted");
        store.position(P0).await.expect("read")
    };
    assert_eq!(store.position(P0).await, Ok(Position::default()));
    let first = hold("a", LONG).await.expect("nobody held it");
    assert_eq!((first.name, first.owner.as_str()), (NAME, "a"));
    assert_eq!(hold("b", LONG).await, None);
    assert_eq!(hold("a", SHORT).await.as_ref(), Some(&first), "its own, and the same term");
    tokio::time::sleep(SHORT * 5).await;
    assert_eq!(note(&first, 11).await.user, 11, "over, and nobody else's yet");
    let second = hold("b", LONG).await.expect("it was over");
    assert!(second.term > first.term);
    assert_eq!(note(&first, 12).await.user, 11, "somebody else's");
    assert_eq!(note(&second, 13).await, Position { tail: 7, user: 13, template: 3, seq: 2 });
    assert_eq!(hold("a", LONG).await, None);
}

/// The walk: every coupon once, in the order of tail, user, template and number, with what its last step says.
pub(crate) async fn walks(store: impl PatrolStore) {
    open(&store, 3).await;
    let mut writer = store.writer(P0, 0);
    writer.connect().await.expect("connected");
    // Of two users with one tail, and of one whose tail comes before.
    let users = [20_005, 5, 10_004];
    writer.record(&users.map(|user| coupon(user, 1, 3))).await.expect("recorded");
    let seen_on = writer.connection();
    for seq in [2, 3] {
        writer.record(&[NewCoupon { seq, seen_on, ..coupon(5, 1, 3) }]).await.expect("recorded");
    }
    let order = OrderId::try_new("order").expect("an order id");
    let locked = Step {
        number: 1,
        kind: StepKind::Locked,
        order: Some(order.clone()),
        hold: Hold::Locked { order, until_ms: 9_000 },
        amount_minor: 0,
        at_ms: 5,
    };
    let freed =
        Step { number: 2, kind: StepKind::Freed, order: None, hold: Hold::Unused, at_ms: 9_500, ..locked.clone() };
    let key = |user, seq| CouponKey { user: UserId(user), template: template(), seq };
    for (key, step) in [(key(5, 2), locked.clone()), (key(20_005, 1), locked), (key(20_005, 1), freed)] {
        writer.append(&[NewStep { key, step, seen_on }], &[]).await.expect("appended");
    }
    let (unused, is_locked) = (CouponStatus::Unused, CouponStatus::Locked);
    let expect = [
        (10_004, 1, unused, 0, None),
        (5, 1, unused, 0, None),
        (5, 2, is_locked, 9_000, Some(StepKind::Locked)),
        (5, 3, unused, 0, None),
        (20_005, 1, unused, 0, Some(StepKind::Freed)),
    ];
    for count_max in 1..=6 {
        let (mut after, mut found) = (Position::default(), Vec::new());
        loop {
            let rows = store.walk(P0, after, count_max).await.expect("read");
            let Some(last) = rows.last() else { break };
            after = Position::of(&last.row);
            let seen = rows.iter().map(|walked| {
                let row = &walked.row;
                (row.user.get(), row.seq, row.status, row.locked_until_ms, walked.last)
            });
            found.extend(seen);
            if rows.len() < count_max as usize {
                break;
            }
        }
        assert_eq!(found, expect, "{count_max} at once");
    }
}

/// Reminders: all of a batch or none, each once, until it is forgotten.
pub(crate) async fn reminders(store: impl PatrolStore) {
    let reminder = |user, end_day| {
        let key = ReminderKey { user: UserId(user), template: template(), end_day, before_ms: 1_000 };
        Reminder { key, seq: 1, until_ms: i64::from(end_day) * 86_400_000, at_ms: 5 }
    };
    let all = [(5, 100), (6, 100), (6, 101)].map(|(user, end_day)| reminder(user, end_day));
    let made = async || {
        let mut made = store.reminded(P0, &all.map(|reminder| reminder.key)).await.expect("read");
        made.sort_unstable();
        made
    };
    let keys = |of: &[usize]| of.iter().map(|index| all[*index].key).collect::<Vec<_>>();
    assert_eq!((store.remind(P0, &[]).await, store.reminded(P0, &[]).await), (Ok(()), Ok(Vec::new())));
    store.remind(P0, &all[..1]).await.expect("made");
    assert_eq!(store.remind(P0, &[all[1], all[0]]).await, Err(RecordError::Conflict));
    assert_eq!(made().await, keys(&[0]), "what was refused left nothing behind");
    store.remind(P0, &all[1..]).await.expect("made");
    assert_eq!(made().await, keys(&[0, 1, 2]));
    let forgotten = [store.forget(P0, 100, 10).await, store.forget(P0, 101, 1).await, store.forget(P0, 101, 10).await];
    assert_eq!(forgotten, [Ok(0), Ok(1), Ok(1)]);
    assert_eq!(made().await, keys(&[2]));
}

#[tokio::test]
async fn a_lease_has_one_holder() {
    on_each("conforming_patrol_leases", async |bed: Bed| leases(bed.store).await).await;
}

#[tokio::test]
async fn the_walk_comes_by_every_coupon_once() {
    on_each("conforming_walks", async |bed: Bed| walks(bed.store).await).await;
}

#[tokio::test]
async fn reminders_are_made_once() {
    on_each("conforming_reminders", async |bed: Bed| reminders(bed.store).await).await;
}

#[tokio::test(start_paused = true)]
async fn the_model_of_the_patrol_does_the_same() {
    leases(model()).await;
    walks(model()).await;
    reminders(model()).await;
}
