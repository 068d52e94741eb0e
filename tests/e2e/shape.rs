//! Holds a value against the part of draft-07 that `host schema` uses.
//!
//! It is small so that it can be seen to be right; whatever it does not know makes it panic.

use serde_json::Value;

use crate::look::fits;

/// Keywords that say something to people only.
const SAYS: [&str; 4] = ["$schema", "title", "description", "default"];

/// The first thing that is wrong, with its place; none if the value is right.
pub fn fault(schema: &Value, value: &Value) -> Option<String> {
    let schema = schema.as_object().unwrap();
    schema.iter().find_map(|(keyword, rule)| {
        if SAYS.contains(&keyword.as_str()) {
            return None;
        }
        let why = match keyword.as_str() {
            "type" => (!is(value, rule.as_str().unwrap())).then(|| format!("is no {rule}")),
            "const" => (value != rule).then(|| format!("is not {rule}")),
            "enum" => {
                (!rule.as_array().unwrap().contains(value)).then(|| format!("is none of {rule}"))
            }
            "pattern" | "minimum" | "maximum" => single(keyword, rule, value),
            "items" | "minItems" | "maxItems" | "uniqueItems" => list(keyword, rule, value),
            "required" => value.as_object().and_then(|table| {
                let mut names = rule.as_array().unwrap().iter();
                let missing = names.find(|name| !table.contains_key(name.as_str().unwrap()));
                missing.map(|name| format!("has no {name}"))
            }),
            "properties" | "patternProperties" => inside(rule, value, keyword == "properties"),
            "additionalProperties" => {
                assert_eq!(*rule, Value::Bool(false));
                unknown(schema, value)
            }
            "anyOf" => {
                let faults: Vec<Option<String>> =
                    rule.as_array().unwrap().iter().map(|one| fault(one, value)).collect();
                let all = faults.iter().all(Option::is_some);
                all.then(|| faults.into_iter().flatten().collect::<Vec<_>>().join(" | "))
            }
            "oneOf" => {
                let fine = rule.as_array().unwrap().iter();
                let fine = fine.filter(|one| fault(one, value).is_none()).count();
                (fine != 1).then(|| format!("is {fine} of {rule}"))
            }
            other => panic!("the schema has a keyword `{other}`"),
        };
        why.map(|why| if why.contains(": ") { why } else { format!("{value}: {why}") })
    })
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("the schema has a type `{other}`"),
    }
}

fn single(keyword: &str, rule: &Value, value: &Value) -> Option<String> {
    match (keyword, value.as_str(), value.as_i64()) {
        ("pattern", Some(text), _) => {
            (!fits(rule.as_str().unwrap(), text)).then(|| "does not look so".to_owned())
        }
        ("minimum", _, Some(number)) => {
            (i128::from(number) < whole(rule)).then(|| format!("is below {rule}"))
        }
        ("maximum", _, Some(number)) => {
            (i128::from(number) > whole(rule)).then(|| format!("is above {rule}"))
        }
        _ => None,
    }
}

fn whole(rule: &Value) -> i128 {
    rule.to_string().parse().unwrap()
}

fn list(keyword: &str, rule: &Value, value: &Value) -> Option<String> {
    let items = value.as_array()?;
    let count = items.len() as u64;
    match keyword {
        "items" => items.iter().find_map(|item| fault(rule, item)),
        "minItems" => (count < rule.as_u64().unwrap()).then(|| "has too few".to_owned()),
        "maxItems" => (count > rule.as_u64().unwrap()).then(|| "has too many".to_owned()),
        _ => {
            let twice = items.iter().enumerate().any(|(at, item)| items[..at].contains(item));
            (rule == true && twice).then(|| "has one twice".to_owned())
        }
    }
}

fn inside(rules: &Value, value: &Value, by_name: bool) -> Option<String> {
    rules.as_object().unwrap().iter().find_map(|(look, rule)| {
        let mut named = value.as_object()?.iter();
        named.find_map(|(name, value)| {
            let meant = if by_name { name == look } else { fits(look, name) };
            meant.then(|| fault(rule, value)).flatten()
        })
    })
}

fn unknown(schema: &serde_json::Map<String, Value>, value: &Value) -> Option<String> {
    let part = |name: &str| schema.get(name).and_then(Value::as_object);
    let (named, looks) = (part("properties"), part("patternProperties"));
    let known = |name: &String| {
        named.is_some_and(|named| named.contains_key(name))
            || looks.is_some_and(|looks| looks.keys().any(|look| fits(look, name)))
    };
    let name = value.as_object()?.keys().find(|name| !known(name))?;
    Some(format!("has an unknown `{name}`"))
}

#[test]
fn what_is_wrong_is_found() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "n": { "type": "integer", "minimum": 1, "maximum": 9 },
            "t": { "anyOf": [{ "enum": ["a", "b"] }, { "type": "string", "pattern": "\\$\\{" }] },
            "l": { "type": "array", "items": { "const": 1 }, "minItems": 1, "maxItems": 2 },
            "u": { "type": "array", "uniqueItems": true },
            "m": {
                "type": "object",
                "patternProperties": { "^x": { "type": "boolean" } },
                "additionalProperties": false,
            },
        },
        "required": ["n"],
        "oneOf": [{ "required": ["t"] }, { "required": ["l"] }],
        "additionalProperties": false,
    });
    let wrong = |text: &str| fault(&schema, &serde_json::from_str(text).unwrap()).is_some();
    for fine in [
        r#"{ "n": 1, "t": "a" }"#,
        r#"{ "n": 9, "t": "-${x}" }"#,
        r#"{ "n": 2, "l": [1, 1], "u": [1, 2], "m": { "xy": true } }"#,
    ] {
        assert!(!wrong(fine), "{fine}");
    }
    for bad in [
        "[]",
        r#"{ "t": "a" }"#,
        r#"{ "n": 1 }"#,
        r#"{ "n": 1, "t": "a", "l": [1] }"#,
        r#"{ "n": 0, "t": "a" }"#,
        r#"{ "n": 10, "t": "a" }"#,
        r#"{ "n": 1.5, "t": "a" }"#,
        r#"{ "n": 1, "t": "c" }"#,
        r#"{ "n": 1, "t": 1 }"#,
        r#"{ "n": 1, "l": [] }"#,
        r#"{ "n": 1, "l": [1, 1, 1] }"#,
        r#"{ "n": 1, "l": [2] }"#,
        r#"{ "n": 1, "t": "a", "u": [1, 1] }"#,
        r#"{ "n": 1, "t": "a", "m": { "y": true } }"#,
        r#"{ "n": 1, "t": "a", "m": { "x": 1 } }"#,
        r#"{ "n": 1, "t": "a", "z": 1 }"#,
    ] {
        assert!(wrong(bad), "{bad}");
    }
}
