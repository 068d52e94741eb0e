//! Names of files: parts joined by `/`, plain on every system.

use super::StoreError;
use super::defence::{Defence, stands};

const HALF_MADE: &str = ".tmp";

/// The name under which a file is written before it has its own. `tag` tells two processes apart.
pub fn temporary(name: &str, tag: &str) -> String {
    let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
    let tag = if stands(Defence::OwnTemporaryName) { tag } else { "" };
    join(folder, &format!(".{last}.{tag}{HALF_MADE}"))
}

/// Whether it is the name of a file that is being written.
pub fn is_half_made(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.starts_with('.') && last.ends_with(HALF_MADE)
}

/// The folder that a name is in.
pub fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The name of what is in a folder.
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Names stay within the store and are plain on every system.
pub fn check_name(name: &str) -> Result<(), StoreError> {
    let plain = |character: u8| character.is_ascii_alphanumeric() || b"-_.=".contains(&character);
    let good = |part: &str| {
        (1..=200).contains(&part.len()) && !part.starts_with('.') && part.bytes().all(plain)
    };
    if name.split('/').all(good) {
        return Ok(());
    }
    Err(StoreError::Misuse { name: name.to_owned(), problem: "the name is not plain" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_the_store() {
        for good in ["a", "log/g1-1.wlog", "state/op/0/n1-0a.delta"] {
            check_name(good).unwrap();
        }
        for bad in ["", "/a", "a/", "a//b", "../a", "a/..", ".a", "a b", "a\0", "a\n", "ä"] {
            assert_eq!(check_name(bad).unwrap_err().code(), "WEIR-DURABLE-007", "{bad:?}");
        }
        assert!(is_half_made(&temporary("log/a", "7-8")) && !is_half_made("log/a.tmp"));
    }
}
