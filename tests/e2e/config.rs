//! `host schema` and `host config show`: what a job may say, and what it says.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::host::{Job, command, host, root};
use crate::shape::fault;

fn schema() -> Value {
    let folder = tempfile::tempdir().unwrap();
    let ran = host(folder.path(), &["schema"]).fine();
    let schema: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    schema
}

/// All job files below a folder.
fn jobs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.file_name().unwrap().to_str().unwrap() {
            "target" | "bad" => {}
            "job.toml" => found.push(path),
            _ if path.is_dir() => jobs(&path, found),
            _ => {}
        }
    }
}

#[test]
fn the_jobs_of_this_repository_fit_the_schema() {
    let schema = schema();
    let mut found = Vec::new();
    for folder in ["examples", "tests", "plugins", "sdk/rust/template"] {
        jobs(&root().join(folder), &mut found);
    }
    assert!(found.len() >= 8, "{found:?}");
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap().replace("{{name}}", "made");
        let job: Value = toml::from_str(&text).unwrap();
        assert_eq!(fault(&schema, &job), None, "{}", path.display());
    }
}

/// Folders of tests/jobs/bad that no schema can refuse: what is wrong is how entries fit together,
/// a bound of a text with a unit, what a plugin or a query says, or how the file is written.
const MEANT_WRONG: [&str; 55] = [
    "across-run",
    "across-without-key",
    "aggregate-of-text",
    "aggregate-unknown",
    "append-of-running",
    "bad-sql",
    "byte-order-mark",
    "circle",
    "deep",
    "duplicate-id",
    "event-time-of-text",
    "function-of-sql",
    "initial-in-sink",
    "initial-key-clashes",
    "initial-of-an-aggregate",
    "keep-clashes",
    "key-on-a-mapper",
    "limits-out-of-bounds",
    "long-circle",
    "missing-column",
    "missing-plugin",
    "mode-complete",
    "no-port",
    "nothing-above",
    "number-too-large",
    "reads-a-sink",
    "reads-below",
    "reads-itself",
    "secret-in-sql",
    "sink-in-source",
    "sink-outside",
    "sql-ddl",
    "sql-random",
    "sqlite-columns",
    "test-of-nothing",
    "timeout-on-a-mapper",
    "two-modes",
    "two-sinks-one-folder",
    "union-of-different",
    "union-of-one",
    "unknown-config",
    "unknown-from",
    "unknown-function",
    "unknown-key",
    "updater-by-a-list",
    "updater-in-sql",
    "updater-key-clashes",
    "updater-of-another-key",
    "updater-with-keep",
    "updater-without-key",
    "visit-on-an-aggregator",
    "window-of-odd-length",
    "window-without-time",
    "wrong-column-type",
    "wrong-config",
];

#[test]
fn a_job_of_the_wrong_shape_does_not_fit_the_schema() {
    let schema = schema();
    let mut passed = Vec::new();
    let folder = root().join("tests/jobs/bad");
    for case in std::fs::read_dir(&folder).unwrap() {
        let case = case.unwrap();
        let bytes = std::fs::read(case.path().join("job.toml")).unwrap();
        let text = std::str::from_utf8(&bytes).ok();
        let job = text.and_then(|text| toml::from_str::<Value>(text).ok());
        if job.is_some_and(|job| fault(&schema, &job).is_none()) {
            passed.push(case.file_name().into_string().unwrap());
        }
    }
    passed.sort();
    assert_eq!(passed, MEANT_WRONG);
}

const SMALL: &str = "version = 1\nname = \"x\"\n[[source]]\nid = \"a\"\ntype = \"rows\"\n\
                     rows = [{ n = 1 }]\n[[sink]]\nid = \"out\"\ntype = \"console\"\n";

#[test]
fn lengths_of_time_and_sizes_look_as_the_reader_takes_them() {
    let schema = schema();
    let job = Job::new(SMALL);
    let cases = [
        (
            "batch",
            &["0s", "500ms", "1m 30s", "1h30m", "2 hours, 5 mins", "1.5s", "PT5S", "10 µs"][..],
            true,
        ),
        ("batch", &["", "5", "soon", "1d", "1s nonsense", "-1s", "1 month"], false),
        ("memory", &["64MiB", "1 GiB", "20_000_000", "50MB", "1TB", "17000000 B"], true),
        ("memory", &["", "much", "-1", "+1", "1.5GiB", "64mib", "64 MiB 2 KiB", "_1"], false),
    ];
    for (setting, texts, fine) in cases {
        for text in texts {
            let option = format!("job.{setting}=\"{text}\"");
            let ran = host(job.path(), &["config", "show", "job.toml", "--set", &option]);
            assert_eq!(ran.code, if fine { 0 } else { 78 }, "{option}: {ran:#?}");
            let value = serde_json::json!(text);
            let known = &schema["properties"]["job"]["properties"][setting];
            assert_eq!(fault(known, &value).is_none(), fine, "{option}");
        }
    }
}

const ORIGINS: &str = r#"version = 1
name = "origins"

[vars]
folder = "in"
kind = { env = "WEIR_TEST_KIND", default = "unset" }
key = { secret = "env:WEIR_TEST_KEY" }

[job]
batch = "2s"

