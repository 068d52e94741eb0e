//! Values of `[vars]`: from the text, the environment and files; secrets are never shown.

use crate::host::{Job, Ran, host};

const CANARY: &str = "c4nary-0f-a-\"secret\"-key";

fn job(vars: &str, source: &str, op: &str) -> Job {
    Job::new(&format!(
        r#"
version = 1
name = "vars"
[job]
batch = "0s"
[dead_letters]
path = "letters"
[vars]
{vars}
[[source]]
id = "numbers"
{source}
{op}
[[sink]]
id = "out"
type = "file"
path = "out"
format = "json"
"#
    ))
}

const ROWS: &str = "type = \"rows\"\nrows = [{ n = 1 }, { n = 2 }]\nschema = { n = \"int64!\" }";

/// A job whose secret is the canary.
fn secretive(source: &str, op: &str) -> Job {
    let job = job("key = { secret = \"file:key\" }", source, op);
    std::fs::write(job.path().join("key"), format!("{CANARY}\n")).unwrap();
    job
}

fn op(call: &str, more: &str) -> String {
    let wasm = "{root}/tests/plugins/hostile";
    format!("[[op]]\nid = \"it\"\nwasm = \"{wasm}\"\ncall = \"{call}\"\n{more}\n")
}

fn hides(ran: &Ran) {
    for text in [&ran.out, &ran.err] {
        assert!(!text.contains("c4nary"), "{text}");
    }
}

#[test]
fn a_value_comes_from_the_environment_or_has_a_default() {
    let source = "type = \"rows\"\nrows = [{ who = \"${who}\", how = \"${how}${how}\" }]";
    let vars = "who = { env = \"WEIR_TEST_WHO\", default = \"nobody\" }\nhow = \"!\"";
    let job = job(vars, source, "");
    job.once(&[]).fine();
    assert_eq!(job.written("out", 1), [r#"{"how":"!!","who":"nobody"}"#]);
    let set = ["--set", "vars.who=world", "--set", "sink.out.path=other"];
    job.once(&set).fine();
    assert_eq!(job.written("other", 1), [r#"{"how":"!!","who":"world"}"#]);
}

#[test]
fn a_secret_reaches_rows_and_no_message() {
    let config = "on_error = \"dead-letter\"\nconfig = { word = \"${key}\" }";
    let job = secretive(ROWS, &op("tells_its_config", config));
    for format in ["text", "json"] {
        let path = format!("sink.out.path={format}");
        let ran = job.once(&["--format", format, "--set", &path]).fine();
        hides(&ran);
        assert!(format!("{}{}", ran.out, ran.err).contains("•••"), "the log line: {ran:#?}");
        let rows = job.written(format, 1);
        assert_eq!(rows.len(), 1, "row 2 is rejected");
        assert!(rows[0].contains("c4nary"), "a row is what the function makes it: {rows:?}");
    }
    for run in std::fs::read_dir(job.path().join("letters")).unwrap() {
        let place = format!("letters/{}", run.unwrap().file_name().to_str().unwrap());
        let letters = job.written(&place, 1).join("\n");
        assert!(letters.contains("•••") && !letters.contains("c4nary"), "{letters}");
    }
}

#[test]
fn a_secret_is_in_no_error_and_no_plan() {
    let wrong_path = secretive("type = \"file\"\npath = \"no/${key}\"", "");
    let wrong_word = secretive("type = \"file\"\npath = \"in\"\nformat = \"${key}\"", "");
    let refused = secretive(ROWS, &op("tells_its_config", "config = { word = 1, x = \"${key}\" }"));
    let traps = secretive(ROWS, &op("traps_with_its_config", "config = { word = \"${key}\" }"));
    for (job, code) in [(&wrong_path, 69), (&wrong_word, 78), (&refused, 78), (&traps, 1)] {
        for format in ["text", "json"] {
            let ran = job.once(&["--format", format]);
            assert_eq!(ran.code, code, "{ran:#?}");
            hides(&ran);
        }
    }
    for command in ["check", "plan"] {
        for format in ["text", "json"] {
            hides(&host(traps.path(), &[command, "job.toml", "--format", format]));
        }
    }
}
