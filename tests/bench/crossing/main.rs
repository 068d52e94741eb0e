//! What crossing the wall costs (B1, B7, B13): functions of a component against the same functions
//! in native code, calls that do nothing against copies of memory, a batch of two rows by phase,
//! and the start of a plugin.
//!
//! `cargo bench --bench crossing`, or with a part of a name behind it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures, prints, and stops where something is wrong"
)]

#[path = "native.rs"]
mod native;
#[path = "start.rs"]
mod start;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Schema, SchemaRef};
use weir_host::job::Limits;
use weir_host::plugin::{
    CallSite, Compiler, Guest, Kind, Plugin, PluginError, Rights, SiteSpec, Wall, fetch,
};
use weir_host::row_error::OnError;

/// Rows of a batch.
const SIZES: [usize; 5] = [1, 64, 1_024, 8_192, 65_536];

/// How long each case is repeated.
const AT_LEAST: Duration = Duration::from_millis(200);

/// A function of a component and its native twin.
struct Case {
    name: &'static str,
    columns: fn(usize) -> Vec<(&'static str, ArrayRef)>,
    native: fn(&RecordBatch) -> ArrayRef,
}

const CASES: [Case; 9] = [
    Case { name: "nothing", columns: numbers, native: native::nothing },
    Case { name: "add_one", columns: numbers, native: native::add_one },
    Case { name: "wide", columns: wide, native: native::wide },
    Case { name: "gcd", columns: pairs, native: native::gcd },
    Case { name: "gcd_small", columns: small_pairs, native: native::gcd_small },
    Case { name: "compute", columns: numbers, native: native::compute },
    Case { name: "upper", columns: texts, native: native::upper },
    Case { name: "json", columns: lines_of_json, native: native::json },
    Case { name: "split", columns: texts, native: native::split },
];

fn numbers(rows: usize) -> Vec<(&'static str, ArrayRef)> {
    let numbers: Int64Array = (0..rows as i64).map(|n| n.wrapping_mul(7_919)).collect();
    vec![("n", Arc::new(numbers))]
}

fn pairs(rows: usize) -> Vec<(&'static str, ArrayRef)> {
    let a: Int64Array = (0..rows as i64).map(|n| n * 7_919 + 1_234_567).collect();
    let b: Int64Array = (0..rows as i64).map(|n| n * 104_729 + 89).collect();
    vec![("a", Arc::new(a)), ("b", Arc::new(b))]
}

/// Multiples of 15 and 25, which take the steps that the numbers of arrow-udf's own benchmark take.
fn small_pairs(rows: usize) -> Vec<(&'static str, ArrayRef)> {
    let a: Int32Array = (0..rows as i32).map(|n| 15 * (1 + n % 1_000)).collect();
    let b: Int32Array = (0..rows as i32).map(|n| 25 * (1 + n % 1_000)).collect();
    vec![("a", Arc::new(a)), ("b", Arc::new(b))]
}

/// Rows of 38 bytes with the offsets of the text.
fn wide(rows: usize) -> Vec<(&'static str, ArrayRef)> {
    let texts: StringArray =
        (0..rows).map(|n| Some(format!("a text of 18 {:05}", n % 99_999))).collect();
    let x: Float64Array = (0..rows).map(|n| n as f64 / 7.0).collect();
    let mut columns = numbers(rows);
    columns.extend([("text", Arc::new(texts) as ArrayRef), ("x", Arc::new(x) as ArrayRef)]);
    columns
}

fn texts(rows: usize) -> Vec<(&'static str, ArrayRef)> {
    let line = |n| format!("the {n} brown foxes jump over {} lazy dogs", n % 7);
    let texts: StringArray = (0..rows).map(|n| Some(line(n))).collect();
    vec![("text", Arc::new(texts))]
}

fn lines_of_json(rows: usize) -> Vec<(&'static str, ArrayRef)> {
    let line = |n: usize| {
        format!("{{\"id\": {n}, \"name\": \"sensor {}\", \"score\": {}.25}}", n % 100, n % 1_000)
    };
    let texts: StringArray = (0..rows).map(|n| Some(line(n))).collect();
    vec![("text", Arc::new(texts))]
}

/// The median of many runs, in nanoseconds.
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

fn plugin(wall: &Wall) -> Arc<Plugin> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bench/crossing/guest");
    let fetched =
        fetch::fetch(&folder, "crossing", Limits::default().component, &|line| println!("{line}"))
            .unwrap();
    Arc::new(Plugin::load(wall, &fetched, None, &Limits::default()).unwrap())
}

