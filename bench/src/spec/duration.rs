//! Times with a unit.

use std::time::Duration;

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| "a number with a unit, as in 10s".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "min" => number.checked_mul(60).map(Duration::from_secs).ok_or_else(|| "fewer minutes".to_owned()),
        _ => Err("the unit must be ms, s or min".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "1h", "-1s", "18446744073709551615min"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
