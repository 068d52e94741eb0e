//! Formats, and what is done with input that is no row.

use crate::host::Job;

const BAD: &str = r#"
version = 1
name = "bad"
[job]
batch = "0s"
[[source]]
id = "orders"
type = "file"
path = "in"
format = "csv"
schema = { id = "int64!", note = "string" }
on_error = "POLICY"
[[sink]]
id = "out"
type = "file"
path = "out"
format = "csv"
"#;

fn job(policy: &str) -> Job {
    let text = "id,note\n1,\"two\nlines\"\nx,bad\n2,\n3\n";
    Job::new(&BAD.replace("POLICY", policy)).file("in/orders.csv", text)
}

#[test]
fn a_bad_record_fails_with_its_line() {
    let ran = job("fail").once(&[]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.err.contains("in/orders.csv:4: column `id` takes int64, not \"x\""), "{ran:#?}");
}

#[test]
fn bad_records_are_left_out_and_counted() {
    let job = job("skip");
    let ran = job.once(&["--format", "json"]).fine();
    assert_eq!(job.written("out", 1), ["id,note", "1,\"two", "lines\"", "2,"]);
    assert!(ran.out.contains("\"skipped\":2"), "{ran:#?}");
}

#[test]
fn bad_records_become_dead_letters_with_their_places() {
    let job = job("dead-letter");
    job.once(&[]).fine();
    let letters = job.path().join(".weir/bad/dead-letters");
    let run = std::fs::read_dir(&letters).unwrap().next().unwrap().unwrap();
    let part = run.path().join("batch=00000000000000000001/part-00000.jsonl");
    let text = std::fs::read_to_string(part).unwrap();
    let letters: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<(&str, bool, &str)> = letters
        .iter()
        .map(|letter| {
            let origin = letter["origin"].as_str().unwrap();
            let first = origin.ends_with("in/orders.csv:4");
            (letter["row"].as_str().unwrap(), first, letter["code"].as_str().unwrap())
        })
        .collect();
    assert_eq!(told, [("x,bad", true, "WEIR-FORMAT-005"), ("3", false, "WEIR-FORMAT-015")]);
    assert_eq!(job.written("out", 1).len(), 4);
}

#[test]
fn a_sink_writes_parquet() {
    let text = BAD.replace("POLICY", "skip");
    let (source, sink) = text.split_at(text.find("[[sink]]").unwrap());
    let job = Job::new(&format!("{source}{}", sink.replace("csv", "parquet")))
        .file("in/orders.csv", "id,note\n1,a\n");
    job.once(&[]).fine();
    let part = job.path().join("out/batch=00000000000000000001/part-00000.parquet");
    let bytes = std::fs::read(part).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}
