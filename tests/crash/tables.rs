//! Jobs whose sinks are tables of a database, and how the tables are read.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

use crate::shapes::{Shape, USERS, Visit, sink, sorted, users, visits};

/// A table, and what it must have.
pub struct Table {
    /// Its database, in a folder of its own.
    database: &'static str,
    /// Its name.
    name: &'static str,
    /// Its rows as text, sorted, by the inputs.
    pub model: fn(&[String]) -> Vec<String>,
}

/// Rows of a function with a state for each user go to files and to a table, to which rows are
/// added: more than one sink, so that output is written down before it is visible.
pub const TOLD: Shape = Shape {
    name: "told",
    job: |_| users() + &sink("out", "it") + &table("told", ""),
    tables: &[Table {
        database: "tables/told.db",
        name: "told",
        model: |inputs| sorted(visits(inputs).iter().flatten().map(row).collect()),
    }],
    ..USERS
};

/// The same to a table alone, in which a row takes the place of the one before of its user.
pub const LATEST: Shape = Shape {
    name: "latest",
    job: |_| users() + &table("latest", "upsert = [\"user\"]\n"),
    sinks: &[],
    tables: &[Table {
        database: "tables/latest.db",
        name: "latest",
        model: |inputs| {
            let all = visits(inputs).into_iter().flatten();
            let last: std::collections::BTreeMap<i64, Visit> =
                all.map(|visit| (visit.0, visit)).collect();
            sorted(last.values().map(row).collect())
        },
    }],
    model: |_| Vec::new(),
    ..USERS
};

fn table(name: &str, more: &str) -> String {
    format!(
        "[[sink]]\nid = \"{name}\"\nfrom = \"it\"\ntype = \"sqlite\"\n\
         path = \"tables/{name}.db\"\ntable = \"{name}\"\n{more}"
    )
}

fn row((user, sum, values): &Visit) -> String {
    format!("u{user} {sum} {values} 0")
}

impl Table {
    /// Its rows as text, sorted, and the number of the last batch: of as many as were shown. None
    /// if there is no database yet.
    pub fn read(&self, job: &Path) -> Option<(Vec<String>, u64)> {
        let path = job.join(self.database);
        // What was left of a batch that is not visible goes with the next one.
        if !path.exists() {
            return None;
        }
        let database = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE);
        let database = database.unwrap();
        let whole = "PRAGMA integrity_check";
        let whole: String = database.query_row(whole, [], |row| row.get(0)).unwrap();
        assert_eq!(whole, "ok", "{}", path.display());
        let there = "SELECT count(*) FROM sqlite_schema WHERE name = ?1";
        let there: i64 = database.query_row(there, [self.name], |row| row.get(0)).unwrap();
        if there == 0 {
            return None;
        }
        let mark = "SELECT batch FROM weir_commit WHERE sink = ?1";
        let mark: i64 = database.query_row(mark, [self.name], |row| row.get(0)).unwrap();
        let mut query = database.prepare(&format!("SELECT * FROM {}", self.name)).unwrap();
        let columns = query.column_count();
        let text = |row: &rusqlite::Row<'_>| {
            let cell = |at| match row.get_unwrap(at) {
                Value::Integer(number) => number.to_string(),
                Value::Text(text) => text,
                other => panic!("{other:?} is in no row of the model"),
            };
            Ok((0..columns).map(cell).collect::<Vec<_>>().join(" "))
        };
        let rows = query.query_map([], text).unwrap().map(Result::unwrap).collect();
        Some((sorted(rows), mark.cast_unsigned()))
    }

    /// It has what the model says, with the mark of the last batch.
    pub fn check(&self, job: &Path, inputs: &[String]) {
        let (rows, mark) = self.read(job).unwrap();
        assert_eq!(rows, (self.model)(inputs), "{}", self.name);
        assert_eq!(mark, inputs.len() as u64, "{}", self.name);
    }

    /// Files beside the database with rows that wait, or have waited.
    pub fn left(&self, job: &Path) -> Vec<String> {
        let folder = job.join(self.database);
        let entries = std::fs::read_dir(folder.parent().unwrap()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("-weir-")).collect()
    }
}
