//! The main job of scrip in one command, on real servers: a rush of claims on a template that sells out, and then the
//! promises, each with its evidence from stores and history.
//!
//! - `spec`: what to run. `error`: what can stop it. `stage`: the phases, with their times.
//! - `build`: the programs. `plan`: who claims when, and again. `rush`: driving the SDK. `tally`: what came back.
//! - `gauge`, `progress`: the live display.
//! - `promise`, `report`: the result as data. `table`: the result for people. `keep`: how to go on by hand.

mod build;
mod gauge;
mod keep;
mod plan;
mod progress;
mod promise;
mod report;
mod rush;
mod spec;
mod stage;
mod table;
mod tally;

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

use scrip_client::{Client, ClientConfig, Template, TemplateDefinition, Validity, mint_request_id};
use scrip_shard_config::Topology;

pub use self::report::Report;
pub use self::spec::DemoSpec;

use self::plan::Plan;
use self::report::Evidence;
use self::rush::{Outcome, Rush};
use self::stage::Phases;
use crate::error::Error;
use crate::evidence::environment::Environment;
use crate::evidence::{AUDIT_MAX, audit};
use crate::history::History;
use crate::install::install;
use crate::oracle::{self, Circumstances, StoresView};
use crate::screen::Screen;
use crate::testbed::{CALLER, ProxyProcess, ProxySpec, Testbed, TestbedSpec};

const STOPPED: &str = "\nStopped. Everything that was started is gone.";

/// How a demo ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every promise holds.
    Held,
    /// A promise does not hold.
    Broken,
    /// Stopped before there was a result.
    Interrupted,
}

/// A deployment that serves.
struct Deployment {
    testbed: Testbed,
    topology: Topology,
    proxies: Vec<ProxyProcess>,
    client: Client,
}

/// Runs the demo until its end, or until `stop`. Nothing is left behind when the returned future has ended or is dropped.
///
/// # Errors
/// When it could not be run, or its result not be written. A promise that does not hold is no error: see [`Ending`].
pub async fn run(spec: DemoSpec, stop: impl Future<Output = ()>) -> Result<Ending, Error> {
    tokio::pin!(stop);
    let screen = Screen::new();
    let (deployment, report) = tokio::select! {
        finished = stages(&spec, &screen) => finished?,
        () = &mut stop => {
            screen.line(STOPPED);
            return Ok(Ending::Interrupted);
        }
    };
    if spec.keep {
        keep::explain(&screen, &deployment, &report);
        stop.await;
        drop(deployment);
        screen.line(STOPPED);
    }
    Ok(if report.held { Ending::Held } else { Ending::Broken })
}

async fn stages(spec: &DemoSpec, screen: &Screen) -> Result<(Deployment, Report), Error> {
    spec.check()?;
    screen.line(&spec.to_string());
    let mut phases = Phases::new(screen);
    phases.loud("programs", programs(spec, screen)).await?;
    let deployment = deploy(spec, &mut phases).await?;
    let template = phases.quiet("template created and published", publish(spec, &deployment.client)).await?;
    let plan = Plan::new(spec);
    let gauge = gauge::Gauge::start(&deployment.testbed, &deployment.topology, &template);
    let victim = deployment.proxies.last().filter(|_| spec.kill_proxy);
    let in_flight = spec.in_flight as usize;
    let rush =
        Rush { client: &deployment.client, template: &template, plan: &plan, gauge: &gauge, victim, in_flight, screen };
    let Outcome { history, tally, took, follow_up } = phases.loud("rush", rush.run()).await?;
    if let Some(path) = &spec.history {
        write_history(path, &history)?;
    }
    let audit =
        phases.quiet("audit", async { Ok(audit(&deployment.testbed, &deployment.proxies, AUDIT_MAX).await?) }).await?;
    let view = phases.quiet("stores read", read(&deployment)).await?;
    let circumstances = Circumstances { demand_exceeds_stock: plan.demand > spec.units, ..Circumstances::default() };
    let verdict = phases.quiet("oracle", async { Ok(oracle::check(&history, &view, circumstances)) }).await?;
    let evidence = Evidence {
        environment: Environment::read(&deployment.testbed, &view).await,
        phases: phases.finish(),
        tally: &tally,
        took,
        follow_up,
        template: &template,
        plan: &plan,
        view: &view,
        verdict: &verdict,
        audit,
    };
    let report = Report::new(spec, evidence);
    table::print(screen, &report);
    if let Some(path) = &spec.json {
        report.write(path)?;
    }
    Ok((deployment, report))
}

async fn programs(spec: &DemoSpec, screen: &Screen) -> Result<(), Error> {
    // It may ask for a password, so it has the terminal to itself.
    if spec.needs_install() {
        tokio::task::block_in_place(|| install(&mut std::io::stdout()))?;
    }
    build::build(spec, screen).await
}

async fn deploy(spec: &DemoSpec, phases: &mut Phases<'_>) -> Result<Deployment, Error> {
    let name = format!("{} primaries and {} shards started", spec.primaries, spec.shards);
    let testbed = phases.quiet(&name, async { Ok(Testbed::start(testbed_spec(spec)).await?) }).await?;
    phases.quiet("schema migrated", async { Ok(testbed.migrate(&ProxySpec::new("migrate")).await?) }).await?;
    let mut proxies = Vec::new();
    let starting = async {
        for number in 1..=spec.proxies {
            proxies.push(testbed.start_proxy(&ProxySpec::new(format!("proxy-{number}"))).await?);
        }
        let addresses: Vec<String> = proxies.iter().map(|proxy| proxy.address().to_string()).collect();
        connect(addresses, testbed.caller_token()?.expose()).await
    };
    let client = phases.quiet(&format!("{} proxies started", spec.proxies), starting).await?;
    let topology = Topology::load(testbed.topology_path()?)?;
    Ok(Deployment { testbed, topology, proxies, client })
}

fn testbed_spec(spec: &DemoSpec) -> TestbedSpec {
    TestbedSpec {
        database_server: spec.database_server.clone(),
        redis_server: spec.redis_server.clone(),
        ..TestbedSpec::new(spec.primaries, spec.shards)
    }
}

/// A caller that waits up to ten seconds: in a rush the queue is long.
async fn connect(addresses: Vec<String>, token: &str) -> Result<Client, Error> {
    let mut config = ClientConfig::new(addresses, CALLER, token);
    config.deadline = Duration::from_secs(10);
    Ok(Client::connect(config).await?)
}

async fn publish(spec: &DemoSpec, client: &Client) -> Result<Template, Error> {
    let definition = TemplateDefinition::new(
        "Demo rush",
        spec.units,
        spec.limit,
        Validity::Relative { starts_after_s: 0, lasts_s: 30 * 24 * 3600 },
    );
    let template = client.create_template(mint_request_id(), definition).await?;
    Ok(client.publish(template.template).await?)
}

async fn read(deployment: &Deployment) -> Result<StoresView, Error> {
    Ok(StoresView::read(&deployment.testbed, &deployment.topology).await?)
}

fn write_history(path: &Path, history: &History) -> Result<(), Error> {
    let write = || history.write_json_lines(&mut BufWriter::new(File::create(path)?));
    write().map_err(|source| Error::Write { path: path.to_owned(), source })
}
