//! One bench through the proxy, from start to report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use scrip_client::{Claim, Client, Code, UserId, mint_request_id};

use crate::audit::audit;
use crate::board::{Target, Watched};
use crate::bulk::Beside;
use crate::counts::ratio;
use crate::deployment::Deployment;
use crate::drive::Driver;
use crate::error::Error;
use crate::orders::Orders;
use crate::quotes::Quotes;
use crate::readers::Readers;
use crate::report::figures::ProxyCounts;
use crate::report::{Audit, CpuPerClaim, Figures, Report, Subject, table};
use crate::screen::Screen;
use crate::spec::{RunSpec, WindowSpec};
use crate::usage::CpuTimes;
use crate::workload::{Kind, Workload};
use crate::{environment, spawned, sql};

/// How long a scarce template may take to sell out before the load.
const SELL_OUT_MAX: Duration = Duration::from_secs(60);

/// Runs it, prints the report, and writes it where the specification says.
///
/// # Errors
/// When it could not be run, and when a count is wrong: then the report is written and the error says what is wrong.
pub async fn run(spec: &RunSpec) -> Result<Report, Error> {
    spec.check()?;
    let screen = Screen::new();
    let deployment = Deployment::start(&spec.bench.bed, screen).await?;
    let report = on(&deployment, spec, screen).await?;
    screen.result(&table::render(&report));
    spec.bench.output.write(&report)?;
    match report.void() {
        Some(why) => Err(Error::Void(why)),
        None => Ok(report),
    }
}

/// All repeats on servers that run.
pub(crate) async fn on(deployment: &Deployment, spec: &RunSpec, screen: Screen) -> Result<Report, Error> {
    let environment = environment::read(deployment).await?;
    let clients = deployment.connect(&spec.caller).await?;
    let mut repeats = Vec::new();
    for repeat in 0..spec.bench.repeats {
        let name = format!("{} of {}: {}, {}", repeat + 1, spec.bench.repeats, name(spec.workload), spec.load());
        screen.say(&name);
        repeats.push(measure(deployment, &clients, spec, repeat, screen).await?);
    }
    Report::new(subject(spec, deployment), environment::commit(), environment, repeats)
}

/// One measurement on new templates, audited.
pub(crate) async fn measure(
    deployment: &Deployment,
    clients: &[Client],
    spec: &RunSpec,
    repeat: u32,
    screen: Screen,
) -> Result<Figures, Error> {
    let client = clients.first().ok_or_else(|| Error::Arguments("there is no client".to_owned()))?;
    let templates = deployment.publish(client, spec.workload, spec.templates()).await?;
    let window = spec.bench.window.of_repeat(repeat);
    let workload = Arc::new(Workload::new(spec.workload, window.seed, templates));
    let tiers = deployment.tiers();
    let target = Target { proxies: &deployment.proxies, tiers: &tiers, screen };
    let (watched, audit) = match spec.workload {
        Kind::Read => read(deployment, clients, spec, &window, &workload, &target).await?,
        Kind::Quote => quote(deployment, clients, spec, &window, &workload, &target).await?,
        Kind::Redeem => redeem(deployment, clients, spec, &window, &workload, &target).await?,
        Kind::Rush | Kind::Mixed | Kind::Soldout | Kind::Resend | Kind::Limit => {
            claim(deployment, clients, spec, &window, &workload, &target).await?
        }
    };
    Ok(figures(&watched, audit, tiers.proxy_peak_mib()?))
}

async fn claim(
    deployment: &Deployment,
    clients: &[Client],
    spec: &RunSpec,
    window: &WindowSpec,
    workload: &Arc<Workload>,
    target: &Target<'_>,
) -> Result<(Watched, Audit), Error> {
    let beside = Beside::start(&clients[0], spec.bulk_users).await?;
    let mut driver = Driver::new(clients, workload, spec.load().in_flight_max());
    let watched = driver.phase(target, spec.load(), window).await?;
    if let Some(beside) = beside {
        beside.end(target.screen).await?;
    }
    let audit = end(deployment, driver, workload, &clients[0], target.screen).await?;
    Ok((watched, audit))
}

/// Asks for what is unknown, waits for what is to be sold out, and counts.
pub(crate) async fn end(
    deployment: &Deployment,
    driver: Driver,
    workload: &Workload,
    client: &Client,
    screen: Screen,
) -> Result<Audit, Error> {
    let (book, sent) = driver.finish().await;
    if workload.kind() == Kind::Soldout {
        wait_until_sold_out(client, workload).await?;
    }
    screen.say(&format!("  {sent} claims sent; auditing"));
    audit(deployment, workload, &book, sql::REQUESTS).await
}

async fn read(
    deployment: &Deployment,
    clients: &[Client],
    spec: &RunSpec,
    window: &WindowSpec,
    workload: &Arc<Workload>,
    target: &Target<'_>,
) -> Result<(Watched, Audit), Error> {
    let (readers, audit) = Readers::prepare(deployment, clients, workload).await?;
    let watched = spawned::phase(&readers, target, spec.load(), window).await?;
    Ok((watched, Audit { misread: readers.take_wrong(), ..audit }))
}

