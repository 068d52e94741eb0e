//! `hostile-set FOLDER` writes a component for each case, as `NAME.wasm`, and prints the names.

mod calls;
mod files;
mod made;
mod pieces;
mod starts;

use std::path::PathBuf;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

/// The component that does nothing wrong.
const HONEST: &str = include_str!("honest.wat");

/// What a case has in the place of a part of the honest component: name of the part, and text.
type Parts = &'static [(&'static str, &'static str)];

/// A component that is honest but for some parts.
type Case = (&'static str, Parts);

/// The honest text with parts replaced. A part begins with `;;@name` and ends with `;;@end`; what
/// has no end is only a place to add to.
fn text(parts: &[(&str, &str)]) -> String {
    let mut out = String::new();
    let mut skipping = false;
    for line in HONEST.lines() {
        let Some(mark) = line.trim().strip_prefix(";;@") else {
            if !skipping {
                out.push_str(line);
                out.push('\n');
            }
            continue;
        };
        let given = parts.iter().find(|(name, _)| *name == mark);
        if let Some((_, text)) = given {
            out.push_str(text);
            out.push('\n');
        }
        let ends = !matches!(mark, "import" | "more" | "always" | "map");
        skipping = mark != "end" && given.is_some() && ends;
    }
    out
}

/// The folder of the crate, as `cargo run` says: target folders are shared between checkouts.
fn here() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").expect("it is run by cargo").into()
}

/// The worlds of a text, with all that they may name.
fn resolved(worlds: &str) -> (Resolve, PackageId) {
    let here = here();
    let mut resolve = Resolve::default();
    resolve.push_dir(here.join("../../../wit")).expect("the WIT package can be read");
    resolve.push_dir(here.join("wit")).expect("what is of others can be read");
    let package = resolve.push_str("hostile.wit", worlds).expect("the worlds are valid");
    (resolve, package)
}

const WORLDS: &str = "package test:hostile;\n\
         world mapper {\n\
           import weir:operator/log@0.1.0;\n\
           import weir:operator/metrics@0.1.0;\n\
           export weir:operator/guest@0.1.0;\n\
           export weir:operator/mapper@0.1.0;\n\
         }\n\
         world other { export run: func(); }\n\
         world thief {\n\
           import steal: interface { all: func() -> string; }\n\
           export weir:operator/guest@0.1.0;\n\
           export weir:operator/mapper@0.1.0;\n\
         }\n";

/// A core module as a component of a world.
fn component(wat: &str, world: &str) -> Vec<u8> {
    encoded(wat, WORLDS, world)
}

/// A core module as a component of a world of this text.
fn encoded(wat: &str, worlds: &str, world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}"));
    let (resolve, package) = resolved(worlds);
    let world = resolve.select_world(&[package], Some(world)).expect("the world is there");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the metadata fit");
    let mut encoder = ComponentEncoder::default();
    let encoder = encoder.validate(false);
    let encoded = encoder.module(&module).and_then(|encoder| encoder.encode());
    encoded.unwrap_or_else(|error| panic!("{error:?}\n{wat}"))
}

fn honest_but(parts: &[(&str, &str)]) -> Vec<u8> {
    component(&text(parts), "mapper")
}

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("a folder is given"));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let put = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.join(format!("{name}.wasm")), bytes).expect("it can be written");
        println!("{name}");
    };
    put("honest", &honest_but(&[]));
    for (name, parts) in calls::CASES.iter().chain(starts::CASES) {
        put(name, &honest_but(parts));
    }
    for (name, bytes) in files::cases().into_iter().chain(made::cases()) {
        put(name, &bytes);
    }
    for (name, bytes) in pieces::cases() {
        put(&name, &bytes);
    }
}
