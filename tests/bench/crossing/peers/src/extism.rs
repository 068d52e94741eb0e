//! Extism: a call takes bytes and gives bytes. Columns are put together and taken apart here, which
//! is what any host of columns has to do with it.

use std::hint::black_box;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use extism::{Manifest, Plugin, PluginBuilder, Wasm};

use crate::{NAMES, SIZES, built, columns, head, nanos};

pub fn run() {
    let wasm = std::fs::read(built("extism", "crossing_extism.wasm")).expect("it was built");
    let manifest = Manifest::new([Wasm::data(wasm)]);
    let mut plugin = PluginBuilder::new(manifest).with_wasi(true).build().expect("it loads");
    head("Extism, ns a row");
    for name in NAMES {
        print!("{name:<10}");
        for size in SIZES {
            let rows = RecordBatch::try_from_iter(columns(name, size)).expect("they fit");
            let took = nanos(|| {
                black_box(call(&mut plugin, name, &rows));
            });
            print!("{:>14.1}", took / size as f64);
        }
        println!();
    }
}

fn call(plugin: &mut Plugin, name: &str, rows: &RecordBatch) -> ArrayRef {
    let given: &[u8] = plugin.call(name, packed(rows)).expect("it succeeds");
    match name {
        "upper" => text(given),
        "gcd_small" => {
            let values: ScalarBuffer<i32> = Buffer::from(given).into();
            std::sync::Arc::new(Int32Array::new(values, None))
        }
        _ => {
            let values: ScalarBuffer<i64> = Buffer::from(given).into();
            std::sync::Arc::new(Int64Array::new(values, None))
        }
    }
}

/// Columns as bytes.
pub fn packed(rows: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    for column in rows.columns() {
        if let Some(text) = column.as_string_opt::<i32>() {
            bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            bytes.extend_from_slice(text.offsets().inner().inner());
            bytes.extend_from_slice(text.values());
        } else if let Some(small) = column.as_primitive_opt::<Int32Type>() {
            bytes.extend_from_slice(small.values().inner());
        } else {
            bytes.extend_from_slice(column.as_primitive::<Int64Type>().values().inner());
        }
    }
    bytes
}

fn text(given: &[u8]) -> ArrayRef {
    let rows = u32::from_le_bytes(given[..4].try_into().expect("it has four")) as usize;
    let split = (rows + 2) * 4;
    let offsets: ScalarBuffer<i32> = Buffer::from(&given[4..split]).into();
    let text = StringArray::try_new(OffsetBuffer::new(offsets), given[split..].into(), None);
    std::sync::Arc::new(text.expect("it is text"))
}
