use scrip_shard_config::{Address, Local, StockSpec, local_with_replicas};

use super::*;

const P0: PrimaryId = PrimaryId(0);
const SECOND: Duration = Duration::from_secs(1);

fn replicas(count: u16) -> Replicas {
    let address = |port| Address::Tcp { host: "127.0.0.1".to_owned(), port };
    let spec = Local {
        version: 1,
        primaries: vec![address(1), address(2)],
        shards: vec![address(3)],
        database: "scrip".to_owned(),
        user: "scrip".to_owned(),
        password: None,
        shard_password: None,
        virtual_nodes: Local::VIRTUAL_NODES,
        stock: StockSpec::default(),
    };
    let text = local_with_replicas(&spec, &[(10..10 + count).map(address).collect()]);
    Replicas::new(&Topology::parse_without_secrets(&text).expect("a topology"), 7)
}

/// Marks at these seconds; each replica then shows the mark that stands beside it.
fn followed(seconds: &[u64], shown: &[u64]) -> (Replicas, Instant) {
    let (replicas, start) = (replicas(shown.len() as u16), Instant::now());
    let of = &replicas.primaries[0];
    for second in seconds {
        of.marks.lock().next(start + SECOND * *second as u32);
    }
    for (index, mark) in shown.iter().enumerate() {
        of.saw(index, Some(*mark));
    }
    (replicas, start)
}

fn index(chosen: Option<Chosen>) -> Option<u16> {
    chosen.map(|chosen| chosen.replica.index)
}

#[test]
fn a_replica_is_as_stale_as_the_mark_that_it_shows_is_old() {
    let (replicas, start) = followed(&[10, 11, 12], &[2]);
    let now = start + SECOND * 14;
    let chosen = replicas.choose(P0, SECOND * 3, now).expect("noted three seconds ago");
    assert_eq!(chosen.replica, Replica { primary: P0, index: 0, run: 7, mark: 2 });
    assert_eq!((chosen.staleness_ms(now), chosen.staleness_ms(now + SECOND)), (3_001, 4_001));
    assert_eq!(index(replicas.choose(P0, SECOND * 3 - Duration::from_nanos(1), now)), None);
    assert_eq!(index(replicas.choose(P0, Duration::ZERO, now)), None, "the primary was asked for");
    assert_eq!(index(replicas.choose(PrimaryId(1), SECOND * 60, now)), None, "it has no replicas");
    assert!(replicas.render(now).contains("scrip_replica_staleness_seconds{primary=\"p00\",replica=\"0\"} 3\n"));
    assert!(replicas.render(now).contains("scrip_replica_passed_over_total{primary=\"p00\"} 1\n"));
}

#[test]
fn a_mark_of_nobody_and_no_answer_count_for_nothing() {
    for shown in [0, 4, u64::MAX] {
        let (replicas, start) = followed(&[10, 11, 12], &[shown]);
        assert_eq!(index(replicas.choose(P0, SECOND * 600, start + SECOND * 12)), None, "{shown}");
    }
    let (replicas, start) = followed(&[10], &[1]);
    assert_eq!(index(replicas.choose(P0, SECOND, start + SECOND * 10)), Some(0));
    replicas.primaries[0].saw(0, None);
    assert_eq!(index(replicas.choose(P0, SECOND, start + SECOND * 10)), None);
    assert!(replicas.render(start).contains("scrip_replica_staleness_seconds{primary=\"p00\",replica=\"0\"} +Inf\n"));
}

#[test]
fn replicas_take_turns_and_one_that_is_behind_is_left_out() {
    let (replicas, start) = followed(&[10, 11, 12], &[3, 1, 3]);
    let now = start + SECOND * 12;
    let chosen: Vec<_> = (0..6).filter_map(|_| index(replicas.choose(P0, SECOND, now))).collect();
    assert_eq!(chosen, [0, 2, 2, 0, 2, 2]);
}

#[test]
fn a_replica_that_failed_is_left_alone_longer_and_longer() {
    let (replicas, start) = followed(&[0], &[1]);
    let choose = |at| replicas.choose(P0, SECOND * 600, start + at);
    let mut now = Duration::ZERO;
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        let chosen = choose(now).expect("its time alone is over");
        replicas.failed(chosen.replica, start + now);
        assert_eq!(index(choose(now + SECOND * seconds - Duration::from_millis(1))), None);
        now += SECOND * seconds;
    }
    let chosen = choose(now).expect("its time alone is over");
    replicas.served(chosen.replica);
    replicas.failed(chosen.replica, start + now);
    assert_eq!(index(choose(now + SECOND)), Some(0), "it has served in between");
}

#[test]
fn without_replicas_there_is_nothing_to_see() {
    let replicas = replicas(0);
    assert_eq!(replicas.render(Instant::now()), "");
    assert_eq!(index(replicas.choose(P0, SECOND, Instant::now())), None);
}
