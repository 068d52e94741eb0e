//! Times the functions of `udf` in arrow-udf's runtime, over the columns that Weir's benchmark has.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use arrow_udf_runtime::wasm::Runtime;

const SIZES: [usize; 5] = [1, 64, 1_024, 8_192, 65_536];
const AT_LEAST: Duration = Duration::from_millis(200);

fn nanos(mut run: impl FnMut()) -> f64 {
    run();
    let (mut times, all) = (Vec::new(), Instant::now());
    while all.elapsed() < AT_LEAST || times.len() < 5 {
        let one = Instant::now();
        run();
        times.push(one.elapsed().as_nanos() as f64);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn numbers(rows: usize, by: i64, from: i64) -> ArrayRef {
    Arc::new((0..rows as i64).map(|n| n * by + from).collect::<Int64Array>())
}

fn columns(name: &str, rows: usize) -> Vec<(&'static str, ArrayRef)> {
    match name {
        "gcd" => vec![("a", numbers(rows, 7_919, 1_234_567)), ("b", numbers(rows, 104_729, 89))],
        "upper" => {
            let line = |n| format!("the {n} brown foxes jump over {} lazy dogs", n % 7);
            let texts: StringArray = (0..rows).map(|n| Some(line(n))).collect();
            vec![("text", Arc::new(texts))]
        }
        _ => vec![("n", numbers(rows, 7_919, 0))],
    }
}

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("udf");
    let built = Command::new("cargo")
        .args(["build", "--release", "--target", "wasm32-wasip1"])
        .current_dir(&folder)
        .env_remove("CARGO_TARGET_DIR")
        .status()
        .expect("cargo runs");
    assert!(built.success());
    let wasm = folder.join("target/wasm32-wasip1/release/crossing_udf.wasm");
    let runtime = Runtime::new(&std::fs::read(wasm).expect("it was built")).expect("it loads");
    println!("arrow-udf, ns a row");
    print!("{:<10}", "");
    SIZES.iter().for_each(|size| print!("{:>14}", format!("{size} rows")));
    println!();
    for name in ["nothing", "add_one", "gcd", "compute", "upper"] {
        print!("{name:<10}");
        for size in SIZES {
            let rows = RecordBatch::try_from_iter(columns(name, size)).expect("they fit");
            let types: Vec<DataType> =
                rows.columns().iter().map(|column| column.data_type().clone()).collect();
            let given = if name == "upper" { DataType::Utf8 } else { DataType::Int64 };
            let function = runtime.find_function(name, types, given).expect("it is there");
            let took = nanos(|| {
                black_box(runtime.call(&function, &rows).expect("it succeeds"));
            });
            print!("{:>14.1}", took / size as f64);
        }
        println!();
    }
}
