//! Tables of a database as the output of a job.

use std::path::Path;

use rusqlite::Connection;

use crate::host::{Job, command, host};

/// Three batches into two tables of one database.
const JOB: &str = r#"
version = 1
name = "totals"
[[source]]
id = "words"
type = "rows"
schema = { word = "string!", n = "int64!" }
batches = [
  [{ word = "a", n = 1 }, { word = "b", n = 2 }],
  [{ word = "a", n = 3 }],
  [{ word = "c", n = 4 }, { word = "b", n = 5 }],
]
[[sink]]
id = "all"
type = "sqlite"
path = "out/totals.db"
table = "every_row"
[[sink]]
id = "latest"
from = "words"
type = "sqlite"
path = "out/totals.db"
table = "latest"
upsert = ["word"]
"#;

/// The rows of a table as text, by the word and the number.
fn rows(folder: &Path, table: &str) -> String {
    let database = Connection::open(folder.join("out/totals.db")).unwrap();
    let mut query =
        database.prepare(&format!("SELECT word, n FROM {table} ORDER BY word, n")).unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
    let rows = query.query_map([], row).unwrap().map(Result::unwrap);
    rows.map(|(word, n)| format!("{word}{n}")).collect::<Vec<_>>().join(" ")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// What must be there in the end, whatever happened.
fn check(folder: &Path, after: &str) {
    assert_eq!(rows(folder, "every_row"), "a1 a3 b2 b5 c4", "{after}");
    assert_eq!(rows(folder, "latest"), "a3 b5 c4", "{after}");
    let database = Connection::open(folder.join("out/totals.db")).unwrap();
    let marks = "SELECT count(*) FROM weir_commit WHERE batch = 3";
    let marks: i64 = database.query_row(marks, [], |row| row.get(0)).unwrap();
    assert_eq!(marks, 2, "{after}");
    drop(database);
    let staged = names(&folder.join("out"));
    assert!(staged.iter().all(|name| !name.contains("-weir-")), "{after}: {staged:?}");
}

#[test]
fn a_batch_is_in_a_table_once_wherever_the_process_was_killed() {
    for point in [
        "commit-intent-durable:1",
        "run-done:2",
        "sink-prepared:1",
        "sink-prepared:3",
        "sink-prepared:4",
        "prepared-durable:2",
        "sink-commit-begins:3",
        "sink-committed:3",
        "sink-commit-begins:4",
        "sink-committed:4",
        "sinks-done:2",
        "commit-begins:2",
        "commit-intent-durable:2",
        "commit-durable:1",
        "acknowledged:3",
    ] {
        let job = Job::new(JOB);
        let run = ["run", "job.toml", "--once"];
        let killed =
            command(job.path()).args(run).env("WEIR_CRASH_AT", point).output().unwrap().status;
        assert_eq!(killed.code(), None, "{point} was not passed");
        host(job.path(), &run).fine();
        check(job.path(), point);
        // Nothing is new.
        host(job.path(), &run).fine();
        check(job.path(), point);
    }
}

#[test]
fn a_table_takes_no_second_run_and_a_lost_database_is_noticed() {
    let job = Job::new(JOB);
    host(job.path(), &["run", "job.toml", "--once"]).fine();
    check(job.path(), "a run");
    let again = job.once(&[]);
    assert_eq!(again.code, 1, "{again:#?}");
    assert!(again.err.contains("WEIR-SINK-003"), "{}", again.err);
    assert!(again.err.contains("holds output of another run"), "{}", again.err);
    check(job.path(), "a refused run");
    std::fs::remove_dir_all(job.path().join("out")).unwrap();
    let behind = host(job.path(), &["run", "job.toml", "--once"]);
    assert!(behind.err.contains("WEIR-CHECKPOINT-011"), "{}", behind.err);
}

#[test]
fn a_locked_database_and_another_table_are_told() {
    let job = Job::new(JOB);
    std::fs::create_dir(job.path().join("out")).unwrap();
    let database = Connection::open(job.path().join("out/totals.db")).unwrap();
    database.execute_batch("CREATE TABLE latest (word TEXT PRIMARY KEY, n TEXT)").unwrap();
    let ran = job.once(&[]);
    assert!(ran.err.contains("WEIR-SINK-008"), "{}", ran.err);
    assert!(ran.err.contains("has `n` as TEXT, and the rows have INTEGER"), "{}", ran.err);
    database.execute_batch("DROP TABLE latest; BEGIN IMMEDIATE").unwrap();
    let ran = job.once(&[]);
    assert!(ran.err.contains("WEIR-SINK-007"), "{}", ran.err);
    database.execute_batch("ROLLBACK").unwrap();
    drop(database);
    // What the refused run had ready stays beside the database: nobody knows of it any more.
    job.once(&[]).fine();
    assert_eq!(rows(job.path(), "every_row"), "a1 a3 b2 b5 c4");
    assert_eq!(rows(job.path(), "latest"), "a3 b5 c4");
}
