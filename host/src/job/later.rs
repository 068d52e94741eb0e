//! What later versions of Weir have: known by name, so that the message can say so.

use super::problem::{Problem, Span};

/// Settings, each with what can be done until then.
const SETTINGS: [(&str, &str); 8] = [
    ("backpressure", "limit the input with `max_rate` or `files_per_batch` of a source"),
    ("delivery", "file and sqlite sinks have each batch once, the console at least once"),
    ("key_groups", "keys are parted into 256 groups, which does for up to 256 lanes"),
    ("remember", "`keep` under [checkpoint] is how many of the last batches a run can start from"),
    ("stop", "`grace` under [job] says how long a stop may take"),
    ("trigger", "`batch` under [job] is the interval; `--once` takes what is there now"),
    ("was", "an op that keeps a state keeps its `id` too"),
    ("watch", "restart the job to take a new version of a plugin"),
];

/// Values, by their setting.
const VALUES: [(&str, &[&str]); 2] = [
    (
        "type",
        &[
            "kafka", "http", "mqtt", "amqp", "nats", "redis", "postgres", "sqlite", "s3", "delta",
            "zeromq",
        ],
    ),
    ("format", &["avro"]),
];

/// The problem that a setting belongs to a later version, if it does.
pub fn setting(name: &str, span: &Span) -> Option<Problem> {
    let (_, instead) = SETTINGS.iter().find(|(later, _)| *later == name)?;
    let message = format!("`{name}` is not available in this version");
    let problem = Problem::new("WEIR-JOB-007", message).at(span.clone(), "");
    Some(problem.help(format!("remove it; {instead}")))
}

/// The problem that a value belongs to a later version, if it does.
pub fn value(setting: &str, text: &str, span: &Span) -> Option<Problem> {
    let (_, values) = VALUES.iter().find(|(name, _)| *name == setting)?;
    let help = match setting {
        _ if !values.contains(&text) => return None,
        "type" => {
            "sources are \"file\", \"rows\", \"socket\" and \"rate\", sinks \"console\", \
             \"file\" and \"sqlite\""
        }
        _ => "use \"text\", \"json\", \"csv\" or \"parquet\"",
    };
    let message = format!("`{setting} = \"{text}\"` is not available in this version");
    Some(Problem::new("WEIR-JOB-007", message).at(span.clone(), "").help(help))
}
