//! One job in a scratch folder: it is started, ended, started again, and compared with its model.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::shapes::{Batch, Feed, Shape};
use crate::wire::Wire;

/// A job that is started and ended.
pub struct Bench {
    /// Which.
    pub shape: &'static Shape,
    folder: TempDir,
    inputs: Vec<String>,
    /// Who sends inputs, if they are lines of a peer.
    wire: Option<Wire>,
    /// Processes that have not ended: none outlives the test.
    running: Vec<Child>,
    /// What was done to it, for whoever reads of a failure.
    story: Vec<String>,
}

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// With nothing left to do.
    Done,
    /// By SIGKILL.
    Killed,
    /// By itself, with an exit code and what it said.
    Failed(i32, String),
}

/// The binary.
pub fn host() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_host"))
}

/// A folder in memory where there is such a place: a process that is killed loses nothing that the
/// system has, so that a disk only makes it slow. `WEIR_CRASH_FOLDER` names another place.
fn scratch() -> TempDir {
    let place = std::env::var_os("WEIR_CRASH_FOLDER").map(PathBuf::from);
    let place = place.or_else(|| Some("/dev/shm".into()).filter(|it: &PathBuf| it.is_dir()));
    tempfile::tempdir_in(place.unwrap_or_else(std::env::temp_dir)).unwrap()
}

/// The component of a plugin of this repository, built once.
pub fn component(folder: &'static str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());
    let build = || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut build = Command::new(host());
        let ran = build.arg("build").arg(root.join(folder)).args(["--format", "json"]).output();
        let ran = ran.unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
        PathBuf::from(said["path"].as_str().unwrap())
    };
    BUILT.lock().unwrap().entry(folder).or_insert_with(build).clone()
}

impl Bench {
    /// The job with its inputs.
    pub fn new(shape: &'static Shape) -> Self {
        Self::with_inputs(shape, shape.inputs)
    }

    /// The job with so many inputs.
    pub fn with_inputs(shape: &'static Shape, count: usize) -> Self {
        let (folder, inputs) = (scratch(), Vec::new());
        let wire = matches!(shape.feed, Feed::Wire).then(Wire::new);
        let mut it = Self { shape, folder, inputs, wire, running: Vec::new(), story: Vec::new() };
        fs::create_dir(it.path("in")).unwrap();
        if matches!(shape.feed, Feed::Job) {
            it.inputs = (0..count).map(shape.input).collect();
        }
        (it.inputs.len()..count).for_each(|_| it.add());
        let toml = match &it.wire {
            Some(wire) => shape.toml(&[wire.address()]),
            None => shape.toml(&it.inputs),
        };
        fs::write(it.path("job.toml"), toml).unwrap();
        it
    }

    /// The same as it is now in a folder of its own; zeroes at the ends of files take no room.
    pub fn copy(&self) -> Self {
        assert!(self.wire.is_none(), "a peer has one job");
        let folder = scratch();
        copy(self.folder.path(), folder.path());
        let (inputs, story) = (self.inputs.clone(), self.story.clone());
        Self { shape: self.shape, folder, inputs, wire: None, running: Vec::new(), story }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.path(&format!(".weir/{}/checkpoint", self.shape.name))
    }

    /// Adds the next input, whole at once, if inputs do not stand in the job.
    pub fn add(&mut self) {
        let (number, draft) = (self.inputs.len(), self.path("draft"));
        let text = (self.shape.input)(number);
        let path = match (self.shape.feed, &self.wire) {
            (Feed::Job, _) => return,
            (Feed::Files(path), _) => self.path("in").join(path(number)),
            (Feed::Wire, wire) => {
                wire.as_ref().unwrap().add(&text);
                return self.inputs.push(text);
            }
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&draft, &text).unwrap();
        fs::rename(draft, path).unwrap();
        self.inputs.push(text);
    }

    /// Notes what is done.
    pub fn note(&mut self, what: impl Into<String>) {
        self.story.push(what.into());
    }

