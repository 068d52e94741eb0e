//! Frames: how a record lies in a file, so that a broken one is told from a whole one.
//!
//! ```text
//!  0 magic "WEIR"   4 format u16   6 kind u8   7 codec u8   8 flags u32   12 length u32
//! 16 seq u64   24 first u64   32 generation u64   40 batch u64   48 attempt u128
//! 64 blank u32   68 previous u32   72 crc32c of the 72 bytes before
//! 76 payload (length bytes)   then crc32c of the payload
//! ```
//!
//! All numbers are little endian. `first` is the seq of the first frame of the same append: frames
//! of one append may be torn in any order, those of an earlier append may not. `previous` is the
//! link of the frame before, which makes a chain. `blank` counts the 512-byte blocks of the file,
//! without the frame's first, in which the frame has only zeroes: a block that did not reach the
//! disk is blank, so that a torn write and a damaged one differ. A header never crosses a block.

use super::defence::{Defence, stands};

/// The size of a header.
pub const HEADER_BYTES: usize = 76;
/// The unit in which a disk writes all or nothing.
pub const BLOCK_BYTES: usize = 512;
/// The largest payload: 64 MiB.
pub const PAYLOAD_MAX: usize = 64 << 20;
/// The version of the layout that is written, and the newest that can be read.
pub const FORMAT: u16 = 1;
/// The payload is bincode 2, standard configuration.
pub const CODEC_BINCODE: u8 = 1;

const MAGIC: [u8; 4] = *b"WEIR";
const CRC_BYTES: usize = 4;

/// What stands in front of a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// What the payload is; the room that writes it knows.
    pub kind: u8,
    /// How the payload is encoded.
    pub codec: u8,
    /// For later; 0 now.
    pub flags: u32,
    /// The number of the frame in its chain, dense.
    pub seq: u64,
    /// The seq of the first frame of the same append.
    pub first: u64,
    /// The generation of the owner who wrote it.
    pub generation: u64,
    /// The batch that it is about, or 0.
    pub batch: u64,
    /// The try of the batch that it is about, or 0.
    pub attempt: u128,
    /// The link of the frame before it in the chain.
    pub previous: u32,
}

/// A whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub header: Header,
    /// What it holds.
    pub payload: &'a [u8],
    /// What the next frame has as `previous`.
    pub link: u32,
    /// Where it ends, in the file.
    pub end: usize,
}

/// Why there is no frame where one could be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing was ever written there.
    #[error("nothing is written there")]
    Blank,
    /// Some blocks of it did not reach the disk: the write was cut off.
    #[error("the end of the write is missing")]
    Torn,
    /// It was written and has changed since.
    #[error("{0}")]
    Damaged(&'static str),
    /// A newer Weir wrote it.
    #[error("it has format {0}, and this version reads up to {FORMAT}")]
    Newer(u16),
}

/// Where a frame may start that does not fit before `at`: the header stays within one block.
pub fn start_at(at: usize) -> usize {
    let at = at.next_multiple_of(8);
    if at % BLOCK_BYTES + HEADER_BYTES > BLOCK_BYTES {
        at.next_multiple_of(BLOCK_BYTES)
    } else {
        at
    }
}

/// How many bytes a frame with such a payload has.
pub fn size(payload: usize) -> usize {
    HEADER_BYTES + payload + CRC_BYTES
}

/// Adds a frame to `bytes`, which lie in the file from `base` on. Gives its link.
pub fn write(bytes: &mut Vec<u8>, base: usize, header: &Header, payload: &[u8]) -> u32 {
    assert!(payload.len() <= PAYLOAD_MAX, "the writer checks the size");
    let start = start_at(base + bytes.len());
    bytes.resize(start - base, 0);
    let at = bytes.len();
    bytes.resize(at + HEADER_BYTES, 0);
    bytes.extend_from_slice(payload);
    let check = crc32c::crc32c(payload).to_le_bytes();
    bytes.extend_from_slice(&check);
    let blank = blank_blocks(start, &bytes[at..]);
    let head = encode(header, payload.len(), blank);
    bytes[at..at + HEADER_BYTES].copy_from_slice(&head);
    crc32c::crc32c_append(crc32c::crc32c(&head), &check)
}

