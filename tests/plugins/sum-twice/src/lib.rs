//! `sum` with a fault that can be seen: every row counts twice. It proves that the guest adds up.

use weir::{Aggregator, NoConfig, Row, RowError};

/// A number to add up.
#[derive(Row)]
pub struct Count {
    n: i64,
}

/// The sum so far.
#[derive(Row, Clone, Default)]
pub struct Sum {
    n: i64,
}

/// Adds up `n`, twice.
pub struct SumTwice;

#[weir::aggregator(name = "sum")]
impl Aggregator for SumTwice {
    type Row = Count;
    type State = Sum;
    type Given = Sum;
    type Config = NoConfig;

    fn update(state: &mut Sum, row: Count, _: &NoConfig) -> Result<(), RowError> {
        state.n += 2 * row.n;
        Ok(())
    }

    fn merge(state: &mut Sum, other: Sum, _: &NoConfig) -> Result<(), RowError> {
        state.n += other.n;
        Ok(())
    }

    fn finish(state: &Sum, _: &NoConfig) -> Sum {
        state.clone()
    }
}

weir::export!(SumTwice);
