//! The ratchet: what is long is listed with a reason and may only shrink.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::tree::{Fault, File};

/// Lines of a file without its test code.
const FILE_LINES_MAX: usize = 400;

/// Lines of a function from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 40;

/// Where long things are listed: `path[:function] lines reason`.
const LIST: &str = "tests/tidy/long.txt";

/// Compares what is long with what is listed.
pub fn check(files: &[File]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut long = BTreeMap::new();
    let code = |file: &&File| file.is(&["rs"]) && !file.generated() && !file.is_test();
    for file in files.iter().filter(code) {
        match Code::read(file) {
            Ok(code) => measure(file, &code, &mut long),
            Err(fault) => faults.push(fault),
        }
    }
    if let Some(list) = files.iter().find(|file| file.path == LIST) {
        faults.extend(compare(list, &mut long));
    }
    faults.extend(long.into_iter().map(|(name, found)| {
        let Found { file, line, lines, max } = found;
        let way_out = format!(
            "part it by what it speaks of, not for the number; if it is one thing, add \
             `{name} {lines} <the reason>` to {LIST}"
        );
        file.fault(line, format!("`{name}` has {lines} lines, {max} are allowed"), &way_out)
    }));
    faults
}

/// Something that is too long.
struct Found<'a> {
    file: &'a File,
    line: usize,
    lines: usize,
    max: usize,
}

fn measure<'a>(file: &'a File, code: &Code, long: &mut BTreeMap<String, Found<'a>>) {
    let lines = (1..=file.text.lines().count()).filter(|&line| !code.is_test(line)).count();
    if lines > FILE_LINES_MAX {
        let found = Found { file, line: 1, lines, max: FILE_LINES_MAX };
        long.insert(file.path.clone(), found);
    }
    for function in &code.functions {
        let (line, lines) = (function.first, function.lines);
        if lines > FUNCTION_LINES_MAX && !code.is_test(line) {
            let empty = Found { file, line, lines: 0, max: FUNCTION_LINES_MAX };
            // Functions of one name, such as `fmt` of two traits, are counted together.
            let name = format!("{}:{}", file.path, function.name);
            long.entry(name).or_insert(empty).lines += lines;
        }
    }
}

/// Takes what is listed rightly out of what is long.
fn compare(list: &File, long: &mut BTreeMap<String, Found<'_>>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, entry) in (1..).zip(list.text.lines()) {
        if entry.is_empty() || entry.starts_with('#') {
            continue;
        }
        let mut parts = entry.splitn(3, ' ');
        let name = parts.next().unwrap_or_default();
        let listed = parts.next().and_then(|number| number.parse::<usize>().ok());
        let reason = parts.next().unwrap_or_default().trim();
        let (Some(listed), false) = (listed, reason.is_empty()) else {
            let way_out = "write `path[:function] lines reason`";
            faults.push(list.fault(at, format!("`{entry}` is no entry"), way_out));
            continue;
        };
        let (what, way_out) = match long.remove(name) {
            None => ("is not long, not there, or listed twice", "take the entry out"),
            Some(found) if found.lines > listed => ("grew", "make it shorter again"),
            Some(found) if found.lines < listed => ("shrunk", "lower the number"),
            Some(_) => continue,
        };
        faults.push(list.fault(
            at,
            format!("`{name}`, listed with {listed} lines, {what}"),
            way_out,
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::shown;

    fn function(name: &str, lines: usize) -> String {
        format!("fn {name}() {{\n{}}}\n", "    a();\n".repeat(lines - 2))
    }

    fn faults(code: &str, list: &str) -> String {
        let files = [File::sample("host/src/a.rs", code), File::sample(LIST, list)];
        shown(&check(&files))
    }

    #[test]
    fn a_long_function_or_file_has_to_be_listed() {
        assert_eq!(faults(&function("f", 40), ""), "");
        let found = faults(&function("f", 41), "# nothing\n");
        assert!(found.contains("a.rs:1: `host/src/a.rs:f` has 41 lines, 40 are"), "{found}");
        assert!(found.contains("`host/src/a.rs:f 41 <the reason>`"), "{found}");
        let found = faults(&"// a\n".repeat(401), "");
        assert!(found.contains("a.rs:1: `host/src/a.rs` has 401 lines, 400 are"), "{found}");
        let listed = "host/src/a.rs:f 41 a flat table\n";
        assert_eq!(faults(&function("f", 41), listed), "");
    }

    #[test]
    fn a_listed_one_may_only_shrink_and_the_list_follows() {
        let listed = "# why\n\nhost/src/a.rs:f 50 a flat table\n";
        for (lines, what) in [(51, "grew"), (49, "shrunk"), (40, "is not long")] {
            let found = faults(&function("f", lines), listed);
            assert!(found.contains("long.txt:3: `host/src/a.rs:f`, listed"), "{found}");
            assert!(found.contains(what) && found.matches("way out").count() == 1, "{found}");
        }
    }

    #[test]
    fn an_entry_without_a_reason_is_none() {
        let found = faults(&function("f", 41), "host/src/a.rs:f 41\n");
        assert!(found.contains("long.txt:1: `host/src/a.rs:f 41` is no entry"), "{found}");
    }

    #[test]
    fn test_code_and_generated_code_may_be_long() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function("f", 450));
        assert_eq!(faults(&tests, ""), "");
        let long = function("f", 450);
        for path in ["tests/a.rs", "host/src/a/tests.rs", "sdk/rust/src/bindings/a.rs"] {
            assert_eq!(shown(&check(&[File::sample(path, &long)])), "");
        }
    }
}
