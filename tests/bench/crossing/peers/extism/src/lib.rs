//! The functions of the guest, as Extism has them: a call takes bytes and gives bytes. Columns of
//! numbers are their values in a row; a column of text is its offsets, four bytes each, and the
//! text.

use extism_pdk::{FnResult, plugin_fn};

fn number(bytes: &[u8]) -> i64 {
    i64::from_le_bytes(bytes.try_into().unwrap_or_default())
}

fn each(input: &[u8], make: impl Fn(i64) -> i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len());
    for bytes in input.chunks_exact(8) {
        out.extend_from_slice(&make(number(bytes)).to_le_bytes());
    }
    out
}

fn greatest(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a as i64
}

fn rounds(n: i64) -> i64 {
    let mut n = n as u64 | 1;
    for _ in 0..200 {
        n ^= n << 13;
        n ^= n >> 7;
        n ^= n << 17;
    }
    n as i64
}

fn pairs(input: &[u8]) -> Vec<u8> {
    let (a, b) = input.split_at(input.len() / 2);
    let mut out = Vec::with_capacity(a.len());
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        out.extend_from_slice(&greatest(number(a), number(b)).to_le_bytes());
    }
    out
}

fn upper_cased(input: &[u8]) -> Vec<u8> {
    let offset = |at: usize| {
        let bytes = input.get(at * 4..at * 4 + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_le_bytes(bytes.unwrap_or_default()) as usize
    };
    // The first four bytes are the number of rows.
    let rows = offset(0);
    let text = &input[(rows + 2) * 4..];
    let (mut offsets, mut out) =
        (Vec::with_capacity((rows + 2) * 4), Vec::with_capacity(text.len()));
    offsets.extend_from_slice(&(rows as u32).to_le_bytes());
    offsets.extend_from_slice(&0_u32.to_le_bytes());
    for row in 0..rows {
        let one = &text[offset(row + 1)..offset(row + 2)];
        let one = std::str::from_utf8(one).unwrap_or_default();
        out.extend_from_slice(one.to_uppercase().as_bytes());
        offsets.extend_from_slice(&(out.len() as u32).to_le_bytes());
    }
    offsets.extend_from_slice(&out);
    offsets
}

#[plugin_fn]
pub fn nothing(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(each(&input, |n| n))
}

#[plugin_fn]
pub fn add_one(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(each(&input, |n| n.wrapping_add(1)))
}

#[plugin_fn]
pub fn gcd(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(pairs(&input))
}

#[plugin_fn]
pub fn gcd_small(input: Vec<u8>) -> FnResult<Vec<u8>> {
    let small = |bytes: &[u8]| i32::from_le_bytes(bytes.try_into().unwrap_or_default());
    let (a, b) = input.split_at(input.len() / 2);
    let mut out = Vec::with_capacity(a.len());
    for (a, b) in a.chunks_exact(4).zip(b.chunks_exact(4)) {
        let (mut a, mut b) = (small(a), small(b));
        while b != 0 {
            (a, b) = (b, a % b);
        }
        out.extend_from_slice(&a.to_le_bytes());
    }
    Ok(out)
}

#[plugin_fn]
pub fn compute(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(each(&input, rounds))
}

#[plugin_fn]
pub fn upper(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(upper_cased(&input))
}

/// The loops without Extism, over an input that lies in the memory of the module: what is timed is
/// what the engine's guards cost, and nothing else.
static mut INPUT: [u8; 1 << 20] = [0; 1 << 20];

/// Where the input is to be put.
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *mut u8 {
    &raw mut INPUT as *mut u8
}

/// Runs a loop over the first bytes of the input; the bytes that came out.
#[unsafe(no_mangle)]
pub extern "C" fn run(which: u32, bytes: u32) -> u32 {
    // SAFETY: nobody else has the input while this runs: the module has one thread, and the host
    // waits for the call.
    let input =
        unsafe { std::slice::from_raw_parts(&raw const INPUT as *const u8, bytes as usize) };
    let out = match which {
        0 => each(input, |n| n.wrapping_add(1)),
        1 => pairs(input),
        2 => each(input, rounds),
        _ => upper_cased(input),
    };
    out.len() as u32
}
