//! Components that misbehave, one way each: [the set](../plugins/hostile-set) has one for each test
//! here, and the test of the same name says how it is contained.
//!
//! What misbehaves in a call does it when a 7 is among the rows. Then the job stops with an error
//! that names everything, or, if its op may leave out rows, goes on without the 7 and no slower.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use crate::host::{Job, Ran, command, root};

/// What an op may have, in MiB.
const LIMIT_MIB: u64 = 16;

/// Beyond the limit, and what an honest job has.
const MORE_MIB: u64 = 64;

/// Builds the set, once, and writes it. Gives the folder and the names.
static SET: LazyLock<(PathBuf, Vec<String>)> = LazyLock::new(|| {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = place.join("hostile");
    let made = Command::new("cargo")
        .args(["run", "--quiet", "--release", "--locked", "--manifest-path"])
        .arg(root().join("tests/plugins/hostile-set/Cargo.toml"))
        .arg("--target-dir")
        .arg(place.join("hostile-set"))
        .arg("--")
        .arg(&folder)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let names = String::from_utf8(made.stdout).unwrap();
    (folder, names.lines().map(str::to_owned).collect())
});

/// The most memory of an honest job, in KiB.
static HONEST_KIB: LazyLock<u64> = LazyLock::new(|| {
    let (_, kib) = watched(&job("honest", "skip"));
    kib
});

pub fn job(name: &str, policy: &str) -> Job {
    job_of_set(name, policy, "")
}

/// A job of a component of the set, with more settings of its op.
pub fn job_of_set(name: &str, policy: &str, more: &str) -> Job {
    let wasm = SET.0.join(format!("{name}.wasm"));
    job_with(wasm.to_str().unwrap(), "it", policy, more)
}

fn job_of(wasm: &str, call: &str, policy: &str) -> Job {
    job_with(wasm, call, policy, "")
}

/// The same with more settings of the op.
pub fn job_with(wasm: &str, call: &str, policy: &str, more: &str) -> Job {
    Job::new(&format!(
        r#"
version = 1
name = "hostile"
[job]
batch = "0s"
parallelism = 1
[[source]]
id = "numbers"
type = "rows"
batches = [[{{ n = 1 }}, {{ n = 2 }}], [{{ n = 3 }}, {{ n = 4 }}], [{{ n = 5 }}, {{ n = 6 }}],
  [{{ n = 7 }}, {{ n = 8 }}, {{ n = 9 }}], [{{ n = 10 }}, {{ n = 11 }}], [{{ n = 12 }}]]
schema = {{ n = "int64!" }}
[[op]]
id = "bad"
wasm = "{wasm}"
call = "{call}"
on_error = "{policy}"
{more}
[op.limits]
memory = "{LIMIT_MIB}MiB"
time = "300ms"
compile_time = "1s"
compile_memory = "512MiB"
[[sink]]
id = "out"
type = "file"
path = "out"
format = "json"
"#
    ))
}

/// Runs a job; gives the most memory that its process has had too, in KiB.
pub fn watched(job: &Job) -> (Ran, u64) {
    let mut run = command(job.path());
    run.args(["run", "job.toml", "--once", "--from", "none", "--format", "json"]);
    let mut child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut most = 0;
    // The mark only rises, and is gone with the process: it is read until then.
    let watcher = std::thread::spawn(move || {
        while let Ok(text) = std::fs::read_to_string(&status) {
            let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(mark) = mark else { break };
            let kib = mark.trim().trim_end_matches(" kB").parse().unwrap();
            most = std::cmp::max(most, kib);
            std::thread::park_timeout(Duration::from_millis(1));
        }
        most
    });
    let output = read(&mut child);
    let status = child.wait().unwrap();
    let ran = Ran { code: status.code().unwrap_or(-1), out: output.0, err: output.1 };
    (ran, watcher.join().unwrap())
}

fn read(child: &mut std::process::Child) -> (String, String) {
    use std::io::Read;
    let mut err = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).unwrap();
        text
    });
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    (out, errors.join().unwrap())
}

/// What is true of every error: it names all there is to name, and is the host's own.
pub fn told(ran: &Ran, exit: i32, code: &str, parts: &[&str]) {
    assert_eq!(ran.code, exit, "{ran:#?}");
    let code = format!("WEIR-PLUGIN-{code}");
    // As it was before its lines were broken.
    let (log, text) = ran.err.split_at(ran.err.find("WEIR-").unwrap_or(0));
    let text = text.replace("\n  | ", " ");
    for part in [code.as_str()].iter().chain(parts) {
        assert!(text.contains(part), "`{part}` is missing in\n{}", ran.err);
    }
    assert!(!ran.err.contains("panicked at host"), "{}", ran.err);
    assert!(text.len() < 80_000, "the error has {} bytes", text.len());
    assert!(log.len() < 3 << 20, "the log has {} bytes", log.len());
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
}

