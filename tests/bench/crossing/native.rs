//! The native twins: the same work over the same columns, without a wall.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int32Array, Int64Array, Int64Builder, RecordBatch,
    StringArray, StringBuilder, StructArray,
};
use arrow::datatypes::{Field, Float64Type, Int32Type, Int64Type};
use serde::Deserialize;

fn numbers(rows: &RecordBatch, column: usize) -> &Int64Array {
    rows.column(column).as_primitive::<Int64Type>()
}

fn texts(rows: &RecordBatch) -> &StringArray {
    rows.column(0).as_string::<i32>()
}

fn each(rows: &RecordBatch, make: impl Fn(i64) -> i64) -> ArrayRef {
    let made: Vec<i64> = numbers(rows, 0).values().iter().map(|n| make(*n)).collect();
    Arc::new(Int64Array::from(made))
}

pub fn nothing(rows: &RecordBatch) -> ArrayRef {
    each(rows, |n| n)
}

pub fn add_one(rows: &RecordBatch) -> ArrayRef {
    each(rows, |n| n.wrapping_add(1))
}

pub fn wide(rows: &RecordBatch) -> ArrayRef {
    let texts = rows.column(1).as_string::<i32>();
    let scores = rows.column(2).as_primitive::<Float64Type>();
    let mut ids = Int64Builder::with_capacity(rows.num_rows());
    let mut names = StringBuilder::with_capacity(rows.num_rows(), texts.values().len());
    let mut xs = Float64Builder::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        ids.append_value(numbers(rows, 0).value(row).wrapping_add(1));
        names.append_value(texts.value(row));
        xs.append_value(scores.value(row));
    }
    table([
        ("n", Arc::new(ids.finish())),
        ("text", Arc::new(names.finish())),
        ("x", Arc::new(xs.finish())),
    ])
}

fn table(columns: [(&str, ArrayRef); 3]) -> ArrayRef {
    let field = |name: &str, column: &ArrayRef| {
        Arc::new(Field::new(name, column.data_type().clone(), false))
    };
    let columns: Vec<_> =
        columns.into_iter().map(|(name, column)| (field(name, &column), column)).collect();
    Arc::new(StructArray::from(columns))
}

pub fn gcd_small(rows: &RecordBatch) -> ArrayRef {
    let column = |at: usize| rows.column(at).as_primitive::<Int32Type>().values();
    let gcd = |(a, b): (&i32, &i32)| {
        let (mut a, mut b) = (*a, *b);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    Arc::new(column(0).iter().zip(column(1)).map(gcd).collect::<Int32Array>())
}

pub fn compute(rows: &RecordBatch) -> ArrayRef {
    each(rows, |n| {
        let mut n = n as u64 | 1;
        for _ in 0..200 {
            n ^= n << 13;
            n ^= n >> 7;
            n ^= n << 17;
        }
        n as i64
    })
}

pub fn gcd(rows: &RecordBatch) -> ArrayRef {
    let pairs = numbers(rows, 0).values().iter().zip(numbers(rows, 1).values());
    let made: Vec<i64> = pairs
        .map(|(a, b)| {
            let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
            while b != 0 {
                (a, b) = (b, a % b);
            }
            a as i64
        })
        .collect();
    Arc::new(Int64Array::from(made))
}

pub fn upper(rows: &RecordBatch) -> ArrayRef {
    let texts = texts(rows);
    let mut out = StringBuilder::with_capacity(texts.len(), texts.values().len());
    for text in texts.iter().flatten() {
        out.append_value(text.to_uppercase());
    }
    Arc::new(out.finish())
}

#[derive(Deserialize)]
struct Reading {
    id: i64,
    name: String,
    score: f64,
}

pub fn json(rows: &RecordBatch) -> ArrayRef {
    let (mut ids, mut names, mut scores) =
        (Int64Builder::new(), StringBuilder::new(), Float64Builder::new());
    for text in texts(rows).iter().flatten() {
        let reading: Reading = serde_json::from_str(text).unwrap();
        ids.append_value(reading.id);
        names.append_value(reading.name);
        scores.append_value(reading.score);
    }
    table([
        ("id", Arc::new(ids.finish())),
        ("name", Arc::new(names.finish())),
        ("score", Arc::new(scores.finish())),
    ])
}

pub fn split(rows: &RecordBatch) -> ArrayRef {
    let texts = texts(rows);
    let mut out = StringBuilder::with_capacity(texts.len() * 8, texts.values().len());
    for text in texts.iter().flatten() {
        for word in text.split_whitespace() {
            out.append_value(word);
        }
    }
    Arc::new(out.finish())
}
