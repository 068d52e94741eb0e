//! `host fmt`: one layout for job files, and nothing lost.

use std::io::Write;
use std::process::Stdio;

use crate::host::{Ran, command, host, root};

const UNEVEN: &str = "version=1\nname  = \"x\"   # the name\n[[source]]\nid=\"a\" # an id\n\n\n\n\
                      type='rows'\nrows=[{n=1},{n=2}]\n[[sink]]\nid = \"out\"\ntype=\"console\"";

const EVEN: &str = "version = 1\nname = \"x\"    # the name\n\n[[source]]\nid = \"a\" # an id\n\n\
                    type = 'rows'\nrows = [{ n = 1 }, { n = 2 }]\n\n[[sink]]\nid = \"out\"\n\
                    type = \"console\"\n";

#[test]
fn a_job_is_laid_out_and_then_stays() {
    let folder = tempfile::tempdir().unwrap();
    let job = folder.path().join("job.toml");
    std::fs::write(&job, UNEVEN).unwrap();
    let ran = host(folder.path(), &["fmt", "job.toml", "--check"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, "job.toml\n"), "{ran:#?}");
    assert_eq!(std::fs::read_to_string(&job).unwrap(), UNEVEN, "--check writes nothing");
    let ran = host(folder.path(), &["fmt", "job.toml", "--format", "json"]).fine();
    assert_eq!(ran.of_kind("layout")[0]["changed"], true);
    assert_eq!(std::fs::read_to_string(&job).unwrap(), EVEN);
    host(folder.path(), &["fmt", "job.toml", "--check"]).fine();
    host(folder.path(), &["run", "job.toml", "--once", "--from", "none"]).fine();
}

#[test]
fn standard_input_goes_to_standard_output() {
    assert_eq!(piped(&["fmt", "-"]).out, EVEN);
    let events = piped(&["fmt", "-", "--format", "json"]).of_kind("layout");
    assert_eq!((&events[0]["changed"], &events[0]["text"]), (&true.into(), &EVEN.into()));
}

fn piped(arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut fmt = command(folder.path());
    fmt.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = fmt.spawn().unwrap();
    child.stdin.take().unwrap().write_all(UNEVEN.as_bytes()).unwrap();
    Ran::from(child.wait_with_output().unwrap()).fine()
}

#[test]
fn what_is_no_toml_is_told_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let job = folder.path().join("job.toml");
    std::fs::write(&job, "name = \n[[").unwrap();
    let ran = host(folder.path(), &["fmt", "job.toml", "missing.toml"]);
    assert_eq!(ran.code, 78, "{ran:#?}");
    assert!(ran.err.contains("WEIR-JOB-001") && ran.err.contains("WEIR-CLI-002"), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(&job).unwrap(), "name = \n[[");
}

#[test]
fn the_examples_are_laid_out() {
    for example in std::fs::read_dir(root().join("examples")).unwrap() {
        let example = example.unwrap().path();
        host(&example, &["fmt", "job.toml", "--check"]).fine();
    }
}
