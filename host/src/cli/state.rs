//! `host state`: what a job knows of each key, read from its checkpoint.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::Failure;
use super::{Format, JobArgs, exit, open, output, place};
use crate::batch::{LedgerError, Look, LookError};
use crate::durable::ReadStore;
use crate::format::{Encode, csv, json as json_format, parquet};
use crate::id::NodeId;
use crate::{plan, sink};

#[derive(Debug, Args)]
pub struct StateArgs {
    #[command(subcommand)]
    command: StateCommand,
}

#[derive(Debug, Subcommand)]
enum StateCommand {
    /// List the ops that keep a state, and the sources that keep the files they took.
    Ls(LsArgs),
    /// Show what is kept of one key.
    Get(GetArgs),
    /// Write all keys of an op to a file, or to standard output as JSON lines.
    Export(ExportArgs),
    /// Query states with SQL: each op is a table.
    Sql(SqlArgs),
}

#[derive(Debug, Args)]
struct LsArgs {
    #[command(flatten)]
    of: Of,
}

/// Which states.
#[derive(Debug, Args)]
struct Of {
    #[command(flatten)]
    job: JobArgs,
    /// Those after this batch, instead of the last one; `host checkpoint ls` lists them.
    #[arg(long, value_name = "N")]
    batch: Option<u64>,
}

#[derive(Debug, Args)]
struct GetArgs {
    #[command(flatten)]
    of: Of,
    /// The op.
    op: String,
    /// The values of the key's columns, in their order, as they are shown by `export`.
    #[arg(required = true)]
    key: Vec<String>,
}

#[derive(Debug, Args)]
struct ExportArgs {
    #[command(flatten)]
    of: Of,
    /// The op.
    op: String,
    /// The file; its end says the format: .jsonl, .csv or .parquet.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct SqlArgs {
    #[command(flatten)]
    of: Of,
    /// The query, such as `SELECT count(*) FROM totals`.
    query: String,
}

pub fn state(args: &StateArgs) -> u8 {
    let (of, done) = match &args.command {
        StateCommand::Ls(args) => (&args.of, ls(&args.of)),
        StateCommand::Get(args) => (&args.of, get(args)),
        StateCommand::Export(args) => (&args.of, export(args)),
        StateCommand::Sql(args) => (&args.of, sql(args)),
    };
    match done {
        Ok(()) => exit::DONE,
        Err(failure) => {
            failure.show(of.job.format);
            failure.exit_code()
        }
    }
}

fn look(of: &Of) -> Result<Look, Failure> {
    let job = open::job(&of.job)?;
    let folder = place::folder(&job);
    let store = Arc::new(ReadStore::new(&folder));
    match Look::at(store, of.batch, open::parallelism(&job)) {
        Ok(Some(look)) => Ok(look),
        Ok(None) => {
            let message = format!("there is no checkpoint in `{}`", folder.display());
            Err(Failure::new("WEIR-CLI-010", message)
                .help("a job has one after `host run` without `--from none`"))
        }
        Err(error) => Err(look_failed(&folder, error)),
    }
}

fn look_failed(folder: &Path, error: LookError) -> Failure {
    match error {
        LookError::Ledger(LedgerError::Checkpoint(error)) => {
            place::checkpoint_failed(folder, error)
        }
        LookError::Ledger(LedgerError::State(error)) => place::state_failed(error),
        LookError::Lost(why) => Failure::new(why.code(), why.to_string()).help(why.help()),
    }
}

fn known(look: &Look, op: &str) -> Result<NodeId, Failure> {
    let ops = look.ops();
    match ops.iter().find(|known| known.as_str() == op) {
        Some(op) => Ok(op.clone()),
        None => {
            let names: Vec<&str> = ops.iter().map(NodeId::as_str).collect();
            let help = match names.is_empty() {
                true => "no op of the job has kept anything yet".to_owned(),
                false => format!("there are: {}", names.join(", ")),
            };
            Err(Failure::new("WEIR-CLI-011", format!("no state of `{op}` is kept")).help(help))
        }
    }
}

fn ls(of: &Of) -> Result<(), Failure> {
    let look = look(of)?;
    for op in look.ops() {
        let size = look.size(&op).map_err(|error| look_failed(Path::new(""), error))?;
        match of.job.format {
            Format::Text => output::data(&format!(
                "{op}  {} keys  {} bytes  after batch {}",
                output::grouped(size.keys),
                output::grouped(size.bytes),
                look.batch
            )),
            Format::Json => output::json(
                &json!({
                    "op": op.as_str(),
                    "keys": size.keys,
                    "bytes": size.bytes,
                    "batch": look.batch.0,
                })
                .to_string(),
            ),
        }
    }
    if look.ops().is_empty() {
        match of.job.format {
            Format::Text => output::note("no op of the job keeps a state"),
            Format::Json => output::json(&json!({ "ops": [], "batch": look.batch.0 }).to_string()),
        }
    }
    Ok(())
}

fn rows_of(look: &Look, op: &NodeId) -> Result<Vec<RecordBatch>, Failure> {
    look.rows(op).map_err(|error| look_failed(Path::new(""), error))
}

