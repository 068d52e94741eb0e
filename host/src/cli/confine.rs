//! What a job needs of the machine while it runs, and giving up the rest.

use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::open::Opened;
use super::{exit, output};
use crate::job::{FormatKind, Job, SinkKind, SourceKind};
use crate::plugin::{self, Confined, Needs};
use crate::row_error::OnError;

/// Gives up everything that the job does not name. `spill` is where batches may spill to,
/// `kept` the folder of the checkpoint.
pub fn confine(opened: &Opened, spill: &Path, kept: Option<&Path>) -> Result<(), Failure> {
    if !opened.job.settings.confine {
        return Ok(());
    }
    let mut needs = needs(&opened.job, spill)?;
    if let Some(kept) = kept {
        needs.write.push(kept.to_owned());
        // Ids of the job and of this start of the machine, and its name.
        let kernel = Path::new("/proc/sys/kernel");
        needs.read.extend([kernel.join("random"), kernel.join("hostname")]);
    }
    match plugin::confine(&needs) {
        Ok(Confined::Fully | Confined::Partly) => Ok(()),
        Ok(Confined::No) => {
            output::note(
                "note: the kernel has no Landlock: the sandbox of each function is the only wall",
            );
            Ok(())
        }
        Err(error) => Err(Failure::new("WEIR-RUN-013", error.to_string())
            .help("`confine = false` under [job] runs without the second wall")),
    }
}

fn needs(job: &Job, spill: &Path) -> Result<Needs, Failure> {
    let mut needs = Needs { write: vec![spill.to_owned()], ..Needs::default() };
    // The folder of spilled rows itself is removed at the end.
    needs.clear.extend(spill.parent().map(Path::to_owned));
    for source in &job.sources {
        match &source.kind {
            SourceKind::File(file) => {
                needs.read.push(to_look_into(&fixed_part(&job.folder.join(&file.path))));
                needs.again |= file.format == FormatKind::Parquet;
            }
            SourceKind::Socket(socket) => {
                let ports =
                    socket.addresses.iter().filter_map(|address| address.rsplit(':').next());
                needs.ports.extend(ports.filter_map(|port| port.parse::<u16>().ok()));
            }
            SourceKind::Rows(_) | SourceKind::Rate(_) => {}
        }
    }
    for sink in &job.sinks {
        match &sink.kind {
            SinkKind::File { path, .. } => needs.write.push(made(job.folder.join(path))?),
            SinkKind::Sqlite { path, .. } => {
                needs.write.push(made(beside(&job.folder.join(path)))?)
            }
            SinkKind::Console { .. } => {}
        }
    }
    let puts_aside = job.sources.iter().any(|source| source.on_error == OnError::DeadLetter)
        || job.calls().any(|call| call.on_error == OnError::DeadLetter);
    if puts_aside {
        needs.write.push(made(job.folder.join(&job.dead_letters.path))?);
    }
    of_calls(job, &mut needs);
    Ok(needs)
}

/// What functions may see, and the files of states that they begin with.
fn of_calls(job: &Job, needs: &mut Needs) {
    for files in job.calls().filter_map(|call| call.keeping.initial.as_ref()) {
        needs.read.push(to_look_into(&fixed_part(&job.folder.join(&files.path))));
        needs.again |= files.format == FormatKind::Parquet;
    }
    for folder in job.calls().flat_map(|call| &call.allow.folders) {
        let path = job.folder.join(&folder.path);
        if folder.write { needs.write.push(path) } else { needs.read.push(path) }
    }
}

/// The folder of a database: its log, and batches that are not visible yet, lie there too.
fn beside(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// The folder itself, or the one that it will be made in.
fn to_look_into(root: &Path) -> PathBuf {
    match root.parent() {
        _ if root.exists() => root.to_owned(),
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The part of a path before the first name that is a pattern.
pub fn fixed_part(path: &Path) -> PathBuf {
    let pattern = |name: &std::path::Component<'_>| {
        name.as_os_str().to_string_lossy().contains(['*', '?', '[', '{'])
    };
    let fixed: PathBuf = path.components().take_while(|name| !pattern(name)).collect();
    if fixed.as_os_str().is_empty() { PathBuf::from(".") } else { fixed }
}

/// A folder that exists from now on: what does not exist can't be allowed.
fn made(path: PathBuf) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(&path).map_err(|error| {
        let message = format!("can't make the folder `{}`: {error}", path.display());
        Failure::new("WEIR-SINK-001", message).exit(exit::UNREACHABLE)
    })?;
    Ok(path)
}
