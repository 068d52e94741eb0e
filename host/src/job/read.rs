//! From values to a job: every setting is read, then all of it is held against the rules.

use std::cell::RefCell;
use std::path::PathBuf;
use std::slice;
use std::sync::Arc;

use super::check;
use super::entries::{self, Entry, KINDS, Kind};
use super::fields::{Fields, Problems, brief};
use super::problem::{JobError, Problem, Span};
use super::schema;
use super::value::{self, NOTHING, Table, Value};
use super::vars::Filled;
use super::{
    CheckpointSpec, DeadLettersSpec, Job, JobText, Outside, Settings, StateSpec, StoreName,
    TestSpec, overrides, vars,
};
use crate::id::JobName;

/// The largest job file, in bytes.
/// How long a job file may be.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// So many sources, ops, functions and sinks a job may have.
const ENTRIES_MAX: usize = 1_000;

impl Job {
    /// Reads a job from the bytes of its file. Gives the job with its warnings, or everything that
    /// is wrong.
    pub fn parse(
        bytes: &[u8],
        path: &str,
        folder: PathBuf,
        outside: &Outside<'_>,
    ) -> Result<(Self, Vec<Problem>), JobError> {
        Document::open(bytes, path, outside)?.job(folder)
    }
}

/// A job file as values, with what was changed from outside and with the values of `[vars]`.
pub struct Document {
    /// All that it says.
    pub table: Table,
    /// What became of `[vars]`.
    pub filled: Filled,
    /// Its text.
    pub text: Arc<JobText>,
    readable: bool,
    problems: Vec<Problem>,
}

impl Document {
    /// Reads a file. What is wrong inside of it is told together with what it means.
    pub fn open(bytes: &[u8], path: &str, outside: &Outside<'_>) -> Result<Self, JobError> {
        let text = decode(bytes).map_err(|(text, problem)| JobError {
            text: Arc::new(JobText { path: path.to_owned(), text, overrides: Vec::new() }),
            problems: vec![problem],
        })?;
        let (mut table, problems) = value::read(&text);
        let readable = problems.is_empty();
        let (overrides, others) = match readable {
            true => overrides::apply(&mut table, text.len(), (outside.set, outside.overrides)),
            false => (Vec::new(), problems),
        };
        let text = Arc::new(JobText { path: path.to_owned(), text, overrides });
        let problems = RefCell::new(others);
        let filled = match readable {
            true => vars::apply(&mut table, outside, &problems),
            false => Filled::default(),
        };
        Ok(Self { table, filled, text, readable, problems: problems.into_inner() })
    }

    /// Checks it. Gives the job with its warnings, or everything that is wrong.
    pub fn job(&self, folder: PathBuf) -> Result<(Job, Vec<Problem>), JobError> {
        let problems = RefCell::new(self.problems.clone());
        let read = match self.readable {
            true => read(&self.table, &self.text, folder, &problems),
            false => None,
        };
        let problems = problems.into_inner();
        match read {
            Some((job, mut warnings)) if problems.is_empty() => {
                warnings.extend(self.filled.warnings.iter().cloned());
                Ok((job, sorted(warnings)))
            }
            _ => Err(JobError { text: Arc::clone(&self.text), problems: sorted(problems) }),
        }
    }
}

/// In the order of the text, each once. What belongs to no place stands at the end.
fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| {
        let start = |problem: &Problem| problem.marks.first().map(|mark| mark.span.start);
        let key = |problem: &Problem| start(problem).unwrap_or(usize::MAX);
        (key(a), a.code, &a.message).cmp(&(key(b), b.code, &b.message))
    });
    problems.dedup();
    problems
}

