//! Functions that are timed against native twins: from nothing at all to all arithmetic.

use serde::Deserialize;
use weir::adapter::Open;
use weir::bindings::exports::weir::operator::guest::{
    Determinism, Function as Described, Kind, Layout, Port, Refusal, Setup,
};
use weir::bindings::exports::weir::operator::mapper::Mapped;
use weir::bindings::weir::operator::rows::Rows;
use weir::bindings::weir::operator::schema::Field;
use weir::{Out, Row, RowError};

/// A number.
#[derive(Row)]
pub struct Number {
    n: i64,
}

/// Two numbers.
#[derive(Row)]
pub struct Pair {
    a: i64,
    b: i64,
}

/// Two small numbers.
#[derive(Row)]
pub struct SmallPair {
    a: i32,
    b: i32,
}

/// A small number.
#[derive(Row)]
pub struct Small {
    n: i32,
}

/// A text.
#[derive(Row)]
pub struct Text<'a> {
    text: &'a str,
}

/// A text of its own.
#[derive(Row)]
pub struct OwnText {
    text: String,
}

/// What stands in a line of JSON.
#[derive(Row, Deserialize)]
pub struct Reading {
    id: i64,
    name: String,
    score: f64,
}

/// A word.
#[derive(Row)]
pub struct Word<'a> {
    word: &'a str,
}

/// Gives back what it gets.
#[weir::mapper(pure)]
pub fn nothing(row: Number) -> Number {
    row
}

/// One more.
#[weir::mapper(pure)]
pub fn add_one(row: Number) -> Number {
    Number { n: row.n.wrapping_add(1) }
}

/// A row of 38 bytes, as most rows are: a number, a text, and another number.
#[derive(Row)]
pub struct Wide<'a> {
    n: i64,
    text: &'a str,
    x: f64,
}

/// One more, with the rest of the row as it is.
#[weir::mapper(pure)]
pub fn wide(row: Wide<'_>) -> Wide<'_> {
    Wide { n: row.n.wrapping_add(1), ..row }
}

/// Two hundred rounds of a random number generator: nothing but arithmetic.
#[weir::mapper(pure)]
pub fn compute(row: Number) -> Number {
    let mut n = row.n as u64 | 1;
    for _ in 0..200 {
        n ^= n << 13;
        n ^= n >> 7;
        n ^= n << 17;
    }
    Number { n: n as i64 }
}

/// The greatest common divisor.
#[weir::mapper(pure)]
pub fn gcd(row: Pair) -> Number {
    let (mut a, mut b) = (row.a.unsigned_abs(), row.b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    Number { n: a as i64 }
}

/// The same for numbers of 32 bits that have it after a few steps: little work for a crossing.
#[weir::mapper(pure)]
pub fn gcd_small(row: SmallPair) -> Small {
    let (mut a, mut b) = (row.a, row.b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    Small { n: a }
}

/// Upper case.
#[weir::mapper(pure)]
pub fn upper(row: Text<'_>) -> OwnText {
    OwnText { text: row.text.to_uppercase() }
}

/// A line of JSON to columns.
#[weir::mapper(pure)]
pub fn json(row: Text<'_>) -> Result<Reading, RowError> {
    serde_json::from_str(row.text).map_err(|error| RowError::reject(error.to_string()))
}

/// Words of a line.
#[weir::flat_mapper(pure)]
pub fn split(row: Text<'_>, out: &mut Out<Word<'_>>) {
    for word in row.text.split_whitespace() {
        out.push(Word { word });
    }
}

/// Gives the buffers back as they came: what the wall itself costs.
#[allow(non_camel_case_types)]
pub struct echo {}

struct Echo;

fn wide_columns() -> Vec<Field> {
    <Wide<'static> as Row>::columns()
}

impl weir::Function for echo {
    fn describe() -> Described {
        Described {
            name: "echo".into(),
            kind: Kind::Mapper,
            doc: "Gives the buffers back as they came.".into(),
            reads: Some(wide_columns()),
            ports: vec![Port { name: "out".into(), fields: Some(wide_columns()) }],
            state: Vec::new(),
            state_version: 0,
            where_: None,
            config_schema: String::new(),
            capabilities: Vec::new(),
            needs_host: String::new(),
            determinism: Determinism::Pure,
        }
    }

    fn open(_: &Setup) -> Result<Box<dyn Open>, Refusal> {
        Ok(Box::new(Echo))
    }
}

impl Open for Echo {
    fn layout(&self) -> Layout {
        let ports = vec![Port { name: "out".into(), fields: Some(wide_columns()) }];
        Layout { reads: Vec::new(), ports }
    }

    fn map(&mut self, rows: &Rows) -> Result<Mapped, String> {
        Ok(Mapped { rows: rows.clone(), errors: Vec::new() })
    }
}

weir::export!(nothing, add_one, wide, echo, compute, gcd, gcd_small, upper, json, split);
