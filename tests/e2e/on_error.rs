//! Rows that can't be taken are left out, counted or put aside by the policy of their op, and all
//! others come through.

use serde_json::Value;

use crate::host::{Job, Ran};

/// A job over the numbers 1 to `count`, of which only one is 7.
fn job(count: u32, op: &str) -> Job {
    let rows: Vec<String> = (1..=count).map(|n| format!("{{ n = {n} }}")).collect();
    Job::new(&format!(
        r#"
version = 1
name = "tolerant"
[job]
batch = "0s"
parallelism = 2
[dead_letters]
path = "letters"
[[source]]
id = "numbers"
type = "rows"
rows = [{}]
schema = {{ n = "int64!" }}
{op}
[[sink]]
id = "out"
type = "file"
path = "out"
format = "json"
"#,
        rows.join(", ")
    ))
}

fn op(call: &str, policy: &str, more: &str) -> String {
    let wasm = "{root}/tests/plugins/hostile";
    format!(
        "[[op]]\nid = \"bad\"\nwasm = \"{wasm}\"\ncall = \"{call}\"\n\
         on_error = \"{policy}\"\n{more}\n"
    )
}

fn run(job: &Job) -> Ran {
    job.once(&["--format", "json"]).fine()
}

/// What the first batch says of rows that were left out.
fn refused(ran: &Ran) -> Value {
    ran.of_kind("batch")[0]["refused"].clone()
}

