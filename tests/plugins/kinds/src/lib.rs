//! One function of every kind, over every type.

use serde::Deserialize;
use weir::{Aggregator, Bytes, Columns, Date, Decimal, NoConfig, Out, Row, RowError, Timestamp};

/// A part of a row.
#[derive(Row, Clone)]
pub struct Point {
    x: i64,
    label: Option<String>,
}

/// Every type there is.
#[derive(Row)]
pub struct All<'a> {
    b: Option<bool>,
    i: Option<i32>,
    l: Option<i64>,
    f: Option<f64>,
    s: Option<&'a str>,
    y: Option<Bytes<'a>>,
    d: Option<Date>,
    t: Option<Timestamp>,
    m: Option<Decimal<10, 2>>,
    list: Option<Vec<Option<i64>>>,
    point: Option<Point>,
}

/// Gives back what it gets.
#[weir::mapper(pure)]
pub fn all_types(row: All<'_>) -> All<'_> {
    row
}

/// A number under a key.
#[derive(Row, Clone, Debug, Default)]
pub struct Number {
    n: i64,
}

/// A number and what it is.
#[derive(Row)]
pub struct Named<'a> {
    n: i64,
    kind: &'a str,
}

/// Even numbers on the main port, odd ones on `odd`.
#[weir::flat_mapper]
pub fn parity(row: Number, even: &mut Out<Named<'_>>, odd: &mut Out<Number>) {
    if row.n % 2 == 0 {
        even.push(Named { n: row.n, kind: "even" });
    } else {
        odd.push(row);
    }
}

/// Repeats every number `times`, over columns.
#[weir::flat_mapper(pure)]
pub fn repeat(rows: &Columns<'_, Number>, out: &mut Out<Number>, config: &Times) {
    for (at, row) in rows.iter().enumerate() {
        out.parent(at);
        for _ in 0..config.times {
            out.push(row.clone());
        }
    }
}

/// How often.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    times: u32,
}

/// Keeps numbers above `least`.
#[weir::predicate(pure)]
pub fn above(row: Number, config: &Least) -> bool {
    row.n > config.least
}

/// The bound.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Least {
    #[serde(default)]
    least: i64,
}

/// All numbers of the batch, the largest first.
#[weir::transformer]
pub fn descending(mut rows: Vec<Number>, out: &mut Out<Number>) {
    rows.sort_by_key(|row| std::cmp::Reverse(row.n));
    for row in rows {
        out.push(row);
    }
}

/// The smaller number.
#[weir::aggregator(pure)]
pub fn smallest(a: Number, b: Number) -> Number {
    if a.n <= b.n { a } else { b }
}

/// What has to be known for the mean and the range.
#[derive(Row, Clone, Default)]
pub struct Seen {
    sum: i64,
    count: i64,
    most: Option<i64>,
}

/// The mean and the largest.
#[derive(Row)]
pub struct Summary {
    mean: Option<f64>,
    most: Option<i64>,
}

/// Mean and largest of `n`.
pub struct Summarise;

#[weir::aggregator(pure)]
impl Aggregator for Summarise {
    type Row = Number;
    type State = Seen;
    type Given = Summary;
    type Config = NoConfig;

    fn update(state: &mut Seen, row: Number, _: &NoConfig) -> Result<(), RowError> {
        let one = Seen { sum: row.n, count: 1, most: Some(row.n) };
        Self::merge(state, one, &NoConfig)
    }

    fn merge(state: &mut Seen, other: Seen, _: &NoConfig) -> Result<(), RowError> {
        state.sum += other.sum;
        state.count += other.count;
        state.most = state.most.max(other.most);
        Ok(())
    }

    fn finish(state: &Seen, _: &NoConfig) -> Summary {
        let mean = (state.count > 0).then(|| state.sum as f64 / state.count as f64);
        Summary { mean, most: state.most }
    }
}

weir::export!(all_types, parity, repeat, above, descending, smallest, Summarise);
