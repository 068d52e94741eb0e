//! Bad jobs: every error names the place, the reason and a way out.

use crate::host::{Job, host, root};

/// Each folder of tests/jobs/bad has a job.toml and, in expected.txt, what `host check` says of it.
/// `UPDATE_EXPECT=1` writes the files anew.
#[test]
fn bad_jobs_are_explained() {
    let folder = root().join("tests/jobs/bad");
    let mut cases: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 20);
    let mut differ = Vec::new();
    for case in cases {
        let ran = host(&case, &["check", "job.toml"]);
        assert_eq!(ran.code, 78, "{}: {ran:#?}", case.display());
        let place = root();
        let said = ran.err.replace(place.to_str().unwrap(), "{root}");
        let expected = case.join("expected.txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&expected, &said).unwrap();
        }
        let expected = std::fs::read_to_string(expected).unwrap_or_default();
        if said != expected {
            differ.push(format!("{}\n--- expected\n{expected}\n--- got\n{said}", case.display()));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn a_missing_job_file_is_said() {
    let job = Job::new("");
    let ran = host(job.path(), &["run", "nothing.toml"]);
    assert_eq!(ran.code, 78);
    assert!(ran.err.contains("can't read `nothing.toml`"), "{}", ran.err);
}

#[test]
fn errors_come_as_json_too() {
    let job = Job::new("version = 1\nname = \"x\"\nbatc = 1\n");
    let ran = host(job.path(), &["check", "job.toml", "--format", "json"]);
    assert_eq!(ran.code, 78);
    let error = &ran.events()[0];
    assert_eq!(error["event"], "error");
    let codes: Vec<&str> =
        error["problems"].as_array().unwrap().iter().map(|p| p["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"WEIR-JOB-003") && codes.contains(&"WEIR-JOB-015"), "{codes:?}");
}

#[test]
fn every_code_in_an_error_can_be_explained() {
    let ran = host(&root(), &["explain", "weir-plugin-021"]).fine();
    assert!(ran.out.contains("limits.time"), "{}", ran.out);
    assert_eq!(host(&root(), &["explain", "WEIR-NO-1"]).code, 1);
}

#[test]
fn what_is_not_a_component_is_refused() {
    for (name, content, reason) in [
        ("core.wasm", b"\0asm\x01\0\0\0".as_slice(), "it is a core module"),
        ("text.wasm", b"hello, world".as_slice(), "does not begin as WebAssembly"),
        ("cut.wasm", b"\0asm\x0d\0\x01\0\x01\x20".as_slice(), "is not a component"),
        ("empty.wasm", b"".as_slice(), "does not begin as WebAssembly"),
        ("bare.wasm", b"\0asm\x0d\0\x01\0".as_slice(), "does not export `weir:operator/guest`"),
    ] {
        let job = Job::new("");
        std::fs::write(job.path().join(name), content).unwrap();
        let ran = host(job.path(), &["inspect", name]);
        assert_eq!(ran.code, 1, "{name}");
        assert!(ran.err.contains(reason), "{name}: {}", ran.err);
    }
}

#[test]
fn inspect_shows_functions_and_rights() {
    let ran = host(&root(), &["inspect", "plugins/text"]).fine();
    for part in [
        "split (flat-mapper, pure)",
        "reads     line: string",
        "gives     word: string, n: int64",
        "weir:operator 0.1.0",
        "granted   log, metrics, context",
        "state     some: bool, n: int64 (version 1)",
    ] {
        assert!(ran.out.contains(part), "{part} is missing in\n{}", ran.out);
    }
}

#[test]
fn the_plan_shows_the_way_of_a_row() {
    let ran = host(&root(), &["plan", "examples/01-wordcount/job.toml"]).fine();
    for part in ["SourceExec: source=lines", "FlatMapExec: op=words", "ExchangeExec: key=[word@0]"]
    {
        assert!(ran.out.contains(part), "{part} is missing in\n{}", ran.out);
    }
}
