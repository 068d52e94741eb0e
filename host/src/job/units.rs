//! Lengths of time and sizes, as people write them.

use std::time::Duration;

/// A length of time as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// It can be used.
    Length(Duration),
    /// It points backwards.
    Negative,
}

/// Reads `500ms`, `2s`, `1m 30s`, `1h30m` or `0s`; none for what is no length of time.
pub fn time(text: &str) -> Option<Time> {
    let length: jiff::SignedDuration = text.parse().ok()?;
    Some(Duration::try_from(length).map_or(Time::Negative, Time::Length))
}

/// A length of time for a message, in the largest unit that fits.
pub fn shown_time(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    match seconds {
        0 if millis > 0 => format!("{millis}ms"),
        _ if millis > 0 => format!("{seconds}.{millis:03}s"),
        _ if seconds > 0 && seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds > 0 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// Units of sizes; those that end like another one stand before it.
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// Reads `256MiB`, `64 KiB`, `1GB` or a number of bytes; none for what is no size.
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
        .unwrap_or((text, 1));
    let number = number.trim();
    // `+5` is a number to Rust, but not a size to anyone.
    let plain = number.starts_with(|c: char| c.is_ascii_digit());
    let number: u64 = plain.then(|| number.replace('_', "").parse().ok()).flatten()?;
    number.checked_mul(unit)
}

/// A size for a message, in the largest binary unit that fits.
pub fn shown_size(bytes: u64) -> String {
    let fitting = |(_, unit): &&(&str, u64)| *unit <= bytes && bytes.is_multiple_of(*unit);
    let largest = UNITS[..4].iter().rev().find(fitting);
    largest.map_or(format!("{bytes} bytes"), |(name, unit)| format!("{}{name}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("64MiB", 64 << 20),
            ("1 GiB", 1 << 30),
            ("64 KiB", 64 << 10),
            ("10_000", 10_000),
            ("5MB", 5_000_000),
            ("1GB", 1_000_000_000),
            ("2TB", 2_000_000_000_000),
            ("12B", 12),
            ("0", 0),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for wrong in
            ["", "MiB", "-1", "+1", "1.5GiB", "99999999999TiB", "1mib", "1 MiB 2 KiB", "_1"]
        {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lengths_of_time_are_read() {
        for (text, millis) in [
            ("500ms", 500),
            ("1s", 1_000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("1m 30s", 90_000),
            ("0s", 0),
        ] {
            assert_eq!(time(text), Some(Time::Length(Duration::from_millis(millis))), "{text}");
        }
        assert_eq!(time("-1s"), Some(Time::Negative));
        for wrong in ["", "5", "soon", "1d", "1s nonsense"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bounds_are_shown_as_they_would_be_written() {
        for (bytes, text) in
            [(256 << 20, "256MiB"), (4 << 30, "4GiB"), (1500, "1500 bytes"), (0, "0 bytes")]
        {
            assert_eq!(shown_size(bytes), text);
        }
        for (millis, text) in [
            (0, "0s"),
            (10, "10ms"),
            (1_500, "1.500s"),
            (90_000, "90s"),
            (120_000, "2m"),
            (86_400_000, "24h"),
        ] {
            assert_eq!(shown_time(Duration::from_millis(millis)), text);
            assert_eq!(time(text), Some(Time::Length(Duration::from_millis(millis))), "{text}");
        }
    }
}
