//! The load of each limit, and what is made of its ladder.

use std::sync::Arc;
use std::thread::available_parallelism;

use scrip_client::Client;

use super::file::{Cores, HEADROOM, Limit, Rung};
use super::ladder::{Climb, climb};
use super::{LimitKind, LimitsSpec};
use crate::audit::audit;
use crate::board::{Target, Watched};
use crate::book::Book;
use crate::counts::ratio;
use crate::deployment::Deployment;
use crate::drive::Driver;
use crate::readers::Readers;
use crate::report::Audit;
use crate::run::{end, millis};
use crate::screen::Screen;
use crate::shard_load::ShardLoad;
use crate::spec::{CallerSpec, Load};
use crate::workload::{Kind, Workload};
use crate::{Error, spawned, sql};

const CALLER: CallerSpec = CallerSpec { deadline: std::time::Duration::from_secs(10), connections: 2 };
/// Above this share of all cores, CPU is short.
const CPU_SHORT: f64 = 0.85;
/// Above it, a tier of one thread can do no more.
const THREAD_FULL: f64 = 0.9;

/// What belongs to a limit, whatever was found.
struct Profile {
    unit: &'static str,
    of: &'static str,
    workload: Kind,
    first_rate: u64,
    /// The tier whose limit it is, as in `bound_by`.
    tier: &'static str,
}

fn profile(kind: LimitKind) -> Profile {
    let (unit, of, workload, first_rate, tier) = match kind {
        LimitKind::ProxyRefusals => ("claims/s", "one proxy, refusing", Kind::Soldout, 50_000, "proxy"),
        LimitKind::ProxyClaims => ("claims/s", "one proxy, with all stores", Kind::Rush, 5_000, "proxy"),
        LimitKind::PrimaryWrites => ("coupons/s", "one primary", Kind::Rush, 2_000, "mysql"),
        LimitKind::PrimaryReads => ("pages/s", "one primary", Kind::Read, 500, "mysql"),
        LimitKind::ShardCalls => ("calls/s", "one shard", Kind::Rush, 5_000, "redis"),
    };
    Profile { unit, of, workload, first_rate, tier }
}

/// What a limit is found on.
struct Bench<'a> {
    deployment: &'a Deployment,
    clients: Vec<Client>,
    workload: Arc<Workload>,
    spec: &'a LimitsSpec,
    first_rate: u64,
    target: Target<'a>,
}

/// Finds one limit, and counts.
pub(super) async fn limit(
    kind: LimitKind,
    deployment: &Deployment,
    spec: &LimitsSpec,
    screen: Screen,
) -> Result<Limit, Error> {
    let profile = profile(kind);
    let clients = deployment.connect(&CALLER).await?;
    let templates = deployment.publish(&clients[0], profile.workload, profile.workload.templates()).await?;
    let workload = Arc::new(Workload::new(profile.workload, spec.window.seed, templates));
    let tiers = deployment.tiers();
    let target = Target { proxies: &deployment.proxies, tiers: &tiers, screen };
    let first_rate = spec.ladder.first_rate.unwrap_or(profile.first_rate);
    let bench = Bench { deployment, clients, workload, spec, first_rate, target };
    let (climb, audit) = match kind {
        LimitKind::ProxyRefusals | LimitKind::ProxyClaims | LimitKind::PrimaryWrites => bench.claims().await?,
        LimitKind::PrimaryReads => bench.reads().await?,
        LimitKind::ShardCalls => bench.calls().await?,
    };
    match audit.void() {
        Some(why) => Err(Error::Void(why)),
        None => Ok(found(&profile, kind, spec, &climb)),
    }
}

