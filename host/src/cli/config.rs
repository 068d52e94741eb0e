//! `host config show`: the settings in effect, and where each comes from.

use std::fmt::Write;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{Format, JobArgs, exit, open, output};
use crate::job::{self, Line, Section};

#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show the settings in effect as TOML: those of the file, with values of [vars] put in, with
    /// what was changed from outside, and with defaults. Secrets are shown as ***.
    Show(ShowArgs),
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    job: JobArgs,
    /// Say where each comes from: a line of the file, an option, a variable, or the default.
    #[arg(long)]
    origin: bool,
}

pub fn config(args: &ConfigArgs) -> u8 {
    let ConfigCommand::Show(args) = &args.command;
    match open::effective(&args.job) {
        Ok(sections) => {
            match args.job.format {
                Format::Text => {
                    output::data(&output::plain(text(&sections, args.origin).trim_end()));
                }
                Format::Json => output::json(&as_json(&sections, args.origin).to_string()),
            }
            exit::DONE
        }
        Err(failure) => {
            failure.show(args.job.format);
            failure.exit_code()
        }
    }
}

/// The column that origins stand in, if there is room.
const ORIGIN_COLUMN: usize = 40;

// Writing to a string can't fail.
fn text(sections: &[Section], origin: bool) -> String {
    let mut out = String::new();
    for section in sections {
        match (section.name, section.entry) {
            ("", _) => {}
            (name, true) => drop(writeln!(out, "\n[[{name}]]")),
            (name, false) => drop(writeln!(out, "\n[{name}]")),
        }
        for line in &section.settings {
            let names: Vec<String> = line.names.iter().map(|name| job::key(name)).collect();
            let setting = format!("{} = {}", names.join("."), job::toml(&line.value));
            let _ = match origin {
                true => writeln!(out, "{setting:<ORIGIN_COLUMN$} # {}", on_one_line(&line.origin)),
                false => writeln!(out, "{setting}"),
            };
        }
    }
    out
}

/// The name of a file or of a variable may have anything in it.
fn on_one_line(origin: &str) -> String {
    origin.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn as_json(sections: &[Section], origin: bool) -> Value {
    let mut settings = Map::new();
    let mut origins = Map::new();
    for section in sections {
        let mut inner = Map::new();
        for line in &section.settings {
            put(&mut inner, &line.names, line);
            let path = [section.path.as_str()].into_iter().filter(|path| !path.is_empty());
            let path: Vec<&str> = path.chain(line.names.iter().map(String::as_str)).collect();
            origins.insert(path.join("."), line.origin.clone().into());
        }
        match (section.name, section.entry) {
            ("", _) => settings.append(&mut inner),
            (name, true) => {
                let list = settings.entry(name).or_insert_with(|| json!([]));
                if let Value::Array(list) = list {
                    list.push(inner.into());
                }
            }
            (name, false) => drop(settings.insert(name.to_owned(), inner.into())),
        }
    }
    let mut event = json!({ "event": "config", "settings": settings });
    if origin {
        event["origins"] = origins.into();
    }
    event
}

fn put(table: &mut Map<String, Value>, names: &[String], line: &Line) {
    match names {
        [] => {}
        [name] => drop(table.insert(name.clone(), line.value.json())),
        [name, rest @ ..] => {
            let inner = table.entry(name.clone()).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, line);
            }
        }
    }
}
