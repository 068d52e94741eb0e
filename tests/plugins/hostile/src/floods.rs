//! Functions that pour out more than anybody can read, at a 7.

use weir::RowError;
use weir::log;

use crate::Number;

/// Logs a hundred thousand lines of nothing.
#[weir::mapper]
pub fn log_of_empty_lines(row: Number) -> Number {
    for _ in 0..if row.n == 7 { 100_000 } else { 0 } {
        log::info("");
    }
    row
}

/// Logs lines that clear the screen and look like the host's own.
#[weir::mapper]
pub fn log_that_steers_the_terminal(row: Number) -> Number {
    if row.n == 7 {
        log::error("\u{1b}[2J\u{1b}[31mall is well\r\u{9b}\u{202e}\nerror[WEIR-RUN-010]: forged");
    }
    row
}

/// Writes 16 MiB to standard error, without the end of a line, and panics.
#[weir::mapper]
pub fn stderr_flood(row: Number) -> Number {
    if row.n == 7 {
        let part = "x".repeat(1024);
        for _ in 0..16 * 1024 {
            eprint!("{part}");
        }
        panic!("and that was all");
    }
    row
}

/// Counts under a hundred thousand names.
#[weir::mapper]
pub fn metric_names_bomb(row: Number) -> Number {
    for n in 0..if row.n == 7 { 100_000 } else { 0 } {
        weir::metrics::count(&format!("n{n}"), 1);
    }
    row
}

/// Counts under other names in every row: few in a call, many in a batch.
#[weir::mapper]
pub fn metric_names_over_calls(row: Number) -> Number {
    if row.n % 100 == 0 {
        weir::metrics::count(&format!("n{}", row.n), 1);
    }
    row
}

/// Counts under names that are none, and up to more than a number can hold.
#[weir::mapper]
pub fn metric_of_bad_names(row: Number) -> Number {
    if row.n == 7 {
        let long = "x".repeat(1 << 20);
        for name in ["", "1", "a b", "\u{1b}[2J", "ä", &long] {
            weir::metrics::count(name, 1);
            weir::metrics::gauge(name, f64::NAN);
        }
        weir::metrics::count("large", u64::MAX);
        weir::metrics::count("large", u64::MAX);
        weir::metrics::gauge("none", f64::NAN);
        weir::metrics::gauge("endless", f64::INFINITY);
    }
    row
}

/// Rejects a row with a mebibyte.
#[weir::mapper]
pub fn reject_of_a_mebibyte(row: Number) -> Result<Number, RowError> {
    if row.n == 7 { Err(RowError::reject("x".repeat(1 << 20))) } else { Ok(row) }
}

/// Rejects every row but even ones, each with four kibibytes.
#[weir::mapper]
pub fn reject_bomb(row: Number) -> Result<Number, RowError> {
    if row.n % 2 == 0 { Ok(row) } else { Err(RowError::reject("x".repeat(4 << 10))) }
}
