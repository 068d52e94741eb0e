//! The names of types: one table for job.toml, the WIT package, errors and documents.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

/// The time zone of every timestamp.
pub const UTC: &str = "UTC";

/// How deep lists and structs may nest.
pub const DEPTH_MAX: usize = 16;

/// Why a text is not the name of a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// Nothing is called so.
    #[error(
        "`{0}` is not a type; types are bool, int32, int64, float64, string, binary, date, \
         timestamp, decimal(p,s), list<T> and struct{{name: T, …}}"
    )]
    Unknown(String),
    /// The parts of a decimal are out of range.
    #[error("`{0}`: a decimal has 1 to 38 digits, of which 0 up to all stand behind the point")]
    Decimal(String),
    /// Something is left over or missing.
    #[error("`{text}`: expected {expected} at character {position}")]
    Syntax {
        /// The whole text.
        text: String,
        /// What would be right.
        expected: &'static str,
        /// Where, in characters from 1.
        position: usize,
    },
    /// Too many levels.
    #[error("`{0}`: lists and structs nest at most {DEPTH_MAX} deep")]
    Deep(String),
}

/// The timestamp type: microseconds in UTC.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

/// Reads the name of a type.
pub fn parse(text: &str) -> Result<DataType, TypeError> {
    let mut parser = Parser { text, rest: text };
    let data_type = parser.data_type(0)?;
    parser.spaces();
    if parser.rest.is_empty() { Ok(data_type) } else { Err(parser.expected("the end")) }
}

/// The name of a type, or none for an Arrow type that has no name here. Such columns are cast by
/// the room that makes them.
pub fn name(data_type: &DataType) -> Option<String> {
    Some(match data_type {
        DataType::Boolean => "bool".into(),
        DataType::Int32 => "int32".into(),
        DataType::Int64 => "int64".into(),
        DataType::Float64 => "float64".into(),
        DataType::Utf8 => "string".into(),
        DataType::Binary => "binary".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if &**zone == UTC => {
            "timestamp".into()
        }
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            format!("decimal({precision},{scale})")
        }
        DataType::List(item) => format!("list<{}>", nested(item)?),
        DataType::Struct(fields) => {
            let parts: Option<Vec<String>> = fields
                .iter()
                .map(|field| Some(format!("{}: {}", field.name(), nested(field)?)))
                .collect();
            format!("struct{{{}}}", parts?.join(", "))
        }
        _ => return None,
    })
}

/// The name of a type for a message: its name, or Arrow's when it has none here.
pub fn describe(data_type: &DataType) -> String {
    name(data_type).unwrap_or_else(|| data_type.to_string())
}

/// The type of the table that holds the values of an Arrow type, or none where there is no such
/// type: what columns of SQL and of files are cast to.
pub fn standard(data_type: &DataType) -> Option<DataType> {
    let inner = |field: &Field| {
        let data_type = standard(field.data_type())?;
        Some(Arc::new(Field::new(field.name(), data_type, field.is_nullable())))
    };
    Some(match data_type {
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 | DataType::Float32 => DataType::Float64,
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(..) => timestamp(),
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => DataType::Decimal128(*p, *s),
        DataType::Decimal256(_, s) => DataType::Decimal128(38, *s),
        DataType::Dictionary(_, value) => standard(value)?,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            DataType::List(inner(item)?)
        }
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| inner(field)).collect::<Option<_>>()?)
        }
        other => name(other).map(|_| other.clone())?,
    })
}

fn nested(field: &Field) -> Option<String> {
    let inner = name(field.data_type())?;
    Some(if field.is_nullable() { format!("{inner}?") } else { inner })
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn expected(&self, expected: &'static str) -> TypeError {
        let position = self.text[..self.text.len() - self.rest.len()].chars().count() + 1;
        TypeError::Syntax { text: self.text.to_owned(), expected, position }
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.spaces();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn need(&mut self, token: &str, expected: &'static str) -> Result<(), TypeError> {
        if self.take(token) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn word(&mut self) -> String {
        self.spaces();
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn data_type(&mut self, depth: usize) -> Result<DataType, TypeError> {
        if depth > DEPTH_MAX {
            return Err(TypeError::Deep(self.text.to_owned()));
        }
        let word = self.word();
        Ok(match word.as_str() {
            "bool" => DataType::Boolean,
            "int32" => DataType::Int32,
            "int64" => DataType::Int64,
            "float64" => DataType::Float64,
            "string" => DataType::Utf8,
            "binary" => DataType::Binary,
            "date" => DataType::Date32,
            "timestamp" => timestamp(),
            "decimal" => self.decimal()?,
            "list" => self.list(depth)?,
            "struct" => self.fields(depth)?,
            _ => return Err(TypeError::Unknown(self.text.trim().to_owned())),
        })
    }

    fn decimal(&mut self) -> Result<DataType, TypeError> {
        self.need("(", "`(`")?;
        let precision = self.word();
        self.need(",", "`,`")?;
        let scale = self.word();
        self.need(")", "`)`")?;
        match (precision.parse::<u8>(), scale.parse::<i8>()) {
            (Ok(p @ 1..=38), Ok(s @ 0..)) if s.unsigned_abs() <= p => {
                Ok(DataType::Decimal128(p, s))
            }
            _ => Err(TypeError::Decimal(self.text.to_owned())),
        }
    }

    fn list(&mut self, depth: usize) -> Result<DataType, TypeError> {
        self.need("<", "`<`")?;
        let item = self.data_type(depth + 1)?;
        let nullable = self.take("?");
        self.need(">", "`>`")?;
        Ok(DataType::List(Arc::new(Field::new("item", item, nullable))))
    }

    fn fields(&mut self, depth: usize) -> Result<DataType, TypeError> {
        self.need("{", "`{`")?;
        let mut fields = Vec::new();
        loop {
            let name = self.word();
            if name.is_empty() {
                return Err(self.expected("the name of a field"));
            }
            self.need(":", "`:`")?;
            let data_type = self.data_type(depth + 1)?;
            fields.push(Field::new(name, data_type, self.take("?")));
            if !self.take(",") {
                break;
            }
        }
        self.need("}", "`}`")?;
        Ok(DataType::Struct(Fields::from(fields)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_from_its_type() {
        for text in [
            "bool",
            "int32",
            "int64",
            "float64",
            "string",
            "binary",
            "date",
            "timestamp",
            "decimal(38,10)",
            "list<string>",
            "list<string?>",
            "struct{a: int64, b: list<struct{c: decimal(5,0)?}>?}",
        ] {
            assert_eq!(name(&parse(text).unwrap()).as_deref(), Some(text));
        }
    }

    #[test]
    fn wrong_names_say_what_is_wrong() {
        for (text, message) in [
            ("text", "`text` is not a type; types are bool"),
            ("decimal(39,0)", "a decimal has 1 to 38 digits"),
            ("decimal(3,4)", "a decimal has 1 to 38 digits"),
            ("list<int64", "expected `>` at character 11"),
            ("struct{}", "expected the name of a field at character 8"),
            ("int64 int64", "expected the end at character 7"),
            (&"list<".repeat(40), "nest at most 16 deep"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
