//! The config of an op: any type that serde can read, with the setting named when it is wrong.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::bindings::exports::weir::operator::guest::Refusal;

/// The config of a function that takes none: any setting is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoConfig;

impl<'de> Deserialize<'de> for NoConfig {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Empty;
        impl<'de> Visitor<'de> for Empty {
            type Value = NoConfig;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("no settings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NoConfig, A::Error> {
                match map.next_entry::<String, IgnoredAny>()? {
                    None => Ok(NoConfig),
                    Some((name, _)) => Err(A::Error::custom(format!(
                        "unknown field `{name}`, there are no settings"
                    ))),
                }
            }
        }
        from.deserialize_map(Empty)
    }
}

/// Reads a config; the error names the setting.
pub fn read<C: serde::de::DeserializeOwned>(text: &str) -> Result<C, Refusal> {
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        // The position is one in JSON that nobody wrote.
        let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
        let named =
            message.strip_prefix("unknown field `").or(message.strip_prefix("missing field `"));
        let field = named.and_then(|rest| rest.split('`').next());
        let setting = match (path.as_str(), field) {
            ("." | "?", field) => field.map(str::to_owned),
            (path, Some(field)) if !path.ends_with(field) => Some(format!("{path}.{field}")),
            (path, _) => Some(path.to_owned()),
        };
        Refusal { setting, message }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Limits {
        #[serde(default)]
        words: Vec<String>,
        most: u32,
    }

    fn setting(text: &str) -> (Option<String>, String) {
        let refusal = read::<Limits>(text).unwrap_err();
        (refusal.setting, refusal.message)
    }

    #[test]
    fn the_wrong_setting_is_named() {
        assert_eq!(setting(r#"{"most":"x"}"#).0.as_deref(), Some("most"));
        assert_eq!(setting(r#"{"most":1,"words":["a",2]}"#).0.as_deref(), Some("words[1]"));
        assert_eq!(setting(r#"{"most":1,"mots":2}"#).0.as_deref(), Some("mots"));
        assert_eq!(setting("{}"), (Some("most".into()), "missing field `most`".into()));
        let fine = read::<Limits>(r#"{"most":3}"#).unwrap();
        assert_eq!((fine.most, fine.words.len()), (3, 0));
    }

    #[test]
    fn no_config_refuses_any_setting() {
        assert_eq!(read::<NoConfig>("{}").unwrap(), NoConfig);
        let refusal = read::<NoConfig>(r#"{"a":1}"#).unwrap_err();
        assert_eq!(refusal.setting.as_deref(), Some("a"));
    }
}
