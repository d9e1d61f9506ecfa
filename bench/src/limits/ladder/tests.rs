use super::*;

const WINDOW_S: f64 = 10.0;

fn spec() -> LadderSpec {
    LadderSpec { first_rate: None, factor: 1.5, refine: 5, latency_factor: 5.0, latency_floor_ms: 50.0, keep_up: 0.95 }
}

/// A server of a given capacity: near it latency rises as in a queue, beyond it answers fall behind.
fn server(capacity_per_s: f64, offered_per_s: u64) -> Rung {
    let load = offered_per_s as f64 / capacity_per_s;
    let p99_ms = if load < 1.0 { 2.0 / (1.0 - load) } else { 5_000.0 };
    Rung { offered_per_s, achieved_per_s: (offered_per_s as f64).min(capacity_per_s), p99_ms, ..Rung::default() }
}

fn climb_now(spec: &LadderSpec, first: u64, mut step: impl FnMut(u64) -> Rung) -> Result<Climb, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(climb(spec, first, WINDOW_S, async |rate| Ok(step(rate))))
}

#[test]
fn the_limit_of_a_known_server_is_found_from_below_and_from_above() {
    for (capacity, first) in [(7_000.0, 100), (7_000.0, 50_000), (250_000.0, 1_000)] {
        let climb = climb_now(&spec(), first, |rate| server(capacity, rate)).expect("found");
        let (held, broke) = (&climb.rungs[climb.held], &climb.rungs[climb.broke.expect("broke")]);
        assert!(held.offered_per_s as f64 >= 0.9 * capacity, "{capacity} from {first}: {held:?}");
        assert!((held.offered_per_s as f64) < capacity && held.broke.is_none() && broke.broke.is_some());
        assert!(broke.offered_per_s as f64 <= held.offered_per_s as f64 * 1.05, "{held:?} {broke:?}");
    }
}

#[test]
fn one_disturbance_is_no_limit() {
    let mut disturbed = false;
    let climb = climb_now(&spec(), 1_000, |rate| {
        let capacity = if rate > 3_000 && !std::mem::replace(&mut disturbed, true) { 100.0 } else { 20_000.0 };
        server(capacity, rate)
    });
    let climb = climb.expect("found");
    assert!(climb.rungs[climb.held].offered_per_s > 15_000, "{:?}", climb.rungs);
}

#[test]
fn a_server_without_a_limit_ends_the_ladder_and_one_without_capacity_is_an_error() {
    let endless = climb_now(&spec(), 10, |rate| Rung { p99_ms: 1.0, ..server(1e18, rate) }).expect("climbed");
    assert!(endless.broke.is_none() && endless.rungs.len() == RUNGS_MAX);
    let error = climb_now(&spec(), 10, |rate| server(0.0, rate)).err().expect("nothing holds");
    assert!(error.to_string().contains("--first-rate"), "{error}");
}

#[test]
fn latency_below_the_floor_never_breaks() {
    let rung = Rung { offered_per_s: 10, achieved_per_s: 10.0, p99_ms: 49.0, ..Rung::default() };
    assert_eq!(spec().verdict(&rung, 1.0, WINDOW_S), None);
    assert!(spec().verdict(&Rung { p99_ms: 51.0, ..rung.clone() }, 1.0, WINDOW_S).is_some());
}

#[test]
fn falling_behind_breaks_and_chance_does_not() {
    // Of 100,000 requests 94,000 are decided: too few. Of 100 the same share is chance.
    let rung = |rate: u64| Rung { offered_per_s: rate, achieved_per_s: rate as f64 * 0.94, ..Rung::default() };
    assert!(spec().verdict(&rung(10_000), 1.0, WINDOW_S).is_some());
    assert_eq!(spec().verdict(&rung(10), 1.0, WINDOW_S), None);
}

#[test]
fn numbers_that_make_no_ladder_are_refused() {
    assert!(spec().check().is_ok());
    let wrong: [fn(&mut LadderSpec); 5] = [
        |spec| spec.factor = 1.0,
        |spec| spec.factor = f64::NAN,
        |spec| spec.latency_factor = 0.5,
        |spec| spec.keep_up = 1.0,
        |spec| spec.first_rate = Some(0),
    ];
    for (index, spoil) in wrong.iter().enumerate() {
        let mut spec = spec();
        spoil(&mut spec);
        assert!(spec.check().is_err(), "{index}");
    }
}
