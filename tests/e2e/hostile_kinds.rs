//! More of the hostile set: all kinds of functions, columns of text, parts of WASI, files that are
//! large or deep, and functions in Rust that flood the host or reach for what they were not given.

use std::path::Path;

use serde_json::Value;

use crate::host::{Job, host, root};
use crate::hostile_set::{
    does_not_begin, goes_on, goes_on_somehow, job, job_with, published, rows, stops, told, watched,
};

/// Fails at a 7: the batch, or under `skip` the row.
macro_rules! at_a_seven {
    ($check:ident: $($name:ident: $code:literal $text:literal,)*) => {
        $(#[test]
        fn $name() {
            let name = stringify!($name);
            stops(&job(name, "fail"), name, ($code, $text));
            $check(&job(name, "skip"), $code);
        })*
    };
}

/// What comes out is no number: of each batch there are the rows that there should be.
fn goes_on_in_text(job: &Job, code: &str) {
    goes_on_somehow(job);
    let counts: Vec<usize> = (1..=6).map(|batch| job.written("out", batch).len()).collect();
    assert_eq!(counts, [2, 2, 2, 2, 2, 1], "{code}");
}

/// One row comes out of each batch.
fn goes_on_in_sums(job: &Job, code: &str) {
    goes_on_somehow(job);
    assert!((1..=6).all(|batch| rows(job, batch) == [0]), "{code}");
}

at_a_seven! { goes_on:
    loop_of_table_fill: "021" "longer than its limit of 300ms",
    bulk_without_a_loop: "021" "longer than its limit of 300ms",
    poll_for_a_century: "021" "longer than its limit of 300ms",
    poll_of_nothing: "020" "empty poll list",
    poll_of_a_handle_that_is_not_there: "020" "unknown handle index 12345",
    poll_of_one_timer_a_million_times: "031" "more handles than its limit of 1000",
    pollable_bomb: "031" "the function wanted more handles than its limit of 1000",
    random_of_sixty_mebibytes: "020" "requested len 62914560 exceeds limit 16777216",
    post_return_calls_out: "020" "cannot leave component instance",
    call_of_another_type: "020" "indirect call type mismatch",
    long_names_of_functions: "020" "…",
    buffers_that_overlap: "024" "more than its limit of 67108864 bytes",
    a_million_empty_buffers: "025" "column `n`: ",
    error_that_steers_the_terminal: "026" "all is well",
    bitmap_of_eight_for_nine: "025" "its bitmap has 1 bytes for 9 values",
    more_rows_than_allowed: "025" "more than 64 for one (`limits.rows`)",
    parent_out_of_range: "025" "it names row 99 of 1 as a parent",
    parents_that_descend: "025" "its parents descend",
    port_that_is_not_there: "025" "it emits to port 9 of 1",
    port_twice: "025" "it emits to port 0 twice in one call",
    short_verdict: "025" "its verdict has 0 bytes for 1 rows",
}

at_a_seven! { goes_on_in_text:
    offsets_out_of_range: "025" "Last offset 99 of Utf8 is larger than values length",
    offsets_that_descend: "025" "its offsets descend",
    offsets_that_begin_late: "025" "its offsets begin at 1 and not at 0",
    too_few_offsets: "025" "its offsets have 4 bytes where 8 are needed",
    text_of_invalid_utf8: "025" "Invalid UTF8 sequence",
    offset_inside_of_a_character: "025" "incomplete utf-8 byte sequence",
    list_of_a_short_child: "025" "Need at least 8000 bytes",
    constant_column_bomb: "025" "takes up 2048065536 bytes in 8192 rows, more than `limits.result`",
}

at_a_seven! { goes_on_in_sums:
    live_bytes_that_lie: "025" "it says that its states take up 18446744073709551615 bytes",
}

/// The job does not begin, under any policy.
macro_rules! before_a_call {
    ($($name:ident: $code:literal $text:literal,)*) => {
        $(#[test]
        fn $name() {
            does_not_begin(stringify!($name), ($code, $text));
        })*
    };
}

