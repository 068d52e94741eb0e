//! Batches, parallelism, triggers and stops.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::host::{Job, command, root};

const COUNT: &str = r#"
version = 1
name = "count"
[job]
batch = "0s"
[[source]]
id = "lines"
type = "file"
path = "in"
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
"#;

fn text() -> String {
    std::fs::read_to_string(root().join("examples/01-wordcount/input/pentateuch.txt")).unwrap()
}

#[test]
fn a_batch_gives_the_same_rows_again_and_with_1_2_and_4_lanes() {
    let counted = |lanes: &str| {
        let job = Job::new(COUNT).file("in/a.txt", &text()).file("in/b.txt", "a b\nb c");
        job.once(&["--set", &format!("job.parallelism={lanes}")]).fine();
        job.written("out", 1)
    };
    let sorted = |mut rows: Vec<String>| {
        rows.sort();
        rows
    };
    let two = counted("2");
    assert_eq!(two, counted("2"), "the same rows in the same order");
    let two = sorted(two);
    assert_eq!(two, sorted(counted("1")));
    assert_eq!(two, sorted(counted("4")));
    assert!(two.len() > 5_000);
}

#[test]
fn rows_of_a_key_keep_their_order_in_any_number_of_lanes() {
    let job = r#"
version = 1
name = "order"
[job]
batch = "0s"
[[source]]
id = "lines"
type = "file"
path = "in"
[[op]]
id = "words"
wasm = "{root}/plugins/text"
call = "split"
keep = ["line"]
[[op]]
id = "spread"
native = "repartition"
key = ["word"]
[[sink]]
id = "out"
type = "file"
path = "out"
"#;
    let lines: String = (0..20_000).map(|n| format!("k{} number-{n}\n", n % 7)).collect();
    let of_k3 = |lanes: &str| -> Vec<String> {
        let job = Job::new(job).file("in/a.txt", &lines);
        job.once(&["--set", &format!("job.parallelism={lanes}")]).fine();
        let rows = job.written("out", 1);
        rows.into_iter().filter(|row| row.contains("\"word\":\"k3\"")).collect()
    };
    let one = of_k3("1");
    assert_eq!(one.len(), 2857);
    assert_eq!(one, of_k3("2"));
    assert_eq!(one, of_k3("4"));
}

#[test]
fn a_limit_of_files_makes_several_batches_of_one_plan() {
    let job = Job::new(&COUNT.replace("path = \"in\"", "path = \"in\"\nfiles_per_batch = 1"));
    for n in 0..100 {
        job.write(&format!("in/{n:03}.txt"), &format!("word-{n} common\ncommon"));
    }
    let ran = job.once(&["--format", "json"]).fine();
    assert_eq!(ran.of_kind("batch").len(), 100);
    let mut seen: Vec<String> = Vec::new();
    for batch in 1..=100 {
        let rows = job.written("out", batch);
        assert_eq!(rows.len(), 2, "batch {batch}: {rows:?}");
        assert!(rows.contains(&"{\"word\":\"common\",\"n\":2}".to_owned()), "{rows:?}");
        seen.extend(rows.into_iter().filter(|row| row.contains("word-")));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 100, "every file is taken once");
}

#[test]
fn shuffled_rows_beyond_the_memory_are_spilled_and_all_arrive() {
    let job = r#"
version = 1
name = "spill"
[job]
batch = "0s"
memory = "16MiB"
parallelism = 2
[[source]]
id = "lines"
type = "file"
path = "in"
[[op]]
id = "spread"
native = "repartition"
key = ["line"]
[[op]]
id = "counted"
native = "count"
[[sink]]
id = "out"
type = "file"
path = "out"
"#;
    let lines: String = (0..400_000)
        .map(|n| format!("a rather long line, so that the rows do not fit: {n}\n"))
        .collect();
    let job = Job::new(job).file("in/a.txt", &lines);
    job.once(&[]).fine();
    assert_eq!(job.written("out", 1), ["{\"count\":400000}"]);
}

