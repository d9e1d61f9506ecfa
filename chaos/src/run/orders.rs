//! Orders beside the claims: users who got coupons lock, redeem, unlock and return them while things break.
//!
//! What is in doubt is sent again under the same order id; what is in doubt when the load ends, after the healing.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use scrip_client::{Client, Coupon, OrderId, Redemption};
use scrip_protocol::Fault;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::recorder::Recorder;
use crate::history::{Act, Deed, DeedIndex, DeedTold};

/// Coupons of a hundred that get orders.
const PERCENT: u32 = 10;
/// Coupons with orders under way at once, for one client.
const COUPONS_MAX: usize = 24;
/// Sends of a deed while things break.
const SENDS_MAX: usize = 4;
const AGAIN_AFTER: Duration = Duration::from_millis(100);
const RESOLVE_LIMIT: Duration = Duration::from_secs(30);
/// What each redemption takes off.
const AMOUNT_MINOR: u64 = 100;
/// Long locks, and such as end while things break.
const LOCKS: [Duration; 3] = [Duration::from_millis(50), Duration::from_secs(1), Duration::from_secs(60)];
const LIVES: [&[Act]; 6] = [
    &[Act::Lock, Act::Redeem],
    &[Act::Lock, Act::Redeem, Act::Return],
    &[Act::Lock, Act::Unlock],
    &[Act::Redeem, Act::Return],
    &[Act::Redeem],
    &[Act::Unlock, Act::Lock],
];

/// The orders of one client.
pub(super) struct Orders {
    client: Client,
    recorder: Arc<Recorder>,
    random: StdRng,
    permits: Arc<Semaphore>,
    lives: JoinSet<()>,
}

impl Orders {
    pub(super) fn new(client: Client, recorder: Arc<Recorder>, seed: u64) -> Self {
        let (random, permits) = (StdRng::seed_from_u64(seed), Arc::new(Semaphore::new(COUPONS_MAX)));
        Self { client, recorder, random, permits, lives: JoinSet::new() }
    }

    /// Somebody got a coupon: perhaps an order wants it, or two at once.
    pub(super) fn got(&mut self, coupon: &Coupon) {
        while self.lives.try_join_next().is_some() {}
        if self.random.random_range(0..100) >= PERCENT {
            return;
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return };
        let permit = Arc::new(permit);
        for _ in 0..self.random.random_range(1..=2) {
            let acts = LIVES.choose(&mut self.random).copied().unwrap_or_default();
            let ttl = LOCKS.choose(&mut self.random).copied().unwrap_or_default();
            let (client, recorder, permit) = (self.client.clone(), Arc::clone(&self.recorder), Arc::clone(&permit));
            let what = What { coupon: *coupon, ttl };
            self.lives.spawn(async move {
                live(&client, &recorder, what, acts).await;
                drop(permit);
            });
        }
    }

    /// Waits for those under way.
    pub(super) async fn end(self) {
        self.lives.join_all().await;
    }
}

/// What an order is about.
#[derive(Debug, Clone)]
pub(super) struct What {
    coupon: Coupon,
    ttl: Duration,
}

async fn live(client: &Client, recorder: &Recorder, what: What, acts: &[Act]) {
    let id = scrip_client::mint_request_id().to_string();
    let (Ok(order), Ok(seq)) = (OrderId::try_new(&id), u16::try_from(what.coupon.seq)) else { return };
    for (at, act) in acts.iter().enumerate() {
        let (user, coupons) = (what.coupon.user, vec![(what.coupon.template, seq)]);
        let deed = recorder.deed(Deed { user, order: order.clone(), act: *act, coupons }, what.clone());
        let mut told = send(client, recorder, deed).await;
        for _ in 1..SENDS_MAX {
            if is_definite(told) {
                break;
            }
            sleep(AGAIN_AFTER).await;
            told = send(client, recorder, deed).await;
        }
        // An unlocking waits for nothing: whatever becomes of the deed before, the order is done then.
        if told != DeedTold::Done && acts.get(at + 1) != Some(&Act::Unlock) {
            return;
        }
    }
}

/// One call, written down.
async fn send(client: &Client, recorder: &Recorder, deed: DeedIndex) -> DeedTold {
    let (sent, Deed { user, order, act, .. }, What { coupon, ttl }) = recorder.deed_sending(deed);
    let id = coupon.coupon_id;
    let result = match act {
        Act::Lock => client.lock_coupons(user, &order, &[id], ttl).await,
        Act::Redeem => {
            let redemption = Redemption { coupon_id: id, amount_minor: AMOUNT_MINOR };
            client.redeem_coupons(user, &order, &[redemption]).await
        }
        Act::Unlock => client.unlock_coupons(user, &order, &[id]).await,
        Act::Return => client.return_coupons(user, &order, &[id]).await,
    };
    let told = DeedTold::of(&result);
    recorder.deed_answered(sent, told);
    told
}

/// After healing: what is in doubt is sent again until the answer is definite. Returns what is left in doubt.
pub(super) async fn resolve(client: &Client, recorder: &Recorder) -> Vec<String> {
    let deadline = Instant::now() + RESOLVE_LIMIT;
    let mut left = recorder.deeds_in_doubt();
    while !left.is_empty() && Instant::now() < deadline {
        let mut again = Vec::new();
        for deed in left {
            if !is_definite(send(client, recorder, deed).await) {
                again.push(deed);
            }
        }
        left = again;
        sleep(Duration::from_millis(50)).await;
    }
    left.iter().map(|deed| format!("deed {} is in doubt {RESOLVE_LIMIT:?} after healing", deed.0)).collect()
}

fn is_definite(told: DeedTold) -> bool {
    match told {
        DeedTold::Done => true,
        DeedTold::NotApplied(code) => code.fault() == Some(Fault::Rules),
        DeedTold::Nothing | DeedTold::Unknown(_) => false,
    }
}