/// The text of a file, or what is wrong with it and as much of the text as can be shown.
fn decode(bytes: &[u8]) -> Result<String, (String, Problem)> {
    const UTF8: &str = "save the file as UTF-8 without a byte order mark";
    let wrong = |message: &str| Problem::new("WEIR-JOB-002", message).help(UTF8);
    if bytes.len() > TEXT_BYTES_MAX {
        let help = "is it a job file? rows that don't fit belong in a file that a source reads";
        let message = format!("the file has {} bytes, more than 1 MiB", bytes.len());
        return Err((String::new(), Problem::new("WEIR-JOB-002", message).help(help)));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err((String::new(), wrong("the file is UTF-16, not UTF-8")));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err((String::new(), wrong("the file begins with a byte order mark")));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(error) => {
            let at = error.valid_up_to();
            let text = String::from_utf8_lossy(bytes).into_owned();
            let mark = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
            return Err((text, wrong("the file is not UTF-8 text").at(mark, "this is no letter")));
        }
    };
    match text.find('\0') {
        Some(at) => {
            let problem = wrong("the file has a zero byte: it is not a text file");
            Err((text, problem.at(at..at + 1, "")))
        }
        None => Ok(text),
    }
}

/// Reads all there is, then holds it against the rules. None if something could not be read.
fn read(
    table: &Table,
    text: &Arc<JobText>,
    folder: PathBuf,
    problems: &Problems,
) -> Option<(Job, Vec<Problem>)> {
    let fields = Fields::new((table, 0..0), slice::from_ref(&schema::TOP), problems);
    version(&fields);
    let name = name(&fields);
    let settings = settings(&fields, problems);
    let dead_letters = dead_letters(&fields, problems, name.as_ref());
    let checkpoint = checkpoint(&fields, problems, name.as_ref());
    let state = state(&fields, problems);
    let entries = entries(&fields);
    let tests = fields.tables("test");
    // Its values stand in the texts already.
    fields.take("vars");
    fields.finish();
    few(&entries, problems)?;
    let of = |kind: Kind| entries.iter().filter(move |entry| entry.kind == kind);
    let functions: Vec<_> =
        of(Kind::Function).filter_map(|entry| entries::function(entry, problems)).collect();
    let sources: Vec<_> =
        of(Kind::Source).filter_map(|entry| entries::source(entry, problems)).collect();
    let ops: Vec<_> =
        of(Kind::Op).filter_map(|entry| entries::op(entry, &entries, problems)).collect();
    let sinks: Vec<_> =
        of(Kind::Sink).filter_map(|entry| entries::sink(entry, &entries, problems)).collect();
    let (count, tests) = (tests.len(), read_tests(tests, &entries, problems));
    let read = functions.len() + sources.len() + ops.len() + sinks.len();
    let whole = tests.len() == count && read == entries.len() && name.is_some();
    let (name, text) = (name.unwrap_or_else(|| JobName::new("")), Arc::clone(text));
    #[rustfmt::skip]
    let job = Job {
        name, folder, text, settings, functions, sources, ops, sinks, dead_letters, checkpoint,
        state, tests,
    };
    let warnings = check::check(&job, &entries, &mut problems.borrow_mut());
    whole.then_some((job, warnings))
}

