//! `host explain`: what an error code means and what can be done.

use clap::Args;

use super::failure::Failure;
use super::{Format, exit, output};
use crate::job::codes;
use crate::{checkpoint, durable, format, sink, source, state};

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The code, such as WEIR-PLUGIN-021.
    code: String,
    /// How the result is shown.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn explain(args: &ExplainArgs) -> u8 {
    match page(&args.code.to_uppercase()) {
        Some((code, text)) => {
            match args.format {
                Format::Text => output::data(&format!("{code}\n\n{text}")),
                Format::Json => output::data(
                    &serde_json::json!({ "code": code, "explanation": text }).to_string(),
                ),
            }
            exit::DONE
        }
        None => {
            let failure = Failure::new("WEIR-CLI-003", format!("there is no code `{}`", args.code));
            failure.help("codes stand in square brackets in front of an error").show(args.format);
            exit::FAILED
        }
    }
}

/// The page of a code.
fn page(wanted: &str) -> Option<(&'static str, &'static str)> {
    let of_job = codes::CODES.iter().map(|code| (code.code, code.explain));
    let of_rooms = [
        format::CODES,
        source::CODES,
        sink::CODES,
        state::CODES,
        checkpoint::CODES,
        durable::CODES,
    ]
    .into_iter()
    .flatten()
    .copied();
    TEXTS.iter().copied().chain(of_job).chain(of_rooms).find(|(code, _)| *code == wanted)
}