/// Quotes a name or a text for SQL.
fn quoted(text: &str, quote: char) -> String {
    let doubled = text.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}

fn get(args: &GetArgs) -> Result<(), Failure> {
    let look = look(&args.of)?;
    let op = known(&look, &args.op)?;
    let rows = rows_of(&look, &op)?;
    let columns = look.key(&op).map_err(|error| look_failed(Path::new(""), error))?;
    if columns.len() != args.key.len() {
        let message = format!("the key of `{op}` has {} columns", columns.len());
        let help = format!("give a value for each: {}", columns.join(", "));
        return Err(Failure::new("WEIR-CLI-012", message).help(help).exit(exit::USAGE));
    }
    let conditions: Vec<String> = columns
        .iter()
        .zip(&args.key)
        .map(|(name, value)| {
            format!("CAST({} AS VARCHAR) = {}", quoted(name, '"'), quoted(value, '\''))
        })
        .collect();
    let table = quoted(op.as_str(), '"');
    let query = format!("SELECT * FROM {table} WHERE {}", conditions.join(" AND "));
    let found = queried(&query, vec![(op.to_string(), rows)])?;
    if found.iter().all(|rows| rows.num_rows() == 0) {
        return Err(Failure::new("WEIR-CLI-013", format!("`{op}` keeps nothing of this key"))
            .help("`host state export` shows all keys"));
    }
    show(&found, args.of.job.format)
}

fn sql(args: &SqlArgs) -> Result<(), Failure> {
    let look = look(&args.of)?;
    let mut tables = Vec::new();
    for op in look.ops() {
        tables.push((op.to_string(), rows_of(&look, &op)?));
    }
    show(&queried(&args.query, tables)?, args.of.job.format)
}

fn queried(
    query: &str,
    tables: Vec<(String, Vec<RecordBatch>)>,
) -> Result<Vec<RecordBatch>, Failure> {
    plan::query(query, tables).map_err(|error| {
        Failure::new("WEIR-CLI-014", format!("the query fails: {}", error.strip_backtrace()))
            .help("each op with a state is a table; put names with capitals or `-` in \" \"")
    })
}

fn show(rows: &[RecordBatch], format: Format) -> Result<(), Failure> {
    let Some(first) = rows.first() else { return Ok(()) };
    match format {
        Format::Text => {
            let whole = arrow::compute::concat_batches(&first.schema(), rows)
                .map_err(|error| failed(&error.to_string()))?;
            output::data(sink::table_text(&whole).trim_end());
        }
        Format::Json => {
            for rows in rows {
                let mut lines = Vec::new();
                let encoded = json_format::Encoder::new(&rows.schema())
                    .and_then(|mut encoder| encoder.encode(rows, &mut lines));
                encoded.map_err(|error| failed(&error.to_string()))?;
                for line in String::from_utf8_lossy(&lines).lines() {
                    output::json(line);
                }
            }
        }
    }
    Ok(())
}

fn failed(problem: &str) -> Failure {
    Failure::new("WEIR-CLI-015", format!("the rows can't be written: {problem}"))
}

fn export(args: &ExportArgs) -> Result<(), Failure> {
    let look = look(&args.of)?;
    let op = known(&look, &args.op)?;
    let rows = rows_of(&look, &op)?;
    let Some(path) = &args.output else { return show(&rows, Format::Json) };
    let Some(schema) = rows.first().map(RecordBatch::schema) else { return Ok(()) };
    let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
    let encoder: Box<dyn Encode> = match end {
        "jsonl" => {
            Box::new(json_format::Encoder::new(&schema).map_err(|e| failed(&e.to_string()))?)
        }
        "csv" => Box::new(csv::Encoder::new(&schema).map_err(|e| failed(&e.to_string()))?),
        "parquet" => Box::new(parquet::Encoder::new(&schema).map_err(|e| failed(&e.to_string()))?),
        _ => {
            return Err(failed(&format!("`{}` has no end that is known", path.display()))
                .help("end the name with .jsonl, .csv or .parquet")
                .exit(exit::USAGE));
        }
    };
    let count = write(path, encoder, &rows)?;
    let shown = path.display();
    match args.of.job.format {
        Format::Text => output::note(&format!("{} keys in `{shown}`", output::grouped(count))),
        Format::Json => {
            output::json(&json!({ "file": shown.to_string(), "keys": count }).to_string());
        }
    }
    Ok(())
}

fn write(path: &Path, mut encoder: Box<dyn Encode>, rows: &[RecordBatch]) -> Result<u64, Failure> {
    let io = |error: std::io::Error| failed(&format!("`{}`: {error}", path.display()));
    let mut file = std::fs::File::create(path).map_err(io)?;
    let (mut bytes, mut count) = (Vec::new(), 0);
    for rows in rows {
        encoder.encode(rows, &mut bytes).map_err(|error| failed(&error.to_string()))?;
        count += rows.num_rows() as u64;
        file.write_all(&bytes).map_err(io)?;
        bytes.clear();
    }
    encoder.finish(&mut bytes).map_err(|error| failed(&error.to_string()))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io)?;
    Ok(count)
}
