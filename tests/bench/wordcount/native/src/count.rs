//! The hand-written peer: read files, split, count in a hash map, write the counts.

#![allow(clippy::disallowed_types, reason = "the standard hasher is what this peer stands for")]

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::fold::BuildFold;

type Counts<S> = HashMap<Box<[u8]>, u64, S>;

pub fn run(dir: &Path, out: &Path, std_hash: bool, threads: usize) -> io::Result<()> {
    let files = crate::files(dir)?;
    if std_hash {
        write(out, &count(&files, threads, RandomState::new())?)
    } else {
        write(out, &count(&files, threads, BuildFold::default())?)
    }
}

/// Each thread takes the next file until none is left; then their maps become one.
fn count<S>(files: &[PathBuf], threads: usize, hash: S) -> io::Result<Counts<S>>
where
    S: BuildHasher + Clone + Send,
{
    let next = AtomicUsize::new(0);
    let worker = |hash: S| -> io::Result<Counts<S>> {
        let mut counts = HashMap::with_hasher(hash);
        let mut text = Vec::new();
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            text.clear();
            File::open(path)?.read_to_end(&mut text)?;
            count_text(&text, &mut counts);
        }
        Ok(counts)
    };
    if threads == 1 {
        return worker(hash);
    }
    thread::scope(|scope| {
        let worker = &worker;
        let running: Vec<_> = (0..threads)
            .map(|_| {
                let hash = hash.clone();
                scope.spawn(move || worker(hash))
            })
            .collect();
        let mut maps = running.into_iter().map(|thread| thread.join().expect("a counter panicked"));
        let mut all = maps.next().expect("at least one thread")?;
        for counts in maps {
            for (word, n) in counts? {
                *all.entry(word).or_default() += n;
            }
        }
        Ok(all)
    })
}

fn count_text<S: BuildHasher>(text: &[u8], counts: &mut Counts<S>) {
    for word in text.split(|&byte| byte == b' ' || byte == b'\n') {
        if word.is_empty() {
            continue;
        }
        match counts.get_mut(word) {
            Some(n) => *n += 1,
            None => {
                counts.insert(word.into(), 1);
            }
        }
    }
}

/// The words are letters only, so nothing has to be escaped.
fn write<S>(out: &Path, counts: &Counts<S>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(out)?);
    for (word, n) in counts {
        out.write_all(b"{\"word\":\"")?;
        out.write_all(word)?;
        writeln!(out, "\",\"n\":{n}}}")?;
    }
    out.flush()
}
