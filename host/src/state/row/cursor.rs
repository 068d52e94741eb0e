//! Reads row bytes, of which nothing is taken for granted.

/// Bytes that are no rows. The place where they were read makes an error of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(in crate::state) struct Malformed(pub &'static str);

const SHORT: Malformed = Malformed("it ends in the middle of a row");

/// A place in row bytes.
#[derive(Clone, Debug)]
pub(in crate::state) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(SHORT)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next bytes, of a number that is known here.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*head)
    }

    /// The next byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    /// A number as [`put_number`] wrote it.
    #[inline]
    pub fn number(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("a number is longer than ten bytes"))
    }

    /// A number of things that take at least one byte each.
    #[inline]
    pub fn length(&mut self) -> Result<usize, Malformed> {
        let length = self.number()?;
        match usize::try_from(length) {
            Ok(length) if length <= self.rest.len() => Ok(length),
            _ => Err(SHORT),
        }
    }
}

/// Writes a number in groups of seven bits, the lowest first (LEB128).
#[inline]
pub(in crate::state) fn put_number(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_ends_are_seen() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_number(value, &mut out);
            assert_eq!(Cursor::new(&out).number(), Ok(value));
            assert!(Cursor::new(&out[..out.len() - 1]).number().is_err());
        }
        assert!(Cursor::new(&[0x80; 11]).number().is_err());
        assert_eq!(Cursor::new(&[9, 1]).length(), Err(SHORT));
    }
}
