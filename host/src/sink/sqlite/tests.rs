//! What is particular to tables; what every sink promises is tried in `sink/contract.rs`.

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array,
    Int64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use rusqlite::Connection;
use rusqlite::types::Value;

use super::*;
use crate::sink::test_kit::mark;

struct Output(tempfile::TempDir);

impl Output {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("out.db")
    }

    fn sink(&self, upsert: &[&str]) -> SqliteSink {
        let upsert: Vec<String> = upsert.iter().map(|&key| key.to_owned()).collect();
        SqliteSink::open(SinkId::new("out"), &self.path(), "totals", &upsert).unwrap()
    }

    fn database(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn all(&self, sql: &str) -> Vec<Vec<Value>> {
        let database = self.database();
        let mut query = database.prepare(sql).unwrap();
        let width = query.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..width).map(|at| row.get(at)).collect();
        query.query_map([], row).unwrap().map(Result::unwrap).collect()
    }
}

fn totals(rows: &[(Option<&str>, i64)]) -> RecordBatch {
    let names: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<StringArray>());
    let numbers: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>());
    RecordBatch::try_from_iter_with_nullable([("k", names, true), ("n", numbers, true)]).unwrap()
}

fn stage(sink: &SqliteSink, mark: &BatchMark, rows: &RecordBatch) -> Result<Written, SinkError> {
    let staging = sink.begin(mark, rows.schema(), 1)?;
    let mut part = staging.part(0)?;
    part.write(rows)?;
    part.close()?;
    staging.prepare(Digest { rows: rows.num_rows() as u64, sum: 7 })?.commit()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn every_type_keeps_its_values() {
    let output = Output::new();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("int32", Arc::new(Int32Array::from(vec![Some(i32::MIN), None]))),
        ("int64", Arc::new(Int64Array::from(vec![Some(i64::MAX), None]))),
        ("float64", Arc::new(Float64Array::from(vec![Some(0.1), Some(f64::NAN)]))),
        ("string", Arc::new(StringArray::from(vec![Some("ä\0'\""), None]))),
        ("binary", Arc::new(BinaryArray::from_opt_vec(vec![Some(&[0, 255][..]), None]))),
        ("date", Arc::new(Date32Array::from(vec![Some(-1), None]))),
        (
            "timestamp",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_767_225_600_000_000), None])
                    .with_timezone("UTC"),
            ),
        ),
        (
            "decimal",
            Arc::new(
                Decimal128Array::from(vec![Some(12_345_678_901_234_567_890_123), None])
                    .with_precision_and_scale(38, 2)
                    .unwrap(),
            ),
        ),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    stage(&output.sink(&[]), &mark("r1", 1), &rows).unwrap();
    let found = output.all("SELECT * FROM totals");
    let expected = [
        Value::Integer(1),
        Value::Integer(i32::MIN.into()),
        Value::Integer(i64::MAX),
        Value::Real(0.1),
        text("ä\0'\""),
        Value::Blob(vec![0, 255]),
        text("1969-12-31"),
        text("2026-01-01T00:00:00.000000Z"),
        text("123456789012345678901.23"),
    ];
    assert_eq!(found[0], expected);
    assert_eq!(found[1], vec![Value::Null; 9]);
    // The table that was made fits.
    stage(&output.sink(&[]), &mark("r1", 2), &rows).unwrap();
    assert_eq!(output.all("SELECT * FROM totals").len(), 4);
}

#[test]
fn the_mark_says_which_batch_is_the_last() {
    let output = Output::new();
    let sink = output.sink(&[]);
    for batch in 1..=3 {
        stage(&sink, &mark("r1", batch), &totals(&[(Some("a"), 1), (Some("b"), 2)])).unwrap();
    }
    let found = output.all("SELECT * FROM weir_commit");
    let expected = [
        text("words"),
        text("r1"),
        text("out"),
        text("totals"),
        Value::Integer(3),
        Value::Integer(1),
        Value::Integer(2),
        text("00000000000000000000000000000007"),
        text("2026-01-01T00:00:00.000Z"),
    ];
    assert_eq!(found, [expected]);
    assert_eq!(output.all("PRAGMA journal_mode"), [[text("wal")]]);
}

#[test]
fn an_upsert_puts_the_last_row_of_a_key_in_the_place_of_older_ones() {
    let output = Output::new();
    let sink = output.sink(&["k"]);
    let first = totals(&[(Some("a"), 1), (Some("b"), 2), (Some("a"), 3)]);
    stage(&sink, &mark("r1", 1), &first).unwrap();
    let row = |name: &str, number| vec![text(name), Value::Integer(number)];
    assert_eq!(output.all("SELECT * FROM totals ORDER BY k"), [row("a", 3), row("b", 2)]);
    stage(&sink, &mark("r1", 2), &totals(&[(Some("c"), 5), (Some("b"), 4)])).unwrap();
    let found = output.all("SELECT * FROM totals ORDER BY k");
    assert_eq!(found, [row("a", 3), row("b", 4), row("c", 5)]);
    let error = stage(&sink, &mark("r1", 3), &totals(&[(None, 5)])).unwrap_err();
    assert_eq!(error.code(), "WEIR-SINK-010");
    let error = output.sink(&["zzz"]).begin(&mark("r1", 3), first.schema(), 1).err().unwrap();
    assert_eq!(error.to_string(), "`upsert` names `zzz`, which is no column of the rows");
}

