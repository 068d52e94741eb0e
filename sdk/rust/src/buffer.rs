//! The buffers of columns: read where they lie, written once.

use crate::bindings::weir::operator::rows::Column;

/// The buffers of one column, in order, while readers take theirs.
#[derive(Debug)]
pub struct Buffers<'r> {
    left: std::slice::Iter<'r, Vec<u8>>,
}

impl<'r> Buffers<'r> {
    /// The buffers of a column.
    pub fn new(column: &'r Column) -> Self {
        Self { left: column.buffers.iter() }
    }

    /// The next buffer, which stays.
    pub fn peek(&self) -> &'r [u8] {
        self.left.as_slice().first().map_or(&[], Vec::as_slice)
    }

    /// The next buffer; empty when the host sent none, which it does not.
    pub fn take(&mut self) -> &'r [u8] {
        self.left.next().map_or(&[], Vec::as_slice)
    }
}

/// Which values are there. Empty when all are.
#[derive(Clone, Copy, Debug)]
pub struct Validity<'r>(pub &'r [u8]);

impl Validity<'_> {
    /// Whether a value is there.
    pub fn get(self, row: usize) -> bool {
        self.0.is_empty() || self.0[row / 8] >> (row % 8) & 1 == 1
    }
}

/// Bits that are written one by one.
#[derive(Clone, Debug, Default)]
pub struct Bits {
    bytes: Vec<u8>,
    length: usize,
    zeros: usize,
}

impl Bits {
    /// Adds a bit.
    pub fn push(&mut self, bit: bool) {
        if self.length.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if bit {
            let last = self.bytes.len() - 1;
            self.bytes[last] |= 1 << (self.length % 8);
        } else {
            self.zeros += 1;
        }
        self.length += 1;
    }

    /// Adds the same bit several times.
    pub fn fill(&mut self, bit: bool, count: usize) {
        for _ in 0..count {
            self.push(bit);
        }
    }

    /// How many bits are 0.
    pub fn zeros(&self) -> usize {
        self.zeros
    }

    /// The bits.
    pub fn finish(&mut self) -> Vec<u8> {
        (self.length, self.zeros) = (0, 0);
        std::mem::take(&mut self.bytes)
    }
}

/// The buffers of a column that is being finished.
#[derive(Debug, Default)]
pub struct ColumnOut {
    /// The buffers so far.
    pub buffers: Vec<Vec<u8>>,
    /// Nulls at the top level.
    pub nulls: usize,
    /// Whether all rows have the one value that the buffers hold.
    pub constant: bool,
}

impl ColumnOut {
    /// Writes a constant column out in full. Only columns of one fixed-width value are constant:
    /// their values are the last buffer.
    pub fn expand(&mut self, count: usize) {
        if std::mem::take(&mut self.constant)
            && let Some(values) = self.buffers.last_mut()
        {
            *values = values.repeat(count);
        }
    }

    /// Writes a column out in full because some of its values are null.
    pub(crate) fn expand_bits(&mut self, bytes: usize) {
        // As many values as there are bits; the last byte may have some to spare, which does no
        // harm: buffers may be longer than needed.
        self.expand(bytes * 8);
    }
}
