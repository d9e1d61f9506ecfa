//! `scrip-chaos sim`.

use std::io::{IsTerminal, stderr};
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::mutant::{MUTANTS, Mutant};
use super::pinned::Pinned;
use super::plan::Plan;
use super::shrink::shrink;
use super::sweep::{Tally, sweep};
use super::{Outcome, run as run_plan};

/// Failing seeds after which a sweep ends.
const FAILURES_MAX: usize = 10;

/// What to run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Runs one seed.
    #[arg(long, value_name = "N", conflicts_with = "seeds", required_unless_present_any = ["seeds", "plan", "list"])]
    pub seed: Option<u64>,
    /// Runs the seeds from A up to but not including B.
    #[arg(long, value_name = "A..B", value_parser = range)]
    pub seeds: Option<Range<u64>>,
    /// Runs the plan of a file, as those in `chaos/regressions`, with each of its seeds.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "seeds"])]
    pub plan: Option<PathBuf>,
    /// Prints every line of the trace.
    #[arg(long)]
    pub trace: bool,
    /// Stores that leave out one rule, which must be noticed.
    #[arg(long, value_name = "NAME", value_parser = mutant)]
    pub mutant: Option<Mutant>,
    /// Threads of a sweep; by default one for each core.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// One JSON object, for programs.
    #[arg(long)]
    pub json: bool,
    /// Only says what mutants there are.
    #[arg(long)]
    pub list: bool,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("{text}: say A..B, as in 0..1000");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    match (from.parse(), to.parse()) {
        (Ok(from), Ok(to)) if from < to => Ok(from..to),
        _ => Err(wrong()),
    }
}

fn mutant(name: &str) -> Result<Mutant, String> {
    Mutant::named(name).ok_or_else(|| format!("no mutant {name}; see --list"))
}

/// Runs it. Success: nothing was wrong.
pub fn run(options: &Options) -> ExitCode {
    if options.list {
        MUTANTS.iter().for_each(|(_, name)| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let held = match (&options.plan, &options.seeds) {
        (Some(path), _) => match Pinned::read(path) {
            Ok(pinned) => pinned.plans().filter(|plan| !one(options, plan)).count() == 0,
            Err(message) => {
                eprintln!("scrip-chaos sim: {message}");
                return ExitCode::from(2);
            }
        },
        (None, Some(seeds)) => many(options, seeds.clone()),
        (None, None) => one(options, &Plan::of(options.seed.unwrap_or_default())),
    };
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(options: &Options, plan: &Plan) -> bool {
    let seed = plan.seed;
    let outcome = run_plan(plan, options.mutant, options.trace);
    let held = outcome.findings.is_empty();
    if options.json {
        println!("{}", json!({ "seed": seed, "digest": hex(outcome.digest), "findings": outcome.findings }));
        return held;
    }
    print!("{plan}");
    outcome.trace.iter().for_each(|line| println!("{line}"));
    println!(
        "  {} sends, {} coupons, {} calls, {} faults in {:.1} s of virtual time; {} lines, digest {}",
        outcome.sends,
        outcome.coupons,
        outcome.calls,
        outcome.struck.len(),
        outcome.virtual_ms as f64 / 1_000.0,
        outcome.lines,
        hex(outcome.digest)
    );
    if held {
        println!("  every promise held");
    } else {
        tell(plan, &outcome, options.mutant);
    }
    held
}

/// What went wrong, and the shortest run in which it does, as a story.
fn tell(plan: &Plan, outcome: &Outcome, mutant: Option<Mutant>) {
    outcome.findings.iter().for_each(|finding| println!("  WRONG: {finding}"));
    let (small, outcome) = shrink(plan, mutant);
    println!("the shortest run found in which something is wrong:");
    print!("{small}");
    println!("{}", story(&outcome.trace));
    match serde_json::to_string(&small) {
        Ok(plan) => println!(
            "to run it again, in a file for --plan:\n{{\"about\":\"\",\"seeds\":[{}],\"plan\":{plan}}}",
            small.seed
        ),
        Err(error) => println!("the plan cannot be written down: {error}"),
    }
}

/// The lines of a trace up to the first thing that is wrong, numbered.
pub fn story(trace: &[String]) -> String {
    let wrong = |line: &&String| line.contains("WRONG");
    let end = trace.iter().rposition(|line| wrong(&line)).map_or(trace.len(), |at| at + 1);
    let numbered = trace[..end].iter().zip(1..).map(|(line, number)| format!("  {number:>4}. {}", line.trim_start()));
    numbered.collect::<Vec<_>>().join("\n")
}

fn many(options: &Options, seeds: Range<u64>) -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let shows = stderr().is_terminal();
    let show = |tally: &Tally| {
        if shows {
            eprint!("\r{} seeds, {:.0} a second, {} failed ", tally.seeds, tally.rate(), tally.failed.len());
        }
    };
    let tally = sweep(seeds.clone(), options.threads.unwrap_or(cores), options.mutant, FAILURES_MAX, show);
    if shows {
        eprintln!();
    }
    let held = tally.failed.is_empty();
    if options.json {
        println!("{}", json!({ "from": seeds.start, "to": seeds.end, "tally": tally, "held": held }));
        return held;
    }
    print(&tally);
    if let Some((seed, _)) = tally.failed.first_key_value() {
        let plan = Plan::of(*seed);
        tell(&plan, &run_plan(&plan, options.mutant, false), options.mutant);
    }
    held
}

fn print(tally: &Tally) {
    println!(
        "{} seeds in {:.1} s ({:.0} a second): {} sends, {} coupons, {} calls, {} s of virtual time",
        tally.seeds,
        tally.took_s,
        tally.rate(),
        tally.sends,
        tally.coupons,
        tally.calls,
        tally.virtual_s
    );
    tally.faults.iter().for_each(|(kind, count)| println!("  {count:>8} x {kind}"));
    tally.failed.iter().for_each(|(seed, first)| println!("  seed {seed} FAILED: {first}"));
    if tally.failed.is_empty() {
        println!("every promise held in every run");
    }
}

fn hex(digest: u64) -> String {
    format!("{digest:016x}")
}
