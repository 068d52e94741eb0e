//! A consumer with a black box for a state, as in ShuffleBench (Henning et al., ICPE 2024): each
//! row is counted in the first bytes of its key's state, and changes another byte of it.

use serde::Deserialize;
use weir::{BytesBuf, Out, Row, State, Values};

/// The key.
#[derive(Row)]
pub struct Word<'a> {
    word: &'a str,
}

/// A row of the key.
#[derive(Row)]
pub struct Seen {
    n: i64,
}

/// The state.
#[derive(Row, Clone)]
pub struct Black {
    box_: BytesBuf,
}

/// How often the key was seen so far.
#[derive(Row)]
pub struct Total {
    n: i64,
}

/// How large a state is.
#[derive(Deserialize)]
pub struct Config {
    bytes: usize,
}

/// Counts rows in the state, and changes one more of its bytes for each.
#[weir::updater]
pub fn consume(
    _key: Word<'_>,
    values: Values<'_, Seen>,
    state: &mut State<Black>,
    out: &mut Out<Total>,
    config: &Config,
) {
    let mut bytes = match state.get() {
        Some(black) => black.box_.0.clone(),
        None => vec![0; config.bytes.max(16)],
    };
    let mut head = [0; 8];
    head.copy_from_slice(&bytes[..8]);
    let mut total = i64::from_le_bytes(head);
    let room = bytes.len() - 8;
    for seen in values.iter() {
        total += seen.n;
        bytes[8 + total as usize % room] ^= total as u8;
    }
    bytes[..8].copy_from_slice(&total.to_le_bytes());
    out.push(Total { n: total });
    state.set(Black { box_: BytesBuf(bytes) });
}

weir::export!(consume);
