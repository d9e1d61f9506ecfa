//! Durations and sizes as the file writes them: a whole number and a unit, nothing else.

use std::time::Duration;

const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// `500ms`, `5s`, `10min`, `2h`, `3d`, in milliseconds.
pub(super) fn parse_duration_ms(text: &str) -> Option<u64> {
    parse(text, &DURATION_UNITS)
}

/// `512B`, `64KiB`, `4MiB`, `1GiB`, in bytes.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    parse(text, &SIZE_UNITS)
}

/// In the largest unit that leaves no rest.
pub(super) fn show_duration_ms(ms: u64) -> String {
    show(ms, &DURATION_UNITS)
}

/// In the largest unit that leaves no rest.
pub(super) fn show_size(bytes: u64) -> String {
    show(bytes, &SIZE_UNITS)
}

/// As [`show_duration_ms`], for durations that the file can express.
pub(super) fn show_duration(duration: Duration) -> String {
    show_duration_ms(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn show(number: u64, units: &[(&str, u64)]) -> String {
    let fits = |&&(_, factor): &&(&str, u64)| number != 0 && number.is_multiple_of(factor);
    match units.iter().find(fits).or(units.last()) {
        Some((name, factor)) => format!("{}{name}", number / factor),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_required_and_known() {
        let cases = [
            ("500ms", Some(500)),
            ("5s", Some(5_000)),
            ("10min", Some(600_000)),
            ("2h", Some(7_200_000)),
            ("3d", Some(259_200_000)),
            ("0s", Some(0)),
            ("500", None),
            ("ms", None),
            ("", None),
            ("-5s", None),
            ("+5s", None),
            ("1.5s", None),
            ("5 s", None),
            ("5S", None),
            ("5m", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ];
        for (text, expect) in cases {
            assert_eq!(parse_duration_ms(text), expect, "{text:?}");
        }
        for (text, expect) in [("64KiB", Some(65_536)), ("4MiB", Some(4 << 20)), ("1B", Some(1)), ("4MB", None)] {
            assert_eq!(parse_size(text), expect, "{text:?}");
        }
    }

    #[test]
    fn shown_in_the_largest_unit_that_fits() {
        assert_eq!(
            [500, 1_000, 90_000, 600_000, 0].map(show_duration_ms),
            ["500ms", "1s", "90s", "10min", "0ms"].map(str::to_owned)
        );
        assert_eq!([65_536, 1_000, 4 << 20].map(show_size), ["64KiB", "1000B", "4MiB"].map(str::to_owned));
    }
}
