//! How states are kept while a job goes on: another `ttl`, and another store.

use serde_json::Value;

use crate::host::{Job, Ran, host};

const JOB: &str = r#"
version = 1
name = "kept"
[job]
batch = "10m"
clock = "batches"
[[source]]
id = "values"
type = "file"
path = "in"
format = "json"
schema = { user = "string!", n = "int64!" }
files_per_batch = 1
[[op]]
id = "it"
wasm = "{root}/tests/plugins/keyed"
call = "track"
key = ["user"]
[[sink]]
id = "out"
type = "file"
path = "out"
"#;

fn run(job: &Job, more: &[&str]) -> Ran {
    host(job.path(), &[&["run", "job.toml", "--once"], more].concat())
}

/// A batch with one value of a user, ten minutes after the one before.
fn batch(job: &Job, number: u64, user: &str, more: &[&str]) {
    job.write(&format!("in/{number:03}"), &format!("{{\"user\":\"{user}\",\"n\":1}}\n"));
    run(job, more).fine();
}

/// Users that have a state.
fn users(job: &Job) -> String {
    let query = "SELECT user FROM it ORDER BY user";
    let ran = host(job.path(), &["state", "sql", "job.toml", query, "--format", "json"]).fine();
    ran.events().iter().map(|row| row["user"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_ttl_comes_changes_and_goes_while_a_job_goes_on() {
    let job = Job::new(JOB);
    batch(&job, 1, "a", &[]);
    batch(&job, 2, "b", &[]);
    // States without a time count as set in the first batch that has a `ttl`: the third.
    let ttl = ["--set", "op.it.ttl=25m", "--verify"];
    batch(&job, 3, "c", &ttl);
    batch(&job, 4, "d", &ttl);
    assert_eq!(users(&job), "abcd");
    batch(&job, 5, "a", &ttl);
    assert_eq!(users(&job), "abcd");
    batch(&job, 6, "e", &ttl);
    // b and c were set at 20 min. at the latest, a and d after it.
    assert_eq!(users(&job), "ade");
    // A longer one counts for states that were set before it, too: d would have ended.
    let longer = ["--set", "op.it.ttl=45m"];
    batch(&job, 7, "e", &longer);
    assert_eq!(users(&job), "ade");
    // So does a shorter one: only what was set within it is left.
    batch(&job, 8, "f", &["--set", "op.it.ttl=15m"]);
    assert_eq!(users(&job), "ef");
    // Without any, states stay.
    for number in 9..15 {
        batch(&job, number, "g", &[]);
    }
    assert_eq!(users(&job), "efg");
}

#[test]
fn a_ttl_that_is_new_counts_once_whatever_is_killed() {
    for point in ["run-done", "sink-committed", "commit-durable"] {
        let job = Job::new(JOB);
        batch(&job, 1, "a", &[]);
        job.write("in/002", "{\"user\":\"b\",\"n\":1}\n");
        let mut killed = crate::host::command(job.path());
        let killed = killed.args(["run", "job.toml", "--once", "--set", "op.it.ttl=15m"]);
        assert!(!killed.env("WEIR_CRASH_AT", point).status().unwrap().success(), "{point}");
        let ttl = ["--set", "op.it.ttl=15m"];
        run(&job, &ttl).fine();
        assert_eq!(users(&job), "ab", "{point}");
        batch(&job, 3, "b", &ttl);
        assert_eq!(users(&job), "ab", "{point}");
        batch(&job, 4, "b", &ttl);
        assert_eq!(users(&job), "b", "{point}");
    }
}

#[cfg(not(feature = "lsm"))]
#[test]
fn a_store_that_was_not_built_in_is_refused_with_a_way_out() {
    let job = Job::new(&JOB.replacen("[[source]]", "[state]\nstore = \"lsm\"\n[[source]]", 1));
    for command in ["run", "check"] {
        let refused = host(job.path(), &[command, "job.toml"]);
        assert_eq!(refused.code, 78, "{refused:#?}");
        let said = ["WEIR-STATE-014", "--features lsm"];
        assert!(said.iter().all(|said| refused.err.contains(said)), "{}", refused.err);
    }
}

/// A job with all that keeps states, over files of numbers.
#[cfg(feature = "lsm")]
fn totals(store: &str) -> String {
    let store = format!("[state]\nstore = \"{store}\"\ncache = \"1MiB\"\n[[source]]");
    let more = "[[op]]\nid = \"totals\"\nfrom = \"values\"\nnative = \"aggregate\"\n\
                key = [\"user\"]\naggregates = { n = \"count(*)\", sum = \"sum(n)\" }\n\
                across = \"run\"\n[[sink]]\nid = \"to-totals\"\ntype = \"file\"\n\
                path = \"totals\"\n";
    let job = JOB.replace("key = [\"user\"]", "key = [\"user\"]\ntimeout = \"35m\"\nttl = \"5h\"");
    format!("{}{more}", job.replacen("[[source]]", &store, 1))
}

#[cfg(feature = "lsm")]
#[test]
fn a_job_gives_the_same_with_each_store_and_goes_on_with_the_other() {
    let rows = |job: &Job| -> Vec<Vec<String>> {
        let of = |sink: &str, batch| {
            let mut rows = job.written(sink, batch);
            rows.sort();
            rows
        };
        (1..=24).flat_map(|batch| [of("out", batch), of("totals", batch)]).collect()
    };
    let day = |store: &[&str]| {
        let job = Job::new(&totals(store[0]));
        for number in 0..24_u64 {
            let value = |at: u64| {
                let user = (number * 7 + at * at) % 97;
                format!("{{\"user\":\"u{user}\",\"n\":{}}}\n", number + at + 1)
            };
            job.write(&format!("in/{number:03}"), &(0..200).map(value).collect::<String>());
        }
        for (point, store) in ["sink-committed:9", "state-visible:13", ""].iter().zip(store) {
            let text = totals(store).replace("{root}", crate::host::root().to_str().unwrap());
            job.write("job.toml", &text);
            let mut run = crate::host::command(job.path());
            let ran = run.args(["run", "job.toml", "--once"]).env("WEIR_CRASH_AT", point);
            let ran = ran.output().unwrap();
            assert_eq!(ran.status.success(), point.is_empty(), "{store}: {ran:?}");
        }
        let left = std::fs::read_dir(job.path().join(".weir/kept/checkpoint")).unwrap();
        let left = left.filter(|entry| {
            entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("states-")
        });
        assert_eq!(left.count(), usize::from(store[2] == "memory" && store[1] == "lsm"));
        let states = ["it", "totals"].map(|op| {
            // Moments are those of the run.
            let columns = if op == "it" { "user, sum, count, last" } else { "*" };
            let query = format!("SELECT {columns} FROM {op} ORDER BY user");
            host(job.path(), &["state", "sql", "job.toml", &query, "--format", "json"]).fine().out
        });
        (rows(&job), states)
    };
    let memory = day(&["memory", "memory", "memory"]);
    assert!(memory.0.iter().map(Vec::len).sum::<usize>() > 2_000);
    assert!(memory == day(&["lsm", "lsm", "lsm"]));
    assert!(memory == day(&["lsm", "lsm", "memory"]));
    assert!(memory == day(&["memory", "lsm", "lsm"]));
}

const NOW: &str = r#"
version = 1
name = "times"
[job]
batch = "0s"
[[source]]
id = "lines"
type = "file"
path = "in"
files_per_batch = 1
[[op]]
id = "stamped"
sql = """SELECT line, now() AS at, current_timestamp AS again, current_date AS day,
         CAST(current_time AS string) AS clock, now() - INTERVAL '1 day' AS before FROM lines"""
[[sink]]
id = "out"
type = "file"
path = "out"
[[sink]]
id = "also"
type = "file"
from = "stamped"
path = "also"
"#;

#[test]
fn now_is_the_time_of_the_batch_also_when_it_is_run_again() {
    let job = Job::new(NOW).file("in/1", "a\nb\n").file("in/2", "c\n").file("in/3", "d\n");
    let mut killed = crate::host::command(job.path());
    let killed = killed.args(["run", "job.toml", "--once"]);
    // One sink has the second batch, the other has not.
    let killed = killed.env("WEIR_CRASH_AT", "sink-committed:3").status().unwrap();
    assert!(!killed.success());
    run(&job, &["--verify"]).fine();
    let mut last = String::new();
    for batch in 1..=3 {
        let folder = job.path().join(format!("out/batch={batch:020}"));
        let label = std::fs::read_to_string(folder.join("_weir.json")).unwrap();
        let label: Value = serde_json::from_str(&label).unwrap();
        let time = label["time"].as_str().unwrap().trim_end_matches('Z').to_owned();
        let rows = job.written("out", batch);
        assert_eq!(rows, job.written("also", batch));
        for row in rows {
            let row: Value = serde_json::from_str(&row).unwrap();
            let at = row["at"].as_str().unwrap();
            assert!(at.starts_with(&time), "batch {batch}: {row} at {time}");
            assert_eq!(row["again"], row["at"]);
            assert_eq!(row["day"].as_str().unwrap(), &at[..10]);
            assert!(at[11..].starts_with(&row["clock"].as_str().unwrap()[..8]), "{row}");
            assert!(row["before"].as_str().unwrap() < at);
        }
        assert!(last < time);
        last = time;
    }
}
