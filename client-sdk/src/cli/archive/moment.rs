//! Days and moments on the command line.

const DAY_MS: u64 = 86_400_000;

/// A day (UTC) such as 2026-01-31, or milliseconds since 1970-01-01 UTC.
pub(super) fn moment_ms(text: &str) -> Result<u64, String> {
    let wrong = || "write a day such as 2026-01-31, or milliseconds since 1970-01-01 UTC".to_owned();
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    let pieces: Vec<&str> = text.split('-').collect();
    let [year, month, day] = pieces[..] else { return Err(wrong()) };
    if [year.len(), month.len(), day.len()] != [4, 2, 2] {
        return Err(wrong());
    }
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let days = days_since_1970(number(year)?, number(month)?, number(day)?).ok_or_else(wrong)?;
    Ok(days * DAY_MS)
}

/// `None`: there is no such day, or it is before 1970.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let months = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month.checked_sub(1)?).ok()?;
    if year < 1970 || !(1..=*months.get(before)?).contains(&day) {
        return None;
    }
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    Some(years + months[..before].iter().sum::<u64>() + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_milliseconds() {
        let check = |text: &str, expect: Option<u64>| assert_eq!(moment_ms(text).ok(), expect, "{text}");
        check("1970-01-01", Some(0));
        check("2000-02-29", Some(951_782_400_000));
        check("2026-01-31", Some(1_769_817_600_000));
        check("2100-03-01", Some(4_107_542_400_000));
        check("1769817600000", Some(1_769_817_600_000));
        for wrong in
            ["2025-02-29", "2100-02-29", "1969-12-31", "2026-13-01", "2026-00-01", "2026-1-1", "-5", "soon", ""]
        {
            check(wrong, None);
        }
    }
}