/// The codes of all rooms but `job`, which keeps its own.
const TEXTS: &[(&str, &str)] = &[
    ("WEIR-CLI-010", "The job has no checkpoint, so nothing is kept of it that could be shown."),
    (
        "WEIR-CLI-011",
        "No op of this name keeps a state in the checkpoint. A state is there after the first \
      batch that changed it; sources of files are listed too, with the files that they took.",
    ),
    ("WEIR-CLI-012", "`host state get` takes a value for each column of the key."),
    ("WEIR-CLI-013", "The op keeps nothing of the key that was asked for."),
    (
        "WEIR-CLI-014",
        "The query over states can't be planned or run. Only queries are taken; each op is a \
      table with the columns of its key, of its state, and `_due`: when its timer goes off.",
    ),
    ("WEIR-CLI-015", "Rows of a state can't be written: the reason stands in the message."),
    (
        "WEIR-RUN-016",
        "`host run --verify` runs each batch twice and compares the rows of every sink and the \
      changes of every state. They differ, so a batch that is run again after a crash might not be \
      the same. Nothing of the batch is visible.",
    ),
    (
        "WEIR-RUN-017",
        "A batch was in flight when the process ended, and again when the next one ended, 25 times \
      and more: whatever restarts the job would do so for ever. The job starts again with \
      `--try-again`, when the reason is mended.",
    ),
    (
        "WEIR-RUN-018",
        "`initial` of an updater names files of states that it begins with, and there is none. \
         They are read in the first batch that has the op, when no batch of the job has had it \
         before, and never again. The rules of paths are those of a source of files.",
    ),
    ("WEIR-RUN-019", "A key may have one state to begin with. The message has both rows."),
    (
        "WEIR-RUN-014",
        "The job file says something else than the checkpoint knows, in a way that would lose what \
      is kept: a source that was read is gone, an op with a state is gone or has other columns. \
      New entries, other settings, another parallelism, another interval and other stateless ops \
      are taken as they are. `--from none` runs the job beside its checkpoint; `host checkpoint \
      rm` removes that.",
    ),
    (
        "WEIR-RUN-015",
        "A batch was in flight when the process ended, some sinks have it already, and now other \
      rows of it run out of time or memory than before. It has to give the same rows, so it is not \
      finished in another way.",
    ),
    (
        "WEIR-CLI-001",
        "The file that a command was to write can't be written. The message has the \
      reason that the system gives: a missing folder, no right to write, a full disk.",
    ),
    ("WEIR-CLI-002", "The job file can't be read. Check the path and the rights of the file."),
    ("WEIR-CLI-003", "`host explain` was asked for a code that does not exist."),
    (
        "WEIR-CLI-004",
        "`host new` has no template for this language in this version. A component in any \
      language can be used: build it for the WIT package weir:operator and give the .wasm file to \
      `wasm`.",
    ),
    (
        "WEIR-CLI-005",
        "The last part of the folder is the name of the project, of its crate and of its \
      job. It begins with a lower-case letter and has lower-case letters, digits, `-` and `_`; \
      words of Rust and names of the crates that every project is built from are taken.",
    ),
    ("WEIR-CLI-006", "`host new` makes a folder and never writes into one that holds something."),
    (
        "WEIR-CLI-007",
        "What the host carries for new projects can't be unpacked, so the file of the host \
      itself is damaged. Install it again.",
    ),
    (
        "WEIR-CLI-008",
        "`host dev` can't hear of saved files, neither by events of the system nor by \
      looking every second. The reason stands in the message.",
    ),
    (
        "WEIR-CLI-009",
        "The command line makes no sense: an unknown command or option, or a value that an option \
         can't have. `--help` behind a command shows what it takes.",
    ),
    (
        "WEIR-PLUGIN-001",
        "`wasm` names neither a file nor a folder. A relative path starts at the \
      folder of job.toml, not at the folder that the command was typed in.",
    ),
    ("WEIR-PLUGIN-002", "A file of a plugin can't be read or written."),
    (
        "WEIR-PLUGIN-003",
        "The file is not a WebAssembly component. A core module is what the target \
      wasm32-unknown-unknown or wasm32-wasip1 gives; build for wasm32-wasip2, or let `host build` \
      do it. Features that no language toolchain needs (threads, garbage collection, exceptions, \
      tail calls, memory64) are switched off.",
    ),
    (
        "WEIR-PLUGIN-004",
        "The component does not export the package weir:operator in a version that \
      this host knows, or it imports something that nobody here offers.",
    ),
    (
        "WEIR-PLUGIN-005",
        "The build of a plugin's folder failed. What the language's own tool wrote \
      stands below the message.",
    ),
    (
        "WEIR-PLUGIN-006",
        "What `describe` gives does not make sense: a name twice, a type that does \
      not exist, ports that a kind can't have.",
    ),
    ("WEIR-PLUGIN-007", "`open` refused the config of the op. The message is the function's own."),
    (
        "WEIR-PLUGIN-008",
        "The WebAssembly engine itself failed. This is a fault of Weir or of the \
      machine.",
    ),
    (
        "WEIR-PLUGIN-009",
        "The component can't be compiled: it is damaged, it needs WebAssembly features that are \
         switched off, or compiling takes more time or memory than `limits.compile_time` (120 s \
         of processor time) and `limits.compile_memory` (2 GiB) allow. It is done in a \
         process of its own, so that nothing else is harmed.",
    ),
    ("WEIR-PLUGIN-010", "A folder under `allow` can't be opened for a function."),
    (
        "WEIR-PLUGIN-011",
        "An updater takes its key by the names and types of columns. It refused those that `key` \
         of the op names: name the columns that it wants, and map other names with `columns`.",
    ),
    (
        "WEIR-PLUGIN-020",
        "The function trapped: it panicked, divided by zero, or ran into something \
      impossible. Its standard error, which has a panic's message, and the frames of the component \
      stand below. Nothing of the batch was written.",
    ),
    (
        "WEIR-PLUGIN-021",
        "A call took longer than `limits.time` (10 s by default). A call gets at \
      most 8,192 rows or 512 KiB.",
    ),
    (
        "WEIR-PLUGIN-022",
        "The instance wanted more memory than `limits.memory` (256 MiB by default), \
      counted over all its memories.",
    ),
    ("WEIR-PLUGIN-023", "The call recursed deeper than the stack of 512 KiB allows."),
    (
        "WEIR-PLUGIN-024",
        "A call gave back more bytes than `limits.result` (64 MiB by default), or what `describe` \
         or `open` say of a function has more than 2 MiB.",
    ),
    (
        "WEIR-PLUGIN-025",
        "What a call gave back is not what was agreed: another number of rows, \
      offsets that descend, text that is not UTF-8, a port that does not exist. Such rows are \
      never believed. This is a fault of the plugin or of its SDK.",
    ),
    ("WEIR-PLUGIN-026", "The function says that it can't take the chunk. The message is its own."),
    ("WEIR-PLUGIN-027", "The function rejected a row, and the policy of the op is to fail."),
    ("WEIR-PLUGIN-028", "The call was ended because its batch was given up."),
    (
        "WEIR-PLUGIN-029",
        "The function failed on more than 16 rows of a batch, or finding them took longer than \
         30 seconds. With `on_error` \"skip\" or \"dead-letter\" a chunk on which a call fails is \
         halved until the rows that it fails on stand alone; a function that fails on so many is \
         broken. Rows that a function rejects itself are not counted here.",
    ),
    (
        "WEIR-PLUGIN-030",
        "A dead letter could not be written to the folder under `[dead_letters]`. The batch fails \
         rather than lose it.",
    ),
    (
        "WEIR-PLUGIN-031",
        "An instance wants more than it may have: elements of tables, or more memories, tables, \
         core instances or handles. Each has a setting of that name under `limits`.",
    ),
    ("WEIR-PLAN-001", "A plugin that an entry names was not loaded."),
    (
        "WEIR-PLAN-002",
        "`call` names a function that the plugin does not have, or is missing \
      although the plugin has several. `host inspect` lists them.",
    ),
    ("WEIR-PLAN-003", "A setting names a column that the rows do not have."),
    (
        "WEIR-PLAN-004",
        "`keep`, `key`, `visit`, `timeout`, `ttl` or `initial` stands on a kind of function that \
         has no use for it. Aggregators and updaters have a `key`; only updaters keep states over \
         batches.",
    ),
    ("WEIR-PLAN-005", "A list or a struct can't be a key."),
    (
        "WEIR-PLAN-006",
        "The function reads a column that the rows do not have. If it has another \
      name there, `columns = { WANTED = \"THERE\" }` says so.",
    ),
    ("WEIR-PLAN-007", "The function reads a column of another type, or one that may not be null."),
    ("WEIR-PLAN-008", "A kept or key column and a column of the function have one name."),
    (
        "WEIR-PLAN-009",
        "The columns of a source are inferred from its input, and there is none yet.",
    ),
    ("WEIR-PLAN-010", "An aggregator that reads no column has nothing to add up."),
    ("WEIR-PLAN-011", "A query must read at least one source or op of the job."),
    ("WEIR-PLAN-012", "Only mappers and aggregators with fixed columns are functions of SQL."),
    ("WEIR-PLAN-013", "`from = \"op.port\"` names a port that the function does not have."),
    ("WEIR-PLAN-014", "The inputs of a union must have the same columns in the same order."),
    (
        "WEIR-PLAN-015",
        "DataFusion can't plan the query. Names that are not in quotes are folded to \
      lower case.",
    ),
    (
        "WEIR-PLAN-016",
        "The id of a [[function]] is its name in queries, and DataFusion has one of that name.",
    ),
    ("WEIR-PLAN-017", "A folder that `allow` names does not exist."),
    (
        "WEIR-PLAN-018",
        "An updater keeps a state for each key. `key` names the columns that make a key.",
    ),
    (
        "WEIR-PLAN-019",
        "A column of the key, or of the state that the function describes, is of a type that \
         states can't be kept in, such as a struct without fields.",
    ),
    (
        "WEIR-PLAN-020",
        "`across = \"run\"` lets an aggregate live on over batches: what it knows is kept by key. \
         So it needs a `key`, only aggregates can have it, and `on_error` may leave no row out.",
    ),
    (
        "WEIR-PLAN-021",
        "A column is of a type that the aggregate can't be made of: sums and means take numbers.",
    ),
    (
        "WEIR-PLAN-022",
        "The column that `event_time` names is no timestamp. Text can be made one in the `schema` \
         of a source, in a function or in SQL.",
    ),
    (
        "WEIR-PLAN-023",
        "An op can't make the windows it asks for: its rows have no event time, the column does \
         not come that far, or windows of batches are no multiples of `batch`. `window` takes \
         `size`, `slide` and `time = \"event\"` or `\"batch\"`.",
    ),
    (
        "WEIR-PLAN-024",
        "The `mode` of a sink has no meaning for what it reads. `append` writes rows that don't \
         change any more: rows of a batch, and windows that have ended. `update` writes the rows \
         that a batch changed, `complete` all of them: of windows and of aggregates over batches. \
         One op gives its rows in one mode.",
    ),
    (
        "WEIR-PLAN-025",
        "A file of `initial` has the columns of the key and those of the state, by name. Here one \
         name is in both.",
    ),
    ("WEIR-PLAN-099", "The plan could not be built for a reason that is a fault of Weir."),
    ("WEIR-RUN-001", "A sink failed while it took rows."),
    (
        "WEIR-RUN-002",
        "The batch needs more memory than `memory` under [job] allows, and what needs \
      it can't be spilled to disk.",
    ),
    (
        "WEIR-RUN-003",
        "An operator of the host failed: an overflow, a division by zero in SQL, or a \
      fault of Weir.",
    ),
    (
        "WEIR-RUN-010",
        "A second signal, or the end of `grace`, stopped the job in the middle of a \
      batch. Nothing of the batch is visible.",
    ),
    (
        "WEIR-RUN-012",
        "Rows on which a function runs out of time or memory are written down, and the batch is \
         run again without them, so that every run of it gives the same rows. Here each run found \
         other rows. Raise `limits` of the op, or find out what makes the function slow.",
    ),
    (
        "WEIR-RUN-013",
        "Before a job runs, the process gives up all files and ports that the job does not name \
         (Landlock), so that a function that broke out of its sandbox would find nothing. This \
         kernel has Landlock and refused. `confine = false` under [job] runs without.",
    ),
    ("WEIR-RUN-011", "The machine refused a thread, a file or memory that the job needs."),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Every code that stands in a file below a folder.
    fn codes(folder: &Path, all: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                codes(&path, all);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for (at, _) in text.match_indices("\"WEIR-") {
                let code = text[at + 1..].split('"').next().unwrap_or("");
                if code.ends_with(|c: char| c.is_ascii_digit()) {
                    all.push(code.to_owned());
                }
            }
        }
    }

    #[test]
    fn every_code_has_a_page() {
        let mut all = Vec::new();
        codes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
        all.sort();
        all.dedup();
        assert!(all.len() > 80, "{}", all.len());
        let without: Vec<&String> = all.iter().filter(|code| page(code).is_none()).collect();
        assert!(without.is_empty(), "{without:?}");
    }
}
