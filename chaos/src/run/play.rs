//! One scenario from its template to its verdict.

use std::sync::Arc;
use std::time::{Duration, Instant};

use scrip_client::{Client, Template};
use scrip_shard_config::{SubStock, stock_key};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::bed::{Bed, status_kib};
use super::beside::{self, Beside, Still, still};
use super::budget::Measured;
use super::fault::{Fault, Party, Planned, ShardFault, Which, Wire};
use super::felt::Window;
use super::load::{self, LoadSpec};
use super::recorder::Recorder;
use super::report::{Evidence, ScenarioReport};
use super::scenario::{Clock, Offered, Scenario, Stock};
use super::strike::{heal_everything, mend, strike};
use super::{Error, RunSpec, finish};
use crate::evidence;
use crate::history::History;
use crate::oracle::{self, Circumstances};
use crate::testbed::RestartWith;

/// How many coupons a user may hold.
const LIMIT: u32 = 2;
/// Far more than any load takes.
const PLENTY: u64 = 4_000_000;
/// How long the keys of a shard that is back are waited for.
const KEYS_LIMIT: Duration = Duration::from_secs(10);

/// Bytes a second between a proxy and a primary while more is offered than can be served: some 1,500 coupons a second. So
/// that what is at its limit are the primaries, and not this machine with the clients on it.
const NARROW: u64 = 200_000;

/// Runs one scenario. The history comes with it.
pub(super) async fn play(
    bed: &Arc<Bed>,
    scenario: &Scenario,
    spec: &RunSpec,
    seed: u64,
) -> Result<(ScenarioReport, History), Error> {
    let started = Instant::now();
    let direct = bed.direct_client().await?;
    let template = publish_for(&direct, scenario, spec).await?;
    let overload = scenario.offered == Offered::ThreeTimesThePeak;
    let beside = if overload { None } else { Some(Beside::prepare(&direct, template.template, spec, seed).await?) };
    let mut clients = Vec::new();
    for number in 0..usize::from(spec.clients) {
        clients.push(bed.client(number, spec, !overload).await?);
    }
    let facts = beside.as_ref().map(Beside::facts);
    let facts = facts.as_ref().map_or(&[][..], |facts| facts);
    let recorder = Arc::new(Recorder::new(&bed.topology, beside::fact(&template), facts));
    let plan = (scenario.plan)(Clock { duration: spec.duration, seed }, bed.size());
    let mut measured = Measured::default();
    let cut_before: u64 = bed.all_links().map(crate::testbed::Link::cuts_sprung).sum();
    let window = if overload {
        overloaded(bed, &clients, &recorder, spec, seed, &mut measured).await
    } else {
        let on_stage = OnStage { clients: &clients, template: &template, beside: beside.as_ref() };
        broken(bed, on_stage, &recorder, &plan, (spec, seed), &mut measured).await?
    };
    measured.connections_cut = bed.all_links().map(crate::testbed::Link::cuts_sprung).sum::<u64>() - cut_before;
    measured.proxy_peak_mib = bed.proxy_memory_kib().iter().map(|kib| kib / 1_024).collect();
    let dead = plan.iter().find_map(|planned| match planned.fault {
        Fault::Shard(shard, ShardFault::DeadForGood) => Some(shard),
        _ => None,
    });
    heal_everything(bed, dead).await?;
    let mut problems = finish::finish(&direct, &recorder, beside.as_ref()).await?;
    if let Some(shard) = dead {
        // Only so that the oracle can read it: the verdict on selling out is there.
        bed.testbed.shard(shard).restart(RestartWith::Empty).await?;
    }
    if let Some(beside) = &beside {
        problems.extend(beside.archived(bed, &direct, &recorder).await?);
    }
    let Still { history, view, problems: moving } = still(bed, &recorder, beside.as_ref().map(Beside::short)).await?;
    problems.extend(moving);
    let mut audit = evidence::audit(&bed.testbed, &bed.proxies, evidence::AUDIT_MAX).await?;
    audit.excuse(|finding| beside::may_be_lost(&history, &view, finding));
    let circumstances = Circumstances { demand_exceeds_stock: true, doubt_resolved: true, ..Circumstances::default() };
    let verdict = oracle::check(&history, &view, circumstances);
    problems.splice(0..0, recorder.violations());
    let evidence = Evidence {
        seed,
        plan: &plan,
        window,
        samples: recorder.samples(),
        hit: (scenario.hit)(bed.size()),
        measured,
        verdict: &verdict,
        audit,
        problems,
        took: started.elapsed(),
    };
    Ok((ScenarioReport::new(scenario, evidence), history))
}

async fn publish_for(client: &Client, scenario: &Scenario, spec: &RunSpec) -> Result<Template, Error> {
    let offered = u64::from(spec.rate) * spec.duration.as_millis() as u64 / 1_000;
    let total_stock = match (scenario.offered, scenario.stock) {
        (Offered::ThreeTimesThePeak, _) => PLENTY,
        (Offered::Steady, Stock::Lasts) => offered + offered / 10 + 500,
        (Offered::Steady, Stock::RunsOut) => offered / 2 + 100,
    };
    beside::publish_lasting(client, scenario.name, total_stock, LIMIT).await
}

