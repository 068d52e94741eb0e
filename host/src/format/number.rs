//! Exact numbers from digits: never through a float.

/// The whole number that a JSON number says, if it is one and fits: `2.0` and `1e3` are whole.
#[inline]
pub(super) fn integer(text: &str) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(value) => Some(value),
        Err(_) => scaled(text, 0).and_then(|value| i64::try_from(value).ok()),
    }
}

/// The float that a JSON number says, if it is in range.
#[inline]
pub(super) fn float(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// The decimal that a number says, in units of its last digit. None when it has more digits than
/// the type, before or behind the point.
pub(super) fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let limit = 10_i128.checked_pow(u32::from(precision))?;
    scaled(text, i32::from(scale)).filter(|value| -limit < *value && *value < limit)
}

/// The number times 10^scale, if that is a whole number and fits.
fn scaled(text: &str, scale: i32) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (digits, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, "0"),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let value = magnitude(whole, fraction.trim_end_matches('0'), exponent, scale)?;
    Some(if negative { -value } else { value })
}

fn magnitude(whole: &str, fraction: &str, exponent: &str, scale: i32) -> Option<i128> {
    let mut value = 0_i128;
    for byte in whole.bytes().chain(fraction.bytes()) {
        value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    if value == 0 {
        // Whatever the exponent is, as long as it is one.
        return exponent.trim_start_matches(['+', '-']).parse::<u128>().ok().map(|_| 0);
    }
    let shift = exponent
        .parse::<i32>()
        .ok()?
        .checked_add(scale)?
        .checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let factor = 10_i128.checked_pow(shift.unsigned_abs());
    match factor {
        Some(factor) if shift >= 0 => value.checked_mul(factor),
        Some(factor) if value % factor == 0 => Some(value / factor),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_taken_in_every_spelling_and_nothing_else_is() {
        for (text, value) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("9007199254740993.0", Some(9_007_199_254_740_993)),
            ("2.0", Some(2)),
            ("1e3", Some(1000)),
            ("1200e-2", Some(12)),
            ("1.5", None),
            ("1e-1", None),
            ("1e999", None),
            ("0e999999999999", Some(0)),
        ] {
            assert_eq!(integer(text), value, "{text}");
        }
    }

    #[test]
    fn decimals_keep_every_digit_or_are_refused() {
        for (text, precision, scale, value) in [
            ("1.25", 5, 2, Some(125)),
            ("-1.2", 5, 2, Some(-120)),
            ("1.250", 5, 2, Some(125)),
            ("1.255", 5, 2, None),
            ("999.99", 5, 2, Some(99_999)),
            ("1000", 5, 2, None),
            ("1.5e2", 5, 2, Some(15_000)),
            ("0.1000000000000000000000000000000000000000000", 38, 1, Some(1)),
            ("99999999999999999999999999999999999999", 38, 0, Some(10_i128.pow(38) - 1)),
            ("100000000000000000000000000000000000000", 38, 0, None),
            ("1e400", 38, 0, None),
            ("", 5, 2, None),
            (".5", 5, 2, None),
            ("1,5", 5, 2, None),
            ("1e", 5, 2, None),
            ("ü", 5, 2, None),
        ] {
            assert_eq!(decimal(text, precision, scale), value, "{text}");
        }
    }

    #[test]
    fn floats_out_of_range_are_refused() {
        assert_eq!(float("1e999"), None);
        assert_eq!(float("1.5e300"), Some(1.5e300));
        assert_eq!(float("-0").map(f64::to_bits), Some((-0.0_f64).to_bits()));
    }
}
