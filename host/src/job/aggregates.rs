//! Ops that the host has itself, and aggregates, as a job names them.

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

/// An op with `native`.
#[derive(Clone, Debug)]
pub enum NativeSpec {
    /// `native = "count"`: rows by `key`, or all of them; gives the key and `count: int64`.
    Count {
        /// `key`.
        key: Vec<String>,
        /// Where `key` stands, or the id.
        key_span: Span,
    },
    /// `native = "aggregate"`: aggregates of rows by `key`, or of all of them; gives the key and a
    /// column for each.
    Aggregate {
        /// `key`.
        key: Vec<String>,
        /// Where `key` stands, or the id.
        key_span: Span,
        /// `aggregates`.
        aggregates: Vec<AggregateSpec>,
    },
    /// `native = "union"`: the rows of several inputs of one schema, the first input's first.
    Union,
    /// `native = "repartition"`: rows of one key to one lane, in source order.
    Repartition {
        /// `key`.
        key: Vec<String>,
        /// Where `key` stands, or the id.
        key_span: Span,
    },
}
