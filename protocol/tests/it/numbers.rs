//! The numbers of the codes.

use scrip_protocol::v1::{Code, Response};
use scrip_protocol::{Disposition, Fault};

/// Numbers ever given to a code. A line is never removed or changed; a code that is no longer sent is marked `retired`.
const FROZEN: &str = include_str!("../golden/codes.txt");

struct Frozen {
    number: i32,
    name: &'static str,
    retired: bool,
}

fn frozen() -> Vec<Frozen> {
    let lines = FROZEN.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            let number = words[0].parse().expect("a number");
            Frozen { number, name: words[1], retired: words.get(2) == Some(&"retired") }
        })
        .collect()
}

#[test]
fn no_number_was_reused() {
    let live: Vec<_> = Code::ALL.iter().map(|code| (*code as i32, code.as_str_name())).collect();
    let expect: Vec<_> = frozen().iter().filter(|row| !row.retired).map(|row| (row.number, row.name)).collect();
    assert_eq!(live, expect, "the codes and tests/golden/codes.txt differ");

    for (index, row) in frozen().iter().enumerate() {
        let taken = |other: &Frozen| other.number == row.number || other.name == row.name;
        assert!(!frozen()[..index].iter().any(taken), "{} {} stands twice", row.number, row.name);
    }
}

#[test]
fn the_range_of_a_number_tells_the_disposition() {
    for code in Code::ALL {
        let by_range = match *code as i32 {
            0 => None,
            1..=9 => Some(Disposition::Applied),
            10..=89 => Some(Disposition::NotApplied),
            90..=99 => Some(Disposition::Unknown),
            number => panic!("{number} is outside of every range"),
        };
        assert_eq!(code.disposition(), by_range, "{code:?}");
        let response = Response { code: *code as i32, ..Response::default() };
        assert_eq!(response.disposition(), by_range.unwrap_or(Disposition::Unknown), "{code:?}");
    }
}

#[test]
fn numbers_of_later_versions_are_understood_by_their_range() {
    let check = |number, expect| assert_eq!(Disposition::of_number(number), expect, "{number}");
    check(i32::MIN, Disposition::Unknown);
    check(0, Disposition::Unknown);
    check(9, Disposition::Applied);
    check(10, Disposition::NotApplied);
    check(89, Disposition::NotApplied);
    check(90, Disposition::Unknown);
    check(100, Disposition::Unknown);
}

#[test]
fn faults() {
    for code in Code::ALL {
        let expect = match *code as i32 {
            0..=9 => None,
            10..=29 => Some(Fault::Caller),
            30..=59 | 70..=79 => Some(Fault::Rules),
            61 => Some(Fault::Caller),
            _ => Some(Fault::Service),
        };
        assert_eq!(code.fault(), expect, "{code:?}");
    }
}

#[test]
fn texts() {
    for code in Code::ALL {
        for text in [code.cause(), code.remedy()] {
            assert!(text.ends_with('.') && !text.contains('|') && text.len() < 140, "{code:?}: {text}");
        }
    }
}
