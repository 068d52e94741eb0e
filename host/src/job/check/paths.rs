//! Where sinks write, and sources read. Paths are compared as they are written: nothing on the
//! disk is looked at, and links are not followed.

use std::path::{Component, Path, PathBuf};

use super::super::problem::{Problem, Span};
use super::super::{FileSourceSpec, Job, OpBody, SinkKind, SourceKind};

const UPWARDS: &str = "it would lead elsewhere than it seems to: write below the folder of the \
                       job, or give an absolute path";

/// Holds the paths of sinks against those of other sinks and of sources.
pub fn check(job: &Job, problems: &mut Vec<Problem>) {
    let mut seen: Vec<(PathBuf, &Span, &SinkKind)> = Vec::new();
    for sink in &job.sinks {
        let Some((path, path_span)) = sink.kind.path() else { continue };
        if Path::new(path).components().any(|part| part == Component::ParentDir) {
            problems.push(
                Problem::new("WEIR-JOB-016", "the path of a sink can't have `..`")
                    .at(path_span.clone(), "")
                    .help(UPWARDS),
            );
            continue;
        }
        let place = tidy(&job.folder, path);
        if let Some((_, first, other)) = seen.iter().find(|(known, ..)| *known == place)
            && let Some((message, help)) = clash(&sink.kind, other)
        {
            problems.push(
                Problem::new("WEIR-JOB-016", message)
                    .at(path_span.clone(), "again here")
                    .at((*first).clone(), "first here")
                    .help(help),
            );
        }
        for (reader, file) in readers(job) {
            if reads_output(file, &job.folder, (&place, &sink.kind)) {
                let message = format!("the sink writes into what {reader} reads");
                problems.push(
                    Problem::new("WEIR-JOB-016", message)
                        .at(path_span.clone(), "written here")
                        .at(file.path_span.clone(), "read here")
                        .help("the job would read its own output: choose another folder"),
                );
            }
        }
        seen.push((place, path_span, &sink.kind));
    }
}

/// Everything that reads files, by name.
fn readers(job: &Job) -> Vec<(String, &FileSourceSpec)> {
    let mut readers = Vec::new();
    for source in &job.sources {
        if let SourceKind::File(file) = &source.kind {
            readers.push((format!("source `{}`", source.id), file));
        }
    }
    for op in &job.ops {
        let OpBody::Wasm(call) = &op.body else { continue };
        let initial = call.keeping.initial.iter();
        readers.extend(initial.map(|file| (format!("`initial` of op `{}`", op.id), file)));
    }
    readers
}

/// Why two sinks can't write to one place, and the way out, if they can't.
fn clash(one: &SinkKind, other: &SinkKind) -> Option<(&'static str, &'static str)> {
    match (one, other) {
        (SinkKind::Sqlite { table: one, .. }, SinkKind::Sqlite { table: other, .. }) => one
            .eq_ignore_ascii_case(other)
            .then_some(("two sinks write to one table", "give each a table of its own")),
        (SinkKind::Sqlite { .. }, _) | (_, SinkKind::Sqlite { .. }) => {
            Some(("one sink makes a folder here, another one a file", "give each its own path"))
        }
        _ => Some(("two sinks write to one folder", "give each a folder of its own")),
    }
}

/// A path without `.` and, where it can be, without `..`.
fn tidy(folder: &Path, path: impl AsRef<Path>) -> PathBuf {
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

/// Whether a source reads what a sink writes to this folder: `place/batch=…/part-….`
fn reads(file: &FileSourceSpec, folder: &Path, place: &Path) -> bool {
    let is_pattern = |name: &Component<'_>| {
        name.as_os_str().to_str().is_some_and(|name| name.contains(['*', '?', '[', '{', '\\']))
    };
    let names: Vec<Component<'_>> = Path::new(&file.path).components().collect();
    let first = names.iter().position(is_pattern).unwrap_or(names.len());
    let root: PathBuf = names[..first].iter().collect();
    let pattern = &names[first..];
    let read = tidy(folder, &root);
    let Ok(below) = place.strip_prefix(&read) else { return false };
    // A pattern right in the folder of the job, such as `*.txt`, does not make that folder the
    // source's own: then only what the pattern can reach counts.
    let own = pattern.is_empty() || tidy(Path::new(""), &root).file_name().is_some();
    let deep = pattern.iter().any(|name| name.as_os_str().to_string_lossy().contains("**"));
    own || deep || pattern.len() >= below.components().count() + 2
}

/// Whether a source reads what a sink writes.
fn reads_output(file: &FileSourceSpec, folder: &Path, (place, sink): (&Path, &SinkKind)) -> bool {
    match sink {
        SinkKind::Sqlite { .. } => reads_file(file, folder, place),
        _ => reads(file, folder, place),
    }
}

/// Whether a source reads the file that a sink writes, or others beside it.
fn reads_file(file: &FileSourceSpec, folder: &Path, place: &Path) -> bool {
    let beside = place.parent().unwrap_or(place);
    let all = !file.path.contains(['*', '?', '[', '{', '\\']);
    // A pattern right in the folder of the job is not taken for one that means databases.
    (all && reads(file, folder, place))
        || (beside != tidy(folder, "") && reads(file, folder, beside))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::FormatKind;

    #[test]
    fn a_source_reads_a_database_in_its_own_folder() {
        for (source, sink, expected) in [
            ("in", "out.db", false),
            ("in", "in/out.db", true),
            (".", "out.db", true),
            ("*.txt", "out.db", false),
            ("in/*.txt", "in/out.db", true),
            ("in/*.txt", "out/out.db", false),
            ("in.txt", "in.txt", true),
        ] {
            let file = FileSourceSpec {
                path: source.into(),
                path_span: 0..0,
                format: FormatKind::Text,
                files_per_batch: None,
                max_unpacked: 0,
                goes_on: false,
            };
            let folder = Path::new("/job");
            let found = reads_file(&file, folder, &tidy(folder, sink));
            assert_eq!(found, expected, "{source} and {sink}");
        }
    }

    #[test]
    fn a_source_reads_its_own_folder_and_what_its_pattern_reaches() {
        for (source, sink, expected) in [
            ("in", "out", false),
            ("in", "in", true),
            ("./in/", "in/../in", true),
            ("in", "in/out", true),
            ("in/part", "in", false),
            ("input", "in", false),
            ("in/*.txt", "in/out", true),
            ("*.txt", "out", false),
            ("*/*.txt", "out", false),
            ("*/*/*.json", "out", true),
            ("*/*/*.json", "a/out", false),
            ("**/*.json", "a/out", true),
            ("in*", "in", false),
            ("/in", "in", false),
            ("/job/in", "in", true),
            (".", "out", true),
        ] {
            let file = FileSourceSpec {
                path: source.into(),
                path_span: 0..0,
                format: FormatKind::Text,
                files_per_batch: None,
                max_unpacked: 0,
                goes_on: false,
            };
            let folder = Path::new("/job");
            let found = reads(&file, folder, &tidy(folder, sink));
            assert_eq!(found, expected, "{source} and {sink}");
        }
    }
}