fn site(plugin: &Arc<Plugin>, name: &str, input: SchemaRef) -> Arc<CallSite> {
    let functions = plugin.functions();
    let spec = SiteSpec {
        op: name.to_owned(),
        plugin: Arc::clone(plugin),
        function: functions.iter().position(|function| function.name == name).unwrap(),
        config: "{}".to_owned(),
        available: input,
        key: Arc::new(Schema::empty()),
        parents: false,
        limits: Limits::default(),
        on_error: OnError::Fail,
        rights: Arc::<Rights>::default(),
    };
    CallSite::check(spec).unwrap().site
}

fn call(guest: &mut Guest, site: &CallSite, rows: &RecordBatch) -> Result<usize, PluginError> {
    match site.function().kind {
        Kind::Mapper => Ok(guest.map(rows, &site.ports()[0])?.value.num_rows()),
        _ => Ok(guest.flat_map(rows, site.ports())?.value.len()),
    }
}

fn rows(case: &Case, size: usize) -> RecordBatch {
    let columns = (case.columns)(size);
    let fields = columns.iter().map(|(name, column)| {
        arrow::datatypes::Field::new(*name, column.data_type().clone(), false)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, column)| column).collect()).unwrap()
}

/// Twice the bytes of the columns, copied: what crossing there and back can't be cheaper than.
fn copies(rows: &RecordBatch) -> f64 {
    let bytes: usize = rows.columns().iter().map(|column| column.get_buffer_memory_size()).sum();
    let (from, mut to) = (vec![1_u8; bytes], vec![0_u8; bytes]);
    2.0 * nanos(|| {
        to.copy_from_slice(black_box(&from));
        black_box(&mut to);
    })
}

fn functions(wall: &Wall, wanted: &str) {
    let plugin = plugin(wall);
    println!("\nns a row: component, native, and how many times as long");
    print!("{:<10}", "");
    for size in SIZES {
        print!("{:>30}", format!("{size} rows"));
    }
    println!();
    for case in CASES.iter().filter(|case| case.name.contains(wanted)) {
        print!("{:<10}", case.name);
        for size in SIZES {
            let rows = rows(case, size);
            let site = site(&plugin, case.name, rows.schema());
            let mut guest = site.enter(0, 0).unwrap();
            let wasm = nanos(|| {
                black_box(call(&mut guest, &site, &rows).unwrap());
            }) / size as f64;
            let native = nanos(|| {
                black_box((case.native)(&rows));
            }) / size as f64;
            print!("{:>30}", format!("{wasm:.1} {native:.1} {:.2}x", wasm / native));
        }
        println!();
    }
    println!("\nthere and back with nothing done, in times of two copies of the bytes");
    for size in [1_024, 8_192, 65_536] {
        let case = Case { name: "echo", columns: wide, native: native::wide };
        let rows = rows(&case, size);
        let site = site(&plugin, case.name, rows.schema());
        let mut guest = site.enter(0, 0).unwrap();
        let wasm = nanos(|| {
            black_box(call(&mut guest, &site, &rows).unwrap());
        });
        let copies = copies(&rows);
        let (micros, floor) = (wasm / 1e3, copies / 1e3);
        println!("{size:>8} rows: {micros:.1} us, copies {floor:.1} us, {:.2}x", wasm / copies);
    }
}

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = wanted.unwrap_or_default();
    let wall = Wall::new(Compiler::Here).unwrap();
    functions(&wall, &wanted);
    if wanted.is_empty() || "start".contains(&wanted) {
        start::plugin(&wall);
        start::two_rows();
        start::first_rows();
    }
}