#[test]
fn an_older_owner_is_fenced_from_the_first_batch_of_a_newer_one_on() {
    let output = Output::new();
    let rows = totals(&[(Some("a"), 1)]);
    let old = output.sink(&[]);
    let newer = BatchMark { generation: 3, ..mark("r1", 1) };
    stage(&output.sink(&[]), &newer, &rows).unwrap();
    let error = stage(&old, &mark("r1", 2), &rows).unwrap_err();
    assert_eq!(error.code(), "WEIR-SINK-011");
    let message = "owner 3 of the job has written since: owner 1 may not write batch 2";
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_table_that_is_there_must_have_the_columns_of_the_rows() {
    for (table, problem) in [
        ("k TEXT", "has no column `n` (INTEGER)"),
        ("k TEXT, n INTEGER, m REAL", "has a column `m`, which the rows don't have"),
        ("k TEXT, n REAL", "has `n` as REAL, and the rows have INTEGER"),
        ("k NUMERIC, n INTEGER", "has `k` as NUMERIC, and the rows have TEXT"),
        ("k, n INTEGER", "has `k` as a column without a type, and the rows have TEXT"),
    ] {
        let output = Output::new();
        output.database().execute_batch(&format!("CREATE TABLE Totals ({table})")).unwrap();
        let sink = output.sink(&[]);
        let error = sink.begin(&mark("r1", 1), totals(&[]).schema(), 1).err().unwrap();
        assert_eq!(error.code(), "WEIR-SINK-008");
        let path = output.path().display().to_string();
        assert_eq!(error.to_string(), format!("table `totals` of `{path}` {problem}"));
    }
}

#[test]
fn a_table_of_the_user_is_taken_with_the_rows_in_it() {
    let output = Output::new();
    let table = "CREATE TABLE totals (n BIGINT DEFAULT 5, K VARCHAR(10) NOT NULL UNIQUE); \
                 INSERT INTO totals VALUES (1, 'a'), (2, 'b')";
    output.database().execute_batch(table).unwrap();
    stage(&output.sink(&["k"]), &mark("r1", 1), &totals(&[(Some("a"), 9)])).unwrap();
    let row = |number, name: &str| vec![Value::Integer(number), text(name)];
    assert_eq!(output.all("SELECT * FROM totals ORDER BY k"), [row(9, "a"), row(2, "b")]);
}

#[test]
fn an_upsert_needs_a_unique_index() {
    let output = Output::new();
    let table = "CREATE TABLE totals (k TEXT, n INTEGER, UNIQUE (k, n)); \
                 CREATE UNIQUE INDEX some ON totals (k) WHERE n > 0";
    output.database().execute_batch(table).unwrap();
    let begin = || output.sink(&["k"]).begin(&mark("r1", 1), totals(&[]).schema(), 1).err();
    assert!(begin().unwrap().to_string().ends_with("has no unique index over (k)"));
    output.database().execute_batch("CREATE UNIQUE INDEX whole ON totals (k)").unwrap();
    assert!(begin().is_none());
}

#[test]
fn what_the_table_refuses_is_no_part_of_the_output_and_can_be_committed_later() {
    let output = Output::new();
    let table = "CREATE TABLE totals (k TEXT, n INTEGER CHECK (n < 5))";
    output.database().execute_batch(table).unwrap();
    let sink = output.sink(&[]);
    let staging = sink.begin(&mark("r1", 1), totals(&[]).schema(), 1).unwrap();
    let mut part = staging.part(0).unwrap();
    part.write(&totals(&[(Some("a"), 1), (Some("b"), 7)])).unwrap();
    part.close().unwrap();
    let prepared = staging.prepare(Digest { rows: 2, sum: 7 }).unwrap();
    let staged = prepared.staged();
    let error = prepared.commit().unwrap_err();
    assert_eq!(error.code(), "WEIR-SINK-006");
    assert!(error.to_string().contains("CHECK constraint failed: n < 5"), "{error}");
    assert!(output.all("SELECT * FROM totals").is_empty());
    assert!(sink.last(&JobName::new("words"), &"r1".into()).unwrap().is_none());
    let again = "DROP TABLE totals; CREATE TABLE totals (k TEXT, n INTEGER)";
    output.database().execute_batch(again).unwrap();
    sink.find(&mark("r1", 1), &staged).unwrap().unwrap().commit().unwrap();
    assert_eq!(output.all("SELECT * FROM totals").len(), 2);
}

#[test]
fn a_new_run_takes_over_a_table_that_was_emptied_and_fences_the_old_one() {
    let output = Output::new();
    let rows = totals(&[(Some("a"), 1)]);
    let old = output.sink(&[]);
    stage(&old, &mark("r1", 1), &rows).unwrap();
    let error = stage(&output.sink(&[]), &mark("r2", 1), &rows).unwrap_err();
    let message = "holds output of another run: `r1` of job `words`";
    assert!(error.to_string().ends_with(message), "{error}");
    output.database().execute_batch("DELETE FROM totals").unwrap();
    stage(&output.sink(&[]), &mark("r2", 1), &rows).unwrap();
    assert_eq!(stage(&old, &mark("r1", 2), &rows).unwrap_err().code(), "WEIR-SINK-003");
    assert_eq!(output.all("SELECT run FROM weir_commit"), [[text("r2")]]);
}

#[test]
fn two_sinks_write_tables_of_one_database() {
    let output = Output::new();
    let one = output.sink(&[]);
    // Its id begins like the other one's.
    let id = SinkId::new("out-2");
    let other = SqliteSink::open(id, &output.path(), "other", &[]).unwrap();
    let rows = totals(&[(Some("a"), 1)]);
    let begun = |sink: &SqliteSink| {
        let staging = sink.begin(&mark("r1", 1), rows.schema(), 1).unwrap();
        let mut part = staging.part(0).unwrap();
        part.write(&rows).unwrap();
        part.close().unwrap();
        staging.prepare(Digest { rows: 1, sum: 7 }).unwrap()
    };
    let (second, first) = (begun(&other), begun(&one));
    first.commit().unwrap();
    second.commit().unwrap();
    let counts = "SELECT (SELECT count(*) FROM totals), (SELECT count(*) FROM other), \
                  (SELECT count(*) FROM weir_commit)";
    assert_eq!(output.all(counts), [vec![Value::Integer(1), Value::Integer(1), Value::Integer(2)]]);
}

#[test]
fn columns_that_a_table_can_not_have_are_refused() {
    let list =
        Field::new("l", DataType::List(Arc::new(Field::new("item", DataType::Int64, true))), true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let check = |fields: Vec<Field>| check(&Arc::new(Schema::new(fields)), &[]).unwrap_err();
    let error = check(vec![list]);
    assert_eq!(error.code(), "WEIR-SINK-009");
    let message = "column `l` is list<int64?>, which a table of SQLite can't hold";
    assert_eq!(error.to_string(), message);
    let error = check(vec![number("n"), number("N")]);
    assert_eq!(error.to_string(), "SQLite takes the columns `n` and `N` for one");
    // Nor is one taken that comes against what was said.
    let lists: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)])]));
    let rows = RecordBatch::try_from_iter([("l", lists)]).unwrap();
    let column = Column { name: "l".into(), holds: column::Holds::Text, key: false };
    assert!(column::Cells::of(&rows, &[column]).is_err());
}

