//! `host checkpoint`: what is kept of a job.

mod repair;
mod rm;

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::json;

use self::repair::{RepairArgs, repair};
use self::rm::{RmArgs, rm};
use super::failure::Failure;
use super::{Format, JobArgs, exit, open, output, place};
use crate::checkpoint::{self, BatchLine, Verdict};
use crate::clock::Micros;
use crate::durable::ReadStore;
use crate::state::check_part;

#[derive(Debug, Args)]
pub struct CheckpointArgs {
    #[command(subcommand)]
    command: CheckpointCommand,
}

#[derive(Debug, Subcommand)]
enum CheckpointCommand {
    /// List the batches that are kept, and those that a run can start from.
    Ls(JobArgs),
    /// Read everything and say whether it is whole.
    Verify(JobArgs),
    /// Say what can be saved of a damaged checkpoint; with `--yes`, do it.
    Repair(RepairArgs),
    /// Remove the checkpoint: the next run starts anew, as another job for its sinks.
    Rm(RmArgs),
}

pub fn checkpoint(args: &CheckpointArgs) -> u8 {
    let (job, done) = match &args.command {
        CheckpointCommand::Ls(job) => (job, ls(job)),
        CheckpointCommand::Verify(job) => (job, verify(job)),
        CheckpointCommand::Repair(args) => (&args.job, repair(args)),
        CheckpointCommand::Rm(args) => (&args.job, rm(args)),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            failure.show(job.format);
            failure.exit_code()
        }
    }
}

fn ls(args: &JobArgs) -> Result<u8, Failure> {
    let folder = place::folder(&open::job(args)?);
    let store = ReadStore::new(&folder);
    let failed = |error| place::checkpoint_failed(&folder, error);
    let lines = checkpoint::ls(&store).map_err(failed)?;
    match args.format {
        Format::Json => lines.iter().for_each(|line| output::json(&line_json(line).to_string())),
        Format::Text if lines.is_empty() => {
            output::note(&format!("there is no checkpoint in `{}`", folder.display()));
        }
        Format::Text => lines.iter().for_each(|line| output::data(&output::plain(&text(line)))),
    }
    Ok(exit::DONE)
}

fn text(line: &BatchLine) -> String {
    let state = match (line.done, line.start) {
        (false, _) => "begun",
        (true, true) => "done ",
        (true, false) => "done, no start",
    };
    let named = |(name, rows): &(String, u64)| format!("{name} {}", output::grouped(*rows));
    let sinks: Vec<String> = line.sinks.iter().map(named).collect();
    let read = |(name, text): &(String, String)| format!("{name}: {text}");
    let sources: Vec<String> = line.sources.iter().map(read).collect();
    format!(
        "{:>8}  {}  {state}  {} rows in  {}  {}",
        line.batch,
        Micros(line.time),
        output::grouped(line.rows),
        sinks.join(", "),
        sources.join("; ")
    )
}

fn line_json(line: &BatchLine) -> serde_json::Value {
    json!({
        "batch": line.batch,
        "time": Micros(line.time).to_string(),
        "done": line.done,
        "start": line.start,
        "rows_in": line.rows,
        "dead_letters": line.dead_letters,
        "sources": line.sources.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "sinks": line.sinks.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "inline_bytes": line.inline_bytes,
        "files": line.files,
        "generation": line.generation,
    })
}

fn verify(args: &JobArgs) -> Result<u8, Failure> {
    let folder = place::folder(&open::job(args)?);
    let store = ReadStore::new(&folder);
    let verdict = checkpoint::verify(&store, &|bytes| {
        check_part(bytes.to_vec()).map_err(|error| error.to_string())
    });
    match args.format {
        Format::Text => verdict_text(&folder, &verdict),
        Format::Json => output::json(&verdict_json(&verdict).to_string()),
    }
    Ok(if verdict.problems.is_empty() { exit::DONE } else { exit::FAILED })
}

fn verdict_text(folder: &Path, verdict: &Verdict) {
    let Some(identity) = &verdict.identity else {
        if verdict.problems.is_empty() {
            output::data(&format!("there is no checkpoint in `{}`", folder.display()));
        }
        return problems(verdict);
    };
    output::data(&format!("job {} ({})", identity.name, identity.job));
    if let Some(owner) = &verdict.owner {
        let (generation, process, host) = (owner.generation, owner.process, &owner.host);
        output::data(&output::plain(&format!(
            "owner {generation}: process {process} of {host}, since {}",
            Micros(owner.time)
        )));
    }
    for segment in &verdict.segments {
        output::data(&format!(
            "{}: {} records, {} bytes of {}",
            segment.file,
            segment.records,
            output::grouped(segment.record_bytes),
            output::grouped(segment.bytes)
        ));
    }
    let starts: Vec<String> = verdict.starts.iter().map(u64::to_string).collect();
    output::data(&format!("a run can start after: {}", starts.join(", ")));
    if let Some(torn) = &verdict.torn {
        output::data(&format!("the end of {} is a write that was cut off", torn.file));
    }
    if !verdict.unnamed.is_empty() {
        let count = verdict.unnamed.len();
        output::data(&format!("{count} files that nothing names; the next run removes them"));
    }
    problems(verdict);
}

fn problems(verdict: &Verdict) {
    for problem in &verdict.problems {
        output::data(&output::plain(&format!("WRONG [{}]: {problem}", problem.code())));
        output::data(&format!("  help: {}", problem.help()));
    }
    if verdict.problems.is_empty() {
        output::data("everything is whole");
    }
}

fn verdict_json(verdict: &Verdict) -> serde_json::Value {
    json!({
        "job": verdict.identity.as_ref().map(|identity| identity.job.to_string()),
        "name": verdict.identity.as_ref().map(|identity| identity.name.clone()),
        "generation": verdict.owner.as_ref().map(|owner| owner.generation),
        "segments": verdict.segments.iter().map(|segment| json!({
            "file": segment.file,
            "records": segment.records,
            "record_bytes": segment.record_bytes,
            "bytes": segment.bytes,
        })).collect::<Vec<_>>(),
        "starts": verdict.starts,
        "torn": verdict.torn.is_some(),
        "unnamed": verdict.unnamed,
        "problems": verdict.problems.iter().map(|problem| json!({
            "code": problem.code(),
            "message": problem.to_string(),
            "help": problem.help(),
        })).collect::<Vec<_>>(),
    })
}
