//! How often a row that went in counts in what comes out, for each way through a job.

use crate::job::{Job, SinkKind, SourceKind};
use crate::plan::JobPlan;

/// A way from a source to a sink.
#[derive(Debug, PartialEq, Eq)]
pub struct Way {
    /// The source.
    pub source: String,
    /// The sink.
    pub sink: String,
    /// How often.
    pub level: &'static str,
    /// What that rests on.
    pub why: &'static str,
}

impl Way {
    /// The way in `host plan --format json`.
    pub fn json(&self) -> serde_json::Value {
        let Self { source, sink, level, why } = self;
        serde_json::json!({ "from": source, "to": sink, "level": level, "why": why })
    }
}

/// Every way of a job.
pub fn ways(job: &Job, plan: &JobPlan) -> Vec<Way> {
    let mut ways = Vec::new();
    for (sink, planned) in job.sinks.iter().zip(&plan.sinks) {
        let reached = planned.sources();
        for source in job.sources.iter().filter(|source| reached.contains(&source.id)) {
            let (level, why) = delivery(&source.kind, &sink.kind);
            let (source, sink) = (source.id.to_string(), sink.id.to_string());
            ways.push(Way { source, sink, level, why });
        }
    }
    ways
}

/// The level of a way, and why, with a checkpoint.
fn delivery(source: &SourceKind, sink: &SinkKind) -> (&'static str, &'static str) {
    match (source, sink) {
        (SourceKind::Socket(socket), _) if !socket.wal => {
            ("at most once", "what was received is in memory alone (`wal = false`)")
        }
        (_, SinkKind::Console { .. }) => {
            ("at least once", "a console can't tell whether a batch was shown before a crash")
        }
        (SourceKind::Socket(_), _) => (
            "exactly once from the log on",
            "blocks are in the log before a batch sees them; what had not got there is lost",
        ),
        (SourceKind::File(_) | SourceKind::Rows(_) | SourceKind::Rate(_), _) => (
            "exactly once",
            "the input of a batch is written down, and the sink knows a batch again",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::job::Outside;

    #[test]
    fn the_level_follows_from_the_source_and_the_sink() {
        let sources = [
            ("type = \"file\"\npath = \"in\"", ["exactly once", "at least once"]),
            ("type = \"rows\"\nrows = []", ["exactly once", "at least once"]),
            ("type = \"rate\"", ["exactly once", "at least once"]),
            (
                "type = \"socket\"\naddress = \"h:1\"",
                ["exactly once from the log on", "at least once"],
            ),
            ("type = \"socket\"\naddress = \"h:1\"\nwal = false", ["at most once", "at most once"]),
        ];
        let sinks = [
            ("type = \"file\"\npath = \"out\"", 0),
            ("type = \"sqlite\"\npath = \"o.db\"\ntable = \"t\"", 0),
            ("type = \"console\"", 1),
        ];
        for (source, levels) in sources {
            for (sink, which) in sinks {
                let text = format!(
                    "version = 1\nname = \"x\"\n[[source]]\nid = \"a\"\n{source}\n[[sink]]\n\
                     id = \"b\"\n{sink}\n"
                );
                let path = PathBuf::new();
                let read = Job::parse(text.as_bytes(), "job.toml", path, &Outside::NOTHING);
                let job = read.unwrap().0;
                let (level, why) = delivery(&job.sources[0].kind, &job.sinks[0].kind);
                assert_eq!(level, levels[which], "{text}");
                assert!(!why.is_empty());
            }
        }
    }
}
