//! What a function may see of the machine: variables and folders that its op grants.

use std::fmt;
use std::path::PathBuf;

use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::filesystem::FsPerms;

/// The rights of a function. None by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Variables with their values.
    pub env: Vec<(String, String)>,
    /// Folders.
    pub folders: Vec<Folder>,
}

/// A folder that a function sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The folder on this machine.
    pub path: PathBuf,
    /// The path under which the function sees it.
    pub name: String,
    /// Whether it may be written to.
    pub write: bool,
}

impl Rights {
    /// Whether there are any.
    pub fn is_none(&self) -> bool {
        self.env.is_empty() && self.folders.is_empty()
    }

    /// Gives them to an instance.
    pub(super) fn give(&self, builder: &mut WasiCtxBuilder) -> wasmtime::Result<()> {
        builder.envs(&self.env);
        for folder in &self.folders {
            let rights = if folder.write { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            builder.preopened_dir(&folder.path, &folder.name, rights)?;
        }
        Ok(())
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let env = self.env.iter().map(|(name, _)| format!("variable {name}"));
        let folders = self.folders.iter().map(|folder| {
            let what = if folder.write { "read and write" } else { "read" };
            format!("{what} {}", folder.name)
        });
        f.write_str(&env.chain(folders).collect::<Vec<_>>().join(", "))
    }
}
