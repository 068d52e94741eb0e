//! Every kind of function, ports, native operators and SQL, through the binary.

use serde_json::{Value, json};

use crate::host::Job;

const NUMBERS: &str = r#"
version = 1
name = "kinds"
[job]
batch = "0s"
[[source]]
id = "numbers"
type = "rows"
rows = [
  { k = "a", n = 1 },
  { k = "b", n = 2 },
  { k = "a", n = 3 },
  { k = "b", n = 4 },
  { k = "a", n = 5 },
]
schema = { k = "string!", n = "int64!" }
"#;

/// The rows of a console sink behind the numbers and these ops.
fn rows(ops: &str) -> Vec<Value> {
    let sink =
        if ops.contains("[[sink]]") { "" } else { "[[sink]]\nid = \"out\"\ntype = \"console\"\n" };
    Job::new(&format!("{NUMBERS}\n{ops}\n{sink}")).rows(&[])
}

fn numbers(rows: &[Value], column: &str) -> Vec<i64> {
    let mut numbers: Vec<i64> = rows.iter().map(|row| row[column].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_flat_mapper_over_columns_repeats_and_carries_along() {
    let rows = rows(
        r#"[[op]]
id = "again"
wasm = "{root}/tests/plugins/kinds"
call = "repeat"
keep = ["k"]
config = { times = 2 }"#,
    );
    let n_of = |row: &Value| (row["k"].as_str().unwrap().to_owned(), row["n"].as_i64().unwrap());
    let got: Vec<_> = rows.iter().map(n_of).collect();
    let one = |k: &str, n| (k.to_owned(), n);
    assert_eq!(got.len(), 10);
    assert_eq!(got[..4], [one("a", 1), one("a", 1), one("b", 2), one("b", 2)]);
}

#[test]
fn a_predicate_keeps_whole_rows() {
    let rows = rows(
        r#"[[op]]
id = "big"
wasm = "{root}/tests/plugins/kinds"
call = "above"
config = { least = 3 }"#,
    );
    assert_eq!(rows, [json!({"k": "b", "n": 4}), json!({"k": "a", "n": 5})]);
}

#[test]
fn a_transformer_sees_the_whole_batch() {
    let rows = rows(
        r#"[[op]]
id = "sorted"
wasm = "{root}/tests/plugins/kinds"
call = "descending""#,
    );
    let got: Vec<i64> = rows.iter().map(|row| row["n"].as_i64().unwrap()).collect();
    assert_eq!(got, [5, 4, 3, 2, 1]);
}

#[test]
fn ports_are_read_apart_and_the_function_runs_once() {
    let ops = r#"[[op]]
id = "parity"
wasm = "{root}/tests/plugins/kinds"
call = "parity"
[[op]]
id = "odd"
native = "count"
from = "parity.odd"
[[op]]
id = "both"
sql = "SELECT n, kind FROM parity"
[[sink]]
id = "out"
type = "console"
from = "both"
[[sink]]
id = "odd-count"
type = "file"
from = "odd"
path = "odd"
"#;
    let job = Job::new(&format!("{NUMBERS}\n{ops}"));
    let ran = job.once(&["--format", "json"]).fine();
    let shown = ran.of_kind("rows")[0]["rows"].as_array().unwrap().clone();
    assert_eq!(numbers(&shown, "n"), [2, 4]);
    assert_eq!(job.written("odd", 1), ["{\"count\":3}"]);
    let ops = &ran.of_kind("batch")[0]["ops"];
    assert_eq!(ops[0]["guest_rows_in"], 5, "the function is called once for both readers");
}

#[test]
fn aggregators_work_by_key_over_all_rows_and_in_sql() {
    let by_key = r#"[[op]]
id = "by_key"
wasm = "{root}/tests/plugins/kinds"
call = "summarise"
key = ["k"]
[[op]]
id = "ordered"
sql = "SELECT * FROM by_key ORDER BY k""#;
    assert_eq!(
        rows(by_key),
        [json!({"k": "a", "mean": 3.0, "most": 5}), json!({"k": "b", "mean": 3.0, "most": 4})]
    );
    let all = r#"[[op]]
id = "all"
wasm = "{root}/tests/plugins/kinds"
call = "smallest""#;
    assert_eq!(rows(all), [json!({"n": 1})]);
    let in_sql = r#"[[function]]
id = "lowest"
wasm = "{root}/tests/plugins/kinds"
call = "smallest"
[[function]]
id = "shout"
wasm = "{root}/plugins/text"
call = "clean"
[[op]]
id = "query"
sql = '''SELECT shout('<' || k || '>') AS k, lowest(n) AS n, count(*) AS c
  FROM numbers GROUP BY k ORDER BY 1'''"#;
    assert_eq!(
        rows(in_sql),
        [json!({"k": "a", "n": 1, "c": 3}), json!({"k": "b", "n": 2, "c": 2})]
    );
}

#[test]
fn native_operators_count_unite_and_repartition() {
    let ops = r#"[[op]]
id = "twice"
native = "union"
from = ["numbers", "numbers"]
[[op]]
id = "spread"
native = "repartition"
key = ["k"]
[[op]]
id = "counts"
native = "count"
key = ["k"]
[[op]]
id = "ordered"
sql = "SELECT * FROM counts ORDER BY k""#;
    assert_eq!(rows(ops), [json!({"k": "a", "count": 6}), json!({"k": "b", "count": 4})]);
}

#[test]
fn every_type_crosses_and_comes_back() {
    let row = json!({
        "b": true, "i": -5, "l": 9_007_199_254_740_993_i64, "f": 0.1, "s": "żółw", "y": "00ff",
        "d": "2026-01-31", "t": "2026-01-31T12:00:00.000001Z", "m": "12345678.90",
        "list": [1, null, 3], "point": { "x": 7, "label": null },
    });
    let job = Job::new(
        r#"
version = 1
name = "types"
[job]
batch = "0s"
[[source]]
id = "in"
type = "file"
path = "in/*.jsonl"
format = "json"
[source.schema]
b = "bool"
i = "int32"
l = "int64"
f = "float64"
s = "string"
y = "binary"
d = "date"
t = "timestamp"
m = "decimal(10,2)"
list = "list<int64?>"
point = "struct{x: int64, label: string?}"
[[op]]
id = "same"
wasm = "{root}/tests/plugins/kinds"
call = "all_types"
[[sink]]
id = "plain"
type = "file"
from = "in"
path = "plain"
[[sink]]
id = "crossed"
type = "file"
from = "same"
path = "crossed"
"#,
    );
    let nulls: serde_json::Map<String, Value> =
        row.as_object().unwrap().keys().map(|name| (name.clone(), Value::Null)).collect();
    let lines: String =
        (0..3).map(|_| format!("{row}\n{}\n", Value::Object(nulls.clone()))).collect();
    let job = job.file("in/a.jsonl", &lines);
    job.once(&[]).fine();
    let crossed = job.written("crossed", 1);
    assert_eq!(crossed, job.written("plain", 1));
    let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    assert_eq!(crossed.len(), 6);
    assert_eq!((parse(&crossed[0]), parse(&crossed[5])), (row, Value::Object(nulls)));
}

#[test]
fn the_guest_adds_up_and_not_the_host() {
    let counts = |plugin: &str| {
        let ops = format!(
            "[[op]]\nid = \"sums\"\nwasm = \"{{root}}/{plugin}\"\ncall = \"sum\"\nkey = [\"k\"]\n\
             [[op]]\nid = \"ordered\"\nsql = \"SELECT * FROM sums ORDER BY k\""
        );
        numbers(&rows(&ops), "n")
    };
    assert_eq!(counts("plugins/text"), [6, 9]);
    assert_eq!(counts("tests/plugins/sum-twice"), [12, 18]);
}
