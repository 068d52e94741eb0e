//! The second wall: the process itself gives up every file and port that the job has no use for, so
//! that an escape from the sandbox finds nothing.
//!
//! Done by Landlock, which binds the calling thread and every thread that it starts afterwards, and
//! can't be taken back. Whatever is built, compiled or looked up in the environment must be done
//! before.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
};

/// The newest version of Landlock that is asked for; older kernels give what they have.
const VERSION: ABI = ABI::V5;

/// Files that looking up the address of a host reads.
const NAMES: [&str; 7] = [
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
];

/// Folders of the libraries that do it.
const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

/// What a job needs of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Files and folders that are read.
    pub read: Vec<PathBuf>,
    /// Folders that are written to. They must exist.
    pub write: Vec<PathBuf>,
    /// Folders in which empty folders are removed.
    pub clear: Vec<PathBuf>,
    /// Ports that are connected to.
    pub ports: Vec<u16>,
    /// Whether this program is started again: its own file, and the libraries it is linked with.
    pub again: bool,
}

/// How far a process is confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confined {
    /// To what was asked for.
    Fully,
    /// To as much of it as the kernel knows.
    Partly,
    /// Not at all: the kernel has no Landlock.
    No,
}

/// Why a process could not be confined.
#[derive(Debug, thiserror::Error)]
#[error("the process can't give up its rights: {0}")]
pub struct ConfineError(#[from] RulesetError);

/// How far this kernel could confine a process: tried on a thread that does nothing else.
pub fn confinement() -> Confined {
    let tried = std::thread::spawn(|| confine(&Needs::default()));
    tried.join().ok().and_then(Result::ok).unwrap_or(Confined::No)
}

/// Gives up everything else. Paths that do not exist are left out.
pub fn confine(needs: &Needs) -> Result<Confined, ConfineError> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(AccessNet::from_all(VERSION))?
        .create()?;
    let mut rules = beneath(rules, &needs.read, AccessFs::from_read(VERSION))?;
    rules = beneath(rules, &needs.write, AccessFs::from_all(VERSION))?;
    rules = beneath(rules, &needs.clear, AccessFs::RemoveDir.into())?;
    if needs.again {
        rules = beneath(rules, &own_files(), AccessFs::from_read(VERSION))?;
    }
    if !needs.ports.is_empty() {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        rules = beneath(rules, &paths(&NAMES), AccessFs::ReadFile.into())?;
        rules = beneath(rules, &paths(&LIBRARIES), AccessFs::from_read(VERSION))?;
    }
    for port in &needs.ports {
        rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Confined::Fully,
        RulesetStatus::PartiallyEnforced => Confined::Partly,
        RulesetStatus::NotEnforced => Confined::No,
    })
}

/// The files that this program was made of when it started: its own, and those of its libraries.
/// Where the system doesn't say, it can't start again.
fn own_files() -> Vec<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut files: Vec<PathBuf> = maps
        .lines()
        .filter(|line| line.split_whitespace().nth(1).is_some_and(|rights| rights.contains('x')))
        .filter_map(|line| line.find('/').map(|path| PathBuf::from(&line[path..])))
        .collect();
    files.dedup();
    files.extend([PathBuf::from("/proc/self/exe"), PathBuf::from("/etc/ld.so.cache")]);
    files
}

fn beneath(
    mut rules: RulesetCreated,
    paths: &[PathBuf],
    access: landlock::BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    for path in paths {
        let Ok(handle) = PathFd::new(path) else { continue };
        let access = match path.is_dir() {
            true => access,
            false => access & AccessFs::from_file(VERSION),
        };
        rules = rules.add_rule(PathBeneath::new(handle, access))?;
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn what_is_not_needed_is_out_of_reach() {
        let folder = tempfile::tempdir().unwrap();
        let (read, write) = (folder.path().join("read"), folder.path().join("write"));
        for made in [&read, &write] {
            fs::create_dir(made).unwrap();
            fs::write(made.join("file"), "x").unwrap();
        }
        let other = folder.path().join("other");
        fs::write(&other, "secret").unwrap();
        let listeners = [TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0")];
        let [allowed, refused] = listeners.map(|listener| listener.unwrap());
        let ports = vec![allowed.local_addr().unwrap().port()];
        let clear = vec![folder.path().to_owned()];
        let needs = Needs {
            read: vec![read.clone()],
            write: vec![write.clone()],
            clear,
            ports,
            again: false,
        };
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).unwrap();
        // A thread of its own, because there is no way back.
        std::thread::spawn(move || {
            if confine(&needs).unwrap() == Confined::No {
                return;
            }
            let denied = |error: std::io::Error| error.raw_os_error() == Some(13);
            assert_eq!(fs::read(read.join("file")).unwrap(), b"x");
            assert!(denied(fs::write(read.join("file"), "y").unwrap_err()));
            fs::write(write.join("new"), "y").unwrap();
            fs::rename(write.join("new"), write.join("newer")).unwrap();
            fs::remove_dir(&empty).unwrap();
            assert!(denied(fs::remove_file(&other).unwrap_err()));
            assert!(denied(fs::read(&other).unwrap_err()));
            assert!(denied(fs::read("/etc/passwd").unwrap_err()));
            TcpStream::connect(allowed.local_addr().unwrap()).unwrap();
            assert!(denied(TcpStream::connect(refused.local_addr().unwrap()).unwrap_err()));
        })
        .join()
        .unwrap();
    }
}