pub fn published(job: &Job, batch: u64) -> bool {
    job.path().join(format!("out/batch={batch:020}")).exists()
}

pub fn rows(job: &Job, batch: u64) -> Vec<i64> {
    let row = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let number = |line| row(line)["n"].to_string().trim_matches('"').parse().unwrap();
    job.written("out", batch).iter().map(number).collect()
}

/// With `fail` the job stops at the batch with the 7, and nothing of that batch is there.
pub fn stops(job: &Job, plugin: &str, (code, text): (&str, &str)) {
    let ran = job.once(&[]);
    told(&ran, 1, code, &[text, "bad", plugin, "sha256:", "batch      4", "help"]);
    assert!(published(job, 3) && !published(job, 4), "{ran:#?}");
}

/// With `skip` only the 7 is missing, memory stays in bounds, and the next batch is no slower.
pub fn goes_on(job: &Job, code: &str) {
    goes_on_somehow(job);
    let mut all: Vec<i64> = (1..=6).flat_map(|batch| rows(job, batch)).collect();
    all.sort_unstable();
    assert_eq!(all, [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12], "{code}");
}

/// The same, whatever the rows that come out look like.
pub fn goes_on_somehow(job: &Job) {
    let (ran, kib) = watched(job);
    let ran = ran.fine();
    let batches = ran.of_kind("batch");
    assert_eq!(batches[3]["refused"][0]["skipped"], 1, "{}", batches[3]);
    let took = |batch: usize| batches[batch]["processing_ms"].as_f64().unwrap();
    let normal = (1..3).map(took).fold(0.0, f64::max);
    let next = took(4);
    // Other tests run beside it: what is too much is a time limit that is waited for.
    assert!(next <= normal * 2.0 + 250.0, "{next} ms after {normal} ms");
    let most = *HONEST_KIB + (LIMIT_MIB + MORE_MIB) * 1024;
    assert!(kib <= most, "{kib} KiB, allowed are {most}");
}

/// Under any policy the job does not begin, and what was done to see that stays in bounds.
pub fn does_not_begin(name: &str, told: (&str, &str)) {
    does_not_begin_with(name, "", told);
}

/// The same, with more settings of the op.
pub fn does_not_begin_with(name: &str, more: &str, (code, text): (&str, &str)) {
    let job = job_of_set(name, "skip", more);
    let (_, kib) = watched(&job);
    let ran = job.once(&[]);
    told(&ran, 78, code, &[text, name]);
    assert!(!published(&job, 1), "{ran:#?}");
    let most = *HONEST_KIB + (LIMIT_MIB + MORE_MIB) * 1024;
    assert!(kib <= most, "{kib} KiB, allowed are {most}");
}

/// Misbehaves in a call: name, code, and a part of the message.
macro_rules! in_a_call {
    ($($name:ident: $code:literal $text:literal,)*) => {
        $(#[test]
        fn $name() {
            let name = stringify!($name);
            stops(&job(name, "fail"), name, ($code, $text));
            goes_on(&job(name, "skip"), $code);
        })*
    };
}

/// Misbehaves before there are rows: the job does not begin, under any policy.
macro_rules! before_a_call {
    ($($name:ident: $code:literal $text:literal,)*) => {
        $(#[test]
        fn $name() {
            let name = stringify!($name);
            does_not_begin(name, ($code, $text));
        })*
    };
}

/// Looks strange and does no harm: all rows come through.
macro_rules! harmless {
    ($($name:ident,)*) => {
        $(#[test]
        fn $name() {
            let job = job(stringify!($name), "fail");
            job.once(&[]).fine();
            assert_eq!((1..=6).flat_map(|batch| rows(&job, batch)).count(), 12);
        })*
    };
}

