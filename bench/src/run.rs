//! One bench through the proxy, from start to report.

use std::collections::BTreeMap;
use std::time::Duration;

use scrip_client::{Claim, Client, Code, UserId, mint_request_id};

use crate::audit::audit;
use crate::counts::ratio;
use crate::deployment::Deployment;
use crate::drive::{Driven, Target, drive};
use crate::error::Error;
use crate::report::figures::ProxyCounts;
use crate::report::{Audit, CpuPerClaim, Figures, Report, Subject, table};
use crate::screen::Screen;
use crate::spec::RunSpec;
use crate::usage::CpuTimes;
use crate::workload::{Kind, Workload};
use crate::{environment, spec, sql};

/// How long a scarce template may take to sell out before the load.
const SELL_OUT_MAX: Duration = Duration::from_secs(60);

/// Runs it, prints the report, and writes it where the specification says.
///
/// # Errors
/// When it could not be run, and when a count is wrong: then the report is written and the error says what is wrong.
pub async fn run(spec: &RunSpec) -> Result<Report, Error> {
    spec.check()?;
    let screen = Screen::new();
    let deployment = Deployment::start(&spec.bed, screen).await?;
    let environment = environment::read(&deployment).await?;
    let client = deployment.connect(spec.connections, spec.deadline).await?;
    let mut repeats = Vec::new();
    for repeat in 0..spec.window.repeats {
        let name = format!("{} of {}: {}, {}", repeat + 1, spec.window.repeats, name(spec.workload), spec.load());
        screen.say(&name);
        repeats.push(measure(&deployment, &client, spec, repeat, screen).await?);
    }
    let report = Report::new(subject(spec, &deployment), environment::commit(), environment, repeats)?;
    screen.result(&table::render(&report));
    if let Some(path) = &spec.json {
        report.write(path)?;
    }
    match report.void() {
        Some(why) => Err(Error::Void(why)),
        None => Ok(report),
    }
}

/// One measurement on new templates, audited.
pub(crate) async fn measure(
    deployment: &Deployment,
    client: &Client,
    spec: &RunSpec,
    repeat: u32,
    screen: Screen,
) -> Result<Figures, Error> {
    let templates = deployment.publish(client, spec.workload).await?;
    // Another seed, so that no repeat meets the rows of the one before.
    let window =
        spec::WindowSpec { seed: spec.window.seed.wrapping_add(u64::from(repeat) << 32), ..spec.window.clone() };
    let workload = Workload::new(spec.workload, window.seed, templates);
    let tiers = deployment.tiers();
    let target = Target { client, proxies: &deployment.proxies, tiers: &tiers };
    let mut driven = drive(&target, &workload, spec.load(), &window, screen).await?;
    if spec.workload == Kind::Soldout {
        wait_until_sold_out(client, &workload).await?;
    }
    screen.say(&format!("  {} claims sent; auditing", driven.sent));
    driven.book.unknown.sort_unstable();
    let audit = audit(deployment, &workload, &driven.book, sql::REQUESTS).await?;
    Ok(figures(&driven, audit, tiers.proxy_peak_mib()?))
}

/// "Sold out" is a state that is reached a moment after the last unit.
async fn wait_until_sold_out(client: &Client, workload: &Workload) -> Result<(), Error> {
    let started = std::time::Instant::now();
    for template in workload.templates() {
        let probe = Claim::new(UserId(u64::from(u32::MAX)), *template, mint_request_id());
        while !client.claim(probe).await.is_err_and(|error| error.code() == Code::SoldOut) {
            if started.elapsed() > SELL_OUT_MAX {
                return Err(Error::Void("the stock was not sold out".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

pub(crate) fn figures(driven: &Driven, audit: Audit, proxy_peak_mib: f64) -> Figures {
    let (recorder, counts) = (&driven.recorder, &driven.counts);
    let window_s = driven.window.as_secs_f64();
    let decided = recorder.decided();
    Figures {
        claims_per_s: decided as f64 / window_s,
        coupons_per_s: recorder.coupons as f64 / window_s,
        latency_ms: recorder.latency(),
        service_ms: recorder.service(),
        cpu_us_per_claim: cpu_per_claim(driven.cpu, decided),
        rows_per_transaction: ratio(counts.coupons, counts.transactions),
        claims_per_redis_call: ratio(counts.deducted_claims, counts.deductions),
        transactions_per_s: counts.transactions as f64 / window_s,
        proxy_peak_mib,
        window_s,
        answered: recorder.answered(),
        coupons: recorder.coupons,
        replays: recorder.replays,
        refusals: recorder.refusals(),
        per_second: recorder.per_second.clone(),
        proxy_counts: ProxyCounts {
            transactions: counts.transactions,
            redis_calls: counts.deductions,
            look_ups: counts.look_ups,
            settles: counts.settles,
            conflicts: counts.conflicts,
            fenced: counts.fenced,
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
    let settings = BTreeMap::from([
        ("buffer_pool_mib".to_owned(), deployment.settings.buffer_pool_mib.to_string()),
        ("redo_mib".to_owned(), deployment.settings.redo_mib.to_string()),
        ("connections".to_owned(), spec.connections.to_string()),
        ("deadline_ms".to_owned(), spec.deadline.as_millis().to_string()),
        ("proxy_config".to_owned(), spec.bed.proxy_config.clone()),
        ("seed".to_owned(), spec.window.seed.to_string()),
    ]);
    Subject {
        path: "proxy".to_owned(),
        workload: name(spec.workload),
        load: spec.load().to_string(),
        primaries: spec.bed.primaries,
        shards: spec.bed.shards,
        proxies: spec.bed.proxies,
        duration_ms: millis(spec.window.duration),
        warm_up_ms: millis(spec.window.warm_up),
        settings,
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