    /// Starts the job, through other programs if `through` names them; gives the process.
    pub fn start(&mut self, through: &[&str], more: &[&str], point: Option<&str>) -> u32 {
        self.note(format!("{} run {} {}", through.join(" "), more.join(" "), point.unwrap_or("")));
        let mut words = through.iter().map(Path::new).chain([host()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words.map(Path::as_os_str));
        command.args(["run", "job.toml", "--format", "json"]).args(more);
        command.current_dir(&self.folder).stdin(Stdio::null()).env("NO_COLOR", "1");
        command.env("WEIR_CRASH_LOG", self.path("passed"));
        command.env("WEIR_CRASH_AT", point.unwrap_or(""));
        command.stdout(File::create(self.path("events")).unwrap());
        command.stderr(File::create(self.path("said")).unwrap());
        let child = command.spawn().unwrap();
        let process = child.id();
        self.running.push(child);
        process
    }

    /// Sends a process a signal.
    pub fn signal(&mut self, process: u32, signal: Signal) {
        let child = self.running.iter().find(|child| child.id() == process).unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// Waits for a process.
    pub fn end(&mut self, process: u32) -> Ended {
        let number = self.running.iter().position(|child| child.id() == process).unwrap();
        let mut child = self.running.swap_remove(number);
        let status = child.wait().unwrap();
        let ended = self.ended(status);
        self.note(format!("{ended:?}"));
        if let Some(mut wire) = self.wire.take() {
            wire.note(&self.checkpoint(), &self.shown(false));
            self.wire = Some(wire);
        }
        ended
    }

    /// What the last process said, but for batches that went well.
    pub fn said(&self) -> String {
        let text = |name| fs::read_to_string(self.path(name)).unwrap_or_default();
        told(&(text("events") + &text("said")))
    }

    fn ended(&self, status: ExitStatus) -> Ended {
        let said = self.said();
        assert!(!said.contains("panicked"), "{said}");
        match (status.code(), status.signal()) {
            (Some(0), _) => Ended::Done,
            (Some(code), _) => Ended::Failed(code, said),
            (None, Some(9)) => Ended::Killed,
            other => panic!("{other:?}: {said}"),
        }
    }

    /// Takes what is there, and is killed at a crash point if it passes it.
    pub fn crash(&mut self, point: &str) -> Ended {
        let process = self.start(&[], &["--once"], Some(point));
        self.end(process)
    }

    /// Takes what is there to its end.
    pub fn finish(&mut self) {
        let process = self.start(&[], &["--once"], None);
        assert_eq!(self.end(process), Ended::Done);
    }

    /// Every sink has what the model says, nothing half done is left, and the checkpoint is whole.
    pub fn check(&mut self) {
        self.compare();
        let left = |it: &Self| {
            let tables = it.shape.tables.iter();
            tables.flat_map(|table| table.left(it.folder.path())).collect::<Vec<_>>()
        };
        if !left(self).is_empty() {
            // A process that was killed between a transaction and the end of the file with its rows
            // leaves that file to the next batch.
            self.note("a file with rows is left");
            self.add();
            self.finish();
            self.compare();
            assert_eq!(left(self), [""; 0], "is left by a later batch too");
        }
        let (whole, said) = self.verify();
        assert!(whole, "{said}");
    }

    /// Every sink has what the model says.
    fn compare(&self) {
        let found = self.found();
        if let Some(wire) = &self.wire {
            wire.check(&found);
        } else {
            let expected = self.expected();
            assert_eq!(found.len(), expected.len(), "batches");
            for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(found, expected, "batch {}", number + 1);
            }
        }
        self.shape.tables.iter().for_each(|table| table.check(self.folder.path(), &self.inputs));
    }

    /// Whether the checkpoint is whole, and what is said of it.
    pub fn verify(&self) -> (bool, String) {
        self.checkpoint_command(&["verify", "job.toml"])
    }

    /// Repairs the checkpoint; whether that could be done, and what is said of it.
    pub fn repair(&mut self) -> (bool, String) {
        self.note("repair");
        self.checkpoint_command(&["repair", "job.toml", "--yes"])
    }

    fn checkpoint_command(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(host());
        command.arg("checkpoint").args(arguments).current_dir(&self.folder);
        let ran = command.output().unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(ran.status.code().is_some() && !said.contains("panicked"), "{said}");
        (ran.status.success(), said)
    }

    /// The batches that the model says, one after the other.
    pub fn expected(&self) -> Vec<Batch> {
        (self.shape.model)(&self.inputs)
    }

    /// What is in the tables of its sinks.
    pub fn tables(&self) -> Vec<Option<(Vec<String>, u64)>> {
        self.shape.tables.iter().map(|table| table.read(self.folder.path())).collect()
    }

    /// What is in the folders of its sinks. Batches are dense, and their times go up.
    pub fn found(&self) -> Vec<Batch> {
        self.shown(true)
    }

    /// The same; unless it is `clean`, there may be output that is not visible yet.
    pub fn shown(&self, clean: bool) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::new();
        for (number, sink) in self.shape.sinks.iter().enumerate() {
            let Some(folder) = self.sink(sink) else { continue };
            let mut last = String::new();
            for (batch, path) in self.folders(&folder, clean) {
                let label = fs::read_to_string(path.join("_weir.json")).unwrap();
                let label: Value = serde_json::from_str(&label).unwrap();
                assert_eq!(label["batch"], batch, "{sink}: {label}");
                let time = label["time"].as_str().unwrap().to_owned();
                assert!(last < time, "{sink}, batch {batch}: {time} is not after {last}");
                last = time;
                while batches.len() < batch as usize {
                    batches.push(vec![Vec::new(); self.shape.sinks.len()]);
                }
                batches[batch as usize - 1][number] = rows(&path, *sink == "letters");
            }
        }
        batches
    }

