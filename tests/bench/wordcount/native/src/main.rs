//! The native side of the word count benchmark: writes its input, counts it by hand as the plain
//! Rust peer, and sums up anybody's result so that results can be compared.

mod checksum;
mod count;
mod fold;
mod generate;
mod shuffle;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: wordcount-native generate DIR LINES KEYS FILES SEED
       wordcount-native count DIR OUT std|fold THREADS
       wordcount-native shuffle DIR BYTES
       wordcount-native checksum PATH";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["generate", dir, lines, keys, files, seed] => {
            match (lines.parse(), keys.parse(), files.parse(), seed.parse()) {
                (Ok(lines), Ok(keys), Ok(files), Ok(seed)) if keys > 0 && files > 0 => {
                    generate::run(Path::new(dir), generate::Shape { lines, keys, files, seed })
                }
                _ => return usage(),
            }
        }
        ["count", dir, out, hash @ ("std" | "fold"), threads] => match threads.parse() {
            Ok(threads) if threads > 0 => {
                count::run(Path::new(dir), Path::new(out), hash == "std", threads)
            }
            _ => return usage(),
        },
        ["shuffle", dir, bytes] => match bytes.parse() {
            Ok(bytes) => shuffle::run(Path::new(dir), bytes),
            Err(_) => return usage(),
        },
        ["checksum", path] => checksum::run(Path::new(path)),
        _ => return usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wordcount-native: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

/// Every file under `path`, sorted; names that begin with a dot or an underscore are markers of
/// whoever wrote the folder, not data.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(['.', '_']) {
            found.extend(files(&entry.path())?);
        }
    }
    found.sort();
    Ok(found)
}