/// None if there are more entries than can be.
fn few(entries: &[Entry<'_>], problems: &Problems) -> Option<()> {
    if entries.len() <= ENTRIES_MAX {
        return Some(());
    }
    let message = format!("{} entries are more than {ENTRIES_MAX}", entries.len());
    let problem = Problem::new("WEIR-JOB-002", message).help("make several jobs of it");
    problems.borrow_mut().push(problem);
    None
}

fn read_tests(
    tests: Vec<(&Table, Span)>,
    entries: &[Entry<'_>],
    problems: &Problems,
) -> Vec<TestSpec> {
    tests.into_iter().filter_map(|table| entries::test(table, entries, problems)).collect()
}

/// All entries, in the order of the text.
fn entries<'a>(fields: &Fields<'a>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = KINDS
        .into_iter()
        .flat_map(|(name, kind)| {
            let tables = fields.tables(name).into_iter();
            tables.map(move |(table, span)| Entry::new(kind, table, span))
        })
        .collect();
    entries.sort_by_key(|entry| entry.span.start);
    entries
}

fn version(fields: &Fields<'_>) {
    let Some(node) = fields.take("version") else {
        return fields.missing("version", "begin the file with `version = 1`");
    };
    match &node.value {
        Value::Int(1) => {}
        Value::Int(other) => {
            let message = format!("`version = {other}`: this host reads job files of version 1");
            fields.problem(
                Problem::new("WEIR-JOB-008", message)
                    .at(node.span.clone(), "")
                    .help("write `version = 1`, or use a newer host"),
            );
        }
        _ => fields.wrong("version", node, "the number 1"),
    }
}

fn name(fields: &Fields<'_>) -> Option<JobName> {
    let (name, span) = fields.needed("name", "give the job a name: `name = \"word-count\"`")?;
    entries::named(&name, &span, fields, char::is_alphanumeric).then(|| JobName::new(name))
}

fn dead_letters(
    fields: &Fields<'_>,
    problems: &Problems,
    name: Option<&JobName>,
) -> DeadLettersSpec {
    let name = name.map_or("", JobName::as_str);
    let path = format!(".weir/{name}/dead-letters");
    let mut spec = DeadLettersSpec { path, path_span: 0..0, row: true };
    let table = fields.table("dead_letters").unwrap_or((&NOTHING, 0..0));
    let fields = Fields::new(table, slice::from_ref(&schema::DEAD_LETTERS), problems);
    let help = "a folder, such as `path = \"dead-letters\"`";
    if let Some((path, path_span)) = fields.filled("path", help) {
        (spec.path, spec.path_span) = (path, path_span);
    }
    spec.row = fields.word("row", &[("show", true), ("hide", false)]).unwrap_or(true);
    fields.finish();
    spec
}

fn checkpoint(fields: &Fields<'_>, problems: &Problems, name: Option<&JobName>) -> CheckpointSpec {
    let name = name.map_or("", JobName::as_str);
    let folder = format!(".weir/{name}/checkpoint");
    let table = fields.table("checkpoint").unwrap_or((&NOTHING, 0..0));
    let fields = Fields::new(table, slice::from_ref(&schema::CHECKPOINT), problems);
    let keep = fields.number("keep").and_then(|keep| u64::try_from(keep).ok()).unwrap_or(5);
    let mut spec = CheckpointSpec { folder, uri_span: 0..0, keep };
    if let Some((uri, span)) = fields.filled("uri", "a folder, such as `uri = \"checkpoint\"`") {
        let folder = uri.strip_prefix("file://").or_else(|| uri.strip_prefix("file:"));
        match (folder, uri.split_once("://")) {
            (None, Some((scheme, _))) => fields.problem(
                Problem::new(
                    "WEIR-JOB-007",
                    format!("`{}://` is not available in this version", brief(scheme)),
                )
                .at(span.clone(), "")
                .help("checkpoints are kept in a folder of this machine: give its path"),
            ),
            _ => spec.folder = folder.unwrap_or(&uri).to_owned(),
        }
        spec.uri_span = span;
    }
    fields.finish();
    spec
}

fn state(fields: &Fields<'_>, problems: &Problems) -> StateSpec {
    let table = fields.table("state").unwrap_or((&NOTHING, 0..0));
    let fields = Fields::new(table, slice::from_ref(&schema::STATE), problems);
    let stores = [("memory", StoreName::Memory), ("lsm", StoreName::Lsm)];
    let store = fields.word("store", &stores).unwrap_or(StoreName::Memory);
    let cache = fields.bytes("cache").unwrap_or_default();
    fields.finish();
    StateSpec { store, cache }
}

fn settings(fields: &Fields<'_>, problems: &Problems) -> Settings {
    let table = fields.table("job").unwrap_or((&NOTHING, 0..0));
    let fields = Fields::new(table, slice::from_ref(&schema::JOB), problems);
    // What is wrong is a problem already: what stands in its place is of no account.
    let settings = Settings {
        batch: fields.time("batch").unwrap_or_default(),
        parallelism: fields.number("parallelism").and_then(|lanes| usize::try_from(lanes).ok()),
        memory: fields.bytes("memory").unwrap_or_default(),
        confine: fields.flag("confine").unwrap_or(true),
        by_batches: fields
            .word("clock", &[("machine", false), ("batches", true)])
            .unwrap_or_default(),
        grace: fields.time("grace").unwrap_or_default(),
    };
    fields.finish();
    settings
}
