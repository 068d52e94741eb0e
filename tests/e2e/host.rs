//! Runs the binary and reads what it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// A scratch folder with a job in it. `{root}` in the job is the root of the repository.
pub struct Job {
    folder: TempDir,
}

/// What a run of the binary gave.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The run, if it went well.
    pub fn fine(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// The lines of standard output as JSON.
    pub fn events(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The events of one kind.
    pub fn of_kind(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == kind).collect()
    }
}

/// The binary, ready to be called in a folder.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command.current_dir(folder).stdin(Stdio::null()).env("NO_COLOR", "1");
    command
}

/// Calls the binary in a folder.
pub fn host(folder: &Path, arguments: &[&str]) -> Ran {
    command(folder).args(arguments).output().unwrap().into()
}

impl Job {
    /// Writes job.toml.
    pub fn new(job: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = job.replace("{root}", root().to_str().unwrap());
        std::fs::write(folder.path().join("job.toml"), text).unwrap();
        Self { folder }
    }

    /// Writes another file.
    pub fn file(self, name: &str, content: &str) -> Self {
        self.write(name, content);
        self
    }

    /// Writes another file.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Under its final name at once, as the file source wants it.
        let draft = path.with_extension("tmp");
        std::fs::write(&draft, content).unwrap();
        std::fs::rename(draft, path).unwrap();
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `host run job.toml --once` and further arguments.
    pub fn once(&self, more: &[&str]) -> Ran {
        let mut arguments = vec!["run", "job.toml", "--once", "--from", "none"];
        arguments.extend(more);
        host(self.path(), &arguments)
    }

    /// What a console sink with enough rows shows of the first batch, as JSON rows.
    pub fn rows(&self, more: &[&str]) -> Vec<Value> {
        let mut arguments = vec!["--format", "json"];
        arguments.extend(more);
        let ran = self.once(&arguments).fine();
        let shown = ran.of_kind("rows");
        assert!(!shown.is_empty(), "{ran:#?}");
        shown[0]["rows"].as_array().unwrap().clone()
    }

    /// The lines of all part files of a batch in a file sink, in their order.
    pub fn written(&self, sink: &str, batch: u64) -> Vec<String> {
        let folder = self.path().join(sink).join(format!("batch={batch:020}"));
        let mut parts: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        parts.sort();
        parts
            .iter()
            .filter(|part| part.file_name().unwrap().to_str().unwrap().starts_with("part-"))
            .flat_map(|part| {
                let text = std::fs::read_to_string(part).unwrap();
                text.lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect()
    }
}
