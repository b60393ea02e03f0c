//! Reading a document so that all its mistakes are told at once.

use std::fmt;

use serde_json::{Map, Value};

use super::trust::shown;

/// One thing that is wrong in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mistake {
    /// Where: the path of the member, for instance `policy.canary.percent`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// The error for a document with mistakes; it has all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mistakes {
    /// What is wrong; never empty.
    pub all: Vec<Mistake>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, mistake) in self.all.iter().enumerate() {
            write!(f, "{}{mistake}", if place == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// More are not told, so that a hostile document does not become a long report.
const MOST: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Mistaken(Vec<Mistake>);

impl Mistaken {
    pub(super) fn add(&mut self, path: impl Into<String>, what: impl Into<String>) {
        if self.0.len() < MOST {
            self.0.push(Mistake { path: path.into(), what: what.into() });
        }
    }

    pub(super) fn into_result<T>(self, value: Option<T>) -> Result<T, Mistakes> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Mistakes { all: self.0 }),
        }
    }
}

/// An object that is read member by member.
pub(super) struct Object<'a> {
    members: Option<&'a Map<String, Value>>,
    path: &'static str,
}

impl<'a> Object<'a> {
    /// Begins to read an object that has these members and no others; `null` and nothing are an empty object.
    pub(super) fn open(
        value: Option<&'a Value>,
        path: &'static str,
        known: &[&str],
        mistaken: &mut Mistaken,
    ) -> Self {
        let members = match value {
            None | Some(Value::Null) => None,
            Some(Value::Object(members)) => Some(members),
            Some(_) => {
                mistaken.add(if path.is_empty() { "the document" } else { path }, "must be an object");
                None
            }
        };
        let object = Self { members, path };
        for name in members.into_iter().flat_map(Map::keys).filter(|name| !known.contains(&name.as_str())) {
            let near = known.iter().find(|other| is_near(name, other));
            let what = match near {
                Some(near) => format!("is not known; did you mean {near:?}?"),
                None => format!("is not known; there are {}", known.join(", ")),
            };
            mistaken.add(object.at(&shown(name)), what);
        }
        object
    }

    pub(super) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Returns a member that is there and not `null`.
    pub(super) fn member(&self, name: &str) -> Option<&'a Value> {
        self.members?.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str, mistaken: &mut Mistaken) -> Option<&'a str> {
        let value = self.member(name)?;
        if value.as_str().is_none() {
            mistaken.add(self.at(name), "must be text");
        }
        value.as_str()
    }

    /// Reads a text that must be there.
    pub(super) fn parsed<T: std::str::FromStr<Err: fmt::Display>>(
        &self,
        name: &str,
        mistaken: &mut Mistaken,
    ) -> Option<T> {
        if self.member(name).is_none() {
            mistaken.add(self.at(name), "is missing");
        }
        match self.text(name, mistaken)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                mistaken.add(self.at(name), error.to_string());
                None
            }
        }
    }

    pub(super) fn number(&self, name: &str, from: f64, to: f64, mistaken: &mut Mistaken) -> Option<f64> {
        let value = self.member(name)?;
        let number = value.as_f64().filter(|number| (from..=to).contains(number));
        if number.is_none() {
            mistaken.add(self.at(name), format!("must be a number from {from} to {to}"));
        }
        number
    }

    pub(super) fn count(&self, name: &str, from: u64, to: u64, mistaken: &mut Mistaken) -> Option<u64> {
        let value = self.member(name)?;
        let number = value.as_u64().filter(|number| (from..=to).contains(number));
        if number.is_none() {
            mistaken.add(self.at(name), format!("must be a whole number from {from} to {to}"));
        }
        number
    }
}

/// Returns whether two names differ by case, or by one character that is missing, too many or another one.
fn is_near(left: &str, right: &str) -> bool {
    if left.eq_ignore_ascii_case(right) {
        return true;
    }
    let same = left.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count();
    let (left, right) =
        (left.as_bytes().get(same..).unwrap_or_default(), right.as_bytes().get(same..).unwrap_or_default());
    left.get(1..) == Some(right)
        || right.get(1..) == Some(left)
        || (left.len() == right.len() && left.get(1..) == right.get(1..))
}
