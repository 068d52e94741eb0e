//! What a job may say: every setting once, with its bounds, its default and what it is for.
//!
//! The reader takes bounds and defaults from here, `host schema` prints it for editors, and
//! `host config show` walks along it. Which settings exclude each other is known here too: an
//! entry has one [`Place`] for each thing that it can be.

mod calls;
mod entries;
mod json;
#[cfg(test)]
mod tests;
mod top;
mod windows;

pub use calls::{ALLOW, LIMITS, TIMEOUT};
pub use entries::{ADDRESSES_MAX, FUNCTION, OP, SINK, SOURCE};
pub use json::{preset, schema};
pub use top::{CHECKPOINT, DEAD_LETTERS, JOB, STATE, TEST, TOP};
pub use windows::{EVENT_TIME, WINDOW};

use std::time::Duration;

use super::value::{Table, Value};

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub says: &'static str,
    /// What can be written.
    pub shape: Shape,
    /// What holds when nothing is written.
    pub preset: Preset,
    /// Whether it must be there.
    pub needed: bool,
}

/// What a setting has as its value.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Text.
    Text,
    /// Text that looks like this regular expression.
    Like(&'static str),
    /// A name of something: there are no values of `[vars]` in it.
    Name(&'static str),
    /// One of several words.
    Words(&'static [&'static str]),
    /// Yes or no.
    Flag,
    /// A whole number within bounds.
    Number(i64, i64),
    /// A length of time within bounds.
    Time(Duration, Duration),
    /// A number of bytes within bounds.
    Size(u64, u64),
    /// A text, or a list of texts, that look so.
    Texts(Texts),
    /// A list.
    List(&'static Shape),
    /// A table of any names.
    Free,
    /// A table whose names look like the regular expression, with values of one shape.
    Named(&'static str, &'static Shape),
    /// One of several shapes.
    Any(&'static [Shape]),
    /// A table of settings.
    Table(&'static Place),
    /// A list of tables, each of which is one of these.
    Entries(&'static [Place]),
}

/// A text or a list of texts.
#[derive(Clone, Copy, Debug)]
pub struct Texts {
    /// What each looks like.
    pub like: Option<&'static str>,
    /// How many there are at least.
    pub least: usize,
    /// How many there are at most.
    pub most: usize,
    /// Whether each stands there once.
    pub unique: bool,
    /// Whether values of `[vars]` may stand in them.
    pub vars: bool,
}

impl Texts {
    /// Any number of texts of any look.
    pub const ANY: Self =
        Self { like: None, least: 0, most: usize::MAX, unique: false, vars: true };
}

/// What holds when a setting isn't written.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// Nothing in particular.
    None,
    /// A text or a word.
    Text(&'static str),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// A length of time.
    Time(Duration),
    /// A number of bytes.
    Size(u64),
    /// What the machine or the rest of the job says, in words.
    Said(&'static str),
}

/// All settings that stand in one place.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// What it is, in a few words.
    pub title: &'static str,
    /// Its settings, in groups that it may share with others.
    pub groups: &'static [&'static [Setting]],
    /// Settings of which exactly one is there.
    pub either: &'static [&'static str],
}

impl Setting {
    const fn new(name: &'static str, shape: Shape, says: &'static str) -> Self {
        Self { name, says, shape, preset: Preset::None, needed: false }
    }

    const fn needed(mut self) -> Self {
        self.needed = true;
        self
    }

    const fn preset(mut self, preset: Preset) -> Self {
        self.preset = preset;
        self
    }
}

impl Place {
    const fn new(title: &'static str, groups: &'static [&'static [Setting]]) -> Self {
        Self { title, groups, either: &[] }
    }

    const fn either(mut self, either: &'static [&'static str]) -> Self {
        self.either = either;
        self
    }

    /// Whether some setting must be there.
    pub fn needs(&'static self) -> bool {
        self.settings().any(|setting| setting.needed)
    }

    /// Its settings.
    pub fn settings(&self) -> impl Iterator<Item = &'static Setting> + use<> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// Whether a table is one of these: what must be there is there, with words that fit, and
    /// there is nothing else.
    pub fn fits(&self, table: &Table) -> bool {
        let known = |name: &String| self.settings().any(|setting| setting.name == name);
        let fitting = |setting: &Setting| match (table.get(setting.name), setting.shape) {
            (None, _) => !setting.needed,
            (Some(node), Shape::Words(words)) => match &node.value {
                Value::Text(text) => words.contains(&text.as_str()),
                _ => false,
            },
            (Some(_), _) => true,
        };
        let among = self.either.iter().filter(|name| table.get(name).is_some()).count();
        table.entries.iter().all(|(name, _, _)| known(name))
            && self.settings().all(fitting)
            && (self.either.is_empty() || among == 1)
    }
}

/// The first setting of a name in places of one table.
pub fn find(places: &'static [Place], name: &str) -> Option<&'static Setting> {
    places.iter().flat_map(Place::settings).find(|setting| setting.name == name)
}

/// The bounds of a number.
pub fn numbers(setting: Option<&Setting>) -> (i64, i64) {
    match setting.map(|setting| setting.shape) {
        Some(Shape::Number(least, most)) => (least, most),
        _ => (i64::MIN, i64::MAX),
    }
}

/// The bounds of a length of time.
pub fn times(setting: Option<&Setting>) -> (Duration, Duration) {
    match setting.map(|setting| &setting.shape) {
        Some(Shape::Time(least, most) | Shape::Any([Shape::Time(least, most), ..])) => {
            (*least, *most)
        }
        _ => (Duration::ZERO, Duration::MAX),
    }
}

/// The bounds of a number of bytes.
pub fn sizes(setting: Option<&Setting>) -> (u64, u64) {
    match setting.map(|setting| setting.shape) {
        Some(Shape::Size(least, most)) => (least, most),
        _ => (0, u64::MAX),
    }
}
