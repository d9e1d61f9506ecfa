//! A proxy that has nothing to do: what it costs, alone and with connections on which nobody speaks.

use std::fmt;
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::deployment::Deployment;
use crate::report::{Environment, VERSION, write_json};
use crate::screen::Screen;
use crate::spec::{BedSpec, CallerSpec, OutputSpec, WindowSpec, refuse};
use crate::{Error, environment};

/// How a proxy rests.
#[derive(Debug, Clone, Args)]
pub struct IdleSpec {
    /// Those who are connected and say nothing.
    #[command(flatten)]
    pub caller: CallerSpec,
    /// The servers.
    #[command(flatten)]
    pub bed: BedSpec,
    /// Each of the two measurements; the warm-up is the rest before it.
    #[command(flatten)]
    pub window: WindowSpec,
    /// Where the report goes; it has no page.
    #[command(flatten)]
    pub output: OutputSpec,
}

/// What rest costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Idle {
    /// [`VERSION`] when it was written.
    pub version: u32,
    /// The sources' commit; with a mark if they were changed since.
    pub commit: String,
    /// The machine and the servers.
    pub environment: Environment,
    /// Proxies; figures are of all of them together, memory of the largest.
    pub proxies: u16,
    /// Without any connection, and with all of them.
    pub rests: Vec<Rest>,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rest {
    /// Connections to each proxy.
    pub connections: usize,
    /// CPU time of all proxies in a second.
    pub proxy_cpu_ms_per_s: f64,
    /// CPU time of this program in a second.
    pub client_cpu_ms_per_s: f64,
    /// CPU time of all database servers in a second: what the proxies ask while they rest, and their own upkeep.
    pub mysql_cpu_ms_per_s: f64,
    /// The same of all Redis servers.
    pub redis_cpu_ms_per_s: f64,
    /// Memory that the proxy has resident.
    pub proxy_resident_mib: f64,
    /// The most that it ever had resident.
    pub proxy_peak_mib: f64,
    /// Length of the measurement.
    pub window_s: f64,
}

/// Measures it, prints it and writes it.
///
/// # Errors
/// When it could not be measured.
pub async fn idle(spec: &IdleSpec) -> Result<Idle, Error> {
    spec.bed.check()?;
    refuse(&[
        (spec.caller.connections == 0, "--connections must be at least 1"),
        (spec.window.duration.is_zero(), "--duration must be more than nothing"),
        (spec.output.html.is_some(), "idle has no page: leave --html out"),
    ])?;
    let screen = Screen::new();
    let deployment = Deployment::start(&spec.bed, screen).await?;
    let (environment, _) = environment::read(&deployment).await?;
    let mut rests = vec![rest(&deployment, 0, &spec.window).await?];
    let clients = deployment.connect(&spec.caller).await?;
    screen.say(&format!("{} connections to each proxy", spec.caller.connections));
    rests.push(rest(&deployment, spec.caller.connections, &spec.window).await?);
    drop(clients);
    let idle = Idle { version: VERSION, commit: environment::commit(), environment, proxies: spec.bed.proxies, rests };
    screen.result(&idle.to_string());
    if let Some(path) = &spec.output.json {
        write_json(path, &idle)?;
    }
    Ok(idle)
}

async fn rest(deployment: &Deployment, connections: usize, window: &WindowSpec) -> Result<Rest, Error> {
    let tiers = deployment.tiers();
    sleep(window.warm_up).await;
    let (started, before) = (Instant::now(), tiers.read()?);
    sleep(window.duration).await;
    let (cpu, window_s) = (tiers.read()? - before, started.elapsed().as_secs_f64());
    let each = |time: Duration| time.as_secs_f64() * 1e3 / window_s;
    Ok(Rest {
        connections,
        proxy_cpu_ms_per_s: each(cpu.proxy),
        client_cpu_ms_per_s: each(cpu.client),
        mysql_cpu_ms_per_s: each(cpu.mysql),
        redis_cpu_ms_per_s: each(cpu.redis),
        proxy_resident_mib: tiers.proxy_resident_mib()?,
        proxy_peak_mib: tiers.proxy_peak_mib()?,
        window_s,
    })
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.environment.debug_build {
            writeln!(f, " ATTENTION    built without optimisation: these figures say nothing")?;
        }
        for rest in &self.rests {
            writeln!(
                f,
                " {:>6} connections: proxy {:.2} ms of CPU a second, {:.1} MiB resident ({:.1} at most); \
                 Redis {:.2}, MySQL {:.2}, client {:.2} ms a second",
                rest.connections,
                rest.proxy_cpu_ms_per_s,
                rest.proxy_resident_mib,
                rest.proxy_peak_mib,
                rest.redis_cpu_ms_per_s,
                rest.mysql_cpu_ms_per_s,
                rest.client_cpu_ms_per_s
            )?;
        }
        Ok(())
    }
}
