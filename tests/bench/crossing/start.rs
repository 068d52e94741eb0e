//! How long it takes until a function runs, and the floor of a batch.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use weir_host::job::Limits;
use weir_host::plugin::{Cache, Plugin, Wall, fetch};

use crate::{CASES, nanos, rows, site};

/// Loads precompiled code, and opens a function in a fresh sandbox.
pub fn plugin(wall: &Wall) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/text");
    let fetched =
        fetch::fetch(&folder, "text", Limits::default().component, &|line| println!("{line}"))
            .unwrap();
    let place = tempfile::tempdir().unwrap();
    let cache = Cache::open(&place.path().join("cache")).unwrap();
    let load = || Plugin::load(wall, &fetched, Some(&cache), &Limits::default()).unwrap();
    drop(load());
    let loaded = nanos(|| drop(load()));
    println!(
        "\na precompiled plugin is loaded, with its digest, and described in {:.2} ms",
        loaded / 1e6
    );
    let plugin = crate::plugin(wall);
    let rows = rows(&CASES[0], 1);
    let site = site(&plugin, "nothing", rows.schema());
    // Thrown away, so that the next one is fresh.
    let opened = nanos(|| site.enter(0, 0).unwrap().discard());
    println!("a fresh instance is made and opened in {:.3} ms", opened / 1e6);
}

/// Batches of two rows through the whole program.
pub fn two_rows() {
    let place = tempfile::tempdir().unwrap();
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/text");
    let batches = vec!["[{ line = \"to be\" }, { line = \"or not\" }]"; 2_000].join(",\n");
    let job = format!(
        "version = 1\nname = \"two-rows\"\n[job]\nbatch = \"0s\"\nparallelism = 2\n\
         [[source]]\nid = \"lines\"\ntype = \"rows\"\nbatches = [{batches}]\n\
         schema = {{ line = \"string!\" }}\n\
         [[op]]\nid = \"words\"\nwasm = {text:?}\ncall = \"split\"\n\
         [[op]]\nid = \"counts\"\nwasm = {text:?}\ncall = \"sum\"\nkey = [\"word\"]\n\
         [[sink]]\nid = \"out\"\ntype = \"console\"\nrows = 0\n"
    );
    std::fs::write(place.path().join("job.toml"), job).unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_host"));
    let run = run.args(["run", "job.toml", "--once", "--format", "json"]);
    let output = run.current_dir(place.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let events: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &Value| event["event"] == "batch")
        .skip(100)
        .collect();
    let quantile = |of: &dyn Fn(&Value) -> f64, part: f64| {
        let mut all: Vec<f64> = events.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[((all.len() - 1) as f64 * part) as usize]
    };
    println!("\na batch of two rows: split, shuffle and sum; {} batches, ms", events.len());
    println!("{:<12}{:>8}{:>8}{:>8}", "", "p50", "p95", "p99");
    let line = |name: &str, of: &dyn Fn(&Value) -> f64| {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|part| quantile(of, part));
        println!("{name:<12}{p50:>8.3}{p95:>8.3}{p99:>8.3}");
    };
    line("whole", &|event| event["processing_ms"].as_f64().unwrap());
    for phase in ["bind", "run", "prepare", "commit"] {
        line(phase, &|event| event["phases_ms"][phase].as_f64().unwrap());
    }
}
