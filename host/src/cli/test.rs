//! `host test`: runs the tests of a job, each through the whole plan on the rows that it feeds.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::Args;

use super::failure::Failure;
use super::open::{self, Opened};
use super::{Format, JobArgs, exit, output};
use crate::batch::{BatchError, DeadLetters, Event, Listener, Mode, Runner, Start, Stop};
use crate::format::{Decode, Encode, json};
use crate::id::{BatchId, NodeId, SinkId};
use crate::job::{
    Expect, FormatKind, Job, RowsSourceSpec, SinkKind, SinkSpec, SourceKind, SourceSpec, TestSpec,
};
use crate::plan::{Progress, Resources};
use crate::plugin::build;
use crate::row_error::OnError;
use crate::sink::{self, Collected};
use crate::source::{self, Source};

#[derive(Debug, Args)]
pub struct TestArgs {
    /// A job file, or a folder with a job.toml, a plugin, or both.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Leave out the plugin's own tests.
    #[arg(long)]
    no_native: bool,
    /// Change a setting, as in `host run`.
    #[arg(long = "set", value_name = "SETTING=VALUE")]
    set: Vec<String>,
    /// How results are shown.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What became of a test.
struct Outcome {
    missing: Vec<String>,
    extra: Vec<String>,
    error: Option<String>,
}

impl Outcome {
    fn passed(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.error.is_none()
    }

    fn wrong(error: impl Into<String>) -> Self {
        Self { missing: Vec::new(), extra: Vec::new(), error: Some(error.into()) }
    }
}

pub fn test(args: &TestArgs) -> u8 {
    match tested(args) {
        Ok(true) => exit::DONE,
        Ok(false) => exit::TESTS_FAILED,
        Err(failure) => {
            failure.show(args.format);
            failure.exit_code()
        }
    }
}

fn tested(args: &TestArgs) -> Result<bool, Failure> {
    let folder = args.path.is_dir();
    if folder && !args.no_native && args.path.join("Cargo.toml").is_file() {
        build::test(&args.path, &|line| output::note(line))
            .map_err(|error| Failure::from(error).exit(exit::TESTS_FAILED))?;
    }
    let file = if folder { args.path.join("job.toml") } else { args.path.clone() };
    if folder && !file.is_file() {
        summary(args.format, 0, 0);
        return Ok(true);
    }
    let set = args.set.clone();
    let opened = Opened::new(open::job(&JobArgs { job: file, set, format: args.format })?)?;
    if opened.job.tests.is_empty() {
        output::note("the job has no [[test]]");
    }
    let mut failed = 0;
    for test in &opened.job.tests {
        let outcome = run(&opened, test)?;
        failed += usize::from(!outcome.passed());
        show(test, &outcome, args.format);
    }
    summary(args.format, opened.job.tests.len() - failed, failed);
    Ok(failed == 0)
}

fn summary(format: Format, passed: usize, failed: usize) {
    match format {
        Format::Json => {
            let event =
                serde_json::json!({ "event": "tested", "passed": passed, "failed": failed });
            output::json(&event.to_string());
        }
        Format::Text if passed + failed > 0 => {
            output::note(&format!("{passed} passed, {failed} failed"));
        }
        Format::Text => {}
    }
}

fn show(test: &TestSpec, outcome: &Outcome, format: Format) {
    if format == Format::Json {
        let event = serde_json::json!({
            "event": "test",
            "name": test.name,
            "passed": outcome.passed(),
            "missing": outcome.missing,
            "extra": outcome.extra,
            "error": outcome.error,
        });
        return output::json(&event.to_string());
    }
    let mark = if outcome.passed() { "ok  " } else { "FAIL" };
    output::data(&output::plain(&format!("{mark} {}", test.name)));
    let rows = |what, rows: &[String]| {
        for row in rows {
            output::data(&output::plain(&format!("     {what} {row}")));
        }
    };
    rows("missing", &outcome.missing);
    rows("extra  ", &outcome.extra);
    if let Some(error) = &outcome.error {
        output::data(&output::plain(&format!("     {error}")));
    }
}

/// The job with its sources replaced by what the test feeds, and its sinks by one behind `to`.
fn staged(job: &Job, test: &TestSpec) -> Job {
    let mut job = job.clone();
    for source in &mut job.sources {
        let fed = test.feed.iter().find(|(id, _)| *id == source.id);
        let rows = fed.map(|(_, rows)| rows.clone()).unwrap_or_default();
        let text =
            matches!(&source.kind, SourceKind::File(file) if file.format == FormatKind::Text);
        if text && source.schema.is_none() {
            source.schema = Some(crate::format::text::schema());
        }
        if let (SourceKind::Rate(rate), None) = (&source.kind, &source.schema) {
            source.schema = source::rate_schema(rate);
        }
        source.on_error = OnError::Fail;
        source.kind = SourceKind::Rows(RowsSourceSpec { batches: vec![rows], span: 0..0 });
    }
    job.sinks = vec![SinkSpec {
        mode: None,
        id: SinkId::new("test"),
        from: test.to.clone(),
        kind: SinkKind::Console { rows: 0 },
        span: 0..0,
    }];
    job
}

struct Quiet;

impl Listener for Quiet {
    fn event(&self, _: &Event) {}

