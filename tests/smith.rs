//! Ten thousand random components against the wall: whatever they are, the host neither panics nor
//! hangs, and says what is wrong with them.
//!
//! `cargo test --release --test smith -- --nocapture` shows how far they came. They are made by
//! [tests/plugins/smith](plugins/smith), the same ones every time.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where something is wrong"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use weir_host::id::Digest;
use weir_host::job::Limits;
use weir_host::plugin::fetch::Fetched;
use weir_host::plugin::{CallSite, Compiler, Kind, Plugin, PluginError, Rights, SiteSpec, Wall};
use weir_host::row_error::OnError;

const COUNT: usize = 10_000;

/// So many at least come so far.
const LEAST: usize = 1_000;

/// How far components came.
#[derive(Default)]
struct Stages {
    compiled: AtomicUsize,
    instantiated: AtomicUsize,
    opened: AtomicUsize,
    called: AtomicUsize,
    answered: AtomicUsize,
}

fn one(stage: &AtomicUsize) {
    stage.fetch_add(1, Ordering::Relaxed);
}

/// Makes the components and reads them.
fn components() -> Vec<Vec<u8>> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = place.join("smith.bin");
    let made = Command::new("cargo")
        .args(["run", "--quiet", "--release", "--locked", "--manifest-path"])
        .arg(root.join("tests/plugins/smith/Cargo.toml"))
        .arg("--target-dir")
        .arg(place.join("hostile-set"))
        .arg("--")
        .arg(&file)
        .arg(COUNT.to_string())
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let bytes = std::fs::read(&file).unwrap();
    let (mut components, mut rest) = (Vec::new(), bytes.as_slice());
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (component, behind) = behind.split_at(u32::from_le_bytes(*length) as usize);
        components.push(component.to_vec());
        rest = behind;
    }
    components
}

fn limits() -> Limits {
    Limits { memory: 4 << 20, time: Duration::from_millis(20), ..Limits::default() }
}

fn rows() -> RecordBatch {
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, false)]);
    let numbers = Arc::new(Int64Array::from(vec![1, -7, 1 << 40]));
    RecordBatch::try_new(Arc::new(schema), vec![numbers]).unwrap()
}

/// Takes a component as far as it goes. What stops it is an error that can be told.
fn through(wall: &Wall, bytes: Vec<u8>, stages: &Stages) -> Result<(), PluginError> {
    let digest = Digest::of(&bytes);
    let fetched = Fetched { name: "random".to_owned(), path: PathBuf::new(), bytes, digest };
    let loaded = Plugin::load(wall, &fetched, None, &limits());
    if let Ok(_) | Err(PluginError::Call { .. } | PluginError::Describe { .. }) = &loaded {
        one(&stages.compiled);
        one(&stages.instantiated);
    } else if let Err(PluginError::World { .. }) = &loaded {
        one(&stages.compiled);
    }
    let plugin = Arc::new(loaded?);
    let Some(function) = plugin.functions().iter().position(|f| f.kind == Kind::Mapper) else {
        return Ok(());
    };
    let rows = rows();
    let spec = SiteSpec {
        op: "random".to_owned(),
        plugin,
        function,
        config: "{}".to_owned(),
        available: rows.schema(),
        key: Arc::new(Schema::empty()),
        parents: false,
        limits: limits(),
        on_error: OnError::Fail,
        rights: Arc::<Rights>::default(),
    };
    let Ok(checked) = CallSite::check(spec) else { return Ok(()) };
    let site = checked.site;
    let mut guest = site.enter(0, 0)?;
    one(&stages.opened);
    // Twice: the second call finds what the first one left in memory.
    for _ in 0..2 {
        one(&stages.called);
        let given = guest.map(&rows, &site.ports()[0])?;
        for column in given.value.columns() {
            column.to_data().validate_full().unwrap();
        }
        assert_eq!(given.value.num_rows() + given.errors.len(), rows.num_rows());
        one(&stages.answered);
    }
    Ok(())
}

#[test]
fn random_components_do_no_harm() {
    let components = components();
    assert_eq!(components.len(), COUNT);
    let wall = Wall::new(Compiler::Here).unwrap();
    let (stages, next) = (Stages::default(), AtomicUsize::new(0));
    let lanes = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    std::thread::scope(|scope| {
        let work = || {
            while let Some(bytes) = components.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = through(&wall, bytes.clone(), &stages) {
                    assert!(error.code().starts_with("WEIR-PLUGIN-"), "{error}");
                    assert!(!error.to_string().is_empty());
                }
            }
        };
        let lane = |number| {
            let lane = std::thread::Builder::new().name(format!("lane {number}"));
            lane.stack_size(16 << 20).spawn_scoped(scope, work).unwrap()
        };
        let lanes: Vec<_> = (0..lanes).map(lane).collect();
        lanes.into_iter().for_each(|lane| lane.join().unwrap());
    });
    let count = |stage: &AtomicUsize| stage.load(Ordering::Relaxed);
    let Stages { compiled, instantiated, opened, called, answered } = &stages;
    println!(
        "{COUNT} components: {} compiled, {} instantiated, {} opened, {} calls, {} answered",
        count(compiled),
        count(instantiated),
        count(opened),
        count(called),
        count(answered)
    );
    for stage in [compiled, instantiated, opened, called, answered] {
        assert!(count(stage) >= LEAST, "too few came far enough");
    }
}
