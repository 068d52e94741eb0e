//! Problems of a job as a person reads them, and as JSON.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity,
};

use super::output::plain;
use crate::job::{JobError, Problem};

/// All problems of a job, with their places in the text.
pub fn text(error: &JobError) -> String {
    shown(error, Severity::Error)
}

/// All warnings of a job.
pub fn warnings(warnings: &JobError) -> String {
    shown(warnings, Severity::Warning)
}

/// All problems of a job as one JSON object.
pub fn json(error: &JobError) -> serde_json::Value {
    let problems: Vec<serde_json::Value> =
        error.problems.iter().map(|problem| problem_json(problem, &error.text.text)).collect();
    serde_json::json!({ "event": "error", "job": error.text.path, "problems": problems })
}

fn problem_json(problem: &Problem, text: &str) -> serde_json::Value {
    let places: Vec<serde_json::Value> = problem
        .marks
        .iter()
        .map(|mark| {
            let before = text.get(..mark.span.start).unwrap_or("");
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            serde_json::json!({ "line": line, "column": column, "label": mark.label })
        })
        .collect();
    serde_json::json!({
        "code": problem.code,
        "message": problem.message,
        "places": places,
        "help": problem.help,
    })
}

fn shown(error: &JobError, severity: Severity) -> String {
    let handler = match super::output::watched() && !no_color() {
        true => GraphicalReportHandler::new_themed(GraphicalTheme::unicode()),
        false => GraphicalReportHandler::new_themed(GraphicalTheme::none()),
    };
    let handler = handler.with_width(100);
    let mut out = String::new();
    for problem in &error.problems {
        let report = Report {
            problem,
            severity,
            source: NamedSource::new(&error.text.path, plain(&error.text.text)),
        };
        // Writing to a string can't fail.
        let _ = handler.render_report(&mut out, &report);
        out.push('\n');
    }
    out
}

#[allow(clippy::disallowed_methods, reason = "NO_COLOR is the command line's business")]
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// One problem as miette shows it.
#[derive(Debug)]
struct Report<'a> {
    problem: &'a Problem,
    severity: Severity,
    source: NamedSource<String>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(&self.problem.message))
    }
}

impl std::error::Error for Report<'_> {}

impl Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.problem.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(plain(help)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        (!self.problem.marks.is_empty()).then_some(&self.source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labels = self.problem.marks.iter().map(|mark| {
            let label = (!mark.label.is_empty()).then(|| plain(&mark.label));
            LabeledSpan::new(label, mark.span.start, mark.span.len())
        });
        Some(Box::new(labels))
    }
}
