//! `host build`: the folder of a plugin to a component.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::{Format, exit, open, output};
use crate::job::Limits;
use crate::plugin::fetch;
use crate::plugin::{Compiled, Plugin};

#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The folder.
    folder: PathBuf,
    /// Where the component is put; by default it stays where the build made it.
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// How the result is shown.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn build(args: &BuildArgs) -> u8 {
    match built(args) {
        Ok(text) => {
            output::data(&text);
            exit::DONE
        }
        Err(failure) => {
            failure.show(args.format);
            exit::FAILED
        }
    }
}

fn built(args: &BuildArgs) -> Result<String, Failure> {
    let name = args.folder.display().to_string();
    let limits = Limits::default();
    let fetched = fetch::fetch(&args.folder, &name, limits.component, &|line| output::note(line))?;
    let (wall, cache) = open::wall()?;
    let plugin = Plugin::load(&wall, &fetched, cache.as_ref(), &limits)?;
    let path = match &args.output {
        None => fetched.path.clone(),
        Some(path) => {
            std::fs::write(path, &fetched.bytes).map_err(|error| {
                Failure::new("WEIR-CLI-001", format!("can't write `{}`: {error}", path.display()))
            })?;
            path.clone()
        }
    };
    let compiled = match plugin.compiled() {
        Compiled::Cached => "compiled before".to_owned(),
        Compiled::Fresh(took) => format!("compiled in {} ms", took.as_millis()),
    };
    let names: Vec<&str> =
        plugin.functions().iter().map(|function| function.name.as_str()).collect();
    Ok(match args.format {
        Format::Text => format!(
            "{}\n  {} · {} KiB · {compiled}\n  functions: {}",
            path.display(),
            plugin.digest(),
            plugin.bytes() / 1024,
            names.join(", ")
        ),
        Format::Json => serde_json::json!({
            "path": path,
            "digest": plugin.digest().to_string(),
            "bytes": plugin.bytes(),
            "functions": names,
        })
        .to_string(),
    })
}
