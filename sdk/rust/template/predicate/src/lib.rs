//! A predicate: which rows stay.

use weir::Row;

/// What the function reads of a row: the columns that stand here, and no others.
#[derive(Row)]
pub struct Reading {
    celsius: f64,
}

/// Whether a reading is above 30 °C. Rows for which it gives `true` stay, with all their columns.
///
/// This is a plain function. `pure` promises that it gives the same for the same row, whatever was
/// before.
#[weir::predicate(pure)]
pub fn hot(reading: Reading) -> bool {
    reading.celsius > 30.0
}

// Every function that job.toml may call.
weir::export!(hot);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_degrees_are_not_hot_yet() {
        let readings = vec![Reading { celsius: 30.0 }, Reading { celsius: 30.1 }];
        let kept = weir::testkit::test::<hot>("{}", readings).unwrap();
        assert_eq!(kept, [false, true]);
    }
}
