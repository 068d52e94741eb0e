//! A disk that is full: of a size of its own, where one may be mounted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::bench::{Bench, Ended};
use crate::chance::tell;
use crate::shapes::{FULL, Shape};

/// Room for the reserve (16 MiB) and one segment of the log (8 MiB), but not for a second one.
const SMALL: &str = "size=26m";

/// Room for everything.
const LARGE: &str = "remount,size=96m";

/// A disk in memory.
struct Disk(PathBuf);

impl Disk {
    /// None where this process may not mount one.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let disk = Self(at.to_owned());
        disk.is_mounted(SMALL).then_some(disk)
    }

    fn is_mounted(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        let ran = mount.args(["-t", "tmpfs", "-o", options, "weir-crash"]).arg(&self.0).output();
        ran.is_ok_and(|ran| ran.status.success())
    }

    fn grow(&self) {
        assert!(self.is_mounted(LARGE));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // At once for everybody who opens something there, whoever still has something open.
        let ran = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(ran.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// A job whose checkpoint is on a small disk.
fn small(shape: &'static Shape) -> Option<(Bench, Disk)> {
    let bench = Bench::new(shape);
    let disk = Disk::mount(&bench.path(".weir"));
    if disk.is_none() {
        tell("a full disk is not tried: this process may not mount one");
    }
    Some((bench, disk?))
}

/// A commit that does not fit any more takes the space that was kept back for it; the process is
/// killed when it has given it up, and goes on when there is room. False if it can't be tried.
pub fn a_kill_when_the_reserve_is_gone() -> bool {
    let Some((mut bench, disk)) = small(&FULL) else { return false };
    assert_eq!(bench.crash("reserve-released"), Ended::Killed);
    disk.grow();
    bench.finish();
    bench.check();
    drop(disk);
    true
}

#[test]
fn a_full_disk_is_told_and_waited_for() {
    let Some((mut bench, disk)) = small(&FULL) else { return };
    let process = bench.start(&[], &["--once"], None);
    let until = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string(bench.path("events")).unwrap().contains("no_space") {
        assert!(Instant::now() < until, "a full disk is not told");
        std::thread::sleep(Duration::from_millis(5));
    }
    let before = bench.shown(false);
    assert!(!before.is_empty() && before.len() < bench.expected().len());
    disk.grow();
    assert_eq!(bench.end(process), Ended::Done);
    bench.check();
    drop(disk);
    tell("a full disk was told, waited for, and everything went on");
}
