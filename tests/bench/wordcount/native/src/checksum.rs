//! Sums up a result so that the order of its rows doesn't matter: distinct words, words, and
//! the sum of n × hash(word).
//!
//! A row may carry the `op` of a change log; a row that takes back an older one counts negative.
//! All three sums are linear, so a change log sums up to the same as its last state, while a word
//! that is written twice with parts of its count raises the number of distinct words.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

pub fn run(path: &Path) -> io::Result<()> {
    let (mut keys, mut words, mut sum) = (0_i64, 0_i64, 0_u64);
    for file in crate::files(path)? {
        let mut rows = BufReader::with_capacity(1 << 20, File::open(&file)?);
        let mut row = String::new();
        while rows.read_line(&mut row)? > 0 {
            if !row.trim().is_empty() {
                let (word, n, sign) = parse(&row).ok_or_else(|| {
                    io::Error::other(format!("{}: not a count: {}", file.display(), row.trim_end()))
                })?;
                keys += sign;
                words += sign * n;
                sum = sum.wrapping_add(hash(word).wrapping_mul((sign * n) as u64));
            }
            row.clear();
        }
    }
    println!("{keys} keys, {words} words, {sum:016x}");
    Ok(())
}

/// Enough JSON for a flat object of letters and whole numbers, in any order of its fields.
fn parse(row: &str) -> Option<(&str, i64, i64)> {
    let word = field(row, "\"word\":")?.strip_prefix('"')?.split('"').next()?;
    let n = field(row, "\"n\":")?;
    let n = n.split([',', '}', '.']).next()?.trim().parse().ok()?;
    let sign = match field(row, "\"op\":") {
        Some(op) if op.starts_with("\"UPDATE_BEFORE\"") || op.starts_with("\"DELETE\"") => -1,
        _ => 1,
    };
    word.bytes().all(|byte| byte.is_ascii_lowercase()).then_some((word, n, sign))
}

fn field<'row>(row: &'row str, name: &str) -> Option<&'row str> {
    Some(row[row.find(name)? + name.len()..].trim_start())
}

/// FNV-1a with a last mix, because the sum above multiplies it.
fn hash(word: &str) -> u64 {
    let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
