//! The settings as a JSON schema (draft-07), which editors read.
//!
//! It is never stricter than the reader, except that `type`, `native` and the formats that other
//! settings depend on are written out. Bounds of lengths of time and of sizes in text stand in
//! their descriptions, and what an entry says of others is left to `host check`.

use serde_json::{Map, Value, json};

use super::super::units;
use super::{Place, Preset, Setting, Shape, TOP, Texts};

/// Where a text may come from `[vars]`, this is another look that it can have.
const FROM_VARS: &str = "\\$\\{";

/// Units as jiff knows them; a day is no fixed length of time.
const TIME: &str = "^\\s*\\+?\\s*([0-9]+([.,][0-9]+)?\\s*(h|hrs?|hours?|m|mins?|minutes?|s|secs?|\
                    seconds?|ms|msecs?|millis?|milliseconds?|[uµμ]s|[uµμ]secs?|micros?|\
                    microseconds?|ns|nsecs?|nanos?|nanoseconds?),?\\s*)+$|^\\+?[Pp][Tt][0-9]|\
                    ^[0-9]+:[0-9]+(:[0-9]+)?";

const SIZE: &str = "^\\s*[0-9][0-9_]*\\s*(KiB|MiB|GiB|TiB|kB|MB|GB|TB|B)?\\s*$";

/// The schema of job.toml.
pub fn schema() -> Value {
    let mut schema = place(&TOP);
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["description"] = "`host check` looks at more than an editor can.".into();
    schema
}

fn place(place: &Place) -> Value {
    let settings = place.settings().map(|known| (known.name.to_owned(), setting(known)));
    let properties: Map<String, Value> = settings.collect();
    let needed = place.settings().filter(|setting| setting.needed).map(|setting| setting.name);
    let mut out = json!({
        "title": place.title,
        "type": "object",
        "properties": properties,
        "required": needed.collect::<Vec<_>>(),
        "additionalProperties": false,
    });
    if !place.either.is_empty() {
        out["oneOf"] = place.either.iter().map(|name| json!({ "required": [name] })).collect();
    }
    out
}

fn setting(setting: &Setting) -> Value {
    let mut out = match setting.shape {
        // Whatever depends on it is known from the word itself.
        Shape::Words(words) if setting.needed => json!({ "type": "string", "enum": words }),
        other => shape(&other),
    };
    let mut says = setting.says.to_owned();
    if let Some(bounds) = bounds(&setting.shape) {
        says.push_str(&bounds);
    }
    if let Preset::Said(said) = setting.preset {
        says.push_str(&format!(" Default: {said}."));
    }
    out["description"] = says.into();
    if setting.needed && matches!(setting.shape, Shape::Entries(_)) {
        out["minItems"] = 1.into();
    }
    if let Some(preset) = preset(&setting.preset) {
        out["default"] = preset;
    }
    out
}

/// What a schema can't say of texts.
fn bounds(shape: &Shape) -> Option<String> {
    let (least, most) = match *shape {
        Shape::Time(least, most) => (units::shown_time(least), units::shown_time(most)),
        Shape::Size(least, most) => (units::shown_size(least), units::shown_size(most)),
        _ => return None,
    };
    Some(format!(" From {least} to {most}."))
}

/// A preset as it would be written, if it is a value.
pub fn preset(preset: &Preset) -> Option<Value> {
    Some(match *preset {
        Preset::None | Preset::Said(_) => return None,
        Preset::Text(text) => text.into(),
        Preset::Number(number) => number.into(),
        Preset::Flag(flag) => flag.into(),
        Preset::Time(time) => units::shown_time(time).into(),
        Preset::Size(bytes) => match units::shown_size(bytes) {
            shown if shown.ends_with("iB") => shown.into(),
            _ => bytes.into(),
        },
    })
}

fn shape(shape: &Shape) -> Value {
    match *shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Like(look) => json!({ "type": "string", "pattern": or_from_vars(look) }),
        Shape::Name(look) => json!({ "type": "string", "pattern": look }),
        Shape::Words(words) => json!({
            "anyOf": [{ "enum": words }, { "type": "string", "pattern": FROM_VARS }],
        }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Number(least, most) if least == most => json!({ "const": least }),
        Shape::Number(least, i64::MAX) => json!({ "type": "integer", "minimum": least }),
        Shape::Number(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Shape::Time(..) => json!({ "type": "string", "pattern": or_from_vars(TIME) }),
        Shape::Size(least, most) => json!({
            "anyOf": [
                { "type": "string", "pattern": or_from_vars(SIZE) },
                { "type": "integer", "minimum": least, "maximum": most },
            ],
        }),
        Shape::Texts(of) => texts(&of),
        Shape::List(item) => json!({ "type": "array", "items": self::shape(item) }),
        Shape::Free => json!({ "type": "object" }),
        Shape::Named(look, value) => json!({
            "type": "object",
            "patternProperties": { look: self::shape(value) },
            "additionalProperties": false,
        }),
        Shape::Any(shapes) => {
            json!({ "anyOf": shapes.iter().map(self::shape).collect::<Vec<_>>() })
        }
        Shape::Table(inner) => place(inner),
        Shape::Entries([only]) => json!({ "type": "array", "items": place(only) }),
        Shape::Entries(places) => json!({
            "type": "array",
            "items": { "anyOf": places.iter().map(place).collect::<Vec<_>>() },
        }),
    }
}

fn texts(of: &Texts) -> Value {
    let mut one = json!({ "type": "string" });
    if let Some(look) = of.like {
        one["pattern"] = if of.vars { or_from_vars(look).into() } else { look.into() };
    }
    let mut list = json!({ "type": "array", "items": one, "uniqueItems": of.unique });
    if of.least > 0 {
        list["minItems"] = of.least.into();
    }
    if of.most < usize::MAX {
        list["maxItems"] = of.most.into();
    }
    json!({ "anyOf": [one, list] })
}

fn or_from_vars(look: &str) -> String {
    format!("{look}|{FROM_VARS}")
}
