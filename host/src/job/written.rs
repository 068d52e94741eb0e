//! Values as TOML.

use std::fmt::Write;

use super::value::Value;

/// A value as it would be written in a job, on one line.
pub fn toml(value: &Value) -> String {
    let listed = |items: Vec<String>| items.join(", ");
    match value {
        // What looks like a value of [vars] is none any more.
        Value::Text(text) => quoted(&text.replace("${", "$${")),
        Value::Date(moment) => moment.clone(),
        Value::Int(number) => number.to_string(),
        // Unlike the other way to show it, this one has a point or an exponent always.
        Value::Float(number) => format!("{number:?}").replace("NaN", "nan"),
        Value::Bool(yes) => yes.to_string(),
        Value::List(items) => {
            format!("[{}]", listed(items.iter().map(|item| toml(&item.value)).collect()))
        }
        Value::Table(table) if table.entries.is_empty() => "{}".to_owned(),
        Value::Table(table) => {
            let entries = table.entries.iter();
            let entries =
                entries.map(|(name, _, node)| format!("{} = {}", key(name), toml(&node.value)));
            format!("{{ {} }}", listed(entries.collect()))
        }
    }
}

/// A name in front of a value.
pub fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                // Writing to a string can't fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::super::value::read;
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let text = "a = [1, -2.5, 1e300, inf, true, 1979-05-27T07:32:00Z, \
                    \"\\u0007\\u007f\\\"\\\\\"]\n\
                    b = { \"c d\" = {}, e = [[], [\"é\\n\\t\\r\"]], \"\" = 1.0 }";
        let (table, problems) = read(text);
        assert_eq!(problems, []);
        let lines = table.entries.iter();
        let lines = lines.map(|(name, _, node)| format!("{} = {}\n", key(name), toml(&node.value)));
        let (again, problems) = read(&lines.collect::<String>());
        assert_eq!(problems, []);
        assert_eq!(format!("{:?}", again.json()), format!("{:?}", table.json()));
        assert_eq!(toml(&Value::Text("${a}".to_owned())), "\"$${a}\"");
    }
}