[[source]]
id = "lines"
type = "file"
path = "${folder}/${kind}/*.txt"

[[op]]
id = "words"
wasm = "w.wasm"
config = { key = "<${key}>", plain = "$${x}", "a b" = 1.0 }
limits = { time = "1s" }

[[sink]]
id = "out"
type = "file"
path = "out"
"#;

const CANARY: &str = "c4nary-of-config";

fn shown(arguments: &[&str]) -> String {
    let job = Job::new(ORIGINS);
    let mut show = command(job.path());
    show.args(["config", "show", "job.toml"]).args(arguments);
    show.env("WEIR_TEST_KEY", CANARY).env("HOST__JOB__MEMORY", "2GiB");
    let ran = crate::host::Ran::from(show.output().unwrap()).fine();
    assert!(!ran.out.contains("c4nary") && !ran.err.contains("c4nary"), "{ran:#?}");
    ran.out
}

#[test]
fn every_setting_says_where_it_comes_from() {
    let set = ["--origin", "--set", "op.words.limits.memory=1MiB", "--set", "vars.folder=else"];
    let out = shown(&set);
    for line in [
        "version = 1 # job.toml:1",
        "[job]",
        "batch = \"2s\" # job.toml:10",
        "memory = \"2GiB\" # HOST__JOB__MEMORY",
        "grace = \"30s\" # default",
        "path = \".weir/origins/dead-letters\" # default: .weir/NAME/dead-letters",
        "[[source]]",
        "path = \"else/unset/*.txt\" # job.toml:15; folder: --set vars.folder; kind: default, \
         WEIR_TEST_KIND is not set",
        "format = \"text\" # default",
        "max_unpacked = \"16GiB\" # default",
        "[[op]]",
        "from = \"lines\" # default: the entry above",
        "config.key = \"<***>\" # job.toml:20; key: secret in variable WEIR_TEST_KEY",
        "config.plain = \"$${x}\" # job.toml:20",
        "config.\"a b\" = 1.0 # job.toml:20",
        "limits.time = \"1s\" # job.toml:21",
        "limits.memory = \"1MiB\" # --set op.words.limits.memory",
        "limits.result = \"64MiB\" # default",
        "[[sink]]",
    ] {
        let even = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(out.lines().any(|shown| even(shown) == even(line)), "{line}\n{out}");
    }
    assert!(out.contains("parallelism = ") && out.contains("# default: the cores of the machine"));
    assert!(!out.contains("[vars]"), "values stand in the texts: {out}");
}

#[test]
fn settings_come_as_json_too() {
    let event: Value = serde_json::from_str(&shown(&["--format", "json", "--origin"])).unwrap();
    assert_eq!(event["event"], "config");
    let settings = &event["settings"];
    assert_eq!(settings["job"]["memory"], "2GiB");
    assert_eq!(settings["source"][0]["path"], "in/unset/*.txt");
    assert_eq!(
        settings["op"][0]["config"],
        serde_json::json!({ "key": "<***>", "plain": "${x}", "a b": 1.0 })
    );
    let origins = &event["origins"];
    assert_eq!(origins["job.memory"], "HOST__JOB__MEMORY");
    assert_eq!(origins["op.words.limits.time"], "job.toml:21");
    assert_eq!(origins["sink.out.format"], "default");
    let event: Value = serde_json::from_str(&shown(&["--format", "json"])).unwrap();
    assert!(event.get("origins").is_none() && event["settings"]["version"] == 1);
}

#[test]
fn what_is_shown_is_a_job_that_says_the_same() {
    let schema = schema();
    let whole = format!(
        "{ORIGINS}\n[[test]]\nname = \"one\"\nto = \"words\"\nfeed.lines = [{{ line = \"a\" }}]\n\
         expect = []\n[[source]]\nid = \"made\"\ntype = \"rate\"\n[[op]]\nid = \"all\"\n\
         native = \"union\"\nfrom = [\"words.late\", \"made\"]\n[[op]]\nid = \"q\"\n\
         sql = \"SELECT '\\\\' AS \\\"x\\\" FROM all\"\n"
    );
    let job =
        Job::new(&whole.replace("secret = \"env:WEIR_TEST_KEY\"", "env = \"NO\", default = \"d\""));
    let once = host(job.path(), &["config", "show", "job.toml"]).fine().out;
    job.write("shown.toml", &once);
    let twice = host(job.path(), &["config", "show", "shown.toml"]).fine().out;
    assert_eq!(once, twice);
    assert_eq!(fault(&schema, &toml::from_str(&once).unwrap()), None, "{once}");
    let origins = host(job.path(), &["config", "show", "shown.toml", "--origin"]).fine().out;
    assert!(!origins.contains("# default"), "all is written now: {origins}");
}

#[test]
fn settings_of_a_wrong_job_are_not_shown() {
    let job = Job::new(SMALL);
    for (set, code) in [("job.batch=soon", "WEIR-JOB-006"), ("job.bach=5s", "WEIR-JOB-003")] {
        let ran = host(job.path(), &["config", "show", "job.toml", "--set", set]);
        assert_eq!((ran.code, ran.out.as_str()), (78, ""), "{ran:#?}");
        assert!(ran.err.contains(code), "{}", ran.err);
    }
}
