//! `host fmt`: job files in one layout.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::failure::Failure;
use super::{Format, exit, open, output};
use crate::job::{JobError, JobText, formatted};

/// What is laid out.
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// The job files; `-` reads standard input and writes standard output.
    #[arg(value_name = "JOB.TOML", required = true)]
    jobs: Vec<PathBuf>,
    /// Write nothing; name the files that would change and exit with 1.
    #[arg(long)]
    check: bool,
    /// How results and errors are shown.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Lays out each file. Those that can't be read do not keep the others from it.
pub fn fmt(args: &FmtArgs) -> u8 {
    let mut code = exit::DONE;
    for path in &args.jobs {
        match one(path, args) {
            Ok(changed) if changed && args.check => code = code.max(exit::FAILED),
            Ok(_) => {}
            Err(failure) => {
                failure.show(args.format);
                code = code.max(failure.exit_code());
            }
        }
    }
    code
}

/// Lays out a file. Gives whether something changed, or would.
fn one(path: &Path, args: &FmtArgs) -> Result<bool, Failure> {
    let (name, input) = (path.display().to_string(), path == Path::new("-"));
    let text = read(path, input).map_err(|error| unreadable(&name, &error.to_string()))?;
    let out = formatted(&text).map_err(|problems| {
        let (path, text) = (name.clone(), text.clone());
        let text = Arc::new(JobText { path, text, overrides: Vec::new() });
        Failure::Job(JobError { text, problems })
    })?;
    let changed = out != text;
    if input && !args.check && args.format == Format::Text {
        output::data(out.trim_end_matches('\n'));
        return Ok(changed);
    }
    if changed && !args.check && !input {
        replace(path, &out).map_err(|error| {
            Failure::new("WEIR-CLI-001", format!("can't write `{name}`: {error}"))
                .help("the file is as it was; its folder must be writable")
        })?;
    }
    match args.format {
        Format::Json => {
            let mut line =
                serde_json::json!({ "event": "layout", "job": name, "changed": changed });
            if input && !args.check {
                line["text"] = out.into();
            }
            output::json(&line.to_string());
        }
        Format::Text if changed => output::data(&name),
        Format::Text => {}
    }
    Ok(changed)
}

fn read(path: &Path, input: bool) -> std::io::Result<String> {
    match input {
        true => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            Ok(text)
        }
        false => String::from_utf8(open::whole(path)?).map_err(|_| ErrorKind::InvalidData.into()),
    }
}

fn unreadable(name: &str, why: &str) -> Failure {
    Failure::new("WEIR-CLI-002", format!("can't read `{name}`: {why}"))
        .help("give the path of a job file; examples/ has some")
        .exit(exit::CONFIGURATION)
}

/// Puts a text in the place of a file, whole or not at all, with the rights that it has.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    std::fs::write(&new, text)?;
    let done = std::fs::set_permissions(&new, std::fs::metadata(&path)?.permissions())
        .and_then(|()| std::fs::rename(&new, &path));
    if done.is_err() {
        // The error is told; what is left of the attempt is of no use.
        let _ = std::fs::remove_file(&new);
    }
    done
}
