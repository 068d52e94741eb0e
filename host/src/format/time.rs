//! Days and moments as text: RFC 3339, and years beyond four digits with a sign (ISO 8601).

use std::io::Write;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// The day that `2026-01-31` says, in days since 1970-01-01.
pub(super) fn parse_date(text: &str) -> Option<i32> {
    let (days, rest) = date(text.as_bytes())?;
    if rest.is_empty() { i32::try_from(days).ok() } else { None }
}

/// The moment that `2026-01-31T12:00:00.5+01:00` says, in microseconds since 1970. Without a zone
/// it is UTC; what is finer is cut off. The seconds may be left out, and so may the whole time.
pub(super) fn parse_timestamp(text: &str) -> Option<i64> {
    let (days, rest) = date(text.as_bytes())?;
    let mut micros = 0;
    let mut offset = 0;
    if let Some((b'T' | b't' | b' ', rest)) = rest.split_first() {
        let (of_day, rest) = time(rest)?;
        micros = of_day;
        offset = zone(rest)?;
    } else if !rest.is_empty() {
        return None;
    }
    // In i128, so that a zone can't overflow what fits after all.
    let seconds = i128::from(days) * i128::from(SECONDS_PER_DAY) - i128::from(offset);
    i64::try_from(seconds * i128::from(MICROS_PER_SECOND) + i128::from(micros)).ok()
}

/// Appends the day, as `2026-01-31`.
pub fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    // Writing to memory can't fail.
    let _ = if (0..=9999).contains(&year) {
        write!(out, "{year:04}-{month:02}-{day:02}")
    } else {
        write!(out, "{year:+07}-{month:02}-{day:02}")
    };
}

/// Appends the moment in UTC, with as many digits of the second as it needs: 0, 3 or 6.
pub(super) fn write_timestamp(micros: i64, out: &mut Vec<u8>) {
    let seconds = micros.div_euclid(MICROS_PER_SECOND);
    let fraction = micros.rem_euclid(MICROS_PER_SECOND);
    write_second(seconds, out);
    // Writing to memory can't fail.
    let _ = match fraction {
        0 => write!(out, "Z"),
        _ if fraction % 1000 == 0 => write!(out, ".{:03}Z", fraction / 1000),
        _ => write!(out, ".{fraction:06}Z"),
    };
}

/// Appends the moment in UTC with six digits of the second, so that text sorts as time does.
pub fn write_moment(micros: i64, out: &mut Vec<u8>) {
    write_second(micros.div_euclid(MICROS_PER_SECOND), out);
    // Writing to memory can't fail.
    let _ = write!(out, ".{:06}Z", micros.rem_euclid(MICROS_PER_SECOND));
}

fn write_second(seconds: i64, out: &mut Vec<u8>) {
    write_date(seconds.div_euclid(SECONDS_PER_DAY), out);
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let _ = write!(out, "T{hour:02}:{minute:02}:{second:02}");
}

/// The days of a date, and what follows it.
fn date(text: &[u8]) -> Option<(i64, &[u8])> {
    let (negative, digits, rest) = match text.split_first()? {
        (b'+', rest) => (false, rest.iter().take_while(|byte| byte.is_ascii_digit()).count(), rest),
        (b'-', rest) => (true, rest.iter().take_while(|byte| byte.is_ascii_digit()).count(), rest),
        _ => (false, 4, text),
    };
    if !(4..=7).contains(&digits) {
        return None;
    }
    let (year, rest) = number(rest, digits)?;
    let (month, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let year = if negative { -year } else { year };
    let days = days_from_civil(year, month, day);
    ((1..=12).contains(&month) && civil(days) == (year, month, day)).then_some((days, rest))
}

/// The microseconds of a time of day, and what follows it.
fn time(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = number(text, 2)?;
    let (minute, mut rest) = number(rest.strip_prefix(b":")?, 2)?;
    let mut second = 0;
    let mut micros = 0;
    if let Some(after) = rest.strip_prefix(b":") {
        (second, rest) = number(after, 2)?;
        if let Some(fraction) = rest.strip_prefix(b".") {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let kept = digits.min(6);
            micros = number(fraction, kept)?.0 * 10_i64.pow((6 - kept) as u32);
            rest = &fraction[digits..];
        }
    }
    let in_range = hour < 24 && minute < 60 && second < 60;
    let seconds = hour * 3600 + minute * 60 + second;
    in_range.then_some((seconds * MICROS_PER_SECOND + micros, rest))
}

/// The offset of a zone from UTC in seconds.
fn zone(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text.split_first() {
        None => return Some(0),
        Some((b'Z' | b'z', [])) => return Some(0),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return None,
    };
    let (hours, rest) = number(rest, 2)?;
    let (minutes, rest) = match rest {
        [] => (0, rest),
        _ => number(rest.strip_prefix(b":").unwrap_or(rest), 2)?,
    };
    let in_range = rest.is_empty() && hours < 24 && minutes < 60;
    in_range.then_some(sign * (hours * 3600 + minutes * 60))
}

/// A number of exactly so many digits, and what follows it.
fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(digits)?;
    let mut value = 0;
    for byte in digits {
        value = value * 10 + i64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
    }
    Some((value, rest))
}

/// Days since 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day; the inverse of [`days_from_civil`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn date_text(days: i64) -> String {
        let mut out = Vec::new();
        write_date(days, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn timestamp_text(micros: i64) -> String {
        let mut out = Vec::new();
        write_timestamp(micros, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_days_and_moments_are_right() {
        assert_eq!(date_text(0), "1970-01-01");
        assert_eq!(parse_date("2000-02-29"), Some(11_016));
        assert_eq!(timestamp_text(1_767_225_600_000_000), "2026-01-01T00:00:00Z");
        assert_eq!(timestamp_text(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(timestamp_text(1_500_000), "1970-01-01T00:00:01.500Z");
        assert_eq!(timestamp_text(i64::MAX), "+294247-01-10T04:00:54.775807Z");
    }

    #[test]
    fn every_spelling_of_a_moment_is_read() {
        let noon = Some(1_767_268_800_000_000);
        for (text, micros) in [
            ("2026-01-01T12:00:00Z", noon),
            ("2026-01-01 12:00", noon),
            ("2026-01-01T13:00:00+01:00", noon),
            ("2026-01-01T06:30:00-0530", noon),
            ("2026-01-01t12:00:00z", noon),
            ("2026-01-01T12:00:00.0000009Z", noon),
            ("2026-01-01T12:00:00.000001", noon.map(|noon| noon + 1)),
            ("2026-01-01", noon.map(|noon| noon - 12 * 3_600_000_000)),
            ("+294247-01-10T04:00:54.775807Z", Some(i64::MAX)),
            ("+294247-01-10T04:00:54.775808Z", None),
            ("-0001-12-31", Some(-62_167_305_600_000_000)),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("2026-00-01", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T12:00:60Z", None),
            ("2026-01-01T12:00:00.Z", None),
            ("2026-01-01T12:00:00+25:00", None),
            ("2026-01-01T12:00:00 Europe/Berlin", None),
            ("2026-01-01X", None),
            ("26-01-01", None),
            ("ü026-01-01", None),
            ("", None),
        ] {
            assert_eq!(parse_timestamp(text), micros, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_day_and_moment_comes_back(days: i32, micros: i64, text in ".{0,30}") {
            prop_assert_eq!(parse_date(&date_text(i64::from(days))), Some(days));
            prop_assert_eq!(parse_timestamp(&timestamp_text(micros)), Some(micros));
            let _ = parse_timestamp(&text);
        }
    }
}
