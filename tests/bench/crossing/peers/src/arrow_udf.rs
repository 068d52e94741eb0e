//! arrow-udf: a batch crosses as one Arrow file in memory.

use std::hint::black_box;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use arrow_udf_runtime::wasm::Runtime;

use crate::{NAMES, SIZES, built, columns, head, nanos};

pub fn run() {
    let wasm = built("udf", "crossing_udf.wasm");
    let runtime = Runtime::new(&std::fs::read(wasm).expect("it was built")).expect("it loads");
    head("arrow-udf, ns a row");
    for name in NAMES {
        print!("{name:<10}");
        for size in SIZES {
            let rows = RecordBatch::try_from_iter(columns(name, size)).expect("they fit");
            let types: Vec<DataType> =
                rows.columns().iter().map(|column| column.data_type().clone()).collect();
            let given = match name {
                "upper" => DataType::Utf8,
                "gcd_small" => DataType::Int32,
                _ => DataType::Int64,
            };
            let function = runtime.find_function(name, types, given).expect("it is there");
            let took = nanos(|| {
                black_box(runtime.call(&function, &rows).expect("it succeeds"));
            });
            print!("{:>14.1}", took / size as f64);
        }
        println!();
    }
}