async fn quote(
    deployment: &Deployment,
    clients: &[Client],
    spec: &RunSpec,
    window: &WindowSpec,
    workload: &Arc<Workload>,
    target: &Target<'_>,
) -> Result<(Watched, Audit), Error> {
    let (readers, audit) = Readers::prepare(deployment, clients, workload).await?;
    let quotes = Arc::new(Quotes::new(readers));
    let watched = spawned::phase(&quotes, target, spec.load(), window).await?;
    Ok((watched, Audit { misread: quotes.take_wrong(), ..audit }))
}

async fn redeem(
    deployment: &Deployment,
    clients: &[Client],
    spec: &RunSpec,
    window: &WindowSpec,
    workload: &Arc<Workload>,
    target: &Target<'_>,
) -> Result<(Watched, Audit), Error> {
    target.screen.say("  making the coupons");
    let orders = Orders::prepare(clients, workload, window).await?;
    let watched = orders.phase(target, spec.load(), window).await?;
    target.screen.say("  auditing");
    Ok((watched, orders.audit(deployment).await?))
}

/// "Sold out" is a state that is reached a moment after the last unit.
pub(crate) async fn wait_until_sold_out(client: &Client, workload: &Workload) -> Result<(), Error> {
    let started = std::time::Instant::now();
    for template in workload.templates() {
        let probe = Claim::new(UserId(u64::from(u32::MAX)), *template, mint_request_id());
        loop {
            let answer = client.claim(probe).await;
            if answer.as_ref().is_err_and(|error| error.code() == Code::SoldOut) {
                break;
            }
            if started.elapsed() > SELL_OUT_MAX {
                let answer = answer.map_or_else(|error| error.to_string(), |_| "a coupon".to_owned());
                return Err(Error::Void(format!("the stock was not sold out: the last answer was {answer}")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

pub(crate) fn figures(watched: &Watched, audit: Audit, proxy_peak_mib: f64) -> Figures {
    let (recorder, counts) = (&watched.recorder, &watched.counts);
    let window_s = watched.window.as_secs_f64();
    let decided = recorder.decided();
    let rows = counts.total("coupons") + counts.total("coupon_steps");
    let transactions = counts.total("transactions") + counts.total("order_transactions");
    Figures {
        claims_per_s: decided as f64 / window_s,
        coupons_per_s: recorder.coupons as f64 / window_s,
        latency_ms: recorder.latency(),
        service_ms: recorder.service(),
        cpu_us_per_claim: cpu_per_claim(watched.cpu, decided),
        rows_per_transaction: ratio(rows, transactions),
        claims_per_redis_call: ratio(counts.total("deducted_claims"), counts.total("deductions")),
        transactions_per_s: transactions as f64 / window_s,
        proxy_peak_mib,
        window_s,
        answered: recorder.answered(),
        coupons: recorder.coupons,
        replays: recorder.replays,
        reads: recorder.reads,
        refusals: recorder.refusals(),
        seconds: recorder.seconds(),
        latency_curve: recorder.curve(),
        stages: counts.stages(),
        backends: counts.backends(window_s),
        proxy_counts: ProxyCounts {
            transactions,
            redis_calls: counts.total("deductions"),
            look_ups: counts.total("look_ups"),
            settles: counts.total("settles"),
            conflicts: counts.total("conflicts"),
            fenced: counts.total("fenced"),
        },
        audit,
    }
}

pub(crate) fn cpu_per_claim(cpu: CpuTimes, claims: u64) -> CpuPerClaim {
    let each = |time: Duration| if claims == 0 { 0.0 } else { time.as_secs_f64() * 1e6 / claims as f64 };
    CpuPerClaim { client: each(cpu.client), proxy: each(cpu.proxy), redis: each(cpu.redis), mysql: each(cpu.mysql) }
}

fn name(kind: Kind) -> String {
    format!("{kind:?}").to_lowercase()
}

pub(crate) fn subject(spec: &RunSpec, deployment: &Deployment) -> Subject {
    let mut settings = BTreeMap::from([
        ("buffer_pool_mib".to_owned(), deployment.settings.buffer_pool_mib.to_string()),
        ("redo_mib".to_owned(), deployment.settings.redo_mib.to_string()),
        ("connections".to_owned(), spec.caller.connections.to_string()),
        ("deadline_ms".to_owned(), spec.caller.deadline.as_millis().to_string()),
        ("proxy_config".to_owned(), spec.bench.bed.proxy_config.clone()),
        ("templates".to_owned(), spec.templates().to_string()),
        ("seed".to_owned(), spec.bench.window.seed.to_string()),
    ]);
    // Reports of runs without one stay comparable with those that do not know of it.
    if spec.bulk_users > 0 {
        settings.insert("bulk_users".to_owned(), spec.bulk_users.to_string());
    }
    Subject {
        path: "proxy".to_owned(),
        workload: name(spec.workload),
        load: spec.load().to_string(),
        primaries: spec.bench.bed.primaries,
        shards: spec.bench.bed.shards,
        proxies: spec.bench.bed.proxies,
        duration_ms: millis(spec.bench.window.duration),
        warm_up_ms: millis(spec.bench.window.warm_up),
        settings,
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
