//! The rules that no single setting can break alone.

mod graph;
mod paths;

use super::entries::{Entry, Kind};
use super::problem::Problem;
use super::{Job, NativeSpec, OpBody};

/// Holds what could be read of a job against the rules; gives warnings. `entries` are all that
/// stand in the text, so that no rule blames one for another that can't be read.
pub fn check(job: &Job, entries: &[Entry<'_>], problems: &mut Vec<Problem>) -> Vec<Problem> {
    let mut warnings = graph::ids(entries, problems);
    graph::inputs(job, entries, problems);
    ends(entries, problems);
    counts(job, problems);
    paths::check(job, problems);
    warnings.extend(graph::unread(job));
    warnings
}

/// There is a way in and a way out.
fn ends(entries: &[Entry<'_>], problems: &mut Vec<Problem>) {
    let none = |kind| !entries.iter().any(|entry| entry.kind == kind);
    if none(Kind::Source) {
        problems.push(
            Problem::new("WEIR-JOB-015", "the job has no source")
                .help("add a [[source]], such as `type = \"file\"` with a `path`"),
        );
    }
    if none(Kind::Sink) {
        problems.push(
            Problem::new("WEIR-JOB-015", "the job has no sink")
                .help("add a [[sink]] with `type = \"console\"` to see the rows"),
        );
    }
}

/// Every op has as many inputs as it can have.
fn counts(job: &Job, problems: &mut Vec<Problem>) {
    for op in &job.ops {
        let wanted = match (&op.body, op.from.len()) {
            (OpBody::Sql(_), _) | (OpBody::Native(NativeSpec::Union), 2..) => continue,
            (OpBody::Native(NativeSpec::Union), _) => "two or more",
            (OpBody::Wasm(_) | OpBody::Native(_), 1) => continue,
            (OpBody::Wasm(_) | OpBody::Native(_), _) => "one",
        };
        let has = match op.from.len() {
            0 => "no input".to_owned(),
            1 => "1 input".to_owned(),
            count => format!("{count} inputs"),
        };
        let message = format!("`{}` has {has}, it needs {wanted}", op.id);
        let span = op.from.last().map_or(op.span.clone(), |input| input.span.clone());
        problems.push(
            Problem::new("WEIR-JOB-014", message)
                .at(span, "")
                .help("`native = \"union\"` unites several inputs: `from = [\"a\", \"b\"]`"),
        );
    }
}
