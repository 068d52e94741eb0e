//! How an op keeps states: `visit`, `timeout`, `ttl` and `initial`.

use std::time::Duration;

use super::super::fields::{Fields, Problems, brief};
use super::super::problem::{Problem, Span};
use super::super::schema::TIMEOUT;
use super::super::value::Value;
use super::super::{FileSourceSpec, FormatKind, KeepingSpec, Layout, units};

/// Reads the settings, of which a function may have any use or none.
pub fn keeping(fields: &Fields<'_>, problems: &Problems) -> KeepingSpec {
    let place = |name| fields.take(name).map(|node| node.span.clone());
    let all = fields.word("visit", &[("touched", false), ("all", true)]);
    let timeout = timeout(fields, problems).zip(place("timeout"));
    let ttl = fields.time("ttl").zip(place("ttl"));
    if let (Some((timeout, _)), Some((ttl, span))) = (&timeout, &ttl)
        && ttl < timeout
    {
        too_short(fields, span, (*ttl, *timeout));
    }
    let initial = initial(fields);
    KeepingSpec { visit: all.zip(place("visit")), timeout, ttl, initial }
}

/// Files of states. The end of the name says what they are, as `host state export` writes them.
fn initial(fields: &Fields<'_>) -> Option<FileSourceSpec> {
    let help = "a file of states, such as `initial = \"states.jsonl\"`";
    let (path, path_span) = fields.filled("initial", help)?;
    let bare = path.strip_suffix(".gz").or_else(|| path.strip_suffix(".zst"));
    let end = bare.unwrap_or(&path).rsplit('.').next().unwrap_or_default();
    let format = match end {
        "jsonl" | "ndjson" | "json" => FormatKind::Json,
        "csv" => FormatKind::Csv(Layout::COMMAS),
        "parquet" if bare.is_none() => FormatKind::Parquet,
        _ => {
            let message = format!("`initial` can't be \"{}\": no format ends so", brief(&path));
            let help = "end the name with .jsonl, .csv or .parquet; .gz or .zst may follow the \
                        first two";
            fields.senseless(&path_span, message, help);
            return None;
        }
    };
    Some(FileSourceSpec {
        path,
        path_span,
        format,
        files_per_batch: None,
        max_unpacked: FileSourceSpec::UNPACKED_MAX,
        goes_on: false,
    })
}

fn too_short(fields: &Fields<'_>, span: &Span, (ttl, timeout): (Duration, Duration)) {
    let (ttl, timeout) = (units::shown_time(ttl), units::shown_time(timeout));
    let message =
        format!("a state would be dropped after {ttl}, before the `timeout` of {timeout}");
    fields.senseless(span, message, "set `ttl` longer, or leave one of them out");
}

/// A length of time, or a table that says by which clock.
fn timeout(fields: &Fields<'_>, problems: &Problems) -> Option<Duration> {
    let node = fields.take("timeout")?;
    let Value::Table(table) = &node.value else { return fields.time("timeout") };
    let fields = Fields::new((table, node.span.clone()), std::slice::from_ref(&TIMEOUT), problems);
    // A word that is not available is none of "settings here".
    if table.get("event_time").is_some() {
        let span = fields.take("event_time").map_or(0..0, |node| node.span.clone());
        let message = "`timeout.event_time` is not available in this version";
        let help = "there is no event time yet: `processing_time` goes by the times of the batches";
        fields.problem(Problem::new("WEIR-JOB-007", message).at(span, "").help(help));
    } else if fields.take("processing_time").is_none() {
        fields.missing("processing_time", "such as `timeout = { processing_time = \"30m\" }`");
    }
    let time = fields.time("processing_time");
    fields.finish();
    time
}