fn encode(header: &Header, length: usize, blank: u32) -> [u8; HEADER_BYTES] {
    let mut head = [0; HEADER_BYTES];
    head[0..4].copy_from_slice(&MAGIC);
    head[4..6].copy_from_slice(&FORMAT.to_le_bytes());
    head[6] = header.kind;
    head[7] = header.codec;
    head[8..12].copy_from_slice(&header.flags.to_le_bytes());
    head[12..16].copy_from_slice(&(length as u32).to_le_bytes());
    head[16..24].copy_from_slice(&header.seq.to_le_bytes());
    head[24..32].copy_from_slice(&header.first.to_le_bytes());
    head[32..40].copy_from_slice(&header.generation.to_le_bytes());
    head[40..48].copy_from_slice(&header.batch.to_le_bytes());
    head[48..64].copy_from_slice(&header.attempt.to_le_bytes());
    head[64..68].copy_from_slice(&blank.to_le_bytes());
    head[68..72].copy_from_slice(&header.previous.to_le_bytes());
    let check = crc32c::crc32c(&head[..72]);
    head[72..].copy_from_slice(&check.to_le_bytes());
    head
}

/// The blocks after the first one in which a frame at `start` has only zeroes.
fn blank_blocks(start: usize, frame: &[u8]) -> u32 {
    let first = (BLOCK_BYTES - start % BLOCK_BYTES).min(frame.len());
    let blocks = frame[first..].chunks(BLOCK_BYTES);
    blocks.filter(|block| is_blank(block)).count() as u32
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut number = [0; N];
    number.copy_from_slice(&bytes[at..at + N]);
    number
}

/// What a header says about the rest of its frame.
struct Extent {
    length: usize,
    blank: u32,
}

fn decode(head: &[u8]) -> Result<(Header, Extent), Fault> {
    if head[0..4] != MAGIC {
        return Err(Fault::Damaged("it does not begin with the mark of Weir"));
    }
    if u32::from_le_bytes(number(head, 72)) != crc32c::crc32c(&head[..72]) {
        return Err(Fault::Damaged("the checksum of the header is wrong"));
    }
    let format = u16::from_le_bytes(number(head, 4));
    if format > FORMAT {
        return Err(Fault::Newer(format));
    }
    let length = u32::from_le_bytes(number(head, 12)) as usize;
    if length > PAYLOAD_MAX {
        return Err(Fault::Damaged("it says that it is longer than a record may be"));
    }
    let header = Header {
        kind: head[6],
        codec: head[7],
        flags: u32::from_le_bytes(number(head, 8)),
        seq: u64::from_le_bytes(number(head, 16)),
        first: u64::from_le_bytes(number(head, 24)),
        generation: u64::from_le_bytes(number(head, 32)),
        batch: u64::from_le_bytes(number(head, 40)),
        attempt: u128::from_le_bytes(number(head, 48)),
        previous: u32::from_le_bytes(number(head, 68)),
    };
    Ok((header, Extent { length, blank: u32::from_le_bytes(number(head, 64)) }))
}

/// The frame that starts at `at` in the bytes of a file, as `start_at` gave it.
pub fn read(file: &[u8], at: usize) -> Result<Frame<'_>, Fault> {
    let rest = file.get(at..).unwrap_or_default();
    let head = &rest[..rest.len().min(HEADER_BYTES)];
    if is_blank(head) {
        return Err(Fault::Blank);
    }
    if head.len() < HEADER_BYTES {
        return Err(Fault::Torn);
    }
    let (header, extent) = decode(head)?;
    let whole = size(extent.length);
    if rest.len() < whole {
        return Err(Fault::Torn);
    }
    let payload = &rest[HEADER_BYTES..HEADER_BYTES + extent.length];
    let check: [u8; 4] = number(rest, whole - CRC_BYTES);
    let blank = blank_blocks(at, &rest[..whole]);
    if blank > extent.blank {
        return Err(Fault::Torn);
    }
    let is_checked = stands(Defence::ContentChecksum);
    if is_checked && u32::from_le_bytes(check) != crc32c::crc32c(payload) {
        return Err(Fault::Damaged("the checksum of the content is wrong"));
    }
    if blank != extent.blank {
        return Err(Fault::Damaged("its blocks are not those that were written"));
    }
    let link = crc32c::crc32c_append(crc32c::crc32c(head), &check);
    Ok(Frame { header, payload, link, end: at + whole })
}

/// Whether there are only zeroes.
pub fn is_blank(bytes: &[u8]) -> bool {
    // Without an early way out within a chunk, which the compiler turns into wide loads.
    bytes.chunks(4096).all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
}

