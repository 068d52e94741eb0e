//! Which files are there?

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::source::{FileRange, Skipped, SourceError};

/// Where files are looked for.
pub(super) struct Place {
    path: PathBuf,
    pattern: Option<Pattern>,
}

/// The part of a path from the first name with a `*` or the like on.
struct Pattern {
    /// What stands before it: a folder.
    root: PathBuf,
    matcher: GlobMatcher,
    /// How many folders deep files can lie below the root, itself included.
    depth: usize,
}

/// Something that was found.
pub(super) enum Found {
    /// A file that can be taken.
    File(FileRange),
    /// Something that can't.
    Skipped(Skipped),
}

/// What has to be watched to hear of new files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Watched {
    /// The folder, or the only file.
    pub(super) root: PathBuf,
    /// With the folders in it.
    pub(super) deep: bool,
}

impl Place {
    /// Reads the path of a source. Something that is there under exactly this name is meant, also
    /// when the name could be a pattern.
    pub(super) fn open(given: &str, folder: &Path) -> Result<Self, SourceError> {
        let path = folder.join(given);
        let pattern = if path.exists() { None } else { Pattern::parse(given, folder)? };
        let place = Self { path, pattern };
        let root = place.root();
        // The folder above may be written as nothing: the current one.
        let parent = root.parent().filter(|parent| *parent != Path::new(""));
        if !root.exists() && parent.is_some_and(|parent| !parent.is_dir()) {
            let parent = parent.unwrap_or(root).display().to_string();
            return Err(SourceError::NoFolder { path: given.to_owned(), parent });
        }
        Ok(place)
    }

    fn root(&self) -> &Path {
        self.pattern.as_ref().map_or(&self.path, |pattern| &pattern.root)
    }

    /// What has to be watched.
    pub(super) fn watched(&self) -> Watched {
        let deep = self.pattern.as_ref().is_some_and(|pattern| pattern.depth > 1);
        Watched { root: self.root().to_owned(), deep }
    }

    /// Everything that is there now.
    pub(super) fn list(&self) -> Result<Vec<Found>, SourceError> {
        let mut found = Vec::new();
        let whole = match fs::metadata(self.root()) {
            Ok(whole) => whole,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(failed(self.root())(error)),
        };
        if whole.is_dir() {
            self.walk(&mut found)?;
        } else if self.pattern.is_none() {
            found.extend(look(&self.path, &whole));
        }
        Ok(found)
    }

    fn walk(&self, found: &mut Vec<Found>) -> Result<(), SourceError> {
        let mut folders = vec![(self.root().to_owned(), 1)];
        while let Some((folder, depth)) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if depth == 1 => return Err(failed(&folder)(error)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(_) => {
                    found.push(skipped(&folder, "the folder can't be listed"));
                    continue;
                }
            };
            for entry in entries {
                let entry = entry.map_err(failed(&folder))?;
                if in_the_making(&entry.file_name().to_string_lossy()) {
                    continue;
                }
                let path = entry.path();
                if entry.file_type().map_err(failed(&path))?.is_dir() {
                    if self.pattern.as_ref().is_some_and(|pattern| depth < pattern.depth) {
                        folders.push((path, depth + 1));
                    }
                } else if self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&path)) {
                    found.extend(look_at_link(&path));
                }
            }
        }
        Ok(())
    }
}

impl Pattern {
    /// None when no name in the path is a pattern.
    fn parse(given: &str, folder: &Path) -> Result<Option<Self>, SourceError> {
        let is_pattern = |name: &str| name.contains(['*', '?', '[', '{', '\\']);
        let names: Vec<Component<'_>> = Path::new(given).components().collect();
        let first = names.iter().position(|name| name.as_os_str().to_str().is_some_and(is_pattern));
        let Some(first) = first else { return Ok(None) };
        let root = folder.join(names[..first].iter().collect::<PathBuf>());
        let rest = names[first..].iter().collect::<PathBuf>();
        let rest = rest.to_string_lossy();
        let glob = GlobBuilder::new(&rest)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| SourceError::Pattern {
            path: given.to_owned(),
            problem: error.kind().to_string(),
        })?;
        let depth = if rest.contains("**") { usize::MAX } else { rest.split('/').count() };
        Ok(Some(Self { root, matcher: glob.compile_matcher(), depth }))
    }

    fn matches(&self, path: &Path) -> bool {
        path.strip_prefix(&self.root).is_ok_and(|below| self.matcher.is_match(below))
    }
}

/// Whether this is what files are called while they are written.
fn in_the_making(name: &str) -> bool {
    name.starts_with(['.', '_'])
        || [".tmp", ".part", ".crdownload", "~"].iter().any(|end| name.ends_with(end))
}

/// Looks through a link at what it leads to.
fn look_at_link(path: &Path) -> Option<Found> {
    match fs::metadata(path) {
        Ok(file) => look(path, &file),
        // A file may vanish; a link that leads nowhere stays.
        Err(_) if fs::symlink_metadata(path).is_err() => None,
        Err(_) => Some(skipped(path, "the link leads nowhere, or it may not be looked at")),
    }
}

fn look(path: &Path, file: &fs::Metadata) -> Option<Found> {
    if file.is_dir() {
        return Some(skipped(path, "it is a link to a folder"));
    }
    if !file.is_file() {
        return Some(skipped(path, "it is not a regular file"));
    }
    let Some(name) = path.to_str() else {
        return Some(skipped(path, "its name is not UTF-8"));
    };
    Some(Found::File(FileRange {
        path: name.to_owned(),
        bytes: file.len(),
        modified: modified(file),
    }))
}

/// When a file was changed last, in nanoseconds since 1970.
pub(super) fn modified(file: &fs::Metadata) -> i128 {
    i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec())
}

fn skipped(path: &Path, reason: &'static str) -> Found {
    Found::Skipped(Skipped { path: path.display().to_string(), reason })
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> SourceError {
    SourceError::io("look into", path.display().to_string())
}
