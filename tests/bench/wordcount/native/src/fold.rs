//! A fast hash for short words: what a program that trusts its input would use instead of SipHash.

use std::hash::{BuildHasherDefault, Hasher};

pub type BuildFold = BuildHasherDefault<Fold>;

#[derive(Default)]
pub struct Fold(u64);

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xbf58_476d_1ce4_e5b9;

fn multiply(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let len = bytes.len();
        let mut state = self.0 ^ len as u64;
        let mut rest = bytes;
        while rest.len() > 16 {
            let (head, tail) = rest.split_at(16);
            state = multiply(eight(&head[..8]) ^ FIRST, eight(&head[8..]) ^ state ^ SECOND);
            rest = tail;
        }
        // The last one to sixteen bytes: two reads that may overlap.
        let (low, high) = match rest.len() {
            8.. => (eight(&rest[..8]), eight(&rest[rest.len() - 8..])),
            4.. => (four(&rest[..4]), four(&rest[rest.len() - 4..])),
            1.. => {
                let last = rest.len() - 1;
                (u64::from(rest[0]) << 8 | u64::from(rest[last]), u64::from(rest[last / 2]))
            }
            0 => (0, 0),
        };
        self.0 = multiply(low ^ FIRST, high ^ state ^ SECOND);
    }

    /// The length that a slice's `Hash` announces is mixed in by `write` already.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

fn eight(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

fn four(bytes: &[u8]) -> u64 {
    u64::from(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
}
