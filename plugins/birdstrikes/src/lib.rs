//! Reports of birds that hit aircraft: from text to values, or a reason why not.

use weir::{Date, Row, RowError};

/// A report, as it was written down.
#[derive(Row, Clone)]
pub struct Report<'a> {
    date: &'a str,
    airport: &'a str,
    state: &'a str,
    operator: &'a str,
    phase: &'a str,
    species: &'a str,
    damage: &'a str,
    cost_other: &'a str,
    cost_repair: &'a str,
    cost_total: &'a str,
    speed: Option<&'a str>,
}

/// What happened.
#[derive(Row, Debug, PartialEq)]
pub struct Strike<'a> {
    /// The day of the flight.
    day: Date,
    airport: &'a str,
    state: &'a str,
    /// Without the star that marks footnotes.
    operator: &'a str,
    phase: &'a str,
    species: &'a str,
    /// From 0, none, to 3, substantial.
    damage: i32,
    /// In dollars.
    cost: i64,
    /// In knots, if it was told.
    speed: Option<i64>,
}

/// Reads a report; one that can't be true is rejected with the reason.
#[weir::mapper(pure)]
pub fn strike<'a>(row: Report<'a>) -> Result<Strike<'a>, RowError> {
    let speed = row.speed.map(|text| number("speed", text)).transpose()?;
    if speed == Some(0) && ["Approach", "Climb", "Descent"].contains(&row.phase) {
        return Err(RowError::reject(format!("0 knots while in phase {}", row.phase)));
    }
    Ok(Strike {
        day: day(row.date)?,
        airport: row.airport,
        state: row.state,
        operator: row.operator.trim_end_matches('*'),
        phase: row.phase,
        species: row.species,
        damage: damage(row.damage)?,
        cost: cost(&row)?,
        speed,
    })
}

fn damage(text: &str) -> Result<i32, RowError> {
    match text {
        "None" => Ok(0),
        "Minor" => Ok(1),
        "Medium" => Ok(2),
        "Substantial" => Ok(3),
        _ => Err(RowError::reject(format!(
            "damage `{text}` is not None, Minor, Medium or Substantial"
        ))),
    }
}

/// All costs, which must add up.
fn cost(row: &Report<'_>) -> Result<i64, RowError> {
    let other = number("other cost", row.cost_other)?;
    let repair = number("cost of repair", row.cost_repair)?;
    let total = number("total cost", row.cost_total)?;
    match other.checked_add(repair) {
        Some(sum) if sum == total => Ok(total),
        _ => Err(RowError::reject(format!("costs of {other} and {repair} do not make {total}"))),
    }
}

/// A number without a sign; commas may stand before each three digits.
fn number(what: &str, text: &str) -> Result<i64, RowError> {
    let refuse = || RowError::reject(format!("{what} `{text}` is not a number"));
    let mut groups = text.split(',');
    let first = groups.next().unwrap_or_default();
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != 3 || first.len() > 3 {
            return Err(refuse());
        }
        digits.push_str(group);
    }
    let plain = !first.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten().ok_or_else(refuse)
}

/// A day as `1990-01-31`.
fn day(text: &str) -> Result<Date, RowError> {
    let refuse = || RowError::reject(format!("date `{text}` is not a day of the calendar"));
    let mut parts = text.split('-');
    let mut part = |length: usize| -> Option<i32> {
        let digits = parts.next().filter(|part| part.len() == length)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let (Some(year), Some(month), Some(day)) = (part(4), part(2), part(2)) else {
        return Err(refuse());
    };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let most = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return Err(refuse()),
    };
    if parts.next().is_some() || !(1..=most).contains(&day) {
        return Err(refuse());
    }
    Ok(Date(days_since_1970(year, month, day)))
}

/// Days before or after 1970-01-01. Years begin in March here, so that a leap day ends one.
fn days_since_1970(year: i32, month: i32, day: i32) -> i32 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    of_years + (153 * month + 2) / 5 + day - 1 - 719_468
}

weir::export!(strike);

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: Report<'static> = Report {
        date: "1990-01-08",
        airport: "BARKSDALE AIR FORCE BASE ARPT",
        state: "Louisiana",
        operator: "US AIRWAYS*",
        phase: "Climb",
        species: "Turkey vulture",
        damage: "Minor",
        cost_other: "1,000",
        cost_repair: "234",
        cost_total: "1234",
        speed: Some("300"),
    };

    fn mapped(row: Report<'_>) -> Result<Vec<Strike<'_>>, String> {
        weir::testkit::map::<strike>("{}", vec![row]).map_err(|failure| format!("{failure:?}"))
    }

    fn refused(change: impl FnOnce(&mut Report<'static>)) -> String {
        let mut row = REPORT;
        change(&mut row);
        mapped(row).unwrap_err()
    }

    #[test]
    fn a_report_becomes_a_strike() {
        let strike = mapped(REPORT).unwrap().remove(0);
        assert_eq!((strike.day, strike.operator), (Date(7_312), "US AIRWAYS"));
        assert_eq!((strike.damage, strike.cost, strike.speed), (1, 1_234, Some(300)));
        let unknown = mapped(Report { speed: None, ..REPORT }).unwrap().remove(0);
        assert_eq!(unknown.speed, None);
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (text, days) in
            [("1970-01-01", 0), ("1969-12-31", -1), ("2000-02-29", 11_016), ("1900-03-01", -25_508)]
        {
            assert_eq!(day(text).unwrap(), Date(days), "{text}");
        }
        for text in [
            "",
            "1990",
            "1990-02-29",
            "1900-02-29",
            "1990-13-01",
            "1990-04-31",
            "1990-1-1",
            "1990-01-00",
            "1990-01-01-01",
            "+990-01-01",
        ] {
            assert!(day(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_may_have_commas_where_they_belong() {
        for (text, value) in [("0", 0), ("007", 7), ("1,000", 1_000), ("12,345,678", 12_345_678)] {
            assert_eq!(number("n", text).unwrap(), value, "{text}");
        }
        for text in ["", "-1", "1.5", ",000", "1,00", "1000,000", "1,", "99999999999999999999"] {
            assert!(number("n", text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_can_not_be_true_is_refused_with_the_reason() {
        assert!(refused(|row| row.damage = "C").contains("damage `C` is not"));
        assert!(refused(|row| row.cost_total = "5").contains("1000 and 234 do not make 5"));
        assert!(refused(|row| row.speed = Some("0")).contains("0 knots while in phase Climb"));
        assert!(refused(|row| row.speed = Some("fast")).contains("speed `fast` is not a number"));
        assert!(refused(|row| row.date = "1/8/90").contains("date `1/8/90` is not"));
    }
}