/// A header from `at` on whose frame belongs to an append that began after `seq`: proof that what
/// stands before it had been durable. Gives where.
pub fn later_append(file: &[u8], at: usize, seq: u64) -> Option<usize> {
    let is_later = |at: &usize| {
        let head = file.get(*at..*at + HEADER_BYTES).filter(|head| head.starts_with(&MAGIC));
        head.is_some_and(|head| decode(head).is_ok_and(|(header, _)| header.first > seq))
    };
    let chunks = (at..file.len()).step_by(4096).map(|at| at..(at + 4096).min(file.len()));
    chunks.filter(|chunk| !is_blank(&file[chunk.clone()])).flatten().find(is_later)
}

/// A file that is one frame and nothing else.
pub fn write_blob(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size(payload.len()));
    write(&mut bytes, 0, &Header { kind, codec: CODEC_BINCODE, ..Header::default() }, payload);
    bytes
}

/// The payload and the link of a file that is one frame of this kind.
pub fn read_blob(bytes: &[u8], kind: u8) -> Result<(&[u8], u32), Fault> {
    let frame = read(bytes, 0)?;
    if frame.end != bytes.len() {
        return Err(Fault::Damaged("something stands behind its end"));
    }
    if frame.header.kind != kind || frame.header.codec != CODEC_BINCODE {
        return Err(Fault::Damaged("it is another kind of file"));
    }
    Ok((frame.payload, frame.link))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Vec<u8> {
        let mut bytes = Vec::new();
        let one = Header { kind: 1, seq: 1, first: 1, previous: 9, ..Header::default() };
        let link = write(&mut bytes, 0, &one, &[7; 600]);
        let two = Header { kind: 2, seq: 2, first: 1, previous: link, ..Header::default() };
        write(&mut bytes, 0, &two, &[0; 2000]);
        bytes.resize(8192, 0);
        bytes
    }

    #[test]
    fn a_frame_comes_back_as_it_was_written() {
        let bytes = two();
        let one = read(&bytes, 0).unwrap();
        assert_eq!((one.header.kind, one.header.previous, one.payload), (1, 9, &[7; 600][..]));
        let two = read(&bytes, start_at(one.end)).unwrap();
        assert_eq!((two.header.seq, two.header.previous, two.payload.len()), (2, one.link, 2000));
        assert_eq!(read(&bytes, start_at(two.end)), Err(Fault::Blank));
    }

    #[test]
    fn no_header_crosses_a_block() {
        for at in 0..2048 {
            let start = start_at(at);
            assert!(start >= at && start < at + 8 + HEADER_BYTES && start.is_multiple_of(8));
            assert_eq!(start / BLOCK_BYTES, (start + HEADER_BYTES - 1) / BLOCK_BYTES);
        }
    }

    #[test]
    fn a_lost_block_is_torn_and_a_flipped_bit_is_damaged() {
        let whole = two();
        let second = start_at(read(&whole, 0).unwrap().end);
        let mut lost = whole.clone();
        lost[512..1024].fill(0);
        assert_eq!(read(&lost, 0), Err(Fault::Torn));
        for bit in 0..8 * (size(600)) {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(read(&flipped, 0), Err(Fault::Damaged(_))), "bit {bit}");
        }
        // A payload of zeroes has blank blocks of its own.
        for bit in 8 * second..8 * (second + size(2000)) {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(read(&flipped, second), Err(Fault::Damaged(_))), "bit {bit}");
        }
    }

    #[test]
    fn a_cut_file_is_torn_and_its_length_is_not_believed() {
        let whole = two();
        for end in 1..size(600) {
            assert_eq!(read(&whole[..end], 0), Err(Fault::Torn), "{end} bytes");
        }
        assert_eq!(read(&whole[..0], 0), Err(Fault::Blank));
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut bytes = write_blob(3, b"x");
        bytes[4] = 2;
        let check = crc32c::crc32c(&bytes[..72]).to_le_bytes();
        bytes[72..76].copy_from_slice(&check);
        assert_eq!(read_blob(&bytes, 3), Err(Fault::Newer(2)));
    }

    #[test]
    fn only_a_later_append_proves_that_something_was_durable() {
        let bytes = two();
        assert_eq!(later_append(&bytes, 0, 1), None);
        assert_eq!(later_append(&bytes, 0, 0), Some(0));
    }
}