#[test]
fn a_running_job_takes_new_files_and_sigterm_drains_it() {
    let job = Job::new(COUNT).file("in/a.txt", "a b");
    let mut child = command(job.path())
        .args(["run", "job.toml", "--format", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut events = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next_batch = || {
        events.by_ref().map(|line| line.unwrap()).find(|line| line.contains("\"event\":\"batch\""))
    };
    assert!(next_batch().unwrap().contains("\"rows_in\":1"));
    job.write("in/b.txt", "c\nd\ne");
    assert!(next_batch().unwrap().contains("\"rows_in\":3"));
    let killed = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert!(child.wait().unwrap().success(), "a drained job exits with 0");
    assert_eq!(job.written("out", 2).len(), 3);
}

#[test]
fn nothing_to_do_says_so() {
    let job = Job::new(COUNT).file("in/.hidden", "a");
    let ran = job.once(&[]).fine();
    assert!(ran.err.contains("there was no new input"), "{}", ran.err);
}

#[test]
fn a_file_that_is_not_taken_is_told_once() {
    let job = Job::new(COUNT).file("in/a.txt", "a b");
    let pipe = job.path().join("in/pipe.txt");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let ran = job.once(&[]).fine();
    let told = ran.err.lines().filter(|line| line.contains("pipe.txt` is not taken")).count();
    assert_eq!(told, 1, "{}", ran.err);
    assert_eq!(job.written("out", 1).len(), 2);
}

#[test]
fn once_does_not_wait_for_the_next_interval() {
    let job = Job::new(
        "version = 1\nname = \"once\"\n[job]\nbatch = \"1h\"\n[[source]]\nid = \"n\"\n\
         type = \"rows\"\nbatches = [[{ n = 1 }], [{ n = 2 }]]\n[[sink]]\nid = \"out\"\n\
         type = \"file\"\npath = \"out\"\n",
    );
    job.once(&[]).fine();
    assert_eq!(job.written("out", 2), ["{\"n\":2}"]);
}

#[test]
fn rows_that_can_t_be_shown_are_a_failure() {
    let job = Job::new(
        "version = 1\nname = \"full\"\n[[source]]\nid = \"n\"\ntype = \"rows\"\n\
         rows = [{ n = 1 }]\n[[sink]]\nid = \"out\"\ntype = \"console\"\n",
    );
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut run = command(job.path());
    let ran = run.args(["run", "job.toml", "--once"]).stdout(full).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("can't write to standard output"));
}

#[test]
fn a_folder_that_is_made_later_is_read_behind_the_second_wall() {
    let job = Job::new(&COUNT.replace("path = \"in\"", "path = \"later\""));
    let mut run = command(job.path());
    let run = run.args(["run", "job.toml", "--format", "json"]).stdout(Stdio::piped());
    let mut run = run.spawn().unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"event\":\"idle\"")));
    job.write("later/a.txt", "to be");
    assert!(lines.any(|line| line.contains("\"event\":\"batch\"")));
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn a_query_of_thousands_of_operators_is_refused_and_the_host_lives() {
    for (sql, said) in [
        (format!("SELECT n{} AS n FROM n", "+n".repeat(20_000)), "20001 operators"),
        (vec!["SELECT n FROM n"; 5_000].join(" UNION ALL "), "operators"),
    ] {
        let job = Job::new(&format!(
            "version = 1\nname = \"long\"\n[[source]]\nid = \"n\"\ntype = \"rows\"\n\
             rows = [{{ n = 1 }}]\n[[op]]\nid = \"o\"\nsql = \"{sql}\"\n\
             [[sink]]\nid = \"out\"\ntype = \"console\"\n"
        ));
        let ran = job.once(&[]);
        assert_eq!(ran.code, 78, "{ran:#?}");
        assert!(ran.err.contains(said), "{ran:#?}");
    }
}
