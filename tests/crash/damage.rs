//! Damaged files of a checkpoint under the whole host: the job goes on as it should, or it says
//! which file it is. Every bit, without a host for each: flips.rs.

use std::fs;

use crate::bench::{Bench, Ended};
use crate::chance::{Chance, asked, tell};
use crate::shapes::shape;

#[test]
fn a_damaged_file_is_harmless_or_named() {
    let samples = asked("WEIR_CRASH_DAMAGES", 60);
    let mut chance = Chance::new(4);
    let mut base = Bench::with_inputs(shape("count"), 20);
    assert_eq!(base.crash("commit-intent-durable:14"), Ended::Killed);
    let (mut refused, mut equal, mut repaired) = (0, 0, 0);
    for number in 0..samples {
        let mut bench = base.copy();
        let file = damage(&mut bench, &mut chance, number % 3 == 0);
        let (whole, said) = bench.verify();
        let process = bench.start(&[], &["--once"], None);
        match bench.end(process) {
            Ended::Done => {
                bench.check();
                equal += 1;
            }
            Ended::Failed(_, told) => {
                // A log that ends earlier looks whole: what the sink has gives it away.
                let ahead = told.contains("WEIR-CHECKPOINT-010") && file.starts_with("log/");
                let named = told.contains("WEIR-") && told.contains(&file);
                assert!(ahead || named, "{file}: {told}");
                assert!(ahead || !whole, "{file}: verify took it for whole: {said}");
                let (found, expected) = (bench.found(), bench.expected());
                assert_eq!(found, expected[..found.len()], "{file}: nothing else became visible");
                refused += 1;
                repaired += u32::from(repair(&mut bench, &file));
            }
            Ended::Killed => panic!("killed by nobody"),
        }
    }
    assert!(refused > 0 && equal > 0, "{refused} refused, {equal} equal");
    assert!(repaired > 0, "{refused} refused, and none repaired");
    tell(&format!(
        "{refused} damages refused by name, {repaired} of them repaired; {equal} without harm"
    ));
}

/// Repairs what was refused, if it can be: then the job does all that is missing, and nothing
/// twice. The sinks keep what they have.
fn repair(bench: &mut Bench, file: &str) -> bool {
    let (done, said) = bench.repair();
    if !done {
        assert!(said.contains("WEIR-CHECKPOINT-017"), "{file}: {said}");
        return false;
    }
    let process = bench.start(&[], &["--once", "--adopt-sinks"], None);
    assert_eq!(bench.end(process), Ended::Done, "{file}: {said}");
    bench.check();
    true
}

/// Flips a bit of a file, or cuts it short; gives its name.
fn damage(bench: &mut Bench, chance: &mut Chance, cut: bool) -> String {
    let files: Vec<_> = bench.files().into_iter().collect();
    let files: Vec<_> = files.into_iter().filter(|file| file.to_str() != Some("lock")).collect();
    let name = chance.of(&files).to_str().unwrap().to_owned();
    let path = bench.checkpoint().join(&name);
    let mut bytes = fs::read(&path).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    // Mostly where something is written, sometimes in the zeroes behind it.
    let end = if chance.below(8) == 0 { bytes.len() } else { used };
    let at = chance.below(end as u64) as usize;
    if cut {
        bytes.truncate(at);
        bench.note(format!("{name} is cut at {at}"));
    } else if let Some(byte) = bytes.get_mut(at) {
        let bit = chance.below(8);
        *byte ^= 1 << bit;
        bench.note(format!("bit {bit} of byte {at} of {name} is another"));
    }
    fs::write(&path, bytes).unwrap();
    name
}
