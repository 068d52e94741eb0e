//! What a run is made from: the job, its plugins, and the files that it reads. What it writes is
//! none of it, so that no run is the reason for another.

use std::path::{Component, Path, PathBuf};

use super::folder_of;
use crate::cli::confine::fixed_part;
use crate::job::{Job, SourceKind};

/// Names in a plugin's folder that hold what was built or fetched.
const MADE: [&str; 4] = ["target", "vendor", "node_modules", "__pycache__"];

/// What to look at.
pub struct Inputs {
    /// The places.
    pub places: Vec<Place>,
    /// What is written by the job: nothing below is looked at.
    pub outputs: Vec<PathBuf>,
}

/// A file or a folder.
pub struct Place {
    /// Where it is.
    pub root: PathBuf,
    /// With the folders in it.
    pub deep: bool,
}

impl Inputs {
    /// The job file alone.
    pub fn only(job: &Path) -> Self {
        let root = job.to_owned();
        Self { places: vec![Place { root, deep: false }], outputs: Vec::new() }
    }

    /// Everything that a job is made from; without a job that can be read, what lies around it.
    pub fn of(file: &Path, job: Option<&Job>) -> Self {
        let mut inputs = Self::only(file);
        let Some(job) = job else {
            inputs.places.push(Place { root: folder_of(file), deep: false });
            return inputs;
        };
        let at = |path: &str| clean(&job.folder.join(path));
        for source in &job.sources {
            if let SourceKind::File(file) = &source.kind {
                let path = at(&file.path);
                let root = fixed_part(&path);
                let deep = path.components().count() > root.components().count() + 1;
                inputs.places.push(Place { root, deep });
            }
        }
        for call in job.calls() {
            inputs.places.push(Place { root: at(&call.wasm), deep: true });
            for folder in &call.allow.folders {
                match folder.write {
                    true => inputs.outputs.push(at(&folder.path)),
                    false => inputs.places.push(Place { root: at(&folder.path), deep: true }),
                }
            }
        }
        inputs.outputs.push(at(&job.dead_letters.path));
        for sink in &job.sinks {
            inputs.outputs.extend(sink.kind.path().map(|(path, _)| at(path)));
        }
        inputs
    }

    /// Whether something that lies in a place counts.
    pub fn takes(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let made = name.starts_with('.') || name.ends_with('~') || MADE.contains(&&*name);
        let path = clean(path);
        !made && !self.outputs.iter().any(|output| path.starts_with(output))
    }
}

/// Whether a job never ends by itself.
pub fn endless(job: &Job) -> bool {
    job.sources.iter().any(|source| match &source.kind {
        SourceKind::Socket(_) => true,
        SourceKind::Rate(rate) => rate.count.is_none(),
        SourceKind::File(_) | SourceKind::Rows(_) => false,
    })
}

/// A path as it is shown: without what leads nowhere.
pub fn shown(path: &Path) -> String {
    clean(path).display().to_string()
}

/// A path without `.` in it, so that one place has one name.
fn clean(path: &Path) -> PathBuf {
    let clean: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    if clean.as_os_str().is_empty() { PathBuf::from(".") } else { clean }
}