    /// Where a sink writes to. Dead letters have a folder for each job id: there is one.
    fn sink(&self, sink: &str) -> Option<PathBuf> {
        let path = self.path(sink);
        if sink != "letters" {
            return path.exists().then_some(path);
        }
        let runs: Vec<PathBuf> = entries(&path).into_iter().map(|(_, path)| path).collect();
        assert!(runs.len() <= 1, "one job has one id: {runs:?}");
        runs.into_iter().next()
    }

    /// The folders of batches with their numbers. If it is `clean` nothing else may be there.
    fn folders(&self, sink: &Path, clean: bool) -> BTreeMap<u64, PathBuf> {
        let number = |(name, path): (String, PathBuf)| {
            let number = name.strip_prefix("batch=").and_then(|number| number.parse().ok());
            (number.unwrap_or_else(|| panic!("{} is left", path.display())), path)
        };
        let counts = |(name, _): &(String, PathBuf)| clean || !name.starts_with('_');
        entries(sink).into_iter().filter(counts).map(number).collect()
    }

    /// The crash points that were passed, with how often.
    pub fn passed(&self) -> BTreeMap<String, u64> {
        let mut passed = BTreeMap::new();
        for name in fs::read_to_string(self.path("passed")).unwrap_or_default().lines() {
            *passed.entry(name.to_owned()).or_insert(0) += 1;
        }
        passed
    }

    /// The files of the checkpoint, by their names in it.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let (mut files, mut folders) = (BTreeSet::new(), vec![self.checkpoint()]);
        while let Some(folder) = folders.pop() {
            for (_, path) in entries(&folder) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.strip_prefix(self.checkpoint()).unwrap().to_owned());
                }
            }
        }
        files
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _has_ended_then = child.kill();
            child.wait().unwrap();
        }
        if std::thread::panicking() {
            let said = self.said();
            self.folder.disable_cleanup(true);
            let (name, path) = (self.shape.name, self.folder.path().display());
            eprintln!("{name} in {path}:\n  {}\n{said}", self.story.join("\n  "));
        }
    }
}

/// Lines without those of batches that went well.
pub fn told(lines: &str) -> String {
    let told = lines.lines().filter(|line| !line.contains("\"event\":\"batch\""));
    told.collect::<Vec<_>>().join("\n")
}

/// The rows of a batch, sorted; of a dead letter the row itself.
fn rows(folder: &Path, letters: bool) -> Vec<String> {
    let parts = entries(folder).into_iter().filter(|(name, _)| name.starts_with("part-"));
    let mut rows = Vec::new();
    for (_, path) in parts {
        let text = fs::read_to_string(path).unwrap();
        rows.extend(text.lines().map(|line| match letters {
            false => line.to_owned(),
            true => {
                let letter: Value = serde_json::from_str(line).unwrap();
                letter["row"].as_str().unwrap().to_owned()
            }
        }));
    }
    rows.sort();
    rows
}

/// What is in a folder, by name; nothing if it isn't there.
fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let named = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), entry.path())
    };
    let mut entries: Vec<_> = entries.map(named).collect();
    entries.sort();
    entries
}

fn copy(from: &Path, to: &Path) {
    for (name, path) in entries(from) {
        let target = to.join(name);
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&path, &target);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        fs::write(&target, &bytes[..end]).unwrap();
        let file = File::options().write(true).open(&target).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        let times = fs::metadata(&path).unwrap().modified().unwrap();
        file.set_modified(times).unwrap();
    }
}
