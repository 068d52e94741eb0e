//! `host test` runs the tests that stand in a job, through the whole plan.

use crate::host::{Job, Ran, host};

const JOB: &str = r#"
version = 1
name = "tested"
[[source]]
id = "lines"
type = "file"
path = "nowhere/*.txt"
[[op]]
id = "words"
wasm = "{root}/plugins/text"
call = "split"
[[op]]
id = "counts"
wasm = "{root}/plugins/text"
call = "sum"
key = ["word"]
[[sink]]
id = "out"
type = "file"
path = "out"
[[test]]
name = "words are counted"
to = "counts"
feed.lines = [{ line = "to be or not" }, { line = "to be" }]
expect = [
  { word = "be", n = 2 }, { word = "not", n = 1 }, { word = "or", n = 1 }, { word = "to", n = 2 },
]
[[test]]
name = "words keep their order"
to = "words"
feed.lines = [{ line = "b a" }]
ordered = true
expect = [{ word = "b", n = 1 }, { word = "a", n = 1 }]
"#;

fn test(job: &str, more: &[&str]) -> Ran {
    let job = Job::new(job);
    // The folder of the source need not have anything in it: nothing outside is read.
    std::fs::create_dir(job.path().join("nowhere")).unwrap();
    let ran = host(job.path(), &[&["test", "job.toml"], more].concat());
    assert!(!job.path().join("out").exists());
    ran
}

#[test]
fn tests_that_hold_say_so() {
    let ran = test(JOB, &[]).fine();
    assert_eq!(ran.out, "ok   words are counted\nok   words keep their order\n");
    assert!(ran.err.contains("2 passed, 0 failed"), "{}", ran.err);
}

#[test]
fn a_test_that_fails_shows_the_difference_and_exits_with_3() {
    let job = JOB.replace("{ word = \"be\", n = 2 }", "{ word = \"be\", n = 3 }");
    let ran = test(&job, &[]);
    assert_eq!(ran.code, 3, "{ran:#?}");
    let said = "FAIL words are counted\n     missing {\"word\":\"be\",\"n\":3}\n     \
                extra   {\"word\":\"be\",\"n\":2}\nok   words keep";
    assert!(ran.out.contains(said), "{}", ran.out);
}

#[test]
fn results_are_events_too() {
    let ran = test(JOB, &["--format", "json"]).fine();
    let passed: Vec<bool> =
        ran.of_kind("test").iter().map(|test| test["passed"].as_bool().unwrap()).collect();
    assert_eq!(passed, [true, true]);
}

#[test]
fn an_error_can_be_expected() {
    let job = r#"
version = 1
name = "tested"
[[source]]
id = "numbers"
type = "rows"
rows = [{ n = 1 }]
schema = { n = "int64!" }
[[op]]
id = "even"
wasm = "{root}/tests/plugins/hostile"
call = "only_even"
[[sink]]
id = "out"
type = "console"
[[test]]
name = "odd numbers are refused"
to = "even"
feed.numbers = [{ n = 2 }, { n = 3 }]
expect_error = "3 is odd"
[[test]]
name = "even ones are not"
to = "even"
feed.numbers = [{ n = 2 }]
expect_error = "is odd"
"#;
    let ran = test(job, &[]);
    assert_eq!(ran.code, 3, "{ran:#?}");
    assert!(ran.out.starts_with("ok   odd numbers are refused\nFAIL even ones"), "{}", ran.out);
    assert!(ran.out.contains("the batch succeeded"), "{}", ran.out);
}

#[test]
fn the_folder_of_a_plugin_runs_its_own_tests() {
    let root = crate::host::root();
    host(&root, &["test", "plugins/text"]).fine();
}

#[test]
fn doctor_completions_and_man_pages_work_anywhere() {
    let place = tempfile::tempdir().unwrap();
    let looked = host(place.path(), &["doctor"]).fine();
    assert!(looked.out.contains("ok   sandbox: ") && looked.out.contains("second wall: "));
    let zsh = host(place.path(), &["completions", "zsh"]).fine();
    assert!(zsh.out.starts_with("#compdef host"), "{}", zsh.out);
    host(place.path(), &["man", "pages"]).fine();
    let page = std::fs::read_to_string(place.path().join("pages/host-run.1")).unwrap();
    assert!(page.contains("Run a job until it is stopped"), "{page}");
}

#[test]
fn a_name_that_is_no_column_fails_a_test() {
    for (from, to, said) in [
        ("{ line = \"to be\" }", "{ lien = \"to be\" }", "feed.lines: there is no column `lien`"),
        ("{ word = \"or\", n = 1 }", "{ word = \"or\", m = 1 }", "expect: there is no column `m`"),
    ] {
        let ran = test(&JOB.replace(from, to), &[]);
        assert_eq!(ran.code, 3, "{ran:#?}");
        assert!(ran.out.contains(said), "{ran:#?}");
    }
}

#[test]
fn a_rate_need_not_be_fed() {
    let rate = "[[source]]\nid = \"ticks\"\ntype = \"rate\"\n[[sink]]\nid = \"seen\"\n\
                from = \"ticks\"\ntype = \"console\"\n[[test]]\nname = \"words are counted\"";
    let ran = test(&JOB.replacen("[[test]]\nname = \"words are counted\"", rate, 1), &[]).fine();
    assert!(ran.err.contains("2 passed, 0 failed"), "{}", ran.err);
}
