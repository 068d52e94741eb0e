//! JSON objects into columns: a whole row, or a struct in one.

use arrow::array::{ArrayRef, NullBufferBuilder, StructArray};
use arrow::datatypes::Fields;

use super::column::Column;
use super::scan::{Scan, Scanner};
use crate::format::FormatError;

/// The fields of an object while their values arrive.
pub(super) struct Object {
    fields: Fields,
    columns: Vec<Column>,
    /// For each field the number of the last row that had it.
    seen: Vec<u64>,
    row: u64,
    /// Where the next key probably belongs: keys mostly come in one order.
    guess: usize,
}

/// A column of structs.
pub(super) struct StructValues {
    object: Object,
    valid: NullBufferBuilder,
}

impl Object {
    /// An object with these fields.
    pub(super) fn new(fields: &Fields, any: bool) -> Result<Self, FormatError> {
        let columns: Result<_, _> = fields.iter().map(|field| Column::new(field, any)).collect();
        let seen = vec![0; fields.len()];
        Ok(Self { fields: fields.clone(), columns: columns?, seen, row: 0, guess: 0 })
    }

    /// Reads the object that comes next; false when something else comes.
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>) -> Scan<bool> {
        if !scanner.take(b'{') {
            return Ok(false);
        }
        self.row += 1;
        self.guess = 0;
        let mut given = 0;
        let mut more = !scanner.take(b'}');
        while more {
            let index = self.find(scanner.key()?);
            scanner.colon()?;
            match index {
                Some(index) => {
                    if std::mem::replace(&mut self.seen[index], self.row) == self.row {
                        let column = self.fields[index].name().clone();
                        return Err(Box::new(FormatError::Twice { column }));
                    }
                    given += 1;
                    self.columns[index].read(scanner)?;
                }
                None => scanner.skip()?,
            }
            more = scanner.another(b'}')?;
        }
        if given < self.columns.len() {
            self.push_missing()?;
        }
        Ok(true)
    }

    #[inline]
    fn find(&mut self, key: &str) -> Option<usize> {
        let matches = |index: usize| self.fields.get(index).is_some_and(|f| f.name() == key);
        let index = if matches(self.guess) {
            self.guess
        } else {
            self.fields.iter().position(|field| field.name() == key)?
        };
        self.guess = index + 1;
        Some(index)
    }

    fn push_missing(&mut self) -> Scan<()> {
        for (column, seen) in self.columns.iter_mut().zip(&self.seen) {
            if *seen != self.row {
                column.push_nothing()?;
            }
        }
        Ok(())
    }

    /// The columns of all rows since the last call.
    pub(super) fn finish(&mut self) -> Result<Vec<ArrayRef>, FormatError> {
        self.columns.iter_mut().map(Column::finish).collect()
    }
}

impl StructValues {
    /// A column of structs with these fields.
    pub(super) fn new(fields: &Fields, any: bool) -> Result<Self, FormatError> {
        Ok(Self { object: Object::new(fields, any)?, valid: NullBufferBuilder::new(0) })
    }

    /// Reads the object that comes next; false when something else comes.
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>) -> Scan<bool> {
        if !self.object.read(scanner)? {
            return Ok(false);
        }
        self.valid.append_non_null();
        Ok(true)
    }

    /// A null, under which every field is null too.
    pub(super) fn push_null(&mut self) {
        self.valid.append_null();
        self.object.columns.iter_mut().for_each(Column::push_null);
    }

    /// How many structs there are.
    pub(super) fn len(&self) -> usize {
        self.valid.len()
    }

    /// The structs since the last call.
    pub(super) fn finish(&mut self) -> Result<StructArray, FormatError> {
        let rows = self.valid.len();
        let valid = self.valid.finish();
        let columns = self.object.finish()?;
        let fields = self.object.fields.clone();
        Ok(StructArray::try_new_with_length(fields, columns, valid, rows)?)
    }
}