before_a_call! {
    data_that_fills_memory: "022" "wanted 39321600 bytes of memory, its limit is 16777216",
    memories_that_add_up: "022" "bytes of memory, its limit is 16777216",
    tables_that_add_up: "031" "tables of 120000 elements, its limit is 100000",
    instance_bomb: "031" "more instances than its limit of 64",
    describe_that_eats_memory: "022" "bytes of memory, its limit is 16777216",
    describe_of_half_a_million_columns: "024" "says of itself has more than 2097152 bytes",
    describe_of_two_columns_of_one_name: "006" "the column name `n` is empty or stands twice",
    describe_of_two_ports: "006" "a mapper can't have 2 ports",
    describe_of_a_state_that_no_mapper_has: "006" "an aggregator has state columns",
    guest_that_is_no_interface: "004" "it does not export",
    guest_without_describe: "004" "does not have export",
    world_of_the_future: "004" "which this host does not know",
    open_that_refuses_at_length: "007" "can't be opened",
    layout_of_a_struct_of_a_million: "024" "says of itself has more than 2097152 bytes",
    file_of_65_mebibytes: "003" "it has more bytes than its limit of 67108864",
    realloc_calls_out: "020" "cannot leave component instance",
    layout_that_reads_one_column_often: "025" "it wants the column `n` twice",
    layout_that_reads_a_long_name: "025" "it wants a column `aaaa",
    nested_components: "003" "components stand in it more than 1000 deep",
    sections_without_content: "003" "failed to parse WebAssembly",
    functions_deep_inside: "003" "functions, its limit is 100000",
    thousands_of_exports: "003" "count exceeds limit",
    a_million_types: "003" "type nesting is too deep",
    compile_bomb_of_memory: "009" "compiling it took more than",
}

/// The batch fails under any policy: no row is to blame.
macro_rules! without_a_row {
    ($($name:ident: $code:literal $text:literal,)*) => {
        $(#[test]
        fn $name() {
            for policy in ["fail", "skip", "dead-letter"] {
                stops(&job(stringify!($name), policy), stringify!($name), ($code, $text));
            }
        })*
    };
}

without_a_row! {
    pull_without_end: "025" "it gave 8193 rows for the 3 of the batch, more than 64 for one",
    pull_of_rows_without_end: "025" "rows for the 3 of the batch, more than 64 for one",
    pull_of_four_billion_rows: "025" "it gave 4294967295 rows for the 3 of the batch",
}

/// Fails in the first batch, after it was fine when the job was checked.
fn stops_at_once(name: &str, (code, text): (&str, &str)) {
    for policy in ["fail", "skip"] {
        let job = job(name, policy);
        told(&job.once(&[]), 1, code, &[text, "bad", name, "sha256:", "batch      1"]);
        assert!(!published(&job, 1), "{policy}");
    }
}

#[test]
fn open_that_refuses_a_batch() {
    stops_at_once("open_that_refuses_a_batch", ("007", "can't be opened: not today"));
}

#[test]
fn open_that_traps_in_a_batch() {
    stops_at_once("open_that_traps_in_a_batch", ("020", "unreachable"));
}

#[test]
fn wrong_number_of_states() {
    stops_at_once("wrong_number_of_states", ("025", "it gave 2 rows for 1 groups"));
}

#[test]
fn too_few_parents() {
    let set = job("too_few_parents", "fail");
    let kept = std::fs::read_to_string(set.path().join("job.toml")).unwrap();
    let named = kept.replace("[op.limits]", "keep = [\"n\"]\ncolumns = { n = \"n\" }\n[op.limits]");
    // The function gives a column `n` too: the kept one has another name.
    let renamed = named.replace("id = \"bad\"", "from = \"m\"\nid = \"bad\"").replace(
        "[[op]]\nfrom",
        "[[op]]\nid = \"m\"\nsql = \"SELECT n, n AS k FROM numbers\"\n[[op]]\nfrom",
    );
    let with_k = renamed.replace("keep = [\"n\"]\ncolumns = { n = \"n\" }", "keep = [\"k\"]");
    let failing = Job::new(&with_k);
    stops(&failing, "too_few_parents", ("025", "it names 0 parents for 1 rows"));
    goes_on(&Job::new(&with_k.replace("\"fail\"", "\"skip\"")), "025");
}

#[test]
fn realloc_that_gives_one_place_for_all() {
    // What it computes is wrong, and only that: a component may compute nonsense.
    let job = job("realloc_that_gives_one_place_for_all", "fail");
    let (ran, _) = watched(&job);
    assert_eq!(ran.fine().of_kind("batch").len(), 6);
}

