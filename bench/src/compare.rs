//! Proxy, ceiling and reference: each alone, or all in turn on the same servers, so that their ratios hold on a machine
//! that is never quite the same from one minute to the next.

use std::collections::BTreeMap;
use std::time::Duration;

use scrip_client::{Client, TemplateId};

use crate::deployment::Deployment;
use crate::report::{Environment, Figures, Report, Subject, Together, VERSION};
use crate::run::{measure, millis, subject};
use crate::screen::Screen;
use crate::spec::{BedSpec, CallerSpec, CeilingSpec, CompareSpec, DirectSpec, OutputSpec, ReferenceSpec, WindowSpec};
use crate::workload::Kind;
use crate::{Error, ceiling, environment, reference};

/// For the templates of ceilings.
const CALLER: CallerSpec = CallerSpec { deadline: Duration::from_secs(10), connections: 1 };

/// Measurements of several ways, in the order of their first round.
#[derive(Default)]
struct Rounds {
    ways: Vec<(Subject, Vec<Figures>)>,
}

/// Servers and what measures on them.
struct Bench {
    deployment: Deployment,
    clients: Vec<Client>,
    screen: Screen,
    /// Read before any load.
    environment: (Environment, BTreeMap<String, String>),
}

/// The ceiling alone.
///
/// # Errors
/// When it could not be measured, or a count is wrong.
pub async fn run_ceiling(spec: &DirectSpec<CeilingSpec>) -> Result<(), Error> {
    let bench = Bench::start(&spec.bench.bed, &CALLER).await?;
    let mut rounds = Rounds::default();
    for round in 0..spec.bench.repeats {
        bench.ceilings(&spec.way, &spec.bench.bed, &spec.bench.window.of_repeat(round), &mut rounds).await?;
    }
    bench.finish(rounds, &spec.bench.output).await
}

/// The reference alone.
///
/// # Errors
/// When it could not be measured, or a count is wrong.
pub async fn run_reference(spec: &DirectSpec<ReferenceSpec>) -> Result<(), Error> {
    let bench = Bench::start(&spec.bench.bed, &CALLER).await?;
    let mut rounds = Rounds::default();
    for round in 0..spec.bench.repeats {
        bench.reference(&spec.way, &spec.bench.bed, &spec.bench.window.of_repeat(round), round, &mut rounds).await?;
    }
    bench.finish(rounds, &spec.bench.output).await
}

/// All in turn, as often as the specification says.
///
/// # Errors
/// When one could not be measured, or a count is wrong.
pub async fn compare(spec: &CompareSpec) -> Result<(), Error> {
    let run = &spec.run;
    run.check()?;
    if run.workload != Kind::Rush {
        return Err(Error::Arguments("only the workload rush has a ceiling and a reference".to_owned()));
    }
    let bench = Bench::start(&run.bench.bed, &run.caller).await?;
    let mut rounds = Rounds::default();
    for round in 0..run.bench.repeats {
        let window = run.bench.window.of_repeat(round);
        bench.say(round, &format!("proxy, {}", run.load()));
        let figures = measure(&bench.deployment, &bench.clients, run, round, bench.screen).await?;
        rounds.add(subject(run, &bench.deployment), figures);
        bench.ceilings(&spec.ceiling, &run.bench.bed, &window, &mut rounds).await?;
        bench.reference(&spec.reference, &run.bench.bed, &window, round, &mut rounds).await?;
    }
    bench.finish(rounds, &run.bench.output).await
}

impl Bench {
    async fn start(bed: &BedSpec, caller: &CallerSpec) -> Result<Self, Error> {
        let screen = Screen::new();
        let deployment = Deployment::start(bed, screen).await?;
        let environment = environment::read(&deployment).await?;
        let clients = deployment.connect(caller).await?;
        Ok(Self { deployment, clients, screen, environment })
    }

    fn say(&self, round: u32, what: &str) {
        self.screen.say(&format!("round {}: {what}", round + 1));
    }

    async fn ceilings(
        &self,
        spec: &CeilingSpec,
        bed: &BedSpec,
        window: &WindowSpec,
        rounds: &mut Rounds,
    ) -> Result<(), Error> {
        for batch in &spec.batches {
            let name = format!("ceiling of {batch} rows");
            self.screen.say(&name);
            let way = (*batch, spec.writers);
            let figures = ceiling::measure(&self.deployment, &self.clients[0], way, window, self.screen).await?;
            let load = format!("{} writers a primary", spec.writers);
            rounds.add(direct_subject(&name, load, bed, window), figures);
        }
        Ok(())
    }