impl Bench<'_> {
    async fn claims(&self) -> Result<(Climb, Audit), Error> {
        let mut driver = Driver::new(&self.clients, &self.workload, Load::poisson(1).in_flight_max());
        if self.workload.kind() == Kind::Soldout {
            self.target.screen.say("  selling the stock first");
            // More than there is: some claims may be refused while others still hold units.
            driver.fill(2 * self.workload.kind().stock()).await;
            crate::run::wait_until_sold_out(&self.clients[0], &self.workload).await?;
        }
        let climb = climb(&self.spec.ladder, self.first_rate, self.spec.window.duration.as_secs_f64(), async |rate| {
            let load = Load::poisson(rate);
            self.say(rate);
            Ok(rung(rate, &driver.phase(&self.target, load, &self.spec.window).await?))
        });
        let climb = climb.await?;
        let audit = end(self.deployment, driver, &self.workload, &self.clients[0], self.target.screen).await?;
        Ok((climb, audit))
    }

    async fn reads(&self) -> Result<(Climb, Audit), Error> {
        let (readers, audit) = Readers::prepare(self.deployment, &self.clients, &self.workload).await?;
        let climb = climb(&self.spec.ladder, self.first_rate, self.spec.window.duration.as_secs_f64(), async |rate| {
            self.say(rate);
            let load = Load::poisson(rate);
            Ok(rung(rate, &spawned::phase(&readers, &self.target, load, &self.spec.window).await?))
        });
        let climb = climb.await?;
        Ok((climb, Audit { misread: readers.take_wrong(), ..audit }))
    }

    async fn calls(&self) -> Result<(Climb, Audit), Error> {
        let shard = Arc::new(ShardLoad::open(self.deployment, &self.clients[0], self.workload.templates()[0]).await?);
        let climb = climb(&self.spec.ladder, self.first_rate, self.spec.window.duration.as_secs_f64(), async |rate| {
            self.say(rate);
            let load = Load::poisson(rate);
            Ok(rung(rate, &spawned::phase(&shard, &self.target, load, &self.spec.window).await?))
        });
        let climb = climb.await?;
        // Units that were taken and never recorded are lost to their epoch, and to no promise.
        let audit = audit(self.deployment, &self.workload, &Book::default(), sql::REQUESTS).await?;
        Ok((climb, audit))
    }

    fn say(&self, rate: u64) {
        self.target.screen.say(&format!("  {rate} a second"));
    }
}

fn rung(offered_per_s: u64, watched: &Watched) -> Rung {
    let (latency, window_s) = (watched.recorder.latency(), watched.window.as_secs_f64());
    let cores = |cpu: std::time::Duration| cpu.as_secs_f64() / window_s;
    let cpu = &watched.cpu;
    Rung {
        offered_per_s,
        achieved_per_s: watched.recorder.decided() as f64 / window_s,
        p50_ms: latency.p50,
        p99_ms: latency.p99,
        max_ms: latency.max,
        rows_per_transaction: ratio(watched.counts.total("coupons"), watched.counts.total("transactions")),
        broke: None,
        cores: Cores {
            client: cores(cpu.client),
            proxy: cores(cpu.proxy),
            redis: cores(cpu.redis),
            mysql: cores(cpu.mysql),
        },
    }
}

fn found(profile: &Profile, kind: LimitKind, spec: &LimitsSpec, climb: &Climb) -> Limit {
    let held = &climb.rungs[climb.held];
    let machine = available_parallelism().map_or(1.0, |cores| cores.get() as f64);
    let bound_by = climb.broke.map_or("nothing", |broke| bound_by(&climb.rungs[broke].cores, machine));
    // What waits for a primary's disk is the primary's own limit.
    let own = bound_by == profile.tier || (bound_by == "waiting" && profile.tier == "mysql");
    let bed = kind.bed(&spec.bed);
    let used = match profile.tier {
        "proxy" => held.cores.proxy,
        "redis" => held.cores.redis,
        _ => held.cores.mysql,
    };
    Limit {
        unit: profile.unit.to_owned(),
        of: profile.of.to_owned(),
        value: held.achieved_per_s,
        plan: held.achieved_per_s / HEADROOM,
        per_core: if used > 0.0 { held.achieved_per_s / used } else { 0.0 },
        at_least: !own,
        bound_by: bound_by.to_owned(),
        p50_ms: held.p50_ms,
        p99_ms: held.p99_ms,
        primaries: bed.primaries,
        shards: bed.shards,
        proxies: bed.proxies,
        window_ms: millis(spec.window.duration),
        cores: held.cores,
        rungs: climb.rungs.clone(),
    }
}

/// What was short where the load became too much.
fn bound_by(cores: &Cores, machine: f64) -> &'static str {
    let tiers = [("client", cores.client), ("proxy", cores.proxy), ("redis", cores.redis), ("mysql", cores.mysql)];
    let most = tiers.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or("waiting", |(tier, _)| tier);
    match cores {
        _ if cores.client > THREAD_FULL => "client",
        _ if most == "redis" && cores.redis > THREAD_FULL => "redis",
        _ if cores.total() > CPU_SHORT * machine => most,
        _ => "waiting",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gave_way_is_told_from_cpu() {
        let cores = |client, proxy, redis, mysql| Cores { client, proxy, redis, mysql };
        assert_eq!(bound_by(&cores(0.95, 0.5, 0.0, 0.1), 8.0), "client");
        assert_eq!(bound_by(&cores(0.4, 0.1, 0.97, 0.0), 8.0), "redis");
        assert_eq!(bound_by(&cores(0.2, 0.3, 0.1, 1.3), 2.0), "mysql");
        assert_eq!(bound_by(&cores(0.2, 0.3, 0.1, 0.4), 2.0), "waiting");
    }
}