    fn progress(&self, _: BatchId, _: u64, _: &Arc<Progress>) {}
}

fn run(opened: &Opened, test: &TestSpec) -> Result<Outcome, Failure> {
    let job = staged(&opened.job, test);
    let mut sources: Vec<(NodeId, Arc<dyn Source>)> = Vec::new();
    for spec in &job.sources {
        if let Some(error) = strange(test, spec) {
            return Ok(Outcome::wrong(error));
        }
        match source::open(spec, &job.folder) {
            Ok(source) => sources.push((spec.id.clone(), Arc::from(source))),
            Err(error) => return Ok(Outcome::wrong(format!("feed.{}: {error}", spec.id))),
        }
    }
    let place = tempfile::tempdir()
        .map_err(|error| Failure::new("WEIR-RUN-011", format!("the test can't run: {error}")))?;
    let collected = Collected::default();
    match batch(opened, &job, sources, (&collected, place.path()))? {
        Ok(()) => Ok(compared(&collected.rows(), test)),
        Err(error) => Ok(match &test.expect {
            Expect::Error(part) if error.contains(part.as_str()) => {
                Outcome { missing: Vec::new(), extra: Vec::new(), error: None }
            }
            _ => Outcome::wrong(error),
        }),
    }
}

/// What a test feeds a source and the source does not have.
fn strange(test: &TestSpec, source: &SourceSpec) -> Option<String> {
    let (_, rows) = test.feed.iter().find(|(fed, _)| *fed == source.id)?;
    let error = unknown(rows, source.schema.as_ref()?)?;
    Some(format!("feed.{}: {error}", source.id))
}

/// A name in rows that is no column.
fn unknown(
    rows: &[serde_json::Map<String, serde_json::Value>],
    schema: &SchemaRef,
) -> Option<String> {
    let mut names = rows.iter().flat_map(|row| row.keys());
    let name = names.find(|name| schema.column_with_name(name).is_none())?;
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    Some(format!("there is no column `{name}`; there are: {}", columns.join(", ")))
}

/// Runs the batch of a test; the inner error is one of the batch.
fn batch(
    opened: &Opened,
    job: &Job,
    sources: Vec<(NodeId, Arc<dyn Source>)>,
    (collected, place): (&Collected, &Path),
) -> Result<Result<(), String>, Failure> {
    let machine = |error: std::io::Error| {
        Failure::new("WEIR-RUN-011", format!("the test can't run: {error}"))
    };
    let resources = Resources::new(job.settings.memory, place.to_owned()).map_err(machine)?;
    let letters = sink::open_dead_letters(&job.dead_letters, place, "test")
        .map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let start = Start {
        job: job.name.clone(),
        run: "test".into(),
        sources,
        sinks: vec![(SinkId::new("test"), Box::new(collected.clone()))],
        interval: Duration::ZERO,
        by_batches: false,
        mode: Mode::Once,
        parallelism: open::parallelism(job),
        stop: Stop::default(),
        log: Arc::new(|_| {}),
        dead_letters: DeadLetters { sink: letters, show_rows: true },
        verify: false,
        digest: [0; 32],
        code: Vec::new(),
        ledger: None,
        found: None,
    };
    let runner = Runner::new(start, &resources, &Quiet);
    let settings = crate::plan::Settings { parallelism: open::parallelism(job) };
    let build =
        |schemas: &HashMap<NodeId, _>| crate::plan::build(job, &opened.loaded, schemas, &settings);
    Ok(match runner.run(&build) {
        Ok(_) => Ok(()),
        Err(BatchError::Plan(error)) => return Err(Failure::Job(error)),
        Err(error) => Err(error.to_string()),
    })
}

/// Holds what came out against what was expected: both as lines of JSON with all columns.
fn compared(rows: &[RecordBatch], test: &TestSpec) -> Outcome {
    let expected = match &test.expect {
        Expect::Rows(expected) => expected,
        Expect::Error(part) => {
            return Outcome::wrong(format!(
                "the batch succeeded; expected an error with \"{part}\""
            ));
        }
    };
    let Some(schema) = rows.first().map(RecordBatch::schema) else {
        return match expected.is_empty() {
            true => Outcome { missing: Vec::new(), extra: Vec::new(), error: None },
            false => Outcome::wrong("there was no batch: feed a row to at least one source"),
        };
    };
    let wanted = match decoded(expected, &schema) {
        Ok(rows) => lines(rows.as_slice()),
        Err(error) => return Outcome::wrong(error),
    };
    let got = lines(rows);
    if test.ordered && got != wanted {
        let mut outcome = Outcome { missing: wanted, extra: got, error: None };
        outcome.error = Some("the rows or their order differ".to_owned());
        return outcome;
    }
    difference(wanted, got)
}

/// The expected rows with the columns that came out.
fn decoded(
    expected: &[serde_json::Map<String, serde_json::Value>],
    schema: &SchemaRef,
) -> Result<Option<RecordBatch>, String> {
    if let Some(error) = unknown(expected, schema) {
        return Err(format!("expect: {error}"));
    }
    let mut text = Vec::new();
    for row in expected {
        // A map of text is always JSON, and memory can always be written to.
        let _ = serde_json::to_writer(&mut text, row);
        text.push(b'\n');
    }
    let mut decoder = json::Decoder::new(Arc::clone(schema), json::Origin::Given)
        .map_err(|error| error.to_string())?;
    match decoder.feed(&text) {
        Ok(taken) if taken == text.len() => decoder.take_rows().map_err(|error| error.to_string()),
        Ok(_) => Err("a test expects 8,192 rows at most".to_owned()),
        Err(bad) => Err(format!("expect: {}", bad.error)),
    }
}

fn difference(wanted: Vec<String>, mut extra: Vec<String>) -> Outcome {
    let mut missing = Vec::new();
    for row in wanted {
        match extra.iter().position(|other| *other == row) {
            Some(place) => drop(extra.remove(place)),
            None => missing.push(row),
        }
    }
    Outcome { missing, extra, error: None }
}

fn lines(rows: &[RecordBatch]) -> Vec<String> {
    let mut text = Vec::new();
    for rows in rows {
        // What was decoded from JSON or came out of a plan has types that JSON has.
        let encoded = json::Encoder::new(&rows.schema())
            .and_then(|mut encoder| encoder.encode(rows, &mut text));
        if let Err(error) = encoded {
            return vec![error.to_string()];
        }
    }
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}