/// The dead letters of the only run.
fn letters(job: &Job) -> Vec<Value> {
    let run = std::fs::read_dir(job.path().join("letters")).unwrap().next().unwrap().unwrap();
    let place = format!("letters/{}", run.file_name().to_str().unwrap());
    let lines = job.written(&place, 1);
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn numbers(job: &Job) -> Vec<i64> {
    let rows = job.written("out", 1);
    let mut numbers: Vec<i64> = rows
        .iter()
        .map(|row| serde_json::from_str::<Value>(row).unwrap()["n"].as_i64().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

fn all_but_seven(count: i64) -> Vec<i64> {
    (1..=count).filter(|n| *n != 7).collect()
}

#[test]
fn one_row_of_ten_thousand_traps_and_is_put_aside_alone() {
    let job = job(10_000, &op("trap_on_seven", "dead-letter", ""));
    let ran = run(&job);
    assert!(numbers(&job) == all_but_seven(10_000));
    let letters = letters(&job);
    assert_eq!(letters.len(), 1, "{letters:#?}");
    let letter = &letters[0];
    assert_eq!((&letter["at"], &letter["function"]), (&"bad".into(), &"trap_on_seven".into()));
    assert_eq!(letter["row"], "{\"n\":7}");
    assert_eq!(letter["origin"], "numbers, batch 1, row 7");
    assert_eq!(letter["code"], "WEIR-PLUGIN-020");
    assert!(letter["digest"].as_str().unwrap().starts_with("sha256:"), "{letter}");
    assert!(letter["stderr"].as_str().unwrap().contains("seven is not a number"), "{letter}");
    let frames = letter["backtrace"].as_array().unwrap();
    let named = |frame: &Value| frame.as_str().unwrap().contains("mapper");
    assert!(frames.iter().any(named), "{frames:#?}");
    let refused = refused(&ran);
    assert_eq!((&refused[0]["at"], &refused[0]["dead_letters"]), (&"bad".into(), &1.into()));
}

#[test]
fn skipped_rows_are_counted_and_said() {
    let job = job(20, &op("trap_on_seven", "skip", ""));
    let ran = job.once(&[]).fine();
    assert!(ran.err.contains("bad: 1 row skipped; first: the function trapped"), "{}", ran.err);
    assert!(numbers(&job) == all_but_seven(20));
    assert!(!job.path().join("letters").exists());
}

#[test]
fn rejected_rows_go_by_the_policy_of_every_kind() {
    let job = job(10, &op("only_even", "dead-letter", ""));
    run(&job);
    assert_eq!(numbers(&job), [2, 4, 6, 8, 10]);
    let letters = letters(&job);
    let messages: Vec<&str> =
        letters.iter().map(|letter| letter["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["1 is odd", "3 is odd", "5 is odd", "7 is odd", "9 is odd"]);
    assert!(letters.iter().all(|letter| letter["code"] == "WEIR-PLUGIN-027"));
}

#[test]
fn a_row_that_never_ends_is_left_out_and_the_batch_runs_again_without_it() {
    let limits = "limits = { time = \"300ms\" }";
    let job = job(5_000, &op("spin_on_seven", "dead-letter", limits));
    let ran = run(&job);
    assert!(numbers(&job) == all_but_seven(5_000));
    assert_eq!(ran.of_kind("batch")[0]["reruns"], 1);
    let letters = letters(&job);
    assert_eq!((letters.len(), &letters[0]["row"]), (1, &"{\"n\":7}".into()));
    assert!(letters[0]["message"].as_str().unwrap().contains("its limit of 300ms"));
}

#[test]
fn a_row_that_eats_memory_is_left_out() {
    let limits = "limits = { memory = \"32MiB\" }";
    let job = job(5_000, &op("hungry_on_seven", "skip", limits));
    let ran = run(&job);
    assert!(numbers(&job) == all_but_seven(5_000));
    assert_eq!(refused(&ran)[0]["skipped"], 1);
}

#[test]
fn a_predicate_and_an_aggregator_leave_out_the_row_that_they_trap_on() {
    let predicate = job(3_000, &op("test_traps_on_seven", "skip", ""));
    run(&predicate);
    assert!(numbers(&predicate) == all_but_seven(3_000));
    // 7 of 10,000 in one group; no partial sum of the others is 7 in any order of the lanes.
    let sum = job(10_000, &op("add_traps_on_seven", "dead-letter", ""));
    let ran = run(&sum);
    assert_eq!(numbers(&sum), [10_000 * 10_001 / 2 - 7], "{ran:#?}");
    assert_eq!(letters(&sum)[0]["row"], "{\"n\":7}");
}

/// A sum by key, whose key 7 fails in a way.
fn sum_by_key(at: &str, policy: &str) -> Job {
    let more =
        format!("key = [\"n\"]\nconfig = {{ at = \"{at}\" }}\nlimits = {{ time = \"300ms\" }}");
    job(10_000, &op("sum_fails_on_seven", policy, &more))
}

#[test]
fn a_key_that_has_no_result_is_named_and_left_out() {
    for at in ["finish trap", "finish spin", "merge trap", "merge spin", "merge reject"] {
        let job = sum_by_key(at, "dead-letter");
        let ran = run(&job);
        assert!(numbers(&job) == all_but_seven(10_000), "{at}");
        let letters = letters(&job);
        assert_eq!(letters.len(), 1, "{at}: {letters:?}");
        assert_eq!((&letters[0]["row"], &letters[0]["at"]), (&"{\"n\":7}".into(), &"bad".into()));
        assert_eq!(refused(&ran)[0]["dead_letters"], 1, "{at}: {ran:#?}");
    }
    let failing = sum_by_key("finish trap", "fail").once(&[]);
    assert_eq!(failing.code, 1, "{failing:#?}");
    assert!(failing.err.contains("seven is not a number I like"), "{}", failing.err);
}

#[test]
fn an_aggregate_of_sql_gives_null_for_a_key_that_has_no_result() {
    let wasm = "{root}/tests/plugins/hostile";
    let function = format!(
        "[[function]]\nid = \"total\"\nwasm = \"{wasm}\"\ncall = \"sum_fails_on_seven\"\n\
         config = {{ at = \"finish trap\" }}\non_error = \"skip\"\n\
         [[op]]\nid = \"q\"\nsql = \"SELECT n, total(n) AS t FROM numbers GROUP BY n ORDER BY n\"\n"
    );
    let job = job(8, &function);
    let ran = run(&job);
    let rows = job.written("out", 1);
    assert_eq!(&rows[5..], [r#"{"n":6,"t":6}"#, r#"{"n":7,"t":null}"#, r#"{"n":8,"t":8}"#]);
    assert_eq!(refused(&ran)[0]["skipped"], 1);
}

#[test]
fn a_function_of_sql_gives_null_for_a_row_that_it_skips() {
    let wasm = "{root}/tests/plugins/hostile";
    let function = format!(
        "[[function]]\nid = \"even\"\nwasm = \"{wasm}\"\ncall = \"only_even\"\n\
         on_error = \"skip\"\n\
         [[op]]\nid = \"q\"\nsql = \"SELECT n, even(n) AS e FROM numbers ORDER BY n\"\n"
    );
    let job = job(4, &function);
    let ran = run(&job);
    let expected =
        [r#"{"n":1,"e":null}"#, r#"{"n":2,"e":2}"#, r#"{"n":3,"e":null}"#, r#"{"n":4,"e":4}"#];
    assert_eq!(job.written("out", 1), expected);
    assert_eq!(refused(&ran)[0]["skipped"], 2);
}

#[test]
fn a_function_that_fails_on_too_many_rows_fails_the_op() {
    let job = job(1_000, &op("spin_forever", "skip", "limits = { time = \"50ms\" }"));
    let ran = job.once(&[]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.err.contains("WEIR-PLUGIN-029"), "{}", ran.err);
    assert!(!job.path().join("out/batch=00000000000000000001").exists());
}

#[test]
fn an_instance_that_traps_at_its_second_call_is_replaced() {
    let job = job(20_000, &op("trap_on_the_second_call", "skip", ""));
    run(&job);
    assert!(numbers(&job).into_iter().eq(1..=20_000));
}

#[test]
fn rows_can_be_hidden() {
    let job = Job::new(
        &std::fs::read_to_string(
            job(8, &op("trap_on_seven", "dead-letter", "")).path().join("job.toml"),
        )
        .unwrap()
        .replace("path = \"letters\"", "path = \"letters\"\nrow = \"hide\""),
    );
    run(&job);
    assert_eq!(letters(&job)[0]["row"], Value::Null);
    let failing = job.once(&["--set", "op.bad.on_error=fail", "--set", "sink.out.path=other"]);
    assert!(failing.code == 1 && !failing.err.contains("{\"n\":7}"), "{failing:#?}");
}