in_a_call! {
    endless_loop: "021" "longer than its limit of 300ms",
    bulk_fill_loop: "021" "longer than its limit of 300ms",
    bulk_copy_loop: "021" "longer than its limit of 300ms",
    endless_calls: "021" "longer than its limit of 300ms",
    log_without_end: "021" "longer than its limit of 300ms",
    post_return_loops: "021" "longer than its limit of 300ms",
    memory_bomb: "022" "bytes of memory, its limit is",
    memory_bomb_that_is_touched: "022" "bytes of memory, its limit is",
    table_bomb: "031" "the function wanted tables of",
    deep_recursion: "023" "the function used up its stack of 524288 bytes",
    recursion_through_a_table: "023" "the function used up its stack of 524288 bytes",
    handle_bomb: "031" "the function wanted more handles than its limit of 1000",
    traps_on_seven: "020" "wasm `unreachable` instruction executed",
    divides_by_zero: "020" "integer divide by zero",
    converts_nan: "020" "invalid conversion to integer",
    reads_outside_of_memory: "020" "out of bounds memory access",
    writes_outside_of_memory: "020" "out of bounds memory access",
    calls_nothing: "020" "uninitialized element",
    calls_outside_of_its_table: "020" "undefined element: out of bounds table access",
    post_return_traps: "020" "wasm `unreachable` instruction executed",
    drops_an_unknown_handle: "020" "unknown handle index 77",
    drops_its_instance: "020" "unknown handle index 1",
    one_row_too_many: "025" "it gave 2 rows for 1",
    no_rows: "025" "it gave 0 rows for 1",
    four_billion_rows: "025" "it gave 4294967295 rows for 1",
    no_columns: "025" "it gave 0 columns where 1 were agreed",
    two_columns: "025" "it gave 2 columns where 1 were agreed",
    column_too_short: "025" "column `n`: it has 0 values for 1 rows",
    column_of_four_billion: "025" "column `n`: it has 4294967295 values for 1 rows",
    null_count_lies: "025" "column `n`: it says 1 nulls and has 0",
    null_count_of_four_billion: "025" "column `n`: it says 4294967295 nulls and has 0",
    no_buffers: "025" "column `n`: buffers are missing",
    three_buffers: "025" "it has more buffers than its type int64",
    values_too_short: "025" "Need at least 8 bytes",
    short_bitmap: "025" "column `n`: it says 1 nulls and has 0",
    null_where_there_is_none: "025" "column `n`: row 0 is null, but the column is not nullabl",
    decimal_overflow: "025" "1000 is too large",
    columns_outside_of_memory: "025" "list pointer/length out of bounds of memory",
    a_billion_columns: "025" "list pointer/length out of bounds of memory",
    buffer_outside_of_memory: "025" "list pointer/length out of bounds of memory",
    buffer_of_four_gib: "025" "list pointer/length out of bounds of memory",
    columns_not_aligned: "025" "list pointer is not aligned",
    answer_outside_of_memory: "025" "pointer out of bounds of memory",
    answer_not_aligned: "025" "return pointer not aligned",
    answer_neither_good_nor_bad: "025" "invalid expected discriminant",
    refuses_the_batch: "026" "the function failed: itnint64out",
    refusal_is_not_utf8: "025" "invalid utf-8 sequence of 1 bytes from index 0",
    refusal_of_eight_mib: "026" "the function failed: xxxx",
    rejects_a_row_that_is_not_there: "025" "it rejects row 1000 of 1",
    rejects_for_an_unknown_reason: "025" "unexpected discriminant: 9",
    rejects_outside_of_memory: "025" "string pointer/length out of bounds of memory",
    rejects_with_four_gib: "025" "string pointer/length out of bounds of memory",
    rejects_a_billion_times: "025" "list pointer/length out of bounds of memory",
    rejects_the_same_row_twice: "025" "its row errors are not in ascending order",
    log_line_of_eight_mib: "020" "wasm `unreachable` instruction executed",
    log_outside_of_memory: "020" "string pointer/length out of bounds of memory",
    log_of_four_gib: "020" "string pointer/length out of bounds of memory",
    log_is_not_utf8: "020" "invalid utf-8 sequence of 1 bytes from index 0",
    log_at_an_unknown_level: "020" "unexpected discriminant: 99",
    metrics_without_end: "021" "longer than its limit of 300ms",
    metric_name_of_eight_mib: "020" "wasm `unreachable` instruction executed",
}

