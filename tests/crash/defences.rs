//! Every defence stands in the table that `tests/crash/defences` goes by, with a test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use weir_host::durable::defence::Defence;

/// The table: where the test of a defence is, and its name.
fn table() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let lines = include_str!("defences.txt").lines().filter(|line| !line.starts_with('#'));
    let row = |line: &'static str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, place, test] = words[..] else { panic!("three words, not {line}") };
        (name, (place, test))
    };
    lines.map(row).collect()
}

#[test]
fn each_defence_has_a_test_that_fails_without_it() {
    let table = table();
    let named: BTreeSet<&str> = table.keys().copied().collect();
    let known: BTreeSet<&str> = Defence::ALL.iter().map(|defence| defence.name()).collect();
    assert_eq!(named, known, "defences.txt and host/src/durable/defence.rs");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, (place, test)) in table {
        let mut parts: Vec<&str> = test.split("::").collect();
        let function = parts.pop().unwrap();
        let folder = match place {
            "lib" => root.join("src"),
            _ => root.join("../tests").join(place),
        };
        // A module lies in a file of its name, in a folder of its name, or in the file above.
        let files = (1..=parts.len()).rev().flat_map(|end| {
            let path = folder.join(parts[..end].join("/"));
            [path.with_extension("rs"), path.join("mod.rs")]
        });
        let file = files.into_iter().find(|file| file.exists()).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let there = text.contains(&format!("fn {function}("));
        assert!(there, "{name}: {function} is not in {}", file.display());
    }
}

#[test]
fn every_defence_stands_in_this_build_unless_it_is_named() {
    let stands = |defence: &&Defence| weir_host::durable::defence::stands(**defence);
    let left_out = Defence::ALL.iter().filter(|defence| !stands(defence)).count();
    let asked = cfg!(feature = "without-defences") && std::env::var("WEIR_WITHOUT").is_ok();
    assert_eq!(left_out, usize::from(asked));
}
