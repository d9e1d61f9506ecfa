//! Getting a lane its connection to a primary.

use std::time::Duration;

use scrip_shard_config::PrimaryId;

use crate::admin::{Component, Health, Status};
use crate::gate::{Gate, Latch};
use crate::stock_lane::jitter;
use crate::store::RecordWriter;
use crate::watch::{nap, watch};

/// A call that takes longer means that the primary is stuck: new work for it is refused until the call returns.
pub const STUCK_AFTER: Duration = Duration::from_millis(500);

/// How long a primary that failed is left alone before it is dialled again.
const DIAL_FIRST: Duration = Duration::from_millis(20);
const DIAL_MAX: Duration = Duration::from_millis(500);

/// Until there is a connection, what queues is refused, and what is of unknown outcome waits for its deadline: `sweep` sees
/// to both, again and again.
pub async fn dial<W: RecordWriter>(
    writer: &mut W,
    (primary, gate, latch): (PrimaryId, &Gate, &mut Latch),
    health: &Health,
    roll: impl Fn() -> u64,
    mut sweep: impl FnMut(&Latch),
) {
    let mut pause = DIAL_FIRST;
    loop {
        let dialled = watch(writer.connect(), |took| {
            if took > STUCK_AFTER {
                latch.close(gate);
            }
            sweep(latch);
        });
        let Err(error) = dialled.await else { break };
        if latch.close(gate) {
            tracing::warn!(%primary, %error, "primary cannot be written to; its users are refused");
        }
        health.set(Component::Primary(primary), Status::Down(error.to_string()));
        nap(jitter(pause, roll()), |_| sweep(latch)).await;
        pause = (pause * 2).min(DIAL_MAX);
    }
    if latch.open(gate) {
        tracing::info!(%primary, "primary can be written to");
    }
    health.set(Component::Primary(primary), Status::Up);
}
