//! Times the functions of the guest in other hosts of WebAssembly, over the columns that Weir's
//! benchmark has, and what the guards of the engine cost.
//!
//! `cargo run --release`, or with `arrow-udf`, `extism` or `guards` behind it.

mod arrow_udf;
mod extism;
mod guards;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int32Array, Int64Array, StringArray};

const SIZES: [usize; 5] = [1, 64, 1_024, 8_192, 65_536];
const NAMES: [&str; 6] = ["nothing", "add_one", "gcd", "gcd_small", "compute", "upper"];
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

fn numbers(rows: usize, by: i64, from: i64) -> Int64Array {
    (0..rows as i64).map(|n| n * by + from).collect()
}

fn texts(rows: usize) -> StringArray {
    let line = |n| format!("the {n} brown foxes jump over {} lazy dogs", n % 7);
    (0..rows).map(|n| Some(line(n))).collect()
}

fn columns(name: &str, rows: usize) -> Vec<(&'static str, ArrayRef)> {
    match name {
        "gcd" => vec![
            ("a", Arc::new(numbers(rows, 7_919, 1_234_567))),
            ("b", Arc::new(numbers(rows, 104_729, 89))),
        ],
        "gcd_small" => {
            let small = |of: i32| -> Int32Array {
                (0..rows as i32).map(|n| of * (1 + n % 1_000)).collect()
            };
            vec![("a", Arc::new(small(15))), ("b", Arc::new(small(25)))]
        }
        "upper" => vec![("text", Arc::new(texts(rows)))],
        _ => vec![("n", Arc::new(numbers(rows, 7_919, 0)))],
    }
}

/// Builds a module with cargo.
fn built(folder: &str, file: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let built = Command::new("cargo")
        .args(["build", "--release", "--target", "wasm32-wasip1"])
        .current_dir(&folder)
        .env_remove("CARGO_TARGET_DIR")
        .status()
        .expect("cargo runs");
    assert!(built.success());
    folder.join("target/wasm32-wasip1/release").join(file)
}

fn head(title: &str) {
    print!("\n{title}\n{:<10}", "");
    SIZES.iter().for_each(|size| print!("{:>14}", format!("{size} rows")));
    println!();
}

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    for (name, run) in
        [("arrow-udf", arrow_udf::run as fn()), ("extism", extism::run), ("guards", guards::run)]
    {
        if name.contains(&wanted) {
            run();
        }
    }
}
