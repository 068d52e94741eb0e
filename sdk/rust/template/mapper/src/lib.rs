//! A mapper: one row for each row.

use weir::Row;

/// What the function reads of a row: the columns that stand here, and no others.
#[derive(Row)]
pub struct Reading {
    celsius: f64,
}

/// What it gives for a row. Columns that only pass by stand under `keep` in job.toml.
#[derive(Row, Debug, PartialEq)]
pub struct Converted {
    fahrenheit: f64,
}

/// A reading in degrees Fahrenheit.
///
/// This is a plain function. `pure` promises that it gives the same for the same row, whatever was
/// before.
#[weir::mapper(pure)]
pub fn fahrenheit(reading: Reading) -> Converted {
    Converted {
        fahrenheit: reading.celsius * 9.0 / 5.0 + 32.0,
    }
}

// Every function that job.toml may call.
weir::export!(fahrenheit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn water_freezes_at_32_and_boils_at_212() {
        let readings = vec![Reading { celsius: 0.0 }, Reading { celsius: 100.0 }];
        let converted = weir::testkit::map::<fahrenheit>("{}", readings).unwrap();
        assert_eq!(converted[0], Converted { fahrenheit: 32.0 });
        assert_eq!(converted[1], Converted { fahrenheit: 212.0 });
    }
}
