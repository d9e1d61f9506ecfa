//! Real processes, broken on purpose: scenarios with load, faults in their times, a history, and the oracle's verdict; and
//! what callers felt meanwhile.
//!
//! - `spec`: what to run. `scenario`, `scenarios`: what there is. `fault`, `schedule`: what breaks when, as data.
//! - `bed`: servers, proxies and clients, with a link between any two. `strike`, `operator`: faults carried out.
//! - `load`: an open loop of claims. `beside`: packs, a bulk job, codes, and a template that is archived. `consumer`: reads every
//!   event. `recorder`: everything written down. `watch`: cheap invariants, with every answer.
//! - `play`: one scenario. `finish`: after healing, doubt is resolved, the rest is sold, callers ask again.
//! - `felt`, `budget`: what callers felt, and what they may. `report`, `table`: the result.

mod bed;
mod beside;
mod budget;
mod consumer;
mod fault;
mod felt;
mod finish;
mod load;
mod operator;
mod orders;
mod play;
mod recorder;
mod report;
mod scenario;
mod scenarios;
mod schedule;
mod spec;
mod strike;
mod table;
mod watch;

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

pub use self::bed::Bed;
pub use self::report::{Failed, Report, ScenarioReport};
pub use self::scenario::Scenario;
pub use self::scenarios::{all, named};
pub use self::spec::RunSpec;

use crate::error::Error;
use crate::evidence::environment::Environment;
use crate::history::History;
use crate::install::install;
use crate::oracle::StoresView;
use crate::screen::Screen;
use crate::testbed::build_proxy;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every promise held.
    Held,
    /// A promise did not hold.
    Broken,
    /// Stopped before its end. What was found until then was printed.
    Interrupted,
}

/// Runs what is asked for until its end, or until `stop`. Nothing is left behind when the returned future has ended or is
/// dropped.
///
/// # Errors
/// When it could not be run, or its result not be written. A promise that does not hold is no error: see [`Ending`].
pub async fn run(spec: RunSpec, stop: impl Future<Output = ()>) -> Result<Ending, Error> {
    let screen = Screen::new();
    let scenarios = named(&spec.scenario).ok_or_else(|| Error::NoScenario(spec.scenario.clone()))?;
    if spec.list {
        list(&screen);
        return Ok(Ending::Held);
    }
    tokio::select! {
        report = play_all(&spec, &scenarios, &screen) => {
            Ok(if report?.held { Ending::Held } else { Ending::Broken })
        }
        () = stop => {
            screen.line("\nStopped. Everything that was started is gone.");
            Ok(Ending::Interrupted)
        }
    }
}

fn list(screen: &Screen) {
    for scenario in all().iter().chain([&scenarios::RANDOM]) {
        screen.line(&format!("{:<26} {}", scenario.name, scenario.about));
    }
}

async fn play_all(spec: &RunSpec, scenarios: &[Scenario], screen: &Screen) -> Result<Report, Error> {
    tokio::task::block_in_place(|| -> Result<(), Error> {
        if spec.database_server.is_none() || spec.redis_server.is_none() {
            install(&mut std::io::stdout())?;
        }
        Ok(build_proxy()?)
    })?;
    let mut bed = start(spec, screen).await?;
    let mut report = Report::new(spec);
    let view = StoresView::read(&bed.testbed, &bed.topology).await?;
    report.environment = Some(Environment::read(&bed.testbed, &view).await);
    let briefly = spec.seeds.is_some();
    for seed in spec.seeds() {
        for scenario in scenarios {
            let held = match play(&bed, scenario, spec, seed).await {
                Ok((played, history)) => {
                    table::print(screen, &played, briefly);
                    if let Some(path) = &spec.history {
                        write_history(path, &history)?;
                    }
                    let held = played.held;
                    report.add(played);
                    held
                }
                Err(error) => {
                    screen.line(&format!("{} (seed {seed}) could not be run to its end: {error}", scenario.name));
                    report.fail(scenario.name, seed, &error);
                    false
                }
            };
            if let Some(path) = &spec.json {
                report.write(path)?;
            }
            if !held {
                keep_logs(spec, &bed, &format!("{}-{seed}", scenario.name))?;
                // Whatever is wrong with it does not touch what comes next.
                drop(bed);
                bed = start(spec, screen).await?;
            }
        }
    }
    table::sum(screen, &report);
    Ok(report)
}

/// Runs one scenario on a bed that may serve others afterwards.
///
/// # Errors
/// When it could not be run to its end. A promise that does not hold is no error: see [`ScenarioReport::held`].
pub async fn play(
    bed: &Arc<Bed>,
    scenario: &Scenario,
    spec: &RunSpec,
    seed: u64,
) -> Result<(ScenarioReport, History), Error> {
    play::play(bed, scenario, spec, seed).await
}

async fn start(spec: &RunSpec, screen: &Screen) -> Result<Arc<Bed>, Error> {
    let RunSpec { primaries, shards, proxies, clients, .. } = spec;
    screen.line(&format!("starting {primaries} primaries, {shards} shards, {proxies} proxies, {clients} clients"));
    Ok(Arc::new(Bed::start(spec).await?))
}

fn keep_logs(spec: &RunSpec, bed: &Bed, name: &str) -> Result<(), Error> {
    let Some(folder) = spec.keep_logs.as_ref().map(|folder| folder.join(name)) else { return Ok(()) };
    let failed = |source| Error::Write { path: folder.clone(), source };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    for (name, log) in bed.logs() {
        std::fs::copy(&log, folder.join(name)).map_err(failed)?;
    }
    Ok(())
}

fn write_history(path: &Path, history: &History) -> Result<(), Error> {
    let write = || history.write_json_lines(&mut BufWriter::new(File::create(path)?));
    write().map_err(|source| Error::Write { path: path.to_owned(), source })
}