#[test]
fn what_is_no_database_is_refused() {
    let output = Output::new();
    std::fs::write(output.path(), "no database, but text that is long enough ".repeat(30)).unwrap();
    let error = output.sink(&[]).last(&JobName::new("words"), &"r1".into()).unwrap_err();
    assert_eq!(error.code(), "WEIR-SINK-006");
    assert!(error.to_string().contains("file is not a database"), "{error}");
    let error = SqliteSink::open(SinkId::new("out"), output.0.path(), "t", &[]).err().unwrap();
    assert_eq!(error.code(), "WEIR-SINK-006");
}

#[test]
fn a_damaged_staging_file_is_not_shown() {
    let output = Output::new();
    let sink = output.sink(&[]);
    let rows = totals(&[(Some("a"), 1), (Some("b"), 1)]);
    let staging = sink.begin(&mark("r1", 1), rows.schema(), 1).unwrap();
    let mut part = staging.part(0).unwrap();
    part.write(&rows).unwrap();
    part.close().unwrap();
    let prepared = staging.prepare(Digest { rows: 2, sum: 7 }).unwrap();
    let entries = std::fs::read_dir(output.0.path()).unwrap().map(|entry| entry.unwrap().path());
    let file = entries.into_iter().find(|path| path != &output.path()).unwrap();
    Connection::open(file).unwrap().execute_batch("DELETE FROM part_00000 WHERE c0 = 'a'").unwrap();
    let error = prepared.commit().unwrap_err();
    assert!(error.to_string().contains("1 rows were staged for batch 1, 2 should be"), "{error}");
    assert!(output.all("SELECT name FROM sqlite_schema").is_empty());
}

#[test]
fn names_are_names_whatever_is_in_them() {
    let output = Output::new();
    let odd = "a \"b\"; DROP TABLE x --";
    let sink =
        SqliteSink::open(SinkId::new("out"), &output.path(), odd, &[odd.to_owned()]).unwrap();
    let words: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let rows = RecordBatch::try_from_iter([(odd, words)]).unwrap();
    stage(&sink, &mark("r1", 1), &rows).unwrap();
    let found = output.all(&format!("SELECT * FROM {}", database::quoted(odd)));
    assert_eq!(found, [[text("x")]]);
}
