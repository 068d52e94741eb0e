//! Problems of a job as a person reads them, and as JSON.

use std::fmt;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity,
};

use super::output::{plain, turns};
use crate::job::{JobError, JobText, Mark, Problem};
use crate::secret::hidden;

/// So many problems are shown in full; the rest is counted.
const SHOWN_MAX: usize = 50;

/// A line with so many bytes is not shown, only named.
const LINE_BYTES_MAX: usize = 400;

/// All problems of a job, with their places in the text.
pub fn text(error: &JobError) -> String {
    render(error, Severity::Error, colourful())
}

/// All warnings of a job.
pub fn warnings(warnings: &JobError) -> String {
    render(warnings, Severity::Warning, colourful())
}

/// All problems of a job as one JSON object.
pub fn json(error: &JobError) -> serde_json::Value {
    let problems: Vec<serde_json::Value> =
        error.problems.iter().map(|problem| problem_json(problem, &error.text)).collect();
    serde_json::json!({ "event": "error", "job": error.text.path, "problems": problems })
}

fn problem_json(problem: &Problem, text: &JobText) -> serde_json::Value {
    let place = |mark: &Mark| match text.override_at(&mark.span) {
        Some(changed) => serde_json::json!({ "setting": changed.origin, "label": mark.label }),
        None => {
            let (line, column) = line_and_column(&text.text, mark.span.start);
            serde_json::json!({ "line": line, "column": column, "label": mark.label })
        }
    };
    serde_json::json!({
        "code": problem.code,
        "message": message(problem, text),
        "places": problem.marks.iter().map(place).collect::<Vec<_>>(),
        "help": problem.help,
    })
}

/// The message, with the override that the value came from.
fn message(problem: &Problem, text: &JobText) -> String {
    let main = problem.marks.first().and_then(|mark| text.override_at(&mark.span));
    match main {
        Some(changed) => format!("{} (from {})", problem.message, changed.origin),
        None => problem.message.clone(),
    }
}

/// Line and column of a byte, both from 1; columns count characters.
fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

fn render(error: &JobError, severity: Severity, colours: bool) -> String {
    let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100);
    let file: Arc<str> = same_length(&error.text.text).into();
    let mut out = String::new();
    for problem in error.problems.iter().take(SHOWN_MAX) {
        // Writing to a string can't fail, and a place outside of the text is not shown.
        let _ = handler.render_report(&mut out, &Report::new(problem, severity, error, &file));
        out.push('\n');
    }
    if let Some(more @ 1..) = error.problems.len().checked_sub(SHOWN_MAX) {
        out.push_str(&format!("and {more} more\n"));
    }
    out
}

#[allow(clippy::disallowed_methods, reason = "NO_COLOR is the command line's business")]
fn colourful() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    super::output::watched() && !refused
}

