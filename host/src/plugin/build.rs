//! Builds the folder of a plugin with its language's own tool.
//!
//! The tool sees none of the settings that a surrounding build has, and works in a target folder
//! for each plugin: components of crates that have the same name would lie in each other's place.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::error::PluginError;
use crate::clock::Stopwatch;

/// The target that components are built for.
const TARGET: &str = "wasm32-wasip2";

/// What a build made.
#[derive(Clone, Debug)]
pub struct Built {
    /// The component.
    pub component: PathBuf,
    /// How long it took.
    pub took: Duration,
}

/// Builds a folder. The language is found by its project file.
pub fn build(folder: &Path, notice: &dyn Fn(&str)) -> Result<Built, PluginError> {
    if !folder.join("Cargo.toml").is_file() {
        return Err(PluginError::Build {
            folder: folder.to_owned(),
            reason: "there is no Cargo.toml in it".to_owned(),
            output: String::new(),
            help: Some(
                "a plugin in Rust is a folder with a Cargo.toml; other languages are \
                        given as a built .wasm file"
                    .to_owned(),
            ),
        });
    }
    let took = Stopwatch::start();
    need_target(folder, notice)?;
    let mut command = cargo(folder);
    command.args([
        "build",
        "--release",
        "--target",
        TARGET,
        "--message-format=json-render-diagnostics",
    ]);
    command.args(fixed(folder));
    let (output, errors) = run(&mut command, folder)?;
    let component = artefact(&output).ok_or_else(|| PluginError::Build {
        folder: folder.to_owned(),
        reason: "the build made no .wasm file".to_owned(),
        output: errors,
        help: Some("the crate needs `crate-type = [\"cdylib\"]` under [lib]".to_owned()),
    })?;
    Ok(Built { component, took: took.elapsed() })
}

/// The Rust compiler that builds plugins, if it is there with the target; otherwise what is not.
pub fn toolchain() -> Result<String, String> {
    let here = Path::new(".");
    let (version, _) =
        run(tool("rustc", here).arg("--version"), here).map_err(|error| error.to_string())?;
    let mut query = tool("rustc", here);
    query.args(["--print", "target-libdir", "--target", TARGET]);
    let (place, _) = run(&mut query, here).map_err(|error| error.to_string())?;
    match Path::new(place.trim()).is_dir() {
        true => Ok(version.trim().to_owned()),
        false => Err(format!("the target {TARGET} is missing; `host build` adds it")),
    }
}

/// Runs the tests of a plugin's folder with its language's own test runner, in native code.
pub fn test(folder: &Path, notice: &dyn Fn(&str)) -> Result<(), PluginError> {
    notice(&format!("testing {}", folder.display()));
    let mut command = cargo(folder);
    command.args(["test", "--release"]).args(fixed(folder));
    let failed = |reason: String, output: String| PluginError::Build {
        folder: folder.to_owned(),
        reason,
        output,
        help: Some("mend the function or its test".to_owned()),
    };
    let done = command
        .output()
        .map_err(|error| failed(format!("`cargo` can't be started: {error}"), String::new()))?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stderr, done.stdout].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Err(failed("its own tests failed".to_owned(), said))
}

/// The folder that caches live in: `$XDG_CACHE_HOME/weir` or `~/.cache/weir`.
#[allow(clippy::disallowed_methods, reason = "where caches live is the environment's business")]
pub fn cache_folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    match (set("XDG_CACHE_HOME"), set("HOME")) {
        (Some(cache), _) => PathBuf::from(cache).join("weir"),
        (None, Some(home)) => PathBuf::from(home).join(".cache").join("weir"),
        (None, None) => PathBuf::from(".weir").join("cache"),
    }
}

/// Settings of a surrounding build that must not reach this one. What says where registries and
/// their copies are stays.
fn foreign(name: &str) -> bool {
    const KEPT: [&str; 6] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
    ];
    let of_cargo = name.starts_with("CARGO") && !KEPT.iter().any(|kept| name.starts_with(kept));
    of_cargo || name.starts_with("RUSTC") || matches!(name, "RUSTFLAGS" | "RUSTUP_TOOLCHAIN")
}

#[allow(
    clippy::disallowed_methods,
    reason = "a tool inherits the environment, less what is foreign"
)]
fn tool(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(foreign) {
            command.env_remove(name);
        }
    }
    command
}

fn cargo(folder: &Path) -> Command {
    let mut command = tool("cargo", folder);
    let target = match carries(folder) {
        // From the folder, in which cargo is started.
        true => PathBuf::from("target").join("host"),
        false => cache_folder().join("plugin-builds").join(own_name(folder)),
    };
    command.env("CARGO_TARGET_DIR", target);
    command
}

