//! A function sees of the machine what its op allows, and the process itself no more than the job.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::host::{Job, command};

const JOB: &str = r#"
version = 1
name = "rights"
[job]
batch = "0s"
parallelism = 1
[[source]]
id = "numbers"
type = "rows"
rows = [{ n = 5 }]
schema = { n = "int64!" }
[[op]]
id = "op"
wasm = "{root}/tests/plugins/hostile"
call = "uses_rights"
{allow}
[[sink]]
id = "out"
type = "file"
path = "out"
"#;

fn job(allow: &str) -> Job {
    let job = Job::new(&JOB.replace("{allow}", allow))
        .file("data/table.txt", "table")
        .file("secret.txt", "secret")
        .file("scratch/old.txt", "old");
    symlink(job.path().join("secret.txt"), job.path().join("data/link")).unwrap();
    job
}

#[test]
fn without_allow_a_function_sees_nothing() {
    let job = job("");
    job.once(&[]).fine();
    let seen = &job.written("out", 1)[0];
    let nothing = "env=[] given= read=no up=no link=no root=false write=false truncate=false \
                   rename=false hard_link=false scratch=false and_back=no";
    assert!(seen.contains(nothing), "{seen}");
}

#[test]
fn what_is_allowed_is_seen_and_nothing_else() {
    let allow = "allow = { env = { GIVEN = \"value\" }, read = [\"data\"], write = [\"scratch\"] }";
    let job = job(allow);
    job.once(&[]).fine();
    let seen = job.written("out", 1)[0].replace('\\', "");
    let allowed = "env=[\"GIVEN\"] given=value read=table up=no link=no root=false write=false \
                   truncate=false rename=false hard_link=false scratch=true and_back=5";
    assert!(seen.contains(allowed), "{seen}");
    assert_eq!(std::fs::read_to_string(job.path().join("data/table.txt")).unwrap(), "table");
    assert_eq!(std::fs::read_to_string(job.path().join("scratch/new.txt")).unwrap(), "5");
}

#[test]
fn variables_of_the_host_are_handed_on_by_name() {
    let job = job("allow = { env = [\"GIVEN\"] }");
    let missing = job.once(&[]);
    assert_eq!(missing.code, 78, "{missing:#?}");
    assert!(missing.err.contains("WEIR-JOB-020"), "{}", missing.err);
    let mut run = command(job.path());
    let output = run.args(["run", "job.toml", "--once"]).env("GIVEN", "from outside").output();
    assert!(output.unwrap().status.success());
    let seen = &job.written("out", 1)[0];
    assert!(seen.contains("given=from outside"), "{seen}");
}

#[test]
fn plan_shows_what_is_granted_apart_from_what_is_imported() {
    let job = job("allow = { env = { GIVEN = \"secret\" }, read = [\"data\"] }");
    let plan = crate::host::host(job.path(), &["plan", "job.toml"]).fine();
    assert!(plan.out.contains("  op: variable GIVEN, read data"), "{}", plan.out);
    assert!(plan.out.contains("imports weir:operator/"), "{}", plan.out);
    assert!(!plan.out.contains("secret"), "{}", plan.out);
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let job = job("allow = { read = [\"nowhere\"] }");
    let ran = job.once(&[]);
    assert_eq!(ran.code, 78, "{ran:#?}");
    assert!(ran.err.contains("there is no folder `nowhere` to allow"), "{}", ran.err);
}

#[test]
fn the_process_itself_can_read_only_what_the_job_names() {
    let text = "version = 1\nname = \"confined\"\n[[source]]\nid = \"lines\"\ntype = \"file\"\n\
                path = \"in\"\n[[sink]]\nid = \"out\"\ntype = \"console\"\n";
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("a.txt"), "from outside\n").unwrap();
    let job = Job::new(text).file("in/b.txt", "from inside\n");
    symlink(outside.path().join("a.txt"), job.path().join("in/a.txt")).unwrap();
    let free = job.once(&["--set", "job.confine=false"]).fine();
    assert!(free.out.contains("from outside"), "{free:#?}");
    let confined = job.once(&[]);
    if confined.err.contains("no Landlock") {
        return;
    }
    assert!(confined.code != 0, "{confined:#?}");
    assert!(confined.err.contains("ermission denied"), "{}", confined.err);
}

#[test]
fn a_confined_run_leaves_nothing_in_the_folder_for_temporary_files() {
    let temporary = tempfile::tempdir().unwrap();
    let job = job("");
    let mut run = command(job.path());
    let run = run.args(["run", "job.toml", "--once"]).env("TMPDIR", temporary.path());
    assert!(run.output().unwrap().status.success());
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn a_function_that_waits_on_a_pipe_for_ever_can_be_stopped() {
    let job = job("allow = { read = [\"data\"] }");
    let text = std::fs::read_to_string(job.path().join("job.toml")).unwrap();
    job.write("job.toml", &text.replace("uses_rights", "opens_a_table"));
    let pipe = job.path().join("data/table.txt");
    std::fs::remove_file(&pipe).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut run = command(job.path());
    let mut run = run.args(["run", "job.toml"]).stderr(Stdio::piped()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&run);
    let terminate = || {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    };
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with("opening")));
    terminate();
    assert!(lines.any(|line| line.starts_with("stopping after the batch in flight")));
    terminate();
    assert!(lines.any(|line| line.contains("does not give up")));
    assert_eq!(run.wait().unwrap().code(), Some(1));
}
