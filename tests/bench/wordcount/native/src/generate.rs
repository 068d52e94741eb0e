//! Writes seeded lines of eight words, drawn uniformly from a vocabulary of distinct words.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::thread;

const WORDS_PER_LINE: u64 = 8;

#[derive(Clone, Copy)]
pub struct Shape {
    pub lines: u64,
    pub keys: usize,
    pub files: u64,
    pub seed: u64,
}

/// Three to ten letters and the space that follows them, padded to sixteen bytes.
#[derive(Clone, Copy)]
struct Word {
    bytes: [u8; 15],
    len: u8,
}

pub fn run(dir: &Path, shape: Shape) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let vocabulary = vocabulary(shape.keys, shape.seed);
    let threads = thread::available_parallelism()?.get() as u64;
    thread::scope(|scope| {
        let vocabulary = &vocabulary;
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    (first..shape.files)
                        .step_by(threads as usize)
                        .try_for_each(|index| write_file(dir, shape, index, vocabulary))
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a writer panicked"))
    })
}

/// Each file has its own random sequence, so the files don't depend on the number of threads.
fn write_file(dir: &Path, shape: Shape, index: u64, vocabulary: &[Word]) -> io::Result<()> {
    let file = File::create(dir.join(format!("part-{index:03}.txt")))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut random = Random(shape.seed ^ ((index + 1) << 32));
    let lines = shape.lines * (index + 1) / shape.files - shape.lines * index / shape.files;
    let mut line = Vec::with_capacity(128);
    for _ in 0..lines {
        line.clear();
        for _ in 0..WORDS_PER_LINE {
            let word = vocabulary[random.below(vocabulary.len() as u64) as usize];
            line.extend_from_slice(&word.bytes[..word.len as usize]);
        }
        *line.last_mut().expect("a line has words") = b'\n';
        out.write_all(&line)?;
    }
    out.flush()
}

/// Length uniform in 3..=10, letters uniform; a word that is there already is drawn again.
fn vocabulary(keys: usize, seed: u64) -> Vec<Word> {
    let mut random = Random(seed);
    let mut seen = HashSet::with_capacity(keys);
    let mut words = Vec::with_capacity(keys);
    while words.len() < keys {
        let letters = 3 + random.below(8) as usize;
        let mut bytes = [0; 15];
        for byte in &mut bytes[..letters] {
            *byte = b'a' + random.below(26) as u8;
        }
        bytes[letters] = b' ';
        if seen.insert(bytes) {
            words.push(Word { bytes, len: letters as u8 + 1 });
        }
    }
    words
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }
}
