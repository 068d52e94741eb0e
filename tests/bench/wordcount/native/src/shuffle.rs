//! The native twin of the shuffle benchmark: bytes as a state for each word in a hash map, one
//! thread.

#![allow(clippy::disallowed_types, reason = "the standard hasher is what this peer stands for")]

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

/// Prints how many rows there were, the sum of all counts, and the seconds.
pub fn run(dir: &Path, bytes: usize) -> io::Result<()> {
    let start = Instant::now();
    let mut states: HashMap<Box<[u8]>, Vec<u8>> = HashMap::new();
    let mut rows = 0_u64;
    let mut text = Vec::new();
    for file in crate::files(dir)? {
        text.clear();
        File::open(file)?.read_to_end(&mut text)?;
        for word in text.split(|&byte| byte == b' ' || byte == b'\n') {
            if !word.is_empty() {
                rows += 1;
                match states.get_mut(word) {
                    Some(state) => touch(state),
                    None => {
                        let mut state = vec![0; bytes.max(16)];
                        touch(&mut state);
                        states.insert(word.into(), state);
                    }
                }
            }
        }
    }
    let total: u64 = states.values().map(|state| count(state)).sum();
    println!("{{\"rows\":{rows},\"total\":{total},\"seconds\":{}}}", start.elapsed().as_secs_f64());
    Ok(())
}

fn count(state: &[u8]) -> u64 {
    let mut head = [0; 8];
    head.copy_from_slice(&state[..8]);
    u64::from_le_bytes(head)
}

fn touch(state: &mut [u8]) {
    let total = count(state) + 1;
    let room = state.len() - 8;
    state[8 + total as usize % room] ^= total as u8;
    state[..8].copy_from_slice(&total.to_le_bytes());
}