/// Whether a folder says itself where its crates are, as one of `host new` does.
fn carries(folder: &Path) -> bool {
    folder.join(".cargo").join("config.toml").is_file()
}

/// A name that no other folder has.
fn own_name(folder: &Path) -> String {
    let path = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}-{:016x}", xxhash_rust::xxh3::xxh3_64(path.as_os_str().as_encoded_bytes()))
}

/// With crates in the folder nothing is fetched.
fn fixed(folder: &Path) -> Option<&'static str> {
    carries(folder).then_some("--offline")
}

/// Runs a tool to its end; its standard output, and its standard error.
fn run(command: &mut Command, folder: &Path) -> Result<(String, String), PluginError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |reason: String, output: String, help: Option<String>| PluginError::Build {
        folder: folder.to_owned(),
        reason,
        output,
        help,
    };
    let mut child = command.spawn().map_err(|error| {
        let help = format!("install Rust with rustup, so that `{name}` is on the PATH");
        failed(format!("`{name}` can't be started: {error}"), String::new(), Some(help))
    })?;
    let mut stderr = child.stderr.take();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stderr) = &mut stderr {
            // What can't be read is missing from the message and changes nothing else.
            let _ = stderr.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let done = child.wait_with_output();
    let errors = reader.join().unwrap_or_default();
    let done = done.map_err(|error| failed(format!("`{name}`: {error}"), errors.clone(), None))?;
    if !done.status.success() {
        return Err(failed(format!("`{name}` ended with {}", done.status), errors, None));
    }
    Ok((String::from_utf8_lossy(&done.stdout).into_owned(), errors))
}

/// Adds the target to the toolchain of the folder when it is not there.
fn need_target(folder: &Path, notice: &dyn Fn(&str)) -> Result<(), PluginError> {
    let mut query = tool("rustc", folder);
    query.args(["--print", "target-libdir", "--target", TARGET]);
    let (place, _) = run(&mut query, folder)?;
    if Path::new(place.trim()).is_dir() {
        return Ok(());
    }
    notice(&format!(
        "adding the target {TARGET} to the Rust toolchain (rustup target add {TARGET})"
    ));
    let mut add = tool("rustup", folder);
    add.args(["target", "add", TARGET]);
    run(&mut add, folder).map(|_| ()).map_err(|error| match error {
        PluginError::Build { folder, reason, output, .. } => PluginError::Build {
            folder,
            reason: format!("the target {TARGET} is missing and could not be added: {reason}"),
            output,
            help: Some(format!("run `rustup target add {TARGET}`")),
        },
        other => other,
    })
}

/// The last .wasm file that cargo says it made for a library.
fn artefact(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| {
            let files = message["filenames"].as_array()?.clone();
            files
                .iter()
                .filter_map(serde_json::Value::as_str)
                .find(|file| file.ends_with(".wasm"))
                .map(PathBuf::from)
        })
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_surrounding_build_are_kept_out() {
        for name in
            ["CARGO", "CARGO_TARGET_DIR", "CARGO_MANIFEST_DIR", "RUSTFLAGS", "RUSTC_WRAPPER"]
        {
            assert!(foreign(name), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_REGISTRIES_X_INDEX", "PATH", "HOME"]
        {
            assert!(!foreign(name), "{name}");
        }
    }

    #[test]
    fn a_folder_that_carries_its_crates_is_built_inside_it_without_network() {
        let folder = tempfile::tempdir().unwrap();
        let target = |folder| {
            let command = cargo(folder);
            let value = command.get_envs().find(|(name, _)| *name == "CARGO_TARGET_DIR");
            value.and_then(|(_, value)| value).map(PathBuf::from)
        };
        let other = tempfile::tempdir().unwrap();
        let (one, two) = (target(folder.path()).unwrap(), target(other.path()).unwrap());
        assert!(one.parent().unwrap().ends_with("weir/plugin-builds"));
        assert_ne!(one, two, "crates of the same name must not share a folder");
        assert_eq!(fixed(folder.path()), None);
        std::fs::create_dir(folder.path().join(".cargo")).unwrap();
        std::fs::write(folder.path().join(".cargo/config.toml"), "").unwrap();
        assert_eq!(fixed(folder.path()), Some("--offline"));
        assert_eq!(target(folder.path()), Some(PathBuf::from("target/host")));
    }

    #[test]
    fn the_component_is_found_in_the_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"filenames\":[\"/t/libserde.rlib\"]}\n\
                        {\"reason\":\"compiler-artifact\",\"filenames\":[\"/t/text.wasm\"]}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(artefact(messages), Some(PathBuf::from("/t/text.wasm")));
    }

    #[test]
    fn a_folder_without_a_project_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = build(folder.path(), &|_| {}).unwrap_err();
        assert!(error.to_string().contains("there is no Cargo.toml"), "{error}");
    }
}
