//! Where a function puts its rows, and where a function over columns finds them.

use crate::bindings::exports::weir::operator::guest::Port;
use crate::bindings::weir::operator::rows::{Emitted, Rows};
use crate::row::{Row, sealed};

/// Takes the rows that a function gives.
pub struct Out<R: Row> {
    writer: R::Writer,
    count: usize,
    parents: Vec<u32>,
    parent: u32,
    with_parents: bool,
}

impl<R: Row> Out<R> {
    #[doc(hidden)]
    pub fn new(with_parents: bool) -> Self {
        Self {
            writer: R::Writer::default(),
            count: 0,
            parents: Vec::new(),
            parent: 0,
            with_parents,
        }
    }

    /// Gives a row.
    #[inline]
    pub fn push(&mut self, row: R::At<'_>) {
        R::put(&row, &mut self.writer);
        self.count += 1;
        if self.with_parents {
            self.parents.push(self.parent);
        }
    }

    /// For functions over columns: the row that the next pushed rows come from. Must not descend.
    #[inline]
    pub fn parent(&mut self, row: usize) {
        self.parent = row as u32;
    }

    /// How many rows were given.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no row was given.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[doc(hidden)]
    pub fn put_nothing(&mut self) {
        R::put_nothing(&mut self.writer);
        self.count += 1;
    }

    #[doc(hidden)]
    pub fn seal(&mut self) -> Rows {
        let count = std::mem::take(&mut self.count);
        sealed(R::finish(&mut self.writer), count)
    }

    fn emit(&mut self, port: u16) -> Option<Emitted> {
        if self.count == 0 {
            return None;
        }
        let rows = self.seal();
        Some(Emitted { port, rows, parents: std::mem::take(&mut self.parents) })
    }
}

/// The ports of a function: one `Out` for each.
pub trait Outs {
    /// Empty ones.
    fn new(with_parents: bool) -> Self;

    /// The row that the next rows come from.
    fn parent(&mut self, row: usize);

    /// Everything that was given.
    fn emit(&mut self) -> Vec<Emitted>;

    /// The ports under these names.
    fn ports(names: &[&str]) -> Vec<Port>;
}

macro_rules! outs {
    ($($name:ident $place:tt),+) => {
        impl<$($name: Row),+> Outs for ($(Out<$name>,)+) {
            fn new(with_parents: bool) -> Self {
                ($(Out::<$name>::new(with_parents),)+)
            }

            #[inline]
            fn parent(&mut self, row: usize) {
                $(self.$place.parent(row);)+
            }

            fn emit(&mut self) -> Vec<Emitted> {
                let all = [$(self.$place.emit($place)),+];
                all.into_iter().flatten().collect()
            }

            fn ports(names: &[&str]) -> Vec<Port> {
                vec![$(Port {
                    name: names[$place].to_owned(),
                    fields: Some($name::columns()),
                }),+]
            }
        }
    };
}

outs!(A 0);
outs!(A 0, B 1);
outs!(A 0, B 1, C 2);
outs!(A 0, B 1, C 2, D 3);

/// All rows of a chunk, for functions that work on columns.
pub struct Columns<'r, R: Row> {
    reader: R::Reader<'r>,
    count: usize,
}

impl<'r, R: Row> Columns<'r, R> {
    #[doc(hidden)]
    pub fn new(rows: &'r Rows) -> Self {
        Self { reader: R::reader(rows), count: rows.count as usize }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A row. Panics beyond the last.
    #[inline]
    pub fn get(&self, row: usize) -> R::At<'r> {
        R::get(&self.reader, row)
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = R::At<'r>> + '_ {
        (0..self.count).map(|row| self.get(row))
    }
}
