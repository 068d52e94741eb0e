//! Aggregates with a state of their own.

use serde::de::DeserializeOwned;

use crate::function::RowError;
use crate::row::Row;

/// Many rows of a key to one, with a state that is not a row. Put `#[weir::aggregator]` on the
/// `impl`.
///
/// ```
/// use weir::{Aggregator, Row, RowError};
///
/// #[derive(Row)]
/// pub struct Reading { value: f64 }
/// #[derive(Row, Default, Clone)]
/// pub struct Sum { sum: f64, count: i64 }
/// #[derive(Row)]
/// pub struct Mean { mean: Option<f64> }
///
/// /// The mean of `value`.
/// pub struct MeanOf;
///
/// #[weir::aggregator(pure)]
/// impl Aggregator for MeanOf {
///     type Row = Reading;
///     type State = Sum;
///     type Given = Mean;
///     type Config = weir::NoConfig;
///
///     fn update(state: &mut Sum, row: Reading, _: &Self::Config) -> Result<(), RowError> {
///         state.sum += row.value;
///         state.count += 1;
///         Ok(())
///     }
///
///     fn merge(state: &mut Sum, other: Sum, _: &Self::Config) -> Result<(), RowError> {
///         state.sum += other.sum;
///         state.count += other.count;
///         Ok(())
///     }
///
///     fn finish(state: &Sum, _: &Self::Config) -> Mean {
///         let count = state.count as f64;
///         Mean { mean: (state.count > 0).then(|| state.sum / count) }
///     }
/// }
/// ```
pub trait Aggregator {
    /// Rows in.
    type Row: Row;
    /// The state of a key: a row itself, that owns what it holds. `Default` is the state of no
    /// rows.
    type State: for<'r> Row<At<'r> = Self::State> + Default + Clone + 'static;
    /// The result.
    type Given: for<'r> Row<At<'r> = Self::Given>;
    /// The config.
    type Config: DeserializeOwned + 'static;

    /// Adds a row to a state.
    fn update(
        state: &mut Self::State,
        row: <Self::Row as Row>::At<'_>,
        config: &Self::Config,
    ) -> Result<(), RowError>;

    /// Adds another state. It must not matter how rows were spread over states.
    fn merge(
        state: &mut Self::State,
        other: Self::State,
        config: &Self::Config,
    ) -> Result<(), RowError>;

    /// The result of a state.
    fn finish(state: &Self::State, config: &Self::Config) -> Self::Given;
}
