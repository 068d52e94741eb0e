//! `host completions` and `host man`: the command line as shells and `man` know it.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::failure::Failure;
use super::{Cli, Format, exit, output};

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub fn completions(args: &CompletionsArgs) -> u8 {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "host", &mut text);
    output::data(String::from_utf8_lossy(&text).trim_end());
    exit::DONE
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder, such as /usr/local/share/man/man1. It is made if it isn't there.
    folder: PathBuf,
    /// How the result is shown.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn man(args: &ManArgs) -> u8 {
    let written = std::fs::create_dir_all(&args.folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), &args.folder));
    match written {
        Ok(()) => {
            if args.format == Format::Json {
                let event = serde_json::json!({ "event": "man", "folder": args.folder });
                output::json(&event.to_string());
            }
            exit::DONE
        }
        Err(error) => {
            let message = format!("can't write to `{}`: {error}", args.folder.display());
            Failure::new("WEIR-CLI-001", message)
                .help("give a folder that you may write to")
                .show(args.format);
            exit::FAILED
        }
    }
}
