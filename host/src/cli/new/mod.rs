//! `host new`: a project with a function, rows to try it on, and all that it is built from.

mod carried;
mod place;
mod project;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::failure::Failure;
use super::{Format, exit, output};
use crate::plugin::build;

#[derive(Debug, Args)]
pub struct NewArgs {
    /// The folder that is made; its last part is the name of the project.
    folder: PathBuf,
    /// The language of the function.
    #[arg(long, value_enum)]
    lang: Lang,
    /// What the function does with rows.
    #[arg(long, value_enum, default_value_t)]
    kind: Kind,
    /// How the result is shown.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The languages that functions are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Lang {
    Rust,
    Go,
    Js,
    Python,
}

/// The kinds of function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// One row for each row.
    #[default]
    Mapper,
    /// Which rows stay.
    Predicate,
    /// Any number of rows for each row.
    FlatMapper,
    /// Many rows of a key to one.
    Aggregator,
    /// All rows of a batch at once.
    Transformer,
    /// A state for each key, from batch to batch.
    Updater,
}

impl Kind {
    /// Its name, which is also that of the folder of its template.
    fn name(self) -> &'static str {
        match self {
            Self::Mapper => "mapper",
            Self::Predicate => "predicate",
            Self::FlatMapper => "flat-mapper",
            Self::Aggregator => "aggregator",
            Self::Transformer => "transformer",
            Self::Updater => "updater",
        }
    }
}

pub fn new(args: &NewArgs) -> u8 {
    match made(args) {
        Ok(text) => {
            output::data(&text);
            exit::DONE
        }
        Err(failure) => {
            failure.show(args.format);
            failure.exit_code()
        }
    }
}

fn made(args: &NewArgs) -> Result<String, Failure> {
    let lang = match args.lang {
        Lang::Rust => "rust",
        Lang::Go => return Err(not_yet("go")),
        Lang::Js => return Err(not_yet("js")),
        Lang::Python => return Err(not_yet("python")),
    };
    let name = place::name(&args.folder)?;
    place::check(&args.folder)?;
    let files = project::files(&name, args.kind.name())?;
    place::write(&args.folder, &files)?;
    if args.format == Format::Json {
        let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        return Ok(serde_json::json!({
            "folder": args.folder,
            "name": name,
            "lang": lang,
            "kind": args.kind.name(),
            "files": files.len(),
            "bytes": bytes,
        })
        .to_string());
    }
    if let Err(why) = build::toolchain() {
        output::note(&format!("note: {why}; `host doctor` says what to do"));
    }
    let shown = args.folder.display();
    output::note(&format!("`host dev {shown}` builds it, runs it, and does so again on a save"));
    Ok(format!(
        "{shown}\n  src/lib.rs  the function, {} {}, with a test\n  \
         job.toml    runs it on the rows in input/, and has a test too\n  \
         sdk/        all that it is built from, so that no network is needed",
        if matches!(args.kind, Kind::Aggregator | Kind::Updater) { "an" } else { "a" },
        args.kind.name()
    ))
}

fn not_yet(lang: &str) -> Failure {
    Failure::new("WEIR-CLI-004", format!("`--lang {lang}` is not in this version yet"))
        .help(
            "there is `--lang rust`; a component in any other language is given to `wasm` as a \
             built .wasm file, and needs only the WIT package weir:operator",
        )
        .exit(exit::USAGE)
}
