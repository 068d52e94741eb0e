//! Values that are never shown.
//!
//! A job takes passwords and keys from files or the environment. They end up in settings as any
//! other text does, so every text that leaves the process for people passes through here: errors,
//! events, logs, listings and dead letters. Rows that a sink writes do not.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

/// What stands in the place of a secret.
pub const HIDDEN: &str = "•••";

/// A shorter one can't be told from other text.
pub const SECRET_BYTES_MIN: usize = 4;

/// A line of a secret of several lines is hidden by itself from this length on.
const LINE_BYTES_MIN: usize = 8;

/// The secrets of the process, the longest first.
static KEPT: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// From now on a text is never shown: not as it is, not as JSON writes it, nor
/// a quotation of it in JSON, and not line by line.
pub fn keep(secret: &str) {
    let mut kept = KEPT.write().unwrap_or_else(PoisonError::into_inner);
    let lines = secret.lines().filter(|line| line.len() >= LINE_BYTES_MIN);
    for text in [secret].into_iter().chain(lines) {
        let (once, twice) = (escaped(text), escaped(&escaped(text)));
        for form in [text.to_owned(), once, twice] {
            if form.len() >= SECRET_BYTES_MIN && !kept.contains(&form) {
                kept.push(form);
            }
        }
    }
    kept.sort_by_key(|text| std::cmp::Reverse(text.len()));
}

/// A text as it stands in JSON and in most quoted texts, without the quotes.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The text without secrets.
pub fn hidden(text: &str) -> Cow<'_, str> {
    let kept = KEPT.read().unwrap_or_else(PoisonError::into_inner);
    let mut shown = Cow::Borrowed(text);
    for secret in kept.iter() {
        if shown.contains(secret.as_str()) {
            shown = Cow::Owned(shown.replace(secret.as_str(), HIDDEN));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_as_it_is_as_json_and_line_by_line() {
        keep("pa\"ss-4711");
        keep("first-line-4711\nsecond-line-4711");
        assert_eq!(hidden("it is pa\"ss-4711, is it?"), "it is •••, is it?");
        assert_eq!(hidden(r#"{"p":"pa\"ss-4711"}"#), r#"{"p":"•••"}"#);
        assert_eq!(hidden("second-line-4711!"), "•••!");
        assert!(matches!(hidden("nothing to see"), Cow::Borrowed(_)));
    }
}
