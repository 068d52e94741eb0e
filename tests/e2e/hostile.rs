//! Functions that misbehave stop the job with an error that says what, where and why, and the
//! process ends cleanly.

use crate::host::{Job, Ran};

fn job(call: &str, more: &str) -> Job {
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
rows = [{{ n = 1 }}, {{ n = 7 }}, {{ n = 8 }}]
schema = {{ n = "int64!" }}
[[op]]
id = "bad"
wasm = "{{root}}/tests/plugins/hostile"
call = "{call}"
{more}
[[sink]]
id = "out"
type = "file"
path = "out"
format = "json"
"#
    ))
}

/// Runs a hostile function; checks what every such error says, and that nothing was written.
fn stopped(call: &str, more: &str, code: &str) -> Ran {
    let job = job(call, more);
    let ran = job.once(&[]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    for part in [code, "bad", call, "tests/plugins/hostile", "sha256:", "batch      1"] {
        assert!(ran.err.contains(part), "{part} is missing in\n{}", ran.err);
    }
    assert!(!job.path().join("out/batch=00000000000000000001").exists());
    ran
}

#[test]
fn an_endless_loop_is_ended_by_its_time_limit() {
    let ran = stopped("spin_forever", "limits = { time = \"200ms\" }", "WEIR-PLUGIN-021");
    assert!(ran.err.contains("longer than its limit of 200ms"), "{}", ran.err);
}

#[test]
fn a_memory_bomb_is_refused_at_its_limit() {
    let ran = stopped("eat_memory", "limits = { memory = \"16MiB\" }", "WEIR-PLUGIN-022");
    assert!(ran.err.contains("its limit is 16777216"), "{}", ran.err);
}

#[test]
fn a_trap_shows_the_panic_and_the_frames() {
    let ran = stopped("trap_on_seven", "", "WEIR-PLUGIN-020");
    assert!(ran.err.contains("seven is not a number I like"), "{}", ran.err);
    assert!(ran.err.contains("backtrace"), "{}", ran.err);
}

#[test]
fn endless_recursion_is_a_trap_and_no_crash() {
    stopped("recurse", "", "WEIR-PLUGIN-02");
}

#[test]
fn more_rows_than_allowed_are_refused() {
    stopped("too_much", "", "WEIR-PLUGIN-025");
}

#[test]
fn a_rejected_row_is_shown() {
    let ran = stopped("only_even", "", "WEIR-PLUGIN-027");
    assert!(ran.err.contains("1 is odd") && ran.err.contains("{\"n\":1}"), "{}", ran.err);
}

#[test]
fn every_lie_about_the_result_is_found() {
    for lie in [
        "count",
        "length",
        "offsets",
        "descending",
        "bitmap",
        "null",
        "utf8",
        "missing",
        "port",
        "twice",
    ] {
        let config = format!("config = {{ lie = \"{lie}\" }}");
        stopped("lying", &config, "WEIR-PLUGIN-025");
    }
    stopped("lying", "config = { lie = \"parents\" }\nkeep = [\"n\"]", "WEIR-PLUGIN-025");
}

#[test]
fn an_honest_answer_of_the_same_function_is_taken() {
    let job = job("lying", "config = { lie = \"no\" }");
    job.once(&[]).fine();
    assert_eq!(job.written("out", 1), ["{\"word\":\"a\"}", "{\"word\":\"b\"}"]);
}

#[test]
fn the_sandbox_shows_nothing_but_the_batch() {
    let job = job("peeks", "");
    let ran = job.once(&["--format", "json"]).fine();
    let seen = job.written("out", 1);
    assert_eq!(seen.len(), 3);
    for row in &seen {
        let denied = "env=0 args=0 file=false dir=false write=false tcp=false";
        assert!(row.contains(denied), "{row}");
        assert!(row.contains("slept=3600 batch_time=true"), "{row}");
    }
    let texts: Vec<String> =
        ran.of_kind("log").iter().map(|line| line["text"].to_string()).collect();
    assert!(texts.iter().any(|text| text.contains("hello from row 7")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("a warning from row 8")), "{texts:?}");
    assert_eq!(ran.of_kind("batch")[0]["counters"]["bad.peeked"], 3);
}

#[test]
fn a_function_that_stays_open_prints_under_the_batch_that_it_is_in() {
    let job =
        crate::hostile_set::job_with("{root}/tests/plugins/hostile", "prints_rows", "fail", "");
    let lines = job.once(&["--format", "json"]).fine().of_kind("log");
    let said: Vec<(u64, &str)> = lines
        .iter()
        .map(|line| (line["batch"].as_u64().unwrap(), line["text"].as_str().unwrap()))
        .collect();
    assert_eq!(said[..4], [(1, "row 1"), (1, "row 2"), (2, "row 3"), (2, "row 4")]);
    assert_eq!(said[11], (6, "row 12"));
}
