//! `scrip-chaos model`.

use std::fmt::Write as _;
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use super::livelock::{self, Eagerness};
use super::{BOUNDS, Bound, Search, Size, TRIALS, Trial, check};

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `small`, `large`, `huge`, or the name of one bound. Absent: the small ones, every mutant, and the livelock.
    pub bound: Option<String>,
    /// One mutant, in its own bound unless `bound` names another.
    pub mutant: Option<String>,
    /// Only say what there is.
    pub list: bool,
}

/// Runs it. Success: the protocol held, every mutant was caught.
pub fn run(options: &Options) -> ExitCode {
    let done = if options.list {
        print!("{}", list());
        Ok(true)
    } else if let Some(name) = &options.mutant {
        one_mutant(name, options.bound.as_deref())
    } else if let Some(name) = &options.bound {
        chosen(name).map(|bounds| protocol(&bounds))
    } else {
        let small: Vec<_> = of_size(Size::Small).collect();
        let held = protocol(&small);
        let missed = TRIALS.iter().filter(|trial| !mutant(trial, None)).count();
        Ok(livelocks() && held && missed == 0)
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("scrip-chaos model: {message}");
            ExitCode::from(2)
        }
    }
}

/// A counterexample as a numbered story.
pub fn story(sentences: &[String]) -> String {
    sentences.iter().zip(1..).fold(String::new(), |mut text, (sentence, number)| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {number:>2}. {sentence}");
        text
    })
}

fn list() -> String {
    let mut text = String::from("bounds\n");
    for bound in BOUNDS {
        let _ =
            writeln!(text, "  {:<17} {:<6} {}", bound.name, format!("{:?}", bound.size).to_lowercase(), bound.about);
    }
    text.push_str("mutants\n");
    for trial in TRIALS {
        let _ = writeln!(text, "  {:<26} breaks {:?} in {}", trial.name, trial.breaks, trial.bound);
    }
    text
}

fn of_size(size: Size) -> impl Iterator<Item = &'static Bound> {
    BOUNDS.iter().filter(move |bound| bound.size == size)
}

fn chosen(name: &str) -> Result<Vec<&'static Bound>, String> {
    match name {
        "small" => Ok(of_size(Size::Small).collect()),
        "large" => Ok(of_size(Size::Large).collect()),
        "huge" => Ok(of_size(Size::Huge).collect()),
        name => super::bound(name).map(|bound| vec![bound]).ok_or_else(|| format!("no bound {name}; see --list")),
    }
}

fn protocol(bounds: &[&Bound]) -> bool {
    let broken = bounds.iter().filter(|bound| {
        let search = check(bound, None, &mut progress(bound.name));
        let verdict = if search.counterexample.is_none() { "holds" } else { "BROKEN" };
        println!("{:<17} {verdict}  {}", bound.name, figures(&search));
        if let Some((invariant, sentences)) = &search.counterexample {
            print!("{invariant:?} does not hold:\n{}", story(sentences));
        }
        search.counterexample.is_some()
    });
    broken.count() == 0
}

fn one_mutant(name: &str, bound: Option<&str>) -> Result<bool, String> {
    let trial = TRIALS.iter().find(|trial| trial.name == name);
    Ok(mutant(trial.ok_or_else(|| format!("no mutant {name}; see --list"))?, bound))
}

fn mutant(trial: &Trial, elsewhere: Option<&str>) -> bool {
    let Some(bound) = super::bound(elsewhere.unwrap_or(trial.bound)) else {
        println!("{}: no bound {}", trial.name, elsewhere.unwrap_or(trial.bound));
        return false;
    };
    let search = check(bound, Some(trial.mutant), &mut progress(trial.name));
    let Some((invariant, sentences)) = &search.counterexample else {
        println!("\n{}: NOT CAUGHT in {}  {}", trial.name, bound.name, figures(&search));
        return false;
    };
    println!("\n{}: caught in {}, {invariant:?} broken  {}", trial.name, bound.name, figures(&search));
    print!("{}", story(sentences));
    *invariant == trial.breaks
}

fn livelocks() -> bool {
    let lively = |eagerness| livelock::cycle(eagerness);
    for eagerness in [Eagerness::EveryEmpty, Eagerness::EveryFenced] {
        let Some(cycle) = lively(eagerness) else { return false };
        print!("\n{eagerness:?}: a livelock\n{}", story(&cycle.beginning));
        print!("  and then for ever:\n{}", story(&cycle.repeats));
    }
    let gone = lively(Eagerness::Quiet).is_none() && livelock::always_sells(Eagerness::Quiet);
    println!("\n{:?}: {}", Eagerness::Quiet, if gone { "no livelock, every unit is sold" } else { "A LIVELOCK" });
    gone
}

fn figures(search: &Search) -> String {
    format!("{:>11} states, depth {:>2}, {:.1?}", search.states, search.depth, search.took)
}

fn progress(name: &str) -> impl FnMut(usize, usize) + use<'_> {
    let shown = stderr().is_terminal();
    move |states, depth| {
        if shown {
            eprint!("\r\x1b[K{name}: depth {depth}, {states} states\r");
        }
    }
}
