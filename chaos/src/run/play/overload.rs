//! More is offered than can be served.

use std::sync::Arc;
use std::time::{Duration, Instant};

use scrip_client::Client;
use tokio::time::sleep;

use crate::run::bed::{Bed, status_kib};
use crate::run::budget::Measured;
use crate::run::felt::Window;
use crate::run::load::{self, LoadSpec};
use crate::run::recorder::Recorder;
use crate::run::{RunSpec, finish};
use crate::testbed::Throttle;

/// Of an overloaded proxy: it runs, and stands still, again and again.
const RUN: Duration = Duration::from_millis(1);
const REST: Duration = Duration::from_millis(9);

/// The peak first, then three times of it.
pub(super) async fn overloaded(
    bed: &Bed,
    clients: &[Client],
    recorder: &Arc<Recorder>,
    spec: &RunSpec,
    seed: u64,
    measured: &mut Measured,
) -> Window {
    let _slow: Vec<Throttle> = bed.proxies.iter().map(|proxy| proxy.throttle(RUN, REST)).collect();
    let peak = finish::peak(&clients[0], recorder, spec.duration / 2).await;
    measured.peak_per_s = Some(peak);
    let struck = recorder.now();
    let rate = (3.0 * peak).clamp(1.0, 1e6) as u32;
    let load = load::run(clients, recorder, LoadSpec { rate, duration: spec.duration, seed, plain: true });
    let ((), memory) = tokio::join!(load, memory_ratio(bed, spec.duration));
    measured.memory_ratio = memory;
    Window { struck, mended: struck + spec.duration }
}

/// The most memory of any proxy in the last two thirds, against its most in the first.
async fn memory_ratio(bed: &Bed, duration: Duration) -> Option<f64> {
    let started = Instant::now();
    let mut most: Vec<[u64; 2]> = vec![[0; 2]; bed.proxies.len()];
    while started.elapsed() < duration {
        let later = usize::from(started.elapsed() > duration / 3);
        for (proxy, most) in bed.proxies.iter().zip(&mut most) {
            let now = proxy.pid().map_or(0, |pid| status_kib(pid, "VmRSS:"));
            most[later] = most[later].max(now);
        }
        sleep(Duration::from_millis(100)).await;
    }
    let ratio = |[first, later]: &[u64; 2]| (*first > 0).then(|| *later as f64 / *first as f64);
    most.iter().filter_map(ratio).reduce(f64::max)
}
