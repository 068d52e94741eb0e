//! How long it takes until a function runs, and the floor of a batch.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use weir_host::job::Limits;
use weir_host::plugin::{Cache, Plugin, Wall, fetch};

use crate::{CASES, nanos, rows, site};

/// The component of `plugins/text`.
fn text() -> fetch::Fetched {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/text");
    let most = Limits::default().component;
    fetch::fetch(&folder, "text", most, &|line| println!("{line}")).unwrap()
}

/// Loads precompiled code, and opens a function in a fresh sandbox.
pub fn plugin(wall: &Wall) {
    let fetched = text();
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

/// From the start of the program to its first rows, with a cache of compiled code and without.
pub fn first_rows() {
    let fetched = text();
    let place = tempfile::tempdir().unwrap();
    let job = format!(
        "version = 1\nname = \"first\"\n[job]\nbatch = \"0s\"\n\
         [[source]]\nid = \"lines\"\ntype = \"rows\"\nrows = [{{ line = \"to be\" }}]\n\
         schema = {{ line = \"string!\" }}\n\
         [[op]]\nid = \"words\"\nwasm = {:?}\ncall = \"split\"\n\
         [[sink]]\nid = \"out\"\ntype = \"console\"\n",
        fetched.path
    );
    std::fs::write(place.path().join("job.toml"), job).unwrap();
    let cache = place.path().join("cache");
    let (cold, _) = first_rows_after(place.path(), &cache);
    let (mut times, mut kib) = (Vec::new(), 0);
    for _ in 0..20 {
        let (took, most) = first_rows_after(place.path(), &cache);
        times.push(took);
        kib = most;
    }
    times.sort_by(f64::total_cmp);
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_host")).unwrap().len();
    println!(
        "\n`host run` to its first rows: {:.0} ms, {cold:.0} ms when the plugin is compiled first; \
         {} MiB of memory at most; the binary has {} MB",
        times[times.len() / 2],
        kib / 1024,
        binary / 1_000_000
    );
}

/// Milliseconds to the first rows, and the most memory until then in KiB.
fn first_rows_after(folder: &Path, cache: &Path) -> (f64, u64) {
    let mut run = Command::new(env!("CARGO_BIN_EXE_host"));
    run.args(["run", "job.toml", "--once", "--format", "json"]).current_dir(folder);
    let since = Instant::now();
    let mut run = run.env("XDG_CACHE_HOME", cache).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let rows = |line: std::io::Result<String>| line.unwrap().contains("\"event\":\"rows\"");
    assert!(lines.any(rows), "the run has shown no rows");
    let took = since.elapsed().as_secs_f64() * 1e3;
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = most.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    lines.for_each(drop);
    assert!(run.wait().unwrap().success());
    (took, kib)
}
