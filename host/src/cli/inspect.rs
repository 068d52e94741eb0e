//! `host inspect`: what a component says of itself, and what it may do.

use std::fmt::Write;
use std::path::PathBuf;

use arrow::datatypes::SchemaRef;
use clap::Args;

use super::failure::Failure;
use super::{Format, exit, open, output};
use crate::job::Limits;
use crate::plugin::fetch;
use crate::plugin::{Function, Plugin};
use crate::types;

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A .wasm file or the folder of a plugin.
    plugin: PathBuf,
    /// How the result is shown.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn inspect(args: &InspectArgs) -> u8 {
    let loaded = || -> Result<Plugin, Failure> {
        let name = args.plugin.display().to_string();
        let limits = Limits::default();
        let fetched =
            fetch::fetch(&args.plugin, &name, limits.component, &|line| output::note(line))?;
        let (wall, cache) = open::wall()?;
        Ok(Plugin::load(&wall, &fetched, cache.as_ref(), &limits)?)
    };
    match loaded() {
        Ok(plugin) => {
            match args.format {
                Format::Text => output::data(output::plain(&text(&plugin)).trim_end()),
                Format::Json => output::json(&json(&plugin).to_string()),
            }
            exit::DONE
        }
        Err(failure) => {
            failure.show(args.format);
            exit::FAILED
        }
    }
}

/// Columns for people.
pub(super) fn columns(schema: &SchemaRef) -> String {
    let shown: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| {
            let nulls = if field.is_nullable() { "?" } else { "" };
            format!("{}: {}{nulls}", field.name(), types::describe(field.data_type()))
        })
        .collect();
    shown.join(", ")
}

fn opened(schema: Option<&SchemaRef>) -> String {
    schema.map_or_else(|| "decided when it is opened".to_owned(), columns)
}

// Writing to a string can't fail.
fn text(plugin: &Plugin) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", plugin.name());
    let _ = writeln!(out, "  digest    {}", plugin.digest());
    let _ = writeln!(out, "  size      {} KiB", plugin.bytes() / 1024);
    let _ = writeln!(out, "  package   weir:operator {}", plugin.abi());
    let _ = writeln!(out, "  imports   {}", plugin.imports().join(", "));
    let _ = writeln!(
        out,
        "  granted   log, metrics, context; WASI without files, environment or network, with the \
         batch's time as clock and seeded random"
    );
    for function in plugin.functions() {
        let _ = writeln!(
            out,
            "\n{} ({}, {})",
            function.name,
            function.kind.name(),
            function.determinism.name()
        );
        function_text(function, &mut out);
    }
    out
}

fn function_text(function: &Function, out: &mut String) {
    for line in function.doc.lines() {
        let _ = writeln!(out, "  {}", line.trim());
    }
    let _ = writeln!(out, "  reads     {}", opened(function.reads.as_ref()));
    for (place, port) in function.ports.iter().enumerate() {
        let name = if place == 0 { String::new() } else { format!("[{}] ", port.name) };
        let _ = writeln!(out, "  gives     {name}{}", opened(port.schema.as_ref()));
    }
    if !function.state.fields().is_empty() {
        let _ = writeln!(
            out,
            "  state     {} (version {})",
            columns(&function.state),
            function.state_version
        );
    }
    if let Some(condition) = &function.condition {
        let _ = writeln!(out, "  where     {condition}");
    }
    if !function.config_schema.is_empty() {
        let _ = writeln!(out, "  config    {}", function.config_schema);
    }
    if !function.capabilities.is_empty() {
        let _ = writeln!(out, "  needs     {}", function.capabilities.join(", "));
    }
}

/// Columns for programs.
pub(super) fn fields(schema: &SchemaRef) -> Vec<serde_json::Value> {
    let one = |field: &std::sync::Arc<arrow::datatypes::Field>| {
        serde_json::json!({
            "name": field.name(),
            "type": types::describe(field.data_type()),
            "nullable": field.is_nullable(),
        })
    };
    schema.fields().iter().map(one).collect()
}

fn json(plugin: &Plugin) -> serde_json::Value {
    let functions: Vec<serde_json::Value> = plugin
        .functions()
        .iter()
        .map(|function| {
            let ports: Vec<serde_json::Value> = function
                .ports
                .iter()
                .map(|port| {
                    let columns = port.schema.as_ref().map(fields);
                    serde_json::json!({ "name": port.name, "fields": columns })
                })
                .collect();
            serde_json::json!({
                "name": function.name,
                "kind": function.kind.name(),
                "doc": function.doc,
                "reads": function.reads.as_ref().map(fields),
                "ports": ports,
                "state": fields(&function.state),
                "state_version": function.state_version,
                "where": function.condition,
                "config_schema": function.config_schema,
                "capabilities": function.capabilities,
                "needs_host": function.needs_host,
                "determinism": function.determinism.name(),
            })
        })
        .collect();
    serde_json::json!({
        "plugin": plugin.name(),
        "digest": plugin.digest().to_string(),
        "bytes": plugin.bytes(),
        "package": plugin.abi(),
        "imports": plugin.imports(),
        "functions": functions,
    })
}