    async fn reference(
        &self,
        spec: &ReferenceSpec,
        bed: &BedSpec,
        window: &WindowSpec,
        round: u32,
        rounds: &mut Rounds,
    ) -> Result<(), Error> {
        self.say(round, "reference");
        let template = TemplateId::try_new(round + 1).map_err(|error| Error::Arguments(error.to_string()))?;
        let figures = reference::measure(&self.deployment, spec, template, window, self.screen).await?;
        let load = format!(
            "{} in flight, pools of {} a primary and {} a shard",
            spec.reference_in_flight, spec.mysql_pool, spec.redis_pool
        );
        rounds.add(direct_subject("reference", load, bed, window), figures);
        Ok(())
    }

    /// Prints everything, writes it, and voids it if a count is wrong.
    async fn finish(&self, rounds: Rounds, output: &OutputSpec) -> Result<(), Error> {
        let ratios = rounds.ratios();
        let mut reports = BTreeMap::new();
        for (subject, repeats) in rounds.ways {
            let name = subject.path.clone();
            reports.insert(name, Report::new(subject, environment::commit(), self.environment.clone(), repeats)?);
        }
        let together = Together { version: VERSION, reports, ratios };
        self.screen.result(&together.to_string());
        output.write_all(&together)?;
        together.void().map_or(Ok(()), |why| Err(Error::Void(why)))
    }
}

impl Rounds {
    fn add(&mut self, subject: Subject, figures: Figures) {
        match self.ways.iter_mut().find(|(known, _)| known.path == subject.path) {
            Some((_, all)) => all.push(figures),
            None => self.ways.push((subject, vec![figures])),
        }
    }

    /// Within each round, then the median: what changes from round to round falls out.
    fn ratios(&self) -> BTreeMap<String, f64> {
        let Some((_, proxy)) = self.ways.iter().find(|(subject, _)| subject.path == "proxy") else {
            return BTreeMap::new();
        };
        let others = self.ways.iter().filter(|(subject, _)| subject.path != "proxy");
        let ratio = |(subject, other): &(Subject, Vec<Figures>)| {
            let pairs = proxy.iter().zip(other);
            let mut ratios: Vec<f64> = pairs.map(|(proxy, other)| proxy.claims_per_s / other.claims_per_s).collect();
            ratios.sort_by(f64::total_cmp);
            let median = ratios.get(ratios.len().saturating_sub(1) / 2).copied().unwrap_or(0.0);
            (subject.path.clone(), median)
        };
        others.map(ratio).collect()
    }
}

fn direct_subject(path: &str, load: String, bed: &BedSpec, window: &WindowSpec) -> Subject {
    Subject {
        path: path.to_owned(),
        workload: "rush".to_owned(),
        load,
        primaries: bed.primaries,
        shards: bed.shards,
        proxies: 0,
        duration_ms: millis(window.duration),
        warm_up_ms: millis(window.warm_up),
        settings: BTreeMap::from([
            ("buffer_pool_mib".to_owned(), bed.buffer_pool_mib.to_string()),
            ("redo_mib".to_owned(), bed.redo_mib.to_string()),
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let bed = BedSpec {
            primaries: 1,
            shards: 1,
            proxies: 1,
            database_server: None,
            buffer_pool_mib: 16,
            redo_mib: 16,
            proxy_config: String::new(),
        };
        let second = Duration::from_secs(1);
        let window = WindowSpec { warm_up: second, duration: second, seed: 1 };
        let mut rounds = Rounds::default();
        // The machine is three times as slow in the second round.
        for speed in [1.0, 3.0, 1.0] {
            for (path, rate) in [("proxy", 300.0), ("reference", 10.0)] {
                let figures = Figures { claims_per_s: rate / speed, ..Figures::default() };
                rounds.add(direct_subject(path, String::new(), &bed, &window), figures);
            }
        }
        let ratios = rounds.ratios();
        assert!((ratios["reference"] - 30.0).abs() < 1e-9 && ratios.len() == 1, "{ratios:?}");
    }
}