/// Who claims what.
struct OnStage<'a> {
    clients: &'a [Client],
    template: &'a Template,
    beside: Option<&'a Beside>,
}

/// Load, while the plan is carried out.
async fn broken(
    bed: &Arc<Bed>,
    OnStage { clients, template, beside }: OnStage<'_>,
    recorder: &Arc<Recorder>,
    plan: &[Planned],
    (spec, seed): (&RunSpec, u64),
    measured: &mut Measured,
) -> Result<Window, Error> {
    let mut strikes = JoinSet::new();
    let base = recorder.started();
    let keys: Arc<Vec<String>> = Arc::new(keys(template));
    for faults in by_process(plan) {
        let (bed, recorder, keys) = (Arc::clone(bed), Arc::clone(recorder), Arc::clone(&keys));
        strikes.spawn(async move {
            let mut done = Vec::new();
            for planned in faults {
                done.push(carry_out(&bed, &recorder, &keys, (base, planned)).await?);
            }
            Ok::<_, Error>(done)
        });
    }
    let load_spec = LoadSpec { rate: spec.rate, duration: spec.duration, seed, plain: false };
    let run_beside = async {
        if let Some(beside) = beside {
            beside.run(clients, recorder, spec.duration).await;
        }
    };
    tokio::join!(load::run(clients, recorder, load_spec), run_beside);
    let mut window = Window { struck: spec.duration, mended: spec.duration };
    let mut mended = Duration::ZERO;
    while let Some(done) = strikes.join_next().await {
        for Done { from, until, keys_serve_ms } in done.map_err(|_panic| Error::Panicked)?? {
            window.struck = window.struck.min(from);
            mended = mended.max(until);
            measured.keys_serve_ms = measured.keys_serve_ms.max(keys_serve_ms);
        }
    }
    if !plan.is_empty() {
        window.mended = mended;
    }
    Ok(window)
}

/// When a fault was in place and when it was mended.
struct Done {
    from: Duration,
    until: Duration,
    keys_serve_ms: Option<u64>,
}

/// Faults of one process come one after the other, late if the one before takes its time: nobody kills a server that is being
/// restarted. All others come at their times.
fn by_process(plan: &[Planned]) -> Vec<Vec<Planned>> {
    let mut groups: Vec<Vec<Planned>> = Vec::new();
    for planned in plan {
        let same =
            |group: &&mut Vec<Planned>| group[0].fault.process().is_some_and(|p| planned.fault.process() == Some(p));
        match groups.iter_mut().find(same) {
            Some(group) => group.push(*planned),
            None => groups.push(vec![*planned]),
        }
    }
    groups
}

async fn carry_out(
    bed: &Bed,
    recorder: &Recorder,
    keys: &[String],
    (base, planned): (Instant, Planned),
) -> Result<Done, Error> {
    sleep_until((base + planned.from).into()).await;
    let from = recorder.now();
    let struck = strike(bed, recorder, planned.fault).await?;
    sleep_until((base + planned.until).into()).await;
    mend(bed, recorder, planned.fault, struck).await?;
    let until = recorder.now();
    Ok(Done { from, until, keys_serve_ms: keys_serve(bed, planned.fault, keys).await })
}

fn keys(template: &Template) -> Vec<String> {
    let suffixes = template.sub_stocks.iter().filter_map(|suffix| u16::try_from(*suffix).ok());
    suffixes.map(|suffix| stock_key(template.template.get(), SubStock(suffix))).collect()
}

/// How long it takes until every key of the shard that came back is of its present run.
async fn keys_serve(bed: &Bed, fault: Fault, keys: &[String]) -> Option<u64> {
    let Fault::Shard(shard, ShardFault::Killed | ShardFault::OldData | ShardFault::Flushed) = fault else {
        return None;
    };
    let (since, server) = (Instant::now(), bed.testbed.shard(shard));
    let id = bed.topology.shards[shard].id;
    let of_shard: Vec<&str> =
        keys.iter().filter(|key| bed.topology.shard_of_key(key) == id).map(String::as_str).collect();
    let count = of_shard.len().to_string();
    let arguments: Vec<&str> = ["scrip_remaining", &count].into_iter().chain(of_shard.iter().copied()).collect();
    while since.elapsed() < KEYS_LIMIT {
        let answer = server.command("FCALL_RO", &arguments).await.unwrap_or_default();
        if answer.lines().filter(|line| line.parse::<u64>().is_ok()).count() == of_shard.len() {
            return Some(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
        sleep(Duration::from_millis(10)).await;
    }
    None
}

/// The peak first, then three times of it.
async fn overloaded(
    bed: &Bed,
    clients: &[Client],
    recorder: &Arc<Recorder>,
    spec: &RunSpec,
    seed: u64,
    measured: &mut Measured,
) -> Window {
    let wires = (0..bed.size().primaries).map(|primary| Wire { proxy: Which::All, party: Party::Primary(primary) });
    wires.flat_map(|wire| bed.links(wire)).for_each(|link| link.bandwidth(NARROW));
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
