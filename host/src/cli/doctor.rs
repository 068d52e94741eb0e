//! `host doctor`: what of this machine Weir can use, and what can be done about the rest.

use clap::Args;

use super::{Format, exit, output};
use crate::plugin::build::{self, cache_folder};
use crate::plugin::{Cache, Compiler, Confined, Wall, confinement};

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// How results are shown.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Looks at one thing.
type Look = fn() -> Found;

/// What became of a look.
enum Found {
    Good(String),
    /// Something can't be done without it, and what helps.
    Lacking(String, &'static str),
    /// Nothing works without it, and what helps.
    Broken(String, &'static str),
}

pub fn doctor(args: &DoctorArgs) -> u8 {
    let looks: [(&str, Look); 5] = [
        ("sandbox", sandbox),
        ("toolchain", toolchain),
        ("cache", cache),
        ("temporary files", temporary),
        ("second wall", second_wall),
    ];
    let mut code = exit::DONE;
    for (what, look) in looks {
        let (state, text, help) = match look() {
            Found::Good(text) => ("ok", text, None),
            Found::Lacking(text, help) => ("warn", text, Some(help)),
            Found::Broken(text, help) => {
                code = exit::FAILED;
                ("fail", text, Some(help))
            }
        };
        if args.format == Format::Json {
            let event = serde_json::json!({
                "event": "look", "what": what, "state": state, "text": text, "help": help,
            });
            output::json(&event.to_string());
            continue;
        }
        output::data(&output::plain(&format!("{state:<4} {what}: {text}")));
        if let Some(help) = help {
            output::data(&format!("     {help}"));
        }
    }
    code
}

fn sandbox() -> Found {
    match Wall::new(Compiler::Here) {
        Ok(_) => Found::Good("the WebAssembly engine starts".to_owned()),
        Err(error) => Found::Broken(error.to_string(), "report it with the kind of machine it is"),
    }
}

fn toolchain() -> Found {
    match build::toolchain() {
        Ok(version) => Found::Good(format!("{version} with the target for components")),
        Err(why) => Found::Lacking(
            why,
            "only `host build` needs it: install Rust with rustup, then `rustup target add \
             wasm32-wasip2`",
        ),
    }
}

fn cache() -> Found {
    let folder = cache_folder().join("components");
    match Cache::open(&folder) {
        Ok(_) => Found::Good(folder.display().to_string()),
        Err(why) => Found::Lacking(
            why,
            "components are compiled at each start: make the folder yours alone (chmod 700)",
        ),
    }
}

fn temporary() -> Found {
    match tempfile::Builder::new().prefix("weir-doctor-").tempdir() {
        Ok(folder) => {
            let place = folder.path().parent().map(|place| place.display().to_string());
            Found::Good(place.unwrap_or_default())
        }
        Err(error) => Found::Broken(
            error.to_string(),
            "batches spill there: set TMPDIR to a folder that you may write to",
        ),
    }
}

fn second_wall() -> Found {
    match confinement() {
        Confined::Fully => Found::Good("Landlock".to_owned()),
        Confined::Partly => Found::Good("Landlock, of an older version".to_owned()),
        Confined::No => Found::Lacking(
            "the kernel has no Landlock".to_owned(),
            "the sandbox is the only wall; Linux 5.13 or later has a second one",
        ),
    }
}
