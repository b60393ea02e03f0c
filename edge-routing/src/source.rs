//! Where messages come from, and the patterns of routes.

use alloc::boxed::Box;
use alloc::string::String;

use crate::text;

/// The source of a route: every message whose source begins with it, segment by segment, case aside.
///
/// # Source
/// Route language §2.1.
///
/// # Examples
/// ```
/// use edge_routing::SourcePattern;
/// let pattern = SourcePattern::new("/messages/modules/m1*");
/// assert_eq!(pattern.prefix(), "/messages/modules/m1/");
/// assert!(pattern.matches("/Messages/modules/m1/outputs/o"));
/// assert!(!pattern.matches("/messages/modules/m10"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourcePattern {
    prefix: Box<str>,
}

impl SourcePattern {
    /// The pattern that `text` means: stars and slashes at its end make no difference.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let bare = text.trim().trim_end_matches('*').trim_end_matches('/');
        let mut prefix = String::with_capacity(bare.len() + 1);
        prefix.push_str(bare);
        prefix.push('/');
        Self { prefix: prefix.into_boxed_str() }
    }

    /// What a source must begin with; it ends in `/`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The pattern as the original reports it: the prefix without its last slash, save for `/` itself.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.prefix.strip_suffix('/') {
            Some("") | None => &self.prefix,
            Some(path) => path,
        }
    }

    /// Whether a message from `source` is meant; a slash at the end of `source` makes no difference.
    #[must_use]
    pub fn matches(&self, source: &str) -> bool {
        text::starts_with_ignore_case(source, &self.prefix)
            || (!source.ends_with('/')
                && text::eq_ignore_case(source, self.prefix.strip_suffix('/').unwrap_or("")))
    }

    /// The segments of the prefix.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        self.prefix.split('/').filter(|segment| !segment.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_patterns() {
        let matches = |pattern: &str, source: &str| SourcePattern::new(pattern).matches(source);
        assert!(matches("/*", "/messages/"));
        assert!(matches("/", "/twinChangeNotifications"));
        assert!(matches("/messages/*", "/messages"));
        assert!(matches("/messages/modules/m/*", "/messages/modules/m/outputs/o"));
        assert!(!matches("/messages/events", "/messages/"));
        assert!(!matches("/message", "/messages"));
        assert!(!matches("/*/messages/*", "/messages"));
    }
}
