//! Aggregates that the host has itself, as a job names them.

use super::Span;

/// A column that an aggregate gives.
#[derive(Clone, Debug)]
pub struct AggregateSpec {
    /// Its name.
    pub name: String,
    /// What is made of the values.
    pub function: AggregateFunction,
    /// The column that they stand in; none = whole rows.
    pub column: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// The aggregates that the host has itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateFunction {
    /// How many values there are.
    Count,
    /// Their sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// Their mean.
    Avg,
}
