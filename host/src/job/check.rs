//! The rules that no single setting can break alone.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use super::fields::near;
use super::problem::{Problem, Span};
use super::{Input, Job, NativeSpec, OpBody, SinkKind, SourceKind};

/// Holds a job against the rules; gives warnings.
pub fn check(job: &Job, problems: &mut Vec<Problem>) -> Vec<Problem> {
    ids(job, problems);
    inputs(job, problems);
    counts(job, problems);
    paths(job, problems);
    unread(job)
}

fn ids(job: &Job, problems: &mut Vec<Problem>) {
    let nodes = job.sources.iter().map(|source| (source.id.as_str(), &source.span));
    let nodes = nodes.chain(job.ops.iter().map(|op| (op.id.as_str(), &op.span)));
    let functions = job.functions.iter().map(|function| (function.id.as_str(), &function.span));
    twice(nodes.chain(functions), problems);
    twice(job.sinks.iter().map(|sink| (sink.id.as_str(), &sink.span)), problems);
}

fn twice<'a>(ids: impl Iterator<Item = (&'a str, &'a Span)>, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<String, &Span> = HashMap::new();
    for (id, span) in ids {
        match seen.get(&id.to_lowercase()) {
            Some(first) => problems.push(
                Problem::new("WEIR-JOB-010", format!("`{id}` stands twice"))
                    .at(span.clone(), "again here")
                    .at((*first).clone(), "first here")
                    .help("ids differ in more than case; give one of them another"),
            ),
            None => drop(seen.insert(id.to_lowercase(), span)),
        }
    }
}

fn inputs(job: &Job, problems: &mut Vec<Problem>) {
    let all: Vec<&str> = job
        .sources
        .iter()
        .map(|source| source.id.as_str())
        .chain(job.ops.iter().map(|op| op.id.as_str()))
        .collect();
    for (place, op) in job.ops.iter().enumerate() {
        let below: Vec<&str> = job.ops[place..].iter().map(|op| op.id.as_str()).collect();
        for input in &op.from {
            problems.extend(unknown(input, &all));
            if below.contains(&input.node.as_str()) {
                problems.push(not_above(op.id.as_str(), input));
            }
        }
    }
    for sink in &job.sinks {
        problems.extend(unknown(&sink.from, &all));
    }
}

fn unknown(input: &Input, all: &[&str]) -> Option<Problem> {
    if all.contains(&input.node.as_str()) {
        return None;
    }
    let list = format!("there are: {}", all.join(", "));
    let help = match near(input.node.as_str(), all) {
        Some(near) => format!("did you mean `{near}`? {list}"),
        None => list,
    };
    let message = format!("there is no source or op `{}`", input.node);
    Some(Problem::new("WEIR-JOB-011", message).at(input.span.clone(), "").help(help))
}

fn not_above(op: &str, input: &Input) -> Problem {
    let message = if op == input.node.as_str() {
        format!("`{op}` reads from itself")
    } else {
        format!("`{op}` reads from `{}`, which stands below it", input.node)
    };
    Problem::new("WEIR-JOB-012", message)
        .at(input.span.clone(), "")
        .help("an op reads only from entries above it: move it, or break the circle")
}

fn counts(job: &Job, problems: &mut Vec<Problem>) {
    if job.sources.is_empty() {
        problems.push(
            Problem::new("WEIR-JOB-015", "the job has no source")
                .help("add a [[source]], such as `type = \"file\"` with a `path`"),
        );
    }
    if job.sinks.is_empty() {
        problems.push(
            Problem::new("WEIR-JOB-015", "the job has no sink")
                .help("add a [[sink]] with `type = \"console\"` to see the rows"),
        );
    }
    for op in &job.ops {
        let wrong = match &op.body {
            OpBody::Sql(_) => None,
            OpBody::Native(NativeSpec::Union) if op.from.len() < 2 => Some("two or more inputs"),
            OpBody::Native(NativeSpec::Union) => None,
            OpBody::Wasm(_) | OpBody::Native(_) if op.from.len() > 1 => Some("one input"),
            OpBody::Wasm(_) | OpBody::Native(_) => None,
        };
        if let Some(wanted) = wrong {
            let message = format!("`{}` has {} inputs, it needs {wanted}", op.id, op.from.len());
            let span = op.from.last().map_or(op.span.clone(), |input| input.span.clone());
            problems.push(
                Problem::new("WEIR-JOB-014", message)
                    .at(span, "")
                    .help("`native = \"union\"` unites several inputs: `from = [\"a\", \"b\"]`"),
            );
        }
    }
}

/// A path without `.` and, where it can be, without `..`.
fn tidy(folder: &Path, path: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => drop(out.pop()),
            other => out.push(other),
        }
    }
    out
}

fn paths(job: &Job, problems: &mut Vec<Problem>) {
    let mut seen: Vec<(PathBuf, &Span)> = Vec::new();
    for sink in &job.sinks {
        let SinkKind::File { path, path_span, .. } = &sink.kind else { continue };
        let wrong = |message: String, help: &str| {
            Problem::new("WEIR-JOB-016", message).at(path_span.clone(), "").help(help)
        };
        if Path::new(path).components().any(|part| part == Component::ParentDir) {
            problems.push(wrong(
                "the path of a sink can't have `..`".into(),
                "write below the job's folder, or give an absolute path",
            ));
            continue;
        }
        let place = tidy(&job.folder, path);
        if let Some((_, first)) = seen.iter().find(|(known, _)| *known == place) {
            problems.push(
                wrong("two sinks write to one folder".into(), "give each a folder of its own")
                    .at((*first).clone(), "first here"),
            );
        }
        for source in &job.sources {
            let SourceKind::File(file) = &source.kind else { continue };
            let literal = file.path.split(['*', '?', '[', '{']).next().unwrap_or("");
            let read = tidy(&job.folder, literal);
            let whole = literal.len() == file.path.len();
            if place == read || (place.starts_with(&read) && (whole || file.path.contains("**"))) {
                problems.push(
                    wrong(
                        format!("the sink writes into what source `{}` reads", source.id),
                        "the job would read its own output; choose another folder",
                    )
                    .at(file.path_span.clone(), "read here"),
                );
            }
        }
        seen.push((place, path_span));
    }
}

/// Entries that nobody reads.
fn unread(job: &Job) -> Vec<Problem> {
    // A query may read any entry above it by name.
    let queries: Vec<&str> = job
        .ops
        .iter()
        .filter_map(|op| match &op.body {
            OpBody::Sql(sql) if op.from.is_empty() => Some(sql.sql.as_str()),
            _ => None,
        })
        .collect();
    let read = |id: &str| {
        let ops = job.ops.iter().flat_map(|op| &op.from);
        let inputs = ops.chain(job.sinks.iter().map(|sink| &sink.from));
        inputs.into_iter().any(|input| input.node.as_str() == id)
            || queries.iter().any(|sql| sql.to_lowercase().contains(&id.to_lowercase()))
    };
    let sources = job.sources.iter().map(|source| (source.id.as_str(), &source.span));
    let ops = job.ops.iter().map(|op| (op.id.as_str(), &op.span));
    sources
        .chain(ops)
        .filter(|(id, _)| !read(id))
        .map(|(id, span)| {
            Problem::new("WEIR-JOB-017", format!("nobody reads `{id}`, so it is not run"))
                .at(span.clone(), "")
                .help(format!("let an op or a sink read it with `from = \"{id}\"`, or remove it"))
        })
        .collect()
}
