//! An aggregator: many rows of a key to one.

use weir::{Row, RowError};

/// What the function reads of a row, and what it gives. `Default` is the result of no rows.
#[derive(Row, Clone, Debug, Default, PartialEq)]
pub struct Sold {
    units: i64,
}

/// Two rows as one. It must not matter which rows come first, or which are put together first.
///
/// This is a plain function, but for the `Result`: a row that can't be taken is an error, and
/// `on_error` in job.toml says what becomes of it.
#[weir::aggregator(pure)]
pub fn sum(a: Sold, b: Sold) -> Result<Sold, RowError> {
    match a.units.checked_add(b.units) {
        Some(units) => Ok(Sold { units }),
        None => Err(RowError::reject("more units than can be counted")),
    }
}

// Every function that job.toml may call.
weir::export!(sum);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up() {
        let rows = [3, 4, 5].map(|units| Sold { units }).to_vec();
        let sum = weir::testkit::aggregate::<sum, Sold, Sold>("{}", rows).unwrap();
        assert_eq!(sum, [Sold { units: 12 }]);
    }
}