before_a_call! {
    start_loops: "021" "longer than its limit of 5s",
    start_traps: "020" "wasm `unreachable` instruction executed",
    memory_of_four_gib: "022" "bytes of memory, its limit is",
    table_of_a_billion: "031" "the function wanted tables of",
    twenty_tables: "031" "the function wanted more tables than its limit of 8",
    realloc_traps: "020" "wasm `unreachable` instruction executed",
    realloc_loops: "021" "longer than its limit of 300ms",
    realloc_outside_of_memory: "025" "realloc return: beyond end of memory",
    realloc_not_aligned: "025" "realloc return: result not aligned",
    describe_loops: "021" "longer than its limit of 5s",
    describe_traps: "020" "wasm `unreachable` instruction executed",
    describes_nothing: "006" "it has no functions",
    describes_a_billion: "025" "list pointer/length out of bounds of memory",
    describes_a_thousand_zeros: "006" "a name has 1 to 64 letters",
    describes_it_twice: "006" "it has two functions `it`",
    describes_outside_of_memory: "025" "pointer out of bounds of memory",
    describes_an_unknown_kind: "025" "unexpected discriminant: 77",
    describes_a_transformer_that_it_has_not: "004" "no exported instance named",
    name_is_empty: "006" "a name has 1 to 64 letters",
    name_steers_the_terminal: "006" "a name has 1 to 64 letters",
    name_is_not_utf8: "025" "invalid utf-8 sequence of 1 bytes from index 0",
    name_of_one_mib: "006" "a name has 1 to 64 letters",
    doc_of_eight_mib: "024" "what the function says of itself has more than 2097152 bytes",
    type_that_there_is_not: "006" "column `n`: `",
    type_of_one_mib: "024" "says of itself has more than 2097152 bytes",
    type_that_nests_without_end: "006" "column `n`: `",
    open_loops: "021" "longer than its limit of 300ms",
    open_traps: "020" "wasm `unreachable` instruction executed",
    open_refuses: "007" "`it` can't be opened: itnint64out",
    open_refuses_with_no_utf8: "025" "invalid utf-8 sequence of 1 bytes from index 0",
    open_refuses_outside_of_memory: "025" "string pointer/length out of bounds of memory",
    open_forges_a_handle: "025" "unknown handle index 999",
    layout_loops: "021" "longer than its limit of 300ms",
    layout_traps: "020" "wasm `unreachable` instruction executed",
    layout_has_no_ports: "025" "a mapper can't have 0 ports",
    schema_that_lies: "025" "`open` gave other columns than `describe`",
    empty_file: "003" "it does not begin as WebAssembly does",
    random_bytes: "003" "it does not begin as WebAssembly does",
    random_behind_a_header: "003" "failed to parse WebAssembly",
    text_instead_of_bytes: "003" "it does not begin as WebAssembly does",
    cut_off_file: "003" "failed to parse WebAssembly",
    flipped_bits: "003" "failed to parse WebAssembly",
    version_of_tomorrow: "003" "it does not begin as WebAssembly does",
    core_module: "003" "it is a core module",
    wrong_world: "004" "does not fit: it does not export `weir:operator/guest`",
    wants_what_nobody_has: "004" "does not fit: it imports `steal`, which nobody here offe",
    empty_component: "004" "does not fit: it does not export `weir:operator/guest`",
    guest_of_another_shape: "004" "does not have export",
    compile_bomb: "009" "compiling it took more than 1s",
    too_many_functions: "003" "functions, its limit is 100000",
    too_many_instances: "031" "the function wanted more memories than its limit of 4",
}

harmless! {
    honest,
    reads_nothing_and_lies,
    component_of_sixteen_mib,
}

#[test]
fn second_call_traps() {
    let failing = job("second_call_traps", "fail");
    told(&failing.once(&[]), 1, "020", &["unreachable", "batch      2"]);
    // In a fresh instance the same rows pass.
    let skipping = job("second_call_traps", "skip");
    skipping.once(&[]).fine();
    assert_eq!((1..=6).flat_map(|batch| rows(&skipping, batch)).count(), 12);
}

/// Functions of [the other plugin](../plugins/hostile), written in Rust as most plugins are.
macro_rules! in_rust {
    ($($name:ident: $code:literal $text:literal,)*) => {
        $(#[test]
        fn $name() {
            let job = |policy| job_of("{root}/tests/plugins/hostile", stringify!($name), policy);
            stops(&job("fail"), "tests/plugins/hostile", ($code, $text));
            goes_on(&job("skip"), $code);
        })*
    };
}

in_rust! {
    exits: "020" "exit",
    panics_at_length: "020" "panicked at",
    prints_without_end: "021" "longer than its limit of 300ms",
    allocates_crumbs: "022" "bytes of memory, its limit is",
    trap_on_seven: "020" "seven is not a number I like",
    spin_on_seven: "021" "longer than its limit of 300ms",
    hungry_on_seven: "022" "bytes of memory, its limit is",
    test_traps_on_seven: "020" "seven is not a number I like",
}

#[test]
fn waits_and_asks() {
    let job = job_of("{root}/tests/plugins/hostile", "waits_and_asks", "fail");
    job.once(&[]).fine();
    assert_eq!((1..=6).flat_map(|batch| rows(&job, batch)).count(), 12);
}

#[test]
fn odd_nan() {
    let job = job_of("{root}/tests/plugins/hostile", "odd_nan", "fail");
    job.once(&[]).fine();
    assert_eq!(job.written("out", 4), ["{\"x\":\"NaN\"}"; 3]);
}

#[test]
fn every_component_of_the_set_has_a_test_of_its_name() {
    let tests = concat!(
        include_str!("hostile_set.rs"),
        include_str!("hostile_kinds.rs"),
        include_str!("hostile_keys.rs"),
    );
    for name in &SET.1 {
        let forms = [format!("    {name}: \""), format!("    {name},"), format!("fn {name}()")];
        assert!(forms.iter().any(|form| tests.contains(form)), "{name} has no test");
    }
    assert!(SET.1.len() >= 60, "{}", SET.1.len());
}