/// A text in which nothing can steer a terminal or turn the direction of writing, with every byte
/// of what is left where it was.
fn same_length(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            // Before the end of a line it is a part of that end.
            '\r' => out.push(' '),
            c if c.is_control() => out.extend(std::iter::repeat_n('?', c.len_utf8())),
            c if turns(c) => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

fn shown(text: &str) -> String {
    // Before lines are broken: a part of a secret would not be known as one.
    plain(&hidden(text))
}

/// One problem as miette shows it.
#[derive(Debug)]
struct Report {
    code: &'static str,
    message: String,
    severity: Severity,
    help: Option<String>,
    source: NamedSource<Arc<str>>,
    labels: Vec<LabeledSpan>,
}

impl Report {
    fn new(problem: &Problem, severity: Severity, error: &JobError, file: &Arc<str>) -> Self {
        let text = &error.text;
        let main = problem.marks.first().and_then(|mark| text.override_at(&mark.span));
        let (name, source, start) = match main {
            Some(changed) => {
                (shown(&changed.origin), same_length(&changed.value).into(), changed.start)
            }
            None => (shown(&text.path), Arc::clone(file), 0),
        };
        let mut report = Self {
            code: problem.code,
            message: shown(&message(problem, text)),
            severity,
            help: problem.help.as_deref().map(shown),
            source: NamedSource::new(name, Arc::clone(&source)),
            labels: Vec::new(),
        };
        for mark in &problem.marks {
            let changed = text.override_at(&mark.span);
            let here = changed.map(|changed| &changed.origin) == main.map(|main| &main.origin);
            let at = mark.span.start.saturating_sub(start);
            if here && fits(&source, at, mark.span.len()) {
                let label = (!mark.label.is_empty()).then(|| shown(&mark.label));
                report.labels.push(LabeledSpan::new(label, at, mark.span.len()));
            } else {
                report.tell(mark, text);
            }
        }
        report
    }

    /// Names a place that can't be shown beside the others.
    fn tell(&mut self, mark: &Mark, text: &JobText) {
        let place = match text.override_at(&mark.span) {
            Some(changed) => shown(&changed.origin),
            None => {
                let (line, column) = line_and_column(&text.text, mark.span.start);
                format!("{}:{line}:{column}", shown(&text.path))
            }
        };
        let label = if mark.label.is_empty() { "at" } else { &mark.label };
        let told = format!("{}: {place}", shown(label));
        self.help = Some(match self.help.take() {
            Some(help) => format!("{help}\n{told}"),
            None => told,
        });
    }
}

/// Whether a place lies in a text, and in lines that are short enough to be shown.
fn fits(text: &str, at: usize, length: usize) -> bool {
    let (Some(before), Some(inside)) = (text.get(..at), text.get(at..at + length)) else {
        return false;
    };
    let first = before.rsplit('\n').next().unwrap_or("");
    let last = text[at + length..].split('\n').next().unwrap_or("");
    first.len() + inside.len() + last.len() <= LINE_BYTES_MAX
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

impl Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        (!self.labels.is_empty()).then_some(&self.source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::job::{Job, Outside};

    fn error(text: &str, set: &[&str]) -> JobError {
        let set: Vec<String> = set.iter().map(|option| (*option).to_owned()).collect();
        let outside = Outside { set: &set, ..Outside::NOTHING };
        Job::parse(text.as_bytes(), "job.toml", PathBuf::new(), &outside).map(drop).unwrap_err()
    }

    const PLAIN: &str = "version = 1\nname = \"x\"\n[[source]]\nid = \"a\"\ntype = \"file\"\n\
                         path = \"in\"\n[[sink]]\nid = \"out\"\ntype = \"console\"\n";

    #[test]
    fn a_value_from_outside_is_shown_with_its_origin() {
        let error = error(PLAIN, &["job.batch=soon"]);
        let shown = render(&error, Severity::Error, false);
        assert!(shown.contains("\"soon\" (from --set job.batch)"), "{shown}");
        assert!(shown.contains("[--set job.batch:1:1]\n 1 | soon\n   : ^^^^\n"), "{shown}");
        let place = &json(&error)["problems"][0]["places"][0];
        assert_eq!(*place, serde_json::json!({ "setting": "--set job.batch", "label": "" }));
    }

    #[test]
    fn a_place_in_the_file_and_one_outside_are_both_named() {
        let text = format!("{PLAIN}[[sink]]\nid = \"b\"\ntype = \"console\"\n");
        let shown = render(&error(&text, &["sink.b.id=out"]), Severity::Error, false);
        assert!(shown.contains("the id `out` is there twice (from --set sink.b.id)"), "{shown}");
        assert!(shown.contains("first here: job.toml:8:6"), "{shown}");
    }

    #[test]
    fn places_are_right_behind_characters_that_are_not_shown() {
        let text = format!("# é \u{202e} \u{7f} \u{85}\r\n{PLAIN}")
            .replace('\n', "\r\n")
            .replace("\r\r", "\r")
            .replace("\"in\"", "7");
        // A control character is not TOML, not even in a comment.
        let text = text.replace(['\u{7f}', '\u{85}'], " ");
        let error = error(&text, &[]);
        let shown = render(&error, Severity::Error, false);
        assert!(shown.contains("7 | path = 7 \n   :        ^\n"), "{shown}");
        assert!(!shown.contains(['\r', '\u{202e}']), "{shown}");
        let place = &json(&error)["problems"][0]["places"][0];
        assert_eq!((place["line"].as_u64(), place["column"].as_u64()), (Some(7), Some(8)));
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let escape = "\u{1b}[2J\u{9b}31m\u{202e}";
        let text = PLAIN.replace("\"in\"", &format!("\"{escape}\"\n{escape} = 1"));
        let options = [format!("job.{escape}=1"), format!("job.batch={escape}"), escape.to_owned()];
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let readable = PLAIN.replace("id = \"a\"", "id = \"\\u001b[2J\\u009b\\u202e\"");
        for error in [error(&text, &[]), error(&readable, &options)] {
            let shown = render(&error, Severity::Error, false);
            let steers = |c: char| (c.is_control() && c != '\n') || turns(c);
            assert!(!shown.contains(steers), "{shown:?}");
        }
    }

    #[test]
    fn long_lines_and_many_problems_do_not_flood_the_screen() {
        let long = PLAIN.replace("\"in\"", &format!("{}[1]", " ".repeat(100_000)));
        let shown = render(&error(&long, &[]), Severity::Error, false);
        assert!(shown.contains("at: job.toml:6:100008") && shown.len() < 500, "{shown}");
        let many: String = (0..60).map(|n| format!("no{n} = 1\n")).collect();
        let shown = render(&error(&format!("{many}{PLAIN}"), &[]), Severity::Error, false);
        assert!(shown.ends_with("and 10 more\n"), "{shown}");
    }

    #[test]
    fn colours_are_only_there_when_asked_for() {
        let error = error("version = 2", &[]);
        assert!(render(&error, Severity::Error, true).contains('\u{1b}'));
        assert!(!render(&error, Severity::Error, false).contains('\u{1b}'));
    }
}