#[test]
fn describe_that_steers_the_terminal() {
    let job = job("describe_that_steers_the_terminal", "fail");
    let text = std::fs::read_to_string(job.path().join("job.toml")).unwrap();
    let wasm = text.split('"').find(|part| part.ends_with(".wasm")).unwrap();
    for arguments in [["inspect", wasm], ["plan", "job.toml"]] {
        let ran = host(job.path(), &arguments).fine();
        let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!ran.out.contains(steers) && !ran.err.contains(steers), "{ran:?}");
    }
    let shown = host(job.path(), &["inspect", wasm]).fine();
    assert!(shown.out.contains("\u{fffd}[2J"), "{}", shown.out);
}

#[test]
fn a_pipe_or_a_device_is_no_plugin() {
    for path in ["/dev/zero", "pipe"] {
        let job = job_with(path, "it", "fail", "");
        let made = std::process::Command::new("mkfifo").arg(job.path().join("pipe")).status();
        assert!(made.unwrap().success());
        let ran = job.once(&[]);
        told(&ran, 78, "002", &["it is neither a file nor a folder"]);
    }
}

/// A job that calls a function in Rust.
fn rust(call: &str, policy: &str) -> Job {
    job_with("{root}/tests/plugins/hostile", call, policy, "")
}

/// The rows that come out of a function that is allowed nothing, as text.
fn seen(call: &str) -> Vec<String> {
    let job = rust(call, "fail");
    job.once(&[]).fine();
    let text = |line: String| {
        let row: Value = serde_json::from_str(&line).unwrap();
        row["seen"].as_str().unwrap().to_owned()
    };
    (1..=6).flat_map(|batch| job.written("out", batch)).map(text).collect()
}

/// Every attempt of every row was denied.
fn all_denied(call: &str, attempts: usize) {
    let rows = seen(call);
    assert_eq!(rows.len(), 12);
    for row in rows {
        assert_eq!(row.matches(": denied").count(), attempts, "{row}");
    }
}

#[test]
fn reads_files() {
    all_denied("reads_files", 10);
}

#[test]
fn writes_files() {
    all_denied("writes_files", 6);
    assert!(!Path::new("/tmp/from-a-guest").exists());
}

#[test]
fn uses_the_network() {
    all_denied("uses_the_network", 7);
}

#[test]
fn starts_others() {
    all_denied("starts_others", 2);
}

#[test]
fn reads_environment() {
    let rows = seen("reads_environment");
    assert_eq!(rows[0], "1 [] [] folder: \"/\"");
}

#[test]
fn reads_standard_input() {
    let job = rust("reads_standard_input", "fail");
    let mut run = crate::host::command(job.path());
    run.args(["run", "job.toml", "--once"]).stdin(std::process::Stdio::piped());
    let mut child = run.stderr(std::process::Stdio::null()).spawn().unwrap();
    // The host has an input, and the guest does not.
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"secret\n").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(job.written("out", 6), ["{\"seen\":\"12 0 bytes read: 0\"}"]);
}

#[test]
fn reads_clocks() {
    assert!(seen("reads_clocks").iter().all(|row| row.ends_with("batch_time=true steps=true")));
}

#[test]
fn draws_random() {
    let (first, second) = (seen("draws_random"), seen("draws_random"));
    assert_eq!(first, second);
    let drawn: std::collections::BTreeSet<&str> =
        first.iter().flat_map(|row| row.split(' ').skip(1)).collect();
    assert_eq!(drawn.len(), 24, "{first:?}");
}

#[test]
fn reads_what_others_left() {
    let of_own_batch = ["7 [7]", "8 [7, 8]", "9 [7, 8, 9]", "10 [10]"];
    assert_eq!(seen("reads_what_others_left")[6..10], of_own_batch);
}

macro_rules! in_rust {
    ($($name:ident: $code:literal $text:literal,)*) => {
        $(#[test]
        fn $name() {
            let plugin = "tests/plugins/hostile";
            stops(&rust(stringify!($name), "fail"), plugin, ($code, $text));
            goes_on(&rust(stringify!($name), "skip"), $code);
        })*
    };
}

in_rust! {
    exits_with_failure: "020" "Exited with i32 exit status 1",
    aborts: "020" "unreachable",
    reject_of_a_mebibyte: "027" "a row was rejected: xxxx",
}

