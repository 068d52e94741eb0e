//! From values to a job: every setting is read, then all of it is held against the rules.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::check;
use super::entries::{function, op, sink, source};
use super::fields::Fields;
use super::problem::{JobError, Problem, Span};
use super::value::{self, Table, Value};
use super::{Job, JobText, Settings, overrides};
use crate::id::JobName;
use crate::types;

/// The largest job file, in bytes.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

const GIB: u64 = 1 << 30;

impl Job {
    /// Reads a job from the bytes of its file. Gives the job with its warnings, or everything that
    /// is wrong. `set` are the values of `--set`, `environment` the variables named `HOST__…`.
    pub fn parse(
        bytes: &[u8],
        path: &str,
        folder: PathBuf,
        set: &[String],
        environment: &[(String, String)],
    ) -> Result<(Self, Vec<Problem>), JobError> {
        let text = text_of(bytes, path)?;
        let failed = |mut problems: Vec<Problem>| {
            sort(&mut problems);
            JobError { text: Arc::clone(&text), problems }
        };
        let (mut table, problems) = value::read(&text.text);
        if !problems.is_empty() {
            return Err(failed(problems));
        }
        let problems = RefCell::new(overrides::apply(&mut table, set, environment));
        let job = read(&table, &text, folder, &problems);
        let mut problems = problems.into_inner();
        let warnings = match &job {
            Some(job) => check::check(job, &mut problems),
            None => Vec::new(),
        };
        match job {
            Some(job) if problems.is_empty() => Ok((job, warnings)),
            _ => Err(failed(problems)),
        }
    }
}

/// In the order of the text, each once.
fn sort(problems: &mut Vec<Problem>) {
    let start =
        |problem: &Problem| problem.marks.first().map_or(usize::MAX, |mark| mark.span.start);
    problems.sort_by_key(start);
    problems.dedup();
}

fn text_of(bytes: &[u8], path: &str) -> Result<Arc<JobText>, JobError> {
    let text = |text: &str| Arc::new(JobText { path: path.to_owned(), text: text.to_owned() });
    let wrong = |message: &str, help: &str| JobError {
        text: text(""),
        problems: vec![Problem::new("WEIR-JOB-002", message).help(help)],
    };
    if bytes.len() > TEXT_BYTES_MAX {
        return Err(wrong("the file is larger than 1 MiB", "is it a job file?"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(utf8) => Ok(text(utf8)),
        Err(error) => Err(wrong(
            &format!("the file is not UTF-8 text: byte {} is not", error.valid_up_to()),
            "save it as UTF-8",
        )),
    }
}

fn read(
    table: &Table,
    text: &Arc<JobText>,
    folder: PathBuf,
    problems: &RefCell<Vec<Problem>>,
) -> Option<Job> {
    let fields = Fields::new(table, 0..0, problems);
    version(&fields);
    let name = name(&fields);
    let settings = settings(&fields, problems);
    let read = |kind: &'static str| fields.tables(kind);
    let functions: Vec<_> =
        read("function").iter().map(|(table, span)| function(table, span, problems)).collect();
    let order = order(table);
    let sources: Vec<_> =
        read("source").iter().map(|(table, span)| source(table, span, problems)).collect();
    let ops: Vec<_> =
        read("op").iter().map(|(table, span)| op(table, span, &order, problems)).collect();
    let sinks: Vec<_> =
        read("sink").iter().map(|(table, span)| sink(table, span, &order, problems)).collect();
    fields.finish();
    Some(Job {
        name: name?,
        folder,
        text: Arc::clone(text),
        settings,
        functions: functions.into_iter().collect::<Option<_>>()?,
        sources: sources.into_iter().collect::<Option<_>>()?,
        ops: ops.into_iter().collect::<Option<_>>()?,
        sinks: sinks.into_iter().collect::<Option<_>>()?,
    })
}

/// Sources and ops in the order of the text: where each begins, and its id.
fn order(table: &Table) -> Vec<(usize, String)> {
    let mut order: Vec<(usize, String)> = ["source", "op"]
        .iter()
        .filter_map(|kind| table.get(kind))
        .filter_map(|node| match &node.value {
            Value::List(items) => Some(items),
            _ => None,
        })
        .flatten()
        .filter_map(|item| match &item.value {
            Value::Table(entry) => match &entry.get("id")?.value {
                Value::Text(id) => Some((item.span.start, id.clone())),
                _ => None,
            },
            _ => None,
        })
        .collect();
    order.sort();
    order
}

fn version(fields: &Fields<'_>) {
    let Some(node) = fields.take("version") else {
        return fields.missing("version", "begin the file with `version = 1`");
    };
    if !matches!(node.value, Value::Int(1)) {
        fields.problem(
            Problem::new("WEIR-JOB-008", "this host reads job files of version 1")
                .at(node.span.clone(), "")
                .help("write `version = 1`, or use a newer host"),
        );
    }
}

fn name(fields: &Fields<'_>) -> Option<JobName> {
    let (name, span) = fields.needed("name", "give the job a name: `name = \"word-count\"`")?;
    named(&name, &span, fields).then(|| JobName::new(name))
}

/// Checks a name.
pub fn named(name: &str, span: &Span, fields: &Fields<'_>) -> bool {
    let fine = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !fine {
        fields.problem(
            Problem::new("WEIR-JOB-009", format!("`{}` can't be a name", name.escape_debug()))
                .at(span.clone(), "")
                .help("a letter first, then letters, digits, `-` or `_`; 64 at most"),
        );
    }
    fine
}

fn settings(fields: &Fields<'_>, problems: &RefCell<Vec<Problem>>) -> Settings {
    let mut settings = Settings {
        batch: Duration::from_secs(1),
        parallelism: None,
        memory: GIB,
        grace: Duration::from_secs(30),
    };
    let Some((table, span)) = fields.table("job") else { return settings };
    let fields = Fields::new(table, span, problems);
    let day = Duration::from_secs(24 * 3600);
    if let Some(batch) = fields.time("batch", Duration::ZERO, day) {
        settings.batch = batch;
    }
    settings.parallelism = fields.number("parallelism", 1, 256).map(|lanes| lanes as usize);
    if let Some(memory) = fields.bytes("memory", 16 << 20, 1 << 44) {
        settings.memory = memory;
    }
    if let Some(grace) = fields.time("grace", Duration::ZERO, day) {
        settings.grace = grace;
    }
    fields.finish();
    settings
}

/// `schema = { user = "string", ts = "timestamp?" }`: a `?` says that it may be null, which is also
/// what every column of a file is unless it ends in `!`.
pub fn schema(fields: &Fields<'_>) -> Option<SchemaRef> {
    let (table, span) = fields.table("schema")?;
    if table.entries.is_empty() {
        fields.senseless(&span, "`schema` has no columns".into(), "or leave it out");
        return None;
    }
    let mut columns = Vec::new();
    for (name, _, node) in &table.entries {
        let Value::Text(text) = &node.value else {
            fields.problem(
                Problem::new("WEIR-JOB-005", format!("the type of `{name}` is a text in quotes"))
                    .at(node.span.clone(), ""),
            );
            continue;
        };
        let (data_type, nullable) = match text.trim().strip_suffix('!') {
            Some(data_type) => (data_type, false),
            None => (text.trim().trim_end_matches('?'), true),
        };
        match types::parse(data_type) {
            Ok(data_type) => columns.push(Field::new(name, data_type, nullable)),
            Err(error) => fields
                .problem(Problem::new("WEIR-JOB-006", error.to_string()).at(node.span.clone(), "")),
        }
    }
    Some(Arc::new(Schema::new(columns)))
}