#[test]
fn stderr_flood() {
    let failing = rust("stderr_flood", "fail").once(&[]);
    // 16 MiB were written: 64 KiB are kept for the error, and 4 KiB are a line of the log.
    told(&failing, 1, "020", &["stderr", "xxxx", "batch      4"]);
    goes_on(&rust("stderr_flood", "skip"), "020");
}

#[test]
fn reject_bomb() {
    let job = rust("reject_bomb", "dead-letter");
    let (ran, _) = watched(&job);
    ran.fine();
    let all: Vec<i64> = (1..=6).flat_map(|batch| rows(&job, batch)).collect();
    assert_eq!(all, [2, 4, 6, 8, 10, 12]);
}

/// A function that does too much of something on the side: all rows come through.
fn harmless(call: &str, more: &[&str]) -> crate::host::Ran {
    let job = rust(call, "fail");
    let mut arguments = vec!["--format", "json"];
    arguments.extend(more);
    let ran = job.once(&arguments).fine();
    assert_eq!((1..=6).flat_map(|batch| rows(&job, batch)).count(), 12);
    ran
}

#[test]
fn log_of_empty_lines() {
    let ran = harmless("log_of_empty_lines", &[]);
    let lines = ran.of_kind("log");
    assert!(lines.len() < 20_000, "{} lines", lines.len());
    let last = lines.last().unwrap()["text"].as_str().unwrap();
    assert!(last.contains("lines were dropped: more than `limits.log_rate`"), "{last}");
}

#[test]
fn log_that_steers_the_terminal() {
    let events = harmless("log_that_steers_the_terminal", &[]);
    assert!(!events.out.contains(|c: char| c.is_control() && c != '\n'), "{:?}", events.out);
    let said = events.of_kind("log")[0]["text"].as_str().unwrap().to_owned();
    assert!(said.starts_with("\u{1b}[2J") && said.contains('\u{9b}'), "{said:?}");
    let ran = rust("log_that_steers_the_terminal", "fail").once(&[]).fine();
    let steers = |c: char| c == '\u{202e}' || c.is_control() && c != '\n';
    assert!(ran.err.contains("[2J") && !ran.err.contains(steers), "{:?}", ran.err);
    // A line of its own would look like one of the host's.
    assert!(ran.err.contains("      error[WEIR-RUN-010]: forged"), "{}", ran.err);
}

#[test]
fn metric_names_bomb() {
    let batch = &harmless("metric_names_bomb", &[]).of_kind("batch")[3];
    assert_eq!(batch["counters"].as_object().unwrap().len(), 256);
    assert_eq!(batch["ops"][0]["metrics_refused"], 100_000 - 256);
}

#[test]
fn metric_of_bad_names() {
    let batch = &harmless("metric_of_bad_names", &[]).of_kind("batch")[3];
    assert_eq!(batch["counters"], serde_json::json!({ "bad.large": u64::MAX }));
    assert_eq!(batch["ops"][0]["metrics_refused"], 12);
}

#[test]
fn metric_names_over_calls() {
    // 400 names in a batch, of which no call has more than 82.
    let rows: Vec<String> = (1..=40_000).map(|n| format!("{{ n = {n} }}")).collect();
    let one = rust("metric_names_over_calls", "fail");
    let text = std::fs::read_to_string(one.path().join("job.toml")).unwrap();
    let (before, after) = text.split_once("batches = [[").unwrap();
    let (_, after) = after.split_once("]]").unwrap();
    let job = Job::new(&format!("{before}rows = [{}]{after}", rows.join(", ")));
    let batch = &job.once(&["--format", "json"]).fine().of_kind("batch")[0];
    assert_eq!(batch["counters"].as_object().unwrap().len(), 256);
    assert_eq!(batch["ops"][0]["metrics_refused"], 400 - 256);
}

#[test]
fn every_function_that_floods_or_reaches_has_a_test_of_its_name() {
    let tests = include_str!("hostile_kinds.rs");
    let folder = root().join("tests/plugins/hostile/src");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let text = read("floods.rs") + &read("reaches.rs");
    let names: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("pub fn ")?.split('(').next()).collect();
    for name in &names {
        let forms = [format!("    {name}: \""), format!("fn {name}()")];
        assert!(forms.iter().any(|form| tests.contains(form)), "{name} has no test");
    }
    assert!(names.len() >= 19, "{names:?}");
}
